"""Measure scar inside given contours, by one rule or by all side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.anatomy.segments import SEGMENT_NAMES, usual_territory
from ScarSegECGLib.case import (
    CAVITY,
    MYOCARDIUM,
    SCAR,
    Anatomy,
    Burden,
    IslandPattern,
    LabelArray,
    LgeStack,
    SegmentRow,
)
from ScarSegECGLib.facts import Contrast, Division, Fact, Method, PartsRule, ScarSource
from ScarSegECGLib.measure.burden import burden
from ScarSegECGLib.measure.cropping import heart_box
from ScarSegECGLib.measure.grey_zone import GreyZone, grey_zone
from ScarSegECGLib.measure.mvo import mvo_within
from ScarSegECGLib.measure.pattern import island_patterns
from ScarSegECGLib.measure.remote import Region, remote_doubts, remote_myocardium
from ScarSegECGLib.measure.rule import per_slice, scar_by_rule
from ScarSegECGLib.measure.scar_parts import parts_of
from ScarSegECGLib.measure.segments import segment_table
from ScarSegECGLib.measure.threshold import METHODS as RULES
from ScarSegECGLib.measure.threshold import Per

MANUAL = ScarSource.MANUAL
METHODS = (MANUAL, *RULES)
MVO = 4
TERRITORIES = tuple(usual_territory(number) for number in range(1, 18))


@dataclass(frozen=True)
class ContourMeasures:
    """What one rule says of one patient.

    Attributes
    ----------
    method : Method
        The rule with its parameters, and where remote myocardium was taken if it uses one.
    contrast : Contrast
        Of the images.
    division : Division
        How the wall was divided.
    thresholds : tuple of float or None, length = slices
        As :class:`ScarSegECGLib.measure.threshold.ScarMask` has them; empty for manual contours.
    scar : Burden
        MVO counted in.
    mvo_ml : float
        Drawn, or of a rule's scar the part no brighter than remote mean + 2 SD that brighter scar encloses.
    core_ml, grey_ml : float or None
        Core and grey zone inside the scar, both without MVO; ``None`` where the image's contrast is unknown, and for a
        grey zone that no slice leaves room for. 0 where there is no scar.
    grey_remark : Fact or None
        In how many slices the grey zone could not be told.
    rest_ml : float or None
        Scar that is none of core, grey zone and MVO: darker than the grey zone's limit, but not enclosed.
    core_rule : PartsRule or None
        How core and grey zone were told apart; ``None`` where they were not.
    territories : dict
        Scar in % of the wall of each *usual* coronary territory; ``None`` where not imaged.
    patterns : tuple of IslandPattern
    segments : tuple of SegmentRow
        16 or 17, as the wall was divided.
    mask, mvo : bool arrays, shape (slice, row, column)
        The scar, MVO counted in, and the MVO alone.
    remote_mean, remote_sd : tuple of float or None, length = slices
        Of the remote region; ``None`` where a slice has no myocardium.
    warnings : tuple of Fact
        What speaks against the scar, or against the remote region that it or its core rests on.
    """

    method: Method
    contrast: Contrast
    division: Division
    thresholds: tuple[float | None, ...]
    scar: Burden
    mvo_ml: float
    core_ml: float | None
    grey_ml: float | None
    grey_remark: Fact | None
    rest_ml: float | None
    core_rule: PartsRule | None
    territories: dict[str, float | None]
    patterns: tuple[IslandPattern, ...]
    segments: tuple[SegmentRow, ...]
    mask: NDArray[np.bool_]
    mvo: NDArray[np.bool_]
    remote_mean: tuple[float | None, ...] = ()
    remote_sd: tuple[float | None, ...] = ()
    warnings: tuple[Fact, ...] = ()


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
    per: Per = "slice",
    remote: Region = None,
    fwhm_region: NDArray[np.bool_] | None = None,
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
    per : {"slice", "stack"}
        One threshold per slice, or one for all.
    remote : bool array, shape (slice, row, column), or Remote, optional
        Remote myocardium as the reader sets it, or found before; found automatically when absent.
    fwhm_region : bool array, same shape, optional
        Where "fwhm" looks for the maximum; the whole myocardium when absent.
    smallest_island_ml : float
        Smaller islands are left out; not of a manual scar.

    Raises
    ------
    InputError
        A rule that needs to know the image's contrast, or parameters it cannot use.
    """
    # all of it is done in the heart's own box, because most of a slice is not heart, with remote found once for all
    box = heart_box((labels > 0) & (labels <= MVO), margin=8)
    image, near = stack.voxels[box], labels[box]
    cavity, wall = contours_of(near)
    drawn, peak = None if remote is None else remote[box], None if fwhm_region is None else fwhm_region[box]
    spacing, voxel_ml, contrast = stack.spacing, stack.voxel_ml, stack.contrast
    healthy = remote_myocardium(image, cavity, wall, spacing, drawn)
    levels: tuple[float | None, ...] = ()
    told, warnings = Method(ScarSource.MANUAL, contrast=contrast), ()
    statistics = per_slice(healthy.mean), per_slice(healthy.sd)
    if method == MANUAL:
        mvo = near == MVO
        scar = (near == SCAR) | mvo
    else:
        found = scar_by_rule(
            image,
            cavity,
            wall,
            spacing,
            method,
            n_sd=n_sd,
            per=per,
            remote=healthy,
            contrast=contrast,
            fwhm_region=peak,
            smallest_island_ml=smallest_island_ml,
        )
        scar, told, warnings = found.mask, found.method, found.warnings
        mvo = mvo_within(image, cavity, wall, spacing, scar, healthy)  # whatever the rule's own limit
        levels = _of_all_slices(found.thresholds, box[0].start, len(labels))
        statistics = found.remote_mean, found.remote_sd
    zones: GreyZone | None = None
    if contrast != Contrast.UNKNOWN:
        zones = grey_zone(image, cavity, wall, spacing, scar=scar, contrast=contrast, remote=healthy)
    if zones or told.remote is not None:
        shared = per if told.remote is not None else "slice"
        doubts = remote_doubts(image, cavity, wall, spacing, healthy, per=shared, drawn_scar=near >= SCAR)
        warnings = tuple(dict.fromkeys(warnings + doubts))
    own = replace(anatomy, cavity=anatomy.cavity[box], myocardium=anatomy.myocardium[box], aha=anatomy.aha[box])
    parts = parts_of(scar, mvo, zones, voxel_ml, int(np.count_nonzero(wall)), contrast)
    table = segment_table(own, scar, scar, spacing, SEGMENT_NAMES, TERRITORIES, parts=parts)
    mask, dark = np.zeros(labels.shape, bool), np.zeros(labels.shape, bool)
    mask[box], dark[box] = scar, mvo
    return ContourMeasures(
        method=told,
        contrast=contrast,
        division=anatomy.division,
        thresholds=levels,
        scar=burden(scar, wall, voxel_ml),
        mvo_ml=parts.mvo.ml,
        core_ml=parts.core.ml if parts.core else None,
        grey_ml=parts.grey.ml if parts.grey else None,
        grey_remark=parts.remark,
        rest_ml=parts.rest.ml if parts.rest else None,
        core_rule=parts.rule,
        territories={name: _share(table, name) for name in sorted(set(TERRITORIES))},
        patterns=island_patterns(scar, cavity, wall, spacing),
        segments=table,
        mask=mask,
        mvo=dark,
        remote_mean=_of_all_slices(statistics[0], box[0].start, len(labels)),
        remote_sd=_of_all_slices(statistics[1], box[0].start, len(labels)),
        warnings=warnings,
    )


def _of_all_slices(values: Sequence[float | None], first: int, count: int) -> tuple[float | None, ...]:
    """Values of the heart's slices as those of the whole stack."""
    return (None,) * first + tuple(values) + (None,) * (count - first - len(values))


def _share(table: tuple[SegmentRow, ...], territory: str) -> float | None:
    rows = [row for row in table if row.territory == territory and row.imaged]
    wall = sum(row.myocardium_ml for row in rows)
    return 100 * sum(row.scar_ml for row in rows) / wall if wall else None
