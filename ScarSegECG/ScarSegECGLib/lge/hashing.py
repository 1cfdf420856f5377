"""SHA-256 of what was read, so that a result can name its input."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def sha256_of_file(path: Path) -> str:
    """Hash of one file's bytes, hexadecimal, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def sha256_of_files(paths: Iterable[Path]) -> str:
    """Hash of several files' hashes in sorted order: neither names nor order matter."""
    return hashlib.sha256("".join(sorted(map(sha256_of_file, paths))).encode()).hexdigest()
