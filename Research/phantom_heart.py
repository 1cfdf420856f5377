"""The phantom's heart: both ventricles, epicardial fat, papillary muscles and a scar of known place.

Lengths are mm. In a slice x runs to the image right (lateral), y up (anterior), from the LV's axis; z runs from the
base (0, the last slice) to the apex. Angles are the bullseye's, 0 lateral and 90 anterior.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import CAVITY, MYOCARDIUM, SCAR, LabelArray
from ScarSegECGLib.training.ecg_simulation.heart import aha_segment

Field = NDArray[np.float32]
# Relative to air without noise = 0, as short-axis LGE looks ten minutes after contrast: nulled muscle dark, blood grey,
# scar a little brighter, fat brightest. Levels and places are chosen by eye.
SIGNAL = {"blood": 660.0, "myocardium": 205.0, "scar": 880.0, "mvo": 230.0, "rv wall": 380.0, "trabeculae": 420.0}
SIGNAL |= {"papillary muscle": 300.0, "fat": 1020.0, "muscle": 330.0, "rib": 620.0, "lung": 70.0, "vessel": 760.0}
SIGNAL |= {"liver": 480.0, "spleen": 560.0, "stomach": 400.0, "fluid": -260.0}
CAVITY_LENGTH, EPI_LENGTH = 69.0, 76.0
SUB_PIXELS, SUB_SLICES = 3, 3


@dataclass(frozen=True)
class Infarct:
    """Where a scar lies: direction and half width (degrees, bullseye frame) at base and apex, range along z, depth.

    ``depth`` is the greatest transmurality, 0..1. ``z`` is from the base, mm. ``mvo`` puts a dark core into it.
    """

    centre_deg: tuple[float, float]
    half_width_deg: tuple[float, float]
    z: tuple[float, float]
    depth: float
    mvo: bool = False


# Usual territories (AHA-17): LAD mid and apical anterior and anteroseptal, RCA inferior, LCX inferolateral.
INFARCTS = {
    "lad": Infarct((115.0, 125.0), (42.0, 95.0), (26.0, 80.0), 0.85),
    "lad mvo": Infarct((115.0, 130.0), (50.0, 110.0), (20.0, 80.0), 1.05, mvo=True),
    "lad small": Infarct((140.0, 140.0), (28.0, 45.0), (34.0, 66.0), 0.55),
    "rca": Infarct((250.0, 265.0), (42.0, 50.0), (-8.0, 52.0), 0.8),
    "lcx": Infarct((325.0, 325.0), (45.0, 45.0), (-8.0, 46.0), 0.75),
}
# Direction, radius and share of the endocardial radius: the two papillary muscles, and trabeculae on the free wall.
BUNDLES = ((48.0, 4.0, 0.78), (296.0, 3.8, 0.76), (75.0, 2.2, 0.92), (322.0, 2.4, 0.9), (20.0, 1.8, 0.95))


@dataclass(frozen=True)
class HeartShape:
    """One person's proportions."""

    radius: float
    wall: float
    oval: float
    oval_deg: float
    lobe: float
    lobe_deg: float
    roll_deg: float
    rv_width: float
    fat: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> HeartShape:
        """Another person every time."""
        low = (22.0, 9.0, 0.02, 0.0, 0.0, 0.0, -8.0, 27.0, 3.0)
        high = (26.0, 10.5, 0.06, 180.0, 0.025, 120.0, 8.0, 35.0, 6.0)
        return cls(*(rng.uniform(*limits) for limits in zip(low, high, strict=True)))

    def endo(self, theta: Field, z: Field) -> Field:
        """Endocardial radius, 0 beyond the cavity's end."""
        return self.radius * _taper(z, CAVITY_LENGTH) * self._outline(theta)

    def epi(self, theta: Field, z: Field) -> Field:
        """Epicardial radius; the wall thins from the base to four fifths before the apex."""
        wall = self.wall * (1.0 - 0.2 * np.clip(z / CAVITY_LENGTH, 0.0, 1.0)) * (1.0 + 0.06 * np.cos(theta - np.pi))
        outer = (self.radius + wall) * _taper(z, EPI_LENGTH) * self._outline(theta)
        inner = self.endo(theta, z)
        return np.where(inner > 0.0, np.maximum(outer, inner + 0.85 * wall), outer)

    def _outline(self, theta: Field) -> Field:
        oval = self.oval * np.cos(2.0 * (theta - np.deg2rad(self.oval_deg)))
        return 1.0 + oval + self.lobe * np.cos(3.0 * (theta - np.deg2rad(self.lobe_deg)))


def _taper(z: Field, length: float) -> Field:
    """1 at the base, 0 from ``length`` on; rounder than an ellipse near the base."""
    return np.sqrt(np.clip(1.0 - np.clip(z / length, 0.0, 1.0) ** 2.3, 0.0, 1.0)).astype(np.float32)


def heart_slice(
    x: Field, y: Field, z: float, step_mm: tuple[float, float], shape: HeartShape, infarct: Infarct | None, seed: int
) -> tuple[Field, Field, LabelArray, NDArray[np.float64]]:
    """The heart in one slice: signal times cover, cover, truth labels, and [wall, scar] volume per AHA segment.

    Rendered on a grid finer by SUB_PIXELS in plane and SUB_SLICES through the slice, then averaged: partial volume.
    ``step_mm`` is the distance of slices and of pixels.
    """
    fine = (np.arange(SUB_PIXELS) - (SUB_PIXELS - 1) / 2.0) * step_mm[1] / SUB_PIXELS
    xf = (x[:, None] + fine).ravel()[None, None, :].astype(np.float32)
    yf = (y[:, None] - fine).ravel()[None, :, None].astype(np.float32)
    depth = (np.arange(SUB_SLICES) - (SUB_SLICES - 1) / 2.0) * step_mm[0] / SUB_SLICES
    zf = np.maximum(0.0, z + depth).astype(np.float32)[:, None, None]
    radius, theta = np.hypot(xf, yf), np.arctan2(yf, xf)
    own = theta - np.float32(np.deg2rad(shape.roll_deg))  # the heart's own bullseye angle
    endo, epi = shape.endo(theta, zf), shape.epi(theta, zf)
    cavity, lv = radius < endo, radius < epi
    wall = lv & ~cavity
    rv_edge = _rv_edge(xf, yf, zf, shape)
    rv = (rv_edge > 0.0) & ~lv

    rim = np.maximum(epi - radius, rv_edge)  # mm inside the heart's outline, negative outside
    side = 0.2 + 0.7 * np.cos(own - np.deg2rad(115.0)) ** 3 + 0.6 * np.cos(own - np.deg2rad(228.0)) ** 7
    rng = np.random.default_rng([seed, 2])
    patchy = 1.0 + sum(rng.normal(0.0, 0.25) * np.cos(n * own + rng.uniform(0.0, 6.28)) for n in (2, 3, 5))
    coat = 0.9 + shape.fat * np.clip(side * patchy - 0.15, 0.0, 1.6) * (0.6 + 0.6 * zf / EPI_LENGTH)
    fat = (rim <= 0.0) & (rim > -coat)
    scar = mvo = np.zeros_like(wall)
    if infarct is not None:
        across = np.clip((radius - endo) / np.maximum(epi - endo, 1e-3), 0.0, 1.0)
        cap = np.clip((zf - CAVITY_LENGTH) / (EPI_LENGTH - CAVITY_LENGTH), 0, 1)
        across = np.where(zf > CAVITY_LENGTH, cap, across)
        deep = _transmurality(own, zf, infarct, rng)
        scar = wall & (across < deep)
        if infarct.mvo:
            mvo = scar & (deep > 0.85) & (across > 0.12) & (across < 0.6) & (zf > 30.0) & (zf < 64.0)

    signal = np.zeros(np.broadcast_shapes(radius.shape, zf.shape), dtype=np.float32)
    for mask, tissue in (
        (fat, "fat"),
        (rv, "blood"),
        (rv & (rv_edge < 3.2), "rv wall"),
        (rv & _trabeculae(xf, yf, zf, rng), "trabeculae"),
        (wall, "myocardium"),
        (scar, "scar"),
        (mvo, "mvo"),
        (cavity, "blood"),
        (cavity & _papillary(xf, yf, zf, endo, shape, rng), "papillary muscle"),
    ):
        signal[np.broadcast_to(mask, signal.shape)] = SIGNAL[tissue]
    cover = fat | rv | lv

    label = np.where(cavity, CAVITY, np.where(scar, SCAR, np.where(wall, MYOCARDIUM, 0)))
    shares = np.stack([_average((label == value).astype(np.float32)) for value in range(4)])
    # Myocardium and scar together against the rest first, then which of the two.
    muscle = shares[2] + shares[3] > np.maximum(shares[0], shares[1])
    blood = (shares.argmax(axis=0) == CAVITY) & ~muscle
    truth = np.select([blood, muscle & (shares[3] > shares[2]), muscle], [CAVITY, SCAR, MYOCARDIUM], 0)
    angle = np.rad2deg(np.arctan2(y[:, None], x[None, :])) - shape.roll_deg
    number = aha_segment(min(3, int(3.0 * z / CAVITY_LENGTH)), angle)
    counts = [np.bincount(number[truth >= label], minlength=18) for label in (MYOCARDIUM, SCAR)]
    return _average(signal * cover), _average(cover.astype(np.float32)), truth.astype(np.uint8), np.array(counts)


def _average(fine: Field) -> Field:
    """Mean over sub-slices and sub-pixels."""
    rows, columns = fine.shape[1] // SUB_PIXELS, fine.shape[2] // SUB_PIXELS
    return fine.reshape(-1, rows, SUB_PIXELS, columns, SUB_PIXELS).mean(axis=(0, 2, 4))


def _rv_edge(x: Field, y: Field, z: Field, shape: HeartShape) -> Field:
    """Distance inside the RV's outer outline, mm: a rounded box through both insertions.

    It is pulled up towards the outflow tract at the base and down onto the diaphragm from the middle on.
    """
    roll = np.deg2rad(shape.roll_deg)
    u, v = x * np.cos(roll) + y * np.sin(roll), -x * np.sin(roll) + y * np.cos(roll)
    epi = shape.epi(np.full((1, 1, 1), np.pi, dtype=np.float32), z)
    width = shape.rv_width * np.clip(1.0 - (z / 66.0) ** 2.5, 0.0, 1.0)
    v = v - np.clip(0.34 - 0.022 * z, -0.30, 0.34) * np.maximum(0.0, -0.5 * epi - u)
    semi = 0.35 * epi + width
    half = 0.866 * epi / np.maximum(0.05, 1.0 - (0.15 * epi / semi) ** 2.5) ** 0.4
    form = ((np.abs(u + 0.65 * epi) / semi) ** 2.5 + (np.abs(v) / half) ** 2.5) ** 0.4
    return np.where(width > 2.0, (1.0 - form) * np.minimum(semi, half), -100.0).astype(np.float32)


def _transmurality(theta: Field, z: Field, infarct: Infarct, rng: np.random.Generator) -> Field:
    """How deep scar reaches into the wall from the endocardium, 0..1, by direction and height, ragged at the border."""
    share = np.clip(z / CAVITY_LENGTH, 0.0, 1.0)
    centre, width = (base + share * (apex - base) for base, apex in (infarct.centre_deg, infarct.half_width_deg))
    off = np.abs((np.rad2deg(theta) - centre + 180.0) % 360.0 - 180.0) / width
    middle, half = sum(infarct.z) / 2.0, (infarct.z[1] - infarct.z[0]) / 2.0
    ragged = np.zeros_like(off)
    for order in (2, 3, 5, 7, 11):
        size, phase = rng.normal(0.0, 0.45 / order), rng.uniform(0, 6.28)
        ragged += size * np.cos(order * theta + phase + z * rng.normal(0.0, 0.06))
    inside = 1.0 - (off + 0.35 * ragged) ** 4 - (np.abs(z - middle) / half) ** 4
    return infarct.depth * np.sqrt(np.clip(inside, 0.0, 1.0)) * (1.0 + 0.25 * ragged) * (off < 1.3)


def _papillary(
    x: Field, y: Field, z: Field, endo: Field, shape: HeartShape, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Bundles of muscle in the cavity; see BUNDLES."""
    found = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape), dtype=np.bool_)
    for direction, size, inset in BUNDLES:
        turn = np.deg2rad(direction + shape.roll_deg + rng.normal(0.0, 5.0))
        middle = rng.uniform(32.0, 40.0)
        r = size * np.sqrt(np.clip(1.0 - ((z - middle) / 26.0) ** 2, 0.0, 1.0))
        reach = inset * endo.max(axis=(1, 2), keepdims=True)
        dx, dy = x - reach * np.cos(turn), y - reach * np.sin(turn)
        along, side = dx * np.cos(turn) + dy * np.sin(turn), -dx * np.sin(turn) + dy * np.cos(turn)
        found |= (along / 1.25) ** 2 + side**2 < r**2
    return found


def _trabeculae(x: Field, y: Field, z: Field, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Fine muscle bands in the RV, thicker towards the apex."""
    wave = np.zeros(np.broadcast_shapes(x.shape, y.shape), dtype=np.float32)
    for _ in range(6):
        k = rng.normal(0.0, 0.45, 2)
        wave = wave + np.cos(k[0] * x + k[1] * y + rng.uniform(0.0, 6.28))
    return wave > 4.0 - z / 40.0
