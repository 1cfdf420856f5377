"""Options that more than one verb has, each declared once, and what is typed in them."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ScarSegECGLib.anatomy.polar import MOST_TURNED_DEG, Floats
from ScarSegECGLib.case import LgeStack
from ScarSegECGLib.cli.terminal import warn
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import LgeNote, ScarSource
from ScarSegECGLib.wording import spans, words

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
TAKEN = (LgeNote.TAKEN, LgeNote.TAKEN_AS_ASKED)


def add_shared(parser: argparse._ActionsContainer, *names: str) -> None:
    """Declare some of :data:`OPTIONS`."""
    for name in names:
        parser.add_argument(name, **OPTIONS[name])


def _attribute(option: str) -> str:
    return option[2:].replace("-", "_")


def value_of(args: argparse.Namespace, option: str) -> Any:
    """What was given for an option by its name on the command line."""
    return getattr(args, _attribute(option))


def refuse(args: argparse.Namespace, *options: str, why: str) -> None:
    """InputError for the first of these options that was given, where it would count in nothing; ``why`` says why."""
    for option in options:
        if value_of(args, option) not in ("", args.parser.get_default(_attribute(option))):
            raise InputError(f"{option} {why}")


def refuse_unless(args: argparse.Namespace, option: str, *methods: str) -> None:
    """InputError for an option that was given with another --method than those that it counts with."""
    if args.method not in methods:
        refuse(args, option, why=f"has no effect with --method {args.method}: leave it out, or choose {methods[0]}")


def tell_choice(stack: LgeStack) -> None:
    """Warn of what was taken from a study, where there was a choice."""
    for note in stack.notes:
        if note.code in TAKEN:
            warn(words(note))


INSERTION_COLUMNS = ("slice", "anterior", "inferior")
LARGEST_FILE = 1_000_000  # bytes; a table of a stack's angles has a few hundred
_RANGE = f"degrees from {-MOST_TURNED_DEG:.0f} to {MOST_TURNED_DEG:.0f}"


def _numbers(text: str, refusal: str) -> Floats:
    """Numbers with commas between them; what was typed otherwise is not repeated, for it may be a path."""
    try:
        return np.asarray_chkfinite([float(part) for part in text.split(",")])
    except ValueError:
        raise InputError(refusal) from None


def chosen(args: argparse.Namespace, option: str, known: Sequence[int], lacking: str) -> tuple[int, ...]:
    """Slices or segments that a reader names: whole numbers out of ``known``, each once, ascending; else InputError."""
    text = value_of(args, option)
    if text is None:
        return ()
    asked = _numbers(text, f"{option}: give numbers with commas between them, such as the help shows")
    for value in asked:
        if value not in known:
            raise InputError(f"{option} {text}: {lacking} {value:g}; choose from {spans(known)}")
    return tuple(sorted({int(value) for value in asked}))


def insertions_of(text: str | None, slices: int) -> Floats | None:
    """RV insertions, degrees in the bullseye's frame: (2,) for the stack, or of a CSV file (slice, 2), NaN where blank.

    InputError for something else, angles of more than one turn, or slices that are not there or stand twice.
    """
    if text is None:
        return None
    path = Path(text)
    if path.suffix.lower() != ".csv":
        refusal = f"--insertions: give a .csv file or DEG,DEG, such as 120,240; angles are {_RANGE}"
        pair = _numbers(text, refusal)
        if pair.size != 2 or np.abs(pair).max() > MOST_TURNED_DEG:
            raise InputError(refusal)
        return pair
    try:
        if not path.is_file():  # a pipe or a device may never end
            raise OSError
        if path.stat().st_size > LARGEST_FILE:
            raise InputError("--insertions: the CSV file is too large for a table of angles; check its path")
        return _table(path.read_text(encoding="utf-8-sig").splitlines(), slices)
    except (OSError, UnicodeDecodeError):
        raise InputError("--insertions: the CSV file cannot be read; check its path, and that it is UTF-8") from None
    except csv.Error as error:
        raise InputError(f"--insertions: the CSV file is no table ({error}); check its path") from None


def _table(lines: list[str], slices: int) -> Floats:
    table = csv.DictReader(lines, delimiter=";" if lines and ";" in lines[0] else ",", skipinitialspace=True)
    table.fieldnames = [name.strip().lower() for name in table.fieldnames or ()]
    if not set(INSERTION_COLUMNS) <= set(table.fieldnames):
        raise InputError(f"--insertions: the CSV file needs the columns {', '.join(INSERTION_COLUMNS)}")
    found = np.full((slices, 2), np.nan)
    for row in table:
        line = f"--insertions: line {table.line_num} of the CSV file"
        try:
            number, *angles = (float((row[name] or "").strip() or "nan") for name in INSERTION_COLUMNS)
        except ValueError:
            raise InputError(f"{line} does not hold numbers") from None
        turned = np.abs(angles)
        if number not in range(1, slices + 1) or (turned > MOST_TURNED_DEG).any() or np.isnan(turned).all():
            raise InputError(f"{line}: slices are numbered 1 (apex) to {slices}, angles are {_RANGE}")
        if np.isfinite(found[int(number) - 1]).any():
            raise InputError(f"--insertions: slice {number:g} stands twice in the CSV file; leave one out")
        found[int(number) - 1] = angles
    if np.isnan(found).all():
        raise InputError("--insertions: the CSV file names no slice")
    return found
