"""A small heart: nodes in the wall of both ventricles, the edges along which current runs, and when excitation comes.

Excitation takes the shortest paths from where the conduction system lets it in. Heart frame, mm: x towards the lateral
wall, y towards the anterior wall, z towards the apex, right-handed; the origin is the centre of the LV's equator.
Angles are the bullseye's: 0 lateral, 90 anterior, 180 septal. Numbers called fitted: see ``simulate.LONG_AXIS``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

FloatArray64 = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Adult end-diastolic LV (textbook: cavity about 48 mm wide and 85 mm long, wall about 9 mm); RV wall 4 mm.
ENDO_RADIUS_MM, EPI_RADIUS_MM = 24.0, 33.0
ENDO_LENGTH_MM, EPI_LENGTH_MM = 62.0, 70.0
RV_WALL_MM = 4.0
LAYERS, ANGLES = 4, 24
LAYER_DEPTH = np.arange(LAYERS) / (LAYERS - 1)
ANGLE_DEG = (np.arange(ANGLES) + 0.5) * 360.0 / ANGLES
# Ring borders along z on the mid-wall: basal, mid and apical third of the cavity in two rings each, then the cap.
RING_BORDERS_MM = np.array([-22.0, -8.0, 6.0, 20.0, 34.0, 48.0, 62.8, 66.0])
RV_BULGE_MM = np.array([40.0, 38.0, 32.0, 24.0, 14.0])  # RV cavity width per ring, base first (chosen)
RV_ANGLES = 8
# The RV's wall, thinner than the front that crosses it and deep under trabeculae, gives less current (fitted).
RV_STRENGTH = 0.57

# Current inside muscle fibres runs six to nine times as well along as across them (0.17 to 0.34 and 0.02 to 0.06 S/m:
# Roth, IEEE Trans Biomed Eng 1997;44:326). They turn in the wall's plane, which has the mean of both, 3.5 to 5 times
# what runs across it. Fitted between no anisotropy (1) and that.
IN_PLANE = 1.9

TRANSMURAL, TANGENTIAL, LV_PURKINJE, RV_PURKINJE = 0, 1, 2, 3

# m/s, transmural and tangential in the muscle, then in the Purkinje layers of LV and RV; fitted within textbook ranges:
# muscle 0.3 to 1, Purkinje fibres 2 to 4, the endocardial layer half of both. Without its bundle branch a ventricle is
# crossed at close to muscle velocity.
VELOCITY = {
    "normal": np.array([0.43, 0.62, 1.37, 1.37]),
    "lbbb": np.array([0.43, 0.62, 0.8, 1.37]),
    "rbbb": np.array([0.43, 0.62, 1.37, 0.66]),
    "lafb": np.array([0.43, 0.62, 1.37, 1.37]),
}
# What the blocked anterior fascicle would have served, its endocardial layer too, is crossed at muscle velocity: the
# wall from the anterolateral papillary muscle to the septum (degrees; course: textbook, borders chosen).
LAFB_UNSERVED_DEG = (40.0, 145.0)

# Where excitation enters: (ventricle side, angle, z mm, delay ms), fitted near the sites of Durrer et al., Circulation
# 1970;41:899: the middle of the left septum, the anterior wall near the septum, the posterior wall a third of the way
# from apex to base, within 0 to 5 ms, and the RV 5 to 10 ms later at the foot of its papillary muscle.
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
# A wholly scarred edge takes 1 + 0.9 times as long: strands of surviving muscle conduct normally along themselves but,
# in zigzag, slowly across (de Bakker et al., Circulation 1993;88:915; size fitted). The Purkinje net is not slowed: it
# lies in the few cell layers that the cavity's blood keeps alive (textbook).
SCAR_SLOWING = 0.9


@dataclass(frozen=True)
class Heart:
    """Nodes and edges, heart frame."""

    nodes_mm: FloatArray64  # (nodes, 3)
    segment: IntArray  # (nodes,), AHA 1..17, 0 for the RV free wall
    depth: FloatArray64  # (nodes,), 0 at the endocardium .. 1 at the epicardium (for the septum, the RV's side)
    tail: IntArray  # (edges,), the node from which the dipole points
    head: IntArray  # and to which
    middle_mm: FloatArray64  # (edges, 3)
    direction: FloatArray64
    length_mm: FloatArray64
    section_mm2: FloatArray64  # of the wall across which the current runs, times how well it runs there (IN_PLANE)
    kind: IntArray  # which velocity counts


def aha_segment(third: int, angle_deg: NDArray) -> IntArray:
    """AHA segments of bullseye angles (degrees), by the cavity's thirds from base (0) to apex; 3 is the cap beyond."""
    if third == 3:
        return np.full(angle_deg.shape, 17)
    if third == 2:
        return 13 + ((angle_deg - 45.0) % 360.0 // 90.0).astype(np.int64)
    return 1 + ((angle_deg - 60.0) % 360.0 // 60.0).astype(np.int64) + 6 * third


@cache
def standard_heart() -> Heart:
    """The heart every simulated patient has; patients differ by pose, size, torso, velocities and scar."""
    lv_nodes, ring_arc = _lv_nodes()
    rv_nodes, rv_section = _rv_nodes()
    nodes = np.concatenate([lv_nodes.reshape(-1, 3), rv_nodes.reshape(-1, 3)])
    lv: IntArray = np.arange(lv_nodes[..., 0].size).reshape(lv_nodes.shape[:3])
    rv: IntArray = np.arange(lv.size, len(nodes)).reshape(rv_nodes.shape[:3])

    septal = (ANGLE_DEG > 120.0) & (ANGLE_DEG < 240.0)
    along_kind = np.full(lv.shape, TANGENTIAL)
    along_kind[0] = LV_PURKINJE
    around_kind = along_kind.copy()
    along_kind[-1][:, septal] = RV_PURKINJE
    around_kind[-1][:, septal & np.roll(septal, -1)] = RV_PURKINJE
    layer = IN_PLANE * (EPI_RADIUS_MM - ENDO_RADIUS_MM) / LAYERS
    width = np.hypot(lv_nodes[..., 0], lv_nodes[..., 1]) * 2.0 * np.pi / ANGLES
    half, rv_kind = RV_STRENGTH * RV_WALL_MM / 2.0, np.array([RV_PURKINJE, TANGENTIAL])[:, None, None]
    # Families of edges: tail, head, section and kind, which broadcast to the tail's shape.
    families: list[tuple[IntArray, IntArray, FloatArray64 | float, IntArray | int]] = [
        (lv[:-1], lv[1:], width.mean(axis=0) * ring_arc[:, None], TRANSMURAL),
        (lv, np.roll(lv, -1, axis=2), layer * ring_arc[:, None], around_kind),
        (lv[:, :-1], lv[:, 1:], layer * width[:, :-1], along_kind[:, :-1]),
        (rv[0], rv[1], RV_STRENGTH * rv_section, TRANSMURAL),
        (rv[:, :, :-1], rv[:, :, 1:], half * 14.0, rv_kind),
        (rv[:, :-1], rv[:, 1:], half * 10.0, rv_kind),
    ]
    # The RV free wall meets the septum's right side at the two insertions.
    for column, insertion in ((0, 120.1), (-1, 239.9)):
        septum = lv[-1, : rv.shape[1], int(np.argmin(np.abs(ANGLE_DEG - insertion)))]
        families.append((np.stack([septum] * 2), rv[:, :, column], half * 14.0, rv_kind[..., 0]))
    flat = [[np.broadcast_to(part, family[0].shape).ravel() for part in family] for family in families]
    tail, head, section, kind = (np.concatenate(parts) for parts in zip(*flat, strict=True))

    step = nodes[head] - nodes[tail]
    length = np.linalg.norm(step, axis=1)
    rings = np.stack([aha_segment(ring // 2, ANGLE_DEG) for ring in range(lv.shape[1])])
    segment = np.concatenate([np.tile(rings.ravel(), LAYERS), np.zeros(rv.size, dtype=np.int64)])
    depth = np.concatenate([np.repeat(LAYER_DEPTH, lv[0].size), np.repeat([0.0, 1.0], rv[0].size)])
    middle, direction = (nodes[tail] + nodes[head]) / 2.0, step / length[:, None]
    return Heart(nodes, segment, depth, tail, head, middle, direction, length, section, kind)


def _lv_nodes() -> tuple[FloatArray64, FloatArray64]:
    """LV nodes (layer, ring, angle, 3) on confocal-like truncated ellipsoids, and each ring's length along the wall."""
    middle_length = (ENDO_LENGTH_MM + EPI_LENGTH_MM) / 2.0
    middle_radius = (ENDO_RADIUS_MM + EPI_RADIUS_MM) / 2.0
    polar = np.arccos(np.clip(RING_BORDERS_MM / middle_length, -1.0, 1.0))
    border = np.stack([middle_radius * np.sin(polar), middle_length * np.cos(polar)])
    ring_arc = np.linalg.norm(np.diff(border, axis=1), axis=0)
    centre = (polar[:-1] + polar[1:]) / 2.0
    radius = ENDO_RADIUS_MM + LAYER_DEPTH * (EPI_RADIUS_MM - ENDO_RADIUS_MM)
    length = ENDO_LENGTH_MM + LAYER_DEPTH * (EPI_LENGTH_MM - ENDO_LENGTH_MM)
    r, z = (radius[:, None] * np.sin(centre))[..., None], (length[:, None] * np.cos(centre))[..., None]
    theta = np.deg2rad(ANGLE_DEG)
    return np.stack(np.broadcast_arrays(r * np.cos(theta), r * np.sin(theta), z), axis=-1), ring_arc


def _rv_nodes() -> tuple[FloatArray64, FloatArray64]:
    """RV free-wall nodes (layer, ring, angle, 3) of a crescent on the septum, and each column's wall area."""
    rings = len(RV_BULGE_MM)
    middle = (RING_BORDERS_MM[:-1] + RING_BORDERS_MM[1:])[:rings] / 2.0
    septum = EPI_RADIUS_MM * np.sin(np.arccos(middle / EPI_LENGTH_MM))
    theta = np.deg2rad(120.0 + (np.arange(RV_ANGLES) + 0.5) * 120.0 / RV_ANGLES)
    swell = RV_BULGE_MM[:, None] * np.cos((theta - np.pi) * 1.5) ** 0.7
    x = septum[:, None] * np.cos(theta) - swell
    y = septum[:, None] * np.sin(theta) + 0.2 * swell
    inner = np.stack(np.broadcast_arrays(x, y, middle[:, None]), axis=-1)
    around = np.gradient(inner, axis=1)
    outward = np.stack([around[..., 1], -around[..., 0], np.zeros_like(x)], axis=-1)
    outward *= np.sign((outward * inner).sum(axis=-1, keepdims=True))
    outward /= np.linalg.norm(outward, axis=-1, keepdims=True)
    section = np.linalg.norm(around, axis=-1) * np.diff(RING_BORDERS_MM)[:rings, None]
    return np.stack([inner, inner + RV_WALL_MM * outward]), section


@cache
def _conducted(conduction: str) -> tuple[IntArray, FloatArray64, FloatArray64]:
    """Nodes at which excitation enters and when (ms), and how long every edge of the unscarred heart takes (ms)."""
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
    velocity = VELOCITY[conduction][heart.kind]
    if conduction == "lafb":
        angle_deg = np.degrees(np.arctan2(heart.middle_mm[:, 1], heart.middle_mm[:, 0])) % 360.0
        unserved = (angle_deg >= LAFB_UNSERVED_DEG[0]) & (angle_deg <= LAFB_UNSERVED_DEG[1])
        velocity[(heart.kind == LV_PURKINJE) & unserved] = VELOCITY[conduction][TANGENTIAL]
    return np.array(nodes), delays - delays.min(), heart.length_mm / velocity


def activation_ms(conduction: Sequence[str], node_scar: NDArray, velocity: NDArray) -> FloatArray64:
    """Activation time of every node, ms after the first one, for ``n`` hearts, shape (n, nodes).

    ``conduction``: n names of :data:`SITES`; ``node_scar`` (n, nodes), 0..1; ``velocity`` (n,), a factor.
    """
    heart = standard_heart()
    count = len(heart.nodes_mm)
    out = np.empty(node_scar.shape)
    slowing = SCAR_SLOWING * (heart.kind <= TANGENTIAL)
    slowed = 1.0 + slowing * np.maximum(node_scar[:, heart.tail], node_scar[:, heart.head])
    for i, name in enumerate(conduction):
        sites, delay, unscarred = _conducted(name)
        travel = unscarred * slowed[i]
        # One more node, from which every site is reached after its delay: one search for all of them. The search takes
        # no edge of length 0, hence the nanosecond.
        tails = np.r_[heart.tail, heart.head, np.full(len(sites), count)]
        heads = np.r_[heart.head, heart.tail, sites]
        network = sparse.csr_matrix((np.r_[travel, travel, delay + 1e-6], (tails, heads)), (count + 1, count + 1))
        out[i] = dijkstra(network, indices=count)[:count] / velocity[i]
    return out
