"""One small simulated patient through the real pipeline, from ``init`` to the tables, as a user calls it."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from phantom import phantom_patient, write_phantom

from ScarSegECGLib.cli import main
from ScarSegECGLib.cohort import run as cohort_run
from ScarSegECGLib.cohort.engine import run_here


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A patient and, in place of a heart, noise."""
    home = tmp_path_factory.mktemp("study")
    heart, other = (phantom_patient(seed, slices=6, size=112, pixel_mm=2.0, slice_mm=9.0) for seed in (1, 2))
    noise = np.random.default_rng(0).normal(200, 50, other.stack.voxels.shape).astype(np.float32)
    write_phantom(home / "data" / "one", heart)
    write_phantom(home / "data" / "two", replace(other, stack=replace(other.stack, voxels=noise)))
    return home


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cases are done in this process; the test that goes from folders to tables has a worker."""
    monkeypatch.setattr(cohort_run, "run_jobs", lambda work, jobs, crew: run_here(work, jobs))


def test_from_folders_to_tables(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest, out = folder / "cohort.csv", folder / "results"
    assert main(["cohort", "init", str(folder / "data"), "--out", str(manifest), "-q"]) == 0
    assert main(["cohort", "run", str(manifest), "--out", str(out), "--workers", "1", "-q"]) == 0
    assert "case002: no left ventricle found" in capsys.readouterr().err
    with (out / "patients.csv").open(newline="") as file:
        one, two = csv.DictReader(file)
    assert (one["status"], two["status"]) == ("done", "no result")
    assert "lv_missed" in two["flags"].split() and "lv_missed" not in one["flags"].split()
    result = json.loads((out / "cases" / "case001" / "result.json").read_text())
    assert float(one["scar_ml_image_only"]) == pytest.approx(result["scar"]["image_only"]["ml"], rel=1e-5)
    assert float(one["scar_ml_low"]) <= float(one["scar_ml_image_only"]) <= float(one["scar_ml_high"])
    assert one["confidence"] in ("good", "check", "do_not_use") and float(one["expert_scar_ml"]) > 0
    view = (out / "cases" / "case001" / "view.js").read_text()
    assert view.startswith('SCARSEGECG_VIEWS["case001"]=') and len(json.loads(view[28:-2])["slices"]) == 6
    assert json.loads((out / "agreement.json").read_text())["patients"] == 1
    assert (out / "group" / "scar_mean.png").is_file()
    assert '<section class="viewer">' in (out / "cases" / "case001" / "report.html").read_text()
    capsys.readouterr()
    assert main(["cohort", "run", str(manifest), "--out", str(out), "--workers", "1"]) == 0
    assert "0 made now, 1 as they were" in capsys.readouterr().out


def test_what_is_wrong_with_ecg_or_expert_leaves_the_images_figures(here: None, folder: Path, capsys) -> None:
    """And the contrast and the meaning of labels can be said, for a line and for all."""
    out, home = folder / "doubted", folder / "data" / "one"
    labels = nibabel.load(home / "truth_labels.nii.gz")
    turned = np.choose(np.asarray(labels.dataobj), [0, 3, 2, 1]).astype(np.uint8)  # 1 scar, 2 myocardium, 3 cavity
    nibabel.save(nibabel.Nifti1Image(turned, labels.affine), home / "turned.nii.gz")
    (home / "broken.xml").write_text("<a>no ECG</a>")
    manifest = folder / "doubted.csv"
    lines = [
        "case,lge,contrast,ecg,expert",
        "one,data/one/lge.nii.gz,magnitude,data/one/broken.xml,data/one/turned.nii.gz",
    ]
    manifest.write_text("\n".join(lines))
    assert main(["cohort", "run", str(manifest), "--out", str(out), "--workers", "1", "-q"]) == 0
    told = capsys.readouterr().err
    assert "one: ECG not used: The ECG file is XML but no" in told and "the images' figures stand" in told
    assert "one, expert's mask: The labels" in told and "--label-map 1=scar" in told
    (shown,) = json.loads((out / "page" / "rows.js").read_text()[len("SCARSEGECG_COHORT=") : -2])["rows"]
    assert [text[:13] for text in shown["remarks"]] == ["ECG not used:", "The labels, r"] and shown["judged"]
    with (out / "patients.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["status"] == "done" and float(row["scar_ml_image_only"]) > 0 and row["core_ml"]
    assert {"ecg_unreadable", "expert_doubted"} <= set(row["flags"].split()) and "no_ecg" not in row["flags"].split()
    assert "--label-map 1=scar,2=myocardium,3=cavity" in row["expert_remark"] and not row["scar_dice"]
    assert not (out / "agreement.json").exists()
    again = ["cohort", "run", str(manifest), "--out", str(out), "--workers", "1", "--label-map"]
    assert main([*again, "1=scar,2=myocardium,3=cavity", "-q"]) == 0
    with (out / "patients.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    told = json.loads((out / "agreement.json").read_text())
    assert "expert_doubted" not in row["flags"].split() and float(row["myocardium_dice"]) > 0.5
    assert told["scar_is_of"] == "images alone" and told["patients_trained_on"] == 0
    assert float(row["scar_volume_error_ml"]) == pytest.approx(
        float(row["scar_ml_image_only"]) - float(row["expert_scar_ml"]), abs=1e-3
    )
    with (out / "data_dictionary.csv").open(newline="") as file:
        flags = {row["column"] for row in csv.DictReader(file) if row["table"] == "flags"}
    assert {"ecg_unreadable", "threshold_low"} <= flags


def test_a_threshold_in_healthy_wall_is_an_alarm_and_no_result_no_success(here: None, folder: Path, capsys) -> None:
    manifest = folder / "ruled.csv"
    manifest.write_text("case,lge,expert\nCase_P001,data/one/lge.nii.gz,data/one/truth_labels.nii.gz\n")
    run = ["cohort", "run", str(manifest), "--workers", "1", "--out"]
    assert main([*run, str(folder / "otsu"), "--method", "otsu"]) == 0
    with (folder / "otsu" / "patients.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert "threshold_low" in row["flags"].split() and int(row["alarms"]) >= 1
    assert row["scar_ml_low"] == "" and row["trained_on"] == "yes" and row["scar_dice_with_ecg"] == ""
    told, err = json.loads((folder / "otsu" / "agreement.json").read_text()), capsys.readouterr().err
    assert told["patients_trained_on"] == 1 and told["scar_dice"]["challenge"] == pytest.approx(float(row["scar_dice"]))
    assert (told["scar"]["patients"], told["scar_with_ecg"]["patients"]) == (1, 0)
    assert list(told["methods"])[0].startswith("Otsu")
    assert "1 with an alarm (" in err and "threshold in healthy wall 1" in err
    assert "1 of these masks are, by their names, of patients that the networks were trained on" in err
    assert main([*run, str(folder / "none"), "--method", "fwhm"]) == 2
    assert "no case has a result" in capsys.readouterr().err.splitlines()[-1]
    wrong = ["--label-map", "1=scar,2=myocardium,3=cavity"]  # the mask is right as it is
    assert main([*run, str(folder / "none"), "--method", "fwhm", "--contrast", "magnitude", "-q", *wrong]) == 0
    with (folder / "none" / "patients.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["contrast"] == "magnitude" and float(row["scar_ml_image_only"]) > 0
    assert "expert_doubted" in row["flags"].split() and "do not look like a left ventricle" in row["expert_remark"]
    provenance = json.loads((folder / "none" / "provenance.json").read_text())
    assert provenance["ecgs"] == {"given": 0, "read": 0, "counted": 0} and provenance["contrast"] == {"magnitude": 1}
    assert provenance["experts_masks"] == {"given": 1, "used": 1}
