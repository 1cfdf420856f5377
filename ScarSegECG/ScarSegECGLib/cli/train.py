"""``scarsegecg train``: cross-validate, assemble the weights, and write what was measured."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tqdm import tqdm

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import write_text
from ScarSegECGLib.measure.expert import case_folders, load_case
from ScarSegECGLib.network.device import choose_device
from ScarSegECGLib.network.weights import read_weights
from ScarSegECGLib.training.card import model_card, read_table
from ScarSegECGLib.training.cross_validate import Run, assemble, cross_validate, write_table
from ScarSegECGLib.training.evaluate import summarise
from ScarSegECGLib.training.recipe import Recipe, training_device


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument("--cases", required=True, type=Path, metavar="DIR", help="holds Case_*/Case_*_{img,seg}.nii.gz")
    parser.add_argument(
        "--out",
        "--run",
        required=True,
        type=Path,
        metavar="RUN",
        help="folder of this training; resumed if it exists; the tables that ablate wrote into its folder ablation go "
        "into the card",
    )
    parser.add_argument("--folds", type=int, default=5, metavar="N", help="patient-level folds (default 5)")
    parser.add_argument(
        "--only-fold", "--only-folds", type=int, metavar="K", help="train and evaluate this fold alone, from 0"
    )
    parser.add_argument("--epochs", type=int, metavar="N", help="of the scar network (default: as the shipped weights)")
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda[:N]", help="where the networks are trained")


def run(args: argparse.Namespace) -> int:
    """Train every fold, evaluate it on its held-out patients, and put the folds together."""
    folders = case_folders(args.cases)
    if args.folds < 2 or args.folds > len(folders):
        raise InputError(f"--folds {args.folds}: must be from 2 to the number of patients ({len(folders)})")
    if args.only_fold is not None and not 0 <= args.only_fold < args.folds:
        raise InputError(f"--only-fold {args.only_fold}: must be from 0 to {args.folds - 1}")
    cases = [load_case(folder) for folder in tqdm(folders, desc="reading", unit="case", disable=args.quiet)]
    recipe = Recipe() if args.epochs is None else Recipe(scar_epochs=args.epochs)
    job = Run(args.out, training_device(choose_device(args.device)), recipe, args.quiet)
    args.out.mkdir(parents=True, exist_ok=True)
    try:
        figures = cross_validate(cases, job, folds=args.folds, only=args.only_fold)
    except KeyboardInterrupt:
        if not args.quiet:
            print("stopped; the same command takes the training up again at its last checkpoint")
        raise
    summary = summarise([row for _, row in figures])
    if args.only_fold is None:
        write_table(args.out / "cross_validation.csv", figures)
        write_text(args.out / "cross_validation.json", json.dumps(summary, indent=1) + "\n")
        weights = [args.out / f"fold{fold}" / "weights.safetensors" for fold in range(args.folds)]
        digest = assemble(cases, weights, job, args.out / "scarseg.safetensors")
        settings = read_weights(args.out / "scarseg.safetensors").settings
        tables = {}
        for name in ("ablation", "remedies"):
            table = args.out / "ablation" / f"{name}.csv"
            tables[name] = read_table(table) if table.is_file() and settings["ecg_trained"] else []
        card = model_card(read_table(args.out / "cross_validation.csv"), settings, digest, **tables)
        write_text(args.out / "MODEL_CARD.md", card)
        if settings["ecg_trained"] and not tables["ablation"]:
            print("warning: the card has no ablation: write it with ablate --out RUN/ablation", file=sys.stderr)
        if not args.quiet:
            print(f"weights: {args.out / 'scarseg.safetensors'} sha256 {digest}")
    if not args.quiet:
        print(json.dumps(summary, indent=1))
    return 0
