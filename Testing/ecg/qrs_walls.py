"""Where in the LV each criterion of the QRS score looks: the published shares of the walls, held against the score.

Each row's points are shared out over 12 wall segments such that they sum to 3 % per point. For four rows the figures at
hand did not add up, and this project chose ones that do, after the pattern of their neighbours: aVF Q of 3 points, aVF
R/Q of 2, V1 tall or wide R of 2 (taken from V2), V6 Q.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.ecg.findings import Criterion

# A twelfth of the LV, %: full scar of one wall segment.
WALL_SEGMENT_PERCENT = 100.0 / 12.0


def _walls(**percent: float) -> tuple[float, ...]:
    """``_walls(w1=2, w3=1)``: percentages of wall segments 1..12.

    Anteroseptal, anterosuperior, inferior and posterolateral wall, each apical, mid, basal.
    """
    return tuple(float(percent.get(f"w{n}", 0.0)) for n in range(1, 13))


_ANTERIOR = _walls(w2=1, w3=2)
_INFERIOR_2 = _walls(w7=2, w8=2, w9=2)
_APEX_1 = _walls(w1=1, w2=1, w4=1)
_APEX_2 = _walls(w1=2, w2=1, w4=1, w5=1, w7=1)
_POSTERIOR_2 = _walls(w7=1, w8=1, w10=1, w11=2, w12=1)
_LATERAL_1 = _walls(w7=1, w10=1, w11=1)

# By lead, group and points.
WALLS = {
    ("I", "Q", 1): _walls(w4=1, w5=1, w6=1),
    ("I", "R", 1): _walls(w4=1, w5=1, w10=1),
    ("II", "Q", 2): _INFERIOR_2,
    ("II", "Q", 1): _walls(w8=2, w9=1),
    ("aVL", "Q", 1): _walls(w5=2, w6=1),
    ("aVL", "R", 1): _walls(w5=1, w6=2),
    ("aVF", "Q", 3): _walls(w7=3, w8=3, w9=3),
    ("aVF", "Q", 2): _INFERIOR_2,
    ("aVF", "Q", 1): _walls(w8=2, w9=1),
    ("aVF", "R", 2): _INFERIOR_2,
    ("aVF", "R", 1): _walls(w8=1, w9=2),
    ("V1", "anterior", 1): _ANTERIOR,
    ("V1", "R/S", 1): _walls(w10=1, w11=1, w12=1),
    ("V1", "R", 2): _POSTERIOR_2,
    ("V1", "R", 1): _LATERAL_1,
    ("V1", "Q and S", 1): _walls(w9=1, w11=1, w12=1),
    ("V2", "anterior", 1): _ANTERIOR,
    ("V2", "R/S", 1): _walls(w9=1, w11=1, w12=1),
    ("V2", "R", 2): _POSTERIOR_2,
    ("V2", "R", 1): _walls(w8=1, w10=1, w11=1),
    ("V2", "Q and S", 1): _walls(w8=1, w11=1, w12=1),
    ("V3", "Q or R", 2): _walls(w1=2, w2=2, w3=1, w5=1),
    ("V3", "Q or R", 1): _walls(w1=1, w2=1, w5=1),
    ("V4", "Q", 1): _APEX_1,
    ("V4", "R", 2): _APEX_2,
    ("V4", "R", 1): _APEX_1,
    ("V5", "Q", 1): _APEX_1,
    ("V5", "R", 2): _APEX_2,
    ("V5", "R", 1): _walls(w1=1, w4=1, w5=1),
    ("V6", "Q", 1): _LATERAL_1,
    ("V6", "R", 2): _walls(w4=1, w7=1, w10=2, w11=2),
    ("V6", "R", 1): _LATERAL_1,
}

# Shares of the walls (AS, SUP, INF, PL) in the six segments of a basal or mid ring, and in the apical four.
_RING = np.array(
    [[0, 1, 0, 0], [0.75, 0.25, 0, 0], [0.75, 0, 0.25, 0], [0, 0, 1, 0], [0, 0, 0.25, 0.75], [0, 0.25, 0, 0.75]]
)
_APICAL = np.array([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], dtype=float)


def walls_of(criterion: Criterion) -> tuple[float, ...]:
    """% of the LV that a criterion stands for, by wall segment."""
    return WALLS[criterion.lead, criterion.group, criterion.points]


def per_wall(met: Iterable[Criterion]) -> NDArray[np.float64]:
    """% of the LV in each of the 12 wall segments."""
    return np.sum([np.zeros(12), *map(walls_of, met)], axis=0)


def walls_to_aha(walls: NDArray) -> NDArray[np.float64]:
    """From % of the LV in 12 wall segments to % of each of the 17 AHA segments, at most 100, by angular overlap.

    Every wall segment is taken as a twelfth of the LV; 17 is the mean of 13-16.
    """
    scarred = np.minimum(100.0, np.asarray(walls, dtype=np.float64) / WALL_SEGMENT_PERCENT * 100).reshape(4, 3)
    apical = _APICAL @ scarred[:, 0]
    return np.concatenate([_RING @ scarred[:, 2], _RING @ scarred[:, 1], apical, [apical.mean()]])
