"""When each part of the heart is excited: shortest paths from where the conduction system lets excitation in."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.training.ecg_simulation.heart import LV_PURKINJE, TANGENTIAL, FloatArray64, IntArray, standard_heart

CONDUCTIONS = ("normal", "lbbb", "rbbb", "lafb")

# m/s, transmural and tangential in the muscle, then in the Purkinje layers of LV and RV. Textbook: working myocardium
# 0.3 to 1, Purkinje fibres 2 to 4; the endocardial layer, half Purkinje net and half muscle, is taken at 1.4. Without
# its bundle branch a ventricle is crossed at close to muscle velocity. Values within those ranges are fitted, see
# leads.py.
VELOCITY = {
    "normal": np.array([0.43, 0.62, 1.37, 1.37]),
    "lbbb": np.array([0.43, 0.62, 0.8, 1.37]),
    "rbbb": np.array([0.43, 0.62, 1.37, 0.66]),
    "lafb": np.array([0.43, 0.62, 1.37, 1.37]),
}
# What the blocked fascicle would have served, its endocardial layer too, is crossed at muscle velocity: the anterior
# wall from the anterolateral papillary muscle to the septum (degrees; course of the fascicle: textbook, borders
# chosen).
_UNSERVED_DEG = {"lafb": (40.0, 145.0)}

# Where excitation enters: (ventricle side, angle, z mm, delay ms). Three LV sites (the middle of the left septum, the
# anterior wall near the septum, the posterior wall a third of the way from apex to base), within 0 to 5 ms of each
# other, and the right ventricle 5 to 10 ms later at the foot of its papillary muscle are those of Durrer et al.,
# Circulation 1970;41:899. Angles, heights and delays are fitted near those (leads.py).
_SEPTAL = ("lv", 189.0, 29.0, 0.0)
_ANTERIOR = ("lv", 101.0, 11.0, 2.0)
_POSTERIOR = ("lv", 278.0, 27.0, 5.0)
_RV_SEPTUM = ("septum right", 185.0, 40.0, 9.0)
_RV_FREE = ("rv", 180.0, 30.0, 13.0)
SITES = {
    "normal": (_SEPTAL, _ANTERIOR, _POSTERIOR, _RV_SEPTUM, _RV_FREE),
    "lbbb": (_RV_SEPTUM, _RV_FREE),
    "rbbb": (_SEPTAL, _ANTERIOR, _POSTERIOR),
    "lafb": (_SEPTAL, _POSTERIOR, _RV_SEPTUM, _RV_FREE),
}
# A wholly scarred edge takes 1 + 0.9 times as long: strands of surviving muscle conduct normally along themselves, but
# in zigzag and slowly across (de Bakker et al., Circulation 1993;88:915); the size is fitted (leads.py). The Purkinje
# net is not slowed: it lies in the few cell layers that the cavity's blood keeps alive (textbook).
SCAR_SLOWING = 0.9


@cache
def _entries(conduction: str) -> tuple[IntArray, FloatArray64]:
    """Nodes at which excitation enters, and when (ms)."""
    heart = standard_heart()
    lv, inner = heart.segment > 0, heart.depth == 0
    off_axis = np.hypot(heart.nodes_mm[:, 0], heart.nodes_mm[:, 1]) > 5.0
    sides = {"lv": (24.0, lv & inner), "septum right": (33.0, lv & (heart.depth == 1)), "rv": (60.0, ~lv & inner)}
    nodes = []
    for side, angle, z, _ in SITES[conduction]:
        reach, allowed = sides[side]
        point = np.array([reach * np.cos(np.deg2rad(angle)), reach * np.sin(np.deg2rad(angle)), z])
        away = np.linalg.norm(heart.nodes_mm - point, axis=1)
        nodes.append(int(np.argmin(np.where(allowed & off_axis, away, np.inf))))
    delays = np.array([site[3] for site in SITES[conduction]])
    return np.array(nodes), delays - delays.min()


@cache
def _unscarred_ms(conduction: str) -> FloatArray64:
    """Travel time along every edge of the unscarred heart, ms."""
    heart = standard_heart()
    velocity = VELOCITY[conduction][heart.kind]
    if conduction in _UNSERVED_DEG:
        first, last = _UNSERVED_DEG[conduction]
        angle = np.degrees(np.arctan2(heart.middle_mm[:, 1], heart.middle_mm[:, 0])) % 360.0
        velocity[(heart.kind == LV_PURKINJE) & (angle >= first) & (angle <= last)] = VELOCITY[conduction][TANGENTIAL]
    return heart.length_mm / velocity


@cache
def _network() -> tuple[IntArray, IntArray, IntArray]:
    """CSR pattern (edge number per entry, column, row start) of the two-way network with one more node: the start."""
    heart = standard_heart()
    n, edges = len(heart.nodes_mm), len(heart.tail)
    number = np.arange(1, edges + 1, dtype=np.float64)
    both = sparse.csr_matrix(
        (np.tile(number, 2), (np.r_[heart.tail, heart.head], np.r_[heart.head, heart.tail])), shape=(n, n)
    )
    return both.data.astype(np.int64) - 1, both.indices.astype(np.int64), both.indptr.astype(np.int64)


def activation_ms(conduction: Sequence[str], node_scar: NDArray, velocity: NDArray) -> FloatArray64:
    """Activation time of every node, ms after the first one, for ``n`` hearts, shape (n, nodes).

    ``conduction`` are n names of :data:`CONDUCTIONS`; ``node_scar`` (n, nodes), 0..1, slows excitation on its edges;
    ``velocity`` (n,) is the person's conduction velocity as a factor of the standard one.

    Raises
    ------
    InputError : If a conduction has no such name.
    """
    for name in set(conduction) - set(CONDUCTIONS):
        raise InputError(f"Conduction {name!r} cannot be simulated; choose one of {', '.join(CONDUCTIONS)}.")
    heart = standard_heart()
    entry, column, start = _network()
    count = len(heart.nodes_mm)
    out = np.empty(node_scar.shape)
    slowing = SCAR_SLOWING * (heart.kind <= TANGENTIAL)
    slowed = 1.0 + slowing * np.maximum(node_scar[:, heart.tail], node_scar[:, heart.head])
    known: dict[tuple[str, bytes], FloatArray64] = {}
    for i, name in enumerate(conduction):
        key = (name, node_scar[i].tobytes())
        if key not in known:
            sites, delay = _entries(name)
            travel = (_unscarred_ms(name) * slowed[i])[entry]
            # One more node, from which every site is reached after its delay: one search for all of them. The
            # search takes no edge of length 0, hence the nanosecond.
            network = sparse.csr_matrix(
                (np.r_[travel, delay + 1e-6], np.r_[column, sites], np.r_[start, start[-1] + len(sites)]),
                shape=(count + 1, count + 1),
            )
            known[key] = dijkstra(network, indices=count)[:count]
        out[i] = known[key] / velocity[i]
    return out
