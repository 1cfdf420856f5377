"""Expert masks of real patients: volumes as published, and the rules held against the experts."""

from __future__ import annotations

import csv
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from ScarSegECGLib.case import burden_of
from ScarSegECGLib.measure.compare import RULES, case_scores, combined
from ScarSegECGLib.measure.expert import case_folders, load_case
from ScarSegECGLib.measure.parts import enclosed_dark


def _read(path: Path):
    """Array [slice, row, column] and spacing (slice, row, column); the order in the plane does not matter here."""
    file = nib.load(path)
    return np.asarray(file.dataobj).T, tuple(float(v) for v in file.header.get_zooms()[::-1])


def _case(folder: Path):
    image, spacing = _read(folder / f"{folder.name}_img.nii.gz")
    labels, _ = _read(folder / f"{folder.name}_seg.nii.gz")
    return image.astype(np.float32), labels, spacing


def test_native_infarct_patient_to_the_digit(shared_data):
    labels, spacing = _read(shared_data / "emidec_native" / "P100" / "P100_seg.nii.gz")
    voxel_ml = float(np.prod(spacing)) / 1000
    wall = labels >= 2
    infarct = burden_of((labels >= 3).sum(), wall.sum(), voxel_ml)
    assert round(wall.sum() * voxel_ml, 2) == 134.12
    assert round(infarct.ml, 2) == 18.72
    assert round(burden_of((labels == 4).sum(), wall.sum(), voxel_ml).ml, 2) == 0.75
    assert infarct.percent_of_lv == pytest.approx(100 * 18.7154 / 134.1187, abs=0.01)


def test_restored_patients_have_the_published_volumes_on_average(shared_data):
    """Per patient, relative to the published table: myocardium 0.2 % too much on average (1.2 % off either way),
    infarct 0.5 % too little (2.7 % either way), MVO 1.5 % too much (7.4 % either way; most are a few voxels). The
    restored pixel sizes are estimates, so that single patients are off by up to 5 % of the myocardium."""
    with (shared_data / "emidec" / "clinical.csv").open(newline="") as file:
        table = {int(row["case"]): row for row in csv.DictReader(file)}
    ours, published = [], []
    for folder in sorted((shared_data / "emidec" / "cases").glob("Case_*")):
        labels, spacing = _read(folder / f"{folder.name}_seg.nii.gz")
        voxel_ml = float(np.prod(spacing)) / 1000
        row = table[int(folder.name[-3:])]
        ours.append([voxel_ml * np.count_nonzero(m) for m in (labels >= 2, labels >= 3, labels == 4)])
        published.append([float(row[k]) for k in ("myo", "inf", "pmo")])
    total, truth = np.array(ours), np.array(published)
    assert len(total) == 67
    assert np.array_equal(total > 0, truth > 0)
    assert np.allclose(total.sum(axis=0), truth.sum(axis=0), rtol=0.005)
    for column, (there, signed, either_way) in enumerate([(67, 0.005, 0.015), (45, 0.01, 0.03), (26, 0.02, 0.08)]):
        has = truth[:, column] > 0
        error = total[has, column] / truth[has, column] - 1
        assert has.sum() == there
        assert abs(error.mean()) < signed and np.abs(error).mean() < either_way


def test_mvo_is_found_from_the_bright_infarct_alone(shared_data):
    scores = []
    for folder in sorted((shared_data / "emidec" / "cases").glob("Case_P*"))[:20]:
        _, labels, spacing = _case(folder)
        expert = labels == 4
        if expert.any():
            mvo = enclosed_dark(labels == 3, labels >= 2, labels == 1, spacing)
            scores.append(2 * np.count_nonzero(mvo & expert) / (mvo.sum() + expert.sum()))
    assert len(scores) > 5 and np.mean(scores) > 0.8


def test_ewa_is_ahead_of_the_simple_rules_on_patients(shared_data):
    folders = [folder for folder in case_folders(shared_data / "emidec" / "cases") if folder.name.startswith("Case_P")]
    rules = {name: RULES[name] for name in ("EWA", "2 SD", "3 SD", "FWHM", "Otsu")}
    scored = [case_scores(load_case(folder), rules, "psir") for folder in folders]
    scores = combined(scored)
    assert len(scores[0].dice) == 45
    assert scores[0].name == "EWA" and scores[0].mean_dice > 0.72
    assert all(s.behind_best[1] > 0 for s in scores[1:])
    assert abs(scores[0].mean_bias) < 2.0
