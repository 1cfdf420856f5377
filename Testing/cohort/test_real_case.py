"""One small simulated patient through the real pipeline, from ``init`` to the tables, as a user calls it."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from phantom import phantom_patient, write_phantom

from ScarSegECGLib.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A patient and, in place of a heart, noise."""
    home = tmp_path_factory.mktemp("study")
    heart, other = (phantom_patient(seed, slices=6, size=112, pixel_mm=2.0, slice_mm=9.0) for seed in (1, 2))
    noise = np.random.default_rng(0).normal(200, 50, other.stack.voxels.shape).astype(np.float32)
    write_phantom(home / "data" / "one", heart)
    write_phantom(home / "data" / "two", replace(other, stack=replace(other.stack, voxels=noise)))
    return home


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
