"""How much an ECG counts by the time between it and the image."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

DAYS_PER_YEAR = 365.0


class TimeWeight(nn.Module):
    """How much an ECG counts that was taken ``gap`` days before (negative) or after the image.

    ``w = (1 + exp(-c)) / (1 + exp(alpha * |gap| / 365 - c))``: 1 at 0, falling with |gap| whatever is learned, because
    ``alpha`` is positive by construction. An ECG taken after the image has its own, never smaller, ``alpha``: it may
    show disease that the image could not. The numbers given are where training begins: those in the weights win. What
    holds where a date is not known stands in ``amplitude.py``.
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
