"""Canonical storage: the same heart comes out the same, however its file is ordered."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ScarSegECGLib.case import Storage
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.orientation import (
    ANTERIOR_TO_INFERIOR,
    APEX_TO_BASE,
    LONG_AXIS_VIEW_DEG,
    SEPTUM_TO_LATERAL,
    canonical,
    short_axis_angle_deg,
)
from ScarSegECGLib.wording import all_words, words

REORDERINGS = list(itertools.product(itertools.permutations(range(3)), itertools.product((False, True), repeat=3)))


def pose(spacing: tuple[float, float, float], turn: NDArray | None = None) -> NDArray[np.float64]:
    """Matrix of a short-axis stack in canonical order, optionally turned by a rotation vector (rad)."""
    lateral = SEPTUM_TO_LATERAL - APEX_TO_BASE * (SEPTUM_TO_LATERAL @ APEX_TO_BASE)
    lateral /= np.linalg.norm(lateral)
    axes = np.column_stack([lateral, np.cross(APEX_TO_BASE, lateral), APEX_TO_BASE])
    if turn is not None:
        axes = Rotation.from_rotvec(turn).as_matrix() @ axes
    matrix = np.eye(4)
    matrix[:3, :3] = axes * np.array(spacing[::-1])
    matrix[:3, 3] = (12.0, -34.0, 56.0)
    return matrix


def reordered(
    voxels: NDArray, matrix: NDArray, axes: tuple[int, ...], flips: tuple[bool, ...]
) -> tuple[NDArray, NDArray]:
    """The same image stored otherwise, and its matrix."""
    out = np.transpose(voxels, axes)
    new = np.eye(4)
    new[:3, 3] = matrix[:3, 3]
    for axis, (source, flip) in enumerate(zip(axes, flips, strict=True)):
        step = matrix[:3, 2 - source]
        new[:3, 2 - axis] = -step if flip else step
        if flip:
            new[:3, 3] += step * (out.shape[axis] - 1)
            out = np.flip(out, axis)
    return out, new


def test_reference_directions_are_a_right_handed_view_from_the_apex() -> None:
    assert abs(SEPTUM_TO_LATERAL @ APEX_TO_BASE) < 0.15
    assert abs(ANTERIOR_TO_INFERIOR @ APEX_TO_BASE) < 0.15
    assert np.cross(SEPTUM_TO_LATERAL, ANTERIOR_TO_INFERIOR) @ APEX_TO_BASE > 0.98


@settings(max_examples=8, deadline=None)
@given(
    turn=st.tuples(*[st.floats(-0.5, 0.5)] * 3),
    shape=st.tuples(st.integers(3, 5), st.integers(4, 6), st.integers(4, 6)),
    spacing=st.tuples(st.floats(5, 13), st.floats(0.8, 2), st.floats(0.8, 2)),
    seed=st.integers(0, 2**16),
)
def test_all_48_orders_of_a_file_give_the_identical_stack(turn, shape, spacing, seed) -> None:
    voxels = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    matrix = pose(spacing, np.array(turn))
    wanted = canonical(voxels, matrix)
    for axes, flips in REORDERINGS:
        stored, stored_matrix = reordered(voxels, matrix, axes, flips)
        got = canonical(stored, stored_matrix)
        assert got.voxels.tobytes() == wanted.voxels.tobytes()
        assert got.voxels.shape == wanted.voxels.shape
        np.testing.assert_allclose(got.ijk_to_ras, wanted.ijk_to_ras, atol=1e-9)
        np.testing.assert_array_equal(got.storage.to_stored(got.voxels), stored)
        np.testing.assert_array_equal(got.stored_ijk_to_ras, stored_matrix)


@pytest.mark.parametrize(("axes", "flips"), REORDERINGS)
def test_a_heart_in_average_pose_comes_out_apex_first_septum_left_anterior_up(axes, flips) -> None:
    voxels = np.arange(3 * 4 * 5, dtype=np.float32).reshape(3, 4, 5)
    matrix = pose((8.0, 1.5, 1.2))
    stack = canonical(*reordered(voxels, matrix, axes, flips))
    np.testing.assert_array_equal(stack.voxels, voxels)
    np.testing.assert_allclose(stack.ijk_to_ras, matrix, atol=1e-12)
    assert stack.spacing == pytest.approx((8.0, 1.5, 1.2))
    assert stack.notes == ()


def test_anatomy_is_never_mirrored() -> None:
    # Only very oblique poses tempt the score to a mirrored picture, so many are tried.
    rng = np.random.default_rng(2)
    tried = 0
    for turn, order in zip(
        Rotation.from_quat(rng.normal(size=(2000, 4))).as_rotvec(), rng.integers(0, 48, 2000), strict=True
    ):
        matrix = pose((8.0, 1.5, 1.5), turn)
        if short_axis_angle_deg(matrix[:3, 2]) > LONG_AXIS_VIEW_DEG:
            continue
        stored = reordered(np.zeros((3, 4, 5), np.float32), matrix, *REORDERINGS[order])
        column, row, slice_ = canonical(*stored).ijk_to_ras[:3, :3].T
        assert np.cross(column, row) @ slice_ > 0
        assert slice_ @ APEX_TO_BASE >= -1e-6
        tried += 1
    assert tried > 1000


@settings(max_examples=50, deadline=None)
@given(angle=st.floats(-40, 40))
def test_a_display_turned_less_than_45_degrees_is_kept(angle) -> None:
    voxels = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    stack = canonical(voxels, pose((8.0, 1.5, 1.5), np.radians(angle) * APEX_TO_BASE))
    assert stack.storage == Storage()


def test_both_ways_of_showing_a_short_axis_are_kept() -> None:
    # The real series of the shared data and the mean of 700 published studies; LPS, along a row and along a column.
    shown = [(0.79, 0.0, 0.61, 0.38, 0.79, -0.49), (0.617, 0.777, -0.128, -0.397, 0.167, -0.902)]
    for cosines in shown:
        row, column = np.array(cosines).reshape(2, 3) * [-1, -1, 1]
        column -= row * (row @ column) / (row @ row)
        matrix = np.eye(4)
        matrix[:3, :3] = np.column_stack([1.5 * row, 1.5 * column, 8 * np.cross(row, column)])
        assert canonical(np.zeros((3, 4, 5)), matrix).storage == Storage()


def test_exact_ties_do_not_depend_on_the_order_of_the_file() -> None:
    voxels = np.random.default_rng(1).normal(size=(3, 5, 5)).astype(np.float32)
    matrix = pose((8.0, 1.5, 1.5), np.radians(45.0) * APEX_TO_BASE)
    results = {canonical(*reordered(voxels, matrix, *order)).voxels.tobytes() for order in REORDERINGS}
    assert len(results) == 1


def test_equal_spacing_takes_the_axis_nearest_the_long_axis_and_says_so() -> None:
    voxels = np.random.default_rng(1).normal(size=(3, 4, 5)).astype(np.float32)
    matrix = pose((1.5, 1.5, 1.5), np.array([0.1, -0.2, 0.1]))
    for order in REORDERINGS:
        stack = canonical(*reordered(voxels, matrix, *order))
        np.testing.assert_array_equal(stack.voxels, voxels)
        assert any("not clear" in note for note in all_words(stack.notes))


def test_no_orientation_is_assumed_and_said() -> None:
    voxels = np.random.default_rng(1).normal(size=(4, 5, 3)).astype(np.float32)  # slices last
    matrix = np.diag([9.0, 1.5, 1.5, 1.0])
    stack = canonical(voxels, matrix, orientation_known=False)
    assert not stack.orientation_known
    np.testing.assert_array_equal(stack.voxels, np.moveaxis(voxels, 2, 0))
    assert stack.spacing == (9.0, 1.5, 1.5)
    assert "assumed" in words(stack.notes[-1]) and "apex" in words(stack.notes[-1])


def test_shear_over_two_degrees_is_refused() -> None:
    for degrees, refused in ((1.5, False), (2.5, True), (30.0, True)):
        matrix = np.diag([-1.5, -1.5, 8.0, 1.0])
        matrix[0, 2] = 8.0 * np.tan(np.radians(degrees))
        if refused:
            with pytest.raises(InputError, match="right angles"):
                canonical(np.zeros((3, 4, 5)), matrix)
        else:
            canonical(np.zeros((3, 4, 5)), matrix)


def test_angle_has_no_sign() -> None:
    assert short_axis_angle_deg(APEX_TO_BASE * 8) == pytest.approx(0, abs=1e-5)
    assert short_axis_angle_deg(-APEX_TO_BASE) == pytest.approx(0, abs=1e-5)
    assert short_axis_angle_deg(np.cross(APEX_TO_BASE, [0.0, 0.0, 1.0])) == pytest.approx(90)


@pytest.mark.parametrize("direction", [(0.6, 0.6, 0.0), (-0.5, 0.2, 0.8)])
def test_a_long_axis_view_is_refused(direction: tuple[float, float, float]) -> None:
    normal = np.array(direction) / np.linalg.norm(direction)
    across = np.cross(normal, [0.0, 0.0, 1.0])
    across /= np.linalg.norm(across)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([1.4 * across, 1.4 * np.cross(normal, across), 8.0 * normal], axis=1)
    with pytest.raises(InputError, match="long-axis view"):
        canonical(np.zeros((8, 40, 40), np.float32), matrix)
