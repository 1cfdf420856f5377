"""The small helps round a picture: colour bars, keys, and the line that says what it is for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ScarSegECGLib.case import RESEARCH_USE
from ScarSegECGLib.view.palette import INK, MUTED, RULE, SCAR_ANCHORS, Colour, ramp
from ScarSegECGLib.view.shapes import Box, Label, RasterImage, Shape, Stroke, box_polygon, moved, text_width, wrap

PURPOSE_ROOM = 3.0
"""Millimetres a picture leaves free at its foot for :func:`purpose_line`."""


@dataclass(frozen=True, eq=False)
class Key:
    """One entry of a legend: a sample drawn round (0, 0), its width (mm) and its words."""

    sample: tuple[Shape, ...]
    width: float
    words: str


def tick_text(value: float) -> str:
    """A short number with a true minus sign."""
    return f"{value:g}".replace("-", "−")


def colour_bar(
    box: Box,
    ticks: Sequence[float],
    vmin: float,
    vmax: float,
    unit: str,
    *,
    anchors: tuple[str, ...] = SCAR_ANCHORS,
    size: float = 3.0,
) -> tuple[Shape, ...]:
    """A horizontal colour bar over ``box``; the ticks' numbers stand below it, the unit, if any, to its right."""
    left, bottom, right, top = box
    pixels = np.rint(ramp(anchors)[None] * 255).astype(np.uint8)
    shapes: list[Shape] = [RasterImage(box, pixels), box_polygon(box, stroke=Stroke(RULE, 0.2))]
    for value in ticks:
        x = left + (value - vmin) / (vmax - vmin) * (right - left)
        shapes.append(Label(x, bottom - 0.85 * size, tick_text(value), size, MUTED))
    return (*shapes, *_unit(box, unit, size))


def _unit(box: Box, unit: str, size: float) -> tuple[Label, ...]:
    return (Label(box[2] + 1.6, (box[1] + box[3]) / 2, unit, size, MUTED, "left"),) if unit else ()


def stepped_bar(
    box: Box, fills: Sequence[Colour], words: Sequence[str], unit: str, size: float = 3.0
) -> tuple[Shape, ...]:
    """A bar of equal steps; each step's words stand below it, the unit, if any, to the bar's right."""
    left, bottom, right, top = box
    step = (right - left) / len(fills)
    shapes: list[Shape] = []
    for i, (fill, text) in enumerate(zip(fills, words, strict=True)):
        x = left + i * step
        shapes.append(box_polygon((x, bottom, x + step, top), fill=fill, stroke=Stroke(RULE, 0.2)))
        shapes.append(Label(x + step / 2, bottom - 0.85 * size, text, size, MUTED))
    return (*shapes, *_unit(box, unit, size))


AXIS_LEADING = 4.4


def axis_lines(text: str, width: float, size: float = 3.0) -> list[Label]:
    """What a colour bar's numbers are, with their denominator; the lines' places are the caller's to set."""
    return [Label(0.0, 0.0, line, size, INK) for line in wrap(text, width, size)]


def flow(keys: Sequence[Key], width: float, size: float = 3.0, gap: float = 4.0) -> list[list[Key]]:
    """Break a legend into rows that fit ``width`` mm."""
    rows: list[list[Key]] = []
    used = 0.0
    for key in keys:
        need = key.width + 1.0 + text_width(key.words, size)
        if rows and used + gap + need <= width:
            rows[-1].append(key)
            used += gap + need
        else:
            rows.append([key])
            used = need
    return rows


def key_rows(
    rows: Sequence[Sequence[Key]], centre_x: float, y: float, size: float = 3.0, gap: float = 4.0, leading: float = 4.8
) -> tuple[Shape, ...]:
    """Legend rows, each centred on ``centre_x``, from the first row's middle ``y`` downwards."""
    shapes: list[Shape] = []
    for row in rows:
        widths = [key.width + 1.0 + text_width(key.words, size) for key in row]
        x = centre_x - (sum(widths) + gap * (len(row) - 1)) / 2
        for key, width in zip(row, widths, strict=True):
            shapes += [moved(shape, x + key.width / 2, y) for shape in key.sample]
            shapes.append(Label(x + key.width + 1.0, y, key.words, size, MUTED, "left"))
            x += width + gap
        y -= leading
    return tuple(shapes)


def purpose_line(centre_x: float, size: float = 3.0) -> Label:
    """The last line of every picture, which travels without its report."""
    return Label(centre_x, 2.4, RESEARCH_USE, size, MUTED)
