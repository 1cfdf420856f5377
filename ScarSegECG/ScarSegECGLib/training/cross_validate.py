"""Patient-level cross-validation, and the ensemble that is shipped."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.network.polar_grid import polar_area
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.network.weights import half_precision, read_weights, write_weights
from ScarSegECGLib.training.dataset import coarse_slices, fine_slices
from ScarSegECGLib.training.ecg_stage_one import EncoderRecipe
from ScarSegECGLib.training.ecg_training import GuideRecipe
from ScarSegECGLib.training.evaluate import CaseFigures, evaluate_case
from ScarSegECGLib.training.folds import patient_folds
from ScarSegECGLib.training.losses import image_loss, locator_loss
from ScarSegECGLib.training.paint import find_walls, paint
from ScarSegECGLib.training.recipe import Recipe
from ScarSegECGLib.training.train import train_network

LICENCE = "CC BY-NC-SA 4.0"


@dataclass(frozen=True)
class Run:
    """Where a training writes and what it runs on."""

    folder: Path
    device: torch.device
    recipe: Recipe
    quiet: bool = False


def _settings(recipe: Recipe, members: int, trained_on: Sequence[str], held_out: Sequence[str]) -> dict:
    return {
        "channels": list(recipe.scar_channels),
        "locator_channels": list(recipe.locator_channels),
        "members": members,
        "mirror": True,
        "ecg_trained": False,
        "classes": ["background", "LV cavity", "LV wall", "scar given wall"],
        "pixel_mm": 1.25,
        "data": "EMIDEC (Lalande et al., Data 2020, 5(4):89), 67 of the 100 training patients",
        "licence": LICENCE,
        "history": recipe.history,
        "trained_on": list(trained_on),
        "held_out": list(held_out),
    }


def _train_locator(cases: Sequence[ExpertCase], run: Run, folder: Path, title: str) -> nn.Module:
    recipe = run.recipe
    return train_network(
        recipe.locator_network,
        locator_loss,
        coarse_slices(cases),
        recipe.locator_plan,
        recipe.locator_schedule,
        folder,
        device=run.device,
        title=title,
        quiet=run.quiet,
    )


def train_member(cases: Sequence[ExpertCase], run: Run, folder: Path, member: int, title: str) -> nn.Module:
    """Train one of a fold's scar networks; they differ by their seed alone."""
    recipe = run.recipe
    slices = fine_slices(cases)
    walls = find_walls(slices.images, slices.labels, slices.first_of_stack)
    area = polar_area()
    return train_network(
        recipe.scar_network,
        lambda output, labels: image_loss(output, labels, area),
        slices,
        recipe.scar_plan,
        recipe.scar_schedule(member),
        folder / f"scar{member}",
        device=run.device,
        title=f"{title} scar {member + 1}/{recipe.members}",
        quiet=run.quiet,
        change=lambda images, labels, chosen, rng: paint(images, labels, chosen, walls, rng),
    )


def train_fold(cases: Sequence[ExpertCase], held_out: Sequence[str], run: Run, fold: int) -> Path:
    """Train locator and scar networks without the held-out patients; returns the fold's weights file."""
    folder = run.folder / f"fold{fold}"
    weights = folder / "weights.safetensors"
    if weights.is_file():
        return weights
    seen = [case for case in cases if case.name not in held_out]
    tensors = half_precision(_train_locator(seen, run, folder / "locator", f"fold {fold} locator"), "locator.")
    for member in range(run.recipe.members):
        network = train_member(seen, run, folder, member, f"fold {fold}")
        tensors |= half_precision(network, f"member{member}.")
    write_weights(weights, tensors, _settings(run.recipe, run.recipe.members, [case.name for case in seen], held_out))
    return weights


def evaluate_fold(
    cases: Sequence[ExpertCase], held_out: Sequence[str], weights: Path, device: str
) -> list[CaseFigures]:
    """Figures of the held-out patients with the weights that never saw them."""
    session = Session.load(weights, device)
    return [evaluate_case(case, session) for case in cases if case.name in held_out]


def _ecg_branches(run: Run, folds: int) -> dict[str, Tensor]:
    """The folds' ECG branches as ``scarsegecg ablate`` trained them; nothing unless every fold has one."""
    files = [run.folder / f"fold{fold}" / "ecg" / "taff0" / "branch.safetensors" for fold in range(folds)]
    if not all(file.is_file() for file in files):
        return {}
    return {
        f"ecg{fold}.{key.removeprefix('branch.')}": value.half() if value.is_floating_point() else value
        for fold, file in enumerate(files)
        for key, value in load_file(file).items()
        if key.startswith("branch.")
    }


def assemble(cases: Sequence[ExpertCase], fold_weights: Sequence[Path], run: Run, path: Path) -> str:
    """Put the folds' networks and a locator trained on all patients into one file; returns its hash.

    ECG branches are taken in where they have been trained (one member for each fold, then).
    """
    tensors = half_precision(_train_locator(cases, run, run.folder / "all" / "locator", "locator on all"), "locator.")
    members = 0
    for file in fold_weights:
        fold = read_weights(file)
        for index in range(fold.settings["members"]):
            for key, value in fold.part(f"member{index}.").items():
                tensors[f"member{members}.{key}"] = value.half() if value.is_floating_point() else value
            members += 1
    settings = _settings(run.recipe, members, [case.name for case in cases], [])
    branches = _ecg_branches(run, len(fold_weights)) if members == len(fold_weights) else {}
    if branches:
        encoder = EncoderRecipe()
        settings |= {"ecg_trained": True, "token_size": encoder.token_size, "encoder_width": encoder.width}
        settings["segment_word"] = GuideRecipe().word
    return write_weights(path, tensors | branches, settings)


def cross_validate(
    cases: Sequence[ExpertCase], run: Run, *, folds: int = 5, only: int | None = None
) -> list[tuple[int, CaseFigures]]:
    """Train and evaluate every fold (or ``only`` one); returns (fold, figures) of every held-out patient."""
    groups = patient_folds([case.name for case in cases], [case.scar_ml for case in cases], folds)
    figures = []
    for fold, held_out in enumerate(groups):
        if only is not None and fold != only:
            continue
        weights = train_fold(cases, held_out, run, fold)
        figures += [(fold, row) for row in evaluate_fold(cases, held_out, weights, str(run.device))]
    return figures


def write_table(path: Path, figures: Sequence[tuple[int, CaseFigures]]) -> None:
    """One line per held-out patient, by name."""
    rows = [{"fold": fold, **row.flat()} for fold, row in sorted(figures, key=lambda pair: pair[1].case)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
