"""The unrolled ventricle and the way back."""

from __future__ import annotations

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ScarSegECGLib.network.field import follow_neighbours
from ScarSegECGLib.network.polar_grid import (
    ANGLES,
    RADII,
    RADIUS_STEP_MM,
    ROWS,
    WRAP,
    centres_of_mass,
    circles_box,
    cut_polar,
    polar_area,
    put_back_polar,
    unmirror,
)
from ScarSegECGLib.network.stack_net import without_wrap

SPACING = (1.4, 1.2)
SHAPE = (110, 128)


def _smooth_image(centre: tuple[float, float]) -> torch.Tensor:
    """A broad, lopsided bump about a place in mm, [1, 1, *SHAPE]."""
    rows, columns = torch.meshgrid(torch.arange(SHAPE[0]), torch.arange(SHAPE[1]), indexing="ij")
    y, x = rows * SPACING[0] - centre[0], columns * SPACING[1] - centre[1]
    return (torch.exp(-((x / 25) ** 2) - (y / 18) ** 2) + 0.004 * y)[None, None]


@settings(max_examples=25, deadline=None)
@given(st.floats(65, 85), st.floats(65, 85), st.booleans())
def test_there_and_back(row_mm: float, column_mm: float, mirror: bool) -> None:
    image = _smooth_image((76.0, 75.0))
    centres = np.array([[row_mm, column_mm]])
    polar = cut_polar(image, SPACING, centres, mirror=mirror)
    assert polar.shape == (1, 1, ROWS, RADII)
    polar = without_wrap(unmirror(polar) if mirror else polar)
    back = put_back_polar(polar, (slice(0, SHAPE[0]), slice(0, SHAPE[1])), SPACING, centres)
    rows, columns = torch.meshgrid(torch.arange(SHAPE[0]), torch.arange(SHAPE[1]), indexing="ij")
    radius = torch.hypot(rows * SPACING[0] - row_mm, columns * SPACING[1] - column_mm)
    inside = (radius < (RADII - 1) * RADIUS_STEP_MM)[None, None]
    assert float((back - image)[inside].abs().max()) < 0.02
    assert bool((back[(radius > RADII * RADIUS_STEP_MM + 1)[None, None]] == 0).all())
    rows_of, columns_of = box = circles_box(SHAPE, SPACING, centres)
    part = put_back_polar(polar, box, SPACING, centres)
    assert torch.equal(part, back[:, :, rows_of, columns_of])
    rest = back.clone()
    rest[:, :, rows_of, columns_of] = 0
    assert bool((rest == 0).all())


def test_the_circle_goes_on_at_the_ends() -> None:
    polar = cut_polar(_smooth_image((76.0, 75.0)), SPACING, np.array([[70.0, 80.0]]))[0, 0]
    assert torch.allclose(polar[:WRAP], polar[ANGLES : ANGLES + WRAP], atol=1e-5)
    assert torch.allclose(polar[-WRAP:], polar[WRAP : 2 * WRAP], atol=1e-5)


def test_mirrored_twice_is_itself() -> None:
    polar = cut_polar(_smooth_image((76.0, 75.0)), SPACING, np.array([[70.0, 80.0]]))
    assert torch.allclose(unmirror(unmirror(polar)), polar, atol=1e-5)
    assert not torch.allclose(unmirror(polar), polar, atol=1e-2)


@settings(max_examples=25, deadline=None)
@given(st.floats(-12, 12), st.floats(-12, 12), st.floats(15, 35))
def test_the_centre_of_a_disc_is_found(row: float, column: float, radius: float) -> None:
    rows, columns = torch.meshgrid(torch.arange(SHAPE[0]), torch.arange(SHAPE[1]), indexing="ij")
    disc = torch.hypot(rows * SPACING[0] - 76 - row, columns * SPACING[1] - 75 - column) < radius
    polar = cut_polar(disc.float()[None, None], SPACING, np.array([[76.0, 75.0]]))[:, 0]
    offset, mm2 = centres_of_mass(polar)
    assert np.allclose(offset[0], [row, column], atol=0.6)
    assert math.isclose(float(mm2[0]), math.pi * radius**2, rel_tol=0.03)


def test_area_counts_every_place_once() -> None:
    area = polar_area()
    assert float(area[:WRAP].sum() + area[-WRAP:].sum()) == 0
    assert math.isclose(float(area.sum()), ANGLES * RADII, rel_tol=1e-5)


def test_a_slice_without_ventricle_follows_its_neighbour() -> None:
    centres = np.arange(8.0).reshape(4, 2)
    before = -np.ones((4, 2))
    followed = follow_neighbours(centres, np.array([False, True, True, False]), before)
    assert followed.tolist() == centres[[1, 1, 2, 2]].tolist()
    assert np.array_equal(follow_neighbours(centres, np.zeros(4, bool), before), before)
