"""Measure scar inside given contours, by one rule or by all side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.anatomy.segments import SEGMENT_NAMES, usual_territory
from ScarSegECGLib.case import CAVITY, MYOCARDIUM, SCAR, Anatomy, Burden, LabelArray, LgeStack, SegmentRow
from ScarSegECGLib.measure.burden import burden
from ScarSegECGLib.measure.grey_zone import grey_zone
from ScarSegECGLib.measure.islands import drop_small_islands
from ScarSegECGLib.measure.mvo import fill_mvo
from ScarSegECGLib.measure.pattern import IslandPattern, island_patterns
from ScarSegECGLib.measure.segments import segment_table
from ScarSegECGLib.measure.threshold import METHODS as RULES
from ScarSegECGLib.measure.threshold import segment_scar

MANUAL = "manual"
METHODS = (MANUAL, *RULES)
MVO = 4
TERRITORIES = tuple(usual_territory(number) for number in range(1, 18))


@dataclass(frozen=True)
class ContourMeasures:
    """What one rule says of one patient.

    Attributes
    ----------
    method, remote : str
        As printed: the rule with its parameters, and where remote myocardium was taken.
    scar : Burden
        MVO counted in.
    mvo_ml : float
    core_ml, grey_ml : float or None
        Core and grey zone inside the scar; ``None`` where the image's contrast is unknown.
    territories : dict
        Scar in % of the wall of each *usual* coronary territory; ``None`` where not imaged.
    patterns : tuple of IslandPattern
    segments : tuple of SegmentRow
    mask : bool array, shape (slice, row, column)
    """

    method: str
    remote: str
    scar: Burden
    mvo_ml: float
    core_ml: float | None
    grey_ml: float | None
    territories: dict[str, float | None]
    patterns: tuple[IslandPattern, ...]
    segments: tuple[SegmentRow, ...]
    mask: NDArray[np.bool_]


def contours_of(labels: LabelArray) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Cavity and myocardium (scar and MVO in) of a label map: 1 cavity, 2 myocardium, 3 scar, 4 MVO."""
    return labels == CAVITY, (labels >= MYOCARDIUM) & (labels <= MVO)


def measure_contours(
    stack: LgeStack,
    labels: LabelArray,
    anatomy: Anatomy,
    method: str,
    *,
    n_sd: float | None = None,
    smallest_island_ml: float = 0.0,
) -> ContourMeasures:
    """Scar inside the contours of ``labels`` by one of :data:`METHODS`, measured.

    Parameters
    ----------
    stack : LgeStack
    labels : uint8 array, shape (slice, row, column)
        1 cavity, 2 myocardium, 3 scar, 4 MVO; "manual" takes its scar from them, a rule only its contours.
    anatomy : Anatomy
        The AHA partition of these contours.
    n_sd : float, optional
        For "n_sd".
    smallest_island_ml : float
        Smaller islands are left out; not of a manual scar.

    Raises
    ------
    InputError
        A rule that needs to know the image's contrast, or parameters it cannot use.
    """
    cavity, wall = contours_of(labels)
    spacing, voxel_ml = stack.spacing, stack.voxel_ml
    if method == MANUAL:
        scar, mvo, printed, remote = labels >= SCAR, labels == MVO, "manual contours", "not used"
    else:
        found = segment_scar(stack.voxels, cavity, wall, spacing, method, n_sd=n_sd, contrast=stack.contrast)
        bright = drop_small_islands(found.mask, spacing, minimum_ml=smallest_island_ml)
        scar, mvo = fill_mvo(bright, wall, cavity, spacing)
        printed, remote = f"{found.method}, enclosed MVO counted in", found.remote
    core_ml = grey_ml = None
    if stack.contrast != "unknown" and scar.any():
        zones = grey_zone(stack.voxels, cavity, wall, spacing, scar=scar, mvo=mvo, contrast=stack.contrast)
        core_ml, grey_ml = float(zones.core.sum() * voxel_ml), float(zones.grey.sum() * voxel_ml)
    table = segment_table(anatomy, scar, scar, spacing, SEGMENT_NAMES, TERRITORIES)
    return ContourMeasures(
        method=printed,
        remote=remote,
        scar=burden(scar, wall, voxel_ml),
        mvo_ml=float(mvo.sum() * voxel_ml),
        core_ml=core_ml,
        grey_ml=grey_ml,
        territories={name: _share(table, name) for name in sorted(set(TERRITORIES))},
        patterns=island_patterns(scar, cavity, wall, spacing),
        segments=table,
        mask=scar,
    )


def _share(table: tuple[SegmentRow, ...], territory: str) -> float | None:
    rows = [row for row in table if row.territory == territory and row.imaged]
    wall = sum(row.myocardium_ml for row in rows)
    return 100 * sum(row.scar_ml for row in rows) / wall if wall else None
