"""Cavity, wall and scar as one array of bits, which is what the history, the journal and the segments exchange."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CAVITY_BIT, WALL_BIT, SCAR_BIT = 1, 2, 4
Bits = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Masks:
    """Three masks [slice, row, column]; the wall holds the scar."""

    cavity: Mask
    wall: Mask
    scar: Mask

    @classmethod
    def fromBits(cls, bits: Bits) -> "Masks":
        return cls(*((bits & bit) != 0 for bit in (CAVITY_BIT, WALL_BIT, SCAR_BIT)))

    def toBits(self) -> Bits:
        return (
            CAVITY_BIT * self.cavity.astype(np.uint8)
            | WALL_BIT * self.wall.astype(np.uint8)
            | SCAR_BIT * self.scar.astype(np.uint8)
        )


def withScar(bits: Bits, scar: Mask) -> Bits:
    """The same cavity and wall with another scar, of which only what lies in the wall is taken."""
    inside = scar & ((bits & WALL_BIT) != 0)
    return (bits & ~np.uint8(SCAR_BIT)) | SCAR_BIT * inside.astype(np.uint8)
