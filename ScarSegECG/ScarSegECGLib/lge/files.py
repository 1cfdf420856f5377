"""Files on the disk and in zip archives as bytes, read within bounds; unreadable ones are told in a line."""

from __future__ import annotations

import errno
import hashlib
import io
import stat
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from ScarSegECGLib.errors import InputError

_MAX_MEMBERS = 20000
_MAX_MEMBER_BYTES = 384 * 2**20
_MAX_TOTAL_BYTES = 16 * 2**30
# Deflate reaches 1032:1 on zeros; MR images 2:1 to 5:1. Small files may be as empty as they like.
_MAX_RATIO = 200
_RATIO_MATTERS_MEMBER_BYTES = 64 * 2**20
_RATIO_MATTERS_TOTAL_BYTES = 512 * 2**20
_MAX_DIRECTORY_BYTES = 512 * _MAX_MEMBERS

_DAMAGED = "The zip archive is cut off or damaged: copy or export it again."
_BOMB = "The zip archive would unpack to far more than images do: it was not read. Unpack it yourself if you trust it."
_TOO_MUCH = "The zip archive holds too many or too large files: put the LGE series alone into an archive or a folder."


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """What a path, the disk or the memory refuse while images are read, as an :class:`InputError` of one line."""
    try:
        if not (stat.S_ISDIR(mode := path.stat().st_mode) or stat.S_ISREG(mode)):
            raise InputError("The path is neither a file nor a folder: give an image file or a folder of DICOM slices.")
        yield
    except FileNotFoundError:
        raise InputError("The LGE image was not found: check the path.") from None
    except OSError:
        raise InputError("The LGE image cannot be read: check the disk, and that you may open it.") from None
    except MemoryError:
        raise InputError("The image does not fit into memory: export the LGE short-axis stack only.") from None


@contextmanager
def intact(damaged: str) -> Iterator[None]:
    """Whatever a damaged file makes its reader stumble over, as an :class:`InputError` with the one line given.

    Readers' warnings and errors quote values, which may be a patient's name: neither is shown.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except Exception as error:  # readers raise whatever a broken element makes them stumble over
            of_the_disk = isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)  # readers raise it too
            if of_the_disk or isinstance(error, (InputError, MemoryError)):
                raise
            raise InputError(damaged) from None


def too_tight(unpacked: int, packed: int, matters: int = _RATIO_MATTERS_MEMBER_BYTES) -> bool:
    """Whether so many bytes were packed into so few as images cannot be."""
    return unpacked > matters and unpacked > _MAX_RATIO * max(packed, 1)


def sha256_of_file(*paths: Path) -> str:
    """Hash of one file's bytes, or of several files' one after the other, hexadecimal, read in pieces."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            while block := stream.read(2**20):
                digest.update(block)
    return digest.hexdigest()


def sha256_of_set(hashes: Iterable[str]) -> str:
    """One hash for several files' hashes: neither names nor order matter; one file's hash stays what it is."""
    ordered = sorted(hashes)
    return ordered[0] if len(ordered) == 1 else hashlib.sha256("".join(ordered).encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class StudyFile:
    """One file on the disk, or one member of an archive while that is open."""

    path: Path
    member: str = ""
    opened: Callable[[], IO[bytes]] | None = None  # where it is a member

    def read(self, most: int = -1) -> bytes:
        """Its first bytes, or all of them; a member gives no more than the archive's directory declares."""
        if self.opened is None:
            with self.path.open("rb") as stream:
                return stream.read(most)
        with intact(_DAMAGED), self.opened() as stream:
            return stream.read(most if most >= 0 else _MAX_MEMBER_BYTES)  # else zipfile unpacks up to 1 GB at once


class _BoundedReads(io.BufferedReader):
    """A file read by ``most`` bytes at once: zipfile reads the list of files as one, then each file as packed."""

    most = _MAX_DIRECTORY_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self.most:
            raise InputError(_TOO_MUCH)
        return super().read(size)


@contextmanager
def opened_archive(path: Path) -> Iterator[dict[str, StudyFile]]:
    """The plain files of a zip archive by name, to be read while it is open; entries that are links are left out.

    Refused by an :class:`InputError`: damaged, encrypted, too large, more tightly packed than images can be, or with
    names that lead outside.
    """
    with path.open("rb", buffering=0) as raw:
        with intact(_DAMAGED):
            bounded = _BoundedReads(raw)
            file = zipfile.ZipFile(bounded)
            bounded.most = _MAX_MEMBER_BYTES + 1
            entries = [entry for entry in file.infolist() if not entry.is_dir()]
        _check_entries(entries)
        plain = (entry for entry in entries if not stat.S_ISLNK(entry.external_attr >> 16))
        yield {entry.filename: StudyFile(path, entry.filename, partial(file.open, entry)) for entry in plain}


def looks_like_zip(start: bytes) -> bool:
    """Whether a file's first bytes are those of a zip archive."""
    return start.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"))


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    total = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    largest = max((entry.file_size for entry in entries), default=0)
    if len(entries) > _MAX_MEMBERS or largest > _MAX_MEMBER_BYTES or total > _MAX_TOTAL_BYTES:
        raise InputError(_BOMB if too_tight(total, packed, 0) else _TOO_MUCH)
    members_too_tight = any(too_tight(entry.file_size, entry.compress_size) for entry in entries)
    if members_too_tight or too_tight(total, packed, _RATIO_MATTERS_TOTAL_BYTES):
        raise InputError(_BOMB)
    for entry in entries:
        if entry.flag_bits & 0x1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # other methods can ask for gigabytes to unpack
            raise InputError("The zip archive has a password or an unusual packing: unpack it and give the folder.")
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if not path.parts or path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            raise InputError("The zip archive names files outside itself, which no export does: it was not read.")
