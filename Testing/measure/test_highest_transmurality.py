"""The maximum transmurality on walls known on paper: annulus, eccentric wall and a cone on a half sphere."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_phantoms import annulus, divided, scarred_wall

from ScarSegECGLib.measure.expert import load_case
from ScarSegECGLib.measure.peak_transmurality import highest_transmurality
from ScarSegECGLib.measure.transmurality import _label_at, segment_transmurality, wall_chords

WALLS = (6.0, 8.0, 10.0, 12.0)
DEPTHS = (0.25, 0.35, 0.5, 0.75, 0.9)
SHAPES = ("annulus", "eccentric", "cone")


def _off(shape, wall, depth, random, pixel=1.4, slice_mm=8.0):
    """Points of the wall by which the maximum of each scarred segment is too high, at a random place and turn."""
    turn = random.choice([0, 15, 30, 45, 60, 75, random.uniform(0, 360)])
    p, scarred = scarred_wall(shape, wall, depth, turn, tuple(random.uniform(-0.5, 0.5, 2)), pixel, slice_mm)
    got = highest_transmurality(p.scar, p.cavity, p.myocardium, p.aha, p.spacing, int(p.aha.max()))
    return [100 * (got[number] - depth) for number in scarred]


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
@settings(max_examples=30, deadline=None, derandomize=True)  # places further off are known: the next test
def test_no_place_or_turn_is_far_off(shape, wall, depth, turn, row, column):
    p, scarred = scarred_wall(shape, wall, depth, turn, (row, column))
    got = segment_transmurality(p.scar, p.cavity, p.myocardium, p.aha, p.spacing, int(p.aha.max()))
    for number in scarred:
        assert got.max_percent[number - 1] == pytest.approx(100 * depth, abs=4)


@pytest.mark.xfail(strict=True, reason="the furthest known place: 4.5 points too high, told in docs/measuring.md")
def test_the_furthest_known_place_is_no_further_off_than_others():
    p, scarred = scarred_wall("cone", 14.0, 0.5, 0.25, (0.0625, 0.0))
    got = segment_transmurality(p.scar, p.cavity, p.myocardium, p.aha, p.spacing, int(p.aha.max()))
    assert [got.max_percent[number - 1] for number in scarred] == pytest.approx([50.0] * len(scarred), abs=4)


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


def _highest(p, number=1):
    return segment_transmurality(p.scar, p.cavity, p.myocardium, p.aha, p.spacing, 6).max_percent[number - 1]


@pytest.mark.parametrize("start", [62, 86, 108])
def test_narrow_scar_has_its_depth_wherever_in_the_segment_it_lies(start):
    assert _highest(annulus(start_deg=start, stop_deg=start + 8, depth=(0.0, 0.5))) == pytest.approx(50, abs=6)


@pytest.mark.parametrize("pixel", [2.0, 1.4, 0.7, 0.35])
def test_12_degrees_of_transmural_scar_are_100_percent_at_every_pixel_size(pixel):
    for centre in ((0.31, -0.23), (0.0, 0.0), (0.45, 0.1)):
        for start in (62, 84, 106):
            p = annulus(pixel=pixel, slices=1, start_deg=start, stop_deg=start + 12, depth=(0, 1.01), centre=centre)
            assert _highest(p) > 98


@pytest.mark.parametrize("wall", WALLS)
@pytest.mark.parametrize("width", [5.0, 6.0, 8.0, 10.0, 12.0])
def test_narrow_scar_is_right_on_average(width, wall):
    """One slice, at either border or in the middle of the segment, any turn; single places in 6 mm of wall scatter."""
    random, off = np.random.default_rng(int(100 * wall + width)), []
    angle = np.degrees(width / (22 + wall / 2))
    for depth, place in itertools.product((0.25, 0.5, 0.75, 1.0), (0.0, 0.5, 1.0)):
        for turn in (0.0, 45.0, *random.uniform(0, 360, 4)):
            p, _ = scarred_wall(
                "annulus", wall, 1.01 if depth == 1 else depth, turn, tuple(random.uniform(-0.5, 0.5, 2))
            )
            size = p.scar.shape[1]
            y, x = np.meshgrid(*2 * [(np.arange(size) - size // 2) * 1.4], indexing="ij")
            away = (np.degrees(np.arctan2(-y, x)) - turn - place * (60 - angle)) % 360
            scar = (p.scar & (away < angle))[:1]
            got = segment_transmurality(scar, p.cavity[:1], p.myocardium[:1], p.aha[:1], p.spacing, 6)
            off.append(got.max_percent[0] - 100 * depth)
    assert abs(np.mean(off)) < (2.5 if wall < 7 else 2.0)
    assert np.std(off) < (6.0 if wall < 9 else 4.0)


def test_two_layers_at_one_place_are_added():
    p, _ = scarred_wall("annulus", 10.0, 0.3, 20.0, (0.2, -0.4))
    outer, _ = scarred_wall("annulus", 10.0, 1.01, 20.0, (0.2, -0.4), first=0.6)
    got = segment_transmurality(p.scar | outer.scar, p.cavity, p.myocardium, p.aha, p.spacing, 6)
    assert got.max_percent[0] == pytest.approx(70, abs=2.5)


def test_a_stray_voxel_or_column_is_no_transmural_scar():
    p = annulus(depth=(0.0, 1.01))
    middle = p.scar.shape[2] // 2
    column = np.zeros_like(p.scar)
    column[1, : p.scar.shape[1] // 2, middle] = p.scar[1, : p.scar.shape[1] // 2, middle]
    one = np.zeros_like(p.scar)
    one[tuple(np.argwhere(column)[3])] = True
    for scar, most in ((column, 50), (one, 10)):
        got = segment_transmurality(scar, p.cavity, p.myocardium, p.aha, p.spacing, 6)
        assert got.mean_percent[0] < got.max_percent[0] < most


@given(seed=st.integers(0, 10**6), share=st.floats(0.01, 0.95))
@settings(max_examples=30, deadline=None)
def test_random_scar_is_never_0_nor_below_the_mean(seed, share):
    p, _ = scarred_wall("annulus", 10.0, 1.01, 30.0, (0.1, 0.3))
    scar = p.myocardium & (np.random.default_rng(seed).random(p.scar.shape) < share)
    got = segment_transmurality(scar, p.cavity, p.myocardium, p.aha, p.spacing, 6)
    has = np.bincount(p.aha[scar], minlength=7)[1:] > 0
    assert (got.max_percent[has] > 0).all() and (got.max_percent[~has] == 0).all()
    assert (got.max_percent >= got.mean_percent).all() and got.max_percent.max() <= 100


def test_expert_scar_of_patients_is_not_missed(shared_data):
    """Against a plain maximum over three neighbouring chords (about 3.5 mm), whose pixels' ups it does not share: 10 of
    396 segments lie more than 25 points behind it (25 while stretches of 12 mm were measured)."""
    behind, count = 0, 0
    for folder in sorted((shared_data / "emidec" / "cases").glob("Case_P*")):
        case = load_case(folder)
        spacing = case.stack.spacing
        aha = divided(case.cavity, case.myocardium, case.stack.voxels, spacing).aha
        got = segment_transmurality(case.scar, case.cavity, case.myocardium, aha, spacing)
        chords = wall_chords(case.scar, case.cavity, case.myocardium, spacing)
        label = _label_at(aha, chords, spacing)
        share = chords.scar_mm / np.maximum(chords.thickness_mm, 1e-9)
        share = (share + np.roll(share, 1, axis=1) + np.roll(share, -1, axis=1)) / 3
        scarred, wall = (np.bincount(aha[m], minlength=18)[1:18] for m in (case.scar, case.myocardium))
        assert (got.max_percent[scarred > 0] > 0).all()
        for number in np.flatnonzero(scarred > 0.01 * wall) + 1:
            count += 1
            behind += 100 * share[label == number].max(initial=0) - got.max_percent[number - 1] > 25
    assert count > 390 and behind <= 0.03 * count
