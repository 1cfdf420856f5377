"""Read members of a zip archive into memory, within bounds; nothing is ever unpacked to the disk."""

from __future__ import annotations

import gzip
import stat
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from ScarSegECGLib.errors import InputError

_MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_MAX_MEMBERS = 20000
_MAX_MEMBER_BYTES = 384 * 2**20
_MAX_TOTAL_BYTES = 16 * 2**30
# Deflate reaches 1032:1 on zeros; MR images 2:1 to 5:1. Small files may be as empty as they like.
_MAX_RATIO = 200
_RATIO_MATTERS_MEMBER_BYTES = 64 * 2**20
_RATIO_MATTERS_TOTAL_BYTES = 512 * 2**20
_MAX_DIRECTORY_BYTES = 512 * _MAX_MEMBERS
_END = struct.Struct("<4s4H2LH")  # end of central directory
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})  # others can ask for gigabytes to unpack

_DAMAGED = "The zip archive is cut off or damaged: copy or export it again."
_BOMB = "The zip archive would unpack to far more than images do: it was not read. Unpack it yourself if you trust it."
_TOO_MUCH = "The zip archive holds too many or too large files: put the LGE series alone into an archive or a folder."


@contextmanager
def intact(damaged: str) -> Iterator[None]:
    """Whatever a damaged file makes its reader stumble over, as the one line given."""
    try:
        yield
    except Exception as error:  # readers raise whatever a broken element makes them stumble over
        ours = isinstance(error, (InputError, OSError, MemoryError))
        if ours and not isinstance(error, gzip.BadGzipFile):
            raise
        raise InputError(damaged) from None


def too_tight(unpacked: int, packed: int, matters: int = _RATIO_MATTERS_MEMBER_BYTES) -> bool:
    """Whether so many bytes were packed into so few as images cannot be."""
    return unpacked > matters and unpacked > _MAX_RATIO * max(packed, 1)


class ZipArchive:
    """An opened zip archive that gives its plain files as bytes; entries that are links are left out.

    Refused by an :class:`InputError`: damaged, encrypted, too large, more tightly packed than images can be, or with
    names that lead outside.
    """

    def __init__(self, path: Path) -> None:
        _check_directory_size(path)
        with intact(_DAMAGED):
            self._zip = zipfile.ZipFile(path)
            try:
                entries = [entry for entry in self._zip.infolist() if not entry.is_dir()]
                _check_entries(entries)
            except Exception:
                self._zip.close()
                raise
        plain = (entry for entry in entries if not stat.S_ISLNK(entry.external_attr >> 16))
        self._entries = {entry.filename: entry for entry in plain}

    def __enter__(self) -> ZipArchive:
        return self

    def __exit__(self, *_error: object) -> None:
        self._zip.close()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the plain files, sorted."""
        return tuple(sorted(self._entries))

    def start(self, name: str, count: int) -> bytes:
        """First ``count`` bytes of a file; :class:`InputError` as for :meth:`read`."""
        if name not in self._entries:
            raise InputError("A file is gone from the zip archive since it was read: give the archive again.")
        with intact(_DAMAGED), self._zip.open(self._entries[name]) as stream:
            return stream.read(count)

    def read(self, name: str) -> bytes:
        """The whole file, never more than the archive's directory declares.

        Damaged (also by its checksum) or gone, it is refused by an :class:`InputError`.
        """
        data = self.start(name, _MAX_MEMBER_BYTES + 1)
        if len(data) != self._entries[name].file_size:
            raise InputError(_DAMAGED)
        return data


def looks_like_zip(start: bytes) -> bool:
    """Whether a file's first bytes are those of a zip archive."""
    return start.startswith(_MAGIC)


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    total = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    largest = max((entry.file_size for entry in entries), default=0)
    if len(entries) > _MAX_MEMBERS or largest > _MAX_MEMBER_BYTES or total > _MAX_TOTAL_BYTES:
        raise InputError(_BOMB if too_tight(total, packed, 0) else _TOO_MUCH)
    if too_tight(total, packed, _RATIO_MATTERS_TOTAL_BYTES):
        raise InputError(_BOMB)
    if any(too_tight(entry.file_size, entry.compress_size) for entry in entries):
        raise InputError(_BOMB)
    for entry in entries:
        if entry.flag_bits & 0x1:
            raise InputError("The zip archive is protected by a password: unpack it first and give the folder.")
        if entry.compress_type not in _METHODS:
            raise InputError("The zip archive is packed in an unusual way: unpack it first and give the folder.")
        if _leads_outside(entry.filename):
            raise InputError("The zip archive names files outside itself, which no export does: it was not read.")


def _leads_outside(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return not path.parts or path.is_absolute() or ".." in path.parts or ":" in path.parts[0]


def _check_directory_size(path: Path) -> None:
    """Refuse a list of files so long that reading the list alone would fill the memory."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(max(0, size - 2**16 - _END.size))
        tail = stream.read()
        at = tail.rfind(b"PK\x05\x06")
        if at < 0 or len(tail) - at < _END.size:
            raise InputError(_DAMAGED)
        directory_bytes = _END.unpack_from(tail, at)[5]
        locator = at - _LOCATOR_64.size
        if locator >= 0 and tail[locator : locator + 4] == b"PK\x06\x07":
            stream.seek(min(_LOCATOR_64.unpack_from(tail, locator)[2], size))
            end = stream.read(_END_64.size)
            if len(end) < _END_64.size:
                raise InputError(_DAMAGED)
            directory_bytes = _END_64.unpack(end)[8]
    if directory_bytes > _MAX_DIRECTORY_BYTES:
        raise InputError(_TOO_MUCH)
