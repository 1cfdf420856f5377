"""Analytic walls for the tests of the measures: everything about them is known on paper."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Phantom:
    """A left ventricle with a scar; masks are true where the voxel's centre lies inside."""

    cavity: NDArray[np.bool_]
    myocardium: NDArray[np.bool_]
    scar: NDArray[np.bool_]
    aha: NDArray[np.uint8]
    spacing: tuple[float, float, float]


def annulus(
    pixel: float = 1.4,
    slices: int = 4,
    inner: float = 22.0,
    outer: float = 33.0,
    start_deg: float = 60.0,
    stop_deg: float = 120.0,
    depth: tuple[float, float] = (0.0, 0.5),
    centre: tuple[float, float] = (0.31, -0.23),
    shift: float = 0.0,
) -> Phantom:
    """A ring with scar in a sector, between two relative depths; bullseye angles (0 right, 90 up).

    ``centre`` moves the ring off the grid by fractions of a pixel; ``shift`` moves the cavity sideways by so many mm,
    which makes the wall eccentric (``depth`` then refers to the concentric wall and only 0..1 is exact).
    """
    size = int(2 * (outer + 6) / pixel) // 2 * 2 + 1
    axis = (np.arange(size) - size // 2) * pixel
    y, x = np.meshgrid(-(axis - centre[0] * pixel), axis - centre[1] * pixel, indexing="ij")
    radius, to_inner = np.hypot(x, y), np.hypot(x - shift, y)
    angle = np.degrees(np.arctan2(y, x)) % 360
    cavity = to_inner < inner
    wall = (radius < outer) & ~cavity
    relative = (radius - inner) / (outer - inner)
    sector = (angle - start_deg) % 360 < (stop_deg - start_deg)
    scar = wall & sector & (relative >= depth[0] if depth[0] > 0 else True) & (relative < depth[1])
    bounds = np.array([60, 120, 180, 240, 300, 360])
    aha = np.array([6, 1, 2, 3, 4, 5])[np.minimum(np.searchsorted(bounds, angle, side="right"), 5)]
    stack = [np.repeat(a[None], slices, axis=0) for a in (cavity, wall, scar, np.where(wall, aha, 0).astype(np.uint8))]
    return Phantom(stack[0], stack[1], stack[2], stack[3], (8.0, pixel, pixel))
