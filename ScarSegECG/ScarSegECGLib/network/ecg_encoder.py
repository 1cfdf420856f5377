"""The ECG network: a median beat becomes one token per AHA segment, and a scar estimate of its own."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ScarSegECGLib.case import LEADS, EcgFeatures

SEGMENTS = 17
_CONDUCTION = ("normal", "rbbb", "lbbb", "lafb", "lvh", "paced")
# Typical value and spread of the single measurements, so that each arrives near 0 with spread near 1 (chosen).
_SCALARS = {
    "rate_bpm": (70.0, 20.0),
    "qrs_ms": (95.0, 20.0),
    "pr_ms": (160.0, 30.0),
    "qt_ms": (390.0, 40.0),
    "qtc_ms": (420.0, 30.0),
    "axis_deg": (40.0, 50.0),
}
_PER_LEAD = {"q_ms": 20.0, "q_mv": 0.2, "r_ms": 40.0, "r_mv": 0.8, "s_ms": 40.0, "s_mv": 0.8}
TABLE_SIZE = 2 * (len(_SCALARS) + len(_PER_LEAD) * len(LEADS)) + len(_CONDUCTION)


def feature_table(features: EcgFeatures) -> np.ndarray:
    """Measurements as the network reads them: float32 [TABLE_SIZE], values then a mask of what was measured."""
    typical, spread = np.array(list(_SCALARS.values())).T
    scalars = (np.array([getattr(features, name) for name in _SCALARS], float) - typical) / spread  # None is NaN
    leads = [np.asarray(getattr(features, name), np.float32) / scale for name, scale in _PER_LEAD.items()]
    values = np.concatenate([scalars.astype(np.float32), *leads])
    measured = np.isfinite(values)
    kind = np.array([features.conduction == name for name in _CONDUCTION], np.float32)
    return np.concatenate([np.where(measured, values, 0).clip(-5, 5), measured, kind]).astype(np.float32)


class _ResidualBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            nn.Conv1d(inputs, outputs, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm1d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv1d(outputs, outputs, 7, padding=3, bias=False),
            nn.BatchNorm1d(outputs),
        )
        self.shortcut = nn.Conv1d(inputs, outputs, 1, stride=2)

    def forward(self, signal: Tensor) -> Tensor:
        return torch.relu(self.path(signal) + self.shortcut(signal))


class EcgEncoder(nn.Module):
    """Small 1D ResNet on the beat and an MLP on the measurements.

    Returns tokens [B, 17, D] and ``scar`` logits [B, 17]: the scar fraction of each segment from the ECG alone, which
    is what the ECG's own bullseye shows. That logit, tamed, is also the first number of a segment's token.
    """

    def __init__(self, token_size: int = 16, width: int = 20) -> None:
        super().__init__()
        self.beat = nn.Sequential(
            _ResidualBlock(2 * len(LEADS), width),
            _ResidualBlock(width, 2 * width),
            _ResidualBlock(2 * width, 2 * width),
            _ResidualBlock(2 * width, 4 * width),
            nn.AdaptiveAvgPool1d(4),
            nn.Flatten(),
        )
        self.table = nn.Sequential(nn.Linear(TABLE_SIZE, 2 * width), nn.ReLU(inplace=True))
        self.join = nn.Sequential(
            nn.Linear(18 * width, 4 * width), nn.ReLU(inplace=True), nn.Dropout(0.2), nn.Linear(4 * width, 4 * width)
        )
        self.tokens = nn.Linear(4 * width, SEGMENTS * (token_size - 1))
        self.scar = nn.Linear(4 * width, SEGMENTS)
        self.token_size, self.width = token_size, width

    def forward(self, beat: Tensor, lead_mask: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
        """``beat`` [B, 12, 300] mV, ``lead_mask`` [B, 12], ``table`` [B, TABLE_SIZE] (:func:`feature_table`)."""
        return self.speak(self.embed(beat, lead_mask, table))

    def embed(self, beat: Tensor, lead_mask: Tensor, table: Tensor) -> Tensor:
        """What the ECG as a whole says, [B, 4 * width]."""
        mask = lead_mask.to(beat)[:, :, None].expand_as(beat)
        signal = self.beat(torch.cat([beat * mask, mask], dim=1))
        return self.join(torch.cat([signal, self.table(table)], dim=1))

    def speak(self, embedded: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens and scar logits of an embedded ECG."""
        scar = self.scar(embedded)
        own = self.tokens(embedded).view(-1, SEGMENTS, self.token_size - 1)
        return torch.cat([scar[:, :, None].clamp(-6, 6) / 3, torch.tanh(own)], dim=2), scar
