"""Whether a case's files are still those that a result was made from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.files import sha256_of_file, sha256_of_set

MOST_FILES = 50_000


@dataclass(frozen=True)
class InputState:
    """Of one input's files together.

    ``stamp`` is a hash of sizes and times, which is quick to find again; ``sha256`` is one of the contents, which
    decides where the stamp differs.
    """

    stamp: str
    sha256: str


def state_of(path: Path | None) -> InputState | None:
    """Stamp and content of an input.

    Raises
    ------
    InputError
        It cannot be read, or is a folder of very many files.
    """
    if path is None:
        return None
    try:
        files = _files(path)
        return InputState(_stamp(files), sha256_of_set(map(sha256_of_file, files)))
    except OSError:
        raise InputError("a file of the case cannot be read; check that it is there and may be opened") from None


def is_still(path: Path | None, before: InputState | None) -> bool:
    """Whether an input is what it was; one that is gone or cannot be read is not."""
    if path is None or before is None:
        return path is None and before is None
    try:
        files = _files(path)
        return _stamp(files) == before.stamp or sha256_of_set(map(sha256_of_file, files)) == before.sha256
    except (OSError, InputError):
        return False


def _files(path: Path) -> list[Path]:
    """The files of a folder, or a file and those that share its name up to the first dot (.hea and .dat, .hdr ...)."""
    if path.is_dir():
        files = list(_below(path))
    else:
        stem = path.name.partition(".")[0]
        files = [one for one in path.parent.glob(f"{_plain(stem)}.*") if one.is_file()]
        files += [path] if path.is_file() and path not in files else []
    if len(files) > MOST_FILES:
        raise InputError(f"the folder holds more than {MOST_FILES} files; give the study alone")
    return sorted(files)


def _plain(stem: str) -> str:
    """A name as a pattern that stands for itself."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in stem)


def _below(folder: Path) -> Iterator[Path]:
    for at, _, names in os.walk(folder):
        yield from (one for name in names if (one := Path(at, name)).is_file())


def _stamp(files: Sequence[Path]) -> str:
    """No name goes into it, since names of files may be those of patients."""
    marks = sorted((status.st_size, status.st_mtime_ns) for status in (one.stat() for one in files))
    return hashlib.sha256(repr(marks).encode()).hexdigest()
