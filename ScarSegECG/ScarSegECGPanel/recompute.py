"""Results that follow from a segmented case without the networks: another rule, another partition, edited masks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import SCAR, Anatomy, LgeStack, ScarResult
from ScarSegECGLib.facts import AhaMode, Fact, Method
from ScarSegECGPanel.masks import Mask, Masks

# What the panel calls a method, and the library's name of the rule ("" for the network).
WITH_ECG, IMAGE_ONLY = "Network with ECG", "Network, image only"
RULES = {"n SD": "n_sd", "FWHM": "fwhm", "Otsu": "otsu", "Mixture": "mixture", "EWA": "ewa"}
METHODS = [WITH_ECG, IMAGE_ONLY, *RULES]
AHA_MODES = {"From anterior insertion": AhaMode.FIXED, "Between both insertions": AhaMode.LANDMARK}


@dataclass(frozen=True)
class ScarRule:
    """How scar is told from myocardium."""

    method: str = WITH_ECG
    probability: float = 0.5
    nSd: float = 3.0
    smallestMl: float = 0.1


@dataclass(frozen=True)
class AhaRule:
    """How the wall is divided; ``insertions`` is [slice, 2] in degrees, NaN where they are to be found."""

    segments: int = 17
    mode: AhaMode = AhaMode.FIXED
    insertions: NDArray[np.float64] | None = None

    def isDefault(self) -> bool:
        return self.segments == 17 and self.mode == AhaMode.FIXED and self.insertions is None


def scarByRule(result: ScarResult, anatomy: Anatomy, rule: ScarRule) -> tuple[Mask, Method, tuple[Fact, ...]]:
    """The scar, its method, and why the scar is not to be believed.

    Raises
    ------
    InputError
        The rule cannot be used on these images.
    """
    from ScarSegECGLib.measure.islands import drop_small_islands
    from ScarSegECGLib.measure.rule import scar_by_rule

    stack = result.stack
    if rule == ScarRule() and anatomy is result.anatomy:
        return result.labels == SCAR, result.method, ()
    if rule.method in RULES:
        found = scar_by_rule(
            stack.voxels,
            anatomy.cavity,
            anatomy.myocardium,
            stack.spacing,
            RULES[rule.method],
            n_sd=rule.nSd if rule.method == "n SD" else None,
            contrast=stack.contrast,
            smallest_island_ml=rule.smallestMl,
        )
        return found.mask, found.method, found.warnings
    alone = rule.method == IMAGE_ONLY
    probability = result.scar_probability_image_only if alone else result.scar_probability
    mask = (probability > rule.probability) & anatomy.myocardium
    method = Method(above=rule.probability, ewa_share=result.method.ewa_share, image_only=alone)
    return drop_small_islands(mask, stack.spacing, minimum_ml=rule.smallestMl), method, ()


def imageOnly(result: ScarResult) -> Mask:
    """The scar that the image alone gives."""
    if result.ecg_use.amplitude == 0:
        return result.labels == SCAR
    return scarByRule(result, result.anatomy, ScarRule(IMAGE_ONLY))[0]


def anatomyOf(stack: LgeStack, masks: Masks, aha: AhaRule) -> Anatomy:
    """The partition of edited contours.

    Raises
    ------
    InputError
        Insertions that cannot be.
    """
    from ScarSegECGLib.anatomy.aha import partition
    from ScarSegECGLib.anatomy.usual_place import usual_insertions_deg

    return partition(
        masks.cavity & ~masks.wall,
        masks.wall,
        stack.voxels,
        stack.spacing,
        insertions_deg=aha.insertions,
        mode=aha.mode,
        segments=16 if aha.segments == 16 else 17,
        orientation_known=stack.orientation_known,
        standard_deg=usual_insertions_deg(stack.ijk_to_ras, stack.orientation_known),
    )
