"""``scarsegecg measure`` on the phantom and on the native exams."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ScarSegECGLib.cli import main
from ScarSegECGLib.measure.contours import METHODS
from ScarSegECGLib.training.phantom import PhantomPatient, phantom_patient, write_phantom


@pytest.fixture(scope="module")
def patient() -> PhantomPatient:
    return phantom_patient(0)


@pytest.fixture(scope="module")
def files(patient: PhantomPatient, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_phantom(tmp_path_factory.mktemp("patient"), patient)


def measure(files: dict[str, Path], out: Path, *options: str) -> dict:
    inputs = ["--lge", str(files["lge"]), "--labels", str(files["labels"])]
    assert main(["measure", *inputs, "--json", str(out), *options]) == 0
    return json.loads(out.read_text())


def test_manual_contours_are_counted(files, patient, tmp_path, capsys) -> None:
    report = measure(files, tmp_path / "m.json")
    voxel_ml = patient.stack.voxel_ml
    manual = report["methods"]["manual"]
    assert manual["scar"]["ml"] == pytest.approx((patient.labels == 3).sum() * voxel_ml)
    assert report["myocardium_ml"] == pytest.approx((patient.labels >= 2).sum() * voxel_ml)
    assert sum(row["scar_ml"] for row in manual["segments"]) == pytest.approx(manual["scar"]["ml"])
    assert set(manual["territories"]) == {"LAD", "LCX", "RCA"}
    assert manual["territories"]["LAD"] == max(value for value in manual["territories"].values() if value is not None)
    assert "manual contours" in capsys.readouterr().out


def test_all_methods_side_by_side(files, tmp_path) -> None:
    report = measure(files, tmp_path / "m.json", "-q", "--method", "all", "--contrast", "magnitude")
    assert tuple(report["methods"]) == METHODS
    truth = report["methods"]["manual"]["scar"]["ml"]
    assert report["methods"]["ewa"]["scar"]["ml"] == pytest.approx(truth, rel=0.5)
    for entry in report["methods"].values():
        assert entry["method"]
        assert entry["core_ml"] + entry["grey_ml"] <= entry["scar"]["ml"] + 1e-6


def test_a_rule_that_needs_the_contrast_says_so(files, capsys) -> None:
    inputs = ["--lge", str(files["lge"]), "--labels", str(files["labels"])]
    assert main(["measure", *inputs, "--method", "fwhm"]) == 2
    assert "contrast" in capsys.readouterr().err


def test_labels_of_another_grid_are_refused(files, patient, tmp_path, capsys) -> None:
    other = write_phantom(tmp_path, phantom_patient(0, slices=6, slice_mm=12.0))
    assert main(["measure", "--lge", str(files["lge"]), "--labels", str(other["labels"])]) == 2
    assert "grid" in capsys.readouterr().err


def test_native_exam_to_the_digit(shared_data, tmp_path) -> None:
    folder = shared_data / "emidec_native" / "P100"
    files = {"lge": folder / "P100_img.nii.gz", "labels": folder / "P100_seg.nii.gz"}
    report = measure(files, tmp_path / "m.json", "-q", "--contrast", "psir")
    manual = report["methods"]["manual"]
    assert np.round([report["myocardium_ml"], manual["scar"]["ml"], manual["mvo_ml"]], 2).tolist() == [
        134.12,
        18.72,
        0.75,
    ]
