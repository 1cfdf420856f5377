"""``scarsegecg train``: cross-validate, assemble the weights, and write what was measured."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from ScarSegECGLib.case import Ecg, TimeGap
from ScarSegECGLib.cli.evaluate import find_ecg
from ScarSegECGLib.cli.terminal import say
from ScarSegECGLib.ecg.median_beat import median_beat
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import write_text
from ScarSegECGLib.measure.expert import ExpertCase, case_folders, load_case
from ScarSegECGLib.network.device import choose_device
from ScarSegECGLib.network.ecg_encoder import EcgEncoder
from ScarSegECGLib.network.weights import Weights, read_weights
from ScarSegECGLib.training import ablation
from ScarSegECGLib.training.card import model_card
from ScarSegECGLib.training.cross_validate import (
    assemble,
    evaluate_held_out,
    patient_folds,
    read_folds,
    read_table,
    trusted,
    write_table,
    write_tables,
)
from ScarSegECGLib.training.ecg_simulation.simulate import noise_bank
from ScarSegECGLib.training.evaluate import summarise
from ScarSegECGLib.training.fit import once
from ScarSegECGLib.training.pairs import OwnEcg, expert_fractions, make_pairs
from ScarSegECGLib.training.plan import Plan, Recipe
from ScarSegECGLib.training.stage_one import train_stage_one
from ScarSegECGLib.training.stage_two import see_patients, train_stage_two
from ScarSegECGLib.training.taff import fuse_held_out, train_taff

SHIPPED = "shipped"
TEST_SEED, PAIR_SEED = 90_000, 7_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument(
        "--cases", required=True, type=Path, action="append", metavar="DIR",
        help="holds Case_*/Case_*_{img,seg}.nii.gz; a case's own ecg.* and dates.json make a real pair of it, the "
        "others get simulated ECGs; may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--out", required=True, type=Path, metavar="RUN", help="folder of this training; taken up again if it exists"
    )
    parser.add_argument("--folds", type=int, default=5, metavar="N", help="patient-level folds (default 5)")
    parser.add_argument("--folds-file", type=Path, metavar="CSV", help="folds fixed in a table with case,fold")
    parser.add_argument(
        "--from", dest="start", metavar="shipped|FILE",
        help="fine-tune these weights instead of training from nothing: quicker, and better on few patients",
    )  # fmt: skip
    parser.add_argument(
        "--ecgs", type=Path, metavar="DIR", help="WFDB records whose noise goes into simulated ECGs (else simulated)"
    )
    parser.add_argument("--epochs", type=int, metavar="N", help="of stage 1 (default: as the shipped weights)")
    parser.add_argument(
        "--steps", type=int, metavar="N", help="of stage 2 and of TAFF (default: as the shipped weights)"
    )
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda[:N]", help="where the networks are trained")


def _load(args: argparse.Namespace) -> tuple[list[ExpertCase], dict[int, OwnEcg]]:
    folders = case_folders(*args.cases)
    if args.folds_file is None and not 2 <= args.folds <= len(folders):  # said before hundreds of files are read
        raise InputError(f"--folds {args.folds}: must be from 2 to the number of patients ({len(folders)})")
    cases, own = [], {}
    for number, folder in enumerate(tqdm(folders, desc="reading", unit="case", disable=args.quiet)):
        cases.append(load_case(folder))
        ecg, gap = find_ecg(folder)
        if ecg is not None:
            own[number] = own_ecg(folder.name, ecg, gap)
    return cases, own


def own_ecg(name: str, ecg: Ecg, gap: TimeGap) -> OwnEcg:
    """A real pair's ECG as training reads it.

    InputError where it cannot be measured, or its dates are not known: a pair without a gap teaches nothing of time.
    """
    if gap.days is None or gap.event_between:
        raise InputError(f"{name}: its ECG has no known gap to the MRI; give both dates in dates.json, or take it away")
    try:
        beat = median_beat(ecg)
    except InputError as error:
        raise InputError(f"{name}: its ECG cannot be measured: {error}") from error
    return OwnEcg(beat, gap.days)


def _encoder(start: Weights | None, run: Path) -> EcgEncoder:
    """The ECG's encoder, kept with the run: that of the start weights, else the shipped one.

    It has learned from simulated scars alone (``Research/pretrain_ecg.py``) and so serves every fold. Its tokens, which
    TAFF fits to patients, are new unless the start weights bring them.
    """
    given = start if start is not None and start.settings.get("ecg_trained") else None
    weights = given or read_weights()
    torch.manual_seed(1)
    encoder = EcgEncoder(weights.settings["token_size"], weights.settings["encoder_width"])
    known = weights.part("ecg.encoder.")
    if given is None:
        known = {key: value for key, value in known.items() if not key.startswith("tokens.")}
    encoder.load_state_dict(once(run / "encoder" / "encoder.safetensors", lambda: encoder.state_dict() | known))
    return encoder.eval()


def _plan(args: argparse.Namespace, cases: list[ExpertCase], start: Weights | None) -> Plan:
    names = [case.name for case in cases]
    if args.folds_file is not None:
        folds = read_folds(args.folds_file, names)
    else:
        folds = patient_folds(names, [case.scar_ml for case in cases], args.folds)
    recipe = Recipe()
    if args.epochs is not None:
        recipe = replace(recipe, scar_epochs=args.epochs, tuning_epochs=args.epochs, locator_epochs=args.epochs)
    if args.steps is not None:
        recipe = replace(recipe, stack_steps=args.steps, taff_steps=args.steps)
    return Plan(cases, folds, args.out, choose_device(args.device), recipe, start, args.quiet)


def run(args: argparse.Namespace) -> None:
    """Train stage 1, stage 2 and TAFF of every fold and of all patients, and write the figures of held-out patients."""
    start = None
    if args.start is not None:
        start = read_weights(None if args.start == SHIPPED else Path(args.start))
    cases, own = _load(args)
    plan = _plan(args, cases, start)
    noise = noise_bank(args.ecgs)
    args.out.mkdir(parents=True, exist_ok=True)
    say(args, f"pairs of image and ECG: {len(own)} real, {len(cases) - len(own)} patients with simulated ECGs")
    try:
        digest, summary = _train(args, plan, own, noise, start)
    except KeyboardInterrupt:
        say(args, "stopped; the same command takes the training up again at its last checkpoint")
        raise
    say(args, json.dumps(summary, indent=1), f"weights: {args.out / 'scarseg.safetensors'} sha256 {digest}")


def _train(
    args: argparse.Namespace, plan: Plan, own: dict[int, OwnEcg], noise: NDArray, start: Weights | None
) -> tuple[str, dict]:
    groups = range(len(plan.groups))
    for group in groups:
        train_stage_one(plan, group)
    bank = see_patients(plan)
    for group in groups:
        train_stage_two(plan, group, bank)
    fractions = expert_fractions(plan.cases)
    encoder = _encoder(start, args.out)
    pairs = make_pairs(
        list(fractions), noise, PAIR_SEED, own=own, file=args.out / "pairs.safetensors", quiet=args.quiet
    )
    fused = fuse_held_out(plan, bank, fractions)
    full = [train_taff(plan, group, fused, encoder, pairs) for group in groups]
    told, trust = trusted(evaluate_held_out(plan))
    summary = summarise([row for _, row in told])
    write_tables(args.out, told)
    write_text(args.out / "cross_validation.json", json.dumps(summary, indent=1) + "\n")
    lines = _ablation(args, plan, own, noise, fractions)
    digest = assemble(plan, full[-1], trust, args.out / "scarseg.safetensors")
    settings = read_weights(args.out / "scarseg.safetensors").settings
    real = (len(own), len(plan.cases) - len(own))
    card = model_card(read_table(args.out / "cross_validation.csv"), settings, digest, lines, real)
    write_text(args.out / "MODEL_CARD.md", card)
    return digest, summary


def _ablation(
    args: argparse.Namespace, plan: Plan, own: dict[int, OwnEcg], noise: NDArray, fractions: NDArray[np.float64]
) -> list[dict[str, str]]:
    path = args.out / "ablation.csv"
    if path.is_file():
        return read_table(path)
    ecgs = ablation.held_out_ecgs(fractions, noise, TEST_SEED, own, quiet=args.quiet)
    lines = ablation.table(ablation.outcomes(plan, ecgs, fractions))
    write_table(path, lines)
    return lines
