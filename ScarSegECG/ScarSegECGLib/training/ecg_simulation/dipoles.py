"""From activation times to leads: the current dipoles of depolarisation and repolarisation, and of the atria.

Each edge carries the current ``-sigma grad Vm`` of its two nodes (Miller and Geselowitz, Circ Res 1978;43:301), so the
ECG is a weighted sum of the nodes' action potentials. With one shape of upstroke and one of repolarisation that sum is
a histogram in time of the weights, smoothed: thousands of beats cost seconds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from ScarSegECGLib.training.ecg_simulation.heart import FloatArray64, Heart
from ScarSegECGLib.training.ecg_simulation.torso import Body, lead_field, point_lead_field

# Waves come in steps of 1 ms. S.d. of the smoothed upstroke: about 1 ms in a cell, widened by the coarse mesh (chosen).
UPSTROKE_MS = 3.0
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
# Two halves of the atrial loop, LPS: right atrium forwards and down, left atrium leftwards, back and down (textbook).
ATRIUM_MM = np.array([-45.0, 10.0, 40.0])
ATRIAL_LOOP = np.array([[0.45, -0.50, -0.75], [0.80, 0.45, -0.40]])
ATRIAL_PEAK_MS = np.array([35.0, 68.0])
ATRIAL_WIDTH_MS = np.array([17.0, 17.0])


def node_scar(scar: NDArray, heart: Heart) -> FloatArray64:
    """Scar 0..1 of every node, shape (n, nodes), from the segments' scar fractions (n, 17).

    Scar fills a segment from the endocardium outwards (wavefront of necrosis, Reimer and Jennings 1979): a third of the
    volume is the inner third of the wall. 0 in the right ventricle.
    """
    fraction = np.concatenate([np.zeros((len(scar), 1)), np.clip(scar, 0.0, 1.0)], axis=1)[:, heart.segment]
    layer = heart.depth * 3.0  # four layers, 0 at the endocardium
    return np.clip(4.0 * fraction - layer, 0.0, 1.0) * (heart.segment > 0)


def lead_weights(heart: Heart, body: Body, dead: NDArray) -> NDArray[np.float32]:
    """How much each node's potential counts in each lead, shape (n, 12, nodes).

    An edge's dipole is in proportion to the living muscle along it; scar carries no injury current (chronic).
    """
    alive = 1.0 - (dead[:, heart.tail] + dead[:, heart.head]) / 2.0
    field = lead_field(heart, body)
    n, leads, edges = field.shape
    flat = (field * (alive * heart.section_mm2).astype(np.float32)[:, None, :]).reshape(n * leads, edges)
    return np.ascontiguousarray((heart.incidence.astype(np.float32) @ flat.T).T).reshape(n, leads, -1)


def ventricular_leads(
    heart: Heart,
    body: Body,
    dead: NDArray,
    activation: FloatArray64,
    normal_activation: FloatArray64,
    apd_ms: NDArray,
    first_ms: float,
    samples: int,
) -> FloatArray64:
    """QRS and T of ``n`` hearts in mV, shape (n, 12, samples) in steps of 1 ms.

    ``dead`` (n, nodes) is scar, 0..1. ``activation`` and ``normal_activation`` (n, nodes) are this conduction's times
    and those of the normal one, to which the action potentials' lengths are mostly adapted: so a bundle branch block
    brings its secondary T wave. ``apd_ms`` (n,) is the first excited muscle's; the first sample lies at ``first_ms``,
    the QRS beginning at 0.
    """
    weights = lead_weights(heart, body, dead)
    order = normal_activation + APD_ADAPTS * (activation - normal_activation)
    shorter = APD_PER_ACTIVATION * order + EPICARDIUM_MS * heart.depth
    recovery = activation + apd_ms[:, None] + shorter + SCAR_PROLONGS_MS * dead
    # What the person's gain scales is how far recovery departs from its mean.
    mean = recovery.mean(axis=1, keepdims=True)
    recovery = mean + body.t_gain[:, None] * (recovery - mean)
    qrs = _wave(weights, activation, UPSTROKE_MS, first_ms, samples)
    t_wave = _wave(-weights, recovery, REPOLARISATION_MS, first_ms, samples)
    return MILLIVOLTS * body.voltage[:, None, None] * (qrs + t_wave)


def _wave(
    weights: NDArray[np.float32], time_ms: FloatArray64, smooth_ms: float, first_ms: float, samples: int
) -> FloatArray64:
    """Weights summed up to each time, every one shared between the two nearest steps, and smoothed."""
    n, leads, _ = weights.shape
    place = np.clip(time_ms - first_ms, 0.0, samples - 1.001)
    low = place.astype(np.int64)
    cell = (np.arange(n * leads) * samples).reshape(n, leads, 1) + low[:, None, :]
    later = weights * (place - low)[:, None, :]
    size = n * leads * samples
    out = np.zeros(size)
    out += np.bincount(cell.ravel(), (weights - later).ravel(), minlength=size)
    out += np.bincount(cell.ravel() + 1, later.ravel(), minlength=size)
    summed = np.cumsum(out.reshape(n, leads, samples), axis=-1)
    return gaussian_filter1d(summed, smooth_ms, axis=-1, mode="nearest", truncate=3.0)


def atrial_leads(body: Body, first_ms: float, samples: int) -> FloatArray64:
    """P waves in mV, shape (n, 12, samples): two dipoles in turn, scaled to the wanted peak in lead II."""
    time = first_ms + np.arange(samples) + body.pr_ms[:, None]
    bump = np.exp(-0.5 * ((time[:, None, :] - ATRIAL_PEAK_MS[:, None]) / ATRIAL_WIDTH_MS[:, None]) ** 2)
    wave = np.einsum("nlc,kc->nlk", point_lead_field(ATRIUM_MM, body), ATRIAL_LOOP) @ bump
    return wave / np.abs(wave[:, 1]).max(axis=-1)[:, None, None] * body.p_mv[:, None, None]
