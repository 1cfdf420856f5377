"""Cavity, wall and scar as one array of bits, and what leads from one scar to the next: one click, or a rule.

Arrays are [slice, row, column]. History, journal and segments exchange the bits. Nothing here needs the networks.
"""

import dataclasses
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ScarSegECGLib.case import SCAR, Anatomy, ScarResult
from ScarSegECGLib.facts import AhaMode, Division

CAVITY_BIT, WALL_BIT, SCAR_BIT = 1, 2, 4
Bits = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Voxel = tuple[int, int, int]
# What the panel calls a method, and the library's name of the rule.
WITH_ECG, IMAGE_ONLY = "Network with ECG", "Network, image only"
RULES = {"n SD": "n_sd", "FWHM": "fwhm", "Otsu": "otsu", "Mixture": "mixture", "EWA": "ewa"}
METHODS = [WITH_ECG, IMAGE_ONLY, *RULES]
AHA_MODES = {"From anterior insertion": AhaMode.FIXED, "Between both insertions": AhaMode.LANDMARK}


@dataclass(frozen=True)
class Masks:
    """Three masks; the wall holds the scar."""

    cavity: Mask
    wall: Mask
    scar: Mask

    @classmethod
    def fromBits(cls, bits: Bits) -> "Masks":
        return cls(*((bits & bit) != 0 for bit in (CAVITY_BIT, WALL_BIT, SCAR_BIT)))

    def toBits(self) -> Bits:
        cavity, wall, scar = (mask.astype(np.uint8) for mask in (self.cavity, self.wall, self.scar))
        return CAVITY_BIT * cavity | WALL_BIT * wall | SCAR_BIT * scar


def inflated(content: bytes, size: int) -> bytes:
    """So many bytes from what zlib compressed; ValueError where it is another number, and no more is unpacked."""
    try:
        unpacked = zlib.decompressobj().decompress(content, size + 1)
    except zlib.error:
        raise ValueError("damaged") from None
    if len(unpacked) != size:
        raise ValueError("of another image")
    return unpacked


# By one click


def withScar(bits: Bits, scar: Mask) -> Bits:
    """The same cavity and wall with another scar, of which only what lies in the wall is taken."""
    inside = scar & ((bits & WALL_BIT) != 0)
    return (bits & ~np.uint8(SCAR_BIT)) | SCAR_BIT * inside.astype(np.uint8)


def addIsland(scar: Mask, wall: Mask, image: NDArray[np.floating], voxel: Voxel) -> Mask:
    """With the bright piece of wall round the cursor, in this slice alone.

    Bright is above half-way between the slice's median of the wall and the brightest of the nine voxels there.
    """
    k, i, j = voxel
    if not wall[voxel]:
        return scar
    around = image[k, max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2]
    level = (np.median(image[k][wall[k]]) + around.max()) / 2
    return scar | piece(wall & (image >= min(level, image[voxel])), voxel)


def piece(mask: Mask, voxel: Voxel) -> Mask:
    """The piece of the mask that lies under the cursor, in this slice alone."""
    k, i, j = voxel
    found = np.zeros_like(mask)
    if mask[voxel]:
        labels, _count = ndimage.label(mask[k], structure=np.ones((3, 3)))
        found[k] = labels == labels[i, j]
    return found


# By a rule


@dataclass(frozen=True)
class ScarRule:
    """How scar is told from myocardium; the parameter node has fields of the same names."""

    method: str = WITH_ECG
    probability: float = 0.5
    nSd: float = 3.0
    smallestIsland: float = 0.1  # ml


@dataclass(frozen=True)
class AhaRule:
    """How the wall is divided; ``insertions`` is [slice, 2] in degrees, NaN where they are to be found."""

    division: Division = Division()
    insertions: NDArray[np.float64] | None = None

    @property
    def isUsual(self) -> bool:
        """Whether it is how every segmentation comes divided."""
        return self.insertions is None and self.division == Division()


def scarByRule(result: ScarResult, anatomy: Anatomy, rule: ScarRule):
    """The library's FoundScar: scar, method, and what speaks against it; InputError where the rule cannot be used."""
    from ScarSegECGLib.measure.rules import FoundScar, ThresholdRule, find_scar
    from ScarSegECGLib.pipeline import network_scar

    if rule == ScarRule() and anatomy is result.anatomy:
        return FoundScar(result.labels == SCAR, result.method)
    if rule.method in RULES:
        nSd = rule.nSd if rule.method == "n SD" else None
        chosen = ThresholdRule(RULES[rule.method], nSd, smallest_island_ml=rule.smallestIsland)
        return find_scar(result.stack, anatomy.cavity, anatomy.myocardium, chosen)
    alone = rule.method == IMAGE_ONLY
    probability = result.scar_probability_image_only if alone else result.scar_probability
    islands = None if rule.smallestIsland == ScarRule.smallestIsland else rule.smallestIsland  # usual: unsaid
    changes = {"above": rule.probability, "image_only": alone, "corrected": False, "smallest_island_ml": islands}
    method = dataclasses.replace(result.method, **changes)
    return network_scar(probability * anatomy.myocardium, result.stack.spacing, method, rule.smallestIsland)
