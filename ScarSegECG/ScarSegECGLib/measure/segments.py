"""The table of the 17 AHA segments."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib import case
from ScarSegECGLib.anatomy.polar import Floats, Mask, Spacing, heart_box
from ScarSegECGLib.anatomy.segments import SEGMENT_NAMES, TERRITORY_OF
from ScarSegECGLib.case import Anatomy, ScarParts, SegmentRow
from ScarSegECGLib.measure.transmurality import segment_transmurality, transmurality_bin

PARTS = {"mvo": case.PART_MVO, "core": case.PART_CORE, "grey": case.PART_GREY, "rest": case.PART_REST}
LITTLE_SCAR_ML = 0.5
"""A segment's maximum that rests on less scar is marked, as a few voxels move it far; this project's own number."""


@dataclass(frozen=True)
class TerritoryRow:
    """The segments of one usual coronary territory together; percentages of its imaged wall, ``None`` without any."""

    name: str
    segments: tuple[int, ...]
    myocardium_ml: float
    scar_ml: float
    scar_grams: float
    scar_percent: float | None
    scar_percent_image_only: float | None


def segment_percent(aha: NDArray[np.uint8], mask: Mask, segments: int = 17) -> Floats:
    """Share of the wall of segments 1.. inside ``mask``, 0..100, shape (segments,); NaN where a segment has no wall."""
    wall, hit = _voxels(aha[aha > 0], segments), _voxels(aha[mask], segments)
    return 100.0 * hit / np.where(wall > 0, wall, np.nan)


def _voxels(labels: NDArray[np.uint8], segments: int) -> NDArray[np.intp]:
    return np.bincount(labels, minlength=segments + 1)[1 : segments + 1]


def segment_table(
    anatomy: Anatomy, scar: Mask, spacing: Spacing, parts: ScarParts | None = None
) -> tuple[SegmentRow, ...]:
    """One row per AHA segment, 16 or 17; percentages are ``None`` for segments that are not imaged or hold no wall.
    Scar inside the myocardium alone counts; ``parts`` are those of the same scar."""
    count, voxel_ml = len(anatomy.imaged), float(np.prod(spacing)) / 1000.0
    box = heart_box(anatomy.cavity | anatomy.myocardium)
    aha, cavity, wall = anatomy.aha[box], anatomy.cavity[box], anatomy.myocardium[box]
    hit = scar[box] & wall
    wall_ml, scar_ml = (_voxels(aha[mask], count) * voxel_ml for mask in (wall, hit))
    across = segment_transmurality(hit, cavity, wall, aha, spacing, count)
    percent = segment_percent(aha, hit, count)
    shares: dict[str, NDArray[np.floating]] = {
        "scar_percent": percent,
        "scar_percent_image_only": percent,
        "transmurality_mean_percent": across.mean_percent,
        "transmurality_max_percent": across.max_percent,
        "wall_thickness_mm": across.thickness_mm,
    }
    if parts is not None:
        held = parts.labels[box]
        for name, kind in PARTS.items():
            if getattr(parts, name) is not None:
                shares[f"{name}_ml"] = _voxels(aha[held == kind], count) * voxel_ml
    rows = []
    for i in range(anatomy.division.segments):
        imaged = bool(anatomy.imaged[i] and wall_ml[i] > 0)
        told: dict[str, Any] = dict.fromkeys(shares)
        if imaged:
            told |= {name: float(values[i]) for name, values in shares.items() if not np.isnan(values[i])}
        rows.append(
            SegmentRow(
                number=i + 1,
                name=SEGMENT_NAMES[i],
                territory=TERRITORY_OF[i + 1],
                imaged=imaged,
                myocardium_ml=float(wall_ml[i]),
                scar_ml=float(scar_ml[i]),
                transmurality_bin=transmurality_bin(across.mean_percent[i]) if imaged else "",
                **told,
            )
        )
    return tuple(rows)


def territory_table(rows: Iterable[SegmentRow]) -> tuple[TerritoryRow, ...]:
    """Sums over the imaged segments of each usual coronary territory, in the order of the names."""
    members: dict[str, list[SegmentRow]] = {}
    for row in rows:
        members.setdefault(row.territory, []).extend([row] if row.imaged else [])
    return tuple(_territory(name, members[name]) for name in sorted(members))


def _territory(name: str, rows: list[SegmentRow]) -> TerritoryRow:
    wall, scar = sum(row.myocardium_ml for row in rows), sum(row.scar_ml for row in rows)
    alone = [row.scar_percent_image_only for row in rows]
    alone_ml = sum(row.myocardium_ml * share / 100 for row, share in zip(rows, alone, strict=True) if share is not None)
    return TerritoryRow(
        name=name,
        segments=tuple(row.number for row in rows),
        myocardium_ml=wall,
        scar_ml=scar,
        scar_grams=scar * case.MYOCARDIAL_DENSITY_G_PER_ML,
        scar_percent=100 * scar / wall if wall else None,
        scar_percent_image_only=100 * alone_ml / wall if wall and None not in alone else None,
    )


def rests_on_little(row: SegmentRow) -> bool:
    """Whether the maximum of the transmurality rests on less than :data:`LITTLE_SCAR_ML` of scar."""
    return bool(row.transmurality_max_percent) and row.scar_ml < LITTLE_SCAR_ML
