"""Every colour of the pictures, once; those of the LV and the scar are the ones Slicer shows.

Colours are (red, green, blue) in 0..1. The ramps run with strictly falling lightness, so they read the same to
colour-blind eyes and on a monochrome printer.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ScarSegECGLib import case
from ScarSegECGLib.case import STRUCTURE_COLOURS

Colour = tuple[float, float, float]


def rgb(code: str) -> Colour:
    """Colour of a ``#rrggbb`` code."""
    red, green, blue = (int(code[i : i + 2], 16) / 255.0 for i in (1, 3, 5))
    return red, green, blue


CAVITY, MYOCARDIUM, SCAR = (STRUCTURE_COLOURS[label] for label in (case.CAVITY, case.MYOCARDIUM, case.SCAR))
ANTERIOR_INSERTION = rgb("#ffffff")
INFERIOR_INSERTION = rgb("#bfe3ff")

WHITE = rgb("#ffffff")
BLACK = rgb("#000000")
INK = rgb("#20262c")
MUTED = rgb("#59636d")
RULE = rgb("#aab2b9")
NOT_IMAGED = rgb("#eceef0")
HATCH = rgb("#9aa3ab")
NO_VALUE = rgb("#dde1e4")
SELECTED = rgb("#0b6fb8")
# The ECG's estimate is no finding of the image: grey-blue strokes on white, never a colour of the scar ramp.
ECG_STROKE = rgb("#47586d")
# What the keys of marks drawn on an image lie on, so that a white mark is seen in the legend too.
IMAGE_GREY = rgb("#2a2f34")

PAPER_FINE = rgb("#f8d9d8")
PAPER_BOLD = rgb("#eca9a8")

SCAR_ANCHORS = ("#fbf8f0", "#f8e0a4", "#f2b65a", "#dc7f38", "#ac4a31", "#702638", "#3a1033")
DIVERGING_ANCHORS = ("#174a94", "#3f86cf", "#a3cbec", "#f7f7f5", "#fbbf85", "#e17d24", "#983f05")

_TO_LMS = np.array([[0.4122214708, 0.5363325363, 0.0514459929],
                    [0.2119034982, 0.6806995451, 0.1073969566],
                    [0.0883024619, 0.2817188376, 0.6299787005]])  # fmt: skip
_TO_LAB = np.array([[0.2104542553, 0.7936177850, -0.0040720468],
                    [1.9779984951, -2.4285922050, 0.4505937099],
                    [0.0259040371, 0.7827717662, -0.8086757660]])  # fmt: skip


def _linear(srgb: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def _gamma(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    linear = np.clip(linear, 0.0, 1.0)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def oklab(colours: ArrayLike) -> NDArray[np.float64]:
    """OKLab coordinates (lightness, a, b) of sRGB colours, shape (..., 3) (Ottosson 2020)."""
    return np.cbrt(_linear(np.asarray(colours, dtype=np.float64)) @ _TO_LMS.T) @ _TO_LAB.T


def _from_oklab(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    return _gamma(((lab @ np.linalg.inv(_TO_LAB).T) ** 3) @ np.linalg.inv(_TO_LMS).T)


@cache
def ramp(anchors: tuple[str, ...] = SCAR_ANCHORS, steps: int = 256) -> NDArray[np.float64]:
    """Colours at even steps through ``anchors``, mixed in OKLab.

    Returns
    -------
    float64 array, shape (steps, 3), read-only
    """
    lab = oklab([rgb(code) for code in anchors])
    at = np.linspace(0, len(anchors) - 1, steps)
    mixed = np.stack([np.interp(at, np.arange(len(anchors)), lab[:, i]) for i in range(3)], axis=-1)
    colours = _from_oklab(mixed)
    colours.setflags(write=False)
    return colours


def colours_of(
    values: ArrayLike, vmin: float, vmax: float, anchors: tuple[str, ...] = SCAR_ANCHORS
) -> NDArray[np.float64]:
    """Colour of each value on the ramp from ``vmin`` to ``vmax``; values outside take the end colours.

    Returns
    -------
    float64 array, shape (..., 3); NaN values are NaN
    """
    at = (np.asarray(values, dtype=np.float64) - vmin) / (vmax - vmin)
    table = ramp(anchors)
    index = np.clip(np.nan_to_num(at) * (len(table) - 1), 0, len(table) - 1)
    colours = table[np.rint(index).astype(np.intp)].copy()
    colours[np.isnan(at)] = np.nan
    return colours


def colour_of(value: float, vmin: float, vmax: float) -> Colour:
    """One value's colour on the scar ramp."""
    red, green, blue = colours_of(value, vmin, vmax)
    return float(red), float(green), float(blue)


def contrast(one: Colour, other: Colour) -> float:
    """Contrast ratio of two colours, 1..21 (WCAG 2.1, relative luminance)."""
    weights = np.array([0.2126, 0.7152, 0.0722])
    low, high = sorted(float(_linear(np.array(c)) @ weights) for c in (one, other))
    return (high + 0.05) / (low + 0.05)


def text_on(background: Colour) -> Colour:
    """Black or white, whichever reads better on ``background``: a contrast of 4.5 or more on any colour."""
    return max((BLACK, WHITE), key=lambda colour: contrast(colour, background))
