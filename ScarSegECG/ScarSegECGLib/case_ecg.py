"""What is known of a patient's ECG, as it travels: a part of :mod:`ScarSegECGLib.case`.

Amplitudes are mV, times s where nothing else is said, time gaps days with sign (ECG date - MRI date).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import Conduction, GapProblem

FloatArray = NDArray[np.float32]
LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


@dataclass(frozen=True)
class EcgFeatures:
    """What a reader measures on the median beat; ``None`` where it could not be measured.

    Durations are ms, amplitudes mV. Waves are per lead, shape (12,), 0 where the wave is absent (amplitudes are
    magnitudes) and NaN for a missing lead.
    """

    rate_bpm: float | None
    qrs_ms: float | None
    pr_ms: float | None
    qt_ms: float | None
    qtc_ms: float | None
    axis_deg: float | None  # in the frontal plane
    conduction: Conduction
    q_ms: FloatArray
    q_mv: FloatArray
    r_ms: FloatArray
    r_mv: FloatArray
    s_ms: FloatArray
    s_mv: FloatArray
    from_device: tuple[str, ...] = ()
    irregular: bool = False  # the beats' distances vary as in atrial fibrillation


@dataclass(frozen=True)
class EcgFindings:
    """What a reader of the ECG is shown beside the image; no part of it enters the segmentation."""

    features: EcgFeatures
    q_waves: tuple[str, ...] | None  # leads with a pathological Q wave (or R wave in V1, V2); None if not judged
    q_waves_remark: Fact | None  # why not
    score_points: int | None  # of the QRS score, 3 % of the LV each; None where it does not hold
    score_percent_of_lv: float | None
    score_remark: Fact | None  # why not, or what weakens it


@dataclass(frozen=True, repr=False)
class Subject:
    """Whose it is, in memory alone: never written, logged or shown; ``None`` where it is not known."""

    digest: str = ""  # of the patient's identifier under a salt of this process; "" where there is none
    female: bool | None = None
    age: float | None = None  # years


@dataclass(frozen=True)
class Ecg:
    """A 12-lead ECG in the canonical lead order of :data:`LEADS`.

    Attributes
    ----------
    millivolts : float32 array, shape (12, samples)
        Zero in the rows of missing leads.
    lead_mask : bool array, shape (12,)
        Which leads are recorded or derived (III, aVR, aVL, aVF from I and II).
    rate : float
        Samples per second.
    acquired : datetime or None
        When it was recorded, if the file truly stores it.
    date_trusted : bool
        False where the file says its dates were removed or modified.
    device_ms : dict
        The device's own measurements, ms, by name: "qrs", "pr", "qt", "qtc"; "axis" in degrees.
    sha256 : str
        As in :class:`LgeStack`.
    notes : tuple of Fact
        What was assumed or noticed while reading (:class:`ScarSegECGLib.facts_ecg.EcgNote`).
    subject : Subject
        Whose it is; compared with the images', and never written.
    stated_paced : bool
        The file itself states ventricular pacing.
    format : str
        The usual name of the file's format.
    """

    millivolts: FloatArray
    lead_mask: NDArray[np.bool_]
    rate: float
    acquired: datetime | None = None
    date_trusted: bool = True
    device_ms: dict[str, float] = field(default_factory=dict)
    sha256: str = ""
    notes: tuple[Fact, ...] = ()
    subject: Subject = Subject()
    stated_paced: bool = False
    format: str = ""


@dataclass(frozen=True)
class MedianBeat:
    """The ECG in the one form the network reads: 600 ms at 500 Hz, QRS onset at 200 ms, isoelectric line at 0."""

    millivolts: FloatArray  # (12, 300)
    lead_mask: NDArray[np.bool_]  # (12,)
    features: EcgFeatures


@dataclass(frozen=True)
class TimeGap:
    """Signed time between the two acquisitions."""

    days: float | None  # ECG date - MRI date: negative = ECG first; None if one is missing or not to be trusted
    event_between: bool = False  # the user says an infarct or a revascularisation lies between the two
    problem: GapProblem | None = None  # why the days are not known, or cannot be true

    @property
    def impossible(self) -> bool:
        """Whether there are dates and they cannot be true."""
        return self.problem in (GapProblem.ECG_IN_FUTURE, GapProblem.MRI_IN_FUTURE, GapProblem.TOO_FAR_APART)


@dataclass(frozen=True)
class EcgUse:
    """How much the ECG counted in one result, and why (:class:`ScarSegECGLib.facts_ecg.EcgReason`).

    ``amplitude`` in [0, 1]; exactly 0 means that the result is the image-only one, bit for bit.
    """

    amplitude: float
    reasons: tuple[Fact, ...]
    gap: TimeGap
