"""What has been corrected, as steps that can be undone, and on disk as it happens: a crash costs one stroke at most.

A journal is one file of records in a folder that only the user can read; its name is random and neither name nor
content holds a patient's name or identifier. Each record is a line, JSON behind a checksum over itself and all before
it: reading stops at the first line that is not whole or not the next. The first record is the state from which the
moves start. Whoever writes a journal holds a lock on it; one without is left behind.
"""

import contextlib
import json
import os
import secrets
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from ScarSegECGLib.facts import Fact, Method
from ScarSegECGLib.facts_json import from_plain, to_plain
from ScarSegECGPanel.masks import Bits, ScarRule, inflated

SUFFIX = ".scarsegecg-journal"
MAGIC = b"SSEJ4\n"
UNDO, REDO = "undo", "redo"
_LARGEST = 1 << 29  # bytes: no journal is read that is longer
_MOST = 50  # journals looked into, the newest first
_BINARY, _NOT_FOLLOWED = getattr(os, "O_BINARY", 0), getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


@dataclass(frozen=True)
class Origin:
    """How the scar at hand came about."""

    method: Method = Method()
    doubt: tuple[Fact, ...] = ()  # why a rule's scar is not to be believed
    rule: ScarRule = ScarRule()  # chosen in the panel: what is chosen and what is shown agree also after an undo

    def toPlain(self) -> list:
        return [to_plain(self.method), to_plain(self.doubt), list(vars(self.rule).values())]

    @classmethod
    def fromPlain(cls, kept: Any) -> "Origin":
        """ValueError or TypeError where it is none."""
        method, doubt, rule = kept
        made = cls(from_plain(method), from_plain(doubt), ScarRule(*rule))
        if not isinstance(made.method, Method) or any(type(fact) is not Fact for fact in made.doubt):
            raise ValueError("no origin of a scar")
        return made


SEGMENTED = Origin()


@dataclass(frozen=True)
class Step:
    """What changed: the exclusive-or of before and after, compressed, and how the scar came about before and after."""

    name: str
    change: bytes
    before: Origin = SEGMENTED
    after: Origin = SEGMENTED

    @classmethod
    def between(cls, name: str, old: Bits, new: Bits, before: Origin = SEGMENTED, after: Origin = SEGMENTED) -> "Step":
        return cls(name, zlib.compress((old ^ new).tobytes(), 1), before, after)

    def applied(self, bits: Bits) -> Bits:
        """Forwards and backwards are the same operation; ValueError where it is a step of another image."""
        return bits ^ np.frombuffer(inflated(self.change, bits.size), np.uint8).reshape(bits.shape)


Move = Step | str  # a step, UNDO or REDO


class Journal:
    """One case's journal, open for appending.

    On a full disk nothing is written by half: the file ends with its last whole record, and what could not be written
    waits and is written first as soon as there is room.
    """

    def __init__(self, folder: Path, start: dict[str, Any], *moves: Move) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.path = folder / f"{secrets.token_hex(12)}{SUFFIX}"
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
        self._end, self._chain = 0, 0  # of what is whole
        self._waiting = [{**start, "begun": datetime.now().isoformat(timespec="seconds")}]
        try:
            _lock(self._descriptor)
        except OSError:
            self.close(remove=True)
            raise
        self.append(*moves)

    @property
    def whole(self) -> bool:
        """Whether all so far is on the disk."""
        return not self._waiting

    def append(self, *moves: Move) -> bool:
        """Write what waits and these behind what is whole, or nothing of it; whether all so far is on the disk."""
        self._waiting += map(_record, moves)
        content, chain = b"" if self._end else MAGIC, self._chain
        for record in self._waiting:
            text = json.dumps(record).encode()
            chain = zlib.crc32(text, chain)
            content += b"%08x %s\n" % (chain, text)
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
        self._end, self._chain, self._waiting = self._end + len(content), chain, []
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
        descriptor = os.open(path, os.O_RDWR | _BINARY | _NOT_FOLLOWED)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
                return None
            _lock(descriptor)
            start, *moves = _records(file.read(_LARGEST))
        return Recovered(path, {**start}, tuple(_move(record) for record in moves))
    except Exception:  # whatever a file may hold: one odd journal hides no good one
        return None


def _records(content: bytes) -> Iterator[dict[str, Any]]:
    chain, lines = 0, content.removeprefix(MAGIC).split(b"\n")[:-1] if content.startswith(MAGIC) else []
    for line in lines:
        checksum, _blank, text = line.partition(b" ")
        chain = zlib.crc32(text, chain)
        if checksum != b"%08x" % chain:
            return
        yield json.loads(text)


def _record(move: Move) -> dict[str, Any]:
    if not isinstance(move, Step):
        return {"move": move}
    return {**vars(move), "change": move.change.hex(), "before": move.before.toPlain(), "after": move.after.toPlain()}


def _move(record: dict[str, Any]) -> Move:
    if "move" in record:
        return {UNDO: UNDO, REDO: REDO}[record["move"]]
    origins = (Origin.fromPlain(record[name]) for name in ("before", "after"))
    return Step(str(record["name"]), bytes.fromhex(record["change"]), *origins)


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
