"""What has been corrected, on disk as it happens, so that a crash costs one stroke at most.

A journal is one file of records in a folder that only the user can read; its name is random and neither name nor
content holds a patient's name or identifier. The first record is the state from which the steps start. Each record
carries its length and a checksum: reading stops at the first one that is not whole.
"""

import base64
import json
import os
import secrets
import struct
import zlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ScarSegECGLib.facts import from_plain, to_plain
from ScarSegECGPanel.history import Step

SUFFIX = ".scarsegecg-journal"
MAGIC = b"SSEJ2\n"
_HEAD = struct.Struct("<II")
_LARGEST = 1 << 28


class Journal:
    """One case's journal, open for appending."""

    def __init__(self, folder: Path, start: dict[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.path = folder / f"{secrets.token_hex(12)}{SUFFIX}"
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        self._file = os.fdopen(descriptor, "wb")
        self._file.write(MAGIC)
        self._write({**start, "pid": os.getpid(), "begun": datetime.now().isoformat(timespec="seconds")})

    def append(self, step: Step) -> None:
        """On the disk when this returns."""
        self._write(
            {
                "name": step.name,
                "change": base64.b64encode(step.change).decode(),
                "before": to_plain(step.methodBefore),
                "after": to_plain(step.methodAfter),
                "doubtBefore": to_plain(step.doubtBefore),
                "doubtAfter": to_plain(step.doubtAfter),
            }
        )

    def _write(self, record: dict[str, Any]) -> None:
        content = json.dumps(record).encode()
        self._file.write(_HEAD.pack(len(content), zlib.crc32(content)) + content)
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self, *, remove: bool) -> None:
        """End it; a journal whose case was ended in the ordinary way is removed."""
        if not self._file.closed:
            self._file.close()
        if remove:
            self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Recovered:
    """What a journal holds."""

    path: Path
    start: dict[str, Any]
    steps: tuple[Step, ...]

    @property
    def begun(self) -> str:
        return str(self.start.get("begun", "")).replace("T", " ")


def leftBehind(folder: Path) -> list[Recovered]:
    """Journals of processes that are gone, newest first; unreadable ones are passed over."""
    found = []
    for path in sorted(folder.glob(f"*{SUFFIX}"), key=lambda p: p.stat().st_mtime, reverse=True):
        recovered = read(path)
        if recovered and recovered.steps and not _alive(int(recovered.start.get("pid", 0))):
            found.append(recovered)
    return found


def read(path: Path) -> Recovered | None:
    """The journal as far as it is whole; None where not even its start is."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if not content.startswith(MAGIC):
        return None
    records, at = [], len(MAGIC)
    while at + _HEAD.size <= len(content):
        length, checksum = _HEAD.unpack_from(content, at)
        piece = content[at + _HEAD.size : at + _HEAD.size + length]
        if length > _LARGEST or len(piece) < length or zlib.crc32(piece) != checksum:
            break
        records.append(json.loads(piece))
        at += _HEAD.size + length
    if not records:
        return None
    try:
        return Recovered(path, records[0], tuple(_step(record) for record in records[1:]))
    except (KeyError, ValueError):  # of another version
        return None


def _step(record: dict[str, Any]) -> Step:
    said = (from_plain(record[name]) for name in ("before", "after", "doubtBefore", "doubtAfter"))
    return Step(record["name"], base64.b64decode(record["change"]), *said)


def _alive(process: int) -> bool:
    """Whether that process still runs; this one counts as gone only once its journal is closed."""
    if process == os.getpid():
        return True
    if os.name == "nt":
        import ctypes

        handle = ctypes.windll.kernel32.OpenProcess(0x1000, False, process)
        if not handle:
            return False
        code = ctypes.c_ulong()
        ctypes.windll.kernel32.GetExitCodeProcess(handle, ctypes.byref(code))
        ctypes.windll.kernel32.CloseHandle(handle)
        return code.value == 259
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return process > 0
