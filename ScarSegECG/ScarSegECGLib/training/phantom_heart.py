"""The phantom's heart: both ventricles, epicardial fat, papillary muscles and a scar of known place.

Lengths are mm. In a slice x runs to the image right (lateral), y up (anterior), from the LV's axis; z runs from the
base (0, the last slice) to the apex. Angles are the bullseye's, 0 lateral and 90 anterior.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import CAVITY, MYOCARDIUM, SCAR, LabelArray
from ScarSegECGLib.training.phantom_chest import SIGNAL, Field

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

    @staticmethod
    def drawn(rng: np.random.Generator) -> HeartShape:
        return HeartShape(
            radius=rng.uniform(22.0, 26.0),
            wall=rng.uniform(9.0, 10.5),
            oval=rng.uniform(0.02, 0.06),
            oval_deg=rng.uniform(0.0, 180.0),
            lobe=rng.uniform(0.0, 0.025),
            lobe_deg=rng.uniform(0.0, 120.0),
            roll_deg=rng.uniform(-8.0, 8.0),
            rv_width=rng.uniform(27.0, 35.0),
            fat=rng.uniform(3.0, 6.0),
        )

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
    x: Field,
    y: Field,
    z: float,
    slice_mm: float,
    pixel_mm: float,
    shape: HeartShape,
    infarct: Infarct,
    scarless: bool,
    seed: int,
) -> tuple[Field, Field, LabelArray, NDArray[np.float64]]:
    """The heart in one slice: signal times cover, cover, truth labels, and [wall, scar] volume per AHA segment.

    Rendered on a grid finer by SUB_PIXELS in plane and SUB_SLICES through the slice, then averaged: partial volume.
    """
    fine = (np.arange(SUB_PIXELS) - (SUB_PIXELS - 1) / 2.0) * pixel_mm / SUB_PIXELS
    xf = (x[:, None] + fine).ravel()[None, None, :].astype(np.float32)
    yf = (y[:, None] - fine).ravel()[None, :, None].astype(np.float32)
    depth = (np.arange(SUB_SLICES) - (SUB_SLICES - 1) / 2.0) * slice_mm / SUB_SLICES
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
    detail = np.random.default_rng([seed, 2])
    patchy = 1.0 + sum(detail.normal(0.0, 0.25) * np.cos(n * own + detail.uniform(0.0, 6.28)) for n in (2, 3, 5))
    coat = 0.9 + shape.fat * np.clip(side * patchy - 0.15, 0.0, 1.6) * (0.6 + 0.6 * zf / EPI_LENGTH)
    fat = (rim <= 0.0) & (rim > -coat)
    scar = np.zeros_like(wall)
    mvo = scar
    across = np.clip((radius - endo) / np.maximum(epi - endo, 1e-3), 0.0, 1.0)
    across = np.where(zf > CAVITY_LENGTH, np.clip((zf - CAVITY_LENGTH) / (EPI_LENGTH - CAVITY_LENGTH), 0, 1), across)
    if not scarless:
        deep = _transmurality(own, zf, infarct, detail)
        scar = wall & (across < deep)
        if infarct.mvo:
            mvo = scar & (deep > 0.85) & (across > 0.12) & (across < 0.6) & (zf > 30.0) & (zf < 64.0)

    parts: list[tuple[NDArray[np.bool_], float]] = [(fat, SIGNAL["fat"]), (rv, SIGNAL["blood"])]
    parts += [(rv & (rv_edge < 3.2), SIGNAL["rv wall"]), (rv & _trabeculae(xf, yf, zf, detail), 420.0)]
    parts += [(wall, SIGNAL["myocardium"]), (scar, SIGNAL["scar"]), (mvo, SIGNAL["mvo"]), (cavity, SIGNAL["blood"])]
    parts += [(cavity & _papillary(xf, yf, zf, endo, shape, detail), 300.0)]
    signal = np.zeros(np.broadcast_shapes(radius.shape, zf.shape), dtype=np.float32)
    for mask, level in parts:
        signal[np.broadcast_to(mask, signal.shape)] = level
    cover = fat | rv | lv

    label = np.where(cavity, CAVITY, np.where(scar, SCAR, np.where(wall, MYOCARDIUM, 0)))
    shares = np.stack([_average((label == value).astype(np.float32)) for value in range(4)])
    truth = shares.argmax(axis=0).astype(np.uint8)
    # Myocardium and scar together against the rest first, then which of the two.
    muscle = shares[2] + shares[3] > np.maximum(shares[0], shares[1])
    truth = np.where(muscle, np.where(shares[3] > shares[2], SCAR, MYOCARDIUM), np.where(truth > 1, 0, truth))
    angle = np.rad2deg(np.arctan2(y[:, None], x[None, :])) - shape.roll_deg
    number = _aha(angle, z)
    counts = np.array([np.bincount(number[truth >= 2], minlength=18), np.bincount(number[truth == SCAR], minlength=18)])
    return _average(signal * cover), _average(cover.astype(np.float32)), truth.astype(np.uint8), counts


def _average(fine: Field) -> Field:
    """Mean over sub-slices and sub-pixels."""
    rows, columns = fine.shape[1] // SUB_PIXELS, fine.shape[2] // SUB_PIXELS
    return fine.reshape(-1, rows, SUB_PIXELS, columns, SUB_PIXELS).mean(axis=(0, 2, 4))


def _aha(angle_deg: NDArray, z: float) -> NDArray[np.int64]:
    """AHA segment of a direction at a height: thirds of the cavity, 17 beyond it (DESIGN section 4)."""
    if z >= CAVITY_LENGTH:
        return np.full(angle_deg.shape, 17)
    if z >= CAVITY_LENGTH * 2.0 / 3.0:
        return 13 + ((angle_deg - 45.0) % 360.0 // 90.0).astype(np.int64)
    return 1 + ((angle_deg - 60.0) % 360.0 // 60.0).astype(np.int64) + (6 if z >= CAVITY_LENGTH / 3.0 else 0)


def _rv_edge(x: Field, y: Field, z: Field, shape: HeartShape) -> Field:
    """Distance inside the RV's outer outline, mm.

    A rounded box through both insertions, pulled up towards the
    outflow tract at the base and down onto the diaphragm from the middle on.
    """
    roll = np.deg2rad(shape.roll_deg)
    u, v = x * np.cos(roll) + y * np.sin(roll), -x * np.sin(roll) + y * np.cos(roll)
    epi = shape.epi(np.full((1, 1, 1), np.pi, dtype=np.float32), z)
    width = shape.rv_width * np.clip(1.0 - (z / 66.0) ** 2.5, 0.0, 1.0)
    v = v - np.clip(0.34 - 0.022 * z, -0.30, 0.34) * np.maximum(0.0, -0.5 * epi - u)
    semi = 0.35 * epi + width
    centre = -0.65 * epi
    half = 0.866 * epi / np.maximum(0.05, 1.0 - (0.15 * epi / semi) ** 2.5) ** 0.4
    form = ((np.abs(u - centre) / semi) ** 2.5 + (np.abs(v) / half) ** 2.5) ** 0.4
    return np.where(width > 2.0, (1.0 - form) * np.minimum(semi, half), -100.0).astype(np.float32)


def _transmurality(theta: Field, z: Field, infarct: Infarct, rng: np.random.Generator) -> Field:
    """How deep scar reaches into the wall from the endocardium, 0..1, by direction and height, ragged at the border."""
    share = np.clip(z / CAVITY_LENGTH, 0.0, 1.0)
    centre = infarct.centre_deg[0] + share * (infarct.centre_deg[1] - infarct.centre_deg[0])
    width = infarct.half_width_deg[0] + share * (infarct.half_width_deg[1] - infarct.half_width_deg[0])
    off = np.abs((np.rad2deg(theta) - centre + 180.0) % 360.0 - 180.0) / width
    middle, half = sum(infarct.z) / 2.0, (infarct.z[1] - infarct.z[0]) / 2.0
    ragged = np.zeros_like(off)
    for order in (2, 3, 5, 7, 11):
        ragged += rng.normal(0.0, 0.45 / order) * np.cos(
            order * theta + rng.uniform(0, 6.28) + z * rng.normal(0.0, 0.06)
        )
    inside = 1.0 - (off + 0.35 * ragged) ** 4 - (np.abs(z - middle) / half) ** 4
    return infarct.depth * np.sqrt(np.clip(inside, 0.0, 1.0)) * (1.0 + 0.25 * ragged) * (off < 1.3)


def _papillary(
    x: Field, y: Field, z: Field, endo: Field, shape: HeartShape, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """The two papillary muscles, and trabeculae on the free wall."""
    found = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape), dtype=np.bool_)
    for direction, size, inset in (
        (48.0, 4.0, 0.78),
        (296.0, 3.8, 0.76),
        (75.0, 2.2, 0.92),
        (322.0, 2.4, 0.9),
        (20.0, 1.8, 0.95),
    ):
        turn = np.deg2rad(direction + shape.roll_deg + rng.normal(0.0, 5.0))
        middle = rng.uniform(32.0, 40.0)
        r = size * np.sqrt(np.clip(1.0 - ((z - middle) / 26.0) ** 2, 0.0, 1.0))
        reach = inset * endo.max(axis=(1, 2), keepdims=True)
        px, py = reach * np.cos(turn), reach * np.sin(turn)
        along = (x - px) * np.cos(turn) + (y - py) * np.sin(turn)
        side = -(x - px) * np.sin(turn) + (y - py) * np.cos(turn)
        found |= (along / 1.25) ** 2 + side**2 < r**2
    return found


def _trabeculae(x: Field, y: Field, z: Field, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Fine muscle bands in the RV, thicker towards the apex."""
    wave = np.zeros(np.broadcast_shapes(x.shape, y.shape), dtype=np.float32)
    for _ in range(6):
        k = rng.normal(0.0, 0.45, 2)
        wave = wave + np.cos(k[0] * x + k[1] * y + rng.uniform(0.0, 6.28))
    return wave > 4.0 - z / 40.0
