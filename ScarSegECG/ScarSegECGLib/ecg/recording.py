"""What a file-format reader hands over, before leads are ordered and gates applied."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

# The note that says that the file itself states ventricular pacing; the conduction class follows it.
PACED_STATEMENT = "The file states a paced rhythm."


@dataclass(frozen=True)
class Recording:
    """One rhythm recording as its file has it.

    ``signals`` maps the file's own lead label to float64 mV, shape (samples,); ``rate`` is in samples per second.
    The other fields are those of :class:`ScarSegECGLib.case.Ecg`.
    """

    signals: dict[str, NDArray[np.float64]]
    rate: float
    acquired: datetime | None = None
    date_trusted: bool = True
    device_ms: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
