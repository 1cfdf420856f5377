"""Images degraded as clinics see them: seeded, on the same grid, worse in every way that is claimed."""

from __future__ import annotations

import numpy as np
import pytest
from phantom import phantom_patient

from ScarSegECGLib.case import LgeStack, Storage
from ScarSegECGLib.training.degrade import degrade, ghosts
from ScarSegECGLib.wording import words


@pytest.fixture(scope="module")
def stack() -> LgeStack:
    return phantom_patient(0).stack


def test_one_seed_gives_one_stack_on_the_same_grid(stack: LgeStack) -> None:
    first, again, other = degrade(stack, 3), degrade(stack, 3), degrade(stack, 4)
    assert np.array_equal(first.voxels, again.voxels) and not np.array_equal(first.voxels, other.voxels)
    assert first.voxels.shape == stack.voxels.shape and first.voxels.dtype == np.float32
    assert np.array_equal(first.ijk_to_ras, stack.ijk_to_ras)
    assert "on purpose" in words(first.notes[-1])


def test_contrast_falls_and_noise_rises(stack: LgeStack) -> None:
    worse = degrade(stack, 5)
    size = np.array(stack.voxels.shape[1:])
    inner = tuple(slice(n // 2 - n // 8, n // 2 + n // 8) for n in size)
    for before, after in zip(stack.voxels, worse.voxels, strict=True):
        spread = [np.ptp(np.percentile(plane[inner], [10, 90])) for plane in (before, after)]
        assert spread[1] < spread[0]
    corner = stack.voxels[:, :8, :8]
    assert np.array_equal(worse.voxels[:, :8, :8][corner == 0], corner[corner == 0])


def test_breathing_blurs_along_one_axis_and_keeps_the_mean() -> None:
    image = np.zeros((64, 48))
    image[28:36, 20:28] = 100.0
    moved = ghosts(image, 1.4, 3.0, 4.0, 0.3)
    assert np.abs(moved[:, :18]).max() < 1e-6, "columns that hold nothing stay empty"
    assert np.abs(moved[:20, 20:28]).max() > 1.0, "ghosts lie far from the object"
    assert moved.max() < 120.0
    np.testing.assert_allclose(ghosts(image, 1.4, 0.0, 4.0, 0.3), image, atol=1e-9)


def test_a_missing_slice_is_an_inner_one_in_about_half_of_the_stacks() -> None:
    def missing(slices: int, seed: int) -> list[int]:
        """Slices whose level is their neighbours'; contrast and noise leave flat slices as they are."""
        level = np.where(np.arange(slices) % 2, 1000.0, 100.0)
        flat = np.tile(level[:, None, None], (1, 64, 64)).astype(np.float32)
        worse = degrade(LgeStack(flat, np.eye(4), Storage(), np.eye(4)), seed).voxels.mean(axis=(1, 2))
        return np.flatnonzero(np.abs(worse - level) > 400).tolist()

    lacking = [missing(9, seed) for seed in range(200)]
    assert max(map(len, lacking)) == 1 and 70 < sum(map(len, lacking)) < 130
    assert {k for some in lacking for k in some} == set(range(1, 8))
    assert not any(missing(3, seed) for seed in range(20))
