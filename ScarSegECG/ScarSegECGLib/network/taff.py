"""Temporal Aware Feature Fusion: the only way by which the ECG reaches the pixels.

Re-implemented from the abstract of arXiv 2511.14702 (Ramzan et al. 2025), whose equations are not public to us; this
is not claimed to reproduce that paper. The form is residual FiLM (Perez et al., AAAI 2018) on stage 2's features,
inside the myocardium, zero at the start of training. Time acts through the amplitude alone, which falls with the gap by
construction: so that an older ECG can never do more than a newer one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ScarSegECGLib.network.amplitude import TimeWeight
from ScarSegECGLib.network.ecg_encoder import EcgEncoder
from ScarSegECGLib.network.polar_grid import polar_area
from ScarSegECGLib.network.stack_net import DILATIONS, StackNet, StackOutput, some_slices_at_a_time, without_wrap

LOGIT_DOWN, LOGIT_UP = -1.0, 2.0
SITES = (4, 5)  # blocks of stage 2 before which the ECG is fused
MARGIN = 0.08  # of a segment, about the ECG's mean error: what lies closer to the image's own extent is no disagreement
REACH = sum(DILATIONS[SITES[0] :])  # grid points that the blocks after the first site see to either side
_TRACE = 1e-3


class Fusion(nn.Module):
    """One site: ``F' = F + sigmoid(gate(F, M)) * m * (tanh(gamma) * F + beta)``, gamma and beta made from M."""

    def __init__(self, channels: int, token_size: int) -> None:
        super().__init__()
        self.gate = nn.Conv2d(channels + token_size, 1, 1)
        last = nn.Conv2d(2 * token_size, 2 * channels, 1, bias=False)
        nn.init.zeros_(last.weight)
        self.film = nn.Sequential(nn.Conv2d(token_size, 2 * token_size, 1), nn.SiLU(), last)

    def forward(self, features: Tensor, inside: tuple[Tensor, ...], told: Tensor, share: Tensor) -> Tensor:
        """``features`` [K, C, A, R] changed at the N points ``inside`` the wall, (slice, angle, radius), where M is
        ``told`` [N, D] and m is ``share`` [N, 1] in (0, 1]: a quarter of all points, the others stay as they are."""
        here = features.movedim(1, -1)[inside]
        gamma, beta = _at_points(self.film, told).chunk(2, dim=1)
        gate = torch.sigmoid(_at_points([self.gate], torch.cat([here, told], dim=1)))
        changed = here + share * gate * (torch.tanh(gamma) * here + beta)
        fused = features.to(changed.dtype, copy=True)  # single precision also where autocast halves it
        fused.movedim(1, -1)[inside] = changed
        return fused


def _at_points(layers: Iterable[nn.Module], points: Tensor) -> Tensor:
    """1x1 convolutions and what is between them, of points [N, C] in place of a plane."""
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            points = F.linear(points, layer.weight.flatten(1), layer.bias)
        else:
            points = layer(points)
    return points


def bounded(raw: Tensor) -> Tensor:
    """Squeeze a logit's movement into (-1, +2) with slope 1 at 0: an ECG may add scar more readily than doubt it."""
    return torch.where(raw > 0, LOGIT_UP * torch.tanh(raw / LOGIT_UP), -LOGIT_DOWN * torch.tanh(raw / -LOGIT_DOWN))


def extents(probability: Tensor, prior: Tensor, area: Tensor) -> Tensor:
    """Share of scar in every segment of one stack, [17], from its ``probability`` [K, A, R]; 0 where not imaged.

    ``prior`` is [K, 17, A, R]; ``area`` [A, R] what a grid point covers.
    """
    weight = prior * area
    return torch.einsum("kar,ksar->s", probability, weight) / weight.sum(dim=(0, 2, 3)).clamp(min=_TRACE)


def needed_shift(alone: Tensor, wall: Tensor, prior: Tensor, extent: Tensor, margin: float = MARGIN) -> Tensor:
    """By how much each segment's scar logit would have to move for its share of scar to come near an extent, [17].

    Within (-1, +2); rises with ``extent`` [17], the share asked for; 0 where that is within ``margin`` of the image's
    own, or a segment is not imaged. ``alone`` and ``wall`` [K, A, R] are stage 2's logit of scar given wall and its
    probability of wall; ``prior`` is [K, 17, A, R].
    """
    inside = prior.sum(dim=1) > 0.5
    shown = (0.5 / wall[inside].clamp(min=1e-6)).clamp(1e-6, 1 - 1e-6)  # scar is where wall x sigmoid(logit) > 1/2
    missing = torch.logit(shown) - alone[inside]
    segment = prior.movedim(1, -1)[inside].argmax(dim=1)
    shifts = extent.new_zeros(len(extent))
    for number in segment.unique().tolist():
        here = missing[segment == number]
        own = (here < 0).float().mean()
        wanted = own.clamp(float(extent[number] - margin), float(extent[number] + margin)).clamp(0, 1)
        if wanted != own:
            shifts[number] = here.quantile(wanted).clamp(LOGIT_DOWN, LOGIT_UP)
    return shifts


class EcgWord(NamedTuple):
    """What an ECG says: learned ``tokens`` [17, T] and its estimate of every segment's scar ``extent`` [17], 0..1."""

    tokens: Tensor
    extent: Tensor


class Taff(nn.Module):
    """From the ECG's word and stage 2's features of one stack to a movement of the scar logit.

    The word of every segment is its tokens, the ECG's extent, the image's own, their difference, and the shift of the
    logit that would bring the one near the other; the same small network reads it for all segments, and the AHA prior
    carries it to the pixels: ``M(x) = sum_k p_k(x) Z_k``. The features are fused before the last blocks, and the last
    layer itself follows a learned share of the needed shift. The movement is the difference of the scar logit with and
    without the fusion.
    """

    def __init__(self, channels: int, token_size: int = 16, width: int = 16) -> None:
        super().__init__()
        self.word = nn.Sequential(nn.Linear(token_size + 4, 2 * width), nn.SiLU(), nn.Linear(2 * width, width))
        self.fuse = nn.ModuleList(Fusion(channels, width) for _ in SITES)
        self.follow = nn.Linear(width, 1)
        nn.init.zeros_(self.follow.weight)
        nn.init.ones_(self.follow.bias)

    def forward(
        self, stage_two: StackNet, seen: Tensor, features: Tensor, output: StackOutput, word: EcgWord, prior: Tensor
    ) -> Tensor:
        """Movement [K, A, R] at full amplitude, in (-1, +2), 0 outside the ``prior`` [K, 17, A, R].

        ``seen`` is what stage 2 reads of one stack, ``features`` [K, C, A, R] are its own before the first site,
        ``output`` is what it says.
        """
        rings = torch.nonzero(prior.sum(dim=(0, 1, 2)) > 0)[:, 0]
        moved = torch.zeros_like(output.scar[:, 0])
        if not len(rings):
            return moved
        # The wall is a third of the radii, and nothing beyond the last blocks' reach of it is seen in it.
        near = slice(max(0, int(rings[0]) - REACH), int(rings[-1]) + 1 + REACH)
        seen, prior = seen[..., near], prior[..., near]
        features = features[..., near].contiguous(memory_format=torch.channels_last)
        alone, muscle = output.scar[:, 0, :, near], output.anatomy[..., near].softmax(dim=1)[:, 2]
        own = extents(muscle * alone.sigmoid(), prior, without_wrap(polar_area())[:, near].to(prior.device))
        shift = needed_shift(alone, muscle, prior, word.extent)
        said = [word.extent, own, word.extent - own, shift]
        words = self.word(torch.cat([word.tokens, torch.stack(said, dim=1)], dim=1))
        wall = prior.sum(dim=1).clamp(0, 1)

        def fused(x: Tensor, seen: Tensor, prior: Tensor, wall: Tensor) -> Tensor:
            inside, at = wall.nonzero(as_tuple=True), SITES[0]
            told, share = prior.movedim(1, -1)[inside] @ words, wall[inside][:, None]
            for site, fuse in zip(SITES, self.fuse, strict=True):
                for block in stage_two.blocks[at:site]:
                    x = block(x)
                x, at = fuse(x, inside, told, share), site
            return stage_two.finish(x, seen, at).scar[:, 0]

        blocks = len(stage_two.blocks) - SITES[0]
        together = some_slices_at_a_time(fused, blocks, features, seen, prior, wall)
        followed = torch.einsum("ksar,s->kar", prior, shift * self.follow(words)[:, 0].sigmoid())
        moved[..., near] = bounded(together - alone + followed) * wall
        return moved


class EcgBranch(nn.Module):
    """Everything that knows the ECG: the encoder, the time weight and TAFF."""

    def __init__(self, channels: int, token_size: int = 16, encoder_width: int = 20) -> None:
        super().__init__()
        self.encoder = EcgEncoder(token_size, encoder_width)
        self.time = TimeWeight()
        self.taff = Taff(channels, token_size)
