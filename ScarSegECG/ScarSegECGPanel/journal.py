"""What is kept of a case: a result as JSON for the scene's text node, and every step on disk as it happens.

Of a result the images themselves are not kept: they are the volume node's. Nothing kept names a patient. Arrays are
compressed and base64, and are unpacked only where they are what a case's arrays can be; what is read follows the types.

A journal, which lets a crash cost one stroke at most, is one file of records in a folder that only the user can read,
under a random name. Each record is a line, JSON behind a checksum over itself and all before it: reading stops at the
first line that is not whole or not the next. The first record is the state from which the moves start. Whoever writes a
journal holds a lock on it; one without is left behind.
"""

import base64
import contextlib
import dataclasses
import hashlib
import json
import math
import os
import secrets
import stat
import types
import typing
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import LEADS, EcgFeatures, ScarResult, Subject
from ScarSegECGLib.facts import Code, Confidence, Division, Fact, Method, PartsRule, Word
from ScarSegECGLib.facts_json import from_plain, to_plain
from ScarSegECGPanel.masks import AhaRule, Bits, ScarRule, inflated

VERSION = 5
FACTS = (Word, Code, Fact, Method, Division, PartsRule, Confidence)
LEFT_OUT = {"voxels": None, "sources": (), "subject": Subject()}  # the images are the scene's, and nobody's by name
IMAGES = ("labels", "scar_probability", "scar_probability_image_only", "cavity", "myocardium", "aha")
_TYPES = ("|b1", "|u1", "<i4", "<i8", "<f4", "<f8")
_LARGEST_OTHER = 12 * 60 * 4000  # values: twelve leads, as long as an ECG is read, at the highest rate
SUFFIX = ".scarsegecg-journal"
MAGIC = b"SSEJ5\n"
UNDO, REDO = "undo", "redo"
_LARGEST = 1 << 29  # bytes: no journal is read that is longer
_MOST = 50  # journals looked into, the newest first
_BINARY, _NOT_FOLLOWED = getattr(os, "O_BINARY", 0), getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def toDict(result: ScarResult) -> dict[str, Any]:
    """Everything but the images."""
    return {"version": VERSION, "image": _digest(result.stack.voxels), "result": plain(result)}


def fromDict(saved: dict[str, Any], storedVoxels: NDArray) -> ScarResult:
    """The result, of the volume node's voxels in the file's own order.

    ValueError for another version, another image than the one that was segmented, and what is no result.
    """
    if not isinstance(saved, dict) or saved.get("version") != VERSION:
        raise ValueError("saved by another version")
    try:
        result: ScarResult = made(ScarResult, saved["result"], np.size(storedVoxels))
        voxels = result.stack.storage.to_canonical(np.asarray(storedVoxels, np.float32))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("not a result as it is saved") from error
    if _digest(voxels) != saved.get("image"):
        raise ValueError("the images are not the ones that were segmented")
    for owner in (result, result.anatomy, result.parts):
        if any(getattr(owner, name, voxels).shape != voxels.shape for name in IMAGES):
            raise ValueError("masks of another shape than the images")
    return dataclasses.replace(result, stack=dataclasses.replace(result.stack, voxels=voxels))


def _digest(voxels: NDArray) -> str:
    return hashlib.sha256(np.ascontiguousarray(voxels, np.float32).tobytes()).hexdigest()


def plain(value: Any) -> Any:
    """Dataclasses, facts, arrays, dates and bytes as what JSON holds."""
    if isinstance(value, FACTS):
        return to_plain(value)
    if isinstance(value, np.ndarray):
        return packed(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return value.isoformat()
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value) if field.name not in LEFT_OUT]
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, (tuple, list)):
        return [plain(held) for held in value]
    return value.item() if isinstance(value, np.generic) else value


def made(kind: Any, saved: Any, image: int = 0) -> Any:
    """A value of that type from what :func:`plain` made of it; ValueError, KeyError or TypeError where it is none.

    ``image`` is how many values an array of the images has.
    """
    origin, of = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        (other,) = (one for one in of if one is not type(None))
        return None if saved is None else made(other, saved, image)
    if origin is np.ndarray:
        return unpacked(saved, image).astype(typing.get_args(of[1])[0], copy=False)
    if origin is tuple:
        kinds = of[:1] * len(saved) if of[1:] == (...,) else of
        return tuple(made(one, held, image) for one, held in zip(kinds, saved, strict=True))
    if origin is dict:
        return {str(name): made(of[1], held, image) for name, held in saved.items()}
    if issubclass(kind, FACTS):
        value = from_plain(saved)
    elif dataclasses.is_dataclass(kind):
        value = _dataclass(kind, saved, image)
    elif kind is bytes:
        value = base64.b64decode(saved)
    elif kind is datetime:
        value = datetime.fromisoformat(saved)
    else:
        value = float(saved) if kind is float and type(saved) is int else saved
    if not isinstance(value, kind):
        raise ValueError(f"{value!r} is no {kind.__name__}")
    return value


def _dataclass(kind: Any, saved: dict[str, Any], image: int) -> Any:
    hints = typing.get_type_hints(kind)
    if set(saved) != set(hints) - set(LEFT_OUT):
        raise ValueError(f"not a {kind.__name__} of this version")
    left_out = {name: LEFT_OUT[name] for name in set(hints) & set(LEFT_OUT)}
    value = kind(**{name: made(hints[name], held, image) for name, held in saved.items()}, **left_out)
    waves = [held for held in vars(value).values() if isinstance(held, np.ndarray)]
    if kind is EcgFeatures and any(wave.shape != (len(LEADS),) for wave in waves):
        raise ValueError("the ECG's waves are not those of 12 leads")
    return value


def packed(array: NDArray) -> list:
    """Type, shape and compressed values for JSON."""
    return [array.dtype.str, list(array.shape), base64.b64encode(zlib.compress(array.tobytes())).decode()]


def unpacked(saved: list, image: int) -> NDArray:
    """The array, of as many values as the images have or of no more than an ECG.

    ValueError for any other, and for what is no array of numbers; nothing larger was unpacked then.
    """
    try:
        name, shape, values = saved
        size = math.prod(map(int, shape))
        if name not in _TYPES or not (size == image or 0 <= size <= _LARGEST_OTHER):
            raise ValueError("an array of another type or shape")
        content = inflated(base64.b64decode(values), size * np.dtype(name).itemsize)
        return np.frombuffer(content, name).reshape(shape).copy()
    except (TypeError, OverflowError) as error:
        raise ValueError("no array") from error


# The history of a case, and its journal


@dataclass(frozen=True)
class Origin:
    """How the scar at hand came about."""

    method: Method = Method()
    doubt: tuple[Fact, ...] = ()  # why a rule's scar is not to be believed
    rule: ScarRule = ScarRule()  # chosen in the panel: what is chosen and what is shown agree also after an undo


@dataclass(frozen=True)
class Step:
    """What was done, and the case after it: the masks, compressed, and how the scar came about."""

    name: str
    packed: bytes
    origin: Origin = Origin()

    @classmethod
    def to(cls, name: str, bits: Bits, origin: Origin = Origin()) -> "Step":
        return cls(name, zlib.compress(bits.tobytes(), 1), origin)

    def bits(self, shape: tuple[int, ...]) -> Bits:
        """ValueError where it is a step of another image."""
        return np.frombuffer(inflated(self.packed, math.prod(shape)), np.uint8).reshape(shape)


Move = Step | AhaRule | str  # a step, another division of the wall, UNDO or REDO


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
        self._waiting: list[Any] = [{**start, "begun": datetime.now().isoformat(timespec="seconds")}]
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
        self._waiting += moves
        content, chain = (b"" if self._end else MAGIC), self._chain
        for record in self._waiting:
            text = json.dumps(plain(record)).encode()
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
        os.close(self._descriptor)
        if remove:
            self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Recovered:
    """What a journal holds: the state it began with, and what was done since, in its order."""

    path: Path
    start: dict[str, Any]
    moves: tuple[Move, ...]

    @property
    def begun(self) -> str:
        return str(self.start.get("begun", "")).replace("T", " ")


def leftBehind(folder: Path) -> list[Recovered]:
    """Journals of processes that are gone, newest first; what is none, or of another version, is passed over."""
    paths = [path for path in folder.glob(f"*{SUFFIX}") if path.is_file() and not path.is_symlink()]
    found = map(read, sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)[:_MOST])
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
        kept = (one if one in (UNDO, REDO) else made(AhaRule if "division" in one else Step, one) for one in moves)
        return Recovered(path, {**start}, tuple(kept))
    except Exception:  # whatever a file may hold: one odd journal hides no good one
        return None


def _records(content: bytes) -> Iterator[Any]:
    chain = 0
    for line in content.removeprefix(MAGIC).split(b"\n")[:-1] if content.startswith(MAGIC) else []:
        checksum, _blank, text = line.partition(b" ")
        chain = zlib.crc32(text, chain)
        if checksum != b"%08x" % chain:
            return
        yield json.loads(text)


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
