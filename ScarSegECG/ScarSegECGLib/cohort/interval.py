"""The interval beside a scar's volume: what the cross-validation's errors of these weights allow."""

from __future__ import annotations

import csv
import math
from functools import cache

from ScarSegECGLib.case import Interval, ScarResult
from ScarSegECGLib.network.weights import FOLDER, SHIPPED_SHA256

LEVEL = 0.8


def interval_of(result: ScarResult) -> Interval | None:
    """The result's own interval; else the split-conformal one of its image-only scar, by the absolute errors on
    patients never seen; ``None`` for a rule, and for weights whose cross-validation is not shipped.
    """
    if result.interval is not None or not result.method.by_network:
        return result.interval
    errors = _errors_ml() if result.weights_sha256 == SHIPPED_SHA256 else ()
    rank = math.ceil((len(errors) + 1) * LEVEL)
    if not 0 < rank <= len(errors):
        return None
    half, found = errors[rank - 1], result.scar_image_only.ml
    ml = (max(0.0, found - half), found + half)
    share = 100 / result.myocardium_ml
    return Interval(ml, (share * ml[0], share * ml[1]), LEVEL)


@cache
def _errors_ml() -> tuple[float, ...]:
    text = (FOLDER / "cross_validation.csv").read_text(encoding="utf-8")
    return tuple(sorted(abs(float(row["scar_volume_error_ml"])) for row in csv.DictReader(text.splitlines())))
