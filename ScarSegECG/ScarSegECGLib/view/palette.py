"""Every colour of the pictures, once, (red, green, blue) in 0..1; those of the LV and the scar are as Slicer shows."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgb

from ScarSegECGLib import case
from ScarSegECGLib.case import STRUCTURE_COLOURS

Colour = tuple[float, float, float]

CAVITY, MYOCARDIUM, SCAR = (STRUCTURE_COLOURS[label] for label in (case.CAVITY, case.MYOCARDIUM, case.SCAR))
ANTERIOR_INSERTION = to_rgb("#ffffff")
INFERIOR_INSERTION = to_rgb("#bfe3ff")

WHITE = to_rgb("#ffffff")
BLACK = to_rgb("#000000")
INK = to_rgb("#20262c")
MUTED = to_rgb("#59636d")
RULE = to_rgb("#aab2b9")
NOT_IMAGED = to_rgb("#eceef0")
HATCH = to_rgb("#9aa3ab")
NO_VALUE = to_rgb("#dde1e4")
SELECTED = to_rgb("#0b6fb8")
# The ECG's estimate is no finding of the image: grey-blue strokes on white, never a colour of the scar ramp.
ECG_STROKE = to_rgb("#47586d")
# What the keys of marks drawn on an image lie on, so that a white mark is seen in the legend too.
IMAGE_GREY = to_rgb("#2a2f34")

PAPER_FINE = to_rgb("#f8d9d8")
PAPER_BOLD = to_rgb("#eca9a8")

_ANCHORS = ("#fbf8f0", "#f8e0a4", "#f2b65a", "#dc7f38", "#ac4a31", "#702638", "#3a1033")
RAMP = LinearSegmentedColormap.from_list("scar", _ANCHORS).with_extremes(bad=NO_VALUE)
"""The scar's colours, of strictly falling lightness for colour-blind eyes and grey prints; :data:`NO_VALUE` for NaN."""


def colour_of(value: float, vmin: float, vmax: float) -> Colour:
    return to_rgb(RAMP((value - vmin) / (vmax - vmin)))


def text_on(background: Colour) -> Colour:
    """Black or white, whichever reads better: a contrast of 4.5 or more on any colour (WCAG 2.1)."""
    srgb = np.array(background)
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return BLACK if linear @ (0.2126, 0.7152, 0.0722) > 0.179 else WHITE  # a luminance as far from both
