"""The pictures of what one rule says inside given contours, each with rule, remote region and AHA mode."""

from __future__ import annotations

import numpy as np

from ScarSegECGLib.anatomy.segments import RING_NAMES
from ScarSegECGLib.anatomy.soft import rings_of
from ScarSegECGLib.case import MVO, SCAR, Anatomy, LgeStack
from ScarSegECGLib.measure.measurements import Measurements
from ScarSegECGLib.measure.transmurality import transmurality_map
from ScarSegECGLib.report.captions import (
    PERCENT_OF_SEGMENT,
    PERCENT_OF_WALL,
    SIGN_WORDS,
    how,
    mvo_sign,
    rings_line,
    scar_title,
)
from ScarSegECGLib.view.bullseye import BullseyeStyle, SegmentValue, bullseye
from ScarSegECGLib.view.montage import montage
from ScarSegECGLib.view.polar_map import polar_map
from ScarSegECGLib.view.shapes import Drawing
from ScarSegECGLib.view.transmurality import transmurality_bullseye


def measured_bullseye(measured: Measurements) -> Drawing:
    """Scar per segment, those that have MVO in them marked."""
    rows = [SegmentValue(row.scar_percent, row.imaged, sign=mvo_sign(row)) for row in measured.segments]
    return bullseye(rows, BullseyeStyle("Scar per segment", _how(measured), PERCENT_OF_SEGMENT, sign_words=SIGN_WORDS))


def measured_transmurality(measured: Measurements, *, maximum: bool = False) -> Drawing:
    """Mean or maximum transmurality per segment in the usual bins; see :func:`transmurality_bullseye`."""
    return transmurality_bullseye(measured.segments, _how(measured), maximum=maximum)


def measured_polar_map(measured: Measurements, anatomy: Anatomy, spacing: tuple[float, float, float]) -> Drawing:
    """Transmurality at every angle of every slice that has myocardium.

    Parameters
    ----------
    measured : Measurements
    anatomy : Anatomy
        On the grid of ``measured.mask``.
    spacing : (slice, row, column) mm
    """
    shown = anatomy.myocardium.any(axis=(1, 2))
    levels = [RING_NAMES[ring].lower() if ring >= 0 else "" for ring in rings_of(anatomy)[shown]]
    percent = transmurality_map(measured.mask, anatomy, spacing)[shown]
    first, last = np.flatnonzero(shown)[[0, -1]] + 1
    rings = rings_line(int(first), int(last))
    return polar_map(percent, levels, title="Transmurality", subtitle=_how(measured, rings), axis=PERCENT_OF_WALL)


def measured_montage(measured: Measurements, anatomy: Anatomy, stack: LgeStack) -> Drawing:
    """All slices with outlines, scar, MVO, AHA borders and RV insertions.

    Parameters
    ----------
    measured : Measurements
    anatomy : Anatomy
    stack : LgeStack
        All on one grid.
    """
    labels = np.where(measured.mask, SCAR, anatomy.myocardium * np.uint8(2) + anatomy.cavity).astype(np.uint8)
    labels[measured.mvo] = MVO
    title = scar_title(measured.scar, measured.parts.mvo)
    return montage(stack, labels, anatomy, title=title, subtitle=_how(measured))


def _how(measured: Measurements, *more: str) -> str:
    return how(measured.method, measured.division, None, *more)
