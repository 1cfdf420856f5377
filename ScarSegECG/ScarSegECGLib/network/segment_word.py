"""The fine side of the bridge from the ECG to the pixels: what its word for a segment means for a pixel there."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ScarSegECGLib.network.time_weight import TIME_FEATURES
from ScarSegECGLib.network.wall_view import WallView


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

    def forward(self, view: WallView, tokens: Tensor, time: Tensor) -> Tensor:
        """Raw movement [B, 1, H, W], 0 outside the prior, of tokens [B, 17, D] at ``time`` [B, TIME_FEATURES]."""
        when = time[:, None, :].expand(-1, tokens.shape[1], -1)
        pixel = self.pixel(view.seen)

        def say(spoken: Tensor) -> Tensor:
            heart = self.heart(spoken.mean(dim=1, keepdim=True))
            word = self.segment(torch.cat([spoken, view.opinion, when], dim=2)) + heart
            return self.last(self.middle(pixel + view.carry(word)))[:, 0]

        return view.spread(say(tokens) - say(self.nothing.expand_as(tokens)))
