"""Where the heart lies and what the electrodes see: lead fields of the 12 leads in a homogeneous torso.

Torso frame LPS, mm: x left, y posterior, z superior; the origin is the typical centre of the LV.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ScarSegECGLib.training.ecg_simulation.heart import FloatArray64, Heart

ELECTRODES = ("RA", "LA", "LL", "V1", "V2", "V3", "V4", "V5", "V6")
# Textbook places (V1, V2 fourth intercostal space beside the sternum, V4 fifth space in the mid-clavicular line, V6
# mid-axillary) on an adult chest. The arms and the leg count as the limbs' roots: no current runs in a limb.
ELECTRODES_MM = np.array(
    [
        [-160.0, 20.0, 150.0],
        [120.0, 20.0, 150.0],
        [50.0, 10.0, -260.0],
        [-48.0, -78.0, 28.0],
        [-2.0, -86.0, 28.0],
        [32.0, -86.0, 8.0],
        [68.0, -76.0, -9.0],
        [104.0, -34.0, -9.0],
        [121.0, 20.0, -9.0],
    ]
)
# An infinite medium has no skin. On the surface of a bounded conductor the potential is about twice (flat surface near
# the source) to three times (homogeneous sphere, central source; Wilson and Bayley 1950) that of the infinite medium,
# and more where the surface is far and the trunk narrow, as at the limbs. Chest 2 is the flat surface's; the limbs'
# factor is fitted, see below.
BOUNDARY = np.array([8.8, 8.8, 8.8, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0])
# Base to apex (textbook: left, anterior, inferior, 30 to 60 deg each way) and roll about it. These, the limb factor,
# the RV's strength, the wall's IN_PLANE conduction (heart.py), velocities, places of first activation and the slowing
# in scar (conduction.py) were fitted together, within published or textbook ranges where there are any: so that one
# heart has a normal ECG, bundle branch and fascicular blocks by their definitions, and over a population the Q waves
# and lost R waves of anterior, septal, lateral and inferior scars where cardiology looks for them. The agreement with
# those rules is thus fitted, not found. No lead has a factor of its own.
LONG_AXIS = np.array([0.53, -0.71, -0.47])
ROLL_DEG = 4.0


def _lead_matrix() -> FloatArray64:
    """12 leads from 9 electrodes: Einthoven, Goldberger, and the chest against Wilson's central terminal."""
    ra, la, ll = np.eye(9)[:3]
    limb = [la - ra, ll - ra, ll - la, ra - (la + ll) / 2.0, la - (ra + ll) / 2.0, ll - (ra + la) / 2.0]
    terminal = (ra + la + ll) / 3.0
    return np.array(limb + [chest - terminal for chest in np.eye(9)[3:]])


LEADS_FROM_ELECTRODES = _lead_matrix()


@dataclass(frozen=True)
class Pose:
    """How each of ``n`` hearts lies in its torso.

    ``turn_deg`` (n, 3): rotation about the long axis, in the frontal plane (positive = apex up) and in the
    horizontal plane (positive = apex to the left). ``shift_mm`` (n, 3), LPS. ``chest`` (n,): chest size as a factor.
    ``misplaced_mm`` (n, 9, 3): how far each electrode lies from its textbook place.
    """

    turn_deg: FloatArray64
    shift_mm: FloatArray64
    chest: FloatArray64
    misplaced_mm: FloatArray64

    def part(self, rows: slice) -> Pose:
        """The poses of some rows."""
        return Pose(self.turn_deg[rows], self.shift_mm[rows], self.chest[rows], self.misplaced_mm[rows])

    def electrodes_mm(self) -> FloatArray64:
        """Electrodes seen from each heart's centre, shape (n, 9, 3), LPS."""
        return ELECTRODES_MM * self.chest[:, None, None] + self.misplaced_mm - self.shift_mm[:, None, :]


def typical_pose(n: int) -> Pose:
    """The textbook pose, ``n`` times."""
    return Pose(np.zeros((n, 3)), np.zeros((n, 3)), np.ones(n), np.zeros((n, len(ELECTRODES), 3)))


def drawn_pose(n: int, rng: np.random.Generator, spread: float = 1.0) -> Pose:
    """Poses of ``n`` people: the heart's direction varies by about 10 deg, its place by 3 to 8 mm (chosen).

    ``spread`` above 1 widens that, and only then do electrodes stray, by ``spread - 1`` times 15 mm: chest electrodes
    of daily practice often lie 20 mm off (general knowledge; size chosen).
    """
    turn = rng.normal(0.0, [8.0, 9.0, 9.0], (n, 3)).clip(-20.0, 20.0) * spread
    shift = rng.normal(0.0, [6.0, 3.0, 8.0], (n, 3)).clip([-12.0, -5.0, -15.0], [12.0, 8.0, 15.0]) * min(spread, 1.3)
    chest = rng.normal(1.02, 0.05, n).clip(0.93, 1.16)
    if spread <= 1.0:
        return Pose(turn, shift, chest, np.zeros((n, len(ELECTRODES), 3)))
    return Pose(turn, shift, chest, rng.normal(0.0, 15.0 * (spread - 1.0), (n, len(ELECTRODES), 3)))


def heart_axes(pose: Pose) -> FloatArray64:
    """Rotation heart frame -> LPS, shape (n, 3, 3); its columns are the lateral, anterior and apical directions."""
    apex = LONG_AXIS / np.linalg.norm(LONG_AXIS)
    anterior = np.array([0.0, 0.0, 1.0]) - apex[2] * apex
    anterior /= np.linalg.norm(anterior)
    axes = np.stack([np.cross(anterior, apex), anterior, apex], axis=1)
    roll = Rotation.from_euler("z", pose.turn_deg[:, :1] + ROLL_DEG, degrees=True).as_matrix()
    # About +y (posterior) a positive angle takes left to inferior; about +z it takes left to posterior.
    turn = Rotation.from_euler("yz", pose.turn_deg[:, 1:] * [-1.0, 1.0], degrees=True).as_matrix()
    return turn @ axes @ roll


def electrodes_in_heart_frame(pose: Pose) -> FloatArray64:
    """Electrodes seen from each heart, shape (n, 9, 3), mm."""
    return np.einsum("nei,nij->nej", pose.electrodes_mm(), heart_axes(pose))


def lead_field(heart: Heart, pose: Pose) -> NDArray[np.float32]:
    """Lead voltage per unit of edge dipole, shape (n, 12, edges).

    The potential of a dipole p at r in an infinite homogeneous medium, ``p . (R - r) / |R - r|^3`` up to the constant
    1 / (4 pi sigma), times :data:`BOUNDARY` (textbook: Malmivuo and Plonsey, Bioelectromagnetism, ch. 8).
    """
    electrode = electrodes_in_heart_frame(pose).astype(np.float32)
    middle, direction = heart.middle_mm.astype(np.float32), heart.direction.astype(np.float32)
    # |R - r|^2 and p . (R - r) from inner products: no (n, 9, edges, 3) array is ever made.
    square = (electrode**2).sum(-1)[..., None] - 2.0 * electrode @ middle.T + (middle**2).sum(-1)
    along = electrode @ direction.T - (middle * direction).sum(-1)
    potential = BOUNDARY.astype(np.float32)[:, None] * along / (square * np.sqrt(square))
    return LEADS_FROM_ELECTRODES.astype(np.float32) @ potential


def point_lead_field(point_mm: FloatArray64, pose: Pose) -> FloatArray64:
    """Lead vectors (n, 12, 3), LPS, of a dipole at ``point_mm`` (LPS, moved with the heart)."""
    away = pose.electrodes_mm() - point_mm
    field = BOUNDARY[:, None] * away / np.linalg.norm(away, axis=-1, keepdims=True) ** 3
    return LEADS_FROM_ELECTRODES @ field
