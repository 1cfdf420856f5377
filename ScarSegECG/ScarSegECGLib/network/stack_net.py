"""Stage 2: one look at the whole unrolled stack, which corrects what stage 1 said of each slice by itself.

Reads the image, its contrast on the scale of wall and blood, stage 1's probabilities and the depth in the wall, and
sees the slices above and below. Residual: zero at the start of training, so that it begins as stage 1's own answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ScarSegECGLib.network.polar_grid import ANGLES, WRAP

CHANNELS = 9  # of what it reads: see stack_input
LOGIT_REACH, LOGIT_SCALE, LOG_SCALE = 6.0, 3.0, 4.0
DARK_WALL = 0.25  # quantile of the wall that is taken for healthy
FEWEST_PIXELS = 20
DILATIONS = (1, 2, 4, 1, 2, 4)
SLICES_AT_ONCE = 24


class StackOutput(NamedTuple):
    """``anatomy`` logits [K, 3, A, R] of background, cavity, wall; ``scar`` logit [K, 1, A, R] of scar given wall."""

    anatomy: Tensor
    scar: Tensor


def without_wrap(polar: Tensor) -> Tensor:
    """Drop the repeated angles: [..., ROWS, RADII] -> [..., ANGLES, RADII]."""
    return polar[..., WRAP : WRAP + ANGLES, :]


def _of_each_slice(image: Tensor, mask: Tensor, quantile: float, otherwise: float) -> Tensor:
    """A quantile of the masked pixels of every slice, [K]; slices that show few take the others' median."""
    values = image.flatten(1).masked_fill(~mask.flatten(1), math.nan)
    level = values.nanquantile(quantile, dim=1)
    enough = (mask.flatten(1).sum(dim=1) >= FEWEST_PIXELS) & level.isfinite()
    usual = level[enough].median() if enough.any() else image.new_tensor(otherwise)
    return torch.where(enough, level, usual)


def contrast(image: Tensor, anatomy: Tensor) -> Tensor:
    """Intensity on the scale every rule of thumb uses: 0 is dark wall, 1 is blood, [K, A, R] within [-1, 3]."""
    dark = _of_each_slice(image, anatomy[:, 2] > 0.5, DARK_WALL, -0.2)
    blood = _of_each_slice(image, anatomy[:, 1] > 0.5, 0.5, 0.2)
    return ((image - dark[:, None, None]) / (blood - dark).clamp(min=0.1)[:, None, None]).clamp(-1, 3)


def stack_input(image: Tensor, anatomy: Tensor, scar: Tensor) -> Tensor:
    """What stage 2 reads of a stack, [K, CHANNELS, A, R].

    ``image`` [K, A, R] is levelled; ``anatomy`` [K, 3, A, R] are stage 1's probabilities of background, cavity and
    wall, ``scar`` [K, A, R] its logit of scar given wall.
    """
    wall = anatomy[:, 2]
    across = wall.sum(dim=-1, keepdim=True)
    depth = (wall.cumsum(dim=-1) - 0.5 * wall) / across.clamp(min=0.5)
    seen = (across.mean(dim=(1, 2)) > 0.5).float()
    place = ((seen.cumsum(0) - 0.5) / seen.sum().clamp(min=1)).clamp(0, 1) - 0.5
    radius = torch.linspace(-0.5, 0.5, image.shape[-1], device=image.device)
    channels = [
        image,
        *(anatomy.clamp(min=1e-4).log() / LOG_SCALE + 0.5).unbind(dim=1),
        scar.clamp(-LOGIT_REACH, LOGIT_REACH) / LOGIT_SCALE,
        contrast(image, anatomy),
        depth * wall,
        place.view(-1, 1, 1).expand_as(image),
        radius.expand_as(image),
    ]
    return torch.stack(channels, dim=1)


def stage_one_output(seen: Tensor) -> StackOutput:
    """Stage 1's own answer, read back from what stage 2 sees."""
    return StackOutput((seen[:, 1:4].float() - 0.5) * LOG_SCALE, seen[:, 4:5].float() * LOGIT_SCALE)


def beside(first: Tensor) -> tuple[Tensor, Tensor]:
    """Index of the slice below and above every slice, [K] each; ends have themselves.

    ``first`` bool [K] marks where a stack begins, so that several may lie in one batch.
    """
    index = torch.arange(len(first), device=first.device)
    last = torch.roll(first, -1)
    last[-1] = True
    return torch.where(first, index, index - 1), torch.where(last, index, index + 1)


def some_slices_at_a_time(work: Callable[..., Tensor], blocks: int, *stack: Tensor) -> Tensor:
    """Do ``work`` on parts of one stack's tensors [K, ...], so that memory stays that of a small stack.

    Every part comes with as many slices beside it as the ``blocks`` in ``work`` see; what these give is dropped.
    """
    count = len(stack[0])
    if count <= SLICES_AT_ONCE:
        return work(*stack)
    done = []
    for start in range(0, count, SLICES_AT_ONCE):
        low, stop = max(0, start - blocks), min(count, start + SLICES_AT_ONCE)
        part = work(*(tensor[low : stop + blocks] for tensor in stack))
        done.append(part[start - low : stop - low])
    return torch.cat(done)


class StackBlock(nn.Module):
    """A 3x3 convolution in the slice (a circle in angle), then one across three slices, added to the input."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.within = nn.Conv2d(channels, channels, 3, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.across = nn.Conv2d(3 * channels, channels, 1, bias=False)
        self.norm_across = nn.BatchNorm2d(channels)

    def forward(self, features: Tensor, first: Tensor | None = None) -> Tensor:
        if first is None:
            first = torch.arange(len(features), device=features.device) == 0
        by = self.dilation
        around = F.pad(F.pad(features, (0, 0, by, by), mode="circular"), (by, by, 0, 0), mode="replicate")
        x = F.relu(self.norm(self.within(around)))
        below, above = beside(first)
        lower, own, upper = self.across.weight.chunk(3, dim=1)
        mixed = F.conv2d(x, own, self.across.bias)
        mixed = mixed + F.conv2d(x[below], lower) + F.conv2d(x[above], upper)
        return F.relu(features + self.norm_across(mixed))


class StackNet(nn.Module):
    """Corrects stage 1's borders and scar with the context of the stack; see :func:`stack_input`.

    ``seen`` is [K, CHANNELS, A, R]; ``first`` bool [K] marks where a stack begins, None that it is a single one.
    """

    def __init__(self, channels: int = 24, dilations: Sequence[int] = DILATIONS) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(CHANNELS, channels, 1), nn.ReLU())
        self.blocks = nn.ModuleList(StackBlock(channels, dilation) for dilation in dilations)
        self.head = nn.Conv2d(channels, 4, 1)
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)

    def features(self, seen: Tensor, stop: int, first: Tensor | None = None) -> Tensor:
        """Features before block ``stop``, [K, C, A, R]."""
        x = self.stem(seen)
        for block in self.blocks[:stop]:
            x = block(x, first)
        return x

    def finish(self, features: Tensor, seen: Tensor, start: int, first: Tensor | None = None) -> StackOutput:
        """From the features before block ``start`` to the corrected logits."""
        for block in self.blocks[start:]:
            features = block(features, first)
        before, change = stage_one_output(seen), self.head(features).float()
        return StackOutput(before.anatomy + change[:, :3], before.scar + change[:, 3:])

    def forward(self, seen: Tensor, first: Tensor | None = None) -> StackOutput:
        return self.finish(self.features(seen, 0, first), seen, 0, first)
