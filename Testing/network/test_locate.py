"""The LV centre from a map of its probability."""

from __future__ import annotations

import numpy as np
import pytest

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.network.field import offsets_of_lv


def _disc(size: int, row: float, column: float, radius: float) -> np.ndarray:
    rows, columns = np.indices((size, size))
    return (np.hypot(rows - row, columns - column) <= radius).astype(np.float32)


def test_centres_follow_a_tilted_axis_and_skip_a_blind_slice() -> None:
    rows, columns = 60 + np.arange(8) * 1.0, 50 - np.arange(8) * 0.5
    maps = np.stack([_disc(128, r, c, 12) for r, c in zip(rows, columns, strict=True)])
    maps[3] = 0
    expected = (np.stack([rows, columns], axis=1) - 63.5) * 2.5
    assert np.abs(offsets_of_lv(maps, 2.5, 8.0) - expected).max() < 2.0


def test_a_second_bright_thing_in_one_slice_does_not_pull() -> None:
    maps = np.stack([_disc(128, 64, 64, 12) for _ in range(6)])
    maps[0] += _disc(128, 100, 20, 14)
    assert np.abs(offsets_of_lv(np.clip(maps, 0, 1), 2.5, 8.0)).max() < 3.0


def test_nothing_found_is_said() -> None:
    with pytest.raises(InputError, match="no left ventricle found"):
        offsets_of_lv(np.full((6, 128, 128), 0.05, np.float32), 2.5, 8.0)
