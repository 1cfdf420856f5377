"""Whole stacks as other clinics would send them: real images that were changed on purpose. One seed gives one stack.

The strengths of degradation are chosen, by eye, such that the pictures are poor but can still be read; they were not
changed after the ECG had been tried on them, and are the same for every row of a table.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ScarSegECGLib.case import LgeStack
from ScarSegECGLib.facts import Fact, LgeNote
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.training.dataset import near_heart

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
FEWEST_SLICES = 6  # of a stack of which every second one may go


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


def degrade(stack: LgeStack, seed: int) -> LgeStack:
    """The stack with little contrast, noise, blur, breathing and a slice that is missing, and a note that says so.

    The grid stays: a missing slice is filled with the mean of its neighbours, as resampling to even distances would do.
    """
    rng = np.random.default_rng(seed)
    voxels, slices = np.array(stack.voxels, dtype=np.float64), len(stack.voxels)
    missing = int(rng.integers(1, slices - 1)) if slices > 4 else None
    if rng.random() < MISSING_SLICE and missing is not None:
        voxels[missing] = (voxels[missing - 1] + voxels[missing + 1]) / 2.0
    limits = (CONTRAST, NOISE, BLUR_FWHM_MM, BREATHING_MM, BREATHS)
    contrast, grain, blur_fwhm_mm, breathing_mm, breaths = (rng.uniform(low, high) for low, high in limits)
    moved, along_rows = rng.random(slices) < MOVED_SLICES, rng.random() < 0.5
    pixel_mm = np.array(stack.spacing[1:])
    drawn = [(rng.uniform(0.0, 2.0 * np.pi), rng.standard_normal((2, *plane.shape))) for plane in voxels]
    images = gaussian_filter(voxels, (0.0, *(blur_fwhm_mm / 2.355 / pixel_mm)))
    for k in np.flatnonzero(moved):
        upright = images[k] if along_rows else images[k].T
        ghost = ghosts(upright, pixel_mm[0 if along_rows else 1], breathing_mm, breaths, drawn[k][0])
        images[k] = ghost if along_rows else ghost.T
    near = near_heart(voxels.shape[1:], stack.spacing[1:])
    low, high = np.percentile(voxels[:, near], [5.0, 95.0], axis=1)[..., None, None]
    middle = images[:, near].mean(axis=1)[:, None, None]
    real, imaginary = np.stack([noise for _, noise in drawn], axis=1) * grain * (high - low)
    # Magnitude images: Rician (Gudbjartsson and Patz 1995). What the scanner or the file's padding left black stays so.
    out = np.where(voxels > 0, np.hypot(middle + contrast * (images - middle) + real, imaginary), 0.0)
    notes = (*stack.notes, Fact(LgeNote.DEGRADED))
    return replace(stack, voxels=out.astype(np.float32), sha256="", notes=notes)


def other_scanner(stack: LgeStack, rng: np.random.Generator) -> LgeStack:
    """The stack through a random rising intensity curve, a little blurred, with the noise of a magnitude image."""
    curve = np.exp(0.45 * rng.standard_normal(5) + 0.45 * rng.standard_normal() * np.linspace(-1.5, 1.5, 5))
    knots = np.concatenate([[0.0], curve.cumsum() / curve.sum()])
    blur = rng.uniform(0.0, 1.2) / np.array(stack.spacing[1:])
    level = rng.uniform(0.0, 0.06)
    out = np.empty(stack.voxels.shape, np.float32)
    for k, plane in enumerate(stack.voxels):
        low, high = np.percentile(plane[plane != 0], (0.5, 99.5)) if (plane != 0).any() else (0.0, 1.0)
        unit = np.interp((plane - low) / max(high - low, 1e-6), np.linspace(0, 1, 6), knots)
        noise = level * rng.standard_normal((2, *plane.shape))
        image = np.hypot(gaussian_filter(unit, blur) + noise[0], noise[1])
        out[k] = np.where(plane != 0, 1000 * image, 0)
    return replace(stack, voxels=out, sha256="")


def every_second_slice(case: ExpertCase, start: int) -> ExpertCase:
    """The patient imaged with twice the distance between slices; short stacks stay as they are."""
    if len(case.labels) < FEWEST_SLICES:
        return case
    affine = case.stack.ijk_to_ras.copy()
    affine[:3, 3] += start * affine[:3, 2]
    affine[:3, 2] *= 2
    stack = replace(case.stack, voxels=case.stack.voxels[start::2].copy(), ijk_to_ras=affine, sha256="")
    return ExpertCase(case.name, stack, case.labels[start::2].copy())
