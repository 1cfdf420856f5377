"""The whole training: stage 1, stage 2 and TAFF of every fold and of all patients, each on out-of-fold maps."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm import tqdm

from ScarSegECGLib.anatomy.aha import partition
from ScarSegECGLib.anatomy.lv import clean, is_left_ventricle
from ScarSegECGLib.anatomy.soft import soft_prior
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.measure.trust import Trust
from ScarSegECGLib.network.ecg_encoder import EcgEncoder
from ScarSegECGLib.network.polar_grid import cut_polar
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.network.stack_net import StackNet, without_wrap
from ScarSegECGLib.network.weights import half_precision, read_weights, write_weights
from ScarSegECGLib.training.evaluate import CaseFigures, evaluate_case
from ScarSegECGLib.training.image_stage import Run, train_stage_one
from ScarSegECGLib.training.pairs import Pairs, segment_fractions
from ScarSegECGLib.training.stack_bank import CLEAN, DEGRADED, VERSIONS, SeenStack, see_patients, version_of
from ScarSegECGLib.training.stack_training import StackRecipe, train_stack_net
from ScarSegECGLib.training.taff_training import FusedStack, TaffRecipe, packed_prior, train_taff
from ScarSegECGLib.training.trust_fit import Judged, Nested, as_settings, fit_trust, nested

ROTATE_DEG, SHIFT_SLICES = 15.0, 1  # how far the AHA prior is jittered: the real one is never exact
FUSED_VERSIONS = (CLEAN, DEGRADED)


@dataclass(frozen=True)
class Plan:
    """What is trained on whom: ``folds`` of held-out names; the last entry of :attr:`groups` holds nobody out."""

    cases: Sequence[ExpertCase]
    folds: Sequence[Sequence[str]]
    run: Run
    stack: StackRecipe = field(default_factory=StackRecipe)
    taff: TaffRecipe = field(default_factory=TaffRecipe)

    @property
    def groups(self) -> list[Sequence[str]]:
        """Who is held out, group by group; nobody in the last."""
        return [*self.folds, []]

    def folder(self, group: int) -> Path:
        """Where a group's networks are kept."""
        return self.run.folder / ("all" if group == len(self.folds) else f"fold{group}")

    def title(self, group: int) -> str:
        """For progress."""
        return "all patients" if group == len(self.folds) else f"fold {group}"

    def fold_of(self, name: str) -> int:
        """The fold that holds a patient out."""
        return next(index for index, names in enumerate(self.folds) if name in names)

    def trained(self, prefix: str) -> dict[str, Tensor]:
        """Stage 2 ("stack.") or the ECG's branch ("ecg.") of the start weights; nothing where they hold none that fits.

        That they have seen no held-out patient was found with stage 1.
        """
        start = self.run.start
        if start is None or start.settings.get("stack_channels") != self.stack.channels:
            return {}
        return start.part(prefix)

    def seen_by(self, group: int) -> list[str]:
        """Names of the patients a group trains on."""
        return [case.name for case in self.cases if case.name not in self.groups[group]]


def train_images(plan: Plan, group: int) -> Path:
    """Stage 1 of one group."""
    return train_stage_one(plan.cases, plan.groups[group], plan.run, plan.folder(group), plan.title(group))


def look_at_held_out(plan: Plan) -> dict[str, list[SeenStack]]:
    """Every patient through the stage 1 that has not learned from it."""

    @lru_cache(maxsize=1)
    def session(fold: int) -> Session:
        return Session.load(train_images(plan, fold), str(plan.run.device))

    ordered = sorted(plan.cases, key=lambda case: (plan.fold_of(case.name), case.name))
    return see_patients(
        ordered, lambda name: session(plan.fold_of(name)), plan.run.folder / "seen", quiet=plan.run.quiet
    )


def train_stack(plan: Plan, group: int, bank: dict[str, list[SeenStack]]) -> Path:
    """Stage 2 of one group, put beside its stage 1; returns the weights file of both."""
    folder = plan.folder(group)
    path = folder / "image.safetensors"
    if path.is_file():
        return path
    stage_one = read_weights(train_images(plan, group))
    network = train_stack_net(
        bank,
        plan.seen_by(group),
        plan.stack,
        folder / "stack",
        device=plan.run.device,
        title=f"{plan.title(group)}, stage 2",
        start=plan.trained("stack."),
        quiet=plan.run.quiet,
    )
    tensors = {k: v.half() if v.is_floating_point() else v for k, v in stage_one.tensors.items()}
    settings = stage_one.settings | {"stack_channels": plan.stack.channels}
    write_weights(path, tensors | half_precision(network, "stack."), settings)
    return path


def fuse_held_out(
    plan: Plan, bank: dict[str, list[SeenStack]], fractions: NDArray[np.float64]
) -> dict[str, list[FusedStack]]:
    """AHA priors for TAFF, jittered, on the anatomy that held-out networks predicted; kept patient by patient."""
    folder = plan.run.folder / "priors"
    folder.mkdir(parents=True, exist_ok=True)
    sessions = lru_cache(maxsize=1)(lambda fold: Session.load(train_stack(plan, fold, bank), str(plan.run.device)))
    kept: dict[str, list[FusedStack]] = {}
    numbers = {case.name: number for number, case in enumerate(plan.cases)}
    ordered = sorted(plan.cases, key=lambda case: (plan.fold_of(case.name), case.name))
    for case in tqdm(ordered, desc="AHA priors", unit="patient", disable=plan.run.quiet):
        number, file = numbers[case.name], folder / f"{case.name}.safetensors"
        if not file.is_file():
            tensors = {}
            for seen in bank[case.name]:
                if VERSIONS[seen.version] not in FUSED_VERSIONS:
                    continue
                rng = np.random.default_rng([number, seen.version, 5])
                stack = version_of(case, VERSIONS[seen.version], seen.seed).stack
                prior = _jittered_prior(sessions(plan.fold_of(case.name)), stack, seen, rng)
                if prior is not None:
                    tensors[str(seen.version)] = torch.from_numpy(packed_prior(prior))
            save_file(tensors, file.with_suffix(".partial"))
            file.with_suffix(".partial").replace(file)
        priors = load_file(file)
        expert = torch.from_numpy(fractions[number]).float()
        kept[case.name] = [
            FusedStack(seen, priors[str(seen.version)], number, expert)
            for seen in bank[case.name]
            if str(seen.version) in priors
        ]
    found = {name: stacks for name, stacks in kept.items() if stacks}
    if len(found) < len(plan.folds):
        raise InputError(f"a left ventricle was found in {len(found)} of {len(plan.cases)} patients; train for longer")
    return found


def _jittered_prior(session: Session, stack, seen: SeenStack, rng: np.random.Generator) -> NDArray | None:
    evidence = session.second_look(stack, seen.centres_mm, seen.seen)
    cavity, wall = clean(evidence.classes == 1, evidence.classes == 2)
    if not is_left_ventricle(cavity, wall, stack.spacing):
        return None
    anatomy = partition(cavity, wall, stack.voxels, stack.spacing, orientation_known=stack.orientation_known)
    prior = soft_prior(
        anatomy,
        stack.spacing,
        rotate_deg=float(rng.uniform(-ROTATE_DEG, ROTATE_DEG)),
        shift_slices=int(rng.integers(-SHIFT_SLICES, SHIFT_SLICES + 1)),
    )
    values = torch.from_numpy(prior.values)
    return without_wrap(cut_polar(values, stack.spacing[1:], seen.centres_mm, corner=prior.corner)).numpy()


def train_ecg(
    plan: Plan,
    group: int,
    bank: dict[str, list[SeenStack]],
    fused: dict[str, list[FusedStack]],
    encoder: EcgEncoder,
    pairs: Pairs,
) -> Path:
    """TAFF of one group, put beside its image networks; returns the weights file of all."""
    folder = plan.folder(group)
    path = folder / "full.safetensors"
    if path.is_file():
        return path
    image = read_weights(train_stack(plan, group, bank))
    stage_two = StackNet(plan.stack.channels)
    stage_two.load_state_dict(image.part("stack."))
    branch: nn.Module = train_taff(
        stage_two,
        encoder,
        fused,
        [name for name in plan.seen_by(group) if name in fused],
        pairs,
        plan.taff,
        folder / "taff",
        device=plan.run.device,
        title=f"{plan.title(group)}, TAFF",
        start=plan.trained("ecg."),
        quiet=plan.run.quiet,
    )
    tensors = {k: v.half() if v.is_floating_point() else v for k, v in image.tensors.items()}
    settings = image.settings | {
        "ecg_trained": True,
        "token_size": encoder.token_size,
        "encoder_width": encoder.width,
    }
    write_weights(path, tensors | half_precision(branch, "ecg."), settings)
    return path


def evaluate_fold(
    plan: Plan, fold: int, weights: Path, progress: Callable[[str], None] = lambda name: None
) -> list[CaseFigures]:
    """Figures of a fold's held-out patients, by the images alone, with the networks that never saw them."""
    session = Session.load(weights, str(plan.run.device))
    figures = []
    for case in plan.cases:
        if case.name in plan.folds[fold]:
            progress(case.name)
            figures.append(evaluate_case(case, session))
    return figures


def trusted(rows: Sequence[tuple[int, CaseFigures]]) -> tuple[list[tuple[int, CaseFigures]], Trust, Nested]:
    """Figures with presence and interval as a fit on the *other* folds tells them, and the fit that is shipped."""
    seen = [Judged(row.signs, row.true_scar_ml, float(row.scar.dice or 0.0), fold) for fold, row in rows]
    tried = nested(seen)
    told = [
        (fold, replace(row, present=present, interval_ml=interval))
        for (fold, row), present, interval in zip(rows, tried.present, tried.interval_ml, strict=True)
    ]
    return told, fit_trust(seen), tried


def expert_fractions(cases: Sequence[ExpertCase]) -> NDArray[np.float64]:
    """Scar fraction of every AHA segment in the experts' contours, [patient, 17]."""
    return np.stack([segment_fractions(case) for case in cases])


def write_tables(folder: Path, rows: Sequence[tuple[int, CaseFigures]]) -> None:
    """``cross_validation.csv``, a line per held-out patient, and ``cross_validation_slices.csv``, a line per slice."""
    ordered = sorted(rows, key=lambda pair: pair[1].case)
    patients = [{"fold": fold, **row.flat()} for fold, row in ordered]
    slices = [
        {"fold": fold, "case": row.case}
        | {key: "" if value is None else round(value, 4) for key, value in asdict(one).items()}
        for fold, row in ordered
        for one in row.slices
    ]
    for name, lines in (("cross_validation", patients), ("cross_validation_slices", slices)):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(lines[0]))
            writer.writeheader()
            writer.writerows(lines)


def assemble(plan: Plan, weights: Path, trust: Trust, path: Path) -> str:
    """The networks trained on everybody, with what was learned of how far to rely on them; returns the hash."""
    held = read_weights(weights)
    tensors = {k: v.half() if v.is_floating_point() else v for k, v in held.tensors.items()}
    names = [case.name for case in plan.cases]
    return write_weights(path, tensors, held.settings | {"trust": as_settings(trust), "trained_on": names})
