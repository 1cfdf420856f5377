"""What lies around the phantom's heart in a short-axis slice: chest wall, lung, liver, stomach, spleen.

Signal levels are relative to air without noise = 0 and follow what short-axis LGE looks like ten minutes after
contrast: nulled muscle dark, blood grey, scar a little brighter, fat brightest. Levels and places are chosen by eye.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Field = NDArray[np.float32]
SIGNAL = {
    "blood": 660.0,
    "myocardium": 205.0,
    "scar": 880.0,
    "mvo": 230.0,
    "rv wall": 380.0,
    "fat": 1020.0,
    "muscle": 330.0,
    "lung": 70.0,
    "vessel": 760.0,
    "liver": 480.0,
    "spleen": 560.0,
    "stomach": 400.0,
    "fluid": -260.0,
}


def smooth_noise(shape: tuple[int, ...], sigma: tuple[float, ...], rng: np.random.Generator) -> Field:
    """Low-frequency texture of unit standard deviation."""
    noise = gaussian_filter(rng.standard_normal(shape, dtype=np.float32), sigma)
    return noise / noise.std()


def chest(x: Field, y: Field, z: Field, floor_mm: Field, pixel_mm: float, rng: np.random.Generator) -> Field:
    """Everything around the heart, at the final resolution with soft borders of one pixel.

    Parameters
    ----------
    x, y, z : arrays that broadcast to (slice, row, column), mm from the LV's axis
    floor_mm : array, shape (slice, 1, 1)
        How far the heart reaches down from the LV's axis: the diaphragm lies just below.

    Returns
    -------
    float32 array, shape (slice, row, column)
    """
    grid = np.broadcast_shapes(x.shape, y.shape, z.shape)
    image = np.zeros(grid, dtype=np.float32)
    wave = smooth_noise(grid, (0.7, 14.0, 14.0), rng)
    grain = smooth_noise(grid, (0.0, 1.3, 1.3), rng)

    def paint(inside_mm: Field, level: float | NDArray) -> None:
        cover = np.clip(inside_mm / pixel_mm + 0.5, 0.0, 1.0)
        image[:] += cover * (level - image)

    def blob(cx: float | Field, cy: float | Field, a: float, b: float, tilt: float, power: float = 2.0) -> Field:
        """Distance inside a tilted superellipse, roughly mm."""
        c, s = np.cos(np.deg2rad(tilt)), np.sin(np.deg2rad(tilt))
        u, v = (x - cx) * c + (y - cy) * s, -(x - cx) * s + (y - cy) * c
        form = (np.abs(u / a) ** power + np.abs(v / b) ** power) ** (1.0 / power)
        return ((1.0 - form) * min(a, b)).astype(np.float32)

    fat = SIGNAL["fat"] * (1.0 + 0.05 * wave + 0.04 * grain)
    trunk = blob(48.0, -26.0, 140.0, 172.0, -14.0, 2.3) + 4.0 * wave
    rind = rng.uniform(9.0, 15.0) * (1.0 + 0.5 * np.clip((y - x) / 150.0, -0.8, 1.2))
    paint(trunk, fat)
    paint(trunk - rind, SIGNAL["muscle"] * (1.0 + 0.10 * wave + 0.08 * grain))
    ribs = np.cos(np.arctan2(y + 26.0, x - 48.0) * 13.0 + 0.1 * z) * 4.0 - np.abs(trunk - rind - 9.0)
    paint(ribs, 620.0)
    inner = trunk - rind - 15.0 - 2.0 * wave
    paint(inner, fat)
    paint(inner - 2.0, SIGNAL["lung"] * (1.0 + 0.25 * wave) + 18.0 * grain)
    # Lung vessels: more and larger near the hilum, i.e. towards the base.
    count = rng.poisson(130.0, size=(grid[0],))
    for k in range(grid[0]):
        spots = np.zeros(grid[1:], dtype=np.float32)
        at = rng.integers(0, grid[1], (count[k], 2))
        spots[at[:, 0], at[:, 1]] = rng.gamma(1.6, 3.2, count[k])
        spots = gaussian_filter(spots, rng.uniform(0.7, 1.1)) * SIGNAL["vessel"]
        image[k] += np.where(inner[k] > 4.0, np.minimum(spots, SIGNAL["vessel"]), 0.0)
    # Fat and muscle in front of the heart, where the chest wall comes near.
    paint(np.minimum(inner, blob(-76.0, -14.0, 32.0, 62.0, 6.0) + 0.12 * z + 4.0 * wave), 0.9 * fat)
    # Fat between the heart and the diaphragm.
    paint(np.minimum(inner, np.minimum(-14.0 - y, 6.0 - x) + 3.0 * wave), 0.9 * fat)
    # Below the diaphragm, which rises towards the apex: liver in front, stomach and spleen behind.
    dome = -(floor_mm + 4.0) - y - 0.0016 * (x + 5.0) ** 2 - 0.10 * (x + 5.0) - 1.0 * wave
    belly = np.minimum(inner, dome)
    paint(belly, fat)
    paint(
        np.minimum(belly - 1.5, 42.0 - x + 0.45 * (y + 60.0) + 5.0 * wave),
        SIGNAL["liver"] * (1.0 + 0.04 * wave + 0.04 * grain),
    )
    gut = np.minimum(belly - 2.0, blob(58.0, -86.0 + 0.35 * z, 40.0, 24.0, -18.0, 2.3) + 3.0 * wave)
    paint(gut, SIGNAL["stomach"] * (1.0 + 0.1 * grain))
    paint(gut - 7.0 - 2.0 * grain, SIGNAL["fluid"] * (1.0 + 0.3 * wave))
    paint(
        np.minimum(belly - 2.0, blob(118.0, -72.0, 34.0, 20.0, -38.0) + 2.0 * wave),
        SIGNAL["spleen"] * (1.0 + 0.04 * grain),
    )
    paint(np.minimum(belly - 2.0, blob(50.0, -140.0, 26.0, 32.0, -20.0)), 760.0 * (1.0 + 0.15 * wave))
    return image
