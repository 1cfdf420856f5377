"""The small helps round a picture: colour bars, keys, and the line that says what it is for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ScarSegECGLib.view.palette import INK, MUTED, RULE, Colour, ramp
from ScarSegECGLib.view.shapes import Box, Label, RasterImage, Shape, Stroke, box_polygon, moved, text_width, wrap
from ScarSegECGLib.wording import RESEARCH_USE

PURPOSE_ROOM = 3.0
"""Millimetres a picture leaves free at its foot for :func:`purpose_line`."""
TITLE, SUBTITLE, SMALL = 3.9, 3.2, 3.0
_GAP, LEADING = 4.0, 4.8


@dataclass(frozen=True, eq=False)
class Key:
    """One entry of a legend: a sample drawn round (0, 0), its width (mm) and its words."""

    sample: tuple[Shape, ...]
    width: float
    words: str

    @property
    def room(self) -> float:
        """Width of sample and words, mm."""
        return self.width + 1.0 + text_width(self.words, SMALL)


def colour_bar(box: Box) -> tuple[Shape, ...]:
    """The scar's colours from 0 to 100 over ``box``; the ticks' numbers stand below it."""
    left, bottom, right, _ = box
    pixels = np.rint(ramp()[None] * 255).astype(np.uint8)
    ticks = (
        Label(left + value / 100 * (right - left), bottom - 0.85 * SMALL, f"{value}", SMALL, MUTED)
        for value in (0, 25, 50, 75, 100)
    )
    return RasterImage(box, pixels), box_polygon(box, stroke=Stroke(RULE, 0.2)), *ticks


def stepped_bar(box: Box, fills: Sequence[Colour], words: Sequence[str]) -> tuple[Shape, ...]:
    """A bar of equal steps; each step's words stand below it."""
    left, bottom, right, top = box
    step = (right - left) / len(fills)
    shapes: list[Shape] = []
    for i, (fill, text) in enumerate(zip(fills, words, strict=True)):
        x = left + i * step
        shapes.append(box_polygon((x, bottom, x + step, top), fill=fill, stroke=Stroke(RULE, 0.2)))
        shapes.append(Label(x + step / 2, bottom - 0.85 * SMALL, text, SMALL, MUTED))
    return tuple(shapes)


def heading(title: str, subtitle: str, x: float, top: float, width: float, leading: float) -> list[Label]:
    """Title and subtitle, wrapped, centred on ``x`` from ``top`` downwards."""
    lines = [(line, TITLE, INK, True) for line in wrap(title, width, TITLE, bold=True)]
    lines += [(line, SUBTITLE, MUTED, False) for line in wrap(subtitle, width, SUBTITLE)]
    return [Label(x, top - leading * i, line, size, ink, bold=b) for i, (line, size, ink, b) in enumerate(lines)]


def flow(keys: Sequence[Key], width: float) -> list[list[Key]]:
    """Break a legend into rows that fit ``width`` mm."""
    rows: list[list[Key]] = []
    for key in keys:
        if rows and sum(one.room + _GAP for one in rows[-1]) + key.room <= width:
            rows[-1].append(key)
        else:
            rows.append([key])
    return rows


def key_rows(rows: Sequence[Sequence[Key]], centre_x: float, y: float) -> tuple[Shape, ...]:
    """Legend rows, each centred on ``centre_x``, from the first row's middle ``y`` downwards."""
    shapes: list[Shape] = []
    for row in rows:
        x = centre_x - (sum(key.room for key in row) + _GAP * (len(row) - 1)) / 2
        for key in row:
            shapes += [moved(shape, x + key.width / 2, y) for shape in key.sample]
            shapes.append(Label(x + key.width + 1.0, y, key.words, SMALL, MUTED, "left"))
            x += key.room + _GAP
        y -= LEADING
    return tuple(shapes)


def purpose_line(centre_x: float, size: float = SMALL) -> Label:
    """The last line of every picture, which travels without its report."""
    return Label(centre_x, 2.4, RESEARCH_USE, size, MUTED)
