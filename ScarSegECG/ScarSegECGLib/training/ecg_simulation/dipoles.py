"""From activation times to leads: the current dipoles of depolarisation and repolarisation, and of the atria.

Each edge carries the current ``-sigma grad Vm`` of its two nodes (Miller and Geselowitz, Circ Res 1978;43:301), so the
ECG is a weighted sum of the nodes' action potentials. With one shape of upstroke and one of repolarisation that sum is
a histogram in time of the weights, smoothed: thousands of beats cost seconds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from ScarSegECGLib.training.ecg_simulation.heart import FloatArray64, Heart, standard_heart
from ScarSegECGLib.training.ecg_simulation.torso import Pose, point_lead_field

STEP_MS = 1.0
UPSTROKE_MS = 3.0  # s.d. of the smoothed upstroke: about 1 ms in a cell, widened by the coarse mesh (chosen)
REPOLARISATION_MS = 27.0  # s.d. of phase 3, about 100 ms from 10 to 90 % (textbook)
# Action potentials shorten by 1.32 ms per ms of later activation (Franz et al., Circulation 1987;75:379), so that
# recovery runs against activation and T is upright. The mesh's epicardium ends another 14 ms earlier (chosen).
APD_PER_ACTIVATION = -1.32
EPICARDIUM_MS = -14.0
# In a conduction defect a part of the shortening follows the new order (cardiac memory; share chosen): the secondary T
# wave stays in proportion to its QRS.
APD_ADAPTS = 0.4
SCAR_PROLONGS_MS = 45.0  # surviving muscle in scar: T flattens or inverts over an old infarct (size chosen)
MILLIVOLTS = 2.72  # one number for every heart: gives the typical normal one about 1.9 mV in the tallest chest lead


def node_scar(scar: NDArray, heart: Heart | None = None) -> FloatArray64:
    """Scar of every node from the segments' scar fractions.

    Parameters
    ----------
    scar : array, shape (n, 17)
        Fraction of each AHA segment that is scar, 0..1.

    Returns
    -------
    float64 array, shape (n, nodes), 0..1
        Scar fills a segment from the endocardium outwards (wavefront of necrosis, Reimer and Jennings 1979): a third
        of the volume is the inner third of the wall. 0 in the right ventricle.
    """
    heart = standard_heart() if heart is None else heart
    fraction = np.concatenate([np.zeros((len(scar), 1)), np.clip(scar, 0.0, 1.0)], axis=1)[:, heart.segment]
    layer = heart.depth * 3.0  # four layers, 0 at the endocardium
    return np.clip(4.0 * fraction - layer, 0.0, 1.0) * (heart.segment > 0)


def edge_strength(scar_of_node: NDArray, heart: Heart) -> NDArray[np.float32]:
    """Dipole moment of each edge per unit of potential difference, shape (n, edges), mm2.

    In proportion to the living muscle along the edge; scar carries no injury current (chronic).
    """
    alive = 1.0 - (scar_of_node[:, heart.tail] + scar_of_node[:, heart.head]) / 2.0
    return (alive * heart.section_mm2).astype(np.float32)


def lead_weights(field: NDArray[np.float32], strength: NDArray[np.float32], heart: Heart) -> NDArray[np.float32]:
    """How much each node's potential counts in each lead, shape (n, 12, nodes)."""
    n, leads, edges = field.shape
    flat = (field * strength[:, None, :]).reshape(n * leads, edges)
    return np.ascontiguousarray((heart.incidence.astype(np.float32) @ flat.T).T).reshape(n, leads, -1)


def ventricular_leads(
    weights: NDArray[np.float32],
    activation: FloatArray64,
    normal_activation: FloatArray64,
    scar_of_node: NDArray,
    apd_ms: NDArray,
    t_gain: NDArray,
    first_ms: float,
    samples: int,
) -> tuple[FloatArray64, FloatArray64]:
    """QRS and T of ``n`` hearts in arbitrary units, two arrays of shape (n, 12, samples) in steps of 1 ms.

    Parameters
    ----------
    activation, normal_activation : arrays, shape (n, nodes)
        This conduction's times and those of the normal one, to which the action potentials' lengths are mostly
        adapted: so a bundle branch block brings its secondary T wave.
    apd_ms : array, shape (n,)
        Action potential of the first muscle to be excited.
    t_gain : array, shape (n,)
        The person's dispersion of recovery as a factor of the standard one.
    first_ms : float
        Time of the first sample, the QRS beginning at 0.
    """
    heart = standard_heart()
    order = normal_activation + APD_ADAPTS * (activation - normal_activation)
    shorter = APD_PER_ACTIVATION * order + EPICARDIUM_MS * heart.depth
    recovery = activation + apd_ms[:, None] + shorter + SCAR_PROLONGS_MS * scar_of_node
    # What the person's gain scales is how far recovery departs from its mean.
    mean = recovery.mean(axis=1, keepdims=True)
    recovery = mean + t_gain[:, None] * (recovery - mean)
    qrs = _histogram(weights, activation, first_ms, samples)
    t_wave = -_histogram(weights, recovery, first_ms, samples)
    qrs = gaussian_filter1d(np.cumsum(qrs, axis=-1), UPSTROKE_MS / STEP_MS, axis=-1, mode="nearest", truncate=3.0)
    t_wave = np.cumsum(t_wave, axis=-1)
    t_wave = gaussian_filter1d(t_wave, REPOLARISATION_MS / STEP_MS, axis=-1, mode="nearest", truncate=3.0)
    return qrs, t_wave


def _histogram(weights: NDArray[np.float32], time_ms: FloatArray64, first_ms: float, samples: int) -> FloatArray64:
    """Weights gathered by time, shared between the two nearest steps, shape (n, 12, samples)."""
    n, leads, _ = weights.shape
    place = np.clip((time_ms - first_ms) / STEP_MS, 0.0, samples - 1.001)
    low = place.astype(np.int64)
    share = place - low
    row = (np.arange(n * leads) * samples).reshape(n, leads, 1)
    cell = row + low[:, None, :]
    later = weights * share[:, None, :]
    size = n * leads * samples
    out = np.zeros(size)
    out += np.bincount(cell.ravel(), (weights - later).ravel(), minlength=size)
    out += np.bincount(cell.ravel() + 1, later.ravel(), minlength=size)
    return out.reshape(n, leads, samples)


# Two halves of the atrial loop, LPS: right atrium forwards and down, left atrium leftwards, back and down (textbook).
ATRIUM_MM = np.array([-45.0, 10.0, 40.0])
ATRIAL_LOOP = np.array([[0.45, -0.50, -0.75], [0.80, 0.45, -0.40]])
ATRIAL_PEAK_MS = np.array([35.0, 68.0])
ATRIAL_WIDTH_MS = np.array([17.0, 17.0])


def atrial_leads(pose: Pose, pr_ms: NDArray, p_mv: NDArray, first_ms: float, samples: int) -> FloatArray64:
    """P waves in mV, shape (n, 12, samples): two dipoles in turn, scaled to the wanted peak in lead II."""
    time = first_ms + STEP_MS * np.arange(samples) + pr_ms[:, None]
    bump = np.exp(-0.5 * ((time[:, None, :] - ATRIAL_PEAK_MS[:, None]) / ATRIAL_WIDTH_MS[:, None]) ** 2)
    loop = np.einsum("nlc,kc->nlk", point_lead_field(ATRIUM_MM, pose), ATRIAL_LOOP)
    wave = loop @ bump
    return wave / np.abs(wave[:, 1]).max(axis=-1)[:, None, None] * p_mv[:, None, None]
