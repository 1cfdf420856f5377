"""The whole ECG branch of one ensemble member: encoder, time weight and TAFF."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from ScarSegECGLib.network.ecg_encoder import EcgEncoder
from ScarSegECGLib.network.taff import EcgGuide
from ScarSegECGLib.network.time_weight import TimeWeight, time_embedding
from ScarSegECGLib.network.wall_view import WallView

DEEP_LEVELS = 3  # TAFF works on the coarsest levels of the image network: the bottleneck and the two deepest skips


_Level = TypeVar("_Level")


def deep(features: Sequence[_Level]) -> list[_Level]:
    """The levels TAFF works on, fine to coarse, of features or of their channel counts."""
    return list(features[-DEEP_LEVELS:])


class EcgBranch(nn.Module):
    """From an ECG, the image's deep features and the AHA prior to a movement of the scar logit."""

    def __init__(
        self, feature_channels: Sequence[int], token_size: int = 16, encoder_width: int = 20, *, word: bool = False
    ) -> None:
        super().__init__()
        self.encoder = EcgEncoder(token_size, encoder_width)
        self.time = TimeWeight()
        self.guide = EcgGuide(deep(feature_channels), token_size, word=word)

    def forward(
        self,
        features: Sequence[Tensor],
        view: WallView,
        tokens: Tensor,
        amplitude: Tensor,
        gap_days: Tensor,
        gap_known: Tensor,
    ) -> Tensor:
        """Movement of the scar logit [B, 1, H, W] in ``amplitude * (-1, +2)``; 0 outside the prior.

        ``features`` as :func:`deep` gives them, ``view`` of the same slices; ``tokens`` [B, 17, D]; the rest [B]. The
        grid may be any, as long as it is the same for all.
        """
        return self.guide(features, view, tokens, amplitude, time_embedding(gap_days, gap_known))


def new_branch(channels: Sequence[int], settings: dict) -> EcgBranch:
    """A branch of the sizes written in a weights file's settings, without any numbers yet."""
    with torch.device("meta"):
        word = settings.get("segment_word", True)
        return EcgBranch(channels, settings["token_size"], settings["encoder_width"], word=word)
