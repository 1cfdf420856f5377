"""What the scripts on held-out patients share: their options, each fold with the networks that never saw it, tables."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ScarSegECGLib.measure.expert import ExpertCase, case_folders, load_case
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.training.evaluate import read_folds, write_table


@dataclass(frozen=True)
class Fold:
    """``held_out`` patients by number among all, the others, ``seen``, and the ``session`` that learned from them."""

    number: int
    held_out: dict[int, ExpertCase]
    seen: list[ExpertCase]
    session: Session


def options(description: str | None, table: bool = True) -> argparse.ArgumentParser:
    """A parser of the options that all have; ``table``: and where the table is written."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--cases", required=True, type=Path, action="append", metavar="DIR")
    parser.add_argument("--run", required=True, type=Path, help="folder of scarsegecg train")
    parser.add_argument("--folds-file", required=True, type=Path)
    if table:
        parser.add_argument("--out", required=True, type=Path, help="CSV")
    return parser


def cases_of(args: argparse.Namespace) -> list[ExpertCase]:
    """All patients."""
    return [load_case(folder) for folder in case_folders(*args.cases)]


def folds_of(args: argparse.Namespace, cases: Sequence[ExpertCase], weights: str) -> Iterator[Fold]:
    """Fold after fold; ``weights`` is a file of each fold's folder."""
    for number, names in enumerate(read_folds(args.folds_file, [case.name for case in cases])):
        held_out = {index: case for index, case in enumerate(cases) if case.name in names}
        seen = [case for case in cases if case.name not in names]
        yield Fold(number, held_out, seen, Session.load(args.run / f"fold{number}" / weights, "cpu"))


def tell(path: Path, lines: Sequence[Mapping[str, str]]) -> None:
    """Write a table and print it."""
    write_table(path, lines)
    for line in lines:
        print("  ".join(f"{key} {value}" for key, value in line.items()))
