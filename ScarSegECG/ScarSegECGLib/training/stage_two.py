"""Stage 2 learns to correct what stage 1 says of patients whom it has not seen, on the unrolled grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ScarSegECGLib.case import SCAR, LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.network.polar_grid import cut_polar, polar_area
from ScarSegECGLib.network.stack_net import StackNet, without_wrap
from ScarSegECGLib.network.weights import read_weights, write_weights
from ScarSegECGLib.training.degrade import degrade, every_second_slice, other_scanner
from ScarSegECGLib.training.fit import TUNED, Plan, Schedule, Unseen, fit, mixed, once
from ScarSegECGLib.training.stage_one import image_loss

CLEAN, OTHER_SCANNER, DEGRADED, HALF_THE_SLICES = 0, 1, 2, 3
STACKS_A_STEP, CLEAN_SHARE = 4, 0.4
VERSIONS = (CLEAN, OTHER_SCANNER, OTHER_SCANNER, DEGRADED, HALF_THE_SLICES)


def version_of(case: ExpertCase, number: int, version: int) -> ExpertCase:
    """A patient's stack as it is, or changed as the ``version`` of :data:`VERSIONS` says; one ``number``, one stack."""
    seed = 1000 * number + version
    rng = np.random.default_rng(seed)
    if VERSIONS[version] == OTHER_SCANNER:
        return replace(case, stack=other_scanner(case.stack, rng))
    if VERSIONS[version] == DEGRADED:
        return replace(case, stack=degrade(case.stack, seed))
    if VERSIONS[version] == HALF_THE_SLICES:
        return every_second_slice(case, int(rng.integers(2)))
    return case


class SeenStack(NamedTuple):
    """One version of one patient: ``seen`` half [K, CHANNELS, A, R] (:func:`stack_net.stack_input`), the expert's
    ``truth`` uint8 [K, A, R] (0 background to 3 scar), and the LV's ``centres_mm`` [K, 2]."""

    seen: Tensor
    truth: Tensor
    centres_mm: Tensor


Bank = dict[int, dict[int, SeenStack]]  # by patient and version, those in which stage 1 finds a ventricle


def _unrolled_labels(labels: NDArray, stack: LgeStack, centres_mm: NDArray) -> Tensor:
    """Expert labels, uint8 [K, A, R]: the class that most of the neighbourhood has."""
    classes = np.stack([np.minimum(labels, SCAR) == value for value in range(4)], axis=1).astype(np.float32)
    shares = cut_polar(torch.from_numpy(classes), stack.spacing[1:], centres_mm)
    return without_wrap(shares).argmax(dim=1).to(torch.uint8)


def _look(of: Unseen) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for version in range(len(VERSIONS)):
        changed = version_of(of.case, of.number, version)
        try:
            centres, seen = of.session.first_look(changed.stack)
        except InputError:
            continue
        truth = _unrolled_labels(changed.labels, changed.stack, centres)
        stack = SeenStack(seen.half(), truth, torch.from_numpy(centres))
        tensors |= {f"{version}.{name}": part for name, part in stack._asdict().items()}
    return tensors


def see_patients(plan: Plan) -> Bank:
    """Every patient through a stage 1 that has not learned from it, kept patient by patient."""
    bank: Bank = {}
    for of in plan.held_out("weights.safetensors", "stage 1 on held-out patients"):
        kept = once(plan.run / "seen" / f"{of.case.name}.safetensors", _look, of)
        found = [version for version in range(len(VERSIONS)) if f"{version}.seen" in kept]
        bank[of.number] = {v: SeenStack(*(kept[f"{v}.{name}"] for name in SeenStack._fields)) for v in found}
    return bank


def turned(tensor: Tensor, by: int, mirror: bool) -> Tensor:
    """A stack [..., A, R] turned by so many angles, and mirrored."""
    if mirror:
        tensor = torch.cat([tensor[..., :1, :], tensor[..., 1:, :].flip(-2)], dim=-2)
    return torch.roll(tensor, by, dims=-2)


def drawn(bank: Bank, patients: Sequence[int], rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """A batch of whole stacks: what is seen [K, C, A, R], truth [K, A, R], and where each stack begins [K]."""
    seen, truth, first = [], [], []
    for index in torch.randint(len(patients), (STACKS_A_STEP,), generator=rng).tolist():
        versions = bank[patients[index]]
        clean, chance, number, by, mirror = torch.rand(5, generator=rng).tolist()
        some = [v for v in versions if (VERSIONS[v] == CLEAN) == (clean < CLEAN_SHARE)] or list(versions)
        one = versions[some[int(number * len(some))]]
        turn, flip = int(by * one.truth.shape[-2]), mirror < 0.5
        seen.append(turned(one.seen.float(), turn, flip))
        truth.append(turned(one.truth, turn, flip))
        first.append(torch.arange(len(one.truth)) == 0)
    return torch.cat(seen), torch.cat(truth), torch.cat(first)


def train_stage_two(plan: Plan, group: int, bank: Bank) -> None:
    """Train stage 2 of one group; its ``image.safetensors`` holds it and stage 1."""
    path, device, channels = plan.folder(group) / "image.safetensors", plan.device, plan.recipe.stack_channels
    if path.is_file():
        return
    patients, area, known = list(plan.seen_by(group)), without_wrap(polar_area()), plan.trained("stack.")

    def loss(network: StackNet, rng: torch.Generator) -> Tensor:
        seen, truth, first = drawn(bank, patients, rng)
        with mixed(device):
            output = network(seen.to(device), first.to(device))
        return image_loss(output, truth.to(device), area)

    # Not channels last: in bfloat16 oneDNN's weight gradients of dilated convolutions come out as NaN (torch 2.13).
    network = fit(
        lambda: StackNet(channels),
        loss,
        Schedule(plan.recipe.stack_steps, 3e-3 * (TUNED if known else 1), seed=4, checkpoint_every=50),
        plan.folder(group) / "stage2",
        device,
        quiet=plan.quiet,
        known=known,
    )
    stage_one = read_weights(plan.folder(group) / "weights.safetensors")
    settings = stage_one.settings | {"stack_channels": channels}
    write_weights(path, stage_one.tensors | network.state_dict(prefix="stack."), settings)
