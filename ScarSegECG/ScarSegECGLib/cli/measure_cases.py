"""``scarsegecg measure --cases``: the rules held against the experts of many patients."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import numpy as np

from ScarSegECGLib.cli.crew import done_in_order
from ScarSegECGLib.cli.measure_inputs import hint
from ScarSegECGLib.cli.outputs import write_table
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import write_text
from ScarSegECGLib.facts import Contrast, ScarSource
from ScarSegECGLib.lge.labels import LabelMap, parse_label_map
from ScarSegECGLib.measure.compare import RULES, CaseScores, MethodScore, case_scores, combined
from ScarSegECGLib.measure.expert import case_folders, load_case
from ScarSegECGLib.measure.islands import SMALLEST_ISLAND_ML
from ScarSegECGLib.measure.rules import Per
from ScarSegECGLib.report.measured import as_plain, score_rows
from ScarSegECGLib.wording import words

_OF_ONE_PATIENT = (
    "labels",
    "remote",
    "remote_segments",
    "fwhm_region",
    "insertions",
    "series",
    "image",
    "bullseye",
    "polar_map",
    "montage",
    "leave_out_slices",
)
_DEFAULTS_OF_ONE_PATIENT = {"aha": "fixed", "segments": 17, "correct_shifts": False}


@dataclasses.dataclass(frozen=True)
class _Rules:
    rules: tuple[tuple[str, str, float | None], ...]
    contrast: Contrast | None
    per: Per
    smallest_island_ml: float
    label_map: LabelMap | None
    strict: bool


def _measured(job: tuple[Path, _Rules]) -> CaseScores:
    """One case, in whatever process; where a single rule was asked for, what it does not allow is refused."""
    folder, asked = job
    case = load_case(folder, asked.label_map)
    found = case_scores(case, asked.rules, asked.contrast, asked.per, asked.smallest_island_ml)
    if asked.strict and found.errors:
        error = next(iter(found.errors.values()))
        raise InputError(f"{error}{hint(error)}")
    return found


def compare(args: argparse.Namespace) -> int:
    """Read every case, compare, print and write the table."""
    for name in _OF_ONE_PATIENT:
        if getattr(args, name) is not None:
            raise InputError(f"--{name.replace('_', '-')} belongs to one patient: leave it out with --cases")
    for name, usual in _DEFAULTS_OF_ONE_PATIENT.items():
        if getattr(args, name) != usual:
            raise InputError(f"--{name.replace('_', '-')} belongs to one patient: leave it out with --cases")
    if args.method == ScarSource.MANUAL:
        raise InputError("--cases compares rules with the manual contours: choose --method all, or one rule")
    rules = RULES if args.method == "all" else ((args.method, args.method, args.n_sd),)
    if args.method == "all" and args.n_sd is not None:
        raise InputError("--method all has 2 to 6 SD among its rules: leave --n-sd out with --cases")
    folders = case_folders(args.cases)
    label_map = args.label_map and parse_label_map(args.label_map)

    def tell(name: str, error: InputError) -> None:
        print(f"warning: {name} left out: {error}{hint(error)}", file=sys.stderr)

    several = tell if args.method == "all" else None
    smallest = SMALLEST_ISLAND_ML if args.smallest_island_ml is None else args.smallest_island_ml
    options = _Rules(tuple(rules), args.contrast, args.per, smallest, label_map, strict=several is None)
    jobs = [(folder.name, (folder.absolute(), options)) for folder in folders]
    found = done_in_order(args, "measure", _measured, jobs)
    scores = combined(found, [name for name, _, _ in rules], left_out=several)
    columns, rows = score_rows(scores)
    if args.table:
        write_table(args.table, columns, rows)
    if args.json:
        names = [folder.name for folder in folders]
        write_text(args.json, json.dumps(_scores_as_json(scores, names), indent=1, allow_nan=False) + "\n")
    if not args.quiet:
        shown = len(columns) if args.verbose else -1  # the rules in full words are long
        print(f"{len(folders)} cases inside the expert's contours, {scores[0].scarred} with expert scar")
        print(as_plain(columns[:shown], [row[:shown] for row in rows]))
    return 0


def _scores_as_json(scores: tuple[MethodScore, ...], cases: list[str]) -> dict:
    def plain(value: float) -> float | None:
        return float(value) if np.isfinite(value) else None

    return {
        "cases": cases,
        "rules": [
            {
                field.name: plain(value) if isinstance(value := getattr(score, field.name), float) else value
                for field in dataclasses.fields(score)
                if field.name != "method"
            }
            | {"described": words(score.method), "behind_best": [plain(value) for value in score.behind_best]}
            for score in scores
        ],
    }
