"""Transmurality and wall thickness against walls known on paper."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_phantoms import Phantom, annulus, scarred_wall

from ScarSegECGLib.measure.transmurality import (
    CHORDS,
    segment_transmurality,
    transmurality_bin,
    wall_chords,
)
from ScarSegECGLib.measure.wall import wall_depth


def _measure(p: Phantom):
    return segment_transmurality(p.scar, p.cavity, p.myocardium, p.aha, p.spacing)


@pytest.mark.parametrize("depth", [0.25, 0.5, 0.75, 1.01])
@pytest.mark.parametrize("centre", [(0.0, 0.0), (0.31, -0.23), (0.5, 0.5)])
def test_mean_and_maximum_are_exact_within_2_points_at_clinical_resolution(depth, centre):
    p = annulus(pixel=1.4, depth=(0.0, depth), centre=centre)
    got = _measure(p)
    exact = 100 * min(depth, 1.0)
    assert got.mean_percent[0] == pytest.approx(exact, abs=2.0)
    assert got.max_percent[0] == pytest.approx(exact, abs=2.0)
    assert got.thickness_mm[0] == pytest.approx(11.0, rel=0.02)
    assert got.mean_percent[2] == got.max_percent[2] == 0


def test_the_maximum_is_hardly_too_high_and_converges():
    """Wherever the ring lies on the grid: 12 mm of wall are eight pixels, whose steps an even scar may not turn into a
    maximum."""
    random = np.random.default_rng(2)
    worst, bias = [], []
    for pixel in (1.4, 0.7, 0.35):
        off = []
        for depth in (0.25, 0.5, 0.75):
            for _ in range(10 if pixel > 0.5 else 4):
                p = annulus(pixel=pixel, slices=1, depth=(0.0, depth), centre=tuple(random.uniform(-0.5, 0.5, 2)))
                off.append(_measure(p).max_percent[0] - 100 * depth)
        bias.append(np.mean(off))
        worst.append(np.percentile(np.abs(off), 90))
    assert abs(bias[0]) < 0.7 and worst[0] < 2.0
    assert worst[2] < worst[0] and abs(bias[2]) < 0.4


@pytest.mark.parametrize("shape", ["annulus", "eccentric", "cone"])
@pytest.mark.parametrize("wall", [6.0, 8.0, 10.0, 12.0])
def test_the_mean_counts_voxels_and_is_right_on_average(shape, wall):
    """1.4 x 1.4 x 8 mm, five depths, eight places and turns each, scar in the whole or half of a segment. The error of
    one place is what counting voxels leaves: up to 2 points (standard deviation) with 6 mm of wall, 1 with 12 mm."""
    random, off = np.random.default_rng(11), []
    for depth in (0.25, 0.35, 0.5, 0.75, 0.9):
        for _ in range(8):
            turn = random.choice([0, 15, 30, 45, 60, 75, random.uniform(0, 360)])
            place, arc = tuple(random.uniform(-0.5, 0.5, 2)), random.choice([30.0, 60.0])
            p, scarred = scarred_wall(shape, wall, depth, turn, place, arc=arc)
            got = segment_transmurality(p.scar, p.cavity, p.myocardium, p.aha, p.spacing, int(p.aha.max()))
            off += [got.mean_percent[number - 1] - 100 * depth * arc / 60 for number in scarred]
    assert abs(np.mean(off)) < 0.6
    assert np.std(off) < (2.2 if wall < 7 else 1.7 if wall < 9 else 1.5)
    assert np.percentile(np.abs(off), 90) < (3.5 if wall < 7 else 2.6)


def test_half_a_segment_gives_half_the_mean_but_the_full_maximum():
    got = _measure(annulus(start_deg=60, stop_deg=90, depth=(0.0, 0.6)))
    assert got.mean_percent[0] == pytest.approx(30, abs=2)
    assert got.max_percent[0] == pytest.approx(60, abs=2)
    assert transmurality_bin(got.mean_percent[0]) == "26-50"


def test_error_shrinks_as_the_grid_is_refined():
    errors = []
    for pixel in (2.8, 1.4, 0.7, 0.35):
        off = [
            abs(_measure(annulus(pixel=pixel, slices=1, depth=(0.0, 0.4), centre=c)).mean_percent[0] - 40)
            for c in ((0.0, 0.0), (0.2, 0.1), (0.4, -0.3), (-0.1, 0.45))
        ]
        errors.append(np.mean(off))
    assert errors[-1] < 0.4
    assert errors[-1] < errors[1] < errors[0] + 0.5
    assert errors[-1] < 0.5 * errors[0]


@given(row=st.floats(-0.5, 0.5), column=st.floats(-0.5, 0.5), depth=st.floats(0.2, 0.95), inner=st.floats(15, 28))
@settings(max_examples=25, deadline=None)
def test_any_place_and_size_gives_what_the_voxels_hold(row, column, depth, inner):
    """Against the same voxels weighted by 1/radius from the true centre: nothing but the mask's own pixels may err."""
    p = annulus(slices=2, inner=inner, outer=inner + 10, depth=(0.0, depth), centre=(row, column))
    got = _measure(p)
    axis = (np.arange(p.scar.shape[1]) - p.scar.shape[1] // 2) * 1.4
    radius = np.maximum(np.hypot(axis[:, None] - row * 1.4, axis[None] - column * 1.4), 1.0)
    segment = p.aha[0] == 1
    exact = 100 * (p.scar[0] / radius)[segment].sum() / (1 / radius)[segment].sum()
    assert got.mean_percent[0] == pytest.approx(exact, abs=2.0)
    assert got.thickness_mm[0] == pytest.approx(10, abs=0.7)  # half a pixel: a border along the grid's rows
    # The pixels' own ring is up to 0.3 mm thicker or thinner than the circles it was drawn from.
    inside = p.cavity[0].sum() * 1.4**2
    drawn = np.sqrt((inside + p.myocardium[0].sum() * 1.4**2) / np.pi) - np.sqrt(inside / np.pi)
    assert np.nanmean(got.thickness_mm) == pytest.approx(drawn, abs=0.25)


def _chord_through(point, shift, inner, outer):
    """Thickness of an eccentric wall along the mid-wall normal, worked out from the two circles."""
    angle = np.linspace(0, 2 * np.pi, 20001)
    near = shift * np.cos(angle) + np.sqrt(inner**2 - (shift * np.sin(angle)) ** 2)
    middle = 0.5 * (near + outer)
    x, y = middle * np.cos(angle), middle * np.sin(angle)
    tangent = np.stack([np.gradient(x), np.gradient(y)])
    normal = np.stack([tangent[1], -tangent[0]]) / np.linalg.norm(tangent, axis=0)
    k = np.argmin(np.abs(angle - point))
    p, n = np.array([x[k], y[k]]), normal[:, k]

    def along(centre, radius):
        away = p - np.array([centre, 0.0])
        b = away @ n
        return np.sqrt(b * b - away @ away + radius**2) - b

    return along(0.0, outer) - along(shift, inner)


def test_an_eccentric_wall_is_crossed_straight():
    shift, inner, outer = 4.0, 20.0, 32.0
    p = annulus(pixel=0.7, slices=1, inner=inner, outer=outer, shift=shift, centre=(0, 0), depth=(0, 9), stop_deg=420)
    chords = wall_chords(p.scar, p.cavity, p.myocardium, p.spacing)
    at = chords.middle_mm[0] / 0.7 - np.array(p.cavity.shape[1:]) // 2
    angle = np.arctan2(-at[:, 0], at[:, 1])
    exact = np.array([_chord_through(a % (2 * np.pi), shift, inner, outer) for a in angle])
    assert np.abs(chords.thickness_mm[0] - exact).mean() < 0.2
    assert chords.thickness_mm[0].min() == pytest.approx(8, abs=0.5)
    assert chords.thickness_mm[0].max() == pytest.approx(16, abs=0.5)
    assert np.allclose(chords.scar_mm, chords.thickness_mm, atol=1e-5)


def test_chords_of_a_gap_in_the_wall_have_no_thickness():
    p = annulus(slices=1)
    open_wall = p.myocardium & (p.aha != 3)
    chords = wall_chords(p.scar & open_wall, p.cavity, open_wall, p.spacing)
    assert np.count_nonzero(chords.thickness_mm < 0.5) == pytest.approx(CHORDS / 6, abs=4)
    got = segment_transmurality(p.scar, p.cavity, open_wall, np.where(open_wall, p.aha, 0).astype(np.uint8), p.spacing)
    assert np.isnan(got.mean_percent[2])


def test_a_cap_without_cavity_and_an_empty_stack_do_not_break():
    p = annulus(slices=1, inner=0.0, outer=12.0, depth=(0.0, 1.01), start_deg=60, stop_deg=120)
    got = segment_transmurality(p.scar, p.cavity, p.myocardium, p.aha, p.spacing)
    assert not p.cavity.any()
    assert got.mean_percent[0] == pytest.approx(100)
    empty = np.zeros_like(p.cavity)
    assert np.isnan(segment_transmurality(empty, empty, empty, p.aha * 0, p.spacing).mean_percent).all()


def test_scar_of_the_next_segment_never_leaks_into_a_segment_without_scar():
    got = _measure(annulus(depth=(0.0, 1.01)))
    assert got.max_percent[1:6].tolist() == [0, 0, 0, 0, 0]
    assert got.mean_percent[0] > 99 and got.mean_percent[1:6].tolist() == [0, 0, 0, 0, 0]


def test_turning_the_stack_over_changes_nothing():
    p = annulus(depth=(0.0, 0.5))
    flipped = Phantom(
        *(np.ascontiguousarray(a[::-1, :, ::-1]) for a in (p.cavity, p.myocardium, p.scar, p.aha)), p.spacing
    )
    one, two = _measure(p), _measure(flipped)
    assert np.allclose(one.mean_percent, two.mean_percent, atol=0.7, equal_nan=True)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (0, "0"),
        (0.4, "0"),
        (0.6, "1-25"),
        (25.4, "1-25"),
        (25.6, "26-50"),
        (50.4, "26-50"),
        (50.6, "51-75"),
        (75.6, "76-100"),
        (100.0, "76-100"),
    ],
)
def test_bins(value, name):
    assert transmurality_bin(value) == name


def test_depth_runs_from_endocardium_to_epicardium():
    p = annulus(pixel=0.5, slices=1, centre=(0, 0))
    depth = wall_depth(p.cavity, p.myocardium, p.spacing)[0]
    row = depth[depth.shape[0] // 2]
    x = (np.arange(row.size) - row.size // 2) * 0.5
    right = (x > 22.4) & (x < 32.6)
    assert np.allclose(row[right], (x[right] - 22) / 11, atol=0.03)
    assert (depth[~p.myocardium[0]] == 0).all()
