"""Fields are cut where they should be."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ScarSegECGLib.network.field import cut_field, whole_slices, with_neighbours


def _ramp(shape: tuple[int, int], spacing: tuple[float, float]) -> torch.Tensor:
    """An image whose value is 1000 + row mm + 3 * column mm."""
    rows = torch.arange(shape[0])[:, None] * spacing[0]
    columns = torch.arange(shape[1])[None] * spacing[1]
    return (1000 + rows + 3 * columns)[None].float()


@settings(max_examples=30, deadline=None)
@given(st.floats(0.8, 2.0), st.floats(0.8, 2.0), st.floats(-5, 5), st.floats(-5, 5))
def test_field_reads_physical_places(row_mm: float, column_mm: float, up: float, right: float) -> None:
    shape, spacing = (120, 100), (row_mm, column_mm)
    centre = np.array([[(shape[0] - 1) / 2 * row_mm + up, (shape[1] - 1) / 2 * column_mm + right]])
    field = cut_field(_ramp(shape, spacing), spacing, centre, size=32, pixel_mm=1.25)
    offset = (torch.arange(32) - 15.5) * 1.25
    expected = 1000 + (centre[0, 0] + offset)[:, None] + 3 * (centre[0, 1] + offset)[None]
    assert torch.allclose(field[0].double(), expected.double(), atol=0.05)


def test_every_slice_has_its_own_centre() -> None:
    image = _ramp((60, 60), (1.0, 1.0)).expand(2, -1, -1)
    field = cut_field(image, (1.0, 1.0), np.array([[20.0, 20.0], [30.0, 40.0]]), size=3, pixel_mm=1.0)
    assert field[:, 1, 1].tolist() == [1080.0, 1150.0]


def test_whole_slices_keep_the_middle_and_a_multiple_of_16() -> None:
    whole = whole_slices(torch.ones(1, 200, 150), (1.4, 1.4))
    assert whole.shape[1] == whole.shape[2]
    assert whole.shape[1] % 16 == 0
    assert whole.shape[1] * 2.5 >= 200 * 1.4
    assert float(whole[0, whole.shape[1] // 2, whole.shape[2] // 2]) == 1.0


def test_neighbours_and_ends() -> None:
    stack = torch.arange(4.0)[:, None, None].expand(4, 2, 2)
    assert with_neighbours(stack)[:, :, 0, 0].tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 3]]
