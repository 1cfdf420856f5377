"""How the wall is to be divided into AHA segments: the same options for ``segment`` and ``measure``."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.cli.measure_inputs import numbers
from ScarSegECGLib.errors import InputError

INSERTION_COLUMNS = ("slice", "anterior", "inferior")


def add_division(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Declare --aha, --segments and --insertions, in a group that may be given more options."""
    wall = parser.add_argument_group("the AHA segments")
    wall.add_argument("--aha", choices=("fixed", "landmark"), default="fixed", help="how sectors are placed")
    wall.add_argument("--segments", type=int, choices=(16, 17), default=17, help="with or without the apex")
    wall.add_argument(
        "--insertions",
        metavar="DEG,DEG|CSV",
        help="anterior and inferior RV insertion, degrees counter-clockwise from the image right, such as 120,240; or "
        "a .csv file with the columns slice,anterior,inferior (1 is the apex; slices without a line are found); "
        "default: found in the image",
    )
    return wall


def insertions_of(text: str, slices: int) -> NDArray[np.float64]:
    """RV insertions as a pair of angles for the stack, or from a CSV file per slice; NaN for what it does not say.

    Returns
    -------
    float64 array, shape (2,) or (slice, 2)
        Anterior and inferior, degrees in the bullseye's frame.

    Raises
    ------
    InputError
        Neither; or a file without the columns, with slices that the stack does not have, or that stand twice.
    """
    path = Path(text)
    if path.suffix.lower() != ".csv":
        return numbers(text, "--insertions", 2)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise InputError("--insertions: the CSV file cannot be read; check its path, and that it is UTF-8") from None
    separator = ";" if lines and ";" in lines[0] else ","
    table = csv.DictReader(lines, delimiter=separator, skipinitialspace=True)
    names = [name.strip().lower() for name in table.fieldnames or ()]
    if not set(INSERTION_COLUMNS) <= set(names):
        raise InputError(f"--insertions: the CSV file needs the columns {', '.join(INSERTION_COLUMNS)}")
    table.fieldnames = names
    found = np.full((slices, 2), np.nan)
    for line, row in enumerate(table, start=2):
        cells = [(row[name] or "").strip() for name in INSERTION_COLUMNS]
        try:
            number, *angles = (float(cell) if cell else np.nan for cell in cells)
        except ValueError:
            raise InputError(f"--insertions: line {line} of the CSV file does not hold numbers") from None
        if number not in range(1, slices + 1) or np.isinf(angles).any() or np.isnan(angles).all():
            raise InputError(
                f"--insertions: line {line} of the CSV file: slices are numbered 1 (apex) to {slices}, "
                "angles are degrees"
            )
        if np.isfinite(found[int(number) - 1]).any():
            raise InputError(f"--insertions: slice {number:g} stands twice in the CSV file; leave one out")
        found[int(number) - 1] = angles
    if np.isnan(found).all():
        raise InputError("--insertions: the CSV file names no slice")
    return found
