"""The things that travel from room to room, each a frozen dataclass.

Arrays are ``[slice, row, column]`` in *canonical storage*: apex first, right ventricle on the image left,
anterior wall up. :class:`Storage` remembers how the file had them, so that whatever is written lies on the
input's own grid. Lengths are mm, volumes ml, mass g, ECG mV and s, time gaps days with sign
(ECG date - MRI date).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case_ecg import LEADS as LEADS
from ScarSegECGLib.case_ecg import Ecg as Ecg
from ScarSegECGLib.case_ecg import EcgFeatures as EcgFeatures
from ScarSegECGLib.case_ecg import EcgFindings as EcgFindings
from ScarSegECGLib.case_ecg import EcgUse as EcgUse
from ScarSegECGLib.case_ecg import MedianBeat as MedianBeat
from ScarSegECGLib.case_ecg import Subject as Subject
from ScarSegECGLib.case_ecg import TimeGap as TimeGap
from ScarSegECGLib.facts import (
    AhaMode,
    Confidence,
    Contrast,
    Division,
    Fact,
    Method,
    PartsRule,
    Pattern,
    ScarRemark,
    Shown,
)
from ScarSegECGLib.facts_ecg import Agreement

FloatArray = NDArray[np.float32]
LabelArray = NDArray[np.uint8]

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
        turned = np.transpose(stored, self.axes)
        return np.ascontiguousarray(turned[tuple(slice(None, None, -1 if f else 1) for f in self.flips)])

    def to_stored(self, canonical: NDArray) -> NDArray:
        """Inverse of :meth:`to_canonical`."""
        turned = canonical[tuple(slice(None, None, -1 if f else 1) for f in self.flips)]
        return np.ascontiguousarray(np.transpose(turned, np.argsort(self.axes)))


@dataclass(frozen=True)
class SourceSlice:
    """Where one slice of a DICOM stack was read from.

    ``member`` names the file inside ``path`` where that is a zip archive, else it is "". ``frame`` counts from 1 in a
    multi-frame image and is ``None`` elsewhere.
    """

    path: Path
    member: str = ""
    frame: int | None = None
    sop_instance_uid: str = ""


@dataclass(frozen=True)
class LgeStack:
    """A short-axis LGE stack in canonical storage.

    Attributes
    ----------
    voxels : float32 array, shape (slice, row, column)
        Intensities, unscaled.
    ijk_to_ras : float64 array, shape (4, 4)
        Takes canonical (column, row, slice, 1) indices to patient space, RAS, mm.
    storage : Storage
        The way back to the file's array order.
    stored_ijk_to_ras : float64 array, shape (4, 4)
        The file's own matrix, for (column, row, slice) of the file's array.
    acquired : datetime or None
        When the images were taken, if the file says.
    contrast : Contrast
        Magnitude or phase-sensitive inversion recovery.
    orientation_known : bool
        False where the file has no orientation and the canonical one was assumed.
    sha256 : str
        Hash of the input's bytes, hexadecimal; "" for an array handed over in memory.
    notes : tuple of Fact
        What was assumed or noticed while reading (:class:`ScarSegECGLib.facts.LgeNote`).
    sources : tuple of SourceSlice
        The DICOM image behind each slice, in *stored* slice order; empty for other formats.
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
class Anatomy:
    """LV anatomy on the stack's grid, canonical storage.

    Attributes
    ----------
    cavity, myocardium : bool arrays, shape (slice, row, column)
        The myocardium holds the scar.
    aha : uint8 array, same shape
        0 outside, 1..17 inside the myocardium.
    centres_mm : float64 array, shape (slice, 2)
        LV centre per slice as (row mm, column mm) = index * spacing; NaN where a slice has no LV.
    insertions_deg : float64 array, shape (slice, 2)
        Direction of the anterior and the inferior RV insertion seen from the LV centre, degrees in the bullseye's
        frame (0 = image right = lateral, counter-clockwise, 90 = up = anterior); NaN where there is none.
    insertion_confidence : float64 array, shape (slice,)
        0 (a guess from orientation alone) .. 1.
    division : Division
        Fixed or landmark mode, 16 or 17 segments.
    imaged : tuple of bool, length 17
        Which segments the stack reaches.
    notes : tuple of Fact
        :class:`ScarSegECGLib.facts.AnatomyNote`.
    insertions_raw_deg : float64 array, shape (slice, 2), or None
        As ``insertions_deg``, but each slice's own finding, before slices were joined; NaN where there was none.
    """

    cavity: NDArray[np.bool_]
    myocardium: NDArray[np.bool_]
    aha: LabelArray
    centres_mm: NDArray[np.float64]
    insertions_deg: NDArray[np.float64]
    insertion_confidence: NDArray[np.float64]
    division: Division
    imaged: tuple[bool, ...]
    notes: tuple[Fact, ...] = ()
    insertions_raw_deg: NDArray[np.float64] | None = None

    @property
    def mode(self) -> AhaMode:
        """Fixed or landmark."""
        return self.division.mode

    @property
    def segments(self) -> int:
        """How many AHA segments the wall is divided into, 16 or 17."""
        return self.division.segments


@dataclass(frozen=True)
class Burden:
    """How much scar there is."""

    ml: float
    grams: float
    percent_of_lv: float


def burden_of(scar_voxels: int, wall_voxels: int, voxel_ml: float) -> Burden:
    """Volume, mass (1.05 g/ml) and share of the wall; all 0 where there is no wall.

    References
    ----------
    Schulz-Menger J et al. J Cardiovasc Magn Reson 2020;22:19 (volume by summing slices; mass = volume x 1.05 g/ml).
    """
    ml = scar_voxels * voxel_ml
    return Burden(ml, ml * MYOCARDIAL_DENSITY_G_PER_ML, 100.0 * scar_voxels / wall_voxels if wall_voxels else 0.0)


@dataclass(frozen=True)
class Interval:
    """Between which volumes a patient's scar lies: (low, high) in ml and in % of the LV.

    ``level``, 0..1, is the share of such intervals that hold the true volume.
    """

    ml: tuple[float, float]
    percent_of_lv: tuple[float, float]
    level: float


@dataclass(frozen=True)
class Signs:
    """What is seen of one case without knowing the truth.

    ``scar_ml`` as found; ``peak`` the highest probability of scar, 0..1, over a neighbourhood of 0.1 ml;
    ``spread_ml`` by how much the networks' views differ; ``blur`` how undecided the borders are, 0 (sharp) to 1.
    """

    scar_ml: float
    peak: float
    spread_ml: float
    blur: float


@dataclass(frozen=True)
class ScarParts:
    """The scar told apart by brightness; core, grey zone, rest and MVO add up to it.

    Attributes
    ----------
    labels : uint8 array, shape (slice, row, column)
        :data:`PART_CORE`, :data:`PART_GREY`, :data:`PART_REST`, :data:`PART_MVO`; 0 outside the scar, and in all of it
        but the MVO where core and grey zone cannot be told.
    mvo : Burden
        Microvascular obstruction.
    core, grey, rest : Burden or None
        Core and grey zone without MVO, and what is darker than the grey zone's lower limit but not enclosed. ``None``
        where the image's contrast is unknown; ``grey`` also where no slice with scar leaves room for it.
    rule : PartsRule or None
        How they were told apart; ``None`` where they were not.
    remark : Fact or None
        Why they were not, or in how many slices the grey zone could not be told (:class:`PartsRemark`).
    """

    labels: LabelArray
    mvo: Burden
    core: Burden | None = None
    grey: Burden | None = None
    rest: Burden | None = None
    rule: PartsRule | None = None
    remark: Fact | None = None


@dataclass(frozen=True)
class IslandPattern:
    """Where in the wall one connected piece of scar lies.

    Attributes
    ----------
    number : int
        As in :func:`ScarSegECGLib.measure.islands.scar_islands`: the largest is 1.
    pattern : Pattern
    coverage : tuple of three float
        Share of the inner, middle and outer third of the wall that is scar, over the sectors the island spans.
    touches_endocardium : bool
    remark : ScarRemark or None
        What speaks against ischaemic scar.
    ml : float
    slices : tuple of int
        First and last slice, 0 at the apical end.
    """

    number: int
    pattern: Pattern
    coverage: tuple[float, float, float]
    touches_endocardium: bool
    remark: ScarRemark | None = None
    ml: float = 0.0
    slices: tuple[int, int] = (0, 0)


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


@dataclass(frozen=True, repr=False)
class ScarResult:
    """One patient's result, canonical storage throughout; printing it tells it in three lines.

    ``labels`` is uint8: 0 background, 1 LV cavity, 2 myocardium without scar, 3 scar. The probabilities are float32
    in [0, 1], 0 outside the network's field of view. ``timings`` are seconds per stage. ``ecg_findings`` is ``None``
    without an ECG or where it could not be measured. ``mvo`` is microvascular obstruction, a part of ``scar``.
    ``warnings`` is all that the reader has to know; ``input_warnings`` the part of it that no correction changes.
    ``parts`` and ``patterns`` (largest island first) are of ``scar``; ``parts`` is ``None`` where nobody looked.
    ``interval``, ``confidence`` and the ``signs`` they follow from are of the network's image-only scar, ``None`` where
    nobody judged it.
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
        """Which scar ``labels``, ``segments`` and ``parts`` hold."""
        return shown(self.method, self.ecg_use)

    def __repr__(self) -> str:
        from ScarSegECGLib.wording import result_lines

        return "\n".join(result_lines(self))

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"

    def table(self) -> list[dict[str, Any]]:
        """The AHA segments as rows by column name, ready for ``pandas.DataFrame``; words and numbers alone."""
        return [
            {name: value for name, value in vars(row).items() if name != "agreement_reason"} for row in self.segments
        ]


def shown(method: Method, use: EcgUse) -> Shown:
    """Which scar was made so: with what the ECG added, by the images alone, or corrected by hand."""
    if method.corrected:
        return Shown.BY_HAND
    heard = use.amplitude > 0 and method.by_network and not method.image_only
    return Shown.WITH_ECG if heard else Shown.IMAGE_ONLY
