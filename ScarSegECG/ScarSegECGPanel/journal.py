"""What has been corrected, on disk as it happens, so that a crash costs one stroke at most.

A journal is one file of records in a folder that only the user can read; its name is random and neither name nor
content holds a patient's name or identifier. The first record is the state from which the moves start. Each record
carries its length, its number and a checksum over itself and all before it: reading stops at the first that is not
whole or not the next. Whoever writes a journal holds a lock on it; one without is left behind.
"""

import base64
import contextlib
import json
import os
import secrets
import stat
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ScarSegECGPanel.history import Origin, Step

SUFFIX = ".scarsegecg-journal"
MAGIC = b"SSEJ3\n"
UNDO, REDO = "undo", "redo"
Move = Step | str  # a step, UNDO or REDO
_HEAD = struct.Struct("<III")
_LARGEST = 1 << 29  # bytes: no journal is read that is longer
_MOST = 50  # journals looked into, the newest first
_BINARY, _NOT_FOLLOWED = getattr(os, "O_BINARY", 0), getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class Journal:
    """One case's journal, open for appending.

    On a full disk nothing is written by half: the file ends with its last whole record, and what could not be written
    waits and is written first as soon as there is room.
    """

    def __init__(self, folder: Path, start: dict[str, Any], moves: Iterable[Move] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.path = folder / f"{secrets.token_hex(12)}{SUFFIX}"
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
        self._end, self._number, self._chain = 0, 0, 0  # of what is whole
        begun = datetime.now().isoformat(timespec="seconds")
        self._waiting = [{**start, "begun": begun}, *map(_record, moves)]
        try:
            _lock(self._descriptor)
        except OSError:
            self.close(remove=True)
            raise
        self._flush()

    def append(self, move: Move) -> bool:
        """Whether all so far is on the disk when this returns."""
        self._waiting.append(_record(move))
        return self._flush()

    @property
    def whole(self) -> bool:
        return not self._waiting

    def _flush(self) -> bool:
        """Write what waits behind what is whole; nothing of it where not all of it can be written."""
        content, number, chain = b"" if self._end else MAGIC, self._number, self._chain
        for record in self._waiting:
            text = json.dumps(record).encode()
            chain = _chained(chain, number, text)
            content += _HEAD.pack(len(text), number, chain) + text
            number += 1
        try:
            os.lseek(self._descriptor, self._end, os.SEEK_SET)
            at = 0
            while at < len(content):
                at += os.write(self._descriptor, content[at:])
            os.fsync(self._descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._end)
            return False
        self._end, self._number, self._chain, self._waiting = self._end + len(content), number, chain, []
        return True

    def close(self, *, remove: bool) -> None:
        """End it; a journal whose case was ended in the ordinary way is removed."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
        if remove:
            self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Recovered:
    """What a journal holds: the state it began with, and steps, ``UNDO`` and ``REDO`` in their order."""

    path: Path
    start: dict[str, Any]
    moves: tuple[Move, ...]

    @property
    def begun(self) -> str:
        return str(self.start.get("begun", "")).replace("T", " ")


def leftBehind(folder: Path) -> list[Recovered]:
    """Journals of processes that are gone, newest first; what is none, or of another version, is passed over."""
    with os.scandir(folder) as entries:
        named = [one for one in entries if one.name.endswith(SUFFIX) and one.is_file(follow_symlinks=False)]
        aged = [(one.stat(follow_symlinks=False).st_mtime, one.path) for one in named]
    found = (read(Path(path)) for _time, path in sorted(aged, reverse=True)[:_MOST])
    return [recovered for recovered in found if recovered and recovered.moves]


def read(path: Path) -> Recovered | None:
    """The journal as far as it is whole; None where not even its start is, or somebody still writes it."""
    try:
        start, *moves = _records(_bytes(path))
        return Recovered(path, {**start}, tuple(_move(record) for record in moves))
    except Exception:  # whatever a file may hold: one odd journal hides no good one
        return None


def _bytes(path: Path) -> bytes:
    """A regular file's bytes; none of anything else and of what is too long, OSError of what is locked."""
    descriptor = os.open(path, os.O_RDWR | _BINARY | _NOT_FOLLOWED)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
            return b""
        _lock(descriptor)
        return file.read(_LARGEST)


def _records(content: bytes) -> Iterator[dict[str, Any]]:
    at, number, chain = len(MAGIC), 0, 0
    while content.startswith(MAGIC) and at + _HEAD.size <= len(content):
        length, said, checksum = _HEAD.unpack_from(content, at)
        text = content[at + _HEAD.size : at + _HEAD.size + length]
        chain = _chained(chain, number, text)
        if len(text) < length or said != number or checksum != chain:
            return
        yield json.loads(text)
        at, number = at + _HEAD.size + length, number + 1


def _chained(chain: int, number: int, text: bytes) -> int:
    return zlib.crc32(text, zlib.crc32(struct.pack("<II", chain, number)))


def _record(move: Move) -> dict[str, Any]:
    if not isinstance(move, Step):
        return {"move": move}
    change = base64.b64encode(move.change).decode()
    return {"name": move.name, "change": change, "before": move.before.toPlain(), "after": move.after.toPlain()}


def _move(record: dict[str, Any]) -> Move:
    if "move" in record:
        return {UNDO: UNDO, REDO: REDO}[record["move"]]
    origins = (Origin.fromPlain(record[name]) for name in ("before", "after"))
    return Step(str(record["name"]), base64.b64decode(record["change"]), *origins)


def _lock(descriptor: int) -> None:
    """Hold the file until it is closed or the process is gone; OSError where another process, or journal, does."""
    if os.name == "nt":
        import msvcrt

        os.lseek(descriptor, 0x7FFFFFF0, os.SEEK_SET)  # far behind the content: Windows keeps others from reading it
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
