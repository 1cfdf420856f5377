"""How well the ECG alone tells the extent of scar per segment, on ECGs it has not learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ScarSegECGLib.network.ecg_encoder import EcgEncoder
from ScarSegECGLib.training.ecg_training import embed
from ScarSegECGLib.training.pairs import Pairs


@dataclass(frozen=True)
class EcgSkill:
    """Of ``ecgs`` simulated ECGs: mean absolute ``error`` (fraction of a segment) and ``correlation`` over segments."""

    ecgs: int
    error: float
    correlation: float

    @property
    def sentence(self) -> str:
        """For a table's notes."""
        return (
            f"The ECG's own estimate against the scar it was simulated from ({self.ecgs} simulated ECGs of held-out "
            f"patients): mean absolute error {self.error:.3f} of a segment, correlation {self.correlation:.2f}."
        )


@torch.no_grad()
def ecg_skill(encoder: EcgEncoder, pairs: Sequence[Pairs]) -> EcgSkill:
    """Compare the encoder's scar fractions with the truth of the pairs."""
    said = torch.cat([encoder.speak(embed(encoder, each.inputs))[1].sigmoid() for each in pairs]).numpy()
    real = torch.cat([each.scar for each in pairs]).numpy()
    correlation = float(np.corrcoef(said.ravel(), real.ravel())[0, 1])
    return EcgSkill(len(real), float(np.abs(said - real).mean()), correlation)
