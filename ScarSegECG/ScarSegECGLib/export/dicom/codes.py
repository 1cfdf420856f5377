"""The codes a result is written with, standard ones first, and the private scheme for what has none."""

from __future__ import annotations

from dataclasses import dataclass

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import CodedConcept
from pydicom.sr.codedict import codes as standard

from ScarSegECGLib import __version__
from ScarSegECGLib.anatomy.segments import RING_SEGMENTS, SEGMENT_NAMES
from ScarSegECGLib.case import (
    CAVITY,
    MYOCARDIUM,
    PART_CORE,
    PART_GREY,
    PART_MVO,
    PART_REST,
    SCAR,
    STRUCTURE_COLOURS,
)
from ScarSegECGLib.facts import Pattern
from ScarSegECGLib.facts_ecg import Agreement

PRIVATE_SCHEME = "99SCARSEG"


def _sct(value: str, meaning: str) -> CodedConcept:
    return CodedConcept(value, "SCT", meaning)


def _dcm(value: str, meaning: str) -> CodedConcept:
    return CodedConcept(value, "DCM", meaning)


def _own(value: str, meaning: str) -> CodedConcept:
    return CodedConcept(value, PRIVATE_SCHEME, meaning)


def _unit(value: str, meaning: str) -> CodedConcept:
    return CodedConcept(value, "UCUM", meaning)


# What is segmented
TISSUE = _sct("85756007", "Tissue")
ANATOMY = _sct("123037004", "Anatomical Structure")
MORPHOLOGY = _sct("49755003", "Morphologically Abnormal Structure")
LEFT_VENTRICLE = _sct("87878005", "Left ventricle")
LV_MYOCARDIUM = _sct("49848007", "Left ventricular myocardium")
BLOOD = _sct("87612001", "Blood")
SCAR_TISSUE = _sct("12402003", "Scar tissue")
SCAR_CORE = _own("SCARCORE", "Core of myocardial scar without MVO")
GREY_ZONE = _own("GREYZONE", "Grey zone of myocardial scar")
BELOW_GREY_ZONE = _own("BELOWGREY", "Myocardial scar below the limit of the grey zone, not enclosed")
MICROVASCULAR_OBSTRUCTION = _own("MVO", "Microvascular obstruction")

# What is found in an AHA segment
SCARRED = _dcm("122113", "Scarred Myocardium")
# No scar voxel is not normal myocardium (DCM 122112): oedema, wall motion and what was missed are not looked at.
NO_SCAR = _own("NOSCAR", "No scar detected")
MYOCARDIAL_FINDING = _own("WALLFINDING", "Finding in the myocardial segment")

# What is measured
VOLUME = _sct("118565006", "Volume")
MASS = _sct("118538004", "Mass")
SCAR_VOLUME = _own("SCARVOL", "Volume of scar in the segment")
MVO_VOLUME = _own("MVOVOL", "Volume of MVO in the segment, a part of its scar")
PERCENT_OF_TERRITORY = _own("PCTTERR", "Scar as percentage of the usual territory")
PERCENT_OF_TERRITORY_IMAGE_ONLY = _own("PCTTERRIMG", "Scar as percentage of the usual territory, without the ECG")
PERCENT_OF_LV = _own("PCTLV", "Scar as percentage of LV myocardium")
CORE_PERCENT_OF_LV = _own("PCTLVCORE", "Core of scar as percentage of LV myocardium")
GREY_PERCENT_OF_LV = _own("PCTLVGREY", "Grey zone of scar as percentage of LV myocardium")
BELOW_PERCENT_OF_LV = _own("PCTLVBELOW", "Scar below grey zone limit as percentage of LV myocardium")
MVO_PERCENT_OF_LV = _own("PCTLVMVO", "MVO as percentage of LV myocardium")
PERCENT_OF_SEGMENT = _own("PCTSEG", "Scar as percentage of the segment")
PERCENT_IMAGE_ONLY = _own("PCTSEGIMG", "Scar as percentage of the segment, without the ECG")
PERCENT_ECG_ONLY = _own("PCTSEGECG", "Scar as percentage of the segment, from the ECG alone")
TRANSMURALITY_MEAN = _own("TRANSMEAN", "Mean transmurality of segment, scar-free wall included")
TRANSMURALITY_MAXIMUM = _own("TRANSMAX", "Maximum transmurality of scar")
WALL_THICKNESS = _dcm("122445", "Wall Thickness")
SCAR_PROBABILITY = _own("SCARPROB", "Probability of scar")
SCAR_PROBABILITY_IMAGE_ONLY = _own("SCARPROBIMG", "Probability of scar, without the ECG")
ECG_USE = _own("ECGUSE", "Use of the ECG in the segmentation")
ECG_GAP = _own("ECGGAP", "Time from MRI to ECG")
ECG_AMPLITUDE = _own("TAFFAMP", "Weight of the ECG in temporal aware feature fusion")
ECG_VERDICT = _own("ECGVERDICT", "ECG against image")
ECG_AGREES = _own("ECGAGREE", "ECG agrees with the image")
ECG_DISAGREES = _own("ECGDISAGREE", "ECG disagrees with the image")
ECG_CANNOT_TELL = _own("ECGCANNOTTELL", "ECG cannot tell")
ECG_COUNTED = _own("ECGCOUNTED", "ECG was used")
ECG_NOT_COUNTED = _own("ECGNOTUSED", "ECG was not used")
PATTERN = _own("PATTERN", "Place of the scar in the wall")
PATTERNS = {
    Pattern.SUBENDOCARDIAL: _own("SUBENDO", "Subendocardial"),
    Pattern.MID_WALL: _own("MIDWALL", "Mid-wall"),
    Pattern.EPICARDIAL: _own("EPICARD", "Epicardial"),
    Pattern.TRANSMURAL: _own("TRANSMURAL", "Transmural"),
}
COMMENT = _dcm("121106", "Comment")
VERDICTS = {
    Agreement.AGREE: ECG_AGREES,
    Agreement.DISAGREE: ECG_DISAGREES,
    Agreement.CANNOT_TELL: ECG_CANNOT_TELL,
}
COVERAGE = _own("COVERAGE", "Coverage of the segment by the stack")
NOT_IMAGED = _own("NOTIMAGED", "Segment is not imaged")

MILLILITRE = _unit("ml", "ml")
GRAM = _unit("g", "g")
PERCENT = _unit("%", "%")
MILLIMETRE = _unit("mm", "mm")
DAY = _unit("d", "d")
UNITY = _unit("1", "no units")
LOWER_END = _own("LOWEREND", "Lower end of the interval of the scar's volume")
UPPER_END = _own("UPPEREND", "Upper end of the interval of the scar's volume")

# How it was made
ARTIFICIAL_INTELLIGENCE = _dcm("123110", "Artificial Intelligence")
HISTOGRAM_ANALYSIS = _dcm("123105", "Histogram Analysis")
MRI_PROCEDURE = _sct("241620005", "Cardiac MRI")


@dataclass(frozen=True)
class Structure:
    """One class of a label map: its name in viewers, its codes and its colour (red, green, blue in 0..1)."""

    label: int
    name: str
    category: CodedConcept
    kind: CodedConcept
    region: CodedConcept | None
    colour: tuple[float, float, float]


STRUCTURES = (
    Structure(CAVITY, "LV cavity", TISSUE, BLOOD, LEFT_VENTRICLE, STRUCTURE_COLOURS[CAVITY]),
    Structure(MYOCARDIUM, "Myocardium", ANATOMY, LV_MYOCARDIUM, None, STRUCTURE_COLOURS[MYOCARDIUM]),
    Structure(SCAR, "Scar", TISSUE, SCAR_TISSUE, LV_MYOCARDIUM, STRUCTURE_COLOURS[SCAR]),
)
SCAR_PARTS = (
    Structure(PART_CORE, "Scar core", MORPHOLOGY, SCAR_CORE, LV_MYOCARDIUM, (0.835, 0.369, 0.0)),
    Structure(PART_GREY, "Scar grey zone", MORPHOLOGY, GREY_ZONE, LV_MYOCARDIUM, (0.941, 0.894, 0.259)),
    Structure(PART_REST, "Scar below grey zone", MORPHOLOGY, BELOW_GREY_ZONE, LV_MYOCARDIUM, (0.8, 0.475, 0.655)),
    Structure(PART_MVO, "MVO", MORPHOLOGY, MICROVASCULAR_OBSTRUCTION, LV_MYOCARDIUM, (0.0, 0.447, 0.698)),
)
PARTS_OF_LV = {
    PART_CORE: CORE_PERCENT_OF_LV,
    PART_GREY: GREY_PERCENT_OF_LV,
    PART_REST: BELOW_PERCENT_OF_LV,
    PART_MVO: MVO_PERCENT_OF_LV,
}
# One hue per ring, lighter and darker by turns, so that neighbours are told apart without relying on hue alone.
_RING_COLOURS = ((0.337, 0.706, 0.914), (0.0, 0.620, 0.451), (0.902, 0.624, 0.0), (0.800, 0.475, 0.655))


def _aha_code(name: str) -> CodedConcept:
    """The segment's code in CID 3717, by the keyword of pydicom's table."""
    keyword = "ApexOfLeftVentricle" if name == "Apex" else f"LeftVentricle{name.title().replace(' ', '')}Segment"
    return CodedConcept.from_code(getattr(standard.cid3717, keyword))


def _aha_colour(number: int) -> tuple[float, float, float]:
    shade = (1.0, 0.62, 0.81)[number % 3]
    ring = next(ring for ring, members in enumerate(RING_SEGMENTS) if number in members)
    red, green, blue = _RING_COLOURS[ring]
    return shade * red, shade * green, shade * blue


AHA_SEGMENTS = tuple(
    Structure(number, f"AHA {number} {name.lower()}", ANATOMY, _aha_code(name), None, _aha_colour(number))
    for number, name in enumerate(SEGMENT_NAMES, 1)
)


def private_scheme() -> CodingSchemeIdentificationItem:
    """The entry that declares :data:`PRIVATE_SCHEME` in every object that uses it."""
    return CodingSchemeIdentificationItem(
        designator=PRIVATE_SCHEME,
        name="ScarSegECG private codes",
        version=__version__,
        responsible_organization="ScarSegECG contributors",
    )
