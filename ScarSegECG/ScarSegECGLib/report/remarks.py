"""What a structured report says beside its numbers, in the words of the report for people."""

from __future__ import annotations

from ScarSegECGLib.facts import Shown
from ScarSegECGLib.measure.segments import LITTLE_SCAR_ML
from ScarSegECGLib.wording import words

WALL = "LV myocardium, scar included"
LITTLE_SCAR = f"The maximum transmurality rests on less than {LITTLE_SCAR_ML:g} ml of scar."


def with_ecg(primary: str) -> str:
    """That the figures are not the primary ones."""
    return f"With the ECG (investigational); the primary figures are those of '{primary}'."


def territory(segments: str, shown: Shown) -> str:
    """Which segments a usual territory has, and of which scar its figures are."""
    return f"Usual territory, segments {segments}; scar {words(shown)}."
