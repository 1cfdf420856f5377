"""Temporal Aware Feature Fusion: how the ECG reaches the image's features.

Re-implemented from the abstract of arXiv 2511.14702 (Ramzan et al. 2025), whose equations are not public to us; this
is not claimed to reproduce that paper. The form is residual FiLM (Perez et al., AAAI 2018), zero at the start of
training, inside the myocardium only.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ScarSegECGLib.network.segment_word import SegmentWord
from ScarSegECGLib.network.time_weight import TIME_FEATURES
from ScarSegECGLib.network.wall_view import WallView

LOGIT_DOWN, LOGIT_UP = -1.0, 2.0


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


class EcgGuide(nn.Module):
    """From the image network's view and the ECG's segment tokens to a movement of the scar logit.

    TAFF changes the features of the coarsest levels; one light decoder reads the features with and without the change
    and the difference, with that of :class:`SegmentWord`, is the movement, so that the image network itself is
    computed once and stays as it is. The movement is bounded by ``amplitude * (-1, +2)``: its greatest possible size
    never grows with the time gap, because the amplitude never does. All is done pixel by pixel or by pooling, so that
    the grid may be square or polar.
    """

    def __init__(
        self, feature_channels: Sequence[int], token_size: int = 16, width: int = 24, *, word: bool = False
    ) -> None:
        super().__init__()
        self.fuse = nn.ModuleList(Taff(channels, token_size) for channels in feature_channels)
        self.narrow = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in feature_channels)
        self.read = nn.Sequential(nn.Conv2d(width, width, 1), nn.SiLU(), nn.Conv2d(width, 1, 1))
        self.word = SegmentWord(token_size, width) if word else None

    def _decode(self, features: Sequence[Tensor]) -> Tensor:
        finest = features[0].shape[-2:]
        total = sum(
            F.interpolate(narrow(f), size=finest, mode="bilinear", align_corners=False)
            for narrow, f in zip(self.narrow, features, strict=True)
        )
        return self.read(total)

    def forward(
        self, features: Sequence[Tensor], view: WallView, tokens: Tensor, amplitude: Tensor, time: Tensor
    ) -> Tensor:
        """Movement of the scar logit [B, 1, H, W].

        Parameters
        ----------
        features : the image network's features from the third finest level to the coarsest, fine to coarse
        view : of the same slices, with a coarse prior for each of these levels
        tokens : [B, 17, D]; amplitude : [B]; time : [B, TIME_FEATURES]
        """
        fused = [
            fuse(level, tokens, prior, wall, amplitude, time)
            for level, fuse, (prior, wall) in zip(features, self.fuse, view.coarse, strict=True)
        ]
        raw = self._decode(fused) - self._decode(features)
        raw = F.interpolate(raw, size=view.prior.shape[-2:], mode="bilinear", align_corners=False)
        if self.word is not None:
            raw = raw + self.word(view, tokens, time)
        return amplitude[:, None, None, None] * view.inside * bounded(raw)
