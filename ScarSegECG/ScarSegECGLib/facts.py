"""Every fact a program decides by: words of closed lists, and codes with their numbers. How they are told is
:mod:`ScarSegECGLib.wording`'s, so that words can be changed and translated without changing a result."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


class Word(str, Enum):
    """One of a closed list; equal to, and written into files as, its value."""

    def __str__(self) -> str:
        return str(self.value)


class Contrast(Word):
    """What the pixels of an LGE image show."""

    MAGNITUDE = "magnitude"
    PSIR = "psir"
    UNKNOWN = "unknown"


class Pattern(Word):
    """Where in the wall an island of scar lies."""

    SUBENDOCARDIAL = "subendocardial"
    MID_WALL = "mid-wall"
    EPICARDIAL = "epicardial"
    TRANSMURAL = "transmural"


class AhaMode(Word):
    """Sectors of 60 degrees from the anterior RV insertion, or the septum halved between both insertions."""

    FIXED = "fixed"
    LANDMARK = "landmark"


class ScarSource(Word):
    """What tells scar from myocardium: the networks, a rule, or somebody's contours."""

    NETWORK = "network"
    N_SD = "n_sd"
    FWHM = "fwhm"
    OTSU = "otsu"
    MIXTURE = "mixture"
    EWA = "ewa"
    MANUAL = "manual"


class Shown(Word):
    """Which scar a result's segments, parts and pictures hold."""

    WITH_ECG = "with_ecg"
    IMAGE_ONLY = "image_only"
    BY_HAND = "by_hand"


class RemoteSource(Word):
    """Where remote myocardium was taken from."""

    AUTOMATIC = "automatic"
    DRAWN = "drawn"
    SEGMENTS = "segments"


class Grade(Word):
    """Whether a result can be relied on, as far as the program can tell."""

    GOOD = "good"
    CHECK = "check"
    DO_NOT_USE = "do_not_use"


class Code(Enum):
    """What a :class:`Fact` is about; equal to itself alone."""


class LgeNote(Code):
    """What was assumed or noticed while reading images."""

    CONTRAST_UNMARKED = "contrast_unmarked"
    ORIENTATION_ASSUMED = "orientation_assumed"
    SLICE_AXIS_UNCLEAR = "slice_axis_unclear"
    POSE_DOUBTFUL = "pose_doubtful"  # (angle)
    SCALE_DIFFERS = "scale_differs"
    FORMS_DISAGREE = "forms_disagree"  # (axes: degrees, offset: mm): sform and qform
    CONTRAST_FROM_VALUES = "contrast_from_values"  # (percent): of the pixels that are negative
    CONTRAST_DISPUTED = "contrast_disputed"  # (percent): negative, and the header says magnitude
    DECIMAL_COMMAS = "decimal_commas"
    LABELS_BY_NAME = "labels_by_name"  # (meant: tuple of (value, class))
    LABELS_ODD = "labels_odd"  # (why: NoHeart)
    DATES_REMOVED = "dates_removed"
    DATE_IMPLAUSIBLE = "date_implausible"
    DATES_DISAGREE = "dates_disagree"
    # (name, sets, taken_for, kind, slices, only_possible, others: tuple of (name, kind, slices, unfit))
    TAKEN = "taken"
    TAKEN_AS_ASKED = "taken_as_asked"  # (name, taken_for)
    SHIFTS_CORRECTED = "shifts_corrected"  # (slices, mm, confidence)
    NO_SHIFTS = "no_shifts"
    SIMULATED = "simulated"
    DEGRADED = "degraded"


LGE_DOUBTS = (  # notes of reading that put a figure in doubt
    LgeNote.POSE_DOUBTFUL,
    LgeNote.SCALE_DIFFERS,
    LgeNote.FORMS_DISAGREE,
    LgeNote.SLICE_AXIS_UNCLEAR,
    LgeNote.CONTRAST_UNMARKED,
    LgeNote.CONTRAST_FROM_VALUES,
    LgeNote.CONTRAST_DISPUTED,
    LgeNote.DECIMAL_COMMAS,
    LgeNote.LABELS_BY_NAME,
    LgeNote.LABELS_ODD,
)


class NoHeart(Code):
    """Why labels are not those of a left ventricle in short axis."""

    NO_RING = "no_ring"
    MOSTLY_SCAR = "mostly_scar"
    OPEN_CAVITY = "open_cavity"
    MIDDLE_NOT_CAVITY = "middle_not_cavity"
    SCAR_OUTSIDE = "scar_outside"


class AnatomyNote(Code):
    """What the reader has to know of the LV's division; slices are counted from 1 at the apex."""

    NO_LV = "no_lv"
    ORIENTATION_ASSUMED = "orientation_assumed"
    NOT_SURROUNDED = "not_surrounded"
    FEW_SLICES = "few_slices"  # (count)
    NO_APEX = "no_apex"
    OFF_AXIS = "off_axis"  # (slices, most)
    INSERTIONS_GIVEN = "insertions_given"  # (which: "", "anterior" or "inferior"; slices: () for all)
    INSERTIONS_UNUSED = "insertions_unused"  # (slices)
    INSERTIONS_DISPUTED = "insertions_disputed"  # (slices, degrees)
    INSERTIONS_UNCERTAIN = "insertions_uncertain"  # (slices or () and confidence)


class Doubt(Code):
    """What speaks against contours, a threshold, remote myocardium, or a scar."""

    DIFFERENT_PATIENTS = "different_patients"
    NO_ORIENTATION = "no_orientation"
    CONTRAST_UNKNOWN = "contrast_unknown"
    SLICES_DISPLACED = "slices_displaced"  # (slices, mm, confidence)
    WIDER_APEX = "wider_apex"
    UNUSUAL_SCAR = "unusual_scar"  # (pattern, remark, count, ml)
    THRESHOLD_LOW = "threshold_low"  # (scar_percent, remote_percent: 0 where not doubted; low, slices)
    FWHM_REGION_LENT = "fwhm_region_lent"  # (held, shown)
    REMOTE_ENHANCED = "remote_enhanced"  # (region, mean, sd, dark_mean, dark_sd, above, wider, slices)
    REMOTE_LENT = "remote_lent"  # (region, held, shown, low, high)
    REMOTE_IN_SCAR = "remote_in_scar"  # (region, percent)
    MAY_BE_NO_SCAR = "may_be_no_scar"  # (ml, most, without, as_little, infarct)
    FROM_NO_SCAR_ON = "from_no_scar_on"  # (ml, high)


class ScarRemark(Code):
    """What speaks against ischaemic scar in one island."""

    NON_ISCHAEMIC = "non_ischaemic"
    FULLER_OUTSIDE = "fuller_outside"
    OFF_ENDOCARDIUM = "off_endocardium"


class PartsRemark(Code):
    """Why core and grey zone were not, or not everywhere, told apart."""

    CONTRAST_UNKNOWN = "contrast_unknown"
    NO_ROOM = "no_room"  # (lost, among): slices


class ConfidenceReason(Code):
    """Why a result is graded as it is."""

    NETWORKS_DISAGREE = "networks_disagree"  # (ml)
    BORDERS_UNCERTAIN = "borders_uncertain"
    WIDE_INTERVAL = "wide_interval"  # (low, high): ml
    ANATOMY_IMPLAUSIBLE = "anatomy_implausible"  # (ml): cavity and wall
    LITTLE_SCAR = "little_scar"  # (ml)


@dataclass(frozen=True, init=False)
class Fact:
    """A code and its parameters: ``Fact(Doubt.REMOTE_LENT, held=3, ...)["held"]``. Parameters are numbers, text from a
    file, other facts, or tuples of these."""

    code: Code
    parameters: tuple[tuple[str, Any], ...]

    def __init__(self, code: Code, **parameters: Any) -> None:
        object.__setattr__(self, "code", code)
        object.__setattr__(self, "parameters", tuple(sorted(parameters.items())))

    def __getitem__(self, name: str) -> Any:
        return dict(self.parameters)[name]

    def __str__(self) -> str:
        from ScarSegECGLib.wording import words

        return words(self)

    def get(self, name: str, default: Any = None) -> Any:
        """One parameter, or ``default`` where this fact has none of that name."""
        return dict(self.parameters).get(name, default)


def has(facts: tuple[Any, ...], *codes: Code) -> bool:
    """Whether a fact of one of these codes is among them."""
    return any(isinstance(fact, Fact) and fact.code in codes for fact in facts)


@dataclass(frozen=True)
class RemoteRegion:
    """Where remote myocardium was taken: ``segments`` are AHA numbers chosen by the reader. Of ``shown`` slices with
    myocardium ``held`` hold some of a region the reader chose; the others take its pooled mean and SD."""

    source: RemoteSource = RemoteSource.AUTOMATIC
    segments: tuple[int, ...] = ()
    held: int = 0
    shown: int = 0


@dataclass(frozen=True)
class Method:
    """How a scar came about, by the networks (NETWORK), a rule, or a reader (MANUAL)."""

    source: ScarSource = ScarSource.NETWORK
    above: float = 0.5  # probability above which a voxel is scar, of the networks
    image_only: bool = False  # the networks' probability without the ECG, because the reader chose so
    n_sd: float | None = None  # of a rule: standard deviations above remote
    per: str = ""  # of a rule: what shares one threshold, "slice" or "stack"
    contrast: Contrast = Contrast.UNKNOWN
    remote: RemoteRegion | None = None  # where the rule uses one
    smallest_island_ml: float | None = None  # smaller islands were left out; None: as usual, or a reader's scar
    # Of FWHM whose maximum a reader's region gives: in how many of the slices with myocardium, each with a threshold of
    # its own, it lies, and how many there are; the others take its pooled maximum.
    peak_slices: tuple[int, int] | None = None
    encloses_mvo: bool = False  # dark voxels enclosed by a rule's scar were counted in
    without_slices: tuple[int, ...] = ()  # which the reader left out of everything, from 1 at the apex
    corrected: bool = False  # a reader changed it by hand

    @property
    def by_network(self) -> bool:
        """Whether the networks made it (a reader may have corrected it)."""
        return self.source is ScarSource.NETWORK


@dataclass(frozen=True)
class Division:
    """How the wall was divided into AHA segments."""

    mode: AhaMode = AhaMode.FIXED
    segments: int = 17


@dataclass(frozen=True)
class PartsRule:
    """How core and grey zone were told apart: above ``core_fraction`` of the maximum (on PSIR of the way to it from the
    remote mean), and from the remote mean + ``n_sd`` SD."""

    contrast: Contrast
    remote: RemoteRegion
    core_fraction: float = 0.5
    n_sd: float = 2.0


@dataclass(frozen=True)
class Confidence:
    """How far a result can be relied on, and why."""

    grade: Grade
    reasons: tuple[Fact, ...] = ()
