"""A made-up patient: a short-axis LGE stack with a known scar, and the ECG simulated from that scar.

For demonstrations and tests. Nothing of it was acquired from a person.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import nibabel
import numpy as np
import wfdb
from numpy.typing import NDArray

from ScarSegECGLib.case import CAVITY, LEADS, MYOCARDIUM, SCAR, Ecg, FloatArray, LabelArray, LgeStack, Storage
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Contrast, Fact, LgeNote
from ScarSegECGLib.training.ecg_simulation.simulate import simulate_ecg
from ScarSegECGLib.training.phantom_chest import chest, smooth_noise
from ScarSegECGLib.training.phantom_heart import INFARCTS, HeartShape, Infarct, heart_slice

WHAT_PHANTOM = "Phantom: image and ECG are simulated from the scar given here."


@dataclass(frozen=True)
class PhantomPatient:
    """What :func:`phantom_patient` makes; all of it simulated.

    ``labels`` has the stack's shape: 0 background, 1 cavity (with the papillary muscles), 2 myocardium without scar,
    3 scar (MVO belongs to it). ``scar_segments`` is the scar fraction, 0..1, of every AHA segment 1..17.
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
    infarct: str | Infarct = "lad",
    scarless: bool = False,
    contrast: Literal["magnitude", "psir"] = "magnitude",
    slices: int = 10,
    slice_mm: float = 8.0,
    size: int = 256,
    pixel_mm: float = 1.4,
    offset_mm: tuple[float, float] = (15.0, 8.0),
    noise: float = 60.0,
    mri_date: datetime = datetime(2024, 3, 14, 10, 30),
    gap_days: float = 3.0,
    conduction: str = "normal",
) -> PhantomPatient:
    """Make one patient; under 3 s.

    Parameters
    ----------
    seed : int
        The same seed gives the same patient.
    infarct : name of :data:`INFARCTS` or Infarct
    scarless : bool
        A normal heart of the same proportions.
    contrast : {"magnitude", "psir"}
        Magnitude has Rician noise; phase-sensitive images are signed and have Gaussian noise.
    slices, slice_mm, size, pixel_mm
        The grid, apex first; the defaults reach from the apical cap to the base.
    offset_mm : (lateral, anterior)
        LV axis from the image centre, mm.
    noise : float
        Standard deviation of the noise per channel; blood is at 660.
    mri_date, gap_days
        The ECG is taken ``gap_days`` after the MRI (negative: before it).
    conduction : str
        As in :func:`~ScarSegECGLib.training.ecg_simulation.simulate.simulate_beats`.

    Raises
    ------
    InputError
        If the infarct or the conduction has no such name.
    """
    rng = np.random.default_rng(seed)
    if isinstance(infarct, str):
        if infarct not in INFARCTS:
            raise InputError(f"There is no infarct {infarct!r}; choose one of {', '.join(INFARCTS)}.")
        infarct = INFARCTS[infarct]
    shape = HeartShape.drawn(rng)
    z = np.arange(slices - 1, -1, -1, dtype=np.float32) * slice_mm
    pixels = (np.arange(size, dtype=np.float32) - (size - 1) / 2.0) * pixel_mm
    centre = np.array(offset_mm) + np.cumsum(rng.normal(0.0, 0.5, (slices, 2)), axis=0)
    x = pixels[None, None, :] - centre[:, 0, None, None].astype(np.float32)
    y = -pixels[None, :, None] - centre[:, 1, None, None].astype(np.float32)

    floor = 0.97 * shape.epi(np.full((1, 1, 1), -np.pi / 2.0, dtype=np.float32), z[:, None, None])
    image = chest(x, y, z[:, None, None], floor, pixel_mm, rng)
    labels, segments = np.zeros(image.shape, dtype=np.uint8), np.zeros((2, 18))
    reach = 75.0
    for k in range(slices):
        rows = np.flatnonzero(np.abs(y[k, :, 0]) < reach)
        columns = np.flatnonzero(np.abs(x[k, 0]) < reach)
        window = np.ix_(np.array([k]), rows, columns)
        heart, alpha, truth, parts = heart_slice(
            x[k, 0, columns], y[k, rows, 0], float(z[k]), slice_mm, pixel_mm, shape, infarct, scarless, seed
        )
        image[window] = image[window] * (1.0 - alpha) + heart
        labels[window] = truth
        segments += parts
    image = _acquire(image, noise, contrast, rng)

    fraction = np.divide(segments[1], segments[0], out=np.zeros(18), where=segments[0] > 0)[1:]
    matrix = _oblique(pixel_mm, slice_mm, size, centre[slices // 2])
    ecg_date = mri_date + timedelta(days=gap_days)
    stack = LgeStack(
        voxels=image,
        ijk_to_ras=matrix,
        storage=Storage(),
        stored_ijk_to_ras=matrix,
        acquired=mri_date,
        contrast=Contrast(contrast),
        notes=(Fact(LgeNote.SIMULATED),),
    )
    ecg = simulate_ecg(fraction, conduction=conduction, rng=np.random.default_rng([seed, 1]), acquired=ecg_date)
    scar = {number: float(fraction[number - 1]) for number in range(1, 18)}
    return PhantomPatient(stack, labels, scar, ecg, mri_date, ecg_date)


def _acquire(image: FloatArray, noise: float, contrast: str, rng: np.random.Generator) -> FloatArray:
    """Coil bias, the k-space window that blurs and rings a little, and the noise of each channel.

    Magnitude: Rician, as both channels carry noise. PSIR: the real part alone, signed.
    """
    slices, rows, columns = image.shape
    row = np.linspace(-1.0, 1.0, rows, dtype=np.float32)[None, :, None]
    column = np.linspace(-1.0, 1.0, columns, dtype=np.float32)[None, None, :]
    near = rng.uniform([-0.9, -0.3], [-0.5, 0.4])
    bias = 0.8 + 0.45 * np.exp(-((column - near[0]) ** 2 + (row - near[1]) ** 2) / 0.9)
    image = image * (1.0 + 0.05 * smooth_noise(image.shape, (0.0, 1.3, 1.3), rng))  # tissue is not flat
    channels = rng.standard_normal((2, *image.shape), dtype=np.float32) * np.float32(noise)
    signal = image * bias + channels[0] + 1j * channels[1]
    fy, fx = np.fft.fftfreq(rows)[:, None] / 0.5, np.fft.fftfreq(columns)[None, :] / 0.5
    # About three quarters of k-space are acquired, with a soft edge: 1.7 mm shown on 1.4 mm pixels.
    window = np.clip((0.85 - np.abs(fx)) / 0.25, 0.0, 1.0) * np.clip((0.75 - np.abs(fy)) / 0.25, 0.0, 1.0)
    signal = np.fft.ifft2(np.fft.fft2(signal) * window)
    return (np.abs(signal) if contrast == "magnitude" else signal.real).astype(np.float32)


def _oblique(pixel_mm: float, slice_mm: float, size: int, centre: NDArray) -> NDArray[np.float64]:
    """``ijk_to_ras`` of a usual short axis: LV axis to the left, front and below; its middle at (-35, 35, 0) RAS."""
    apex = np.array([-0.62, 0.60, -0.50])
    apex /= np.linalg.norm(apex)
    anterior = np.array([0.0, 0.0, 1.0]) - apex[2] * apex
    anterior /= np.linalg.norm(anterior)
    lateral = np.cross(anterior, apex)
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
    paths = {
        "lge": folder / "lge.nii.gz",
        "ecg": folder / "ecg.hea",
        "labels": folder / "truth_labels.nii.gz",
        "truth": folder / "truth.json",
    }
    intensities = np.clip(np.rint(patient.stack.voxels), -32768, 32767).astype(np.int16)
    for name, voxels in (("lge", intensities), ("labels", patient.labels)):
        nibabel.save(nibabel.Nifti1Image(voxels.transpose(2, 1, 0), patient.stack.ijk_to_ras), paths[name])
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
    scar_ml = float((patient.labels == SCAR).sum() * patient.stack.voxel_ml)
    truth = {
        "what": WHAT_PHANTOM,
        "mri_date": patient.mri_date.isoformat(),
        "ecg_date": patient.ecg_date.isoformat(),
        "scar_ml": round(scar_ml, 3),
        "myocardium_ml": round(float((patient.labels >= MYOCARDIUM).sum() * patient.stack.voxel_ml), 3),
        "cavity_ml": round(float((patient.labels == CAVITY).sum() * patient.stack.voxel_ml), 3),
        "scar_fraction_of_segment": {str(k): round(v, 4) for k, v in patient.scar_segments.items()},
    }
    paths["truth"].write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    return paths
