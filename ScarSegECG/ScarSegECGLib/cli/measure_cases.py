"""``scarsegecg measure --cases``: the rules held against the experts of many patients."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys

import numpy as np
from tqdm import tqdm

from ScarSegECGLib.cli.measure_inputs import hint
from ScarSegECGLib.cli.outputs import write_table
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import write_text
from ScarSegECGLib.facts import ScarSource
from ScarSegECGLib.lge.label_meaning import parse_label_map
from ScarSegECGLib.measure.compare import RULES, MethodScore, compare_methods
from ScarSegECGLib.measure.expert import case_folders, load_case
from ScarSegECGLib.report.rule_tables import SCORE_COLUMNS, as_plain, score_rows
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
    loaded = (load_case(folder, label_map) for folder in tqdm(folders, desc="measure", unit="case", disable=args.quiet))

    def tell(name: str, error: InputError) -> None:
        print(f"warning: {name} left out: {error}{hint(error)}", file=sys.stderr)

    several = tell if args.method == "all" else None
    options = {"per": args.per}
    if args.smallest_island_ml is not None:
        options["smallest_island_ml"] = args.smallest_island_ml
    try:
        scores = compare_methods(loaded, rules=rules, contrast=args.contrast, left_out=several, **options)
    except InputError as error:
        raise InputError(f"{error}{hint(error)}") from None
    rows = score_rows(scores)
    if args.table:
        write_table(args.table, SCORE_COLUMNS, rows)
    if args.json:
        names = [folder.name for folder in folders]
        write_text(args.json, json.dumps(_scores_as_json(scores, names), indent=1, allow_nan=False) + "\n")
    if not args.quiet:
        shown = len(SCORE_COLUMNS) if args.verbose else -1  # the rules in full words are long
        print(f"{len(folders)} cases inside the expert's contours, {scores[0].scarred} with expert scar")
        print(as_plain(SCORE_COLUMNS[:shown], [row[:shown] for row in rows]))
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
