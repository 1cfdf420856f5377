"""``scarsegecg bench``: how long every stage of one case takes, beside the project's targets; no test asserts it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from time import perf_counter
from timeit import repeat, timeit

import numpy as np
import torch

from ScarSegECGLib import sample
from ScarSegECGLib.anatomy.aha import divide
from ScarSegECGLib.case import SCAR, Ecg, LgeStack, ScarResult
from ScarSegECGLib.cli.options import NETWORKS, add_shared, refuse
from ScarSegECGLib.cli.outputs import check_files, write_json
from ScarSegECGLib.cli.terminal import say
from ScarSegECGLib.ecg.median_beat import median_beat
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.face import read_ecg, read_lge, segment
from ScarSegECGLib.facts import Contrast
from ScarSegECGLib.facts_ecg import Conduction
from ScarSegECGLib.measure.measurements import measure, measured_again
from ScarSegECGLib.measure.rules import RULES, FoundScar, ThresholdRule
from ScarSegECGLib.pipeline import loaded
from ScarSegECGLib.report.plain import number
from ScarSegECGLib.view.paint import to_pixels, to_png
from ScarSegECGLib.view.pictures import scar_bullseye

Segmented = Callable[[LgeStack, Ecg | None], ScarResult]
EDIT = "edit of one slice, measured and drawn on the screen"
FEWEST_TURNS = 5  # with and without ECG
ECG_SHARE = 0.15  # of the time of a case without ECG
WIDTH_PX = 600  # of a bullseye


def add_arguments(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option("--json", type=Path, metavar="OUT", help="file for the figures, for a program")
    option("--lge", type=Path, metavar="PATH", help="a stack to time; default: the sample patient, 10 slices")
    option("--ecg", type=Path, metavar="PATH", help="its ECG")
    option("--repeat", type=int, default=3, metavar="N", help="runs; the median is reported (default 3)")
    add_shared(parser, "--mri-date", "--ecg-date", *NETWORKS)


def _one_case(lge: Path, ecg: Path | None, segmented: Segmented) -> tuple[float, dict[str, float], ScarResult]:
    start = perf_counter()
    stack = read_lge(lge)
    lge_read = perf_counter()
    record = read_ecg(ecg) if ecg else None
    ecg_read = perf_counter()
    result = segmented(stack, record)
    stages = {"read LGE": lge_read - start, "read ECG": ecg_read - lge_read, **result.timings}
    return perf_counter() - start, stages, result


def _figures(result: ScarResult, case_seconds: float, segmented: Segmented, runs: int) -> list[dict]:
    """What the project promises to be quick, s, beside targets for ten slices, two free cores and a loaded model."""
    stack, anatomy, scar = result.stack, result.anatomy, result.labels == SCAR
    known = stack if stack.contrast != Contrast.UNKNOWN else replace(stack, contrast=Contrast.MAGNITUDE)
    conduction = result.ecg_findings.features.conduction if result.ecg_findings else Conduction.UNKNOWN
    edited = scar.copy()
    edited[np.argmax(scar.sum(axis=(1, 2)))] = False  # the slice that has most of it

    def remeasured() -> ScarResult:
        return measured_again(result, anatomy, FoundScar(edited, result.method), scar, conduction)

    def fastest(work: Callable[..., object], *arguments: object) -> float:
        return min(repeat(partial(work, *arguments), number=1, repeat=runs))

    without, together = partial(segmented, stack, None), partial(segmented, stack, result.ecg)
    # In turns, so that whatever else the machine does weighs on both alike.
    turns = [(timeit(without, number=1), timeit(together, number=1)) for _ in range(max(runs, FEWEST_TURNS))]
    alone = float(np.median([one for one, _ in turns]))
    times = [("case, from files to figures", case_seconds, 1.0), ("case without ECG", alone, 1.0)]
    if result.ecg is not None:
        added = float(np.median([two - one for one, two in turns]))
        times.append(("what the ECG adds to that", added, ECG_SHARE * alone))
        times.append(("ECG measured", fastest(median_beat, result.ecg), 0.100))
    times += [
        ("edit of one slice, measured", fastest(remeasured), 0.030),
        (EDIT, fastest(lambda: to_pixels(scar_bullseye(remeasured()), WIDTH_PX)), 0.050),
        ("bullseye as a picture", fastest(lambda: to_png(scar_bullseye(result), width_px=WIDTH_PX)), 0.050),
        ("AHA segments from contours", fastest(divide, stack, anatomy.cavity, anatomy.myocardium), 0.030),
        ("all measures by manual", fastest(measure, known, anatomy, scar), 0.050),
        *((f"all measures by {rule}", fastest(measure, known, anatomy, ThresholdRule(rule)), 0.050) for rule in RULES),
    ]
    return [{"name": name, "seconds": round(seconds, 4), "target": round(target, 4)} for name, seconds, target in times]


def _table(report: dict) -> str:
    device = f"{report['device']}, {report['threads']} thread{'s' if report['threads'] != 1 else ''}"
    lines = [f"{report['slices']} slices, {device}, median of {report['runs']}; milliseconds", ""]
    lines += [f"  {stage['name']:42s} {1000 * stage['seconds']:8.0f}" for stage in report["stages"]]
    lines += ["", f"  {'':42s} {'':>8s}   target"]
    for figure in report["figures"]:
        missed = "   missed" if figure["seconds"] > figure["target"] else ""
        lines.append(f"  {figure['name']:42s} {1000 * figure['seconds']:8.0f} {1000 * figure['target']:8.0f}{missed}")
    load, first = (1000 * report[name] for name in ("model_load_seconds", "first_case_seconds"))
    memory = f"most memory {number(report['peak_rss_mb'], 0, '-')} MB"
    return "\n".join([*lines, "", f"  networks loaded in {load:.0f} ms; first case {first:.0f} ms; {memory}"])


def run(args: argparse.Namespace) -> None:
    if args.repeat < 1:
        raise InputError("--repeat must be at least 1")
    if not args.lge:
        refuse(args, "--ecg", why="needs --lge: the sample patient has an ECG of its own")
    if not args.ecg:
        refuse(args, "--mri-date", "--ecg-date", why="says how much an ECG counts: give --lge and --ecg with it")
    lge, ecg, dates = args.lge, args.ecg, {"mri_date": args.mri_date, "ecg_date": args.ecg_date}
    if lge is None:
        lge, ecg, dates = sample.LGE, sample.ECG, {"mri_date": sample.MRI_DATE}  # not in a NIfTI file
    check_files(args.json)
    start = perf_counter()
    session = loaded(args.weights, args.device)  # kept for all that is segmented so
    load_seconds = perf_counter() - start
    segmented = partial(segment, **dates, weights=args.weights, device=args.device)
    totals, stages, results = zip(*(_one_case(lge, ecg, segmented) for _ in range(args.repeat)), strict=True)
    case_seconds = float(np.median(totals))
    figures = _figures(results[-1], case_seconds, segmented, args.repeat)
    medians = {name: round(float(np.median([stage[name] for stage in stages])), 4) for name in stages[0]}
    peak = None if sys.platform == "win32" else import_module("resource").getrusage(0).ru_maxrss  # its own, so far
    report = {
        "stages": [{"name": name, "seconds": seconds} for name, seconds in medians.items()],
        "model_load_seconds": round(load_seconds, 4),
        "case_seconds": round(case_seconds, 4),
        "first_case_seconds": round(totals[0], 4),
        "edit_seconds": next(figure["seconds"] for figure in figures if figure["name"] == EDIT),
        "figures": figures,
        "peak_rss_mb": peak and round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1),
        "device": str(session.device),
        "threads": torch.get_num_threads(),
        "slices": len(results[0].labels),
        "runs": args.repeat,
    }
    if args.json:
        write_json(args.json, report)
    say(args, _table(report))
