"""``scarsegecg bench``: how long every stage of one case takes, and what stands beside a target of the project.

Times are told here and asserted nowhere: on a busy machine they say nothing about the program.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from timeit import repeat, timeit
from typing import Any

import numpy as np
import torch

from ScarSegECGLib import sample
from ScarSegECGLib.anatomy.aha import divide
from ScarSegECGLib.case import MYOCARDIUM, SCAR, LabelArray, ScarResult, TimeGap
from ScarSegECGLib.cli.options import NETWORKS, add_shared
from ScarSegECGLib.cli.outputs import check_files, write_json
from ScarSegECGLib.cli.terminal import say
from ScarSegECGLib.ecg.gap import gap_of_case, parse_date
from ScarSegECGLib.ecg.median_beat import median_beat
from ScarSegECGLib.ecg.read import read_ecg
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Contrast
from ScarSegECGLib.facts_ecg import Conduction
from ScarSegECGLib.lge.read import read_lge
from ScarSegECGLib.measure.measurements import measure, measured_again
from ScarSegECGLib.measure.rules import RULES, FoundScar, ThresholdRule
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.pipeline import segment
from ScarSegECGLib.view.paint import to_pixels, to_png
from ScarSegECGLib.view.pictures import scar_bullseye

EDIT = "edit of one slice, measured and drawn on the screen"
FEWEST_TURNS = 5  # with and without ECG
ECG_SHARE = 0.15  # of the time of a case without ECG
WIDTH_PX = 600  # of a bullseye


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    option = parser.add_argument
    option("--json", type=Path, metavar="OUT", help="file for the figures, for a program")
    option("--lge", type=Path, metavar="PATH", help="a stack to time; default: the sample patient, 10 slices")
    option("--ecg", type=Path, metavar="PATH", help="its ECG")
    option("--repeat", type=int, default=3, metavar="N", help="runs; the median is reported (default 3)")
    add_shared(parser, "--mri-date", "--ecg-date", *NETWORKS)


def _one_case(
    lge: Path, ecg: Path | None, typed: dict[str, Any], session: Session
) -> tuple[float, dict[str, float], ScarResult]:
    """Read to measured result: total seconds, seconds per stage, result."""
    start = time.perf_counter()
    stack = read_lge(lge)
    lge_read = time.perf_counter()
    record = read_ecg(ecg) if ecg else None
    ecg_read = time.perf_counter()
    result = segment(stack, record, gap_of_case(record, stack.acquired, **typed), session)
    total = time.perf_counter() - start
    return total, {"read LGE": lge_read - start, "read ECG": ecg_read - lge_read, **result.timings}, result


def remeasure(result: ScarResult, labels: LabelArray) -> ScarResult:
    """An edit, measured as the panel does."""
    conduction = result.ecg_findings.features.conduction if result.ecg_findings else Conduction.UNKNOWN
    scar = FoundScar(labels == SCAR, result.method)
    return measured_again(result, result.anatomy, scar, result.labels == SCAR, conduction)


def _figures(result: ScarResult, case_seconds: float, session: Session, runs: int) -> list[dict]:
    """What the project promises to be quick, measured on this case, s; targets are for a case of ten slices on two free
    cores, the model loaded."""
    stack, anatomy = result.stack, result.anatomy
    known = stack if stack.contrast != Contrast.UNKNOWN else replace(stack, contrast=Contrast.MAGNITUDE)
    edited = result.labels.copy()  # without the scar of the slice that has most of it
    worst = edited[np.argmax((edited == SCAR).sum(axis=(1, 2)))]
    worst[worst == SCAR] = MYOCARDIUM

    def fastest(work: Callable[[], object]) -> float:
        return min(repeat(work, number=1, repeat=runs))

    without = partial(segment, stack, None, TimeGap(None), session)
    together = partial(segment, stack, result.ecg, result.ecg_use.gap, session)
    # In turns, so that whatever else the machine does weighs on both alike.
    turns = [(timeit(without, number=1), timeit(together, number=1)) for _ in range(max(runs, FEWEST_TURNS))]
    alone = float(np.median([one for one, _ in turns]))
    times = [("case, from files to figures", case_seconds, 1.0)]
    times.append(("case without ECG, segmented and measured", alone, 1.0))
    works: list[tuple[str, Callable[[], object], float]] = [
        ("edit of one slice, measured", partial(remeasure, result, edited), 0.030),
        (EDIT, lambda: to_pixels(scar_bullseye(remeasure(result, edited)), WIDTH_PX), 0.050),
        ("bullseye as a picture", lambda: to_png(scar_bullseye(result), width_px=WIDTH_PX), 0.050),
        ("AHA segments from contours", partial(divide, stack, anatomy.cavity, anatomy.myocardium), 0.030),
        ("all measures by manual", partial(measure, known, anatomy, result.labels == SCAR), 0.050),
        *((f"all measures by {rule}", partial(measure, known, anatomy, ThresholdRule(rule)), 0.050) for rule in RULES),
    ]
    if result.ecg is not None:
        added = float(np.median([two - one for one, two in turns]))
        times.append(("what the ECG adds to that", added, ECG_SHARE * alone))
        works.append(("ECG measured", partial(median_beat, result.ecg), 0.100))
    times += [(name, fastest(work), target) for name, work, target in works]
    return [{"name": name, "seconds": round(seconds, 4), "target": round(target, 4)} for name, seconds, target in times]


def _table(report: dict) -> str:
    """For people: stages, then figures beside their targets, ms."""
    device = f"{report['device']}, {report['threads']} thread{'s' if report['threads'] != 1 else ''}"
    lines = [f"{report['slices']} slices, {device}, median of {report['runs']}; milliseconds", ""]
    lines += [f"  {stage['name']:42s} {1000 * stage['seconds']:8.0f}" for stage in report["stages"]]
    lines += ["", f"  {'':42s} {'':>8s}   target"]
    for figure in report["figures"]:
        missed = "   missed" if figure["seconds"] > figure["target"] else ""
        lines.append(f"  {figure['name']:42s} {1000 * figure['seconds']:8.0f} {1000 * figure['target']:8.0f}{missed}")
    loaded, first = (1000 * report[name] for name in ("model_load_seconds", "first_case_seconds"))
    memory = f"most memory {report['peak_rss_mb']:.0f} MB"
    return "\n".join([*lines, "", f"  networks loaded in {loaded:.0f} ms; first case {first:.0f} ms; {memory}"])


def run(args: argparse.Namespace) -> None:
    """Time one case, model loaded, and one edit."""
    if args.repeat < 1:
        raise InputError("--repeat must be at least 1")
    if args.ecg and not args.lge:
        raise InputError("--ecg needs --lge: the sample patient has an ECG of its own")
    if (args.mri_date or args.ecg_date) and not args.ecg:
        raise InputError("--mri-date and --ecg-date say how much an ECG counts: give --lge and --ecg with them")
    given = {"typed_mri_date": args.mri_date, "typed_ecg_date": args.ecg_date}
    typed: dict[str, Any] = {name: parse_date(date) for name, date in given.items() if date}
    check_files(args.json)
    start = time.perf_counter()
    session = Session.load(args.weights, args.device)
    load_seconds = time.perf_counter() - start
    lge, ecg = args.lge, args.ecg
    if lge is None:
        lge, ecg, typed = sample.LGE, sample.ECG, {"typed_mri_date": sample.MRI_DATE}  # not in a NIfTI file
    totals, stages, results = zip(*(_one_case(lge, ecg, typed, session) for _ in range(args.repeat)), strict=True)
    case_seconds = float(np.median(totals))
    figures = _figures(results[-1], case_seconds, session, args.repeat)
    of_stages = {name: float(np.median([stage[name] for stage in stages])) for name in stages[0]}
    report = {
        "stages": [{"name": name, "seconds": round(seconds, 4)} for name, seconds in of_stages.items()],
        "model_load_seconds": round(load_seconds, 4),
        "case_seconds": round(case_seconds, 4),
        "first_case_seconds": round(totals[0], 4),
        "edit_seconds": next(figure["seconds"] for figure in figures if figure["name"] == EDIT),
        "figures": figures,
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "device": str(session.device),
        "threads": torch.get_num_threads(),
        "slices": len(results[0].labels),
        "runs": args.repeat,
    }
    if args.json:
        write_json(args.json, report)
    say(args, _table(report))
