"""Stage 2 learns to correct what stage 1 says of patients whom it has not seen, on the unrolled grid."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from ScarSegECGLib.case import SCAR, LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.network.polar_grid import cut_polar, polar_area
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.network.stack_net import StackNet, without_wrap
from ScarSegECGLib.network.weights import half_precision, read_weights, write_weights
from ScarSegECGLib.training.degrade import degrade, every_second_slice, other_scanner
from ScarSegECGLib.training.fit import Steps, fit, halved, mixed, once, started
from ScarSegECGLib.training.plan import Plan
from ScarSegECGLib.training.stage_one import image_loss

CLEAN, OTHER_SCANNER, DEGRADED, HALF_THE_SLICES = 0, 1, 2, 3
STACKS_A_STEP, CLEAN_SHARE = 4, 0.4
VERSIONS = (CLEAN, OTHER_SCANNER, OTHER_SCANNER, DEGRADED, HALF_THE_SLICES)


def version_of(case: ExpertCase, kind: int, seed: int) -> ExpertCase:
    """A patient's stack as it is, or changed (one of :data:`VERSIONS`)."""
    rng = np.random.default_rng(seed)
    if kind == OTHER_SCANNER:
        return replace(case, stack=other_scanner(case.stack, rng))
    if kind == DEGRADED:
        return replace(case, stack=degrade(case.stack, seed))
    if kind == HALF_THE_SLICES:
        return every_second_slice(case, int(rng.integers(2)))
    return case


@dataclass(frozen=True)
class SeenStack:
    """One version of one patient: ``seen`` half [K, CHANNELS, A, R] (:func:`stack_net.stack_input`), the expert's
    ``truth`` uint8 [K, A, R] (0 background to 3 scar), its index among :data:`VERSIONS` and the ``seed`` that made it,
    and the LV's ``centres_mm`` [K, 2]."""

    seen: Tensor
    truth: Tensor
    version: int
    centres_mm: NDArray[np.float64]
    seed: int


def _unrolled_labels(labels: NDArray, stack: LgeStack, centres_mm: NDArray) -> Tensor:
    """Expert labels, uint8 [K, A, R]: the class that most of the neighbourhood has."""
    classes = np.stack([np.minimum(labels, SCAR) == value for value in range(4)], axis=1).astype(np.float32)
    shares = cut_polar(torch.from_numpy(classes), stack.spacing[1:], centres_mm)
    return without_wrap(shares).argmax(dim=1).to(torch.uint8)


def _look(session_of: Callable[[ExpertCase], Session], case: ExpertCase, seeds: Sequence[int]) -> dict[str, Tensor]:
    """Versions of a patient as stage 1 sees them, without those in which it finds no ventricle."""
    tensors: dict[str, Tensor] = {}
    for index, (kind, seed) in enumerate(zip(VERSIONS, seeds, strict=True)):
        changed = version_of(case, kind, seed)
        try:
            centres, seen = session_of(case).first_look(changed.stack)
        except InputError:
            continue
        tensors[f"{index}.seen"] = seen.half()
        tensors[f"{index}.truth"] = _unrolled_labels(changed.labels, changed.stack, centres)
        tensors[f"{index}.centres"] = torch.from_numpy(centres)
    return tensors


def see_patients(plan: Plan) -> dict[str, list[SeenStack]]:
    """Every patient through a stage 1 that has not learned from it, kept patient by patient."""
    session_of = plan.session_of("weights.safetensors")
    bank = {}
    bar = tqdm(plan.by_fold(), desc="stage 1 on held-out patients", unit="patient", disable=plan.quiet)
    for number, case in enumerate(bar):
        seeds = [1000 * number + version for version in range(len(VERSIONS))]
        kept = once(plan.run / "seen" / f"{case.name}.safetensors", _look, session_of, case, seeds)
        bank[case.name] = [
            SeenStack(kept[f"{i}.seen"], kept[f"{i}.truth"], i, kept[f"{i}.centres"].numpy(), seed)
            for i, seed in enumerate(seeds)
            if f"{i}.seen" in kept
        ]
    return bank


def turned(tensor: Tensor, by: int, mirror: bool) -> Tensor:
    """A stack [..., A, R] turned by so many angles, and mirrored."""
    if mirror:
        tensor = torch.cat([tensor[..., :1, :], tensor[..., 1:, :].flip(-2)], dim=-2)
    return torch.roll(tensor, by, dims=-2)


def drawn(
    bank: Mapping[str, Sequence[SeenStack]], names: Sequence[str], rng: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """A batch of whole stacks: what is seen [K, C, A, R], truth [K, A, R], and where each stack begins [K]."""
    seen, truth, first = [], [], []
    for index in torch.randint(len(names), (STACKS_A_STEP,), generator=rng).tolist():
        versions = bank[names[index]]
        clean, chance, number, by, mirror = torch.rand(5, generator=rng).tolist()
        some = [v for v in versions if (VERSIONS[v.version] == CLEAN) == (clean < CLEAN_SHARE)] or list(versions)
        one = some[int(number * len(some))]
        turn, flip = int(by * one.truth.shape[-2]), mirror < 0.5
        seen.append(turned(one.seen.float(), turn, flip))
        truth.append(turned(one.truth, turn, flip))
        first.append(torch.arange(len(one.truth)) == 0)
    return torch.cat(seen), torch.cat(truth), torch.cat(first)


def train_stage_two(plan: Plan, group: int, bank: Mapping[str, Sequence[SeenStack]]) -> Path:
    """Train stage 2 of one group, put beside its stage 1; returns the weights file of both."""
    path = plan.folder(group) / "image.safetensors"
    if path.is_file():
        return path
    stage_one, known = read_weights(plan.folder(group) / "weights.safetensors"), plan.trained("stack.")
    names = [case.name for case in plan.seen_by(group)]
    area, device, channels = without_wrap(polar_area()), plan.device, plan.recipe.stack_channels

    def loss(network: StackNet, rng: torch.Generator) -> Tensor:
        seen, truth, first = drawn(bank, names, rng)
        with mixed(device):
            output = network(seen.to(device), first.to(device))
        return image_loss(output, truth.to(device), area)

    # Not channels last: in bfloat16 oneDNN's weight gradients of dilated convolutions come out as NaN (torch 2.13).
    schedule = Steps(plan.recipe.stack_steps, 3e-3, average=0.99, seed=4, checkpoint_every=50)
    network = fit(
        lambda: started(StackNet(channels), known),
        loss,
        schedule.tuned() if known else schedule,
        plan.place(group, "stack", "stage 2"),
    )
    tensors = halved(stage_one.tensors) | half_precision(network, "stack.")
    write_weights(path, tensors, stage_one.settings | {"stack_channels": channels})
    return path
