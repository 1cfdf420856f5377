"""How the wall is to be divided into AHA segments: the same options for ``segment`` and ``measure``."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.anatomy.aha import MOST_TURNED_DEG
from ScarSegECGLib.cli.measure_inputs import numbers
from ScarSegECGLib.errors import InputError

INSERTION_COLUMNS = ("slice", "anterior", "inferior")
LARGEST_FILE = 1_000_000
"""Bytes; a table of a stack's angles has a few hundred."""
_RANGE = f"degrees from {-MOST_TURNED_DEG:.0f} to {MOST_TURNED_DEG:.0f}"


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
        Neither; angles of more than one turn; or a file without the columns, with slices that the stack does not
        have, or that stand twice.
    """
    path = Path(text)
    if path.suffix.lower() != ".csv":
        pair = numbers(text, "--insertions", 2, "a .csv file or DEG,DEG, such as 120,240")
        if not _angles(pair):
            raise InputError(f"--insertions: angles are {_RANGE}")
        return pair
    try:
        if not path.is_file():  # a pipe or a device may never end
            raise OSError
        if path.stat().st_size > LARGEST_FILE:
            raise InputError("--insertions: the CSV file is too large for a table of angles; check its path")
        found = _table(path.read_text(encoding="utf-8-sig").splitlines(), slices)
    except (OSError, UnicodeDecodeError):
        raise InputError("--insertions: the CSV file cannot be read; check its path, and that it is UTF-8") from None
    except csv.Error as error:
        raise InputError(f"--insertions: the CSV file is no table ({error}); check its path") from None
    if np.isnan(found).all():
        raise InputError("--insertions: the CSV file names no slice")
    return found


def _angles(values: NDArray[np.float64]) -> bool:
    """Whether all that is said is an angle of one turn at most."""
    return not (np.abs(values) > MOST_TURNED_DEG).any()


def _table(lines: list[str], slices: int) -> NDArray[np.float64]:
    separator = ";" if lines and ";" in lines[0] else ","
    table = csv.DictReader(lines, delimiter=separator, skipinitialspace=True)
    names = [name.strip().lower() for name in table.fieldnames or ()]
    if not set(INSERTION_COLUMNS) <= set(names):
        raise InputError(f"--insertions: the CSV file needs the columns {', '.join(INSERTION_COLUMNS)}")
    table.fieldnames = names
    found = np.full((slices, 2), np.nan)
    for row in table:
        line = table.line_num
        cells = [(row[name] or "").strip() for name in INSERTION_COLUMNS]
        try:
            number, *typed = (float(cell) if cell else np.nan for cell in cells)
        except ValueError:
            raise InputError(f"--insertions: line {line} of the CSV file does not hold numbers") from None
        angles = np.array(typed)
        if number not in range(1, slices + 1) or not _angles(angles) or np.isnan(angles).all():
            raise InputError(
                f"--insertions: line {line} of the CSV file: slices are numbered 1 (apex) to {slices}, "
                f"angles are {_RANGE}"
            )
        if np.isfinite(found[int(number) - 1]).any():
            raise InputError(f"--insertions: slice {number:g} stands twice in the CSV file; leave one out")
        found[int(number) - 1] = angles
    return found
