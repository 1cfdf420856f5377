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

from ScarSegECGLib.cli.evaluate import find_ecg
from ScarSegECGLib.cli.terminal import say
from ScarSegECGLib.ecg.median_beat import median_beat
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import write_text
from ScarSegECGLib.measure.expert import ExpertCase, case_folders, load_case
from ScarSegECGLib.network.device import choose_device
from ScarSegECGLib.network.ecg_encoder import EcgEncoder
from ScarSegECGLib.network.weights import Weights, read_weights
from ScarSegECGLib.training import ablation, evaluate
from ScarSegECGLib.training.card import model_card
from ScarSegECGLib.training.ecg_simulation.simulate import noise_bank
from ScarSegECGLib.training.fit import Plan, Recipe, once
from ScarSegECGLib.training.pairs import OwnEcg, Pairs, expert_fractions, make_pairs
from ScarSegECGLib.training.stages import see_patients, train_stage_one, train_stage_two
from ScarSegECGLib.training.taff import fuse_held_out, train_taff

SHIPPED = "shipped"
TEST_SEED, PAIR_SEED = 90_000, 7_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    cases = "holds Case_*/Case_*_{img,seg}.nii.gz; a case's own ecg.* and dates.json make a real pair of it, the "
    cases += "others get simulated ECGs; may be given several times"
    option("--cases", required=True, type=Path, action="append", metavar="DIR", help=cases)
    option("--out", required=True, type=Path, metavar="RUN", help="this training's folder; taken up again if it exists")
    option("--folds", type=int, default=5, metavar="N", help="patient-level folds (default 5)")
    option("--folds-file", type=Path, metavar="CSV", help="folds fixed in a table with case,fold")
    start = "fine-tune these weights instead of training from nothing: quicker, and better on few patients"
    option("--from", dest="start", metavar="shipped|FILE", help=start)
    option("--ecgs", type=Path, metavar="DIR", help="WFDB records whose noise simulated ECGs get (else simulated)")
    option("--epochs", type=int, metavar="N", help="of stage 1 (default: as the shipped weights)")
    option("--steps", type=int, metavar="N", help="of stage 2 and of TAFF (default: as the shipped weights)")
    option("--device", default="auto", metavar="auto|cpu|cuda[:N]", help="where the networks are trained")


def _load(args: argparse.Namespace) -> tuple[list[ExpertCase], dict[int, OwnEcg]]:
    folders = case_folders(*args.cases)
    if args.folds_file is None and not 2 <= args.folds <= len(folders):  # said before hundreds of files are read
        raise InputError(f"--folds {args.folds}: must be from 2 to the number of patients ({len(folders)})")
    cases: list[ExpertCase] = []
    own: dict[int, OwnEcg] = {}
    for number, folder in enumerate(tqdm(folders, desc="reading", unit="case", disable=args.quiet)):
        cases.append(load_case(folder))
        ecg, gap = find_ecg(folder)
        if ecg is None:
            continue
        name = folder.name
        if gap.days is None or gap.event_between:  # a pair without a gap teaches nothing of time
            raise InputError(f"{name}: its ECG has no known gap to the MRI; give both in dates.json, or take it away")
        try:
            own[number] = median_beat(ecg), gap.days
        except InputError as error:
            raise InputError(f"{name}: its ECG cannot be measured: {error}") from error
    return cases, own


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
        folds = evaluate.read_folds(args.folds_file, names)
    else:
        folds = evaluate.patient_folds(names, [case.scar_ml for case in cases], args.folds)
    recipe = Recipe()
    if args.epochs is not None:
        recipe = replace(recipe, scar_epochs=args.epochs, tuning_epochs=args.epochs, locator_epochs=args.epochs)
    if args.steps is not None:
        recipe = replace(recipe, stack_steps=args.steps, taff_steps=args.steps)
    return Plan(cases, folds, args.out, choose_device(args.device), recipe, start, args.quiet)


def run(args: argparse.Namespace) -> None:
    """Train stage 1, stage 2 and TAFF of every fold and of all patients, and write the figures of held-out patients."""
    start = None if args.start is None else read_weights(None if args.start == SHIPPED else Path(args.start))
    cases, own = _load(args)
    plan = _plan(args, cases, start)
    noise = noise_bank(args.ecgs)
    args.out.mkdir(parents=True, exist_ok=True)
    say(args, f"pairs of image and ECG: {len(own)} real, {len(cases) - len(own)} patients with simulated ECGs")
    try:
        _train(args, plan, own, noise)
    except KeyboardInterrupt:
        say(args, "stopped; the same command takes the training up again at its last checkpoint")
        raise


def _train(args: argparse.Namespace, plan: Plan, own: dict[int, OwnEcg], noise: NDArray) -> None:
    out, groups, quiet = args.out, range(len(plan.groups)), args.quiet
    for group in groups:
        train_stage_one(plan, group)
    bank = see_patients(plan)
    for group in groups:
        train_stage_two(plan, group, bank)
    fractions = expert_fractions(plan.cases)
    encoder = _encoder(plan.start, out)
    file = out / "ecgs.safetensors"
    pairs = Pairs(**once(file, lambda: vars(make_pairs(fractions, noise, PAIR_SEED, own=own, quiet=quiet))))
    fused = fuse_held_out(plan, bank)
    for group in groups:
        train_taff(plan, group, fused, encoder, pairs, fractions)
    unseen = plan.held_out("full.safetensors", "held-out patients")
    told, trust = evaluate.trusted([evaluate.evaluate_case(of.case, of.session, fold=of.fold) for of in unseen])
    summary = json.dumps(evaluate.summary_of(told), indent=1)
    evaluate.write_tables(out, told)
    write_text(out / "cross_validation.json", summary + "\n")
    if not (out / "ablation.csv").is_file():
        ecgs = ablation.held_out_ecgs(fractions, noise, TEST_SEED, own, quiet=quiet)
        scarred = np.array([case.scar.any() for case in plan.cases])
        evaluate.write_table(out / "ablation.csv", ablation.table(ablation.outcomes(plan, ecgs, fractions), scarred))
    weights = out / "scarseg.safetensors"
    digest = evaluate.assemble(plan, trust, weights)
    tables = [evaluate.read_table(out / name) for name in ("cross_validation.csv", "ablation.csv")]
    real = (len(own), len(plan.cases) - len(own))
    card = model_card(tables[0], read_weights(weights).settings, digest, tables[1], real)
    write_text(out / "MODEL_CARD.md", card)
    say(args, summary, f"weights: {weights} sha256 {digest}")
