"""The maximum transmurality on walls known on paper: annulus, eccentric wall and a cone on a half sphere."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_phantoms import scarred_wall

from ScarSegECGLib.measure.transmurality import segment_transmurality

WALLS = (6.0, 8.0, 10.0, 12.0)
DEPTHS = (0.25, 0.35, 0.5, 0.75, 0.9)
SHAPES = ("annulus", "eccentric", "cone")


def _off(shape, wall, depth, random, pixel=1.4, slice_mm=8.0):
    """Points of the wall by which the maximum of each scarred segment is too high, at a random place and turn."""
    turn = random.choice([0, 15, 30, 45, 60, 75, random.uniform(0, 360)])
    p, scarred = scarred_wall(shape, wall, depth, turn, tuple(random.uniform(-0.5, 0.5, 2)), pixel, slice_mm)
    got = segment_transmurality(p.scar, p.cavity, p.myocardium, p.aha, p.spacing, int(p.aha.max()))
    return [got.max_percent[number - 1] - 100 * depth for number in scarred]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_maximum_is_within_2_points_at_clinical_resolution(shape):
    """1.4 x 1.4 x 8 mm, five depths, eight places and turns each. In these places walls of 8 mm and
    more are within 2 points. It is not so everywhere: of other places (20 of each, another seed) 1 to 4 in 100 were
    further off with 8 mm of wall (2.6 points at the most), 1 in 500 with 10 mm (2.03), none with 12 mm, and 1 to 5 in
    100 with 6 mm, of which a pixel is a quarter (3.9)."""
    for wall in WALLS:
        random = np.random.default_rng(17)
        off = np.array([o for depth in DEPTHS for _ in range(8) for o in _off(shape, wall, depth, random)])
        assert abs(off.mean()) < 0.6
        if wall >= 8:
            assert np.abs(off).max() <= 2
        else:
            assert np.mean(np.abs(off) <= 2) > 0.85 and np.abs(off).max() < 4


@pytest.mark.parametrize("shape", SHAPES)
def test_the_maximum_converges_as_the_grid_is_refined(shape):
    worst = []
    for pixel, slice_mm in ((2.0, 8.0), (1.0, 4.0), (0.5, 4.0)):
        random = np.random.default_rng(5)
        walls = itertools.product((6.0, 10.0), (0.35, 0.5, 0.75))
        worst.append(np.sqrt(np.mean([o**2 for w, d in walls for o in _off(shape, w, d, random, pixel, slice_mm)])))
    assert worst[2] < worst[1] < worst[0] and worst[2] < 0.6


@given(
    shape=st.sampled_from(SHAPES),
    wall=st.floats(8, 14),
    depth=st.floats(0.25, 0.9),
    turn=st.floats(0, 360),
    row=st.floats(-0.5, 0.5),
    column=st.floats(-0.5, 0.5),
)
@settings(max_examples=30, deadline=None)
def test_no_place_or_turn_is_far_off(shape, wall, depth, turn, row, column):
    p, scarred = scarred_wall(shape, wall, depth, turn, (row, column))
    got = segment_transmurality(p.scar, p.cavity, p.myocardium, p.aha, p.spacing, int(p.aha.max()))
    for number in scarred:
        assert got.max_percent[number - 1] == pytest.approx(100 * depth, abs=4)


@pytest.mark.parametrize(("first", "last"), [(0.3, 0.7), (0.5, 1.01), (0.0, 1.01)])
def test_midwall_epicardial_and_transmural_scar(first, last):
    for turn in (0.0, 20.0, 47.0):
        p, (number,) = scarred_wall("annulus", 10.0, last, turn, (0.2, -0.4), first=first)
        got = segment_transmurality(p.scar, p.cavity, p.myocardium, p.aha, p.spacing, 6)
        assert got.max_percent[number - 1] == pytest.approx(100 * (min(last, 1.0) - first), abs=3.0)


def test_the_deepest_slice_counts_and_a_narrow_deep_scar_is_not_averaged_away():
    p, _ = scarred_wall("annulus", 10.0, 0.8, 30.0, (0.1, 0.3))
    shallow, _ = scarred_wall("annulus", 10.0, 0.4, 30.0, (0.1, 0.3))
    scar = shallow.scar.copy()
    scar[2] = p.scar[2]
    got = segment_transmurality(scar, p.cavity, p.myocardium, p.aha, p.spacing, 6)
    assert got.max_percent[0] == pytest.approx(80, abs=3)
    narrow, _ = scarred_wall("annulus", 10.0, 0.8, 30.0, (0.1, 0.3), arc=27.0)  # 12 mm of the middle of the wall
    got = segment_transmurality(narrow.scar, p.cavity, p.myocardium, p.aha, p.spacing, 6)
    assert got.max_percent[0] == pytest.approx(80, abs=4)


def test_ragged_scar_is_counted_and_stays_within_0_to_100():
    random = np.random.default_rng(4)
    p, _ = scarred_wall("annulus", 10.0, 1.01, 30.0, (0.1, 0.3))
    for share in (0.3, 0.6, 0.95):
        scar = p.scar & (random.random(p.scar.shape) < share)
        got = segment_transmurality(scar, p.cavity, p.myocardium, p.aha, p.spacing, 6)
        assert got.mean_percent[0] - 8 <= got.max_percent[0] <= min(100 * share + 22, 100)
        assert (got.max_percent[1:6] == 0).all()
