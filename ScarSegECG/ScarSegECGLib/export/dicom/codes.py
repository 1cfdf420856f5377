"""The codes a result is written with, standard ones first, and the private scheme for what has none."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.sr.codedict import codes as standard
from pydicom.sr.coding import Code

from ScarSegECGLib.anatomy.segments import RING_SEGMENTS, SEGMENT_NAMES
from ScarSegECGLib.case import CAVITY, MYOCARDIUM, PART_CORE, PART_GREY, PART_MVO, PART_REST, SCAR, STRUCTURE_COLOURS
from ScarSegECGLib.facts import Pattern
from ScarSegECGLib.facts_ecg import Agreement

PRIVATE_SCHEME = "99SCARSEG"


def _own(value: str, meaning: str) -> Code:
    return Code(value, PRIVATE_SCHEME, meaning)


# What is segmented
TISSUE = Code("85756007", "SCT", "Tissue")
ANATOMY = Code("123037004", "SCT", "Anatomical Structure")
MORPHOLOGY = Code("49755003", "SCT", "Morphologically Abnormal Structure")
LEFT_VENTRICLE = Code("87878005", "SCT", "Left ventricle")
LV_MYOCARDIUM = Code("49848007", "SCT", "Left ventricular myocardium")
BLOOD = Code("87612001", "SCT", "Blood")
SCAR_TISSUE = Code("12402003", "SCT", "Scar tissue")
SCAR_CORE = _own("SCARCORE", "Core of myocardial scar without MVO")
GREY_ZONE = _own("GREYZONE", "Grey zone of myocardial scar")
BELOW_GREY_ZONE = _own("BELOWGREY", "Myocardial scar below the limit of the grey zone, not enclosed")
MICROVASCULAR_OBSTRUCTION = _own("MVO", "Microvascular obstruction")

# What is found in an AHA segment
SCARRED = Code("122113", "DCM", "Scarred Myocardium")
# No scar voxel is not normal myocardium (DCM 122112): oedema, wall motion and what was missed are not looked at.
NO_SCAR = _own("NOSCAR", "No scar detected")
MYOCARDIAL_FINDING = _own("WALLFINDING", "Finding in the myocardial segment")

# What is measured
VOLUME = Code("118565006", "SCT", "Volume")
MASS = Code("118538004", "SCT", "Mass")
SCAR_VOLUME = _own("SCARVOL", "Volume of scar in the segment")
MVO_VOLUME = _own("MVOVOL", "Volume of MVO in the segment, a part of its scar")
PERCENT_OF_TERRITORY = _own("PCTTERR", "Scar as percentage of the usual territory")
PERCENT_OF_TERRITORY_IMAGE_ONLY = _own("PCTTERRIMG", "Scar as percentage of the usual territory, without the ECG")
PERCENT_OF_LV = _own("PCTLV", "Scar as percentage of LV myocardium")
PARTS_OF_LV = {
    PART_CORE: _own("PCTLVCORE", "Core of scar as percentage of LV myocardium"),
    PART_GREY: _own("PCTLVGREY", "Grey zone of scar as percentage of LV myocardium"),
    PART_REST: _own("PCTLVBELOW", "Scar below grey zone limit as percentage of LV myocardium"),
    PART_MVO: _own("PCTLVMVO", "MVO as percentage of LV myocardium"),
}
PERCENT_OF_SEGMENT = _own("PCTSEG", "Scar as percentage of the segment")
PERCENT_IMAGE_ONLY = _own("PCTSEGIMG", "Scar as percentage of the segment, without the ECG")
PERCENT_ECG_ONLY = _own("PCTSEGECG", "Scar as percentage of the segment, from the ECG alone")
TRANSMURALITY_MEAN = _own("TRANSMEAN", "Mean transmurality of segment, scar-free wall included")
TRANSMURALITY_MAXIMUM = _own("TRANSMAX", "Maximum transmurality of scar")
WALL_THICKNESS = Code("122445", "DCM", "Wall Thickness")
SCAR_PROBABILITY = _own("SCARPROB", "Probability of scar")
SCAR_PROBABILITY_IMAGE_ONLY = _own("SCARPROBIMG", "Probability of scar, without the ECG")
ECG_USE = _own("ECGUSE", "Use of the ECG in the segmentation")
ECG_GAP = _own("ECGGAP", "Time from MRI to ECG")
ECG_AMPLITUDE = _own("TAFFAMP", "Weight of the ECG in temporal aware feature fusion")
ECG_VERDICT = _own("ECGVERDICT", "ECG against image")
VERDICTS = {
    Agreement.AGREE: _own("ECGAGREE", "ECG agrees with the image"),
    Agreement.DISAGREE: _own("ECGDISAGREE", "ECG disagrees with the image"),
    Agreement.CANNOT_TELL: _own("ECGCANNOTTELL", "ECG cannot tell"),
}
ECG_COUNTED = _own("ECGCOUNTED", "ECG was used")
ECG_NOT_COUNTED = _own("ECGNOTUSED", "ECG was not used")
PATTERN = _own("PATTERN", "Place of the scar in the wall")
PATTERNS = {
    Pattern.SUBENDOCARDIAL: _own("SUBENDO", "Subendocardial"),
    Pattern.MID_WALL: _own("MIDWALL", "Mid-wall"),
    Pattern.EPICARDIAL: _own("EPICARD", "Epicardial"),
    Pattern.TRANSMURAL: _own("TRANSMURAL", "Transmural"),
}
COMMENT = Code("121106", "DCM", "Comment")
COVERAGE = _own("COVERAGE", "Coverage of the segment by the stack")
NOT_IMAGED = _own("NOTIMAGED", "Segment is not imaged")

MILLILITRE = Code("ml", "UCUM", "ml")
GRAM = Code("g", "UCUM", "g")
PERCENT = Code("%", "UCUM", "%")
MILLIMETRE = Code("mm", "UCUM", "mm")
DAY = Code("d", "UCUM", "d")
UNITY = Code("1", "UCUM", "no units")
LOWER_END = _own("LOWEREND", "Lower end of the interval of the scar's volume")
UPPER_END = _own("UPPEREND", "Upper end of the interval of the scar's volume")
_PERCENTAGES = (
    *(PERCENT_OF_TERRITORY, PERCENT_OF_TERRITORY_IMAGE_ONLY, PERCENT_OF_LV, *PARTS_OF_LV.values()),
    *(PERCENT_OF_SEGMENT, PERCENT_IMAGE_ONLY, PERCENT_ECG_ONLY, TRANSMURALITY_MEAN, TRANSMURALITY_MAXIMUM),
)
UNIT_OF = {
    **dict.fromkeys((VOLUME, SCAR_VOLUME, MVO_VOLUME, LOWER_END, UPPER_END), MILLILITRE),
    **dict.fromkeys(_PERCENTAGES, PERCENT),
    **{MASS: GRAM, WALL_THICKNESS: MILLIMETRE, ECG_GAP: DAY, ECG_AMPLITUDE: UNITY},
}

# How it was made
ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")
HISTOGRAM_ANALYSIS = Code("123105", "DCM", "Histogram Analysis")
MRI_PROCEDURE = Code("241620005", "SCT", "Cardiac MRI")


@dataclass(frozen=True)
class Structure:
    """One class of a label map: its name in viewers, its codes and its colour (red, green, blue in 0..1)."""

    label: int
    name: str
    category: Code
    kind: Code
    region: Code | None
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
# One hue per ring, lighter and darker by turns, so that neighbours are told apart without relying on hue alone.
_RING_COLOURS = ((0.337, 0.706, 0.914), (0.0, 0.620, 0.451), (0.902, 0.624, 0.0), (0.800, 0.475, 0.655))


def _aha_segment(number: int, name: str) -> Structure:
    keyword = "ApexOfLeftVentricle" if name == "Apex" else f"LeftVentricle{name.title().replace(' ', '')}Segment"
    shade = (1.0, 0.62, 0.81)[number % 3]
    ring = next(colour for colour, members in zip(_RING_COLOURS, RING_SEGMENTS, strict=True) if number in members)
    colour = (shade * ring[0], shade * ring[1], shade * ring[2])
    kind = getattr(standard.cid3717, keyword)
    return Structure(number, f"AHA {number} {name.lower()}", ANATOMY, kind, None, colour)


AHA_SEGMENTS = tuple(_aha_segment(number, name) for number, name in enumerate(SEGMENT_NAMES, 1))
