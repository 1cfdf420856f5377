"""The grid on which the image networks see a slice, and the ECG branch with them: all that depends on it is here.

At present slices are unrolled about the LV's centre (``network.polar_grid``).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ScarSegECGLib.case import FloatArray, LgeStack
from ScarSegECGLib.network.polar_grid import cut_polar, polar_area, put_back_polar


def on_grid(maps: NDArray[np.float32], stack: LgeStack, centres_mm: NDArray[np.float64]) -> Tensor:
    """Maps on the stack's grid [K, C, R, S] -> what the branch reads [K, C, H, W]."""
    return cut_polar(torch.from_numpy(maps), stack.spacing[1:], centres_mm)


def off_grid(maps: Tensor, stack: LgeStack, centres_mm: NDArray[np.float64]) -> FloatArray:
    """Maps of the branch [K, C, H, W] -> the stack's grid [K, C, R, S], 0 beyond the field."""
    shape = (stack.voxels.shape[1], stack.voxels.shape[2])
    return put_back_polar(maps.float(), shape, stack.spacing[1:], centres_mm, torch.zeros(maps.shape[1])).numpy()


def grid_area() -> Tensor | None:
    """Relative area of each grid point [H, W]; None where all are alike."""
    return polar_area()
