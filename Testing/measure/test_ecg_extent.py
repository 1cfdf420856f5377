"""The ECG's extents move the image's logit as far as they may, and never take away scar that the image shows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ScarSegECGLib.measure.ecg_extent import (
    MARGIN,
    both_movements,
    missing_logit,
    movement_to_extent,
    never_erasing,
    shift_to_extent,
)
from ScarSegECGLib.measure.scar_probability import SCAR_ABOVE, scar_probability

SHAPE = (2, 40, 40)


def scene(seed: int = 0):
    """Two segments, 3 on the left and 9 on the right, of a wall whose logits lie below and above the limit."""
    rng = np.random.default_rng(seed)
    aha = np.zeros(SHAPE, np.uint8)
    aha[:, 5:35, 5:20], aha[:, 5:35, 20:35] = 3, 9
    prior = np.zeros((2, 17, 40, 40), np.float32)
    for segment in (3, 9):
        prior[:, segment - 1][aha == segment] = 1
    logit = rng.normal(-0.5, 1.0, SHAPE).astype(np.float32)
    wall = rng.uniform(0.7, 1.0, SHAPE).astype(np.float32)
    bright = logit + rng.normal(0, 1, SHAPE) > 0
    return aha, prior, logit, wall, bright


def extent(aha, logit, wall, bright, segment: int) -> float:
    shown = scar_probability(logit, wall, bright, aha > 0) > SCAR_ABOVE
    return float(shown[aha == segment].mean())


def test_what_is_missing_is_what_must_be_added() -> None:
    _, _, logit, wall, bright = scene()
    inside = np.ones(SHAPE, bool)
    missing = missing_logit(logit, wall, bright)
    reachable = np.abs(missing) < 6
    above = scar_probability(logit + missing + 0.01, wall, bright, inside) > SCAR_ABOVE
    below = scar_probability(logit + missing - 0.01, wall, bright, inside) > SCAR_ABOVE
    assert reachable.mean() > 0.9 and above[reachable].all() and not below[reachable].any()


@pytest.mark.parametrize("wanted", [0.25, 0.35, 0.5])
def test_a_segment_is_brought_to_the_extent_asked_for_and_no_other(wanted: float) -> None:
    aha, prior, logit, wall, bright = scene()
    own = [extent(aha, logit, wall, bright, segment) for segment in (3, 9)]
    extents = np.zeros(17)
    extents[2], extents[8] = wanted, own[1]
    moved = logit + movement_to_extent(logit, wall, bright, aha, prior, extents, margin=0.0)
    assert extent(aha, moved, wall, bright, 3) == pytest.approx(wanted, abs=0.01)
    assert extent(aha, moved, wall, bright, 9) == pytest.approx(own[1], abs=0.002)
    assert not (moved - logit)[aha == 0].any()


def test_what_lies_within_the_margin_is_no_disagreement() -> None:
    aha, prior, logit, wall, bright = scene()
    extents = np.zeros(17)
    for segment, off in ((3, 0.9 * MARGIN), (9, -0.9 * MARGIN)):
        extents[segment - 1] = extent(aha, logit, wall, bright, segment) + off
    assert not movement_to_extent(logit, wall, bright, aha, prior, extents).any()
    extents[2] += 0.2 * MARGIN
    assert movement_to_extent(logit, wall, bright, aha, prior, extents)[aha == 3].min() > 0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_never_beyond_its_bounds_and_never_erasing(seed: int, first: float, second: float, amplitude: float) -> None:
    aha, prior, logit, wall, bright = scene(seed)
    extents = np.zeros(17)
    extents[2], extents[8] = first, second
    inside = aha > 0
    alone = scar_probability(logit, wall, bright, inside)
    features = np.random.default_rng(seed).uniform(-1, 2, SHAPE).astype(np.float32) * amplitude
    extents_say = movement_to_extent(logit, wall, bright, aha, prior, extents)
    movement = never_erasing(both_movements(features, extents_say, amplitude), alone)
    assert movement.min() >= -amplitude - 1e-6 and movement.max() <= 2 * amplitude + 1e-6
    together = scar_probability(logit + movement, wall, bright, inside)
    assert (together[alone > SCAR_ABOVE] >= alone[alone > SCAR_ABOVE]).all()
    if amplitude == 0:
        assert np.array_equal(together, alone)


def test_permuted_segments_take_their_shift_with_them() -> None:
    aha, _, logit, wall, bright = scene()
    missing = missing_logit(logit, wall, bright)
    extents = np.linspace(0, 1, 17)
    order = np.random.default_rng(3).permutation(17)
    permuted = np.concatenate([[0], order + 1]).astype(np.uint8)[aha]
    straight = shift_to_extent(missing, aha, extents[order])
    assert np.array_equal(shift_to_extent(missing, permuted, extents)[order], straight)
    assert straight[[2, 8]].all() and not np.delete(straight, [2, 8]).any()
