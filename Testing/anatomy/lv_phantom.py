"""A left ventricle of circles, with a right ventricle beside it: made up, for tests of geometry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.anatomy.aha import divide
from ScarSegECGLib.case import Anatomy, LgeStack, Storage

CENTRE_MM = (96.0, 90.0)


@dataclass(frozen=True)
class Phantom:
    """Masks and image, shape (slice, row, column); ``spacing`` (slice, row, column) mm."""

    cavity: NDArray[np.bool_]
    myocardium: NDArray[np.bool_]
    rv: NDArray[np.bool_]
    image: NDArray[np.float32]
    spacing: tuple[float, float, float]


def lv_phantom(
    slices: int = 9,
    cap: int = 1,
    spacing: tuple[float, float, float] = (10.0, 1.5, 1.5),
    anterior_deg: float = 120.0,
    inferior_deg: float = 240.0,
    size_mm: float = 192.0,
    noise: float = 0.05,
) -> Phantom:
    """``slices`` in all, of which the first ``cap`` have no cavity; the RV's wedge stands on the given arc."""
    rows, columns = int(round(size_mm / spacing[1])), int(round(size_mm / spacing[2]))
    y = np.arange(rows)[:, None] * spacing[1] - CENTRE_MM[0]
    x = np.arange(columns)[None, :] * spacing[2] - CENTRE_MM[1]
    radius, angle = np.hypot(x, y), np.degrees(np.arctan2(-y, x)) % 360
    cavity = np.zeros((slices, rows, columns), bool)
    myocardium, rv = cavity.copy(), cavity.copy()
    middle = anterior_deg + ((inferior_deg - anterior_deg) % 360) / 2
    half = ((inferior_deg - anterior_deg) % 360) / 2
    off = np.abs((angle - middle + 180) % 360 - 180)
    for k in range(slices):
        inner = 0.0 if k < cap else 14.0 + 0.8 * k
        outer = 12.0 if k < cap else inner + 9.0
        cavity[k] = radius < inner
        myocardium[k] = (radius >= inner) & (radius < outer)
        # the free wall leans over the septum by 2 degrees per mm
        rv[k] = (radius >= outer) & (off < half - 2.0 * (radius - outer)) & (radius < outer + 25.0)
    image = np.full(cavity.shape, 0.15)
    image[myocardium] = 0.3
    image[cavity | rv] = 1.0
    image += np.random.default_rng(7).normal(0.0, noise, image.shape)
    return Phantom(cavity, myocardium, rv, image.astype(np.float32), spacing)


def divided(
    cavity: NDArray[np.bool_],
    myocardium: NDArray[np.bool_],
    image: NDArray | None,
    spacing: tuple[float, float, float],
    *,
    matrix: NDArray | None = None,
    orientation_known: bool = True,
    **options,
) -> Anatomy:
    """The AHA division of masks on an image, one that shows nothing where there is none, straight or as it is posed."""
    shown = np.zeros(cavity.shape) if image is None else image
    matrix = np.diag([*spacing[::-1], 1.0]) if matrix is None else matrix
    stack = LgeStack(shown, matrix, Storage(), matrix, orientation_known=orientation_known)
    return divide(stack, cavity, myocardium, **options)
