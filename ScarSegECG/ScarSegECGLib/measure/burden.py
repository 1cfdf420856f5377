"""How much scar there is: ml, grams, per cent of the left ventricle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import MYOCARDIAL_DENSITY_G_PER_ML, Burden
from ScarSegECGLib.errors import InputError


def burden(scar: NDArray[np.bool_], myocardium: NDArray[np.bool_], voxel_ml: float) -> Burden:
    """Volume, mass and share of the scar that lies in the myocardium.

    Parameters
    ----------
    scar, myocardium : bool arrays, same shape
        The myocardium holds the scar (and MVO); scar outside it is not counted.
    voxel_ml : float
        Volume of one voxel, ml.

    Raises
    ------
    InputError
        Shapes differ, or there is no myocardium to relate the scar to.

    References
    ----------
    Schulz-Menger J et al. J Cardiovasc Magn Reson 2020;22:19 (volume by summing slices; mass = volume x 1.05 g/ml).
    """
    if scar.shape != myocardium.shape:
        raise InputError(f"scar of shape {scar.shape} does not fit the myocardium of shape {myocardium.shape}")
    wall = int(np.count_nonzero(myocardium))
    if wall == 0:
        raise InputError("no myocardium: draw or segment the wall before measuring scar in it")
    count = int(np.count_nonzero(scar & myocardium))
    ml = count * voxel_ml
    return Burden(ml=ml, grams=ml * MYOCARDIAL_DENSITY_G_PER_ML, percent_of_lv=100.0 * count / wall)
