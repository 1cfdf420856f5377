"""Pictures of ``scarsegecg measure``."""

from __future__ import annotations

from pathlib import Path

from ScarSegECGLib.anatomy.segments import RING_NAMES
from ScarSegECGLib.anatomy.soft import rings_of
from ScarSegECGLib.case import Anatomy, LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.measure.contours import ContourMeasures
from ScarSegECGLib.measure.polar_transmurality import transmurality_map
from ScarSegECGLib.view.bullseye import bullseye
from ScarSegECGLib.view.paint_matplotlib import save
from ScarSegECGLib.view.polar_map import polar_map
from ScarSegECGLib.view.shapes import Drawing


def draw(
    measured: ContourMeasures, anatomy: Anatomy, stack: LgeStack, bullseye_to: Path | None, polar_map_to: Path | None
) -> None:
    """Write the pictures that are asked for, each with its rule in words.

    Raises
    ------
    InputError
        A suffix that is no picture's, or a file that cannot be written.
    """
    count = 16 if "16 segments" in anatomy.mode else 17
    rows = measured.segments[:count]
    if bullseye_to:
        _save(
            bullseye(
                [row.scar_percent for row in rows],
                title="Scar per segment",
                subtitle=measured.method,
                imaged=[row.imaged for row in rows],
            ),
            bullseye_to,
        )
    if polar_map_to:
        shown = anatomy.myocardium.any(axis=(1, 2))
        levels = [RING_NAMES[ring].lower() if ring >= 0 else "" for ring in rings_of(anatomy)[shown]]
        percent = transmurality_map(measured.mask, anatomy, stack.spacing)[shown]
        _save(polar_map(percent, title="Transmurality", levels=levels), polar_map_to)


def _save(drawing: Drawing, path: Path) -> None:
    try:
        save(drawing, path)
    except OSError:
        raise InputError(f"{path.name}: the picture cannot be written; check its folder") from None
