"""Slices displaced against each other between breath-holds: estimated from LV contours, undone, and brought back.

A ventricle's cavity follows a smooth line from apex to base; a slice taken at another depth of breath stands beside
it. Slices are moved by whole pixels, so that no intensity changes and labels return to where they came from without
loss: whatever is found in the corrected stack lies on the input's own pixels afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ScarSegECGLib.case import Anatomy, LgeStack, ScarParts, ScarResult
from ScarSegECGLib.facts import Code, Fact, LgeNote

Floats = NDArray[np.float64]

_SURE = 0.95  # confidence from which a slice is moved
_LEAST_MM = 3.0  # two pixels: below it a displacement cannot be told from how contours are drawn
_NOISE_MM = 1.0  # a cavity's centre moves so much by drawing alone (SD along one direction), at the least
_FEWEST_SLICES = 5  # with fewer a line through the others says nothing about one
_LEAST_SHARE = 0.15  # of the usual cavity: what is left of it in the apical cap has its centre anywhere
_CURVED_FROM = 7  # slices from which the line may bend
_TUKEY = 4.685  # biweight's limit in SD: 95 % as good as least squares where nothing is displaced
_ITERATIONS = 30


@dataclass(frozen=True)
class SliceShifts:
    """How far each slice stands from the smooth line through all of them.

    ``mm``, shape (slice, 2), is its displacement (row mm, column mm); NaN where it shows (almost) no cavity or too few
    slices do. ``confidence``, shape (slice,), 0..1, is how seldom even the farthest slice of an undisplaced stack lies
    that far off; 0 where nothing is known. ``pixels``, shape (slice, 2), is by how many rows and columns the slice is
    moved to undo it; 0 where the displacement is small or unsure.
    """

    mm: Floats
    confidence: Floats
    pixels: NDArray[np.intp]

    @property
    def moved(self) -> NDArray[np.bool_]:
        """Which slices are moved, shape (slice,)."""
        return np.asarray(self.pixels.any(axis=1))

    def fact(self, code: Code) -> Fact:
        """The displaced slices, counted from 1 at the apex, as parameters of a fact."""
        slices = np.flatnonzero(self.moved)
        mm = np.linalg.norm(self.mm[slices], axis=1)
        told = {"slices": slices + 1, "mm": mm, "confidence": self.confidence[slices]}
        return Fact(code, **{name: tuple(values.tolist()) for name, values in told.items()})


def estimate_shifts(
    cavity: NDArray[np.bool_], myocardium: NDArray[np.bool_], spacing: tuple[float, float, float]
) -> SliceShifts:
    """In-plane displacement of every slice from the LV's contours, shape (slice, row, column); ``spacing`` mm.

    The centres of the cavities are fitted by a straight line (from seven slices on by a parabola, because ventricles
    are bent) with Tukey's biweight (Beaton AE, Tukey JW. Technometrics 1974;16:147-85), which gives displaced slices no
    weight. The confidence is Rayleigh's distribution of what is left, in units of the spread of the undisplaced slices
    and of the line's own uncertainty there: at the ends of the stack, where the line is less well known, a slice has to
    lie farther off. Slices whose cavity the myocardium does not surround are judged but have half the weight.
    """
    count = len(cavity)
    mm, confidence = np.full((count, 2), np.nan), np.zeros(count)
    pixels = np.zeros((count, 2), np.intp)
    area = np.count_nonzero(cavity, axis=(1, 2))
    known = np.flatnonzero(area > (_LEAST_SHARE * np.median(area[area > 0]) if area.any() else 0))
    if known.size < _FEWEST_SLICES:
        return SliceShifts(mm, confidence, pixels)
    in_plane = np.array(spacing[1:])
    centres = np.array([np.argwhere(cavity[k]).mean(axis=0) for k in known]) * in_plane
    inside = ndimage.binary_erosion(cavity | myocardium, ndimage.generate_binary_structure(2, 1)[None])
    trust = np.where((cavity & ~inside)[known].any(axis=(1, 2)), 0.5, 1.0)  # half for an open cavity
    away, spread = _off_the_line(known.astype(float) * spacing[0], centres, trust)
    mm[known] = away
    distance = np.linalg.norm(away, axis=1)
    confidence[known] = (1.0 - np.exp(-0.5 * (distance / spread) ** 2)) ** known.size
    use = known[(confidence[known] >= _SURE) & (distance >= _LEAST_MM)]
    pixels[use] = -np.rint(mm[use] / in_plane).astype(np.intp)
    return SliceShifts(mm, confidence, pixels)


def off_straight_line(x: Floats, centres: Floats) -> Floats:
    """Distance, shape (n, 2), of centres at heights ``x`` from a line that nearly a third of them cannot move.

    Sen PK. J Am Stat Assoc 1968;63:1379-89. At least two centres.
    """
    a, b = np.triu_indices(len(x), 1)
    line = x[:, None] * np.median((centres[b] - centres[a]) / (x[b] - x[a])[:, None], axis=0)
    return np.asarray(centres - (np.median(centres - line, axis=0) + line))


def _off_the_line(height: Floats, centres: Floats, trust: Floats) -> tuple[Floats, Floats]:
    """Distance of each centre from the robust line, mm, shape (n, 2), and its expected spread per direction, (n,)."""
    degree = 2 if len(height) >= _CURVED_FROM else 1
    x = (height - height.mean()) / max(np.ptp(height), 1e-9)
    powers = np.vander(x, degree + 1)
    bent_away = np.sqrt(len(x) / max(len(x) - degree - 1, 1))  # the line follows part of the spread
    off = off_straight_line(x, centres)
    for _ in range(_ITERATIONS):
        size = np.linalg.norm(off, axis=1)
        noise = max(bent_away * float(np.median(size)) / 1.1774, _NOISE_MM)  # median of Rayleigh's distribution
        weight = trust * np.clip(1.0 - (size / (_TUKEY * noise)) ** 2, 0.0, None) ** 2
        if np.count_nonzero(weight > 0.05) <= degree + 1:  # too few left to hold the line
            break
        root = np.sqrt(weight)[:, None]
        line = powers @ np.linalg.lstsq(powers * root, centres * root, rcond=None)[0]
        off = centres - line
    normal = powers.T @ (powers * weight[:, None]) + 1e-9 * np.eye(degree + 1)
    lever = np.einsum("ij,jk,ik->i", powers, np.linalg.inv(normal), powers)
    return off, noise * np.sqrt(1.0 + np.clip(lever, 0.0, 25.0))


def move(voxels: NDArray, pixels: NDArray[np.integer]) -> NDArray:
    """Move every slice by whole rows and columns; what comes in from beyond the image is 0.

    ``voxels`` is [slice, row, column]; ``pixels`` (slice, 2). ``move(move(a, p), -p)`` is ``a`` again wherever
    nothing was pushed out of the image.
    """
    return np.stack([ndimage.shift(image, by, order=0) for image, by in zip(voxels, pixels, strict=True)])


def corrected(stack: LgeStack, shifts: SliceShifts) -> LgeStack:
    """The stack with displaced slices moved back in line, on the same grid, with a note."""
    if not shifts.moved.any():
        return stack
    notes = (*stack.notes, shifts.fact(LgeNote.SHIFTS_CORRECTED))
    return replace(stack, voxels=move(stack.voxels, shifts.pixels), notes=notes)


def native_anatomy(anatomy: Anatomy, shifts: SliceShifts, spacing: tuple[float, float, float]) -> Anatomy:
    """The anatomy of a corrected stack where its slices were acquired."""
    centres_mm = anatomy.centres_mm - shifts.pixels * np.array(spacing[1:])
    return replace(anatomy, centres_mm=centres_mm, **_moved_back(anatomy, shifts))


def native_result(result: ScarResult, stack: LgeStack, shifts: SliceShifts) -> ScarResult:
    """The result of a :func:`corrected` stack on the stack as it was acquired; no figure changes."""
    return replace(
        result,
        parts=result.parts and replace(result.parts, **_moved_back(result.parts, shifts)),
        stack=replace(stack, notes=result.stack.notes),
        anatomy=native_anatomy(result.anatomy, shifts, stack.spacing),
        **_moved_back(result, shifts),
    )


def _moved_back(of: Anatomy | ScarParts | ScarResult, shifts: SliceShifts) -> dict[str, Any]:
    """What it holds on the stack's grid, [slice, row, column], where the slices were acquired; by name."""
    there = {name: held for name, held in vars(of).items() if isinstance(held, np.ndarray) and held.ndim == 3}
    return {name: move(held, -shifts.pixels) for name, held in there.items()}
