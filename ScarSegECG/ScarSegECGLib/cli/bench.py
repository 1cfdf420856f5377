"""``scarsegecg bench``: how long every stage of one case takes, and what stands beside a target of the project.

Times are told here and asserted nowhere: on a busy machine they say nothing about the program.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ScarSegECGLib.anatomy.aha import partition
from ScarSegECGLib.case import SCAR, ScarResult, TimeGap
from ScarSegECGLib.cli.outputs import check_files
from ScarSegECGLib.ecg.gap import gap_of_case, parse_date
from ScarSegECGLib.ecg.median_beat import median_beat
from ScarSegECGLib.ecg.read import read_ecg
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import write_text
from ScarSegECGLib.facts import Contrast
from ScarSegECGLib.lge.read import read_lge
from ScarSegECGLib.measure.measurements import measure
from ScarSegECGLib.measure.rules import RULES, ThresholdRule
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.pipeline import remeasure, segment
from ScarSegECGLib.training.phantom import phantom_patient, write_phantom
from ScarSegECGLib.view.paint import to_png
from ScarSegECGLib.view.pictures import scar_bullseye


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument("--json", type=Path, metavar="OUT", help="file for the figures, for a program")
    parser.add_argument(
        "--lge", type=Path, metavar="PATH", help="a stack to time; default: the phantom patient, 10 slices"
    )
    parser.add_argument("--ecg", type=Path, metavar="PATH", help="its ECG")
    parser.add_argument("--mri-date", metavar="DATE", help="YYYY-MM-DD[THH:MM]; default: what the images say")
    parser.add_argument("--ecg-date", metavar="DATE", help="YYYY-MM-DD[THH:MM]; default: what the ECG file says")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="runs; the median is reported (default 3)")
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda[:N]", help="where the networks run")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="weights made by train; default: shipped")


def _one_case(
    lge: Path, ecg: Path | None, session: Session, mri_date: datetime | None, ecg_date: datetime | None
) -> tuple[float, dict[str, float], ScarResult]:
    """Read to measured result: total seconds, seconds per stage, result."""
    start = time.perf_counter()
    stack = read_lge(lge)
    lge_read = time.perf_counter()
    record = read_ecg(ecg) if ecg else None
    ecg_read = time.perf_counter()
    gap = gap_of_case(record, stack.acquired, typed_mri_date=mri_date, typed_ecg_date=ecg_date, now=datetime.now())
    result = segment(stack, record, gap, session)
    total = time.perf_counter() - start
    stages = {"read LGE": lge_read - start, "read ECG": ecg_read - lge_read, **result.timings}
    return total, stages, result


EDIT = "edit of one slice, measured and drawn"


class Figure(NamedTuple):
    """What was timed, s; the target, s, is for a case of ten slices on two free cores, the model loaded."""

    name: str
    seconds: float
    target: float


def _fastest(work: Callable[[], object], repeat: int) -> float:
    """Seconds of the fastest of some runs."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def _edited(result: ScarResult) -> np.ndarray:
    """The labels without the scar of the slice that has most of it."""
    labels = result.labels.copy()
    worst = int(np.argmax((labels == SCAR).sum(axis=(1, 2))))
    labels[worst][labels[worst] == SCAR] = 2
    return labels


def _figures(result: ScarResult, case_seconds: float, session: Session, repeat: int) -> list[Figure]:
    """What the project promises to be quick, measured on this case."""
    stack, anatomy, labels = result.stack, result.anatomy, result.labels
    known = stack if stack.contrast != "unknown" else dataclasses.replace(stack, contrast=Contrast.MAGNITUDE)
    edited = _edited(result)
    alone = _fastest(lambda: segment(stack, None, TimeGap(None), session), repeat)

    def drawn() -> object:
        return to_png(scar_bullseye(remeasure(result, edited)), width_px=600)

    def divided() -> object:
        return partition(anatomy.cavity, anatomy.myocardium, stack.voxels, stack.spacing)

    figures = [
        Figure("case, from files to figures", case_seconds, 1.0),
        Figure("case without ECG, segmented and measured", alone, 1.0),
        Figure("edit of one slice, measured", _fastest(lambda: remeasure(result, edited), repeat), 0.030),
        Figure(EDIT, _fastest(drawn, repeat), 0.050),
        Figure("bullseye as a picture", _fastest(lambda: to_png(scar_bullseye(result), width_px=600), repeat), 0.050),
        Figure("AHA segments from contours", _fastest(divided, repeat), 0.030),
    ]
    ways: dict[str, np.ndarray | ThresholdRule] = {
        "manual": labels == SCAR,
        **{rule: ThresholdRule(rule) for rule in RULES},
    }
    for method, way in ways.items():
        measured = partial(measure, known, anatomy, way)
        figures.append(Figure(f"all measures by {method}", _fastest(measured, repeat), 0.050))
    if (ecg := result.ecg) is not None:
        figures.append(Figure("ECG measured", _fastest(lambda: median_beat(ecg), repeat), 0.100))
    return figures


def _table(report: dict) -> str:
    """For people: stages, then figures beside their targets, ms."""
    device = f"{report['device']}, {report['threads']} thread{'s' if report['threads'] != 1 else ''}"
    lines = [f"{report['slices']} slices, {device}, median of {report['runs']}; milliseconds", ""]
    lines += [f"  {stage['name']:42s} {1000 * stage['seconds']:8.0f}" for stage in report["stages"]]
    lines += ["", f"  {'':42s} {'':>8s}   target"]
    for figure in report["figures"]:
        missed = "   missed" if figure["seconds"] > figure["target"] else ""
        lines.append(f"  {figure['name']:42s} {1000 * figure['seconds']:8.0f} {1000 * figure['target']:8.0f}{missed}")
    lines += ["", f"  networks loaded in {1000 * report['model_load_seconds']:.0f} ms; first case "]
    lines[-1] += f"{1000 * report['first_case_seconds']:.0f} ms; most memory {report['peak_rss_mb']:.0f} MB"
    return "\n".join(lines)


def run(args: argparse.Namespace) -> int:
    """Time one case, model loaded, and one edit."""
    if args.repeat < 1:
        raise InputError("--repeat must be at least 1")
    if args.ecg and not args.lge:
        raise InputError("--ecg needs --lge: the phantom patient has an ECG of its own")
    if (args.mri_date or args.ecg_date) and not args.ecg:
        raise InputError("--mri-date and --ecg-date say how much an ECG counts: give --lge and --ecg with them")
    mri_date, ecg_date = (parse_date(date) if date else None for date in (args.mri_date, args.ecg_date))
    check_files(args.json)
    start = time.perf_counter()
    session = Session.load(args.weights, args.device)
    load_seconds = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        lge, ecg = args.lge, args.ecg
        if lge is None:
            patient = phantom_patient()
            files = write_phantom(Path(folder), patient)
            lge, ecg = files["lge"], files["ecg"]
            mri_date = patient.mri_date  # which a NIfTI file does not hold
        runs = [_one_case(lge, ecg, session, mri_date, ecg_date) for _ in range(args.repeat)]
    case_seconds, result = float(np.median([total for total, _, _ in runs])), runs[-1][2]
    figures = _figures(result, case_seconds, session, args.repeat)
    stages = [
        {"name": name, "seconds": round(float(np.median([stage[name] for _, stage, _ in runs])), 4)}
        for name in runs[0][1]
    ]
    report = {
        "stages": stages,
        "model_load_seconds": round(load_seconds, 4),
        "case_seconds": round(case_seconds, 4),
        "first_case_seconds": round(runs[0][0], 4),
        "edit_seconds": next(round(f.seconds, 4) for f in figures if f.name == EDIT),
        "figures": [{"name": f.name, "seconds": round(f.seconds, 4), "target": f.target} for f in figures],
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "device": str(session.device),
        "threads": torch.get_num_threads(),
        "slices": int(runs[0][2].labels.shape[0]),
        "runs": args.repeat,
    }
    if args.json:
        write_text(args.json, json.dumps(report, indent=1) + "\n")
    if not args.quiet:
        print(_table(report))
    return 0
