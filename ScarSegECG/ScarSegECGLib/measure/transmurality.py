"""How far through the wall the scar reaches, measured on chords across the wall.

After the centreline method (Sheehan et al. 1986, Circulation 74:293) they stand perpendicular on the line midway
between endo- and epicardium, so that an eccentric wall is crossed straight. Masks are read along a chord by bilinear
interpolation and integrated, which places borders below the pixel on average.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ScarSegECGLib.anatomy.aha import rings_of, sector_starts
from ScarSegECGLib.anatomy.insertion import STANDARD_DEG
from ScarSegECGLib.anatomy.polar import Floats, Mask, Spacing, direction_deg, heart_box, sample_image, slice_centres
from ScarSegECGLib.anatomy.segments import APICAL, CAP
from ScarSegECGLib.case import Anatomy
from ScarSegECGLib.facts import AhaMode
from ScarSegECGLib.measure.peak_transmurality import highest_transmurality
from ScarSegECGLib.measure.wall import SECTORS

CHORDS = 144
MAP_BINS = 72
TRANSMURALITY_BINS = (("0", 0.0), ("1-25", 25.0), ("26-50", 50.0), ("51-75", 75.0), ("76-100", 100.0))
"""The usual five bins, each up to and with its percentage (Kim et al. 2000, N Engl J Med 343:1445)."""
_SAMPLES, _HARMONICS = 49, 8


@dataclass(frozen=True)
class WallChords:
    """Chords across the wall of every slice, in order of angle, shape (slice, chord), vectors (slice, chord, 2)."""

    thickness_mm: Floats  # 0 where there is no wall
    scar_mm: Floats  # the chord's length inside scar
    arc_mm: Floats  # the length of mid-wall it stands for
    middle_mm: Floats  # where it crosses the middle of the wall, (row, column) index times spacing
    normal: Floats  # the outward unit vector along it
    curvature: Floats  # of the middle of the wall, 1/mm, positive where it bulges outwards


@dataclass(frozen=True)
class SegmentTransmurality:
    """Transmurality and wall thickness of segments 1..n; arrays of shape (n,), NaN where a segment has no wall."""

    mean_percent: Floats  # over the whole segment, scar-free wall included
    max_percent: Floats  # of the 4 mm of wall that hold the most scar; no less than the mean
    thickness_mm: Floats


def wall_chords(scar: Mask, cavity: Mask, myocardium: Mask, spacing: Spacing) -> WallChords:
    """Wall thickness and scar length along chords perpendicular to the middle of the wall, which holds the scar."""
    in_plane = np.array(spacing[1:])
    centre = np.nan_to_num(slice_centres(cavity, myocardium, spacing))
    inner, outer = _radii(cavity, myocardium, centre, in_plane)
    radius = 0.5 * (inner + outer)
    angle = 2 * np.pi * np.arange(CHORDS) / CHORDS
    direction = np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    point = centre[:, None, :] + radius[..., None] * direction
    tangent = np.roll(point, -1, axis=1) - np.roll(point, 1, axis=1)
    step = np.linalg.norm(tangent, axis=-1, keepdims=True)
    normal = np.stack([-tangent[..., 1], tangent[..., 0]], axis=-1) / np.maximum(step, 1e-9)  # outwards

    half = 0.65 * (outer - inner) + 2.0 * in_plane.max()
    fraction = np.linspace(-1.0, 1.0, _SAMPLES)
    # The chord ends at the LV centre at the latest: beyond it lies the opposite wall.
    offset = np.where(fraction < 0, np.minimum(half, radius)[..., None], half[..., None]) * fraction
    row, column = ((point[..., k, None] + offset * normal[..., k, None]) / in_plane[k] for k in (0, 1))
    wall_at, scar_at = (np.nan_to_num(sample_image(mask, row, column)) for mask in (myocardium, scar))
    present, mid = wall_at > 1e-6, _SAMPLES // 2
    outward = np.logical_and.accumulate(present[..., mid:], axis=-1)
    inward = np.logical_and.accumulate(present[..., mid::-1], axis=-1)[..., ::-1]
    width = np.gradient(offset, axis=-1) * np.concatenate([inward[..., :-1], outward], axis=-1)
    turn = np.roll(normal, -1, axis=1) - np.roll(normal, 1, axis=1)
    bend = (turn * tangent).sum(axis=-1) / np.maximum(step[..., 0] ** 2, 1e-9)
    return WallChords(
        thickness_mm=(wall_at * width).sum(axis=-1),
        scar_mm=(scar_at * width).sum(axis=-1),
        arc_mm=0.5 * step[..., 0],
        middle_mm=point,
        normal=normal,
        # A second derivative shows every pixel of the border: average it over the width of half an AHA segment.
        curvature=ndimage.uniform_filter1d(bend, CHORDS // 12 + 1, axis=1, mode="wrap"),
    )


def segment_transmurality(
    scar: Mask, cavity: Mask, myocardium: Mask, aha: NDArray[np.uint8], spacing: Spacing, segments: int = 17
) -> SegmentTransmurality:
    """Mean and maximum transmurality and wall thickness of every segment; ``aha`` is 0 outside the wall, which holds
    the scar.

    The mean is the share of the chords' length that is scar, over all wall of the segment; it counts voxels and may lie
    a little above the maximum of :mod:`ScarSegECGLib.measure.peak_transmurality`, which then is raised to it.
    """

    def mean_of(label: NDArray, weight: Floats, value: NDArray) -> Floats:
        total = np.bincount(label, weight, segments + 1)
        return (np.bincount(label, weight * value, segments + 1) / np.where(total > 0, total, np.nan))[1:]

    chords = wall_chords(scar, cavity, myocardium, spacing)
    thick = mean_of(_label_at(aha, chords, spacing).ravel(), chords.arc_mm.ravel(), chords.thickness_mm.ravel())
    at = np.nonzero(aha)
    mean = 100 * mean_of(aha[at], _share_of_wall(at, chords, spacing), scar[at])
    highest = 100 * highest_transmurality(scar, cavity, myocardium, aha, spacing, segments)[1:]
    return SegmentTransmurality(mean, np.where(np.isnan(mean), np.nan, np.fmax(highest, mean)), thick)


def transmurality_bin(percent: float) -> str:
    """One of :data:`TRANSMURALITY_BINS`, of the percentage as it is printed, rounded."""
    return next((name for name, top in TRANSMURALITY_BINS if round(percent) <= top), TRANSMURALITY_BINS[-1][0])


def transmurality_map(scar: Mask, anatomy: Anatomy, spacing: Spacing) -> Floats:
    """Share of the wall that is scar along the chords of each slice, % by angle: what the polar map shows.

    Each slice is turned, and in landmark mode septum and free wall stretched, so that its segments' borders lie where
    the bullseye has them. Returned is 0..100, shape (slice, bin), bin ``i`` from ``5 * i`` degrees of the bullseye's
    frame; NaN where no chord meets a wall.
    """
    box = heart_box(anatomy.cavity | anatomy.myocardium)
    chords = wall_chords(scar[box], anatomy.cavity[box], anatomy.myocardium[box], spacing)
    middle = chords.middle_mm + np.array([box[1].start, box[2].start]) * np.array(spacing[1:])
    angle = direction_deg(middle - anatomy.centres_mm[box[0], None])
    wall, share = chords.thickness_mm > 0, 100.0 * chords.scar_mm / np.maximum(chords.thickness_mm, 1e-9)
    own = sector_starts(anatomy.insertions_deg[box[0]], anatomy.division.mode)  # of six and of four sectors
    plot = sector_starts(np.array([STANDARD_DEG]), AhaMode.FIXED)
    four = np.isin(rings_of(anatomy)[box[0]], (APICAL, CAP)).astype(int)
    table = np.full((len(scar), MAP_BINS), np.nan)
    bins = (np.arange(MAP_BINS) + 0.5) * (360.0 / MAP_BINS)
    for z in np.flatnonzero(np.isfinite(angle).all(axis=1) & wall.any(axis=1)):
        borders, drawn = (np.append(starts, starts[0] + 360.0) for starts in (own[four[z]][z], plot[four[z]][0]))
        at = np.interp((angle[z] - borders[0]) % 360.0, borders - borders[0], drawn)
        there = np.interp(bins, at, wall[z], period=360.0) >= 0.5  # a gap ends half-way to the next chord with a wall
        percent = np.interp(bins, at[wall[z]], np.clip(share[z, wall[z]], 0.0, 100.0), period=360.0)
        table[box[0].start + z] = np.where(there, percent, np.nan)
    return table


def _radii(cavity: Mask, wall: Mask, centre: Floats, in_plane: Floats) -> tuple[Floats, Floats]:
    """Endo- and epicardial radius at every chord's angle, mm, by the area of wedges; few harmonics calm the normals."""
    z, r, c = np.nonzero(cavity | wall)
    rows, columns = r * in_plane[0] - centre[z, 0], c * in_plane[1] - centre[z, 1]
    wedge = np.round(np.arctan2(rows, columns) / (2 * np.pi) * SECTORS).astype(int) % SECTORS
    key, size = z * SECTORS + wedge, len(cavity) * SECTORS
    per_area = 2 * np.prod(in_plane) * SECTORS / (2 * np.pi)
    radii = []
    for weight in (cavity[z, r, c], np.ones(len(z))):
        area = np.bincount(key, weight, size).reshape(-1, SECTORS)
        spectrum = np.fft.rfft(np.sqrt(area * per_area), axis=1)
        spectrum[:, _HARMONICS + 1 :] = 0
        radii.append(np.maximum(np.fft.irfft(spectrum, CHORDS, axis=1) * (CHORDS / SECTORS), 0))
    inner, outer = radii
    return inner, np.maximum(outer, inner)


def _label_at(aha: NDArray[np.uint8], chords: WallChords, spacing: Spacing) -> NDArray[np.intp]:
    """The AHA segment each chord crosses, 0 where there is no wall."""
    at = np.rint(chords.middle_mm / np.array(spacing[1:])).astype(int)
    row, column = (np.clip(at[..., k], 0, aha.shape[k + 1] - 1) for k in (0, 1))
    label = aha[np.arange(len(aha))[:, None], row, column].astype(np.intp)
    return np.where(chords.thickness_mm > 0, label, 0)


def _share_of_wall(at: tuple[NDArray[np.intp], ...], chords: WallChords, spacing: Spacing) -> Floats:
    """How much each voxel counts in a mean over the wall: its share of a chord times the mid-wall it stands for.

    Outer voxels lie on a longer circle: area = (1 + curvature * offset) * depth * mid-wall length. Voxels keep the
    exact segment border, which chords would blur by a pixel.
    """
    first, points = at[0] * CHORDS, np.stack(at[1:], axis=1) * np.array(spacing[1:])
    middle, normal = chords.middle_mm.reshape(-1, 2), chords.normal.reshape(-1, 2)
    centre = chords.middle_mm.mean(axis=1)
    away, begin = points - centre[at[0]], (chords.middle_mm[:, 0] - centre)[at[0]]
    angle = np.arctan2(away[:, 0], away[:, 1]) - np.arctan2(begin[:, 0], begin[:, 1])
    chord = np.rint(angle * (CHORDS / (2 * np.pi))).astype(int) % CHORDS
    for _ in range(2):  # from the ray through the voxel to the chord through it
        one = first + chord
        off, out = points - middle[one], normal[one]
        along = off[:, 0] * out[:, 1] - off[:, 1] * out[:, 0]
        chord = (chord + np.rint(along / np.maximum(chords.arc_mm.ravel()[one], 1e-6)).astype(int)) % CHORDS
    one = first + chord
    offset = ((points - middle[one]) * normal[one]).sum(axis=1)
    widening = np.clip(1 + chords.curvature.ravel()[one] * offset, 0.2, 5.0)
    return 1.0 / (widening * np.maximum(chords.thickness_mm.ravel()[one], spacing[1]))
