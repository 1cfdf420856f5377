"""Slices displaced between breath-holds: found, put in line, and results brought back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ScarSegECGLib.case import Anatomy, Burden, EcgUse, LgeStack, ScarResult, Storage, TimeGap
from ScarSegECGLib.facts import Fact, LgeNote, Method
from ScarSegECGLib.lge.slice_shift import (
    corrected,
    estimate_shifts,
    move,
    native_result,
)
from ScarSegECGLib.wording import words

SPACING = (8.0, 1.4, 1.4)


def _ventricle(shifts_mm: dict[int, tuple[float, float]], slices: int = 9, bend_mm: float = 0.0, jitter: float = 0.0):
    """Circles on a tilted, perhaps bent line, some of them displaced."""
    rows = np.arange(100)[:, None] * SPACING[1]
    columns = np.arange(100)[None] * SPACING[2]
    random = np.random.default_rng(5)
    cavity, wall = (np.zeros((slices, 100, 100), bool) for _ in range(2))
    for k in range(slices):
        x = k / (slices - 1) - 0.5
        off = np.array(shifts_mm.get(k, (0.0, 0.0))) + random.normal(0, jitter, 2)
        radius = np.hypot(rows - 70 - 10 * x - 4 * bend_mm * x**2 - off[0], columns - 70 + 8 * x - off[1])
        cavity[k], wall[k] = radius < 12 + k, (radius >= 12 + k) & (radius < 21 + k)
    return cavity, wall


def _stack(voxels: np.ndarray) -> LgeStack:
    matrix = np.diag([SPACING[2], SPACING[1], SPACING[0], 1.0])
    return LgeStack(voxels.astype(np.float32), matrix, Storage(), matrix, notes=(Fact(LgeNote.SIMULATED),))


@pytest.mark.parametrize("bend_mm", [0.0, 5.0])
@pytest.mark.parametrize("where", [2, 5, 8])
def test_a_displaced_slice_is_found_and_nothing_else_is_moved(where, bend_mm):
    shifts = estimate_shifts(*_ventricle({where: (-10.0, 7.0)}, bend_mm=bend_mm), SPACING)
    assert np.flatnonzero(shifts.moved).tolist() == [where]
    assert shifts.mm[where] == pytest.approx((-10.0, 7.0), abs=2.0)
    assert shifts.confidence[where] > 0.95 > np.delete(shifts.confidence, where).max()
    assert shifts.fact(LgeNote.SHIFTS_CORRECTED)["slices"] == (where + 1,)


def test_a_bent_ventricle_drawn_by_a_hand_is_left_alone():
    moved = []
    for slices in (5, 7, 9, 12):
        for bend in (-6.0, 0.0, 6.0):
            moved.append(estimate_shifts(*_ventricle({}, slices, bend, jitter=0.8), SPACING).moved)
    assert np.concatenate(moved).mean() < 0.03


def test_two_displaced_slices_do_not_hide_each_other():
    shifts = estimate_shifts(*_ventricle({3: (9.0, 0.0), 4: (9.0, 3.0)}, slices=11), SPACING)
    assert np.flatnonzero(shifts.moved).tolist() == [3, 4]


@pytest.mark.parametrize("slices", [1, 4])
def test_too_few_slices_say_nothing(slices):
    cavity, wall = _ventricle({0: (20.0, 0.0)}, slices=9)
    shifts = estimate_shifts(cavity[:slices], wall[:slices], SPACING)
    assert np.isnan(shifts.mm).all() and not shifts.confidence.any() and not shifts.moved.any()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(-6, 6), st.integers(-6, 6)), min_size=3, max_size=3))
def test_moving_there_and_back_is_exact(pixels):
    voxels = np.zeros((3, 30, 31))
    voxels[:, 7:22, 8:23] = np.random.default_rng(0).normal(size=(3, 15, 15))
    there = move(voxels, np.array(pixels))
    assert np.array_equal(move(there, -np.array(pixels)), voxels)
    assert there.sum() == pytest.approx(voxels.sum())


def test_a_slice_moved_out_of_the_image_is_empty():
    assert not move(np.ones((1, 8, 8)), np.array([[9, 0]])).any()


def test_the_corrected_stack_keeps_its_grid_and_intensities_and_says_what_was_done():
    cavity, wall = _ventricle({4: (9.8, -8.4)})
    stack = _stack(cavity * 100.0 + wall * 20.0)
    shifts = estimate_shifts(cavity, wall, SPACING)
    straight = corrected(stack, shifts)
    assert np.array_equal(straight.ijk_to_ras, stack.ijk_to_ras)
    assert np.array_equal(np.unique(straight.voxels), np.unique(stack.voxels))
    true_cavity, _ = _ventricle({})
    assert (straight.voxels[4] == 100.0).sum() == cavity[4].sum()
    assert (true_cavity[4] & (straight.voxels[4] == 100.0)).sum() > 0.9 * true_cavity[4].sum()
    assert "5 (13 mm" in words(straight.notes[-1]) and "as acquired" in words(straight.notes[-1])
    unmoved = estimate_shifts(true_cavity, _ventricle({})[1], SPACING)
    assert corrected(stack, unmoved) is stack


def test_results_lie_on_the_images_as_acquired():
    cavity, wall = _ventricle({4: (9.8, -8.4), 6: (0.0, 11.2)}, slices=11)
    stack = _stack(cavity * 100.0 + wall * 20.0)
    shifts = estimate_shifts(cavity, wall, SPACING)
    assert shifts.moved.sum() == 2
    straight = corrected(stack, shifts)
    inside, muscle = move(cavity, shifts.pixels), move(wall, shifts.pixels)
    centres = np.array([np.argwhere(c).mean(axis=0) for c in inside]) * SPACING[1:]
    empty = np.full((11, 2), np.nan)
    anatomy = Anatomy(inside, muscle, muscle.astype(np.uint8), centres, empty, np.zeros(11), "fixed", (True,) * 17)
    labels = inside.astype(np.uint8) + 2 * muscle
    nothing = Burden(0, 0, 0)
    found = ScarResult(
        stack=straight,
        ecg=None,
        ecg_use=EcgUse(0.0, (), TimeGap(None)),
        anatomy=anatomy,
        labels=labels,
        scar_probability=muscle.astype(np.float32),
        scar_probability_image_only=muscle.astype(np.float32),
        cavity_ml=1.0,
        myocardium_ml=1.0,
        scar=nothing,
        scar_image_only=nothing,
        segments=(),
        method=Method(),
    )
    back = native_result(found, stack, shifts)
    assert np.array_equal(back.labels, cavity.astype(np.uint8) + 2 * wall)
    assert np.array_equal(back.anatomy.cavity, cavity) and np.array_equal(back.anatomy.aha > 0, wall)
    assert np.array_equal(back.scar_probability > 0, wall)
    assert np.array_equal(back.stack.voxels, stack.voxels) and back.stack.notes == straight.notes
    expected = np.array([np.argwhere(c).mean(axis=0) for c in cavity]) * SPACING[1:]
    assert back.anatomy.centres_mm == pytest.approx(expected)


def test_displacements_made_in_real_contours_are_undone(shared_data):
    """The restored slices were aligned before publication (their centres lie 0.1 mm off a parabola), so displacements
    are made here; drawn contours of slices as acquired scatter more."""
    nibabel = pytest.importorskip("nibabel")
    random = np.random.default_rng(3)
    left, wrong, others = [], 0, 0
    for file in sorted((shared_data / "emidec" / "cases").glob("Case_*/*_seg.nii.gz"))[::4]:
        seg = nibabel.load(file)
        labels = np.asarray(seg.dataobj).T
        spacing = tuple(float(z) for z in seg.header.get_zooms()[::-1])
        shown = np.flatnonzero((labels == 1).any(axis=(1, 2)))
        assert not estimate_shifts(labels == 1, labels >= 2, spacing).moved.any()
        made = np.zeros((len(labels), 2), int)
        one, turn = random.choice(shown), random.uniform(0, 2 * np.pi)
        made[one] = np.rint(8.0 * np.array([np.sin(turn), np.cos(turn)]) / spacing[1:])
        displaced = move(labels, made)
        shifts = estimate_shifts(displaced == 1, displaced >= 2, spacing)
        left.append(np.linalg.norm((shifts.pixels + made)[one] * spacing[1:]))
        wrong += np.delete(shifts.moved, one).sum()
        others += len(shown) - 1
    assert np.mean(np.array(left) < 3.0) >= 0.9 and wrong <= 0.02 * others
