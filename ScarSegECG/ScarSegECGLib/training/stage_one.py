"""Stage 1: the locator and the network that sees a slice between its neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

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
from ScarSegECGLib.network.stack_net import StackOutput
from ScarSegECGLib.network.unet import LocatorUNet, ScarUNet
from ScarSegECGLib.network.weights import Weights, write_weights
from ScarSegECGLib.training.augment import AugmentPlan, augment, find_walls, paint, square_offsets
from ScarSegECGLib.training.dataset import Slices, coarse_slices, fine_slices
from ScarSegECGLib.training.fit import Plan, Schedule, fit, mixed

LICENCE = "CC BY-NC-SA 4.0"
BATCH, WARM_UP = 16, 100
CLASSES = ["background", "LV cavity", "LV wall", "scar given wall"]
Change = Callable[..., tuple[Tensor, Tensor]]


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


def image_loss(output: StackOutput, labels: Tensor, area: Tensor) -> Tensor:
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


def loss_on(
    slices: Slices,
    plan: AugmentPlan,
    loss: Callable[..., Tensor],
    device: torch.device,
    change: Change | None = None,
    batch: int = BATCH,
) -> Callable[[nn.Module, torch.Generator], Tensor]:
    """``loss(output, labels)`` of a network on the next batch of augmented slices; an epoch shows every one once.

    ``change(images, labels, chosen, rng=rng)`` alters a batch before it is augmented.
    """
    left: list[Tensor] = []  # of an epoch

    def loss_of_batch(network: nn.Module, rng: torch.Generator) -> Tensor:
        if not left:
            left.extend(torch.randperm(len(slices.images), generator=rng).split(batch)[: batches(slices, batch)])
        chosen = left.pop(0)
        images, labels = slices.images[chosen].float(), slices.labels[chosen]
        if change is not None:
            images, labels = change(images, labels, chosen, rng=rng)
        images, labels = augment(images, labels, slices.centres[chosen], plan, rng)
        with mixed(device):
            output = network(images.to(device, memory_format=torch.channels_last))
        return loss(output, labels.to(device))

    return loss_of_batch


def batches(slices: Slices, batch: int = BATCH) -> int:
    """Whole batches in an epoch."""
    return max(1, len(slices.images) // batch)


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


def train_stage_one(plan: Plan, group: int) -> None:
    """Train locator and network of one group into its ``weights.safetensors``. Errors: :func:`unseen_member`."""
    path, recipe, start = plan.folder(group) / "weights.safetensors", plan.recipe, plan.start
    if path.is_file():
        return
    member = 0 if start is None else unseen_member(start, plan.groups[group])
    known, known_locator = ({} if start is None else start.part(name) for name in (f"member{member}.", "locator."))
    seen = list(plan.seen_by(group).values())

    slices = coarse_slices(seen)
    epoch = batches(slices)
    epochs = recipe.locator_epochs if start is None else recipe.tuning_epochs
    rate = 2e-3 if start is None else 5e-4
    locator = fit(
        lambda: place(LocatorUNet(recipe.locator_channels), plan.device),
        loss_on(slices, locator_plan(), locator_loss, plan.device),
        Schedule(epochs * epoch, rate, warm_up=WARM_UP, checkpoint_every=2 * epoch),
        plan.folder(group) / "locator",
        plan.device,
        quiet=plan.quiet,
        known=known_locator,
    )

    slices = fine_slices(seen)
    walls = find_walls(slices)
    schedule = Schedule(recipe.scar_epochs * epoch, average=0.998, warm_up=WARM_UP, checkpoint_every=10 * epoch)
    if start is not None:
        schedule = Schedule(recipe.tuning_epochs * epoch, 1e-3, average=0.995, warm_up=WARM_UP, checkpoint_every=epoch)
    network = fit(
        lambda: place(ScarUNet(recipe.scar_channels), plan.device),
        loss_on(slices, scar_plan(), partial(image_loss, area=polar_area()), plan.device, partial(paint, walls=walls)),
        schedule,
        plan.folder(group) / "stage1",
        plan.device,
        quiet=plan.quiet,
        known=known,
    )
    settings: dict = {"members": 1, "mirror": True, "pixel_mm": PIXEL_MM, "stack_channels": 0, "ecg_trained": False}
    settings |= {"channels": list(recipe.scar_channels), "locator_channels": list(recipe.locator_channels)}
    settings |= {"classes": CLASSES, "licence": LICENCE, "history": recipe.history}
    settings |= {"member_trained_on": [[case.name for case in seen]], "held_out": list(plan.groups[group])}
    write_weights(path, locator.state_dict(prefix="locator.") | network.state_dict(prefix="member0."), settings)
