"""Pictures of ``scarsegecg measure``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ScarSegECGLib.anatomy.segments import RING_NAMES
from ScarSegECGLib.anatomy.soft import rings_of
from ScarSegECGLib.case import Anatomy, LgeStack
from ScarSegECGLib.cli.outputs import save_picture
from ScarSegECGLib.measure.contours import ContourMeasures
from ScarSegECGLib.measure.polar_transmurality import transmurality_map
from ScarSegECGLib.view.bullseye import bullseye
from ScarSegECGLib.view.polar_map import polar_map


def draw(
    measured: ContourMeasures, anatomy: Anatomy, stack: LgeStack, bullseye_to: Path | None, polar_map_to: Path | None
) -> None:
    """Write the pictures that are asked for, each with its rule in words.

    Raises
    ------
    InputError
        A file that cannot be written.
    """
    count = 16 if "16 segments" in anatomy.mode else 17
    rows = measured.segments[:count]
    if bullseye_to:
        save_picture(
            bullseye(
                [row.scar_percent for row in rows],
                title="Scar, % of segment volume",
                subtitle=measured.method,
                imaged=[row.imaged for row in rows],
            ),
            bullseye_to,
        )
    if polar_map_to:
        shown = anatomy.myocardium.any(axis=(1, 2))
        levels = [RING_NAMES[ring].lower() if ring >= 0 else "" for ring in rings_of(anatomy)[shown]]
        percent = transmurality_map(measured.mask, anatomy, stack.spacing)[shown]
        first, last = np.flatnonzero(shown)[[0, -1]] + 1
        how = f"{measured.method}; rings: slices {first} (apex) to {last} (base)"
        title = "Transmurality, % of wall thickness"
        save_picture(polar_map(percent, title=title, subtitle=how, levels=levels), polar_map_to)
