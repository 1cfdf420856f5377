from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lv_phantom import divided, lv_phantom

from ScarSegECGLib.anatomy import aha
from ScarSegECGLib.anatomy.aha import rings_of
from ScarSegECGLib.facts import AhaMode, Division


def anatomy_of(mode="fixed", segments=17, insertions=(130.0, 245.0)):
    p = lv_phantom(slices=8, cap=1, spacing=(8.0, 2.5, 2.0))
    given_deg = np.array(insertions)
    division = Division(AhaMode(mode), segments)
    return divided(p.cavity, p.myocardium, None, p.spacing, insertions_deg=given_deg, division=division), p.spacing


def soft_prior(anatomy, spacing, *sigma, **jitter):
    """On whole slices."""
    prior = aha.soft_prior(anatomy, spacing, *sigma, **jitter)
    (top, left), (rows, columns) = prior.corner, anatomy.aha.shape[1:]
    kept = prior.values[:, :, : rows - top, : columns - left]
    whole = np.zeros((*kept.shape[:2], rows, columns), np.float32)
    whole[:, :, top : top + kept.shape[2], left : left + kept.shape[3]] = kept
    return whole


@settings(max_examples=15, deadline=None)
@given(st.floats(0.1, 40), st.floats(0.05, 2), st.sampled_from(["fixed", "landmark"]), st.floats(-15, 15))
def test_rows_sum_to_one_inside_and_to_zero_outside(sigma_deg, sigma_slice, mode, turn):
    anatomy, spacing = anatomy_of(mode)
    prior = soft_prior(anatomy, spacing, sigma_deg, sigma_slice, rotate_deg=turn)
    assert prior.dtype == np.float32 and prior.shape == (8, 17, *anatomy.aha.shape[1:]) and prior.min() >= 0
    assert np.allclose(prior.sum(axis=1), anatomy.aha > 0, atol=1e-5)


@pytest.mark.parametrize("mode", ["fixed", "landmark"])
@pytest.mark.parametrize("segments", [16, 17])
def test_without_blur_it_is_the_partition(mode, segments):
    anatomy, spacing = anatomy_of(mode, segments)
    prior = soft_prior(anatomy, spacing, 1e-6, 1e-3)
    inside = anatomy.aha > 0
    assert np.array_equal((prior.argmax(axis=1) + 1)[inside], anatomy.aha[inside])
    assert set(np.unique(prior)) == {0.0, 1.0}


def test_blur_keeps_the_middle_of_a_segment_and_shares_its_border():
    anatomy, spacing = anatomy_of()
    prior = soft_prior(anatomy, spacing, 10.0, 1e-3).max(axis=1)[anatomy.aha > 0]
    assert prior.max() > 0.99 and 0.45 < prior.min() < 0.6


def test_jitter_turns_the_sectors_and_moves_the_rings():
    anatomy, spacing = anatomy_of()
    turned, _ = anatomy_of(insertions=(145.0, 260.0))
    assert np.allclose(
        soft_prior(anatomy, spacing, 5.0, 0.5, rotate_deg=15.0), soft_prior(turned, spacing, 5.0, 0.5), atol=1e-6
    )
    moved = soft_prior(anatomy, spacing, 1e-6, 1e-3, shift_slices=1)
    assert rings_of(anatomy).tolist() == [3, 2, 2, 1, 1, 1, 0, 0]
    assert [int(np.flatnonzero(p.sum(axis=(1, 2)))[-1]) // 6 for p in moved] == [2, 2, 2, 2, 1, 1, 1, 0]


def test_unknown_geometry_gives_nothing():
    anatomy, spacing = anatomy_of()
    unknown = anatomy.insertions_deg.copy()
    unknown[3] = np.nan
    prior = soft_prior(replace(anatomy, insertions_deg=unknown), spacing)
    assert not prior[3].any() and prior[2].any()
    assert not soft_prior(replace(anatomy, aha=np.zeros_like(anatomy.aha)), spacing).any()
