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


def sha256_of_set(hashes: Iterable[str]) -> str:
    """One hash for several files' hashes: neither names nor order matter; one file's hash stays what it is."""
    ordered = sorted(hashes)
    return ordered[0] if len(ordered) == 1 else hashlib.sha256("".join(ordered).encode()).hexdigest()
