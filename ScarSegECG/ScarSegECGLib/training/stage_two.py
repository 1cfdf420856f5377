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
from ScarSegECGLib.training.degrade import degrade, every_second_slice, other_scanner
from ScarSegECGLib.training.fit import Place, Steps, each_step, fit, once
from ScarSegECGLib.training.stage_one import image_loss

CLEAN, OTHER_SCANNER, DEGRADED, HALF_THE_SLICES = 0, 1, 2, 3
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

    @property
    def clean(self) -> bool:
        """Whether the images are as they were."""
        return VERSIONS[self.version] == CLEAN


def _unrolled_labels(labels: NDArray, stack: LgeStack, centres_mm: NDArray) -> Tensor:
    """Expert labels, uint8 [K, A, R]: the class that most of the neighbourhood has."""
    classes = np.stack([np.minimum(labels, SCAR) == value for value in range(4)], axis=1).astype(np.float32)
    shares = cut_polar(torch.from_numpy(classes), stack.spacing[1:], centres_mm)
    return without_wrap(shares).argmax(dim=1).to(torch.uint8)


def see_patients(
    cases: Sequence[ExpertCase], session_of: Callable[[str], Session], folder: Path, quiet: bool = False
) -> dict[str, list[SeenStack]]:
    """Every patient through a network that has not learned from it, kept in ``folder`` patient by patient.

    Versions in which no ventricle is found are left out.
    """
    bank = {}
    for number, case in enumerate(tqdm(cases, desc="stage 1 on held-out patients", unit="patient", disable=quiet)):
        seeds = [1000 * number + version for version in range(len(VERSIONS))]

        def look(case: ExpertCase = case, seeds: list[int] = seeds) -> dict[str, Tensor]:
            tensors: dict[str, Tensor] = {}
            for index, (kind, seed) in enumerate(zip(VERSIONS, seeds, strict=True)):
                changed = version_of(case, kind, seed)
                try:
                    centres, seen = session_of(case.name).first_look(changed.stack)
                except InputError:
                    continue
                tensors[f"{index}.seen"] = seen.half()
                tensors[f"{index}.truth"] = _unrolled_labels(changed.labels, changed.stack, centres)
                tensors[f"{index}.centres"] = torch.from_numpy(centres)
            return tensors

        kept = once(folder / f"{case.name}.safetensors", look)
        bank[case.name] = [
            SeenStack(kept[f"{i}.seen"], kept[f"{i}.truth"], i, kept[f"{i}.centres"].numpy(), seed)
            for i, seed in enumerate(seeds)
            if f"{i}.seen" in kept
        ]
    return bank


@dataclass(frozen=True)
class StackRecipe:
    """How stage 2 learns: ``stacks`` patients a step; ``clean`` is the share of unchanged images."""

    channels: int = 24
    steps: int = 300
    stacks: int = 4
    clean: float = 0.4
    learning_rate: float = 3e-3
    seed: int = 4


def turned(tensor: Tensor, by: int, mirror: bool) -> Tensor:
    """A stack [..., A, R] turned by so many angles, and mirrored."""
    if mirror:
        tensor = torch.cat([tensor[..., :1, :], tensor[..., 1:, :].flip(-2)], dim=-2)
    return torch.roll(tensor, by, dims=-2)


def drawn(
    bank: Mapping[str, Sequence[SeenStack]], names: Sequence[str], recipe: StackRecipe, rng: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """A batch of whole stacks: what is seen [K, C, A, R], truth [K, A, R], and where each stack begins [K]."""
    seen, truth, first = [], [], []
    for index in torch.randint(len(names), (recipe.stacks,), generator=rng).tolist():
        versions = bank[names[index]]
        clean, chance, number, by, mirror = torch.rand(5, generator=rng).tolist()
        some = [v for v in versions if v.clean == (clean < recipe.clean)] or list(versions)
        one = some[int(number * len(some))]
        turn, flip = int(by * one.truth.shape[-2]), mirror < 0.5
        seen.append(turned(one.seen.float(), turn, flip))
        truth.append(turned(one.truth, turn, flip))
        first.append(torch.arange(len(one.truth)) == 0)
    return torch.cat(seen), torch.cat(truth), torch.cat(first)


def train_stack_net(
    bank: Mapping[str, Sequence[SeenStack]],
    names: Sequence[str],
    recipe: StackRecipe,
    start: Mapping[str, Tensor],
    place: Place,
) -> StackNet:
    """Train on these patients, from ``start`` unless it is empty, or take up again where the folder left off."""
    area, device = without_wrap(polar_area()), place.device

    def loss(network: StackNet, rng: torch.Generator) -> Tensor:
        seen, truth, first = drawn(bank, names, recipe, rng)
        return image_loss(network(seen.to(device), first.to(device)), truth.to(device), area)

    def make() -> StackNet:
        # Not channels last: in bfloat16 oneDNN's weight gradients of dilated convolutions come out as NaN (torch 2.13).
        network = StackNet(recipe.channels)
        if start:
            network.load_state_dict(start)
        return network

    schedule = Steps(recipe.steps, recipe.learning_rate, average=0.99, seed=recipe.seed, checkpoint_every=50)
    return fit(make, each_step(loss, device), schedule.tuned() if start else schedule, place)
