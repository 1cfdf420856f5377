"""What the ECG changed: scar probability with the ECG minus the probability without it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ScarSegECGLib.case import Anatomy, FloatArray, LgeStack
from ScarSegECGLib.view.legend import Key, colour_bar
from ScarSegECGLib.view.palette import CAVITY, DIVERGING_ANCHORS, MUTED, MYOCARDIUM, colours_of
from ScarSegECGLib.view.panels import LINE, Frame, lv_outlines
from ScarSegECGLib.view.shapes import Box, Label, Polyline, RasterImage, Shape, Stroke, points
from ScarSegECGLib.view.sheet import Painter

_LEAST_LIMIT = 0.05
_ALPHA = 0.9


def scale_end(change: FloatArray) -> float:
    """The colour scale's end: the largest change, rounded up to 0.05."""
    largest = float(np.nanmax(np.abs(change), initial=0.0))
    return max(_LEAST_LIMIT, float(np.ceil(round(largest * 20, 4)) / 20))


def influence_painter(stack: LgeStack, anatomy: Anatomy, change: FloatArray, limit: float) -> Painter:
    """A painter of panels: the image, the change over it in colour (more opaque where greater), the LV's outlines."""

    def paint(frame: Frame, index: int, box: Box) -> Sequence[Shape]:
        crop = frame.crop(change[index], order=1)
        strength = np.clip(np.abs(crop) / limit, 0.0, 1.0)
        alpha = np.where(np.abs(crop) > 0.02 * limit, _ALPHA * np.sqrt(strength), 0.0)
        rgba = np.dstack([colours_of(crop, -limit, limit, DIVERGING_ANCHORS), alpha])
        overlay = RasterImage(box, np.rint(rgba * 255).astype(np.uint8))
        return [frame.grey(stack.voxels[index], box, index + 1), overlay, *lv_outlines(anatomy, frame, index, box, 0.7)]

    return paint


def influence_bar(x: float, top: float, limit: float) -> tuple[Shape, ...]:
    """The change's colour bar, centred on ``x``."""
    box = (x - 25.0, top - 3.0, x + 25.0, top)
    bar = colour_bar(box, (-limit, 0.0, limit), -limit, limit, "", anchors=DIVERGING_ANCHORS)
    less = Label(box[0] - 1.6, top - 1.5, "less scar", 3.0, MUTED, "right")
    more = Label(box[2] + 1.6, top - 1.5, "more scar", 3.0, MUTED, "left")
    return (*bar, less, more)


def outline_keys() -> list[Key]:
    """Legend of the LV's outlines."""
    line = points([(-2.0, 0.0), (2.0, 0.0)])
    return [
        Key((Polyline(line, Stroke(CAVITY, 1.6 * LINE)),), 4.0, "endocardium"),
        Key((Polyline(line, Stroke(MYOCARDIUM, 1.6 * LINE)),), 4.0, "epicardium"),
    ]
