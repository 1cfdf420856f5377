"""When each part of the heart is excited: shortest paths from where the conduction system lets excitation in."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.training.ecg_simulation.heart import (
    LV_PURKINJE,
    RV_PURKINJE,
    TANGENTIAL,
    TRANSMURAL,
    FloatArray64,
    IntArray,
    standard_heart,
)

CONDUCTIONS = ("normal", "lbbb", "rbbb", "lafb")

# m/s. Textbook: working myocardium 0.3 to 1, Purkinje fibres 2 to 4; the endocardial layer, half Purkinje net and half
# muscle, is taken at 1.4. Without its bundle branch a ventricle is crossed at close to muscle velocity.
_MUSCLE = {TRANSMURAL: 0.37, TANGENTIAL: 0.6}
_FAST, _SLOW_LV, _SLOW_RV = 1.38, 0.85, 0.68
VELOCITY = {
    "normal": {**_MUSCLE, LV_PURKINJE: _FAST, RV_PURKINJE: _FAST},
    "lbbb": {**_MUSCLE, LV_PURKINJE: _SLOW_LV, RV_PURKINJE: _FAST},
    "rbbb": {**_MUSCLE, LV_PURKINJE: _FAST, RV_PURKINJE: _SLOW_RV},
    "lafb": {**_MUSCLE, LV_PURKINJE: _FAST, RV_PURKINJE: _FAST},
}
# What the blocked fascicle would have reached first is crossed at muscle velocity: the anterior wall from its lateral
# to its septal border (degrees), in m/s for the endocardial layer and along the wall.
_UNSERVED = {"lafb": (40.0, 140.0, {LV_PURKINJE: 0.7, TANGENTIAL: 0.6})}

# Where excitation enters: (ventricle side, angle, z mm, delay ms). Three LV sites and the right ventricle 5 to 10 ms
# later are those of Durrer et al., Circulation 1970;41:899; angles and delays are fitted to the normal ECG (torso.py).
_SEPTAL = ("lv", 173.0, 22.0, 0.0)
_ANTERIOR = ("lv", 88.0, 5.0, 4.0)
_POSTERIOR = ("lv", 274.0, 24.0, 3.0)
_RV_SEPTUM = ("septum right", 185.0, 40.0, 9.0)
_RV_FREE = ("rv", 180.0, 30.0, 15.0)
SITES = {
    "normal": (_SEPTAL, _ANTERIOR, _POSTERIOR, _RV_SEPTUM, _RV_FREE),
    "lbbb": (_RV_SEPTUM, _RV_FREE),
    "rbbb": (_SEPTAL, _ANTERIOR, _POSTERIOR),
    "lafb": (_SEPTAL, ("lv", 305.0, 24.0, 0.0), _RV_SEPTUM, _RV_FREE),
}
# A wholly scarred edge takes 1 + 1.5 times as long (slow zigzag conduction; size chosen). The Purkinje net is not
# slowed: it lies in the few cell layers that the cavity's blood keeps alive (textbook).
SCAR_SLOWING = 1.5


def checked(conduction: str) -> str:
    """The conduction's name, or an error that lists the known ones."""
    if conduction not in CONDUCTIONS:
        raise InputError(f"Conduction {conduction!r} cannot be simulated; choose one of {', '.join(CONDUCTIONS)}.")
    return conduction


@lru_cache(maxsize=len(CONDUCTIONS))
def _entries(conduction: str) -> tuple[IntArray, FloatArray64]:
    """Nodes at which excitation enters, and when (ms)."""
    heart = standard_heart()
    lv = heart.segment > 0
    radius = np.hypot(heart.nodes_mm[:, 0], heart.nodes_mm[:, 1])
    allowed = {"lv": lv & (heart.depth == 0), "septum right": lv & (heart.depth == 1), "rv": ~lv & (heart.depth == 0)}
    nodes, delays = [], []
    for side, angle, z, delay in SITES[conduction]:
        reach = {"lv": 24.0, "septum right": 33.0, "rv": 60.0}[side]
        point = np.array([reach * np.cos(np.deg2rad(angle)), reach * np.sin(np.deg2rad(angle)), z])
        nodes.append(heart.nearest(point, allowed[side] & (radius > 5.0)))
        delays.append(delay)
    return np.array(nodes), np.array(delays) - min(delays)


@lru_cache(maxsize=len(CONDUCTIONS))
def _unscarred_ms(conduction: str) -> FloatArray64:
    """Travel time along every edge of the unscarred heart, ms."""
    heart = standard_heart()
    velocity = np.array([VELOCITY[conduction][kind] for kind in range(4)])[heart.kind]
    if conduction in _UNSERVED:
        first, last, slow = _UNSERVED[conduction]
        angle = np.degrees(np.arctan2(heart.middle_mm[:, 1], heart.middle_mm[:, 0])) % 360.0
        for kind, value in slow.items():
            velocity[(heart.kind == kind) & (angle >= first) & (angle <= last)] = value
    return heart.length_mm / velocity


@lru_cache(maxsize=1)
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
    """Activation time of every node, ms after the first one, for ``n`` hearts.

    Parameters
    ----------
    conduction : sequence of n names, each of :data:`CONDUCTIONS`
    node_scar : array, shape (n, nodes)
        Scar at the node, 0..1: slows excitation on its edges.
    velocity : array, shape (n,)
        The person's conduction velocity as a factor of the standard one.

    Returns
    -------
    float64 array, shape (n, nodes)
    """
    heart = standard_heart()
    entry, column, start = _network()
    count = len(heart.nodes_mm)
    out = np.empty(node_scar.shape)
    slowing = SCAR_SLOWING * ((heart.kind == TRANSMURAL) | (heart.kind == TANGENTIAL))
    slowed = 1.0 + slowing * np.maximum(node_scar[:, heart.tail], node_scar[:, heart.head])
    known: dict[tuple[str, bytes], FloatArray64] = {}
    for i, name in enumerate(conduction):
        key = (name, node_scar[i].tobytes())
        if key not in known:
            sites, delay = _entries(checked(name))
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
