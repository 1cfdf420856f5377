"""The things that travel from room to room, each a frozen dataclass.

Arrays are ``[slice, row, column]`` in *canonical storage*: apex first, right ventricle on the image left,
anterior wall up. :class:`Storage` remembers how the file had them, so that whatever is written lies on the
input's own grid. Lengths are mm, volumes ml, mass g, ECG mV and s, time gaps days with sign
(ECG date - MRI date).
"""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib import __version__
from ScarSegECGLib.facts import Confidence, Contrast, Division, Fact, Method, PartsRule, Pattern, ScarRemark, Shown
from ScarSegECGLib.facts_ecg import Agreement, Conduction, GapProblem

FloatArray = NDArray[np.float32]
LabelArray = NDArray[np.uint8]

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")

BACKGROUND, CAVITY, MYOCARDIUM, SCAR = 0, 1, 2, 3
# Microvascular obstruction, a part of the scar: in label maps that tell it, and in :attr:`ScarParts.labels`.
MVO = 4
# Red, green, blue in 0..1: the same in every picture and in Slicer, told apart by colour-blind eyes.
STRUCTURE_COLOURS = {CAVITY: (0.847, 0.416, 0.357), MYOCARDIUM: (0.247, 0.612, 0.612), SCAR: (0.949, 0.690, 0.180)}
MYOCARDIAL_DENSITY_G_PER_ML = 1.05
# Between patient space as Slicer (RAS) and as DICOM and ITK (LPS) have it; its own inverse.
RAS_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])

# What a scar is made of, in :attr:`ScarParts.labels`.
PART_CORE, PART_GREY, PART_REST, PART_MVO = 1, 2, 3, MVO


@dataclass(frozen=True)
class Storage:
    """How a file's array becomes the canonical one: transpose by ``axes``, then flip ``flips``."""

    axes: tuple[int, int, int] = (0, 1, 2)
    flips: tuple[bool, bool, bool] = (False, False, False)

    def to_canonical(self, stored: NDArray) -> NDArray:
        """Reorder an array of the file's order; no value changes."""
        return np.ascontiguousarray(np.flip(np.transpose(stored, self.axes), tuple(np.flatnonzero(self.flips))))

    def to_stored(self, canonical: NDArray) -> NDArray:
        """Inverse of :meth:`to_canonical`."""
        turned = np.flip(canonical, tuple(np.flatnonzero(self.flips)))
        return np.ascontiguousarray(np.transpose(turned, np.argsort(self.axes)))


@dataclass(frozen=True)
class SourceSlice:
    """Where one slice of a DICOM stack was read from."""

    path: Path
    member: str = ""  # the file's name inside ``path`` where that is a zip archive
    frame: int | None = None  # from 1, in a multi-frame image
    sop_instance_uid: str = ""


@dataclass(frozen=True)
class LgeStack:
    """A short-axis LGE stack in canonical storage.

    ``voxels`` are float32 (slice, row, column), unscaled. ``ijk_to_ras`` and ``stored_ijk_to_ras``, (4, 4), take
    (column, row, slice, 1) indices, canonical and of the file's own array, to patient space, RAS, mm; ``storage`` is
    the way back to that array. ``acquired`` is when the images were taken, if the file says; ``orientation_known`` is
    false where it has no orientation and the canonical one was assumed. ``sha256`` is of the input's bytes,
    hexadecimal, "" for an array handed over in memory. ``notes`` (:class:`ScarSegECGLib.facts.LgeNote`) are what was
    assumed or noticed while reading; ``sources`` the DICOM image behind each slice, in *stored* slice order, empty for
    other formats.
    """

    voxels: FloatArray
    ijk_to_ras: NDArray[np.float64]
    storage: Storage
    stored_ijk_to_ras: NDArray[np.float64]
    acquired: datetime | None = None
    contrast: Contrast = Contrast.UNKNOWN
    orientation_known: bool = True
    sha256: str = ""
    notes: tuple[Fact, ...] = ()
    sources: tuple[SourceSlice, ...] = ()

    @cached_property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between neighbours along (slice, row, column), mm."""
        column, row, slice_ = np.linalg.norm(self.ijk_to_ras[:3, :3], axis=0)
        return float(slice_), float(row), float(column)

    @cached_property
    def voxel_ml(self) -> float:
        """Volume of one voxel, ml."""
        return float(np.prod(self.spacing)) / 1000.0


@dataclass(frozen=True)
class EcgFeatures:
    """What a reader measures on the median beat, ms and mV; ``None`` where it could not be measured.

    Waves are per lead, shape (12,): 0 where there is none (amplitudes are magnitudes), NaN for a missing lead.
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

    ``millivolts`` are float32 (12, samples), zero in the rows of missing leads; ``lead_mask``, (12,), is true for leads
    that are recorded or derived (III, aVR, aVL, aVF from I and II); ``rate`` is samples per second. ``acquired`` is
    when it was recorded, if the file truly stores it; ``date_trusted`` is false where the file says that its dates were
    removed or modified. ``device_ms`` are the device's own "qrs", "pr", "qt", "qtc", ms, and "axis", degrees.
    ``sha256`` and ``notes`` (:class:`ScarSegECGLib.facts_ecg.EcgNote`) are as those of :class:`LgeStack`; ``subject``
    is compared with the images' and never written. ``stated_paced``: the file itself states ventricular pacing.
    ``format`` is the usual name of the file's format.
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
    """How much the ECG counted in one result, and why."""

    amplitude: float  # in [0, 1]; exactly 0 means that the result is the image-only one, bit for bit
    reasons: tuple[Fact, ...]  # EcgReason
    gap: TimeGap


@dataclass(frozen=True)
class Anatomy:
    """LV anatomy on the stack's grid; degrees from image right = lateral, counter-clockwise, 90 = up = anterior."""

    cavity: NDArray[np.bool_]  # (slice, row, column), canonical storage
    myocardium: NDArray[np.bool_]  # the same; holds the scar
    aha: LabelArray  # the same; 0 outside, 1..17 inside the myocardium
    centres_mm: NDArray[np.float64]  # LV centres, (slice, 2): (row mm, column mm) = index * spacing; NaN without LV
    insertions_deg: NDArray[np.float64]  # (slice, 2): anterior and inferior RV insertion seen from there; NaN without
    insertion_confidence: NDArray[np.float64]  # (slice,): 0 (a guess from orientation alone) .. 1
    division: Division
    imaged: tuple[bool, ...]  # of 17: which segments the stack reaches
    notes: tuple[Fact, ...] = ()  # AnatomyNote
    insertions_raw_deg: NDArray[np.float64] | None = None  # each slice's own finding, before slices were joined


@dataclass(frozen=True)
class Burden:
    """How much scar there is."""

    ml: float
    grams: float
    percent_of_lv: float


def burden_of(scar_voxels: int, wall_voxels: int, voxel_ml: float) -> Burden:
    """Volume by summing slices, mass (1.05 g/ml) and share of the wall; all 0 where there is no wall.

    Schulz-Menger J et al. J Cardiovasc Magn Reson 2020;22:19.
    """
    ml = scar_voxels * voxel_ml
    return Burden(ml, ml * MYOCARDIAL_DENSITY_G_PER_ML, 100.0 * scar_voxels / wall_voxels if wall_voxels else 0.0)


@dataclass(frozen=True)
class Interval:
    """Between which volumes a patient's scar lies: (low, high) in ml and in % of the LV."""

    ml: tuple[float, float]
    percent_of_lv: tuple[float, float]
    level: float  # share of such intervals, 0..1, that hold the true volume


@dataclass(frozen=True)
class Signs:
    """What is seen of one case without knowing the truth."""

    scar_ml: float  # as found
    peak: float  # highest probability of scar, 0..1, over a neighbourhood of 0.1 ml
    spread_ml: float  # by how much the networks' views differ
    blur: float  # how undecided the borders are, 0 (sharp) to 1


@dataclass(frozen=True)
class ScarParts:
    """The scar told apart by brightness; core, grey zone, rest (darker, but not enclosed) and MVO add up to it."""

    labels: LabelArray  # PART_CORE ...; 0 outside the scar, and in all of it but the MVO where no other part is told
    mvo: Burden  # microvascular obstruction
    core: Burden | None = None  # without MVO; None, as the two below, where the image's contrast is unknown
    grey: Burden | None = None  # None also where no slice with scar leaves room for it
    rest: Burden | None = None
    rule: PartsRule | None = None  # how they were told apart
    remark: Fact | None = None  # PartsRemark: why they were not, or in how many slices the grey zone was not


@dataclass(frozen=True)
class IslandPattern:
    """Where in the wall one connected piece of scar lies."""

    number: int  # by falling size, from 1
    pattern: Pattern
    coverage: tuple[float, float, float]  # share of scar in the wall's inner, middle, outer third over its sectors
    touches_endocardium: bool
    remark: ScarRemark | None = None  # what speaks against ischaemic scar
    ml: float = 0.0
    slices: tuple[int, int] = (0, 0)  # first and last, 0 at the apical end


@dataclass(frozen=True)
class SegmentRow:
    """One AHA segment's line in the table; percentages 0..100, ``None`` where not imaged or not known.

    ``scar_ml``, ``scar_percent``, the transmurality and the parts (``mvo_ml`` and those of :class:`ScarParts`) are of
    the scar with the ECG, where it counted.
    """

    number: int
    name: str
    territory: str
    imaged: bool
    myocardium_ml: float
    scar_ml: float
    scar_percent: float | None
    scar_percent_image_only: float | None
    transmurality_mean_percent: float | None
    transmurality_max_percent: float | None
    transmurality_bin: str
    wall_thickness_mm: float | None = None
    ecg_percent: float | None = None
    agreement: Agreement | None = None
    agreement_reason: Fact | None = None
    mvo_ml: float | None = None
    core_ml: float | None = None
    grey_ml: float | None = None
    rest_ml: float | None = None


def software_versions() -> dict[str, str | None]:
    """Versions of what computes; ``None`` for what is not loaded in this process."""
    torch = getattr(sys.modules.get("torch"), "__version__", None)
    return {"scarsegecg": __version__, "python": platform.python_version(), "numpy": np.__version__, "torch": torch}


@dataclass(frozen=True, repr=False)
class ScarResult:
    """One patient's result, canonical storage throughout; printing it tells it in three lines.

    ``labels`` is uint8: 0 background, 1 LV cavity, 2 myocardium without scar, 3 scar. The probabilities are float32
    in [0, 1], 0 outside the network's field of view. ``timings`` are seconds per stage, ``software`` is what
    computed. ``ecg_findings`` is ``None`` without an ECG that could be measured. ``mvo`` is a part of ``scar``.
    ``warnings`` is all that the reader has to know; ``input_warnings`` the part of it that no correction changes.
    ``parts`` and ``patterns`` (largest island first) are of ``scar``; ``parts`` is ``None`` where nobody looked.
    ``signs``, ``interval`` and ``confidence`` are of the networks' image-only scar, None where nobody judged it: for a
    rule's or a changed scar there is no interval, and the confidence speaks of the contours alone.
    """

    stack: LgeStack
    ecg: Ecg | None
    ecg_use: EcgUse
    anatomy: Anatomy
    labels: LabelArray
    scar_probability: FloatArray
    scar_probability_image_only: FloatArray
    cavity_ml: float
    myocardium_ml: float
    scar: Burden
    scar_image_only: Burden
    segments: tuple[SegmentRow, ...]
    method: Method
    weights_sha256: str = ""
    warnings: tuple[Fact, ...] = ()
    timings: dict[str, float] = field(default_factory=dict)
    software: dict[str, str | None] = field(default_factory=software_versions)
    ecg_findings: EcgFindings | None = None
    mvo: Burden | None = None
    input_warnings: tuple[Fact, ...] = ()
    parts: ScarParts | None = None
    patterns: tuple[IslandPattern, ...] = ()
    interval: Interval | None = None
    confidence: Confidence | None = None
    signs: Signs | None = None

    @property
    def shown(self) -> Shown:
        """Which scar ``labels``, ``segments`` and ``parts`` hold: what made it, or that it was corrected by hand."""
        if self.method.corrected:
            return Shown.BY_HAND
        heard = self.ecg_use.amplitude > 0 and self.method.by_network and not self.method.image_only
        return Shown.WITH_ECG if heard else Shown.IMAGE_ONLY

    def __repr__(self) -> str:
        from ScarSegECGLib.report.present import result_lines

        return "\n".join(result_lines(self))

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"

    def table(self) -> list[dict[str, Any]]:
        """The AHA segments as rows by column name, ready for ``pandas.DataFrame``; words and numbers alone."""
        return [
            {name: value for name, value in vars(row).items() if name != "agreement_reason"} for row in self.segments
        ]
