"""Pictures of ``scarsegecg measure``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ScarSegECGLib.case import Anatomy, LgeStack
from ScarSegECGLib.cli.outputs import save_picture
from ScarSegECGLib.measure.measurements import Measurements
from ScarSegECGLib.view.measured import measured_bullseye, measured_montage, measured_polar_map, measured_transmurality


def draw(
    measured: Measurements,
    anatomy: Anatomy,
    stack: LgeStack,
    bullseyes: Sequence[Path] = (),
    polar_map: Path | None = None,
    montage: Path | None = None,
    transmurality: Path | None = None,
    transmurality_max: Path | None = None,
) -> None:
    """Write the pictures that are asked for, each with its rule, remote region and AHA mode in words.

    Raises
    ------
    InputError
        A file that cannot be written.
    """
    for path in bullseyes:
        save_picture(measured_bullseye(measured), path)
    if polar_map:
        save_picture(measured_polar_map(measured, anatomy, stack.spacing), polar_map)
    if montage:
        save_picture(measured_montage(measured, anatomy, stack), montage)
    if transmurality:
        save_picture(measured_transmurality(measured), transmurality)
    if transmurality_max:
        save_picture(measured_transmurality(measured, maximum=True), transmurality_max)
