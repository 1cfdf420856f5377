"""The quick in-plane operations do what the general ones do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from ScarSegECGLib.measure.parts import _enclosed
from ScarSegECGLib.measure.wall import grown, shrunk

_DISC = ndimage.generate_binary_structure(2, 1)[None]


@pytest.mark.parametrize("times", [1, 2, 3])
@given(seed=st.integers(0, 999), share=st.floats(0.02, 0.98))
@settings(max_examples=20, deadline=None)
def test_growing_and_shrinking(times, seed, share):
    mask = np.random.default_rng(seed).random((3, 11, 9)) < share
    before = mask.copy()
    assert np.array_equal(grown(mask, times), ndimage.binary_dilation(mask, _DISC, iterations=times))
    assert np.array_equal(shrunk(mask, times), ndimage.binary_erosion(mask, _DISC, iterations=times))
    assert np.array_equal(mask, before)


@given(seed=st.integers(0, 999), share=st.floats(0.2, 0.9))
@settings(max_examples=30, deadline=None)
def test_what_is_enclosed(seed, share):
    solid = np.random.default_rng(seed).random((3, 12, 10)) < share
    holes = np.stack([ndimage.binary_fill_holes(one) for one in solid]) & ~solid
    assert np.array_equal(_enclosed(solid), holes)
