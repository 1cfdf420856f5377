"""Results that follow from a segmented case without the networks: another rule, another partition, edited masks."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import SCAR, Anatomy, LgeStack, ScarResult
from ScarSegECGLib.facts import AhaMode, Division
from ScarSegECGPanel.masks import Mask, Masks

# What the panel calls a method, and the library's name of the rule.
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

    division: Division = Division()
    insertions: NDArray[np.float64] | None = None


def scarByRule(result: ScarResult, anatomy: Anatomy, rule: ScarRule):
    """The library's FoundScar: scar, method, and what speaks against it; InputError where the rule cannot be used."""
    from ScarSegECGLib.measure.rules import FoundScar, ThresholdRule, find_scar
    from ScarSegECGLib.pipeline import network_scar

    if rule == ScarRule() and anatomy is result.anatomy:
        return FoundScar(result.labels == SCAR, result.method)
    if rule.method in RULES:
        nSd = rule.nSd if rule.method == "n SD" else None
        chosen = ThresholdRule(RULES[rule.method], nSd, smallest_island_ml=rule.smallestMl)
        return find_scar(result.stack, anatomy.cavity, anatomy.myocardium, chosen)
    alone = rule.method == IMAGE_ONLY
    probability = result.scar_probability_image_only if alone else result.scar_probability
    method = dataclasses.replace(result.method, above=rule.probability, image_only=alone, corrected=False)
    return network_scar(probability * anatomy.myocardium, result.stack.spacing, method, rule.smallestMl)


def imageOnly(result: ScarResult) -> Mask:
    """The scar that the image alone gives."""
    if result.ecg_use.amplitude == 0:
        return result.labels == SCAR
    return scarByRule(result, result.anatomy, ScarRule(IMAGE_ONLY)).mask


def anatomyOf(stack: LgeStack, masks: Masks, aha: AhaRule) -> Anatomy:
    """The partition of edited contours; InputError for insertions that cannot be."""
    from ScarSegECGLib.anatomy.aha import divide

    return divide(stack, masks.cavity, masks.wall, aha.insertions, aha.division)
