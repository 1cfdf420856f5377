"""How much scar the ECG's estimate imagines in people without any: the limit above which it says something.

The estimate was learned from simulated scars, and sees scar in ECGs of healthy people, in the inferior and septal wall
far more than elsewhere. The limits stand in a small table beside the weights, which says which real ECGs they come
from; ``Research/ecg_limits.py`` makes it. They belong to the encoder whose digest the table names.
"""

from __future__ import annotations

import json
from pathlib import Path

TABLE = Path(__file__).parent.parent / "weights" / "ecg_limits.json"
NORMAL_LIMIT_PERCENT: tuple[float, ...] = tuple(json.loads(TABLE.read_text(encoding="utf-8"))["limit_percent"])
"""Of each AHA segment 1..17, %: an estimate up to this is found in people without an infarct."""


def excess(number: int, percent: float | None) -> float | None:
    """How far the estimate of segment ``number`` (1..17) is above its normal limit, percentage points; 0 within it."""
    return None if percent is None else max(0.0, percent - NORMAL_LIMIT_PERCENT[number - 1])
