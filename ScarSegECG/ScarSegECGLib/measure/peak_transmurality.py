"""The highest transmurality of each segment, free of the pixels' own ups and downs: the greatest share of the wall that
is scar over any 4 mm of wall that lie wholly within the segment, in any of its slices. Narrower scar counts with its
part of 4 mm, so that a stray voxel never makes 100 %. The definition is this project's own.

The greatest of many counted shares is too great: where a pixel is a fifth of the wall, an even scar shows shares that
differ by that much. So a longer stretch of wall, of which only places that hold scar count, is preferred wherever the
shorter one's greater share is no more than pixels make of an even scar; places whose share cannot be told from the
highest are taken together, less those at a lateral edge of the scar; and over what is left the borders of scar and wall
are fitted as smooth lines, unless the scar is no single band, which is counted in voxels. The result is at most 1.3
pixels of wall below and 0.35 above the counted share of the best 4 mm.

A border is the smooth curve that separates the centres of voxels inside from those outside, with a margin of a
twentieth of a pixel (a support vector machine's squared hinge; Cortes and Vapnik 1995, Machine Learning 20:273;
Whitaker 2000, IEEE Symposium on Volume Visualization, 23). In a contour too ragged for one it runs through the middle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_erosion

from ScarSegECGLib.anatomy.polar import Floats, Mask, Spacing, slice_centres
from ScarSegECGLib.measure.wall import CROSS

Ints = NDArray[np.intp]
ANGLES, _PLACES = 1440, 480
MARGIN_PIXELS, _HARMONICS, _STEPS = 0.05, 6, 12
_STIFFNESS = 0.1  # of a harmonic's fourth power: hardly any where a contour is drawn by a hundred voxels
LEAST_MM = 4.0
"""Length of mid-wall that scar has to fill to count with its full depth: three pixels of a usual LGE image."""
STRETCHES_MM = (LEAST_MM, 6.0, 9.0, 12.0)
DOUBT_PIXELS = (0.85, 0.6, 0.3, 0.0)
"""Pixels of wall by which the highest share of each stretch may exceed that of 12 mm on scar of even depth (measured on
annuli and eccentric walls of 6 to 12 mm: 0.4, 0.3 and 0.15 in 1 of 20 places, 0.9, 0.4 and 0.2 at the most)."""
ALIKE_PIXELS = 0.45
"""Shares that differ by less wall than this are alike: about three standard deviations of what the steps of a border do
to 12 mm of wall (measured on annuli and cones with walls of 6 to 12 mm)."""
DROP_PIXELS, INSIDE_PIXELS, BESIDE_MM = 0.75, 0.35, 8.0
"""Where 4 mm of wall hold so much less than the stretch does, the scar ends: of the 8 mm about that place those belong
to the stretch that fall short of it by less than the second figure."""
HOLDS_PIXELS = 0.3  # a place holds scar if it is so deep there
EDGE_PIXELS = 0.7  # left off at either end of a stretch: there the scar's lateral edge runs through the voxels
REACH_PIXELS = 0.5  # a fitted border stays so near to where counting voxels has it
BAND_PIXELS = 0.3  # where voxels that make more wall lie on the wrong side of the borders, the scar is no band


@dataclass(frozen=True)
class _Wall:
    """Voxels of each part (a segment in a slice) that holds scar: arrays of shape (voxel,), or as said."""

    part: Ints
    segment: Ints
    place: Ints  # position along the middle of the wall, in ``step`` mm of its part
    hit: Mask
    depth: Floats  # mm from the endocardium
    thickness: Floats
    weight: Floats  # makes equal shares of the wall of unequal areas
    part_segment: Ints  # (part,)
    step: Floats  # (part,)
    pixel: float
    pixels_in_wall: Floats  # a pixel's share of each segment's wall, (segments + 1,)

    def of_parts(self, values: NDArray) -> Floats:
        """Sums over the parts of each segment, (segments + 1,)."""
        return np.bincount(self.part_segment, values, len(self.pixels_in_wall)).astype(float)

    def highest(self, table: NDArray) -> Floats:
        """Greatest entry of each segment in a table of (part, place), 0 at the least, (segments + 1,)."""
        top = np.zeros(len(self.pixels_in_wall))
        np.maximum.at(top, self.part_segment, table.max(axis=1))
        return top

    def places(self, length_mm: float) -> Ints:
        """How many places of each part make so many mm."""
        return np.clip(np.rint(length_mm / np.maximum(self.step, 1e-6)), 1, _PLACES).astype(int)


def highest_transmurality(
    scar: Mask, cavity: Mask, myocardium: Mask, aha: NDArray[np.uint8], spacing: Spacing, segments: int
) -> Floats:
    """Share of the wall that is scar, 0..1, where each segment holds the most, shape (segments + 1,); 0 without scar.

    ``aha`` is 1..segments inside the myocardium, which holds the scar, and 0 outside; entry 0 has no meaning.
    """
    if not aha[scar].any():
        return np.zeros(segments + 1)
    wall = _scarred_wall(scar, cavity, myocardium, aha, spacing, segments + 1)
    stretch, low, counted = _deepest_stretch(wall)
    share, is_band = _share_between_borders(wall, stretch[wall.part, wall.place])
    high = counted + np.where(is_band, INSIDE_PIXELS, 0.0) * wall.pixels_in_wall
    holding = np.bincount(wall.segment, wall.hit, segments + 1) > 0
    return np.where(holding, np.clip(share, low, np.clip(high, low, 1.0)), 0.0)


def _scarred_wall(
    scar: Mask, cavity: Mask, myocardium: Mask, aha: NDArray[np.uint8], spacing: Spacing, size: int
) -> _Wall:
    in_plane = np.array(spacing[1:])
    pixel = float(in_plane.mean())
    centre = slice_centres(cavity, myocardium, spacing)
    both = np.concatenate([cavity, cavity | myocardium])
    inner, outer = np.split(_smooth_radius(both, np.tile(centre, (2, 1)), in_plane), 2)
    across = np.maximum(outer - inner, pixel)
    along = np.cumsum(np.maximum(inner + outer, pixel), axis=1)  # twice the mid-wall's radius
    place_of = np.minimum((along / along[:, -1:] * _PLACES).astype(int), _PLACES - 1)

    holding = np.zeros((len(scar), size), dtype=bool)
    holding[np.nonzero(scar)[0], aha[scar]] = True
    part_slice, part_segment = np.nonzero(holding)
    part_of = np.cumsum(holding).reshape(holding.shape) - 1
    z, r, c = np.nonzero(aha)
    kept = holding[z, aha[z, r, c]]
    z, r, c = z[kept], r[kept], c[kept]
    segment = aha[z, r, c].astype(np.intp)
    rows, columns = r * in_plane[0] - centre[z, 0], c * in_plane[1] - centre[z, 1]
    ray = np.rint(np.arctan2(rows, columns) * (ANGLES / (2 * np.pi))).astype(int) % ANGLES
    radius, thickness = np.hypot(rows, columns), across[z, ray]
    mean_wall = np.bincount(segment, thickness, size) / np.maximum(np.bincount(segment, minlength=size), 1)
    return _Wall(
        part=part_of[z, segment],
        segment=segment,
        place=place_of[z, ray],
        hit=scar[z, r, c],
        depth=radius - inner[z, ray],
        thickness=thickness,
        weight=1.0 / (np.maximum(radius, 0.5 * pixel) * thickness),
        part_segment=part_segment,
        step=along[part_slice, -1] * np.pi / ANGLES / _PLACES,
        pixel=pixel,
        pixels_in_wall=pixel / np.maximum(mean_wall, pixel),
    )


def _deepest_stretch(wall: _Wall) -> tuple[Mask, Floats, Floats]:
    """Where the scar of each segment is deepest, bool (part, place); the least that its share can be, and the counted
    share of its best 4 mm, both (segments + 1,)."""
    of, a_pixel = wall.part_segment, wall.places(wall.pixel)
    at, size = wall.part * _PLACES + wall.place, len(of) * _PLACES
    raw = [np.bincount(at, w, size).reshape(len(of), -1) for w in (wall.weight * wall.hit, wall.weight)]
    # The segment's extent: from edge to edge of its voxels, no gap between their columns.
    covered = _about(_running(raw[1]), 2 * a_pixel) > 1e-12
    inside = _about(_running(covered), a_pixel) > a_pixel[:, None] - 0.5
    scar, whole = (_about(_running(table), a_pixel) for table in raw)  # a voxel is as wide as a pixel
    scarred = scar > HOLDS_PIXELS * wall.pixels_in_wall[of, None] * whole
    gap = wall.places(LEAST_MM) | 1  # a shorter gap is no end of the scar: thin scar has columns without a voxel
    scarred = _about(_running(_about(_running(scarred), gap) > 0.5), gap) > gap[:, None] - 0.5
    running = [_running(table) for table in (scar, whole, inside, whole * scarred)]

    edges = 2 * wall.places(EDGE_PIXELS * wall.pixel)
    low = np.zeros(len(wall.pixels_in_wall))
    best, stretch = low - np.inf, np.zeros(scar.shape, dtype=bool)
    for length, doubt in zip(STRETCHES_MM, DOUBT_PIXELS, strict=True):
        count = wall.places(length)
        hit, held, within, holding = (_about(table, count) for table in running)
        within = within / count[:, None]
        most = wall.highest(within)
        # Wholly within the segment; where a slice has not so much of it, as far as can be, and the rest counts as free.
        fits = within >= within.max(axis=1, keepdims=True) - 1e-9
        extent = np.where(fits, within / np.maximum(most, 1e-9)[of, None], 0.0)
        plain = wall.highest(extent * hit / np.maximum(held, 1e-12))
        share = extent * hit / np.maximum(np.maximum(holding, held * (LEAST_MM / length)), 1e-12)
        top, share = wall.highest(share), np.where(extent > 0, share, -1.0)
        if length == LEAST_MM:
            usable, shortest, counted = most >= 0, share, top
        else:
            usable = most > 1 - 1e-9
        score = top - doubt * wall.pixels_in_wall
        better = usable & (score >= best)
        best = np.where(better, score, best)
        low = np.maximum(low, np.where(usable, plain - (doubt + ALIKE_PIXELS) * wall.pixels_in_wall, 0.0))
        mine, limit = better[of], np.maximum(top - ALIKE_PIXELS * wall.pixels_in_wall, 0.0)
        alike = share[mine] >= limit[of[mine], None]
        stretch[mine] = _about(_running(alike), np.maximum(count - edges, 1)[mine]) > 0

    stretch = np.where((stretch & scarred).any(axis=1, keepdims=True), stretch & scarred, stretch)
    middle, beside = np.maximum(wall.places(LEAST_MM) - edges, 1), wall.places(BESIDE_MM)
    for _ in range(2):
        there, held_there = (wall.of_parts((table * stretch).sum(axis=1)) for table in (scar, whole))
        mean = there / np.maximum(held_there, 1e-12)
        falls, keeps = ((mean - less * wall.pixels_in_wall)[of, None] for less in (DROP_PIXELS, INSIDE_PIXELS))
        ends = _about(_running(stretch & (shortest >= 0) & (shortest < falls)), beside) > 0
        deep = stretch & (~ends | (_about(_running(shortest >= np.maximum(keeps, 0.0)), middle) > 0))
        left = wall.of_parts(deep.sum(axis=1))[of] > 0
        stretch = np.where(left[:, None], deep, stretch)
    # Less scar than that has no stretch to choose: its best 4 mm are counted.
    widest = wall.highest(scarred.sum(axis=1, keepdims=True) * wall.step[:, None])
    return stretch, np.where(widest < LEAST_MM, counted, low), counted


def _share_between_borders(wall: _Wall, there: Mask) -> tuple[Floats, Mask]:
    """Share of each segment's wall that is scar among the voxels ``there``: between the fitted borders of a single
    band, or counted; and whether it is one."""
    size = len(wall.pixels_in_wall)
    segment, hit, weight, thickness = wall.segment[there], wall.hit[there], wall.weight[there], wall.thickness[there]
    depth = wall.depth[there]
    relative = depth / thickness
    whole = np.maximum(np.bincount(segment, weight, size), 1e-12)
    scarred = np.bincount(segment, weight * hit, size)
    counted = scarred / whole
    middle = np.bincount(segment, weight * hit * relative, size) / np.maximum(scarred, 1e-12)
    reach, margin = REACH_PIXELS * wall.pixels_in_wall, MARGIN_PIXELS * wall.pixel
    borders = []
    for outwards in (True, False):
        side = (relative > middle[segment]) == outwards
        its, scar_here = segment[side], hit[side]
        part = np.bincount(its, weight[side] * scar_here, size) / whole
        rough = middle + part if outwards else middle - part
        low = np.maximum(rough - reach, middle if outwards else 0.0)
        high = np.minimum(rough + reach, 1.0 if outwards else middle)
        fitted = _border_depth(depth[side], thickness[side], scar_here == outwards, its, low, high, margin)
        ends_here = np.bincount(its, ~scar_here, size) > 0  # else the scar reaches the edge of the wall
        borders.append(np.where(ends_here, fitted, float(outwards)))
    between = (relative < borders[0][segment]) & (relative > borders[1][segment])
    wrong = np.bincount(segment, weight * (hit != between), size) / whole
    is_band = wrong <= BAND_PIXELS * wall.pixels_in_wall
    fitted = np.clip(borders[0] - borders[1], counted - reach, counted + reach)
    return np.where(is_band, fitted, counted), is_band


def _running(table: NDArray) -> Floats:
    """Sums from half a turn before the first place to half a turn after the last, shape (part, 2 * place + 1)."""
    half = _PLACES // 2
    whole = np.concatenate([table[:, half:], table, table[:, :half]], axis=1, dtype=np.float64)
    return np.pad(np.cumsum(whole, axis=1), ((0, 0), (1, 0)))


def _about(run: Floats, count: Ints) -> Floats:
    """Sums of ``count`` places about each place, from :func:`_running`."""
    begin = np.arange(_PLACES) + (np.arange(len(run)) * run.shape[1] + _PLACES // 2 - count // 2)[:, None]
    return run.take(begin + count[:, None]) - run.take(begin)


def _smooth_radius(inside: Mask, centre: Floats, in_plane: Floats) -> Floats:
    """Radius of each slice's outline about ``centre`` (slice, 2), mm, as a Fourier series: (slice, ANGLES), 0 if empty.

    ``inside`` is star-shaped about the centre, but for what six harmonics cannot show, and false on the array's rim;
    ``in_plane`` is row and column spacing, mm.
    """
    z, r, c = np.nonzero(binary_dilation(inside, CROSS) & ~binary_erosion(inside, CROSS))
    count = len(inside)
    fit = np.zeros((count, 2 * _HARMONICS + 1))
    rows, columns = r * in_plane[0] - centre[z, 0], c * in_plane[1] - centre[z, 1]
    # one line of the padded tables per slice; padding has weight 0
    place = np.arange(z.size) - np.searchsorted(z, np.arange(count))[z]
    size = int(place.max(initial=0)) + 1
    radius, sign = np.zeros((count, size)), np.zeros((count, size))
    base = np.zeros((count, size, fit.shape[1]))
    radius[z, place] = np.hypot(rows, columns)
    sign[z, place] = np.where(inside[z, r, c], 1.0, -1.0)
    base[z, place] = _harmonics(np.arctan2(rows, columns))
    flipped = base.transpose(0, 2, 1)
    order = np.append(0, np.tile(np.arange(1, _HARMONICS + 1), 2))
    penalty = np.diag(_STIFFNESS * order.astype(float) ** 4 + 1e-6)
    margin, used = MARGIN_PIXELS * in_plane.mean(), np.abs(sign)
    fit[:, 0] = radius.sum(axis=1) / np.maximum(used.sum(axis=1), 1)
    for _ in range(_STEPS):
        short = margin * used - sign * ((base @ fit[..., None])[..., 0] - radius)
        active = short > 0
        slope = penalty @ fit[..., None] - flipped @ (sign * short * active)[..., None]
        bend = flipped @ (base * active[..., None]) + penalty
        change = np.linalg.solve(bend, slope)[..., 0]
        fit -= change
        if np.abs(change).max() < 0.02 * margin:
            break
    return fit @ _harmonics(2 * np.pi * np.arange(ANGLES) / ANGLES).T


def _border_depth(
    depth: Floats, thickness: Floats, inner: Mask, group: Ints, low: Floats, high: Floats, margin: float
) -> Floats:
    """The relative depth, between ``low`` and ``high``, that separates the ``inner`` voxels of each group from others;
    ``depth`` and ``thickness`` of the wall are each voxel's, mm."""
    # voxels that no line between low and high leaves on the wrong side, or near it, have no say
    near = np.where(inner, low[group] * thickness - depth, depth - high[group] * thickness) < margin
    depth, thickness, group, sign = depth[near], thickness[near], group[near], np.where(inner, 1.0, -1.0)[near]
    ends = []
    for beyond in (np.greater, np.greater_equal):  # where the voxels leave room, the border is the middle of it
        first, last = low, high
        for _ in range(_STEPS):
            middle = 0.5 * (first + last)
            short = np.maximum(margin - sign * (middle[group] * thickness - depth), 0.0)
            further = beyond(np.bincount(group, sign * short * thickness, len(low)), 0)
            first, last = np.where(further, middle, first), np.where(further, last, middle)
        ends.append(0.5 * (first + last))
    return 0.5 * (ends[0] + ends[1])


def _harmonics(angle: Floats) -> Floats:
    turns = np.repeat(np.exp(1j * angle)[:, None], _HARMONICS, axis=1).cumprod(axis=1)
    return np.concatenate([np.ones((len(angle), 1)), turns.real, turns.imag], axis=1)
