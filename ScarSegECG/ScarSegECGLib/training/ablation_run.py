"""The whole ablation: encoder once, then per fold evidence, pairs, branches, and every row on the held-out patients."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import distributed
from tqdm import tqdm

from ScarSegECGLib.case import SCAR
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import write_text
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.measure.overlap import overlap
from ScarSegECGLib.network.ecg_encoder import EcgEncoder
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.training.ablation import ROWS, Outcome, Row, evaluate_rows, make_test_ecgs
from ScarSegECGLib.training.ablation_tables import CAPTION, as_csv, as_markdown, plot, reliabilities, table
from ScarSegECGLib.training.baseline import NAME as BASELINE
from ScarSegECGLib.training.baseline import segment_baseline, train_baseline
from ScarSegECGLib.training.calibration import reliability_figure
from ScarSegECGLib.training.degrade import degrade
from ScarSegECGLib.training.ecg_features import steady_noise
from ScarSegECGLib.training.ecg_simulation.noise import noise_bank
from ScarSegECGLib.training.ecg_skill import EcgSkill, ecg_skill
from ScarSegECGLib.training.ecg_stage_one import SIMULATION, EncoderRecipe, train_encoder
from ScarSegECGLib.training.ecg_training import (
    GuideData,
    GuideRecipe,
    GuideTrainer,
    Kind,
    embed,
    my_share,
    train_guide,
)
from ScarSegECGLib.training.evidence import bank_of
from ScarSegECGLib.training.evidence_grid import grid_area
from ScarSegECGLib.training.folds import patient_folds
from ScarSegECGLib.training.pairs import Pairs, make_pairs, segment_fractions
from ScarSegECGLib.training.real_hearts import real_hearts
from ScarSegECGLib.training.remedies import REMEDIES, remedy_branches

_TEST_SEED, _PAIR_SEED = 90_000, 7_000


@dataclass(frozen=True)
class AblationPlan:
    """How large the ablation is. ``test_ecgs`` ECGs per held-out patient; ``only_folds`` None for all; ``remedies`` in
    place of the usual rows."""

    encoder: EncoderRecipe = field(default_factory=EncoderRecipe)
    guide: GuideRecipe = field(default_factory=GuideRecipe)
    folds: int = 5
    test_ecgs: int = 3
    baseline_seconds: float = 0.0
    only_folds: Sequence[int] | None = None
    remedies: bool = False

    @property
    def rows(self) -> tuple[Row, ...]:
        """Lines of the table."""
        return REMEDIES if self.remedies else ROWS

    @property
    def branches(self) -> dict[str, tuple[Kind, GuideRecipe]]:
        """What is trained for them."""
        if self.remedies:
            return remedy_branches(self.guide)
        kinds: tuple[Kind, ...] = ("aha", "no time", "taff")
        return {kind: (kind, self.guide) for kind in kinds}


def train_branches(
    cases: Sequence[ExpertCase],
    session: Session,
    encoder: EcgEncoder,
    noise: NDArray,
    plan: AblationPlan,
    folder: Path,
    seed: int,
    *,
    wanted: Mapping[str, tuple[Kind, GuideRecipe]],
    device: torch.device,
    member: int = 0,
    quiet: bool = False,
) -> dict[str, GuideTrainer]:
    """Evidence, pairs and every wanted branch for one image network, from its training patients."""
    evidence = bank_of(
        cases, session, folder / "evidence", member=member, degraded=plan.guide.degraded_versions, quiet=quiet
    )
    fractions = [segment_fractions(case) for case in cases]
    pairs = make_pairs(fractions, noise, seed, file=folder / f"pairs{SIMULATION}.safetensors", quiet=quiet)
    embedded = embed(encoder, pairs.inputs)
    extents = torch.from_numpy(np.stack(fractions)).float()[pairs.patient]
    return {
        name: train_guide(
            session.settings["channels"],
            encoder,
            plan.encoder.width,
            GuideData(evidence, pairs, extents if kind == "extent" else embedded, grid_area()),
            recipe,
            kind,
            folder / f"{name.replace(' ', '_')}{member}",
            device=device,
            title=name,
            quiet=quiet,
        )
        for name, (kind, recipe) in wanted.items()
    }


def _baseline(
    cases: Sequence[ExpertCase],
    held_out: Sequence[ExpertCase],
    fold: int,
    session: Session,
    plan: AblationPlan,
    file: Path,
    device: torch.device,
    quiet: bool,
) -> list[Outcome]:
    """The baseline on one fold; it has no logit of its own, so no calibration."""
    net = train_baseline(cases, plan.baseline_seconds, file, device=device, quiet=quiet)
    nothing = np.zeros(0, np.float32)
    outcomes = []
    for patient, case in enumerate(held_out):
        truth = case.labels >= SCAR
        for degraded in (False, True):
            stack = degrade(case.stack, 77_000 + 100 * fold + patient) if degraded else case.stack
            try:
                found = segment_baseline(net, stack, session)
            except InputError:
                found = np.zeros(truth.shape, bool)
            counts = (int((found & truth).sum()), int(found.sum()), int(truth.sum()))
            figures = overlap(found, truth, case.stack.spacing)
            ml = float(found.sum()) * case.stack.voxel_ml
            voxels = (nothing, nothing, nothing.astype(bool), nothing.astype(bool))
            outcomes.append(
                Outcome(BASELINE, degraded, case.name, fold, bool(truth.any()), figures, ml, counts, *voxels)
            )
    return outcomes


def check_run(run: Path, plan: AblationPlan) -> list[int]:
    """The folds of ``plan``, each with its weights in ``run``.

    Raises
    ------
    InputError : ``run`` lacks the weights of a fold.
    """
    chosen = list(range(plan.folds)) if plan.only_folds is None else list(plan.only_folds)
    for fold in chosen:
        if not (run / f"fold{fold}" / "weights.safetensors").is_file():
            raise InputError(f"{run.name}: fold{fold}/weights.safetensors is missing; run scarsegecg train first")
    return chosen


def run_ablation(
    cases: Sequence[ExpertCase],
    run: Path,
    ecg_folder: Path,
    plan: AblationPlan,
    device: torch.device,
    quiet: bool = False,
) -> tuple[list[Outcome], EcgEncoder, EcgSkill] | None:
    """Train and evaluate; every step is kept under ``run`` and taken up again.

    Returns
    -------
    The outcomes of all folds, the encoder, and how well it reads the held-out ECGs; None in a process of ``torchrun``
    that only helped.

    Raises
    ------
    InputError : ``run`` lacks the weights of a fold.
    """
    chosen = check_run(run, plan)
    many = int(os.environ.get("WORLD_SIZE", 1)) > 1
    if many and not distributed.is_initialized():
        distributed.init_process_group("gloo")
    if many and device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    noise, hearts = steady_noise(noise_bank(ecg_folder)), real_hearts(ecg_folder)
    encoder: EcgEncoder | None = None
    if not many or distributed.get_rank() == 0:
        encoder = train_encoder(plan.encoder, noise, hearts, run / "ecg", device=device, quiet=quiet)
    if many:
        distributed.barrier()
    encoder = encoder or train_encoder(plan.encoder, noise, hearts, run / "ecg", device=device, quiet=quiet)

    groups = patient_folds([case.name for case in cases], [case.scar_ml for case in cases], plan.folds)

    def branches(fold: int) -> tuple[Session, dict[str, GuideTrainer]]:
        folder = run / f"fold{fold}"
        session = Session.load(folder / "weights.safetensors", "cpu")
        seen = [case for case in cases if case.name not in groups[fold]]
        place = folder / "ecg"
        trained = train_branches(
            seen,
            session,
            encoder,
            noise,
            plan,
            place,
            _PAIR_SEED + fold,
            wanted=plan.branches,
            device=device,
            quiet=quiet,
        )
        return session, trained

    for fold in my_share(chosen):
        branches(fold)
    if many:
        distributed.barrier()
        if distributed.get_rank() != 0:
            return None
    outcomes: list[Outcome] = []
    read: list[Pairs] = []
    for fold in chosen:
        session, trainers = branches(fold)
        held_out = [case for case in cases if case.name in groups[fold]]
        ecgs = make_test_ecgs(held_out, noise, _TEST_SEED + 10 * fold, plan.test_ecgs, quiet)
        read.append(ecgs.own)
        with tqdm(total=len(held_out), desc=f"fold {fold} rows", unit="case", disable=quiet) as bar:
            outcomes += evaluate_rows(held_out, fold, session, trainers, ecgs, rows=plan.rows, progress=_advance(bar))
        if plan.baseline_seconds > 0:
            file = run / f"fold{fold}" / "baseline.safetensors"
            seen = [case for case in cases if case.name not in groups[fold]]
            outcomes += _baseline(seen, held_out, fold, session, plan, file, device, quiet)
    return outcomes, encoder, ecg_skill(encoder, read)


def _advance(bar: tqdm) -> Callable[[str], None]:
    def step(name: str) -> None:
        bar.update()

    return step


def write_ablation(folder: Path, outcomes: Sequence[Outcome], plan: AblationPlan, notes: Sequence[str] = ()) -> str:
    """``ablation.csv``, ``.md`` and ``.png`` (or ``remedies``), reliability diagrams; returns the Markdown."""
    lines = table(outcomes)
    if plan.baseline_seconds > 0:
        trained = f"{plan.baseline_seconds:g} s of processor time per fold (of the clock on a GPU)"
        notes = [*notes, f"Baseline: MONAI's {BASELINE}, images alone, trained for {trained}."]
    text = as_markdown(lines, notes)
    name = "remedies" if plan.remedies else "ablation"
    write_text(folder / f"{name}.md", text)
    write_text(folder / f"{name}.csv", as_csv(lines))
    _write_png(folder / f"{name}.png", plot(lines))
    for degraded, images in () if plan.remedies else ((False, "clean"), (True, "degraded")):
        caption = f"Scar probability on {images} images. {CAPTION.split('.')[0]}."
        figure = reliability_figure(reliabilities(outcomes, degraded), caption)
        _write_png(folder / f"reliability_{images}.png", figure)
    return text


def _write_png(path: Path, figure: Figure) -> None:
    partial = path.with_name(path.name + ".partial")
    figure.savefig(partial, format="png", dpi=150)
    partial.replace(path)
