"""The whole training: stage 1, stage 2 and TAFF of every fold and of all patients, each on out-of-fold maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.measure.trust import Trust
from ScarSegECGLib.network.ecg_encoder import EcgEncoder
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.network.stack_net import StackNet
from ScarSegECGLib.network.weights import half_precision, read_weights, write_weights
from ScarSegECGLib.training.evaluate import CaseFigures, evaluate_case
from ScarSegECGLib.training.fit import Place, once
from ScarSegECGLib.training.pairs import Pairs, segment_fractions
from ScarSegECGLib.training.stage_one import Run, train_stage_one
from ScarSegECGLib.training.stage_two import (
    CLEAN,
    DEGRADED,
    VERSIONS,
    SeenStack,
    StackRecipe,
    see_patients,
    train_stack_net,
    version_of,
)
from ScarSegECGLib.training.tables import write_table
from ScarSegECGLib.training.taff import FusedStack, TaffRecipe, jittered_prior, train_taff
from ScarSegECGLib.training.trust_fit import Judged, Nested, as_settings, fit_trust, nested

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

    def place(self, group: int, folder: str, stage: str) -> Place:
        """Where one of a group's networks is trained."""
        return Place(
            self.folder(group) / folder, f"{self.title(group)}, {stage}", self.run.device, quiet=self.run.quiet
        )

    def fold_of(self, name: str) -> int:
        """The fold that holds a patient out."""
        return next(index for index, names in enumerate(self.folds) if name in names)

    def by_fold(self) -> list[ExpertCase]:
        """All patients, those of one fold after another, so that every fold's networks are loaded once."""
        return sorted(self.cases, key=lambda case: (self.fold_of(case.name), case.name))

    def session_of(self, weights: Callable[[int], Path]) -> Callable[[str], Session]:
        """The networks that have not seen a patient, by its name; ``weights(fold)`` makes or finds their file."""
        session = lru_cache(maxsize=1)(lambda fold: Session.load(weights(fold), str(self.run.device)))
        return lambda name: session(self.fold_of(name))

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


def _halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.half() if value.is_floating_point() else value for key, value in tensors.items()}


def train_images(plan: Plan, group: int) -> Path:
    """Stage 1 of one group."""
    return train_stage_one(plan.cases, plan.groups[group], plan.run, plan.folder(group), plan.title(group))


def look_at_held_out(plan: Plan) -> dict[str, list[SeenStack]]:
    """Every patient through the stage 1 that has not learned from it."""
    session_of = plan.session_of(lambda fold: train_images(plan, fold))
    return see_patients(plan.by_fold(), session_of, plan.run.folder / "seen", plan.run.quiet)


def train_stack(plan: Plan, group: int, bank: dict[str, list[SeenStack]]) -> Path:
    """Stage 2 of one group, put beside its stage 1; returns the weights file of both."""
    path = plan.folder(group) / "image.safetensors"
    if path.is_file():
        return path
    stage_one = read_weights(train_images(plan, group))
    place = plan.place(group, "stack", "stage 2")
    network = train_stack_net(bank, plan.seen_by(group), plan.stack, plan.trained("stack."), place)
    settings = stage_one.settings | {"stack_channels": plan.stack.channels}
    write_weights(path, _halved(stage_one.tensors) | half_precision(network, "stack."), settings)
    return path


def fuse_held_out(
    plan: Plan, bank: dict[str, list[SeenStack]], fractions: NDArray[np.float64]
) -> dict[str, list[FusedStack]]:
    """AHA priors for TAFF, jittered, on the anatomy that held-out networks predicted; kept patient by patient."""
    session_of = plan.session_of(lambda fold: train_stack(plan, fold, bank))
    numbers = {case.name: number for number, case in enumerate(plan.cases)}
    found: dict[str, list[FusedStack]] = {}
    for case in tqdm(plan.by_fold(), desc="AHA priors", unit="patient", disable=plan.run.quiet):
        number = numbers[case.name]

        def priors_of(case: ExpertCase = case, number: int = number) -> dict[str, Tensor]:
            tensors = {}
            for seen in bank[case.name]:
                kind = VERSIONS[seen.version]
                if kind in FUSED_VERSIONS:
                    rng = np.random.default_rng([number, seen.version, 5])
                    stack = version_of(case, kind, seen.seed).stack
                    tensors[str(seen.version)] = jittered_prior(session_of(case.name), stack, seen, rng)
            return {key: prior for key, prior in tensors.items() if prior is not None}

        priors = once(plan.run.folder / "priors" / f"{case.name}.safetensors", priors_of)
        expert = torch.from_numpy(fractions[number]).float()
        stacks = [
            FusedStack(seen, priors[str(seen.version)], number, expert)
            for seen in bank[case.name]
            if str(seen.version) in priors
        ]
        if stacks:
            found[case.name] = stacks
    if len(found) < len(plan.folds):
        raise InputError(f"a left ventricle was found in {len(found)} of {len(plan.cases)} patients; train for longer")
    return found


def train_ecg(
    plan: Plan,
    group: int,
    bank: dict[str, list[SeenStack]],
    fused: dict[str, list[FusedStack]],
    encoder: EcgEncoder,
    pairs: Pairs,
) -> Path:
    """TAFF of one group, put beside its image networks; returns the weights file of all."""
    path = plan.folder(group) / "full.safetensors"
    if path.is_file():
        return path
    image = read_weights(train_stack(plan, group, bank))
    stage_two = StackNet(plan.stack.channels)
    stage_two.load_state_dict(image.part("stack."))
    names = [name for name in plan.seen_by(group) if name in fused]
    place = plan.place(group, "taff", "TAFF")
    branch = train_taff(stage_two, encoder, fused, names, pairs, plan.taff, plan.trained("ecg."), place)
    settings = image.settings | {
        "ecg_trained": True,
        "token_size": encoder.token_size,
        "encoder_width": encoder.width,
    }
    write_weights(path, _halved(image.tensors) | half_precision(branch, "ecg."), settings)
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
    write_table(folder / "cross_validation.csv", [{"fold": fold, **row.flat()} for fold, row in ordered])
    slices = [{"fold": fold, **line} for fold, row in ordered for line in row.flat_slices()]
    write_table(folder / "cross_validation_slices.csv", slices)


def assemble(plan: Plan, weights: Path, trust: Trust, path: Path) -> str:
    """The networks trained on everybody, with what was learned of how far to rely on them; returns the hash."""
    held = read_weights(weights)
    names = [case.name for case in plan.cases]
    settings = held.settings | {"trust": as_settings(trust), "trained_on": names}
    return write_weights(path, _halved(held.tensors), settings)
