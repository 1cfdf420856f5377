"""``scarsegecg bench``: how long every stage of one case takes."""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import torch

from ScarSegECGLib.case import SCAR, ScarResult
from ScarSegECGLib.cli.outputs import check_files
from ScarSegECGLib.ecg.gap import gap_of_case, parse_date
from ScarSegECGLib.ecg.read import read_ecg
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import write_text
from ScarSegECGLib.lge.read import read_lge
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.pipeline import remeasure, segment
from ScarSegECGLib.training.phantom import phantom_patient, write_phantom
from ScarSegECGLib.view.pictures import bullseye_png


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument("--json", type=Path, metavar="OUT", help="file for the figures; default: print them")
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


def _one_edit(result: ScarResult) -> float:
    """Clear the scar of the slice that has most of it; measure and draw the bullseye again."""
    labels = result.labels.copy()
    worst = int(np.argmax((labels == SCAR).sum(axis=(1, 2))))
    labels[worst][labels[worst] == SCAR] = 2
    start = time.perf_counter()
    bullseye_png(remeasure(result, labels))
    return time.perf_counter() - start


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
    edits = [_one_edit(runs[-1][2]) for _ in range(args.repeat + 1)][1:]
    stages = [
        {"name": name, "seconds": round(float(np.median([stage[name] for _, stage, _ in runs])), 4)}
        for name in runs[0][1]
    ]
    report = {
        "stages": stages,
        "model_load_seconds": round(load_seconds, 4),
        "case_seconds": round(float(np.median([total for total, _, _ in runs])), 4),
        "first_case_seconds": round(runs[0][0], 4),
        "edit_seconds": round(float(np.median(edits)), 4),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "device": str(session.device),
        "threads": torch.get_num_threads(),
        "slices": int(runs[0][2].labels.shape[0]),
        "runs": args.repeat,
    }
    text = json.dumps(report, indent=1)
    if args.json:
        write_text(args.json, text + "\n")
    if not args.quiet or not args.json:
        print(text)
    return 0
