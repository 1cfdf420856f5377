"""Scar by expectation maximisation with weighted borders and what is known beforehand.

Built on the idea of Engblom et al. 2016 (J Cardiovasc Magn Reson 18:27, PMC4855857), and not that algorithm: the
spatial prior, the weights and all numbers below are this project's own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ScarSegECGLib.anatomy.polar import Floats, Image, Mask, Spacing, heart_box
from ScarSegECGLib.case import LgeStack
from ScarSegECGLib.measure.islands import scar_islands
from ScarSegECGLib.measure.parts import enclosed_dark
from ScarSegECGLib.measure.remote import Remote
from ScarSegECGLib.measure.wall import CROSS, wall_depth

# Chosen by random search on a random half (22) of the 45 EMIDEC infarct patients at hand, LEAST_CONTRAST_SD also on
# the 22 without infarct; compare.py tells the result on the other half.
BORDER_WEIGHT = 0.02  # share of its own intensity that a voxel on the endo- or epicardial border keeps
SMOOTHING_MM = 0.7  # in-plane width (SD) over which intensities are averaged with those weights
NEIGHBOUR_MM = 1.5  # in-plane width (SD) of the neighbourhood in the spatial prior
NEIGHBOUR_PULL = 1.0  # log odds when every neighbour is scar
STEEPNESS = 8.0  # log odds per unit of (remote -> scar) contrast
HALFWAY = 0.6  # share of that contrast at which intensity alone is undecided
SUBENDOCARDIAL_PULL = 3.0  # log odds lost from endo- to epicardium: infarction spreads from the endocardium outwards
NEUTRAL_DEPTH = 0.4  # depth (0 endo, 1 epi) at which that prior says nothing
LEAST_CONTRAST = 0.5  # scar is at least this much brighter than remote, in units of blood minus remote
LEAST_CONTRAST_SD = 2.5  # ... and than this many standard deviations of remote
SMALLEST_ISLAND = 0.2  # islands below this share of the largest one are noise
_LEAST_BLOOD_CONTRAST = 0.02  # of the stack's intensity range; keeps a slice without contrast from being blown up


def ewa(stack: LgeStack, cavity: Mask, myocardium: Mask, healthy: Remote) -> tuple[Mask, Floats]:
    """Scar from intensity, neighbourhood and wall depth together.

    Intensities are put on a scale where remote myocardium (median) is 0 and blood (median) is 1, of a slice or of the
    stack as remote is. Voxels on a border, which share their volume with blood or fat, count little and take their
    level from the wall beside them. A two-class mixture with common variance is then fitted over the whole stack by
    expectation maximisation; the prior of each voxel follows its neighbours (a mean-field Markov random field) and its
    depth in the wall. Dark islands enclosed by scar are added as microvascular obstruction; islands below a fifth of
    the largest are dropped. The prior expects ischaemic scar: it speaks against isolated epicardial scar.

    Returned are the scar, and per slice the intensity at which intensity alone is undecided; NaN without myocardium.
    """
    scar, levels, spacing = np.zeros(myocardium.shape, bool), np.full(len(myocardium), np.nan), stack.spacing
    box = heart_box(cavity | myocardium)
    image, cavity, myocardium = stack.voxels[box], cavity[box], myocardium[box]
    zero, scale, noise = _scale(image, cavity, myocardium, healthy, box[0])
    relative = np.clip((image - zero[:, None, None]) / scale[:, None, None], -0.5, 2.5).astype(np.float32)
    wall = myocardium.astype(np.float32)
    # the border is what shares a side with something else
    weight = np.where(myocardium & ~ndimage.binary_erosion(myocardium, CROSS), np.float32(BORDER_WEIGHT), wall)
    at = np.flatnonzero(myocardium)
    near, within = (_blur(array, SMOOTHING_MM, spacing).ravel()[at] for array in (relative * weight, weight))
    values = near / np.maximum(within, 1e-4)
    around = np.maximum(_blur(wall, NEIGHBOUR_MM, spacing).ravel()[at], 1e-4)
    depth = wall_depth(cavity, myocardium, spacing).ravel()[at]
    prior = SUBENDOCARDIAL_PULL * (NEUTRAL_DEPTH - depth)

    least = max(LEAST_CONTRAST, LEAST_CONTRAST_SD * noise)
    dark, bright = 0.0, max(float(np.percentile(values, 90)), least)
    chance = (values > 0.5 * bright).astype(np.float32)
    field = np.zeros(myocardium.shape, dtype=np.float32)
    for _ in range(12):
        dark = float(np.clip((values @ (1 - chance)) / max(float((1 - chance).sum()), 1.0), -0.2, 0.4))
        bright = max(float(values @ chance) / max(float(chance.sum()), 1.0), dark + least)
        field.ravel()[at] = 2 * chance - 1
        neighbours = _blur(field, NEIGHBOUR_MM, spacing).ravel()[at] / around
        share = np.clip((values - dark) / (bright - dark), -0.2, 1.2)
        odds = STEEPNESS * (share - HALFWAY) + NEIGHBOUR_PULL * neighbours + prior
        chance = (1 / (1 + np.exp(-odds))).astype(np.float32)

    found = np.zeros(myocardium.shape, dtype=bool)
    found.ravel()[at] = chance > 0.5
    islands = scar_islands(found | enclosed_dark(found, myocardium, cavity, spacing))
    size = np.bincount(islands.ravel(), minlength=2)
    scar[box] = (islands > 0) & (size >= SMALLEST_ISLAND * size[1])[islands]
    undecided = zero + (dark + HALFWAY * (bright - dark)) * scale
    levels[box[0]] = np.where(myocardium.any(axis=(1, 2)), undecided, np.nan)
    return scar, levels


def _scale(
    image: Image, cavity: Mask, myocardium: Mask, healthy: Remote, slices: slice
) -> tuple[Floats, Floats, float]:
    """Intensity of remote myocardium per slice, how much brighter blood is, and remote's SD on that scale.

    Slices without a cavity take the other slices' blood; a stack without any takes the wall's brightest tenth.
    """
    blood = np.full(len(image), np.nan)
    if healthy.per == "stack" and cavity.any():
        blood[:] = np.median(image[cavity])
    else:
        for z in np.flatnonzero(np.count_nonzero(cavity, axis=(1, 2)) > 10):
            blood[z] = np.median(image[z][cavity[z]])
    typical = np.percentile(image[myocardium], 90) if np.isnan(blood).all() else np.nanmedian(blood)
    zero, sd = np.nan_to_num(healthy.median[slices]), healthy.sd[slices]
    least = _LEAST_BLOOD_CONTRAST * max(float(np.ptp(image[cavity | myocardium])), 1e-6)
    scale = np.maximum(np.where(np.isnan(blood), typical, blood) - zero, least)
    known = ~np.isnan(sd)
    return zero, scale, float(np.median(sd[known] / scale[known])) if known.any() else 0.0


def _blur(array: NDArray[np.float32], mm: float, spacing: Spacing) -> NDArray[np.float32]:
    sigma = (0, mm / spacing[1], mm / spacing[2])
    return ndimage.gaussian_filter(array, sigma, mode="constant", truncate=2.5)
