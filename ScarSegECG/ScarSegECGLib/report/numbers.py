"""Numbers as every report has them."""

from __future__ import annotations

import math


def finite(value: float | None) -> float | None:
    """``value`` as a plain float; None for None, NaN and infinities."""
    return float(value) if value is not None and math.isfinite(value) else None


def number(value: float | None, decimals: int, unknown: str = "") -> str:
    """``value`` with a decimal point and so many decimals; ``unknown`` where there is no finite value."""
    known = finite(value)
    return unknown if known is None else f"{round(known, decimals) + 0.0:.{decimals}f}"  # + 0.0 turns -0.0 into 0.0
