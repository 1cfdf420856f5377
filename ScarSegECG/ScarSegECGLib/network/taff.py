"""Temporal Aware Feature Fusion: how the ECG reaches the image's features, and how time weakens it.

Re-implemented from the abstract of arXiv 2511.14702 (Ramzan et al. 2025), whose equations are not public to us; this
is not claimed to reproduce that paper. The form is residual FiLM (Perez et al., AAAI 2018), zero at the start of
training, inside the myocardium only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

DAYS_PER_YEAR = 365.0
LOGIT_DOWN, LOGIT_UP = -1.0, 2.0
TIME_SCALES_DAYS = (7.0, 30.0, 120.0, 365.0, 1825.0)


class TimeWeight(nn.Module):
    """How much an ECG counts that was taken ``gap`` days before (negative) or after the image.

    ``w = (1 + exp(-c)) / (1 + exp(alpha * |gap| / 365 - c))``: 1 at 0, falling with |gap| whatever is learned, because
    ``alpha`` is positive by construction. An ECG taken after the image has its own, never smaller, ``alpha``: it may
    show disease that the image could not.
    """

    def __init__(self, c: float = 3.0, alpha_before: float = 2.5, alpha_extra_after: float = 2.5) -> None:
        super().__init__()
        inverse_softplus = [math.log(math.expm1(alpha)) for alpha in (alpha_before, alpha_extra_after)]
        self.rates = nn.Parameter(torch.tensor(inverse_softplus))
        self.c = nn.Parameter(torch.tensor(c))

    def forward(self, gap_days: Tensor) -> Tensor:
        """Signed days [B] -> weight [B] in (0, 1]."""
        before, extra = F.softplus(self.rates)
        alpha = torch.where(gap_days > 0, before + extra, before)
        years = gap_days.abs() / DAYS_PER_YEAR
        return (1 + torch.exp(-self.c)) / (1 + torch.exp((alpha * years - self.c).clamp(max=60)))


def time_embedding(gap_days: Tensor, known: Tensor) -> Tensor:
    """Describe a signed gap to the network: [B], [B] -> [B, 2 * scales + 1].

    Saturating ramps at a week, a month, a season, a year and five years, before and after, and "known"; all zero where
    the gap is not known.
    """
    scales = gap_days.new_tensor(TIME_SCALES_DAYS)
    before = 1 - torch.exp(-(-gap_days).clamp(min=0)[:, None] / scales)
    after = 1 - torch.exp(-gap_days.clamp(min=0)[:, None] / scales)
    known = known.to(before)[:, None]
    return torch.cat([before * known, after * known, known], dim=1)


TIME_FEATURES = 2 * len(TIME_SCALES_DAYS) + 1


class Taff(nn.Module):
    """One level's fusion: ``F' = F + A * sigmoid(gate(F, M, t)) * m * (tanh(gamma) * F + beta)``.

    ``M(x) = sum_k p_k(x) Z_k`` carries segment tokens to pixels through the AHA prior. The layer that makes gamma and
    beta starts at zero, so a fresh module changes nothing.
    """

    def __init__(self, channels: int, token_size: int) -> None:
        super().__init__()
        context = token_size + TIME_FEATURES
        self.gate = nn.Conv2d(channels + context, 1, 1)
        last = nn.Conv2d(2 * token_size, 2 * channels, 1, bias=False)
        nn.init.zeros_(last.weight)
        self.film = nn.Sequential(nn.Conv2d(context, 2 * token_size, 1), nn.SiLU(), last)

    def forward(
        self, features: Tensor, tokens: Tensor, prior: Tensor, wall: Tensor, amplitude: Tensor, time: Tensor
    ) -> Tensor:
        """Fuse.

        Parameters
        ----------
        features [B, C, h, w]; tokens [B, 17, D]; prior [B, 17, h, w]; wall [B, 1, h, w] in [0, 1];
        amplitude [B] in [0, 1]; time [B, TIME_FEATURES]
        """
        carried = torch.einsum("bkhw,bkd->bdhw", prior, tokens)
        when = time[:, :, None, None].expand(-1, -1, *features.shape[-2:])
        context = torch.cat([carried, when], dim=1)
        gamma, beta = self.film(context).chunk(2, dim=1)
        gate = torch.sigmoid(self.gate(torch.cat([features, context], dim=1)))
        strength = amplitude[:, None, None, None] * wall
        return features + strength * gate * (torch.tanh(gamma) * features + beta)


def bounded(raw: Tensor) -> Tensor:
    """Squeeze a logit's movement into (-1, +2) with slope 1 at 0: an ECG may add scar more readily than doubt it."""
    return torch.where(raw > 0, LOGIT_UP * torch.tanh(raw / LOGIT_UP), -LOGIT_DOWN * torch.tanh(raw / -LOGIT_DOWN))


class SegmentWord(nn.Module):
    """What the ECG's word for a segment means for a pixel there whose image logit is known.

    TAFF works on coarse features; this is the fine side of the same bridge. Every segment's token, the image's own mean
    opinion of that segment in this slice, and the time are weighed together by one small network (the same for all
    segments, so that permuted segments take the effect with them), carried to the pixels by the prior, and met there
    by the image's logit. The same is done with a learned token that stands for no ECG; the difference counts, so that
    nothing moves but for the ECG.
    """

    def __init__(self, token_size: int, width: int) -> None:
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(token_size))
        self.segment = nn.Linear(token_size + TIME_FEATURES + 2, width)
        self.heart = nn.Linear(token_size, width)
        self.pixel = nn.Linear(3, width)
        self.middle = nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.last = nn.Linear(width, 1, bias=False)
        nn.init.zeros_(self.last.weight)

    def forward(self, scar_logit: Tensor, tokens: Tensor, prior: Tensor, time: Tensor) -> Tensor:
        """Raw movement [B, 1, H, W], 0 outside the prior; arguments as in :class:`EcgGuide`."""
        logit = scar_logit.clamp(-6, 6) / 3
        near = F.avg_pool2d(logit, 9, stride=1, padding=4, count_include_pad=False)
        area = prior.sum(dim=(2, 3))
        opinion = torch.einsum("bkhw,bhw->bk", prior, torch.sigmoid(scar_logit[:, 0])) / area.clamp(min=1e-3)
        image = torch.stack([opinion, area / area.sum(dim=1, keepdim=True).clamp(min=1e-3)], dim=2)
        when = time[:, None, :].expand(-1, tokens.shape[1], -1)
        # Only the wall's pixels, a tenth of all, are looked at.
        slice_, row, column = torch.nonzero(prior.sum(dim=1) > 0, as_tuple=True)
        shares = prior[slice_, :, row, column].split(torch.bincount(slice_, minlength=len(prior)).tolist())
        seen = torch.stack([logit[slice_, 0, row, column], near[slice_, 0, row, column]], dim=1)
        pixel = self.pixel(torch.cat([seen, torch.sigmoid(3 * seen[:, :1])], dim=1))

        def say(spoken: Tensor) -> Tensor:
            heart = self.heart(spoken.mean(dim=1, keepdim=True))
            word = self.segment(torch.cat([spoken, image, when], dim=2)) + heart
            carried = torch.cat([own @ word[k] for k, own in enumerate(shares)])
            return self.last(self.middle(pixel + carried))[:, 0]

        moved = say(tokens) - say(self.nothing.expand_as(tokens))
        out = moved.new_zeros(scar_logit[:, 0].shape)
        return out.index_put((slice_, row, column), moved)[:, None]


class EcgGuide(nn.Module):
    """From the image network's view and the ECG's segment tokens to a movement of the scar logit.

    TAFF changes the features of the coarsest levels; one light decoder reads the features with and without the change
    and the difference, with that of :class:`SegmentWord`, is the movement, so that the image network itself is
    computed once and stays as it is. The movement is bounded by ``amplitude * (-1, +2)``: its greatest possible size
    never grows with the time gap, because the amplitude never does. All is done pixel by pixel or by pooling, so that
    the grid may be square or polar.
    """

    def __init__(self, feature_channels: Sequence[int], token_size: int = 16, width: int = 24) -> None:
        super().__init__()
        self.fuse = nn.ModuleList(Taff(channels, token_size) for channels in feature_channels)
        self.narrow = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in feature_channels)
        self.read = nn.Sequential(nn.Conv2d(width, width, 1), nn.SiLU(), nn.Conv2d(width, 1, 1))
        self.word = SegmentWord(token_size, width)

    def _decode(self, features: Sequence[Tensor]) -> Tensor:
        finest = features[0].shape[-2:]
        total = sum(
            F.interpolate(narrow(f), size=finest, mode="bilinear", align_corners=False)
            for narrow, f in zip(self.narrow, features, strict=True)
        )
        return self.read(total)

    def forward(
        self,
        features: Sequence[Tensor],
        scar_logit: Tensor,
        tokens: Tensor,
        prior: Tensor,
        amplitude: Tensor,
        time: Tensor,
    ) -> Tensor:
        """Movement of the scar logit [B, 1, H, W].

        Parameters
        ----------
        features : the image network's features from the third finest level to the coarsest, fine to coarse
        scar_logit : [B, 1, H, W], the image's own logit of scar given wall
        tokens : [B, 17, D]; prior : [B, 17, H, W]; amplitude : [B]; time : [B, TIME_FEATURES]
        """
        fused = []
        for level, fuse in zip(features, self.fuse, strict=True):
            coarse = F.adaptive_avg_pool2d(prior, (level.shape[-2], level.shape[-1]))
            wall = coarse.sum(dim=1, keepdim=True).clamp(0, 1)
            fused.append(fuse(level, tokens, coarse, wall, amplitude, time))
        raw = self._decode(fused) - self._decode(features)
        raw = F.interpolate(raw, size=prior.shape[-2:], mode="bilinear", align_corners=False)
        raw = raw + self.word(scar_logit, tokens, prior, time)
        inside = prior.sum(dim=1, keepdim=True).clamp(0, 1)
        return amplitude[:, None, None, None] * inside * bounded(raw)
