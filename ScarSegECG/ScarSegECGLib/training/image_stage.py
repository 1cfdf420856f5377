"""Stage 1: the locator and the network that sees a slice between its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.network.field import PIXEL_MM
from ScarSegECGLib.network.polar_grid import polar_area
from ScarSegECGLib.network.unet import ScarUNet
from ScarSegECGLib.network.weights import Weights, half_precision, write_weights
from ScarSegECGLib.training.dataset import coarse_slices, fine_slices
from ScarSegECGLib.training.losses import image_loss, locator_loss
from ScarSegECGLib.training.paint import find_walls, paint
from ScarSegECGLib.training.recipe import Recipe
from ScarSegECGLib.training.train import train_network

LICENCE = "CC BY-NC-SA 4.0"


@dataclass(frozen=True)
class Run:
    """Where a training writes, what it runs on, and the trained weights it starts from, if any."""

    folder: Path
    device: torch.device
    recipe: Recipe
    quiet: bool = False
    start: Weights | None = None


def settings_of(recipe: Recipe, trained_on: Sequence[str], held_out: Sequence[str]) -> dict:
    """What stands beside the tensors of one stage 1."""
    return {
        "channels": list(recipe.scar_channels),
        "locator_channels": list(recipe.locator_channels),
        "members": 1,
        "mirror": True,
        "stack_channels": 0,
        "ecg_trained": False,
        "classes": ["background", "LV cavity", "LV wall", "scar given wall"],
        "pixel_mm": PIXEL_MM,
        "licence": LICENCE,
        "history": recipe.history,
        "member_trained_on": [list(trained_on)],
        "held_out": list(held_out),
    }


def _train_locator(
    cases: Sequence[ExpertCase], held_out: Sequence[str], run: Run, folder: Path, title: str
) -> nn.Module:
    """From nothing, or from the start weights' locator where they hold one."""
    recipe = run.recipe
    tuned = run.start is not None and bool(run.start.part("locator."))

    def make() -> nn.Module:
        network = recipe.locator_network()
        if run.start is not None and tuned:
            unseen_member(run.start, held_out)
            network.load_state_dict(run.start.part("locator."))
        return network

    return train_network(
        make,
        locator_loss,
        coarse_slices(cases),
        recipe.locator_plan,
        recipe.locator_schedule(tuned),
        folder,
        device=run.device,
        title=title,
        quiet=run.quiet,
    )


def unseen_member(start: Weights, held_out: Sequence[str]) -> int:
    """The number of a network of the start weights that has seen none of the held-out patients.

    Raises
    ------
    InputError : every one has seen some of them.
    """
    for member, seen in enumerate(start.settings["member_trained_on"]):
        if not set(seen) & set(held_out):
            return member
    raise InputError("--from: every network there has seen patients that are held out here; their figures would lie")


def started(run: Run, held_out: Sequence[str]) -> ScarUNet:
    """A fresh stage 1, or that of the start weights which has seen none of the held-out patients."""
    network = run.recipe.scar_network()
    if run.start is not None:
        network.load_state_dict(run.start.part(f"member{unseen_member(run.start, held_out)}."))
    return network


def _train_network(
    cases: Sequence[ExpertCase], held_out: Sequence[str], run: Run, folder: Path, title: str
) -> nn.Module:
    recipe = run.recipe
    slices = fine_slices(cases)
    walls = find_walls(slices.images, slices.labels, slices.first_of_stack)
    area = polar_area()
    return train_network(
        lambda: started(run, held_out),
        lambda output, labels: image_loss(output, labels, area),
        slices,
        recipe.scar_plan,
        recipe.scar_schedule(run.start is not None),
        folder,
        device=run.device,
        title=title,
        quiet=run.quiet,
        change=lambda images, labels, chosen, rng: paint(images, labels, chosen, walls, rng),
    )


def train_stage_one(cases: Sequence[ExpertCase], held_out: Sequence[str], run: Run, folder: Path, title: str) -> Path:
    """Train locator and network without the held-out patients; returns the weights file in ``folder``."""
    weights = folder / "weights.safetensors"
    if weights.is_file():
        return weights
    seen = [case for case in cases if case.name not in held_out]
    tensors = half_precision(_train_locator(seen, held_out, run, folder / "locator", f"{title}, locator"), "locator.")
    network = _train_network(seen, held_out, run, folder / "scar0", f"{title}, stage 1")
    tensors |= half_precision(network, "member0.")
    write_weights(weights, tensors, settings_of(run.recipe, [case.name for case in seen], held_out))
    return weights
