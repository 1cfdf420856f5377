"""The evaluation measures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from ScarSegECGLib.measure.overlap import hausdorff95, overlap

SPACING = (8.0, 1.5, 1.25)


def _blocks(seed, shape=(5, 18, 20)):
    rng = np.random.default_rng(seed)
    return rng.random(shape) > 0.9, rng.random(shape) > 0.93


def test_known_counts():
    a, b = np.zeros((2, 4, 5, 5), dtype=bool)
    a[0, 0, :4], b[0, 0, 2:], b[1, 0, 0] = True, True, True
    got = overlap(a, b, SPACING)
    assert got.dice == pytest.approx(2 * 2 / 8)
    assert got.precision == pytest.approx(2 / 4) and got.sensitivity == pytest.approx(2 / 4)
    assert got.volume_error_ml == 0
    a[2] = True
    assert overlap(a, b, SPACING).volume_error_ml == pytest.approx(25 * 8 * 1.5 * 1.25 / 1000)


def test_empty_masks_are_never_a_perfect_score():
    empty, full = np.zeros((2, 3, 3), dtype=bool), np.ones((2, 3, 3), dtype=bool)
    both = overlap(empty, empty, SPACING)
    assert (both.dice, both.precision, both.sensitivity, both.hd95_mm) == (None, None, None, None)
    assert both.volume_error_ml == 0
    missed, invented = overlap(empty, full, SPACING), overlap(full, empty, SPACING)
    assert (missed.dice, missed.precision, missed.sensitivity, missed.hd95_mm) == (0, None, 0, None)
    assert (invented.dice, invented.precision, invented.sensitivity) == (0, 0, None)
    with pytest.raises(ValueError, match="shape"):
        overlap(empty, full[1:], SPACING)


@given(shift=st.integers(0, 4), axis=st.integers(0, 2))
@settings(max_examples=15, deadline=None)
def test_distance_of_a_moved_block_is_the_shift_in_mm(shift, axis):
    a = np.zeros((12, 14, 14), dtype=bool)
    a[4:5, 5:6, 5:6] = True
    b = np.roll(a, shift, axis=axis)
    assert hausdorff95(a, b, SPACING) == pytest.approx(shift * SPACING[axis])


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_symmetry_and_identity(seed):
    a, b = _blocks(seed)
    one, two = overlap(a, b, SPACING), overlap(b, a, SPACING)
    assert one.hd95_mm == two.hd95_mm and one.dice == two.dice
    assert one.precision == two.sensitivity
    same = overlap(a, a, SPACING)
    assert (same.dice, same.hd95_mm, same.volume_error_ml) == (1, 0, 0)


def test_distance_agrees_with_every_pair_of_surface_voxels():
    for seed in range(3):
        a, b = _blocks(seed)
        points = [np.argwhere(m & ~ndimage.binary_erosion(m)) * SPACING for m in (a, b)]
        pairs = np.linalg.norm(points[0][:, None] - points[1][None], axis=-1)
        exact = max(np.percentile(pairs.min(axis=1), 95), np.percentile(pairs.min(axis=0), 95))
        assert hausdorff95(a, b, SPACING) == pytest.approx(exact)
