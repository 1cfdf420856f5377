"""Images as clinics see them: little contrast, noise, blur, breathing, a slice that is missing.

The strengths are chosen, by eye, such that the pictures are poor but can still be read; they were not changed after the
ECG had been tried on them, and are the same for every row of a table. They stay real images whose quality was taken
away. One seed gives one degraded stack.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ScarSegECGLib.case import LgeStack
from ScarSegECGLib.facts import Fact, LgeNote

# Each strength is drawn evenly from its range, once per stack.
CONTRAST = (0.5, 0.8)  # what is left of the range about the heart's mean: inversion time off the null point
# S.d. of the noise over the range (5th to 95th percentile) within 45 mm of the middle before contrast fell; scar and
# muscle lie about half that range apart, so contrast-to-noise comes down to about 4 to 13.
NOISE = (0.03, 0.07)
BLUR_FWHM_MM = (2.0, 3.5)  # acquired in-plane resolution; 1.5 mm is usual in the good images
BREATHING_MM = (1.0, 3.0)  # amplitude of the motion along the phase-encoding direction
BREATHS = (2.0, 5.0)  # breaths, or diaphragm drifts, while one slice's k-space is filled
MOVED_SLICES = 0.5  # share of slices that are taken while the patient moves
MISSING_SLICE = 0.5  # share of stacks that lack one inner slice
REACH_MM = 45.0


@dataclass(frozen=True)
class Strength:
    """How one stack is degraded; see the ranges above. ``moved`` bool [slice]; ``missing`` a slice or None."""

    contrast: float
    noise: float
    blur_fwhm_mm: float
    breathing_mm: float
    breaths: float
    moved: NDArray[np.bool_]
    missing: int | None
    along_rows: bool


def drawn_strength(slices: int, rng: np.random.Generator) -> Strength:
    """Draw the strengths of a stack of so many slices."""
    missing = int(rng.integers(1, slices - 1)) if slices > 4 else None
    lacks = rng.random() < MISSING_SLICE
    return Strength(
        rng.uniform(*CONTRAST),
        rng.uniform(*NOISE),
        rng.uniform(*BLUR_FWHM_MM),
        rng.uniform(*BREATHING_MM),
        rng.uniform(*BREATHS),
        rng.random(slices) < MOVED_SLICES,
        missing if lacks else None,
        bool(rng.random() < 0.5),
    )


def ghosts(image: NDArray, pixel_mm: float, amplitude_mm: float, breaths: float, phase: float) -> NDArray[np.float64]:
    """Breathing while k-space is filled line by line: blur and ghosts along axis 0, the phase-encoding direction.

    A shift by d(t) multiplies the line taken at t by ``exp(-2 pi i k d(t))`` (Fourier shift theorem; lines are taken
    in linear order, d is a sine).
    """
    rows = image.shape[0]
    frequency = np.fft.fftfreq(rows, pixel_mm)
    moment = np.fft.fftshift(np.arange(rows)) / rows
    shift = amplitude_mm * np.sin(2.0 * np.pi * breaths * moment + phase)
    lines = np.fft.fft(image, axis=0) * np.exp(-2j * np.pi * frequency * shift)[:, None]
    return np.abs(np.fft.ifft(lines, axis=0))


def _near_the_middle(shape: tuple[int, ...], spacing: tuple[float, float]) -> NDArray[np.bool_]:
    """Pixels within 45 mm of the middle of a slice: the heart, in a cardiac image."""
    row, column = np.indices(shape)
    away = np.hypot((row - (shape[0] - 1) / 2) * spacing[0], (column - (shape[1] - 1) / 2) * spacing[1])
    return away < REACH_MM


def degrade(stack: LgeStack, seed: int) -> LgeStack:
    """The stack with its quality taken away; the grid stays.

    Parameters
    ----------
    stack : LgeStack
    seed : int
        Draws strengths (:func:`drawn_strength`) and noise.

    Returns
    -------
    LgeStack
        Voxels float32. A missing slice is filled with the mean of its neighbours, as resampling to even distances
        would do. Its note says that it was degraded.
    """
    rng = np.random.default_rng(seed)
    strength = drawn_strength(len(stack.voxels), rng)
    voxels = np.array(stack.voxels, dtype=np.float64)
    if strength.missing is not None:
        voxels[strength.missing] = (voxels[strength.missing - 1] + voxels[strength.missing + 1]) / 2.0
    sigma = strength.blur_fwhm_mm / 2.355 / np.array(stack.spacing[1:])
    near = _near_the_middle(voxels.shape[1:], stack.spacing[1:])
    out = np.empty_like(voxels)
    for k, plane in enumerate(voxels):
        image = gaussian_filter(plane, sigma)
        phase = rng.uniform(0.0, 2.0 * np.pi)
        if strength.moved[k]:
            turned = image if strength.along_rows else image.T
            pixel = stack.spacing[1] if strength.along_rows else stack.spacing[2]
            turned = ghosts(turned, pixel, strength.breathing_mm, strength.breaths, phase)
            image = turned if strength.along_rows else turned.T
        low, high = np.percentile(plane[near], [5.0, 95.0])
        middle = float(image[near].mean())
        image = middle + strength.contrast * (image - middle)
        noise = rng.standard_normal((2, *image.shape)) * strength.noise * (high - low)
        image = np.hypot(image + noise[0], noise[1])  # magnitude images: Rician (Gudbjartsson and Patz 1995)
        out[k] = np.where(plane > 0, image, 0.0)  # what the scanner or the file's padding left black stays black
    notes = (*stack.notes, Fact(LgeNote.DEGRADED))
    return replace(stack, voxels=out.astype(np.float32), sha256="", notes=notes)
