"""Stage 2 learns to correct stage 1 on patients whom stage 1 has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ScarSegECGLib.network.polar_grid import polar_area
from ScarSegECGLib.network.stack_net import StackNet, without_wrap
from ScarSegECGLib.training.fit import Steps, fit
from ScarSegECGLib.training.losses import image_loss
from ScarSegECGLib.training.stack_bank import SeenStack


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
    folder: Path,
    *,
    device: torch.device,
    title: str,
    start: Mapping[str, Tensor] | None = None,
    quiet: bool = False,
) -> StackNet:
    """Train on these patients, from ``start`` if given, or take up again where ``folder`` left off."""
    area = without_wrap(polar_area())

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
    return fit(
        make,
        loss,
        schedule.tuned() if start else schedule,
        folder,
        device=device,
        title=title,
        quiet=quiet,
    )
