"""Read an ECG as a table of numbers that states its own rate and unit; nothing is guessed.

Lines ``# rate_hz: 500``, ``# unit: mV`` and, perhaps, ``# date: 2024-03-01T10:15`` stand before the names of the leads;
or the same as ``{"rate_hz": 500, "unit": "mV"}`` in a file beside it, of the same name and ending in .json.
"""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np

from ScarSegECGLib.ecg.gap import parse_date
from ScarSegECGLib.ecg.leads import LONGEST_LABEL, Channel, check_rate, lead_name
from ScarSegECGLib.ecg.recording import LONGEST_S, MILLIVOLTS, Part, Recording
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.files import intact

LARGEST_SIDECAR = 100_000
MOST_COLUMNS = 64
HOW = "begin the file with lines '# rate_hz: 500' and '# unit: mV' (or uV)"
_STATED = re.compile(r"#\s*(rate_hz|unit|date)\s*[:=]\s*(\S.*)", re.IGNORECASE)
_OWN_UNIT = re.compile(r"[\[(/]\s*([mµμun]?v)\s*[\])]?\s*$", re.IGNORECASE)
_TIME = re.compile(r"(time|t)[\s\[(_]*(ms|s|sec|seconds)?\s*[\])]?", re.IGNORECASE)


def looks_like_table(start: bytes) -> bool:
    """Whether a file's first bytes are text whose first line, after any remarks, names or separates columns."""
    try:
        text = start.decode("utf-8-sig", errors="strict" if len(start) < 4096 else "ignore")
    except UnicodeDecodeError:
        return False
    return "\0" not in text and _names_row(text.splitlines())[1] != ""


def read_csv(path: Path) -> Recording:
    """Read a table with one column per lead; a column of times is only compared with the stated rate.

    Columns are separated by commas, semicolons (then a comma may be the decimal point) or tabs. InputError without
    rate, unit or lead names, for a cell that is no number, and for times that contradict the rate.
    """
    try:
        lines = path.read_bytes().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError("The ECG file is no plain text (UTF-8): save the table again.") from None
    first, delimiter = _names_row(lines)
    names = [name.strip().strip('"') for name in lines[first].split(delimiter)] if delimiter else []
    if len(names) > MOST_COLUMNS:
        raise InputError(f"The ECG file has {len(names)} columns: this is no 12-lead ECG.")
    if all(lead_name(name) is None for name in names):
        raise InputError("The ECG file has no row of lead names: name the columns I, II, V1 and so on.")
    found = (_STATED.fullmatch(line.strip().rstrip(",;\t")) for line in lines[:first])
    stated = _sidecar(path) | {match[1].lower(): match[2].strip() for match in found if match}
    try:
        rate = float(stated["rate_hz"].lower().removesuffix("hz"))
    except (KeyError, ValueError):
        raise InputError(f"The ECG file does not state its sampling rate as a number: {HOW}.") from None
    check_rate(rate)
    rows = [line for line in lines[first + 1 :] if line.strip()][: round(LONGEST_S * rate) + 1]
    values = _numbers(rows, delimiter, len(names))
    _check_times(names, values, rate)
    channels = (
        Channel(name, column * _scale(name, stated) if lead_name(name) else column)
        for name, column in zip(names, values.T, strict=True)
    )
    try:
        acquired = parse_date(stated["date"]) if "date" in stated else None
    except InputError:
        raise InputError("The table's date is not understood: write YYYY-MM-DD or leave it out.") from None
    return Recording([Part(tuple(channels), rate)], "CSV table", acquired)


def _names_row(lines: list[str]) -> tuple[int, str]:
    """Where the first line stands that is no remark, and which of tab, semicolon and comma it holds most, or ""."""
    for row, line in enumerate(lines):
        if line.strip() and not line.lstrip().startswith("#"):
            best = max("\t;,", key=line.count)
            return row, best if best in line else ""
    return len(lines), ""


def _sidecar(path: Path) -> dict[str, str]:
    beside = path.with_suffix(".json")
    if beside == path or not beside.is_file() or beside.stat().st_size > LARGEST_SIDECAR:
        return {}
    with intact("The .json file beside the table must hold rate_hz and unit as JSON: correct or remove it."):
        stated = json.loads(beside.read_text(encoding="utf-8"))
        return {key: str(stated[key]) for key in ("rate_hz", "unit", "date") if stated.get(key) is not None}


def _scale(name: str, stated: dict[str, str]) -> float:
    """What makes mV of a column: its own unit ("I [mV]") or the table's, which must agree."""
    own = _OWN_UNIT.search(name)
    units = {text.strip().lower() for text in (own and own[1], stated.get("unit")) if text}
    if not units or not units <= MILLIVOLTS.keys():
        raise InputError(f"The ECG file does not state its unit, or one that is not a voltage: {HOW}.")
    scale, *others = {MILLIVOLTS[unit] for unit in units}
    if others:
        raise InputError("The ECG file states one unit for the table and another in the columns' names: correct one.")
    return scale


def _numbers(rows: list[str], delimiter: str, columns: int) -> np.ndarray:
    """The cells as float64, shape (rows, columns); an empty cell is NaN."""
    if not rows:
        raise InputError("The ECG file has no rows of numbers: export the ECG with its signals.")

    def cell(written: str) -> float:
        return float(written) if written.strip() else np.nan

    text = "\n".join(rows)
    if delimiter == ";" or (delimiter == "\t" and "." not in text):
        text = text.replace(",", ".")
    try:
        values = np.loadtxt(io.StringIO(text), delimiter=delimiter, ndmin=2, comments=None, converters=cell)
    except ValueError:
        raise InputError("The ECG file holds a cell that is no number, or rows of unequal length.") from None
    if values.shape[1] != columns:
        raise InputError(f"The ECG file has rows of {values.shape[1]} cells under {columns} names: export it again.")
    return values


def _check_times(names: list[str], values: np.ndarray, rate: float) -> None:
    """Raise InputError where a column of times says another rate; without a unit in its name it is seconds."""
    for k, name in enumerate(names):
        match = _TIME.fullmatch(name.strip()) if len(name) <= LONGEST_LABEL else None
        if match is None or len(values) < 3:
            continue
        step = float(np.median(np.diff(values[:, k]))) / (1000 if (match[2] or "s").lower() == "ms" else 1)
        if not np.isfinite(step) or abs(step * rate - 1) > 0.02:
            raise InputError(f"The times in the ECG file contradict the stated {rate:g} Hz: correct one of them.")
