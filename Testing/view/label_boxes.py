"""The room that text takes on a drawing, and how well it is told from its ground."""

from __future__ import annotations

import numpy as np

from ScarSegECGLib.view.palette import Colour
from ScarSegECGLib.view.shapes import Box, Drawing, Label, text_width


def labels_of(drawing: Drawing) -> tuple[Label, ...]:
    """All text."""
    return tuple(shape for shape in drawing.shapes if isinstance(shape, Label))


def label_box(label: Label) -> Box:
    """The upright box round a label, mm (ascender 0.76 em, descender 0.24 em, centred vertically on the anchor)."""
    width, height = text_width(label.text, label.size, label.bold), label.size
    left = {"left": 0.0, "center": -width / 2, "right": -width}[label.align]
    corners = np.array(
        [(left, -height / 2), (left + width, -height / 2), (left + width, height / 2), (left, height / 2)]
    )
    turn = np.radians(label.turn)
    turned = corners @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    (x0, y0), (x1, y1) = turned.min(axis=0), turned.max(axis=0)
    return label.x + float(x0), label.y + float(y0), label.x + float(x1), label.y + float(y1)


def contrast(one: Colour, other: Colour) -> float:
    """Contrast ratio of two colours, 1..21 (WCAG 2.1, relative luminance)."""
    srgb = np.array([one, other])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    low, high = sorted(linear @ (0.2126, 0.7152, 0.0722))
    return float((high + 0.05) / (low + 0.05))
