"""Numbers and sentences as every report has them: no NaN, and nothing that may name a patient."""

from __future__ import annotations

import math
import re

_FILE_ENDINGS = r"(?:nii(?:\.gz)?|nrrd|nhdr|mh[ad]|img|hdr|dcm|ima|hea|mat|dat|xml|scp|edf|ecg|json|csv|txt|zip)"
_LAST_PART = rf"(?:[^\\/\n:;'\"]*?\.{_FILE_ENDINGS}\b|[^\s\\/:;,'\"]*)"
_PATH = re.compile(
    rf"(?:file:)?(?:"
    rf"(?<![\w/.])~?/(?=[^\s/])(?:[^/\n:;'\"]+/)+{_LAST_PART}"
    rf"|\b[A-Za-z]:[\\/](?:[^\\/\n:;'\"]+[\\/])*{_LAST_PART}"
    rf"|\\\\(?:[^\\\n:;'\"]+\\)+{_LAST_PART}"
    rf"|[^\s'\"]+\.{_FILE_ENDINGS}\b"
    rf")",
    re.IGNORECASE,
)


def finite(value: float | None) -> float | None:
    """``value`` as a plain float; None for None, NaN and infinities."""
    return float(value) if value is not None and math.isfinite(value) else None


def number(value: float | None, decimals: int, unknown: str = "") -> str:
    """``value`` with a decimal point and so many decimals; ``unknown`` where there is no finite value."""
    known = finite(value)
    return unknown if known is None else f"{round(known, decimals) + 0.0:.{decimals}f}"  # + 0.0 turns -0.0 into 0.0


def without_paths(sentence: str) -> str:
    """The sentence with every path or file name replaced by "[file]": such names often hold a patient's name."""
    for _ in range(5):  # behind a name may come more of its path
        sentence, found = _PATH.subn("[file]", sentence)
        if not found:
            return sentence
    return "[file]"  # nothing but parts of names
