"""What the ECG changed: scar probability with the ECG minus the probability without it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ScarSegECGLib.case import Anatomy, FloatArray, LgeStack
from ScarSegECGLib.view.legend import Key, colour_bar
from ScarSegECGLib.view.palette import CAVITY, DIVERGING_ANCHORS, IMAGE_GREY, MUTED, MYOCARDIUM, colours_of
from ScarSegECGLib.view.panels import LINE, Frame, lv_outlines
from ScarSegECGLib.view.shapes import (
    Box,
    Label,
    Lines,
    Polyline,
    RasterImage,
    Shape,
    Stroke,
    box_polygon,
    points,
    text_width,
)
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


def influence_bar(x: float, top: float, limit: float, room: float) -> tuple[Shape, ...]:
    """The change's colour bar, centred on ``x``, with its words in a width of ``room`` mm."""
    half = min(25.0, room / 2 - 1.6 - text_width("more scar", 3.0))
    box = (x - half, top - 3.0, x + half, top)
    bar = colour_bar(box, (-limit, 0.0, limit), -limit, limit, "", anchors=DIVERGING_ANCHORS)
    less = Label(box[0] - 1.6, top - 1.5, "less scar", 3.0, MUTED, "right")
    more = Label(box[2] + 1.6, top - 1.5, "more scar", 3.0, MUTED, "left")
    return (*bar, less, more)


def outline_keys() -> list[Key]:
    """Legend of the LV's outlines."""
    line = points([(-2.0, 0.0), (2.0, 0.0)])
    broken = [[(x, 0.0), (x + 0.7, 0.0)] for x in (-1.9, -0.35, 1.2)]
    return [
        Key(on_image(Polyline(line, Stroke(CAVITY, 1.3 * LINE))), 5.0, "endocardium"),
        Key(on_image(Lines(np.array(broken), Stroke(MYOCARDIUM, 1.5 * LINE))), 5.0, "epicardium"),
    ]


def on_image(*sample: Shape) -> tuple[Shape, ...]:
    """A legend's sample as it is seen on an image: on dark grey."""
    return box_polygon((-2.5, -1.5, 2.5, 1.5), fill=IMAGE_GREY), *sample
