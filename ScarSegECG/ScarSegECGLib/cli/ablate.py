"""``scarsegecg ablate``: what the prior, the ECG and the time weight each add, on held-out patients."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from tqdm import tqdm

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import write_text
from ScarSegECGLib.measure.expert import case_folders, load_case
from ScarSegECGLib.network.device import choose_device
from ScarSegECGLib.training.ablation_run import AblationPlan, check_run, run_ablation, write_ablation
from ScarSegECGLib.training.ecg_stage_one import EncoderRecipe
from ScarSegECGLib.training.ecg_training import GuideRecipe
from ScarSegECGLib.training.real_ecg_checks import all_checks, as_markdown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument("--cases", required=True, type=Path, metavar="DIR", help="holds Case_*/Case_*_{img,seg}.nii.gz")
    parser.add_argument(
        "--run", dest="trained", required=True, type=Path, metavar="RUN", help="folder of a training made by train"
    )
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="tables and plots; train reads them from RUN/ablation"
    )
    parser.add_argument(
        "--ecgs",
        type=Path,
        metavar="DIR",
        help="real ECGs: cinc2021 (noise, normals), ptb, cinc2007_case1; default: CASES/../../ecg",
    )
    parser.add_argument(
        "--folds", "--only-folds", type=int, nargs="+", metavar="K", help="these folds alone, from 0 (default: all)"
    )
    parser.add_argument(
        "--remedies",
        action="store_true",
        help="what was tried so that the ECG should help more, one thing at a time, in place of the usual rows",
    )
    parser.add_argument("--quick", action="store_true", help="few ECGs and few steps: a trial, not a result")
    parser.add_argument(
        "--baseline-seconds", type=float, default=0.0, metavar="S", help="train the nnU-Net baseline so long per fold"
    )
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda[:N]", help="where the networks are trained")


def run(args: argparse.Namespace) -> int:
    """Train the ECG branches of every fold, evaluate every row, and write the tables."""
    folders = case_folders(args.cases)
    ecgs = args.ecgs if args.ecgs is not None else args.cases.parent.parent / "ecg"
    if not (ecgs / "cinc2021").is_dir():
        raise InputError(f"{ecgs.name}: holds no folder cinc2021 with real ECGs for noise; give --ecgs DIR")
    plan = AblationPlan()
    if args.quick:
        plan = dataclasses.replace(
            plan,
            encoder=EncoderRecipe(ecgs=4096, steps=400),
            guide=GuideRecipe(steps=400, degraded_versions=1),
            test_ecgs=1,
        )
    plan = dataclasses.replace(
        plan, baseline_seconds=args.baseline_seconds, only_folds=args.folds, remedies=args.remedies
    )
    check_run(args.trained, plan)  # before minutes of reading
    cases = [load_case(folder) for folder in tqdm(folders, desc="reading", unit="case", disable=args.quiet)]
    args.out.mkdir(parents=True, exist_ok=True)
    result = run_ablation(cases, args.trained, ecgs / "cinc2021", plan, choose_device(args.device), args.quiet)
    if result is None:  # another process of torchrun writes
        return 0
    outcomes, encoder, skill = result
    notes = [skill.sentence, *(["A quick trial, not a result: few ECGs, few steps."] if args.quick else [])]
    table = write_ablation(args.out, outcomes, plan, notes)
    checks = all_checks(ecgs, encoder)
    write_text(args.out / "real_ecg_checks.md", as_markdown(checks))
    write_text(
        args.out / "real_ecg_checks.json", json.dumps([dataclasses.asdict(check) for check in checks], indent=1) + "\n"
    )
    if not args.quiet:
        print(table)
    return 0
