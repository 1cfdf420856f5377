"""Cells of CSV files that no spreadsheet takes for a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def guarded(text: str) -> str:
    """Text with an apostrophe before what a spreadsheet would compute, without control characters.

    >>> guarded("=1+1"), guarded("scar")
    ("'=1+1", 'scar')
    """
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return f"'{clean}" if clean.startswith(_FORMULA) else clean


def unguarded(text: str) -> str:
    """What :func:`guarded` was given."""
    return text[1:] if text[:1] == "'" and text[1:2] in _FORMULA else text


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table with a decimal point; what is not known is an empty cell, yes and no are words."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return guarded(value) if isinstance(value, str) else str(value)
