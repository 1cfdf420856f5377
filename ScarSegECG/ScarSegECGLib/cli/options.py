"""Options that more than one verb has, each declared once, and what is typed in them."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np

from ScarSegECGLib.anatomy.polar import MOST_TURNED_DEG, Floats, Mask
from ScarSegECGLib.case import LabelArray
from ScarSegECGLib.errors import ContrastUnknown, InputError
from ScarSegECGLib.facts import RemoteRegion, RemoteSource, ScarSource
from ScarSegECGLib.wording import spans

METHODS = tuple(source.value for source in ScarSource if source is not ScarSource.MANUAL)
OPTIONS: dict[str, dict[str, Any]] = {
    "--series": {"metavar": "UID|NUMBER", "help": "DICOM series to take; default: the short-axis LGE"},
    "--image": {"choices": ("magnitude", "psir"), "help": "of a study with both; default: psir"},
    "--mri-date": {"metavar": "DATE", "help": "YYYY-MM-DD[THH:MM]; default: what the images say"},
    "--ecg-date": {"metavar": "DATE", "help": "YYYY-MM-DD[THH:MM]; default: what the ECG file says"},
    "--sex": {"choices": ("female", "male"), "help": "for ECG criteria that depend on it; default: what the files say"},
    "--age": {"type": float, "metavar": "YEARS", "help": "for the QRS score; default: what the files say"},
    "--method": {"choices": METHODS, "default": METHODS[0], "help": "how scar is told from myocardium"},
    "--n-sd": {"type": float, "metavar": "N", "help": "for n_sd: 2 to 6 (default 3 on magnitude images)"},
    "--contrast": {"choices": ("magnitude", "psir"), "help": "default: what the file says"},
    "--aha": {"choices": ("fixed", "landmark"), "default": "fixed", "help": "how sectors are placed"},
    "--segments": {"type": int, "choices": (16, 17), "default": 17, "help": "with or without the apex"},
    "--insertions": {
        "metavar": "DEG,DEG|CSV",
        "help": "anterior and inferior RV insertion, degrees counter-clockwise from the image right, such as 120,240; "
        "or a .csv file with the columns slice,anterior,inferior (1 is the apex; slices without a line are found); "
        "default: found in the image",
    },
    "--correct-shifts": {
        "action": "store_true",
        "help": "put slices displaced between breath-holds in line first; results lie on the input's pixels",
    },
    "--workers": {"type": int, "metavar": "N", "help": "processes; default: by cores and memory"},
    "--memory": {"metavar": "SIZE", "help": "limit of each worker, such as 4GB; default: an equal share"},
    "--scheduler": {"metavar": "ADDRESS", "help": "an existing Dask scheduler, such as tcp://host:8786"},
    "--device": {"default": "auto", "metavar": "auto|cpu|cuda[:N]", "help": "where the networks run"},
    "--weights": {"type": Path, "metavar": "FILE", "help": "weights made by train; default: shipped"},
}
CHOICE = ("--series", "--image")
CREW = ("--workers", "--memory", "--scheduler")
NETWORKS = ("--device", "--weights")


def add_shared(parser: argparse._ActionsContainer, *names: str) -> None:
    """Declare some of :data:`OPTIONS`."""
    for name in names:
        parser.add_argument(name, **OPTIONS[name])


def value_of(args: argparse.Namespace, option: str) -> Any:
    """What was given for an option by its name on the command line."""
    return getattr(args, option[2:].replace("-", "_"))


def add_volume_to_jobs(*jobs: argparse.ArgumentParser) -> None:
    """Let -q and -v stand behind a job's name as well as before it."""
    for job in jobs:
        for names in (("-q", "--quiet"), ("-v", "--verbose")):
            job.add_argument(*names, action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def refuse_unused_n_sd(args: argparse.Namespace) -> None:
    """InputError where --n-sd is given for another method."""
    if args.n_sd is not None and args.method != ScarSource.N_SD:
        raise InputError(f"--n-sd has no effect with --method {args.method}: leave it out, or choose --method n_sd")


def hint(error: InputError) -> str:
    """The option that puts an error right which no option's name is in; "" where none does."""
    return " (--contrast says it)" if isinstance(error, ContrastUnknown) else ""


# What a reader types: slices (1 is the apex), segments, angles

NUMBERS = "numbers with commas between them, such as the help shows"
INSERTION_COLUMNS = ("slice", "anterior", "inferior")
LARGEST_FILE = 1_000_000
"""Bytes; a table of a stack's angles has a few hundred."""
_RANGE = f"degrees from {-MOST_TURNED_DEG:.0f} to {MOST_TURNED_DEG:.0f}"


def _numbers(text: str, option: str, count: int | None = None, wanted: str = NUMBERS) -> Floats:
    """Numbers with commas between them; what was typed otherwise is not repeated, for it may be a path."""
    try:
        values = np.array([float(part) for part in text.split(",")])
    except ValueError:
        values = np.empty(0)
    if not values.size or (count is not None and values.size != count) or not np.isfinite(values).all():
        raise InputError(f"{option}: give {wanted}")
    return values


def _chosen(text: str, option: str, known: list[int], lacking: str) -> tuple[int, ...]:
    """Whole numbers out of ``known``, each once, ascending."""
    asked = _numbers(text, option)
    for value in asked:
        if value not in known:
            raise InputError(f"{option} {text}: {lacking} {value:g}; choose from {spans(known)}")
    return tuple(sorted({int(value) for value in asked}))


def without_slices(labels: LabelArray, text: str | None) -> tuple[LabelArray, tuple[int, ...]]:
    """The labels with nothing in the slices that the reader leaves out, and the numbers of these slices.

    InputError for slices that the stack does not have.
    """
    if text is None:
        return labels, ()
    left_out = _chosen(text, "--leave-out-slices", list(range(1, len(labels) + 1)), "there is no slice")
    kept = labels.copy()
    kept[[number - 1 for number in left_out]] = 0
    return kept, left_out


def segments_mask(aha: LabelArray, text: str) -> tuple[Mask, RemoteRegion]:
    """The wall of the AHA segments that are named, and what is said of them.

    InputError for segments that these contours do not have.
    """
    known = [int(number) for number in np.unique(aha) if number]
    chosen = _chosen(text, "--remote-segments", known, "these contours have no segment")
    return np.isin(aha, chosen), RemoteRegion(RemoteSource.SEGMENTS, chosen)


def insertions_of(text: str | None, slices: int) -> Floats | None:
    """RV insertions, degrees in the bullseye's frame: (2,) for the stack, or from a CSV file (slice, 2).

    NaN for what the file does not say. InputError for something else; angles of more than one turn; or a file without
    the columns, with slices that the stack does not have, or that stand twice.
    """
    if text is None:
        return None
    path = Path(text)
    if path.suffix.lower() != ".csv":
        pair = _numbers(text, "--insertions", 2, "a .csv file or DEG,DEG, such as 120,240")
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


def _angles(values: Floats) -> bool:
    """Whether all that is said is an angle of one turn at most."""
    return not (np.abs(values) > MOST_TURNED_DEG).any()


def _table(lines: list[str], slices: int) -> Floats:
    separator = ";" if lines and ";" in lines[0] else ","
    table = csv.DictReader(lines, delimiter=separator, skipinitialspace=True)
    table.fieldnames = [name.strip().lower() for name in table.fieldnames or ()]
    if not set(INSERTION_COLUMNS) <= set(table.fieldnames):
        raise InputError(f"--insertions: the CSV file needs the columns {', '.join(INSERTION_COLUMNS)}")
    found = np.full((slices, 2), np.nan)
    for row in table:
        line = f"--insertions: line {table.line_num} of the CSV file"
        cells = [(row[name] or "").strip() for name in INSERTION_COLUMNS]
        try:
            number, *typed = (float(cell) if cell else np.nan for cell in cells)
        except ValueError:
            raise InputError(f"{line} does not hold numbers") from None
        angles = np.array(typed)
        if number not in range(1, slices + 1) or not _angles(angles) or np.isnan(angles).all():
            raise InputError(f"{line}: slices are numbered 1 (apex) to {slices}, angles are {_RANGE}")
        if np.isfinite(found[int(number) - 1]).any():
            raise InputError(f"--insertions: slice {number:g} stands twice in the CSV file; leave one out")
        found[int(number) - 1] = angles
    return found
