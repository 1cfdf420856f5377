"""Odd contents of the panel's journals for ``run_fuzz.py``.

One broken journal, or something that is none, lies beside a good one: the good one is found whatever the other holds,
and of a broken one no more is read than a beginning of what was drawn. Only a journal whose records are chained anew,
as no damage does it, may hold other moves; an image takes these or says that they are of another.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import sys
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
for _folder in (HERE, HERE.parent.parent / "ScarSegECG"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

from dicom_mutations import cut_out, flip_bits, noise, splice, truncate  # noqa: E402

from ScarSegECGPanel import journal  # noqa: E402
from ScarSegECGPanel.journal import UNDO, Journal, Step, leftBehind  # noqa: E402

SHAPE = (2, 8, 8)
START = {"case": "made up", "shape": list(SHAPE), "method": None}
BYTE_CHANGES = (flip_bits, truncate, splice, cut_out, noise)
_VALUES = (
    None,
    True,
    -1,
    10**30,
    float("inf"),
    "",
    "x" * 100_000,
    "\x1b[2J",
    [],
    {},
    [[]],
    "jump",
    {"name": 3},
)


def _moves() -> list[journal.Move]:
    rng = np.random.default_rng(1)
    masks = rng.integers(0, 16, (5, *SHAPE), dtype=np.uint8)
    steps = [Step.to(f"stroke {k}", masks[k + 1]) for k in range(4)]
    return [*steps[:3], UNDO, steps[3]]


def _write(folder: Path) -> Path:
    made = Journal(folder, START, *_moves())
    made.close(remove=False)
    return made.path


def _records(content: bytes) -> list[bytes]:
    return [line.partition(b" ")[2] for line in content.splitlines()[1:]]


def _chained(records: list[bytes]) -> bytes:
    """A journal of these records that is whole."""
    content, chain = journal.MAGIC, 0
    for record in records:
        chain = zlib.crc32(record, chain)
        content += b"%08x %s\n" % (chain, record)
    return content


def _another_value(rng: random.Random, value: object) -> object:
    """One value somewhere in a record becomes another."""
    if rng.random() < 0.3 or not isinstance(value, dict | list) or not value:
        return rng.choice(_VALUES)
    if isinstance(value, dict):
        name = rng.choice(sorted(value))
        if rng.random() < 0.2:
            return {key: kept for key, kept in value.items() if key != name}
        return value | {name: _another_value(rng, value[name])}
    at = rng.randrange(len(value))
    return [*value[:at], _another_value(rng, value[at]), *value[at + 1 :]]


def _found(folder: Path, good: Path) -> list[journal.Recovered]:
    found = leftBehind(folder)
    assert [entry.path for entry in found if entry.path == good] == [good], "the good journal is hidden"
    return [entry for entry in found if entry.path != good]


def bytes_case(seed: str, folder: Path) -> object:
    """Damage of a disk or of a copy."""
    rng = random.Random(seed)
    good, odd = _write(folder), _write(folder)
    records = _records(odd.read_bytes())
    content = odd.read_bytes()
    what = rng.randrange(4)
    if what == 0:
        rng.shuffle(records)
        content = journal.MAGIC + b"".join(b"%08x %s\n" % (rng.randrange(2**32), record) for record in records)
    elif what == 1:
        content += rng.choice((content[len(journal.MAGIC) :], bytes(1000), rng.randbytes(100)))
    else:
        content = rng.choice(BYTE_CHANGES)(rng, content)
    odd.write_bytes(content)
    for entry in _found(folder, good):
        moves = _moves()
        assert list(entry.moves) == moves[: len(entry.moves)], "moves that were never made"
    return None


def records_case(seed: str, folder: Path) -> object:
    """Records of another version, or of somebody who means harm."""
    rng = random.Random(seed)
    good, odd = _write(folder), _write(folder)
    records = [json.loads(record) for record in _records(odd.read_bytes())]
    for _ in range(rng.choice((1, 1, 3))):
        at = rng.randrange(len(records))
        records[at] = _another_value(rng, records[at])
    texts = [json.dumps(record).encode() for record in records]
    if rng.random() < 0.2:
        texts[rng.randrange(len(texts))] = rng.choice((b"", b"{", b"[" * 100_000, b"\xff", b"1" * 5000, b"NaN"))
    odd.write_bytes(_chained(texts))
    for entry in _found(folder, good):
        mask = np.zeros(SHAPE, np.uint8)
        for move in entry.moves:
            if isinstance(move, Step):
                with contextlib.suppress(ValueError):
                    mask = move.bits(SHAPE)
        assert mask.shape == SHAPE and isinstance(entry.begun, str)
    return None


def kind_case(seed: str, folder: Path) -> object:
    """Things of a journal's name that are none."""
    rng = random.Random(seed)
    good = _write(folder)
    odd = folder / f"odd{journal.SUFFIX}"
    what = rng.randrange(5)
    if what == 0:
        os.mkfifo(odd)
    elif what == 1:
        odd.mkdir()
    elif what == 2:
        odd.symlink_to(rng.choice((good, Path("/dev/zero"), folder, folder / "nowhere")))
    elif what == 3:
        with odd.open("wb") as file:
            file.write(journal.MAGIC)
            file.truncate(2**40)  # sparse
    else:
        odd.write_bytes(rng.choice((b"", journal.MAGIC, journal.MAGIC[:3], rng.randbytes(300))))
        odd.chmod(rng.choice((0o000, 0o600)))
    _found(folder, good)
    return None


def cases(seed: int, count: int) -> Iterator[tuple[str, Callable[[Path], object]]]:
    """``count`` folders of journals, the same for the same seed."""
    kinds = {"bytes": bytes_case, "records": records_case, "kind": kind_case}
    for number in range(count):
        name = list(kinds)[number % len(kinds)]
        yield f"journal-{name}-{seed}-{number}", partial(kinds[name], f"{name}-{seed}-{number}")
