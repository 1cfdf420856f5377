"""A made-up patient: a short-axis LGE stack with a known scar, and the ECG simulated from that scar.

Lengths are mm. In a slice x runs to the image right (lateral), y up (anterior), from the LV's axis; z runs from the
base (0, the last slice) to the apex. Signal levels are relative to noise-free air = 0 and follow what short-axis LGE
looks like ten minutes after contrast: nulled muscle dark, blood grey, scar a little brighter, fat brightest.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import SimpleITK as sitk
import wfdb
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ScarSegECGLib.case import CAVITY, LEADS, MYOCARDIUM, SCAR, Ecg, FloatArray, LabelArray, LgeStack, Storage
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.training.ecg_simulation.simulate import simulate_ecg

Field = NDArray[np.float32]
SIGNAL = {
    "blood": 660.0,
    "myocardium": 205.0,
    "scar": 770.0,
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
    "lad small": Infarct((140.0, 140.0), (28.0, 45.0), (34.0, 66.0), 0.45),
    "rca": Infarct((250.0, 265.0), (42.0, 50.0), (-8.0, 52.0), 0.8),
    "lcx": Infarct((325.0, 325.0), (45.0, 45.0), (-8.0, 46.0), 0.75),
}


@dataclass(frozen=True)
class PhantomPatient:
    """What :func:`phantom_patient` makes; all of it simulated.

    ``labels`` has the stack's shape: 0 background, 1 cavity (with the papillary muscles), 2 myocardium without scar,
    3 scar (MVO belongs to it). ``scar_segments`` is the scar fraction, 0..1, of every AHA segment 1..17.
    """

    stack: LgeStack
    labels: LabelArray
    scar_segments: dict[int, float]
    ecg: Ecg
    mri_date: datetime
    ecg_date: datetime


@dataclass(frozen=True)
class _Shape:
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
    def drawn(rng: np.random.Generator) -> _Shape:
        return _Shape(
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


def phantom_patient(
    seed: int = 0,
    *,
    infarct: str | Infarct = "lad",
    scarless: bool = False,
    contrast: Literal["magnitude", "psir"] = "magnitude",
    slices: int = 10,
    slice_mm: float = 8.0,
    size: int = 256,
    pixel_mm: float = 1.4,
    offset_mm: tuple[float, float] = (15.0, 8.0),
    noise: float = 60.0,
    mri_date: datetime = datetime(2024, 3, 14, 10, 30),
    gap_days: float = 3.0,
    conduction: str = "normal",
) -> PhantomPatient:
    """Make one patient; under 3 s.

    Parameters
    ----------
    seed : int
        The same seed gives the same patient.
    infarct : name of :data:`INFARCTS` or Infarct
    scarless : bool
        A normal heart of the same proportions.
    contrast : {"magnitude", "psir"}
        Magnitude has Rician noise; phase-sensitive images are signed and have Gaussian noise.
    slices, slice_mm, size, pixel_mm
        The grid, apex first; the defaults reach from the apical cap to the base.
    offset_mm : (lateral, anterior)
        LV axis from the image centre, mm.
    noise : float
        Standard deviation of the noise per channel; blood is at 660.
    mri_date, gap_days
        The ECG is taken ``gap_days`` after the MRI (negative: before it).
    conduction : str
        As in :func:`~ScarSegECGLib.training.ecg_simulation.simulate.simulate_beats`.

    Raises
    ------
    InputError
        If the infarct or the conduction has no such name.
    """
    rng = np.random.default_rng(seed)
    if isinstance(infarct, str):
        if infarct not in INFARCTS:
            raise InputError(f"There is no infarct {infarct!r}; choose one of {', '.join(INFARCTS)}.")
        infarct = INFARCTS[infarct]
    shape = _Shape.drawn(rng)
    z = np.arange(slices - 1, -1, -1, dtype=np.float32) * slice_mm
    pixels = (np.arange(size, dtype=np.float32) - (size - 1) / 2.0) * pixel_mm
    centre = np.array(offset_mm) + np.cumsum(rng.normal(0.0, 0.5, (slices, 2)), axis=0)
    x = pixels[None, None, :] - centre[:, 0, None, None].astype(np.float32)
    y = -pixels[None, :, None] - centre[:, 1, None, None].astype(np.float32)

    image = _body(x, y, z[:, None, None], shape, pixel_mm, rng)
    labels, segments = np.zeros(image.shape, dtype=np.uint8), np.zeros((2, 18))
    reach = 75.0
    for k in range(slices):
        rows = np.flatnonzero(np.abs(y[k, :, 0]) < reach)
        columns = np.flatnonzero(np.abs(x[k, 0]) < reach)
        window = np.ix_([k], rows, columns)
        heart, alpha, truth, parts = _heart(
            x[k, 0, columns], y[k, rows, 0], float(z[k]), slice_mm, pixel_mm, shape, infarct, scarless, seed
        )
        image[window] = image[window] * (1.0 - alpha) + heart
        labels[window] = truth
        segments += parts
    image = _acquire(image, noise, contrast, rng)

    fraction = np.divide(segments[1], segments[0], out=np.zeros(18), where=segments[0] > 0)[1:]
    matrix = _oblique(pixel_mm, slice_mm, size, centre[slices // 2])
    ecg_date = mri_date + timedelta(days=gap_days)
    stack = LgeStack(
        voxels=image,
        ijk_to_ras=matrix,
        storage=Storage(),
        stored_ijk_to_ras=matrix,
        acquired=mri_date,
        contrast=contrast,
        notes=("Phantom: a made-up image, not acquired from a person.",),
    )
    ecg = simulate_ecg(fraction, conduction=conduction, rng=np.random.default_rng([seed, 1]), acquired=ecg_date)
    scar = {number: float(fraction[number - 1]) for number in range(1, 18)}
    return PhantomPatient(stack, labels, scar, ecg, mri_date, ecg_date)


def _heart(
    x: Field, y: Field, z: float, slice_mm: float, pixel_mm: float, shape: _Shape, infarct: Infarct, scarless: bool, seed: int
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
    patchy = 1.0 + sum(detail.normal(0.0, 0.3) * np.cos(n * own + detail.uniform(0.0, 6.28)) for n in (3, 5, 8, 13))
    coat = 0.4 + shape.fat * np.clip(side * patchy - 0.15, 0.0, 1.6) * (0.6 + 0.6 * zf / EPI_LENGTH)
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


def _rv_edge(x: Field, y: Field, z: Field, shape: _Shape) -> Field:
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
    """How deep scar reaches into the wall from the endocardium, 0..1, by direction and height; ragged at its borders."""
    share = np.clip(z / CAVITY_LENGTH, 0.0, 1.0)
    centre = infarct.centre_deg[0] + share * (infarct.centre_deg[1] - infarct.centre_deg[0])
    width = infarct.half_width_deg[0] + share * (infarct.half_width_deg[1] - infarct.half_width_deg[0])
    off = np.abs((np.rad2deg(theta) - centre + 180.0) % 360.0 - 180.0) / width
    middle, half = sum(infarct.z) / 2.0, (infarct.z[1] - infarct.z[0]) / 2.0
    ragged = np.zeros_like(off)
    for order in (2, 3, 5, 7, 11):
        ragged += rng.normal(0.0, 0.45 / order) * np.cos(order * theta + rng.uniform(0, 6.28) + z * rng.normal(0.0, 0.06))
    inside = 1.0 - (off + 0.35 * ragged) ** 4 - (np.abs(z - middle) / half) ** 4
    return infarct.depth * np.sqrt(np.clip(inside, 0.0, 1.0)) * (1.0 + 0.25 * ragged) * (off < 1.3)


def _papillary(x: Field, y: Field, z: Field, endo: Field, shape: _Shape, rng: np.random.Generator) -> NDArray[np.bool_]:
    """The two papillary muscles, and trabeculae on the free wall."""
    found = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape), dtype=np.bool_)
    for direction, size, inset in ((48.0, 4.0, 0.78), (296.0, 3.8, 0.76), (75.0, 2.2, 0.92), (322.0, 2.4, 0.9), (20.0, 1.8, 0.95)):
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


def _smooth_noise(shape: tuple[int, ...], sigma: tuple[float, ...], rng: np.random.Generator) -> Field:
    """Low-frequency texture of unit standard deviation."""
    noise = gaussian_filter(rng.standard_normal(shape, dtype=np.float32), sigma)
    return noise / noise.std()


def _body(x: Field, y: Field, z: Field, shape: _Shape, pixel_mm: float, rng: np.random.Generator) -> Field:
    """Everything around the heart, at the final resolution with soft borders of one pixel."""
    grid = np.broadcast_shapes(x.shape, y.shape, z.shape)
    image = np.zeros(grid, dtype=np.float32)
    wave = _smooth_noise(grid, (0.7, 14.0, 14.0), rng)
    grain = _smooth_noise(grid, (0.0, 1.3, 1.3), rng)

    def paint(inside_mm: Field, level: float | Field) -> None:
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
    chest = trunk - rind - 15.0 - 2.0 * wave
    paint(chest, fat)
    paint(chest - 2.0, SIGNAL["lung"] * (1.0 + 0.25 * wave) + 18.0 * grain)
    # Lung vessels: more and larger near the hilum, i.e. towards the base.
    count = rng.poisson(130, grid[0])
    for k in range(grid[0]):
        spots = np.zeros(grid[1:], dtype=np.float32)
        at = rng.integers(0, grid[1], (count[k], 2))
        spots[at[:, 0], at[:, 1]] = rng.gamma(1.6, 3.2, count[k])
        spots = gaussian_filter(spots, rng.uniform(0.7, 1.1)) * SIGNAL["vessel"]
        image[k] += np.where(chest[k] > 4.0, np.minimum(spots, SIGNAL["vessel"]), 0.0)
    # Fat and muscle in front of the heart, where the chest wall comes near.
    paint(np.minimum(chest, blob(-76.0, -14.0, 26.0 + 0.2 * z, 62.0, 6.0) + 4.0 * wave), 0.9 * fat)
    # Below the diaphragm, which rises towards the apex: liver in front, stomach and spleen behind.
    epi = shape.epi(np.full((1, 1, 1), -np.pi / 2.0, dtype=np.float32), z)
    dome = -(0.97 * epi + 4.0) - y - 0.0016 * (x + 5.0) ** 2 - 0.10 * (x + 5.0) - 1.0 * wave
    belly = np.minimum(chest, dome)
    paint(belly, fat)
    paint(np.minimum(belly - 1.5, 42.0 - x + 0.45 * (y + 60.0) + 5.0 * wave), SIGNAL["liver"] * (1.0 + 0.04 * wave + 0.04 * grain))
    gut = np.minimum(belly - 2.0, blob(58.0, -86.0 + 0.35 * z, 40.0, 24.0, -18.0, 2.3) + 3.0 * wave)
    paint(gut, SIGNAL["stomach"] * (1.0 + 0.1 * grain))
    paint(gut - 7.0 - 2.0 * grain, SIGNAL["fluid"] * (1.0 + 0.3 * wave))
    paint(np.minimum(belly - 2.0, blob(118.0, -72.0, 34.0, 20.0, -38.0) + 2.0 * wave), SIGNAL["spleen"] * (1.0 + 0.04 * grain))
    paint(np.minimum(belly - 2.0, blob(50.0, -140.0, 26.0, 32.0, -20.0)), 760.0 * (1.0 + 0.15 * wave))
    return image


def _acquire(image: Field, noise: float, contrast: str, rng: np.random.Generator) -> FloatArray:
    """Coil bias, the k-space window that blurs and rings a little, and the noise of each channel.

    Magnitude: Rician, as both channels carry noise. PSIR: the real part alone, signed.
    """
    slices, rows, columns = image.shape
    row = np.linspace(-1.0, 1.0, rows, dtype=np.float32)[None, :, None]
    column = np.linspace(-1.0, 1.0, columns, dtype=np.float32)[None, None, :]
    near = rng.uniform([-0.9, -0.3], [-0.5, 0.4])
    bias = 0.8 + 0.45 * np.exp(-((column - near[0]) ** 2 + (row - near[1]) ** 2) / 0.9)
    image = image * (1.0 + 0.05 * _smooth_noise(image.shape, (0.0, 1.3, 1.3), rng))  # tissue is not flat
    channels = rng.standard_normal((2, *image.shape), dtype=np.float32) * np.float32(noise)
    signal = image * bias + channels[0] + 1j * channels[1]
    fy, fx = np.fft.fftfreq(rows)[:, None] / 0.5, np.fft.fftfreq(columns)[None, :] / 0.5
    # About three quarters of k-space are acquired, with a soft edge: 1.7 mm shown on 1.4 mm pixels.
    window = np.clip((0.85 - np.abs(fx)) / 0.25, 0.0, 1.0) * np.clip((0.75 - np.abs(fy)) / 0.25, 0.0, 1.0)
    signal = np.fft.ifft2(np.fft.fft2(signal) * window)
    return (np.abs(signal) if contrast == "magnitude" else signal.real).astype(np.float32)


def _oblique(pixel_mm: float, slice_mm: float, size: int, centre: NDArray) -> NDArray[np.float64]:
    """``ijk_to_ras`` of a usual short axis: LV axis to the left, front and below; its middle at (-35, 35, 0) RAS."""
    apex = np.array([-0.62, 0.60, -0.50])
    apex /= np.linalg.norm(apex)
    anterior = np.array([0.0, 0.0, 1.0]) - apex[2] * apex
    anterior /= np.linalg.norm(anterior)
    lateral = np.cross(anterior, apex)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([lateral * pixel_mm, -anterior * pixel_mm, -apex * slice_mm], axis=1)
    middle = np.array([(size - 1) / 2.0 + centre[0] / pixel_mm, (size - 1) / 2.0 - centre[1] / pixel_mm, 36.0 / slice_mm])
    matrix[:3, 3] = np.array([-35.0, 35.0, 0.0]) - matrix[:3, :3] @ middle
    return matrix


def write_phantom(folder: Path, patient: PhantomPatient) -> dict[str, Path]:
    """Write the patient's files and return their paths.

    ``"lge"``: NIfTI, int16. ``"ecg"``: WFDB header (its ``.dat`` lies beside it), mV, with date and time.
    ``"labels"``: the truth, NIfTI, uint8. ``"truth"``: JSON with scar per segment and both dates.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = {
        "lge": folder / "lge.nii.gz",
        "ecg": folder / "ecg.hea",
        "labels": folder / "truth_labels.nii.gz",
        "truth": folder / "truth.json",
    }
    intensities = np.clip(np.rint(patient.stack.voxels), -32768, 32767).astype(np.int16)
    for name, voxels in (("lge", intensities), ("labels", patient.labels)):
        sitk.WriteImage(_itk(voxels, patient.stack.ijk_to_ras), str(paths[name]), useCompression=True)
    wfdb.wrsamp(
        "ecg",
        fs=patient.ecg.rate,
        units=["mV"] * 12,
        sig_name=list(LEADS),
        p_signal=patient.ecg.millivolts.T.astype(np.float64),
        fmt=["16"] * 12,
        adc_gain=[1000.0] * 12,
        baseline=[0] * 12,
        comments=["Simulated ECG, not recorded from a person"],
        base_time=patient.ecg_date.time(),
        base_date=patient.ecg_date.date(),
        write_dir=str(folder),
    )
    scar_ml = float((patient.labels == SCAR).sum() * patient.stack.voxel_ml)
    truth = {
        "what": "Phantom: image and ECG are simulated from the scar given here.",
        "mri_date": patient.mri_date.isoformat(),
        "ecg_date": patient.ecg_date.isoformat(),
        "scar_ml": round(scar_ml, 3),
        "myocardium_ml": round(float((patient.labels >= MYOCARDIUM).sum() * patient.stack.voxel_ml), 3),
        "cavity_ml": round(float((patient.labels == CAVITY).sum() * patient.stack.voxel_ml), 3),
        "scar_fraction_of_segment": {str(k): round(v, 4) for k, v in patient.scar_segments.items()},
    }
    paths["truth"].write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    return paths


def _itk(voxels: NDArray, ijk_to_ras: NDArray) -> sitk.Image:
    """A SimpleITK image (LPS) of a canonical array and its RAS matrix."""
    image = sitk.GetImageFromArray(voxels)
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ ijk_to_ras
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    return image
