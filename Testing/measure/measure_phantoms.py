"""Analytic walls for the tests of the measures: everything about them is known on paper."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.anatomy.aha import divide
from ScarSegECGLib.case import Anatomy, LgeStack, Storage
from ScarSegECGLib.facts import Contrast
from ScarSegECGLib.measure.rules import ThresholdRule, find_scar
from ScarSegECGLib.wording import all_words, rule_words, words


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


@dataclass(frozen=True)
class Cone:
    """A ventricle like a cone on a half sphere, its exact volumes beside it (ml)."""

    phantom: Phantom
    wall_ml: float
    scar_ml: float


def capped_cone(pixel: float = 1.4, slice_mm: float = 8.0, depth: float = 0.5, centre=(0.31, -0.23)) -> Cone:
    """Endo- and epicardium are cones (8 to 22 and 16 to 32 mm over 80 mm) that end in half spheres at the apex.

    Scar lies in the sector from 60 to 120 degrees of the inner ``depth`` of the cone's wall (relative, in the plane of
    the slice), and not in the cap. ``aha`` is empty: the partition is to be made. Slices begin at the epicardium's
    apex; the last one ends at the base for slices of 8, 4, 2 or 1 mm.
    """
    inner0, outer0, inner1, outer1, height = 8.0, 16.0, 22.0, 32.0, 80.0
    z = (np.arange(round((outer0 + height) / slice_mm)) + 0.5) * slice_mm - outer0
    size = int(2 * (outer1 + 6) / pixel) // 2 * 2 + 1
    axis = (np.arange(size) - size // 2) * pixel
    y, x = np.meshgrid(-(axis - centre[0] * pixel), axis - centre[1] * pixel, indexing="ij")
    radius, angle = np.hypot(x, y), np.degrees(np.arctan2(y, x)) % 360

    def surface(first: float, last: float) -> NDArray[np.float64]:
        ball = np.sqrt(np.maximum(first**2 - z**2, 0.0))
        return np.where(z < 0, ball, first + (last - first) * z / height)[:, None, None]

    inner, outer = surface(inner0, inner1), surface(outer0, outer1)
    cavity = radius < inner
    wall = (radius < outer) & ~cavity
    limit = inner + depth * (outer - inner)
    scar = wall & (angle >= 60) & (angle < 120) & (radius < limit) & (z >= 0)[:, None, None]

    def frustum(first: float, last: float) -> float:
        return np.pi * height * (first**2 + first * last + last**2) / 3

    def half_ball(first: float) -> float:
        return 2 * np.pi * first**3 / 3

    whole = frustum(outer0, outer1) + half_ball(outer0) - frustum(inner0, inner1) - half_ball(inner0)
    edge = [a + depth * (b - a) for a, b in ((inner0, outer0), (inner1, outer1))]
    scarred = (frustum(*edge) - frustum(inner0, inner1)) / 6
    nothing = np.zeros(wall.shape, np.uint8)
    return Cone(Phantom(cavity, wall, scar, nothing, (slice_mm, pixel, pixel)), whole / 1000, scarred / 1000)


def scarred_wall(
    shape: str,
    wall: float,
    depth: float,
    turn: float,
    centre: tuple[float, float],
    pixel: float = 1.4,
    slice_mm: float = 8.0,
    *,
    first: float = 0.0,
    arc: float = 60.0,
) -> tuple[Phantom, tuple[int, ...]]:
    """A wall of so many mm with scar in its relative depths ``first`` .. ``depth``, and the segments that hold it.

    "annulus": cavity of 22 mm radius, four slices; "eccentric": the same with the cavity 2 mm aside, depth along the
    rays from the epicardium's centre; "cone": radii of 8 to 22 mm over 80 mm on a half sphere, the wall four fifths as
    thick at the apex, scar in the cone's three thirds and not in the cap. The scar begins at the angle ``turn``, where
    the segments (sixths, numbered from 1 in each third) begin too.
    """
    height, inner0, inner1 = 80.0, 8.0, 22.0
    outer0, outer1 = inner0 + 0.8 * wall, inner1 + wall
    cone = shape == "cone"
    z = (np.arange(round((outer0 + height) / slice_mm)) + 0.5) * slice_mm - outer0 if cone else np.zeros(4)
    size = int(2 * (outer1 + 6) / pixel) // 2 * 2 + 1
    axis = (np.arange(size) - size // 2) * pixel
    y, x = np.meshgrid(-(axis - centre[0] * pixel), axis - centre[1] * pixel, indexing="ij")
    radius, angle = np.hypot(x, y), np.degrees(np.arctan2(y, x)) % 360
    if cone:
        begin, end = np.array([[inner0], [outer0]]), np.array([[inner1], [outer1]])
        borders = np.where(z < 0, np.sqrt(np.maximum(begin**2 - z**2, 0)), begin + (end - begin) * z / height)
        inner, outer = borders[:, :, None, None]
    else:
        aside, ray = 2.0 * (shape == "eccentric"), np.radians(angle)
        inner = aside * np.cos(ray) + np.sqrt(inner1**2 - (aside * np.sin(ray)) ** 2)
        inner, outer = np.broadcast_to(inner, (4, size, size)), np.full((4, 1, 1), outer1)
    cavity = radius < inner
    muscle = (radius < outer) & ~cavity
    relative = (radius - inner) / np.maximum(outer - inner, 1e-9)
    sector = (angle - turn) % 360 < arc
    scar = muscle & sector & (z >= 0)[:, None, None] & (relative < depth)
    if first > 0:
        scar &= relative >= first
    third = np.zeros(len(z), int)
    if cone:
        for ring, part in enumerate(np.array_split(np.flatnonzero(z >= 0), 3)):
            third[part] = 6 * ring
    number = (((angle - turn) // 60) % 6).astype(int) + 1 + third[:, None, None]
    aha = np.where(muscle, np.where((z < 0)[:, None, None], 19, number), 0).astype(np.uint8)
    return Phantom(cavity, muscle, scar, aha, (slice_mm, pixel, pixel)), (1, 7, 13) if cone else (1,)


def stack_of(image: NDArray, spacing: tuple[float, float, float], contrast: str = "magnitude") -> LgeStack:
    """An image as a stack whose slices lie straight."""
    matrix = np.diag([*spacing[::-1], 1.0])
    return LgeStack(image.astype(np.float32), matrix, Storage(), matrix, contrast=Contrast(contrast))


def divided(
    cavity: NDArray, myocardium: NDArray, image: NDArray | None, spacing: tuple[float, float, float], **options
) -> Anatomy:
    """The AHA division of masks on an image that lies straight; one that shows nothing where there is none."""
    shown = np.zeros(cavity.shape) if image is None else image
    return divide(stack_of(shown, spacing), cavity, myocardium, **options)


def by_rule(
    image: NDArray,
    cavity: NDArray,
    myocardium: NDArray,
    spacing: tuple[float, float, float],
    source: str,
    contrast: str = "magnitude",
    smallest_island_ml: float = 0.0,
    **rule,
) -> SimpleNamespace:
    """What a rule finds, with its method, remote region and warnings in words; no island is too small."""
    chosen = ThresholdRule(source, smallest_island_ml=smallest_island_ml, **rule)
    found = find_scar(stack_of(image, spacing, contrast), cavity, myocardium, chosen)
    return SimpleNamespace(
        mask=found.mask,
        thresholds=found.thresholds,
        method=rule_words(found.method),
        remote=words(found.method.remote),
        warning=" ".join(all_words(found.warnings)),
    )
