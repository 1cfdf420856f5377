"""The image networks: the locator, stage 1, which sees a slice between its neighbours, and stage 2 over the stack.

Stage 2 learns to correct what stage 1 says of patients whom it has not seen, on the unrolled grid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ScarSegECGLib.case import CAVITY, MYOCARDIUM, SCAR
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.checks import LEAST_FIELD_MM
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.network.device import Network, place
from ScarSegECGLib.network.field import LOCATOR_PIXEL_MM, PIXEL_MM
from ScarSegECGLib.network.polar_grid import cut_polar, heart_disc, polar_area, polar_offsets_mm
from ScarSegECGLib.network.stack_net import StackNet, StackOutput, without_wrap
from ScarSegECGLib.network.unet import LOCATOR_PLANES, ScarUNet, UNet
from ScarSegECGLib.network.weights import Weights, read_weights, write_weights
from ScarSegECGLib.training.augment import AugmentPlan, Walls, augment, find_walls, paint, square_offsets
from ScarSegECGLib.training.dataset import Slices, coarse_slices, fine_slices
from ScarSegECGLib.training.degrade import degrade, every_second_slice, other_scanner
from ScarSegECGLib.training.fit import TUNED, Plan, Schedule, Unseen, fit, mixed, once

LICENCE = "CC BY-NC-SA 4.0"
BATCH, WARM_UP = 16, 100
CLASSES = ["background", "LV cavity", "LV wall", "scar given wall"]
VERSIONS = range(5)  # of a patient's stack
CLEAN, ONE_SCANNER, OTHER_SCANNER, DEGRADED, HALF_THE_SLICES = VERSIONS
STACKS_A_STEP, CLEAN_SHARE = 4, 0.4
AREA = without_wrap(polar_area())  # of the unrolled stack's points
BatchLoss = Callable[[nn.Module, torch.Generator], Tensor]  # of a network on the batch that it draws


# The slice unrolled about a centre that is some millimetres off the LV's, now and then far off.
SCAR_PLAN = AugmentPlan(polar_offsets_mm() / PIXEL_MM, shift=2.0, far_shift=5.0, levelled_where=heart_disc())
# 320 mm of the whole slice, the LV anywhere in it: the training images have it in the middle.
LOCATOR_PLAN = AugmentPlan(
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
    slices: Slices, plan: AugmentPlan, loss: Callable[..., Tensor], device: torch.device, walls: Walls | None = None
) -> BatchLoss:
    """``loss(output, labels)`` of a network on the next batch of augmented slices; an epoch shows every one once.

    Where the ``walls`` are known, scars are painted into them first.
    """
    left: list[Tensor] = []  # of an epoch

    def loss_of_batch(network: nn.Module, rng: torch.Generator) -> Tensor:
        if not left:
            left.extend(torch.randperm(len(slices.images), generator=rng).split(BATCH)[: batches(slices)])
        chosen = left.pop(0)
        images, labels = slices.images[chosen].float(), slices.labels[chosen]
        if walls is not None:
            images, labels = paint(images, labels, chosen, walls, rng)
        images, labels = augment(images, labels, slices.centres[chosen], plan, rng)
        with mixed(device):
            output = network(images.to(device, memory_format=torch.channels_last))
        return loss(output, labels.to(device))

    return loss_of_batch


def batches(slices: Slices) -> int:
    """Whole batches in an epoch."""
    return max(1, len(slices.images) // BATCH)


def unseen_member(start: Weights, held_out: Sequence[str]) -> int:
    """The number of a network of the start weights that has seen none of the held-out patients; InputError if none."""
    for member, seen in enumerate(start.settings["member_trained_on"]):
        if not set(seen) & set(held_out):
            return member
    raise InputError("--from: every network there has seen patients that are held out here; their figures would lie")


def train_stage_one(plan: Plan, group: int) -> None:
    """Train locator and network of one group into its ``weights.safetensors``. Errors: :func:`unseen_member`."""
    folder, device, recipe, start = plan.folder(group), plan.device, plan.recipe, plan.start
    if (folder / "weights.safetensors").is_file():
        return
    member = 0 if start is None else unseen_member(start, plan.groups[group])
    seen = list(plan.seen_by(group).values())

    def train(name: str, make: Callable[[], Network], loss: BatchLoss, schedule: Schedule, prefix: str) -> Network:
        known = {} if start is None else start.part(prefix)
        return fit(lambda: place(make(), device), loss, schedule, folder / name, device, quiet=plan.quiet, known=known)

    slices = coarse_slices(seen)
    epoch = batches(slices)
    epochs, rate = (recipe.locator_epochs, 2e-3) if start is None else (recipe.tuning_epochs, 5e-4)
    schedule = Schedule(epochs * epoch, rate, warm_up=WARM_UP, checkpoint_every=2 * epoch)
    loss = loss_on(slices, LOCATOR_PLAN, locator_loss, device)
    make = partial(UNet, *LOCATOR_PLANES, recipe.locator_channels)
    locator = train("locator", make, loss, schedule, "locator.trunk.")

    slices = fine_slices(seen)
    schedule = Schedule(recipe.scar_epochs * epoch, average=0.998, warm_up=WARM_UP, checkpoint_every=10 * epoch)
    if start is not None:
        schedule = Schedule(recipe.tuning_epochs * epoch, 1e-3, average=0.995, warm_up=WARM_UP, checkpoint_every=epoch)
    loss = loss_on(slices, SCAR_PLAN, partial(image_loss, area=polar_area()), device, find_walls(slices))
    network = train("stage1", partial(ScarUNet, recipe.scar_channels), loss, schedule, f"member{member}.")
    settings: dict = {"members": 1, "mirror": True, "pixel_mm": PIXEL_MM, "stack_channels": 0, "ecg_trained": False}
    settings |= {"channels": list(recipe.scar_channels), "locator_channels": list(recipe.locator_channels)}
    settings |= {"classes": CLASSES, "licence": LICENCE, "history": recipe.history}
    settings |= {"member_trained_on": [[case.name for case in seen]], "held_out": list(plan.groups[group])}
    tensors = locator.state_dict(prefix="locator.trunk.") | network.state_dict(prefix="member0.")
    write_weights(folder / "weights.safetensors", tensors, settings)


def version_of(case: ExpertCase, number: int, version: int) -> ExpertCase:
    """A patient's stack as it is, or changed (one of :data:`VERSIONS`); one ``number``, one stack."""
    seed = 1000 * number + version
    rng = np.random.default_rng(seed)
    if version in (ONE_SCANNER, OTHER_SCANNER):
        return replace(case, stack=other_scanner(case.stack, rng))
    if version == DEGRADED:
        return replace(case, stack=degrade(case.stack, seed))
    if version == HALF_THE_SLICES:
        return every_second_slice(case, int(rng.integers(2)))
    return case


class SeenStack(NamedTuple):
    """One version of one patient."""

    seen: Tensor  # half [K, CHANNELS, A, R], :func:`stack_net.stack_input`
    truth: Tensor  # the expert's, uint8 [K, A, R], 0 background to 3 scar
    centres_mm: Tensor  # [K, 2], the LV's


Bank = dict[int, dict[int, SeenStack]]  # by patient and version, those in which stage 1 finds a ventricle


def _look(of: Unseen, version: int) -> dict[str, Tensor]:
    """A :class:`SeenStack` by its parts' names; none where stage 1 finds no ventricle."""
    changed = version_of(of.case, of.number, version)
    try:
        centres, seen, _ = of.session.first_look(changed.stack)
    except InputError:
        return {}
    # The class that most of a point's neighbourhood has.
    classes = np.stack([np.minimum(changed.labels, SCAR) == value for value in range(4)], axis=1).astype(np.float32)
    shares = cut_polar(torch.from_numpy(classes), changed.stack.spacing[1:], centres)
    truth = without_wrap(shares).argmax(dim=1).to(torch.uint8)
    return SeenStack(seen.half().cpu(), truth, torch.from_numpy(centres))._asdict()


def see_patients(plan: Plan) -> Bank:
    """Every patient through a stage 1 that has not learned from it, kept stack by stack."""
    bank: Bank = {}
    for of in plan.held_out("weights.safetensors", "stage 1 on held-out patients"):
        files = [plan.run / "looks" / f"{of.case.name}.{version}.safetensors" for version in VERSIONS]
        looks = [once(file, _look, of, version) for version, file in enumerate(files)]
        bank[of.number] = {version: SeenStack(**look) for version, look in enumerate(looks) if look}
    return bank


def turned(tensor: Tensor, by: int, mirror: bool) -> Tensor:
    """A stack [..., A, R] turned by so many angles, and mirrored."""
    return tensor.flip(-2).roll(by + 1, -2) if mirror else tensor.roll(by, -2)


def drawn(bank: Bank, patients: Sequence[int], rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """A batch of whole stacks: what is seen [K, C, A, R], truth [K, A, R], and where each stack begins [K]."""
    seen, truth, first = [], [], []
    for index in torch.randint(len(patients), (STACKS_A_STEP,), generator=rng).tolist():
        versions = bank[patients[index]]
        clean, chance, number, by, mirror = torch.rand(5, generator=rng).tolist()
        some = [v for v in versions if (v == CLEAN) == (clean < CLEAN_SHARE)] or list(versions)
        one = versions[some[int(number * len(some))]]
        turn, flip = int(by * one.truth.shape[-2]), mirror < 0.5
        seen.append(turned(one.seen.float(), turn, flip))
        truth.append(turned(one.truth, turn, flip))
        first.append(torch.arange(len(one.truth)) == 0)
    return torch.cat(seen), torch.cat(truth), torch.cat(first)


def train_stage_two(plan: Plan, group: int, bank: Bank) -> None:
    """Train stage 2 of one group; its ``image.safetensors`` holds it and stage 1."""
    folder, device, channels = plan.folder(group), plan.device, plan.recipe.stack_channels
    if (folder / "image.safetensors").is_file():
        return
    patients, known = list(plan.seen_by(group)), plan.trained("stack.")

    def loss(network: StackNet, rng: torch.Generator) -> Tensor:
        seen, truth, first = drawn(bank, patients, rng)
        with mixed(device):
            output = network(seen.to(device), first.to(device))
        return image_loss(output, truth.to(device), AREA)

    # Not channels last: in bfloat16 oneDNN's weight gradients of dilated convolutions come out as NaN (torch 2.13).
    schedule = Schedule(plan.recipe.stack_steps, 3e-3 * (TUNED if known else 1), seed=4, checkpoint_every=50)
    make = partial(StackNet, channels)
    network = fit(make, loss, schedule, folder / "stage2", device, quiet=plan.quiet, known=known)
    stage_one = read_weights(folder / "weights.safetensors")
    tensors = stage_one.tensors | network.state_dict(prefix="stack.")
    write_weights(folder / "image.safetensors", tensors, stage_one.settings | {"stack_channels": channels})
