"""The journal of corrections on full disks, beside running processes, and among files that are none."""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from ScarSegECGPanel import journal
from ScarSegECGPanel.journal import REDO, UNDO, Journal, Step, leftBehind, plain, read

SHAPE = (3, 4, 5)
START = {"what": "start", "now": {}}


def strokes(count: int) -> list[Step]:
    bits = [np.zeros(SHAPE, np.uint8)]
    for value in range(1, count + 1):
        bits.append(bits[-1].copy())
        bits[-1].flat[value * 7 % 60] ^= value % 7 + 1
    return [Step.to(f"stroke {n}", bits[n]) for n in range(1, count + 1)]


def names(path: Path) -> list[str]:
    recovered = read(path)
    assert recovered is not None
    return [move.name if isinstance(move, Step) else move for move in recovered.moves]


def written(folder: Path, count: int = 5) -> Path:
    made = Journal(folder, START)
    for step in strokes(count):
        assert made.append(step)
    made.close(remove=False)
    return made.path


def test_moves_come_back_in_their_order(tmp_path: Path) -> None:
    made = Journal(tmp_path / "private", START)
    for move in (*strokes(2), UNDO, REDO):
        made.append(move)
    made.close(remove=False)
    assert names(made.path) == ["stroke 1", "stroke 2", "undo", "redo"]
    assert made.path.stat().st_mode & 0o077 == 0 or os.name == "nt"
    assert made.path.parent.stat().st_mode & 0o077 == 0 or os.name == "nt"


def test_it_ends_where_it_was_cut(tmp_path: Path) -> None:
    path = written(tmp_path)
    content = path.read_bytes()
    for cut in range(len(content)):
        path.write_bytes(content[:cut])
        recovered = read(path)
        told = [] if recovered is None else [move.name for move in recovered.moves]
        assert told == [f"stroke {n}" for n in range(1, len(told) + 1)] and len(told) < 5


def test_records_are_numbered_and_chained(tmp_path: Path) -> None:
    """One that is left out, doubled or out of place ends the reading: nothing is put together that never was."""
    path = written(tmp_path)
    magic, *records = path.read_bytes().splitlines(keepends=True)
    assert magic == journal.MAGIC
    assert len(records) == 6
    for order in ([0, 1, 3, 4, 5], [0, 1, 1, 2, 3], [0, 2, 1, 3, 4], [0, 1, 5]):
        path.write_bytes(journal.MAGIC + b"".join(records[k] for k in order))
        assert names(path) == (["stroke 1"] if order[1] == 1 else [])


class Disk:
    """os.write and os.fsync on a disk with so many bytes left."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left, self._write = 1 << 30, os.write
        monkeypatch.setattr(journal.os, "write", self.write)

    def write(self, descriptor: int, content: bytes) -> int:
        fits = content[: self.left]
        if not fits:
            raise OSError(28, "No space left on device")
        self.left -= len(fits)
        return self._write(descriptor, fits)


def test_a_full_disk_loses_no_stroke_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be written waits, and is written first; the file ends with a whole record at every moment."""
    disk = Disk(monkeypatch)
    made, steps = Journal(tmp_path, START), strokes(12)
    for number, step in enumerate(steps, 1):
        if number == 5:
            disk.left = 50  # in the middle of the fifth record
        if number == 9:
            disk.left = 1 << 30
        assert made.append(step) == (not 5 <= number < 9) == made.whole
        copy = tmp_path / "copy.bin"
        copy.write_bytes(made.path.read_bytes())
        assert names(copy) == [f"stroke {n}" for n in range(1, 5 if 5 <= number < 9 else number + 1)]
    made.close(remove=False)
    assert names(made.path) == [f"stroke {n}" for n in range(1, 13)]


def test_a_disk_that_is_full_from_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)
    disk.left = 10
    made = Journal(tmp_path, START)
    assert not made.whole and not made.append(strokes(1)[0])
    assert read(made.path) is None
    disk.left = 1 << 30
    assert made.append(strokes(2)[1])
    made.close(remove=False)
    assert names(made.path) == ["stroke 1", "stroke 2"]


def test_a_journal_in_use_is_not_left_behind(tmp_path: Path) -> None:
    """By a lock, not by a process number, which the next process may have."""
    made = Journal(tmp_path, START)
    made.append(strokes(1)[0])
    assert leftBehind(tmp_path) == [] and read(made.path) is None
    code = (
        "import sys, pathlib; from ScarSegECGPanel.journal import leftBehind; "
        "print(len(leftBehind(pathlib.Path(sys.argv[1]))))"
    )
    other = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == "0"
    made.close(remove=False)
    assert len(leftBehind(tmp_path)) == 1
    made.path.unlink()
    Journal(tmp_path, START).close(remove=True)
    assert list(tmp_path.iterdir()) == []


def line(text: bytes, chain: int = 0) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(text, chain), text)


def odd_contents() -> dict[str, bytes]:
    good, after = line(json.dumps(START).encode()), zlib.crc32(json.dumps(START).encode())
    step = plain(strokes(1)[0])
    moves = [
        {}, [], None, 7, "text", "undid", ["undo"], {"name": "x"}, step | {"name": 3}, step | {"packed": 5},
        step | {"packed": "a"}, step | {"origin": [1, 2, 3]}, step | {"origin": None}, step | {"more": 1},
        step | {"origin": step["origin"] | {"method": {"word": "Grade", "is": "good"}}},
    ]  # fmt: skip
    odd = {
        "empty": b"", "magic alone": journal.MAGIC, "another": b"SSEJ1\n" + good, "nonsense": b"nonsense" * 100,
        "no json": journal.MAGIC + line(b"{"), "deep": journal.MAGIC + line(b"[" * 100_000),
        "not utf-8": journal.MAGIC + line(b'"\xff"'), "start is a list": journal.MAGIC + line(b"[1]"),
        "no text": journal.MAGIC + b"00000000 \n" * 3, "no checksum": journal.MAGIC + b"\n\n",
    }  # fmt: skip
    for at, move in enumerate(moves):
        odd[f"move {at}"] = journal.MAGIC + good + line(json.dumps(move).encode(), after)
    return odd


def test_odd_files_hide_no_good_one(tmp_path: Path) -> None:
    path = written(tmp_path)
    for name, content in odd_contents().items():
        (tmp_path / f"{name}{journal.SUFFIX}").write_bytes(content)
    for name, start in {
        "list": b"[1]",
        "pairs": b'["ab"]',
        "number": b"7",
        "text": b'"text"',
        "nothing": b"null",
    }.items():
        step = json.dumps("undo").encode()
        content = journal.MAGIC + line(start) + line(step, zlib.crc32(start))
        (tmp_path / f"start is {name}{journal.SUFFIX}").write_bytes(content)
    (tmp_path / f"folder{journal.SUFFIX}").mkdir()
    (tmp_path / f"gone{journal.SUFFIX}").symlink_to(tmp_path / "nowhere")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / f"pipe{journal.SUFFIX}")  # opening one waits for ever
    found = leftBehind(tmp_path)
    assert path in [recovered.path for recovered in found]
    assert [recovered.path.name for recovered in found if recovered.path != path] == []


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    path = written(tmp_path / "elsewhere")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / f"link{journal.SUFFIX}").symlink_to(path)
    assert leftBehind(tmp_path / "here") == []


def test_what_is_too_long_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path)
    monkeypatch.setattr(journal, "_LARGEST", path.stat().st_size - 1)
    assert read(path) is None


def test_damaged_journals_are_read_as_far_as_they_hold(tmp_path: Path) -> None:
    """A thousand with bytes changed, cut out and put in: each gives the beginning of the true one, or nothing."""
    path = written(tmp_path, 8)
    content, chance = path.read_bytes(), random.Random(7)
    for _repeat in range(1000):
        damaged = bytearray(content)
        for _change in range(chance.randint(1, 4)):
            at = chance.randrange(len(damaged))
            kind = chance.randrange(3)
            if kind == 0:
                damaged[at] = chance.randrange(256)
            elif kind == 1:
                del damaged[at : at + chance.randrange(40)]
            else:
                damaged[at:at] = chance.randbytes(chance.randrange(40))
        path.write_bytes(bytes(damaged))
        with contextlib.suppress(AssertionError):
            told = names(path)
            assert told == [f"stroke {n}" for n in range(1, len(told) + 1)], damaged
