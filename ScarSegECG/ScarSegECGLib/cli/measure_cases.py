"""``scarsegecg measure --cases``: the rules held against the experts of many patients."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ScarSegECGLib.cli.crew import done_in_order
from ScarSegECGLib.cli.options import OPTIONS, hint
from ScarSegECGLib.cli.outputs import write_json, write_table
from ScarSegECGLib.cli.terminal import warn
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Contrast, ScarSource
from ScarSegECGLib.lge.label_meaning import LabelMap, parse_label_map
from ScarSegECGLib.measure.compare import RULES, CaseScores, MethodScore, Rule, case_scores, combined
from ScarSegECGLib.measure.expert import case_folders, load_case
from ScarSegECGLib.measure.rules import Per
from ScarSegECGLib.report.rule_tables import SCORE_COLUMNS, as_plain, score_rows
from ScarSegECGLib.wording import words

_OF_ONE_PATIENT = (
    *("--labels", "--remote", "--remote-segments", "--fwhm-region", "--series", "--image", "--leave-out-slices"),
    *("--aha", "--segments", "--insertions", "--correct-shifts"),
)


@dataclass(frozen=True)
class _Rules:
    rules: tuple[Rule, ...]
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


def compare(args: argparse.Namespace, pictures: Mapping[str, list[Path]]) -> int:
    """Read every case, compare, print and write the table."""
    usual = {option: OPTIONS.get(option, {}).get("default") for option in _OF_ONE_PATIENT}
    usual["--correct-shifts"] = False
    asked = [name for name, value in usual.items() if getattr(args, name[2:].replace("-", "_")) != value]
    for name in (*asked, *(name for name, paths in pictures.items() if paths)):
        raise InputError(f"{name} belongs to one patient: leave it out with --cases")
    if args.method == ScarSource.MANUAL:
        raise InputError("--cases compares rules with the manual contours: choose --method all, or one rule")
    several = args.method == "all"
    if several and args.n_sd is not None:
        raise InputError("--method all has 2 to 6 SD among its rules: leave --n-sd out with --cases")
    rules = RULES if several else ((args.method, args.method, args.n_sd),)
    folders = case_folders(args.cases)
    label_map = args.label_map and parse_label_map(args.label_map)
    options = _Rules(rules, args.contrast, args.per, args.smallest_island_ml, label_map, strict=not several)
    jobs = [(folder.name, (folder.absolute(), options)) for folder in folders]
    found = done_in_order(args, "measure", _measured, jobs)
    scores = combined(
        found,
        [name for name, _, _ in rules],
        left_out=lambda name, error: warn(f"{name} left out: {error}{hint(error)}"),
    )
    rows = score_rows(scores)
    if args.table:
        write_table(args.table, SCORE_COLUMNS, rows)
    if args.json:
        told = {"cases": [folder.name for folder in folders], "rules": [_as_plain(score) for score in scores]}
        write_json(args.json, told)
    if not args.quiet:
        shown = len(SCORE_COLUMNS) if args.verbose else -1  # the rules in full words are long
        print(f"{len(folders)} cases inside the expert's contours, {scores[0].scarred} with expert scar")
        print(as_plain(SCORE_COLUMNS[:shown], [row[:shown] for row in rows]))
    return 0


def _as_plain(score: MethodScore) -> dict:
    """As JSON holds it; no number where there is none."""

    def plain(value: float) -> float | None:
        return float(value) if np.isfinite(value) else None

    told = {name: plain(value) if isinstance(value, float) else value for name, value in vars(score).items()}
    told["behind_best"] = [plain(value) for value in score.behind_best]
    told["described"] = words(told.pop("method"))
    return told
