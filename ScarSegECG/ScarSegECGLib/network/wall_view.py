"""What every ECG branch sees alike of the slices: the AHA prior on every grid, and the image's opinion of the wall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

NEAR_PIXELS = 9  # side of the square over which a pixel's neighbourhood is averaged
_TRACE = 1e-3  # of prior: less area than this has no opinion


@dataclass(frozen=True)
class WallView:
    """Slices [B, H, W] as the branches look at them; made once by :func:`view_wall` for all branches.

    ``prior`` [B, 17, H, W]; ``inside`` [B, 1, H, W] in [0, 1]; ``coarse``: per level of features the prior
    [B, 17, h, w] and the wall [B, 1, h, w]. Of the M pixels inside: ``places`` (slice, row, column), each [M];
    ``number`` [M], counted from 0 in every slice; ``shares`` [B, most, 17], the prior by slice and number, 0 beyond a
    slice's last; ``seen`` [M, 3], the image's logit of scar, that of the neighbourhood, and the probability.
    ``opinion`` [B, 17, 2]: per segment the image's mean probability of scar, and its share of the slice's wall.
    """

    prior: Tensor
    inside: Tensor
    coarse: tuple[tuple[Tensor, Tensor], ...]
    places: tuple[Tensor, Tensor, Tensor]
    number: Tensor
    shares: Tensor
    seen: Tensor
    opinion: Tensor

    def carry(self, words: Tensor) -> Tensor:
        """Words of segments [B, 17, D] brought to the pixels inside, [M, D]."""
        return torch.bmm(self.shares, words)[self.places[0], self.number]

    def spread(self, values: Tensor) -> Tensor:
        """Values [M] of the pixels inside on the grid, [B, 1, H, W]; 0 elsewhere."""
        return values.new_zeros(self.prior[:, 0].shape).index_put(self.places, values)[:, None]


def level_shapes(features: Sequence[Tensor]) -> list[tuple[int, int]]:
    """(h, w) of every level of features [..., h, w]."""
    return [(level.shape[-2], level.shape[-1]) for level in features]


def view_wall(prior: Tensor, scar_logit: Tensor, shapes: Sequence[tuple[int, int]]) -> WallView:
    """Look at slices.

    Parameters
    ----------
    prior : [B, 17, H, W]
    scar_logit : [B, 1, H, W], the image's own logit of scar given wall
    shapes : (h, w) of the levels of features that TAFF works on
    """
    area = prior.sum(dim=(2, 3))
    whole = prior.sum(dim=1, keepdim=True)
    slice_, row, column = torch.nonzero(whole[:, 0] > 0, as_tuple=True)
    logit = scar_logit.clamp(-6, 6) / 3
    near = F.avg_pool2d(logit, NEAR_PIXELS, stride=1, padding=NEAR_PIXELS // 2, count_include_pad=False)
    here, around = logit[slice_, 0, row, column], near[slice_, 0, row, column]
    probability = torch.einsum("bkhw,bhw->bk", prior, torch.sigmoid(scar_logit[:, 0])) / area.clamp(min=_TRACE)
    share = area / area.sum(dim=1, keepdim=True).clamp(min=_TRACE)
    count = torch.bincount(slice_, minlength=len(prior))
    number = torch.arange(len(slice_), device=prior.device) - (count.cumsum(0) - count)[slice_]
    shares = prior.new_zeros(len(prior), int(count.max()), prior.shape[1])
    shares[slice_, number] = prior[slice_, :, row, column]
    coarse = [F.adaptive_avg_pool2d(prior, shape) for shape in shapes]
    return WallView(
        prior,
        whole.clamp(0, 1),
        tuple((level, level.sum(dim=1, keepdim=True).clamp(0, 1)) for level in coarse),
        (slice_, row, column),
        number,
        shares,
        torch.stack([here, around, torch.sigmoid(3 * here)], dim=1),
        torch.stack([probability, share], dim=2),
    )
