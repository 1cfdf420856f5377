"""A made-up patient: a short-axis LGE stack with a known scar, and the ECG simulated from that scar.

    python Research/phantom.py      writes the sample patient that is shipped (ScarSegECGLib/sample)

For demonstrations and tests. Nothing of it was acquired from a person.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import nibabel
import numpy as np
import wfdb
from numpy.typing import NDArray
from phantom_heart import INFARCTS, SIGNAL, Field, HeartShape, heart_slice
from scipy.ndimage import gaussian_filter

from ScarSegECGLib.case import CAVITY, LEADS, MYOCARDIUM, SCAR, Ecg, FloatArray, LabelArray, LgeStack, Storage
from ScarSegECGLib.ecg.delineation import RATE
from ScarSegECGLib.facts import Contrast, Fact, LgeNote
from ScarSegECGLib.facts_ecg import EcgNote
from ScarSegECGLib.sample import HOME, MRI_DATE
from ScarSegECGLib.training.ecg_simulation.simulate import (
    SAMPLES,
    Body,
    drawn_bodies,
    heart_frame,
    heart_leads,
    synthetic_noise,
)

AXIS_MM = (15.0, 8.0)  # of the LV from the image's centre, lateral and anterior
HEART_REACH_MM = 75.0
RECORD_BPM = 70.0
BEFORE_MS, BEAT_MS = 260.0, 760  # of the ECG's beats: before the QRS, and in all
NOISE = 60.0  # standard deviation in each channel; blood is at 660


@dataclass(frozen=True)
class PhantomPatient:
    """What :func:`phantom_patient` makes; all of it simulated.

    ``labels`` are on the stack's grid: 0 background, 1 cavity (with the papillary muscles), 2 myocardium, 3 scar (MVO
    counted in). ``scar_segments`` is the scar fraction, 0..1, of every AHA segment 1..17.
    """

    stack: LgeStack
    labels: LabelArray
    scar_segments: dict[int, float]
    ecg: Ecg
    mri_date: datetime
    ecg_date: datetime


def phantom_patient(
    seed: int = 0,
    *,
    infarct: str = "lad",
    scarless: bool = False,
    slices: int = 10,
    slice_mm: float = 8.0,
    size: int = 256,
    pixel_mm: float = 1.4,
    gap_days: float = 3.0,
) -> PhantomPatient:
    """Make one patient in under 3 s; the same seed gives the same patient.

    ``infarct`` is a name of :data:`INFARCTS`; with ``scarless`` a normal heart of the same proportions is made. The
    grid goes from the apex to the base. ``gap_days``: the ECG is taken so long after the MRI (negative: before it).
    """
    rng = np.random.default_rng(seed)
    shape, own = HeartShape.drawn(rng), None if scarless else INFARCTS[infarct]
    z = np.arange(slices - 1, -1, -1, dtype=np.float32) * slice_mm
    pixels = (np.arange(size, dtype=np.float32) - (size - 1) / 2.0) * pixel_mm
    centre = np.array(AXIS_MM) + np.cumsum(rng.normal(0.0, 0.5, (slices, 2)), axis=0)
    x = pixels[None, None, :] - centre[:, 0, None, None].astype(np.float32)
    y = -pixels[None, :, None] - centre[:, 1, None, None].astype(np.float32)

    floor = 0.97 * shape.epi(np.full((1, 1, 1), -np.pi / 2.0, dtype=np.float32), z[:, None, None])
    image = _chest(x, y, z[:, None, None], floor, pixel_mm, rng)
    labels, segments = np.zeros(image.shape, dtype=np.uint8), np.zeros((2, 18))
    for k in range(slices):
        rows = np.flatnonzero(np.abs(y[k, :, 0]) < HEART_REACH_MM)
        columns = np.flatnonzero(np.abs(x[k, 0]) < HEART_REACH_MM)
        window = np.ix_(np.array([k]), rows, columns)
        heart, alpha, labels[window], parts = heart_slice(
            x[k, 0, columns], y[k, rows, 0], float(z[k]), (slice_mm, pixel_mm), shape, own, seed
        )
        image[window] = image[window] * (1.0 - alpha) + heart
        segments += parts

    fraction = np.divide(segments[1], segments[0], out=np.zeros(18), where=segments[0] > 0)[1:]
    matrix = _oblique(pixel_mm, slice_mm, size, centre[slices // 2])
    ecg_date = MRI_DATE + timedelta(days=gap_days)
    stack = LgeStack(
        voxels=_acquired(image, rng),
        ijk_to_ras=matrix,
        storage=Storage(),
        stored_ijk_to_ras=matrix,
        acquired=MRI_DATE,
        contrast=Contrast.MAGNITUDE,
        notes=(Fact(LgeNote.SIMULATED),),
    )
    ecg_rng = np.random.default_rng([seed, 1])
    ecg = simulate_ecg(fraction, drawn_bodies(1, ecg_rng), ecg_rng, ecg_date)
    scar = {number: float(share) for number, share in enumerate(fraction, start=1)}
    return PhantomPatient(stack, labels, scar, ecg, MRI_DATE, ecg_date)


def simulate_ecg(
    scar_fraction: NDArray, body: Body, rng: np.random.Generator | None = None, acquired: datetime | None = None
) -> Ecg:
    """A record of ten seconds at 500 Hz, 70 beats per minute, of one ``body``; a note says that it is simulated.

    ``scar_fraction`` is (17,). ``rng`` draws sinus arrhythmia and noise; without it there are none.
    """
    interval = 60000.0 / RECORD_BPM
    fine = heart_leads(scar_fraction[None], body, ["normal"], np.array([RECORD_BPM]), -BEFORE_MS, BEAT_MS)[0]
    signal = np.zeros((len(LEADS), SAMPLES))
    clock = np.arange(SAMPLES) * 1000.0 / RATE
    at = -0.5 * interval if rng is None else -interval * rng.uniform(0.1, 0.9)
    while at < clock[-1] + BEFORE_MS:
        rows = np.flatnonzero((clock >= at - BEFORE_MS) & (clock < at - BEFORE_MS + BEAT_MS - 1))
        place = clock[rows] - (at - BEFORE_MS)
        low = place.astype(np.int64)
        signal[:, rows] += fine[:, low] + (place - low) * (fine[:, low + 1] - fine[:, low])
        # Sinus arrhythmia: about 3 % with breathing, 1 % at random (chosen).
        sway = 0.0 if rng is None else 0.03 * np.sin(2.0 * np.pi * 0.23 * at / 1000.0) + rng.normal(0.0, 0.01)
        at += interval * (1.0 + sway)
    if rng is not None:
        signal += synthetic_noise(rng)
    every = np.ones(len(LEADS), dtype=np.bool_)
    return Ecg(signal.astype(np.float32), every, RATE, acquired=acquired, notes=(Fact(EcgNote.SIMULATED),))


def _smooth_noise(shape: tuple[int, ...], sigma: tuple[float, ...], rng: np.random.Generator) -> Field:
    """Low-frequency texture of unit standard deviation."""
    noise = gaussian_filter(rng.standard_normal(shape, dtype=np.float32), sigma)
    return noise / noise.std()


def _chest(x: Field, y: Field, z: Field, floor_mm: Field, pixel_mm: float, rng: np.random.Generator) -> Field:
    """Chest wall, lung, liver, stomach and spleen, [slice, row, column], with soft borders of one pixel.

    ``x``, ``y``, ``z`` broadcast to that, mm from the LV's axis; ``floor_mm`` [slice, 1, 1] is how far the heart
    reaches down from it: the diaphragm lies just below.
    """
    grid = np.broadcast_shapes(x.shape, y.shape, z.shape)
    image = np.zeros(grid, dtype=np.float32)
    wave = _smooth_noise(grid, (0.7, 14.0, 14.0), rng)
    grain = _smooth_noise(grid, (0.0, 1.3, 1.3), rng)

    def paint(inside_mm: Field, level: float | NDArray) -> None:
        cover = np.clip(inside_mm / pixel_mm + 0.5, 0.0, 1.0)
        image[:] += cover * (level - image)

    def blob(cx: float | Field, cy: float | Field, a: float, b: float, tilt: float, power: float = 2.0) -> Field:
        """Distance inside a tilted superellipse, roughly mm."""
        c, s = np.cos(np.deg2rad(tilt)), np.sin(np.deg2rad(tilt))
        u, v = (x - cx) * c + (y - cy) * s, -(x - cx) * s + (y - cy) * c
        form = (np.abs(u / a) ** power + np.abs(v / b) ** power) ** (1.0 / power)
        return ((1.0 - form) * min(a, b)).astype(np.float32)

    fat = SIGNAL["fat"] * (1.0 + 0.05 * wave + 0.04 * grain)
    trunk = blob(48.0, -26.0, 140.0, 172.0, -14.0, 2.3) + 4.0 * wave
    rind = rng.uniform(9.0, 15.0) * (1.0 + 0.5 * np.clip((y - x) / 150.0, -0.8, 1.2))
    paint(trunk, fat)
    paint(trunk - rind, SIGNAL["muscle"] * (1.0 + 0.10 * wave + 0.08 * grain))
    ribs = np.cos(np.arctan2(y + 26.0, x - 48.0) * 13.0 + 0.1 * z) * 4.0 - np.abs(trunk - rind - 9.0)
    paint(ribs, SIGNAL["rib"])
    inner = trunk - rind - 15.0 - 2.0 * wave
    paint(inner, fat)
    paint(inner - 2.0, SIGNAL["lung"] * (1.0 + 0.25 * wave) + 18.0 * grain)
    # Lung vessels: more and larger near the hilum, i.e. towards the base.
    count = rng.poisson(130.0, size=(grid[0],))
    for k in range(grid[0]):
        spots = np.zeros(grid[1:], dtype=np.float32)
        at = rng.integers(0, grid[1], (count[k], 2))
        spots[at[:, 0], at[:, 1]] = rng.gamma(1.6, 3.2, count[k])
        spots = gaussian_filter(spots, rng.uniform(0.7, 1.1)) * SIGNAL["vessel"]
        image[k] += np.where(inner[k] > 4.0, np.minimum(spots, SIGNAL["vessel"]), 0.0)
    # Fat and muscle in front of the heart, where the chest wall comes near.
    paint(np.minimum(inner, blob(-76.0, -14.0, 32.0, 62.0, 6.0) + 0.12 * z + 4.0 * wave), 0.9 * fat)
    # Fat between the heart and the diaphragm.
    paint(np.minimum(inner, np.minimum(-14.0 - y, 6.0 - x) + 3.0 * wave), 0.9 * fat)
    # Below the diaphragm, which rises towards the apex: liver in front, stomach and spleen behind.
    dome = -(floor_mm + 4.0) - y - 0.0016 * (x + 5.0) ** 2 - 0.10 * (x + 5.0) - 1.0 * wave
    belly = np.minimum(inner, dome)
    paint(belly, fat)
    liver = np.minimum(belly - 1.5, 42.0 - x + 0.45 * (y + 60.0) + 5.0 * wave)
    paint(liver, SIGNAL["liver"] * (1.0 + 0.04 * wave + 0.04 * grain))
    gut = np.minimum(belly - 2.0, blob(58.0, -86.0 + 0.35 * z, 40.0, 24.0, -18.0, 2.3) + 3.0 * wave)
    paint(gut, SIGNAL["stomach"] * (1.0 + 0.1 * grain))
    paint(gut - 7.0 - 2.0 * grain, SIGNAL["fluid"] * (1.0 + 0.3 * wave))
    spleen = np.minimum(belly - 2.0, blob(118.0, -72.0, 34.0, 20.0, -38.0) + 2.0 * wave)
    paint(spleen, SIGNAL["spleen"] * (1.0 + 0.04 * grain))
    paint(np.minimum(belly - 2.0, blob(50.0, -140.0, 26.0, 32.0, -20.0)), SIGNAL["vessel"] * (1.0 + 0.15 * wave))
    return image


def _acquired(image: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A magnitude image: coil bias, the k-space window that blurs and rings a little, and noise in both channels."""
    slices, rows, columns = image.shape
    row = np.linspace(-1.0, 1.0, rows, dtype=np.float32)[None, :, None]
    column = np.linspace(-1.0, 1.0, columns, dtype=np.float32)[None, None, :]
    near = rng.uniform([-0.9, -0.3], [-0.5, 0.4])
    bias = 0.8 + 0.45 * np.exp(-((column - near[0]) ** 2 + (row - near[1]) ** 2) / 0.9)
    image = image * (1.0 + 0.05 * _smooth_noise(image.shape, (0.0, 1.3, 1.3), rng))  # tissue is not flat
    channels = rng.standard_normal((2, *image.shape), dtype=np.float32) * np.float32(NOISE)
    signal = image * bias + channels[0] + 1j * channels[1]
    fy, fx = np.fft.fftfreq(rows)[:, None] / 0.5, np.fft.fftfreq(columns)[None, :] / 0.5
    # About three quarters of k-space are acquired, with a soft edge: 1.7 mm shown on 1.4 mm pixels.
    window = np.clip((0.85 - np.abs(fx)) / 0.25, 0.0, 1.0) * np.clip((0.75 - np.abs(fy)) / 0.25, 0.0, 1.0)
    return np.abs(np.fft.ifft2(np.fft.fft2(signal) * window)).astype(np.float32)


def _oblique(pixel_mm: float, slice_mm: float, size: int, centre: NDArray) -> NDArray[np.float64]:
    """``ijk_to_ras`` of a usual short axis: LV axis to the left, front and below; its middle at (-35, 35, 0) RAS."""
    lateral, anterior, apex = heart_frame(np.array([-0.62, 0.60, -0.50])).T
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([lateral * pixel_mm, -anterior * pixel_mm, -apex * slice_mm], axis=1)
    middle = np.array(
        [(size - 1) / 2.0 + centre[0] / pixel_mm, (size - 1) / 2.0 - centre[1] / pixel_mm, 36.0 / slice_mm]
    )
    matrix[:3, 3] = np.array([-35.0, 35.0, 0.0]) - matrix[:3, :3] @ middle
    return matrix


def write_phantom(folder: Path, patient: PhantomPatient) -> dict[str, Path]:
    """Write the patient's files and return their paths.

    ``"lge"``: NIfTI, int16. ``"ecg"``: WFDB header (its ``.dat`` lies beside it), mV, with date and time.
    ``"labels"``: the truth, NIfTI, uint8. ``"truth"``: JSON with scar per segment and both dates.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = {"lge": "lge.nii.gz", "ecg": "ecg.hea", "labels": "truth_labels.nii.gz", "truth": "truth.json"}
    paths = {kind: folder / name for kind, name in names.items()}
    intensities = np.clip(np.rint(patient.stack.voxels), -32768, 32767).astype(np.int16)
    for kind, voxels in (("lge", intensities), ("labels", patient.labels)):
        nibabel.save(nibabel.Nifti1Image(voxels.transpose(2, 1, 0), patient.stack.ijk_to_ras), paths[kind])
    wfdb.wrsamp(
        "ecg",
        fs=patient.ecg.rate,
        units=["mV"] * 12,
        sig_name=list(LEADS),
        p_signal=patient.ecg.millivolts.T.astype(np.float64),
        fmt=["16"] * 12,
        adc_gain=[1000.0] * 12,
        baseline=[0] * 12,
        comments=["Simulated ECG, not recorded from a person"],
        base_time=patient.ecg_date.time(),
        base_date=patient.ecg_date.date(),
        write_dir=str(folder),
    )

    def ml(mask: NDArray[np.bool_]) -> float:
        return round(float(mask.sum() * patient.stack.voxel_ml), 3)

    truth = {
        "what": "Phantom: image and ECG are simulated from the scar given here.",
        "mri_date": patient.mri_date.isoformat(),
        "ecg_date": patient.ecg_date.isoformat(),
        "scar_ml": ml(patient.labels == SCAR),
        "myocardium_ml": ml(patient.labels >= MYOCARDIUM),
        "cavity_ml": ml(patient.labels == CAVITY),
        "scar_fraction_of_segment": {str(k): round(v, 4) for k, v in patient.scar_segments.items()},
    }
    paths["truth"].write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    return paths


if __name__ == "__main__":
    write_phantom(HOME, phantom_patient())
