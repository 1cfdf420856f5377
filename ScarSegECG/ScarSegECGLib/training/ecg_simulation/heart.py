"""A small heart: nodes in the wall of both ventricles and the edges along which current and excitation run.

Heart frame, mm: x towards the lateral wall, y towards the anterior wall, z towards the apex, right-handed; the
origin is the centre of the LV's equator. Angles are the bullseye's: 0 lateral, 90 anterior, 180 septal.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

FloatArray64 = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Adult end-diastolic LV (textbook: cavity about 48 mm wide and 85 mm long, wall about 9 mm); RV wall 4 mm.
ENDO_RADIUS_MM, EPI_RADIUS_MM = 24.0, 33.0
ENDO_LENGTH_MM, EPI_LENGTH_MM = 62.0, 70.0
RV_WALL_MM = 4.0
LAYERS, ANGLES = 4, 24
# Ring borders along z on the mid-wall: basal, mid and apical third of the cavity in two rings each, then the cap.
RING_BORDERS_MM = np.array([-22.0, -8.0, 6.0, 20.0, 34.0, 48.0, 62.8, 66.0])
RV_BULGE_MM = np.array([40.0, 38.0, 32.0, 24.0, 14.0])  # RV cavity width per ring, base first (chosen)
RV_ANGLES = 8
# The RV's wall, thinner than the front that crosses it and deep under trabeculae, gives less current than its area says
# (fitted, see torso.py).
RV_STRENGTH = 0.57

# Muscle fibres lie in the wall's plane, and the current inside them runs six to nine times as well along as across them
# (intracellular conductivities 0.17 to 0.34 and 0.02 to 0.06 S/m: Roth, IEEE Trans Biomed Eng 1997;44:326). Fibres turn
# through the wall, so that its plane has the mean of both, 3.5 to 5 times what runs across it. 1.9 is taken, between no
# anisotropy (1) and the cells' own: fitted, see torso.py.
IN_PLANE = 1.9

TRANSMURAL, TANGENTIAL, LV_PURKINJE, RV_PURKINJE = 0, 1, 2, 3


@dataclass(frozen=True)
class Heart:
    """Nodes and edges, heart frame.

    Attributes
    ----------
    nodes_mm : float64 array, shape (nodes, 3)
    segment : int array, shape (nodes,)
        AHA segment 1..17; 0 for the RV free wall.
    depth : float64 array, shape (nodes,)
        0 endocardium .. 1 epicardium (the right ventricular side, for the septum).
    tail, head : int arrays, shape (edges,)
        Node numbers; an edge's dipole points from tail to head.
    middle_mm, direction : float64 arrays, shape (edges, 3)
    length_mm, section_mm2 : float64 arrays, shape (edges,)
        Length, and area of wall across which the edge's current runs, times how well it runs there (IN_PLANE).
    kind : int array, shape (edges,)
        Which conduction velocity counts: transmural, tangential, LV or RV Purkinje layer.
    incidence : sparse matrix, shape (nodes, edges)
        +1 at the tail, -1 at the head.
    """

    nodes_mm: FloatArray64
    segment: IntArray
    depth: FloatArray64
    tail: IntArray
    head: IntArray
    middle_mm: FloatArray64
    direction: FloatArray64
    length_mm: FloatArray64
    section_mm2: FloatArray64
    kind: IntArray
    incidence: sparse.csr_matrix


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
    rings = len(RING_BORDERS_MM) - 1
    angle = (np.arange(ANGLES) + 0.5) * 360.0 / ANGLES
    lv_number: IntArray = np.arange(LAYERS * rings * ANGLES).reshape(LAYERS, rings, ANGLES)
    lv_nodes, ring_arc = _lv_nodes(angle)
    depth_of_layer = np.arange(LAYERS) / (LAYERS - 1)
    segment = np.stack([aha_segment(ring // 2, angle) for ring in range(rings)])
    septal = (angle > 120.0) & (angle < 240.0)

    edges: list[tuple[IntArray, IntArray, FloatArray64, IntArray]] = []
    radius = np.hypot(lv_nodes[..., 0], lv_nodes[..., 1])
    width = radius * 2.0 * np.pi / ANGLES
    layer_mm = (EPI_RADIUS_MM - ENDO_RADIUS_MM) / LAYERS
    column = width.mean(axis=0) * ring_arc[:, None]
    edges.append(_edges(lv_number[:-1], lv_number[1:], np.broadcast_to(column, lv_number[1:].shape), TRANSMURAL))
    around_kind = np.full(lv_number.shape, TANGENTIAL)
    around_kind[0] = LV_PURKINJE
    around_kind[-1][:, septal & np.roll(septal, -1)] = RV_PURKINJE
    along_kind = np.full(lv_number.shape, TANGENTIAL)
    along_kind[0] = LV_PURKINJE
    along_kind[-1][:, septal] = RV_PURKINJE
    around_section = np.broadcast_to(IN_PLANE * layer_mm * ring_arc[:, None], lv_number.shape)
    edges.append(_edges(lv_number, np.roll(lv_number, -1, axis=2), around_section, around_kind))
    edges.append(_edges(lv_number[:, :-1], lv_number[:, 1:], IN_PLANE * layer_mm * width[:, :-1], along_kind[:, :-1]))

    rv_nodes, rv_section = _rv_nodes()
    rv_number: IntArray = lv_number.size + np.arange(rv_nodes[..., 0].size).reshape(rv_nodes.shape[:3])
    half = RV_STRENGTH * RV_WALL_MM / 2.0
    kinds = np.array([RV_PURKINJE, TANGENTIAL])[:, None, None]
    edges.append(_edges(rv_number[0], rv_number[1], RV_STRENGTH * rv_section, TRANSMURAL))
    edges.append(_edges(rv_number[:, :, :-1], rv_number[:, :, 1:], half * 14.0, kinds))
    edges.append(_edges(rv_number[:, :-1], rv_number[:, 1:], half * 10.0, kinds))
    # The RV free wall meets the septum's right side at the two insertions.
    at_insertion = [int(np.argmin(np.abs(angle - a))) for a in (120.1, 239.9)]
    for rv_column, lv_column in zip((0, RV_ANGLES - 1), at_insertion, strict=True):
        joined = np.stack([lv_number[-1, : rv_number.shape[1], lv_column]] * 2)
        edges.append(_edges(joined, rv_number[:, :, rv_column], half * 14.0, kinds[..., 0]))

    nodes = np.concatenate([lv_nodes.reshape(-1, 3), rv_nodes.reshape(-1, 3)])
    tail, head, section, kind = (np.concatenate([e[i] for e in edges]) for i in range(4))
    step = nodes[head] - nodes[tail]
    length = np.linalg.norm(step, axis=1)
    ones, number = np.ones(len(tail)), np.arange(len(tail))
    incidence = sparse.csr_matrix(
        (np.concatenate([ones, -ones]), (np.concatenate([tail, head]), np.concatenate([number, number]))),
        shape=(len(nodes), len(tail)),
    )
    rv_count = rv_number[0].size
    return Heart(
        nodes_mm=nodes,
        segment=np.concatenate([np.tile(segment.ravel(), LAYERS), np.zeros(2 * rv_count, dtype=np.int64)]),
        depth=np.concatenate([np.repeat(depth_of_layer, rings * ANGLES), np.repeat([0.0, 1.0], rv_count)]),
        tail=tail.astype(np.int64),
        head=head.astype(np.int64),
        middle_mm=(nodes[tail] + nodes[head]) / 2.0,
        direction=step / length[:, None],
        length_mm=length,
        section_mm2=section.astype(np.float64),
        kind=kind.astype(np.int64),
        incidence=incidence,
    )


def _edges(tail, head, section, kind) -> tuple[IntArray, IntArray, FloatArray64, IntArray]:
    """Flatten one family of edges."""
    section, kind = np.broadcast_to(section, tail.shape), np.broadcast_to(kind, tail.shape)
    return tail.ravel(), head.ravel(), section.ravel(), kind.ravel()


def _lv_nodes(angle_deg: FloatArray64) -> tuple[FloatArray64, FloatArray64]:
    """LV nodes (layer, ring, angle, 3) on confocal-like truncated ellipsoids, and each ring's length along the wall."""
    middle_length = (ENDO_LENGTH_MM + EPI_LENGTH_MM) / 2.0
    middle_radius = (ENDO_RADIUS_MM + EPI_RADIUS_MM) / 2.0
    polar = np.arccos(np.clip(RING_BORDERS_MM / middle_length, -1.0, 1.0))
    border = np.stack([middle_radius * np.sin(polar), middle_length * np.cos(polar)])
    ring_arc = np.linalg.norm(np.diff(border, axis=1), axis=0)
    centre = (polar[:-1] + polar[1:]) / 2.0
    share = np.arange(LAYERS) / (LAYERS - 1)
    radius = ENDO_RADIUS_MM + share * (EPI_RADIUS_MM - ENDO_RADIUS_MM)
    length = ENDO_LENGTH_MM + share * (EPI_LENGTH_MM - ENDO_LENGTH_MM)
    r = radius[:, None] * np.sin(centre)
    z = length[:, None] * np.cos(centre)
    theta = np.deg2rad(angle_deg)
    shape = (LAYERS, len(centre), len(theta))
    x, y = r[..., None] * np.cos(theta), r[..., None] * np.sin(theta)
    return np.stack([x, y, np.broadcast_to(z[..., None], shape)], axis=-1), ring_arc


def _rv_nodes() -> tuple[FloatArray64, FloatArray64]:
    """RV free-wall nodes (layer, ring, angle, 3) of a crescent on the septum, and each column's wall area."""
    rings = len(RV_BULGE_MM)
    middle = (RING_BORDERS_MM[:-1] + RING_BORDERS_MM[1:])[:rings] / 2.0
    septum = EPI_RADIUS_MM * np.sin(np.arccos(middle / EPI_LENGTH_MM))
    theta = np.deg2rad(120.0 + (np.arange(RV_ANGLES) + 0.5) * 120.0 / RV_ANGLES)
    swell = RV_BULGE_MM[:, None] * np.cos((theta - np.pi) * 1.5) ** 0.7
    x = septum[:, None] * np.cos(theta) - swell
    y = septum[:, None] * np.sin(theta) + 0.2 * swell
    inner = np.stack([x, y, np.broadcast_to(middle[:, None], x.shape)], axis=-1)
    around = np.gradient(inner, axis=1)
    outward = np.stack([around[..., 1], -around[..., 0], np.zeros_like(x)], axis=-1)
    outward *= np.sign((outward * inner).sum(axis=-1, keepdims=True))
    outward /= np.linalg.norm(outward, axis=-1, keepdims=True)
    section = np.linalg.norm(around, axis=-1) * np.diff(RING_BORDERS_MM)[:rings, None]
    return np.stack([inner, inner + RV_WALL_MM * outward]), section
