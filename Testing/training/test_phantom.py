"""The phantom patient is a sensible LGE stack with a known scar, and its files can be read back."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import wfdb
from phantom import PhantomPatient, phantom_patient, write_phantom
from scipy.ndimage import label as islands

from ScarSegECGLib import sample
from ScarSegECGLib.case import CAVITY, LEADS, MYOCARDIUM, SCAR
from ScarSegECGLib.wording import words


@cache
def made(infarct: str) -> PhantomPatient:
    return phantom_patient(0, infarct=infarct)


@pytest.fixture(scope="module")
def patient() -> PhantomPatient:
    return made("lad")


def signal(patient: PhantomPatient, value: int) -> float:
    return float(np.median(patient.stack.voxels[patient.labels == value]))


def test_the_stack_is_canonical_and_oblique(patient: PhantomPatient) -> None:
    stack = patient.stack
    assert stack.voxels.shape == (10, 256, 256) and stack.voxels.dtype == np.float32
    assert stack.spacing == pytest.approx((8.0, 1.4, 1.4))
    axes = stack.ijk_to_ras[:3, :3] / np.linalg.norm(stack.ijk_to_ras[:3, :3], axis=0)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) > 0.99 and np.abs(axes).max() < 0.95
    lateral, down, to_base = axes.T
    assert lateral[0] < -0.4 and down[2] < -0.5, "lateral is the patient's left, down is inferior"
    assert to_base[0] > 0.3 and to_base[1] < -0.3 and to_base[2] > 0.3, "the base is right, posterior, superior"
    assert "made-up" in words(stack.notes[0])


def test_contrast_is_that_of_late_enhancement(patient: PhantomPatient) -> None:
    blood, muscle, scar = (signal(patient, v) for v in (CAVITY, MYOCARDIUM, SCAR))
    assert muscle < 0.55 * blood and scar > 0.95 * blood
    air = patient.stack.voxels[:, :40, :40]
    assert air.mean() < 0.3 * muscle + 40.0 and air.min() >= 0.0
    assert air.mean() / air.std() == pytest.approx(1.91, abs=0.15), "Rician noise is Rayleigh in air"
    assert 1000.0 < np.percentile(patient.stack.voxels, 99.5) < 1700.0


def test_lv_is_a_ring_that_tapers_and_lies_off_centre(patient: PhantomPatient) -> None:
    labels = patient.labels
    areas = [(labels[k] == CAVITY).sum() for k in range(10)]
    assert areas[0] == 0 and (np.diff(areas[1:]) > 0).all()
    pixel = np.prod(patient.stack.spacing[1:])
    for k in range(2, 10):
        inner, outer = (labels[k] == CAVITY).sum() * pixel, (labels[k] > 0).sum() * pixel
        thickness = np.sqrt(outer / np.pi) - np.sqrt(inner / np.pi)
        assert 6.5 < thickness < 11.5
        assert islands(labels[k] >= MYOCARDIUM)[1] == 1
        filled, count = islands(labels[k] == 0)
        assert count == 1, "the wall is closed"
    row, column = (axis.mean() for axis in np.nonzero(labels[6]))
    assert (column - 127.5) * 1.4 == pytest.approx(15.0, abs=4.0) and (127.5 - row) * 1.4 == pytest.approx(8.0, abs=4.0)
    volume = (labels == CAVITY).sum() * patient.stack.voxel_ml
    mass = (labels >= MYOCARDIUM).sum() * patient.stack.voxel_ml * 1.05
    assert 70.0 < volume < 170.0 and 80.0 < mass < 170.0


def test_rv_blood_lies_left_of_the_septum(patient: PhantomPatient) -> None:
    labels, voxels = patient.labels[7], patient.stack.voxels[7]
    rows, columns = np.nonzero(labels)
    middle, left = int(rows.mean()), int(columns.min())
    rv = voxels[middle - 5 : middle + 6, left - 14 : left - 4].mean()
    lung = voxels[int(rows.min()) - 25 : int(rows.min()) - 15, int(columns.max()) :][:, :15].mean()
    assert rv > 0.7 * signal(patient, CAVITY) and lung < 0.4 * rv


@pytest.mark.parametrize(
    ("infarct", "usual"),
    [
        ("lad", {1, 2, 7, 8, 13, 14, 17}),
        ("lad mvo", {1, 2, 7, 8, 13, 14, 16, 17}),
        ("lad small", {2, 8, 9, 13, 14}),
        ("rca", {3, 4, 9, 10, 15}),
        ("lcx", {5, 6, 11, 12, 16}),
    ],
)
def test_scar_lies_in_its_territory_and_touches_the_endocardium(infarct: str, usual: set[int]) -> None:
    patient = made(infarct)
    scar = np.array([patient.scar_segments[k] for k in range(1, 18)])
    inside = sum(patient.scar_segments[k] for k in usual)
    assert inside > 0.75 * scar.sum() and scar.max() > 0.15 and scar.max() <= 1.0
    share = (patient.labels == SCAR).sum() / (patient.labels >= MYOCARDIUM).sum()
    assert 0.02 < share < 0.35
    slice_ = int(np.argmax((patient.labels == SCAR).sum(axis=(1, 2))))
    labels = patient.labels[slice_]
    beside = np.zeros(labels.shape, dtype=bool)
    for axis in (0, 1):
        for step in (-1, 1):
            beside |= np.roll(labels == CAVITY, step, axis)
    assert (beside & (labels == SCAR)).any()
    assert not set(patient.scar_segments) - set(range(1, 18))


def test_mvo_is_a_dark_core_that_counts_as_scar() -> None:
    dark, plain = (made(name) for name in ("lad mvo", "lad"))
    low = [float(np.mean(p.stack.voxels[p.labels == SCAR] < 400.0)) for p in (dark, plain)]
    assert low[0] > low[1] + 0.05


def test_a_scarless_patient_has_the_same_heart_and_no_scar(patient: PhantomPatient) -> None:
    normal = phantom_patient(0, scarless=True)
    assert not (normal.labels == SCAR).any() and not any(normal.scar_segments.values())
    assert np.mean((normal.labels > 0) == (patient.labels > 0)) > 0.9999
    change = np.abs(normal.ecg.millivolts - patient.ecg.millivolts).max(axis=1)
    assert change[LEADS.index("V3")] > 0.3, "the scar shows in the ECG"


def test_one_seed_gives_one_patient(patient: PhantomPatient) -> None:
    again, other = phantom_patient(0), phantom_patient(1, slices=10, slice_mm=8.0)
    assert np.array_equal(again.stack.voxels, patient.stack.voxels) and np.array_equal(again.labels, patient.labels)
    assert np.array_equal(again.ecg.millivolts, patient.ecg.millivolts)
    assert not np.array_equal(other.labels, patient.labels)


def test_dates_and_gap() -> None:
    patient = phantom_patient(0, gap_days=-40.0, slices=2, slice_mm=20.0)
    assert (patient.ecg_date - patient.mri_date).days == -40
    assert patient.ecg.acquired == patient.ecg_date and patient.stack.acquired == patient.mri_date


def test_other_grids() -> None:
    patient = phantom_patient(0, slices=7, slice_mm=11.0, size=192, pixel_mm=1.8)
    assert patient.labels.shape == (7, 192, 192) and (patient.labels == SCAR).any()


def test_files_read_back(patient: PhantomPatient, tmp_path: Path) -> None:
    paths = write_phantom(tmp_path / "new", patient)
    image = sitk.ReadImage(str(paths["lge"]))
    voxels = sitk.GetArrayFromImage(image)
    assert voxels.dtype == np.int16
    np.testing.assert_array_equal(voxels, np.rint(patient.stack.voxels))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(paths["labels"]))), patient.labels)
    for index in ((0, 0, 0), (200, 31, 9)):
        lps = np.array(image.TransformIndexToPhysicalPoint(index))
        ras = patient.stack.ijk_to_ras @ np.array([*index, 1.0])
        np.testing.assert_allclose(lps * [-1.0, -1.0, 1.0], ras[:3], atol=1e-3)
    record = wfdb.rdrecord(str(paths["ecg"].with_suffix("")))
    assert tuple(record.sig_name) == LEADS and record.fs == 500 and set(record.units) == {"mV"}
    assert record.base_datetime == patient.ecg_date
    np.testing.assert_allclose(record.p_signal.T, patient.ecg.millivolts, atol=6e-4)
    truth = json.loads(paths["truth"].read_text(encoding="utf-8"))
    assert truth["scar_fraction_of_segment"]["13"] == pytest.approx(patient.scar_segments[13], abs=1e-4)
    assert truth["mri_date"] == patient.mri_date.isoformat() and truth["scar_ml"] > 1.0


def test_the_sample_patient_that_is_shipped_is_this_one(tmp_path: Path) -> None:
    made = write_phantom(tmp_path, phantom_patient())
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in sample.files())
    for kind, shipped in (("lge", sample.LGE), ("labels", sample.LABELS)):
        one, other = (sitk.ReadImage(str(path)) for path in (made[kind], shipped))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(one), sitk.GetArrayFromImage(other))
        assert one.GetOrigin() == other.GetOrigin() and one.GetDirection() == other.GetDirection()
    assert made["truth"].read_bytes() == sample.TRUTH.read_bytes()
    record, shipped_record = (wfdb.rdrecord(str(path.with_suffix(""))) for path in (made["ecg"], sample.ECG))
    np.testing.assert_array_equal(record.p_signal, shipped_record.p_signal)
    assert record.base_datetime == shipped_record.base_datetime
