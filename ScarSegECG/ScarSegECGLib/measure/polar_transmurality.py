"""Transmurality of every slice at every angle, in the bullseye's own frame: what the polar map shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.anatomy.polar import direction_deg
from ScarSegECGLib.anatomy.segments import APICAL, CAP
from ScarSegECGLib.anatomy.soft import rings_of
from ScarSegECGLib.case import Anatomy
from ScarSegECGLib.facts import AhaMode
from ScarSegECGLib.measure.transmurality import wall_chords

BINS = 72
_ANTERIOR, _SEPTUM = 120.0, 120.0  # where the plot has the anterior insertion, and how wide its septum is


def transmurality_map(
    scar: NDArray[np.bool_], anatomy: Anatomy, spacing: tuple[float, float, float], bins: int = BINS
) -> NDArray[np.float64]:
    """Share of the wall that is scar along the chords of each slice, % by angle.

    The chords are those of :func:`ScarSegECGLib.measure.transmurality.wall_chords`. Each slice is turned so that its
    anterior RV insertion lies where the bullseye has it. Where the wall was divided in landmark mode, septum and free
    wall of basal and mid slices are stretched to the plot's, and apical slices have the septum's middle where the plot
    has it, so that the map's borders are those of the segments.

    Parameters
    ----------
    scar : bool array, shape (slice, row, column)
    anatomy : Anatomy
    spacing : (slice, row, column) mm
    bins : int
        Angles per slice: bin ``i`` covers ``i * 360 / bins .. (i + 1) * 360 / bins`` degrees (0 = lateral,
        counter-clockwise, anterior up).

    Returns
    -------
    float64 array, shape (slice, bins)
        0..100; NaN where no chord meets a wall.
    """
    chords = wall_chords(scar, anatomy.cavity, anatomy.myocardium, spacing)
    anterior, inferior = anatomy.insertions_deg.T
    turned = (direction_deg(chords.middle_mm - anatomy.centres_mm[:, None]) - anterior[:, None]) % 360.0
    if anatomy.mode == AhaMode.LANDMARK:
        septum = ((inferior - anterior) % 360.0)[:, None]
        free = _SEPTUM + (turned - septum) * (360.0 - _SEPTUM) / (360.0 - septum)
        stretched = np.where(turned < septum, turned * _SEPTUM / septum, free)
        four = np.isin(rings_of(anatomy), (APICAL, CAP))[:, None]  # four equal sectors about the septum's middle
        turned = np.where(four, (turned + (_SEPTUM - septum) / 2.0) % 360.0, stretched)
    used = (chords.thickness_mm > 0) & np.isfinite(turned)
    slice_, chord = np.nonzero(used)
    angle = (turned[slice_, chord] + _ANTERIOR) % 360.0
    key = slice_ * bins + np.minimum((angle / 360.0 * bins).astype(int), bins - 1)
    size = len(scar) * bins
    wall = np.bincount(key, chords.thickness_mm[slice_, chord], size)
    hit = np.bincount(key, chords.scar_mm[slice_, chord], size)
    share = 100.0 * hit / np.where(wall > 0, wall, np.nan)
    return np.clip(_between(share.reshape(-1, bins)), 0.0, 100.0)


def _between(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Single bins that no chord happened to fall in take the mean of their two neighbours."""
    beside = 0.5 * (np.roll(share, 1, axis=1) + np.roll(share, -1, axis=1))
    return np.where(np.isnan(share), beside, share)
