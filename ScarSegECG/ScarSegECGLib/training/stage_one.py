"""Stage 1: the locator and the network that sees a slice between its neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ScarSegECGLib.case import CAVITY, MYOCARDIUM, SCAR
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.checks import LEAST_FIELD_MM
from ScarSegECGLib.network.device import place
from ScarSegECGLib.network.field import LOCATOR_PIXEL_MM, PIXEL_MM
from ScarSegECGLib.network.intensity import heart_disc
from ScarSegECGLib.network.polar_grid import polar_area, polar_offsets_mm
from ScarSegECGLib.network.unet import ImageOutput, LocatorUNet, ScarUNet
from ScarSegECGLib.network.weights import Weights, half_precision, write_weights
from ScarSegECGLib.training.augment import AugmentPlan, augment, square_offsets
from ScarSegECGLib.training.dataset import Slices, coarse_slices, fine_slices
from ScarSegECGLib.training.fit import Epochs, Network, Place, fit, mixed, started
from ScarSegECGLib.training.paint import find_walls, paint
from ScarSegECGLib.training.plan import Plan

LICENCE = "CC BY-NC-SA 4.0"
CLASSES = ["background", "LV cavity", "LV wall", "scar given wall"]
Change = Callable[[Tensor, Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]]


def scar_plan() -> AugmentPlan:
    """The slice unrolled about a centre that is some millimetres off the LV's, now and then far off."""
    return AugmentPlan(polar_offsets_mm() / PIXEL_MM, shift=2.0, far_shift=5.0, levelled_where=heart_disc())


def locator_plan() -> AugmentPlan:
    """320 mm of the whole slice, the LV anywhere in it: the training images have it in the middle."""
    return AugmentPlan(
        square_offsets(128),
        shift=20.0,
        far_shift=25.0,
        scale=1.3,
        stretch=1.1,
        neighbour_shift=0.0,
        crop_pixels=(LEAST_FIELD_MM / LOCATOR_PIXEL_MM, 260 / LOCATOR_PIXEL_MM),
    )


def soft_dice_loss(probability: Tensor, truth: Tensor, area: Tensor) -> Tensor:
    """1 - Dice of the whole batch [B, H, W] taken as one image: a slice without the structure has no vote of its own.

    ``area`` [H, W] is what each pixel stands for (MONAI's DiceLoss knows no pixel that counts more than another).
    """
    shared, both = (probability * truth * area).sum(), ((probability + truth) * area).sum()
    return 1 - (2 * shared + 1) / (both + 1)


def image_loss(output: ImageOutput, labels: Tensor, area: Tensor) -> Tensor:
    """Loss of the image network against expert labels [B, H, W] (0 background, 1 cavity, 2 myocardium, 3 scar).

    Cross-entropy and soft Dice for the anatomy; for the scar, cross-entropy where the expert sees wall (elsewhere
    "scar given wall" has no meaning) and soft Dice of the joint probability wall x scar. ``area`` [H, W] makes pixels
    of an unrolled image count as what they cover; where it is 0 nothing is learned.
    """
    area = area.to(labels.device)
    cavity, wall, scar = ((labels == CAVITY).float(), (labels >= MYOCARDIUM).float(), (labels == SCAR).float())
    anatomy, scar_logit = output.anatomy.float(), output.scar.float().squeeze(1)
    classes = torch.clamp(labels.long(), max=MYOCARDIUM)
    probability = anatomy.softmax(dim=1)
    anatomy_entropy = (F.cross_entropy(anatomy, classes, reduction="none") * area).sum() / (area.sum() * len(labels))
    scar_entropy = F.binary_cross_entropy_with_logits(scar_logit, scar, weight=wall * area, reduction="sum")
    return (
        anatomy_entropy
        + 0.5 * soft_dice_loss(probability[:, CAVITY], cavity, area)
        + 0.5 * soft_dice_loss(probability[:, MYOCARDIUM], wall, area)
        + scar_entropy / ((wall * area).sum() + 1)
        + soft_dice_loss(probability[:, MYOCARDIUM] * scar_logit.sigmoid(), scar, area)
    )


def locator_loss(logit: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy and soft Dice of the whole LV (cavity or wall) against labels [B, H, W]."""
    ventricle, logit = (labels > 0).float(), logit.float().squeeze(1)
    entropy = F.binary_cross_entropy_with_logits(logit, ventricle)
    return entropy + soft_dice_loss(logit.sigmoid(), ventricle, torch.ones_like(logit[0]))


def train_network(
    make: Callable[[], Network],
    loss: Callable[..., Tensor],
    slices: Slices,
    plan: AugmentPlan,
    schedule: Epochs,
    where: Place,
    change: Change | None = None,
) -> Network:
    """Train on augmented slices, or take up again where the folder left off.

    ``loss(output, labels)``; ``change(images, labels, chosen, rng)`` alters a batch before it is augmented.
    """

    batches = max(1, len(slices.images) // schedule.batch)
    left: list[Tensor] = []  # of an epoch

    def loss_of_batch(network: nn.Module, rng: torch.Generator) -> Tensor:
        if not left:
            left.extend(torch.randperm(len(slices.images), generator=rng).split(schedule.batch)[:batches])
        chosen = left.pop(0)
        images, labels = slices.images[chosen].float(), slices.labels[chosen]
        if change is not None:
            images, labels = change(images, labels, chosen, rng)
        images, labels = augment(images, labels, slices.centres[chosen], plan, rng)
        with mixed(where.device):
            output = network(images.to(where.device, memory_format=torch.channels_last))
        return loss(output, labels.to(where.device))

    return fit(lambda: place(make(), where.device), loss_of_batch, schedule, where, steps_each=batches)


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


def train_stage_one(plan: Plan, group: int) -> Path:
    """Train locator and network of one group; returns the weights file of both. Errors: :func:`unseen_member`."""
    path = plan.folder(group) / "weights.safetensors"
    if path.is_file():
        return path
    recipe, start, seen = plan.recipe, plan.start, plan.seen_by(group)
    known = {} if start is None else start.part(f"member{unseen_member(start, plan.groups[group])}.")
    known_locator = {} if start is None else start.part("locator.")

    locator_schedule = Epochs(recipe.locator_epochs, average=0.99, checkpoint_every=2)
    if known_locator:
        locator_schedule = replace(locator_schedule, epochs=recipe.tuning_epochs, learning_rate=5e-4)
    locator = train_network(
        lambda: started(LocatorUNet(recipe.locator_channels), known_locator),
        locator_loss,
        coarse_slices(seen),
        locator_plan(),
        locator_schedule,
        plan.place(group, "locator", "locator"),
    )
    schedule = Epochs(recipe.scar_epochs, average=0.998)
    if known:
        schedule = Epochs(recipe.tuning_epochs, learning_rate=1e-3, average=0.995, checkpoint_every=1)
    slices, area = fine_slices(seen), polar_area()
    walls = find_walls(slices.images, slices.labels, slices.first_of_stack)
    network = train_network(
        lambda: started(ScarUNet(recipe.scar_channels), known),
        lambda output, labels: image_loss(output, labels, area),
        slices,
        scar_plan(),
        schedule,
        plan.place(group, "scar0", "stage 1"),
        lambda images, labels, chosen, rng: paint(images, labels, chosen, walls, rng),
    )
    settings: dict = {"members": 1, "mirror": True, "pixel_mm": PIXEL_MM, "stack_channels": 0, "ecg_trained": False}
    settings |= {"channels": list(recipe.scar_channels), "locator_channels": list(recipe.locator_channels)}
    settings |= {"classes": CLASSES, "licence": LICENCE, "history": recipe.history}
    settings |= {"member_trained_on": [[case.name for case in seen]], "held_out": list(plan.groups[group])}
    write_weights(path, half_precision(locator, "locator.") | half_precision(network, "member0."), settings)
    return path
