"""Every verb on the phantom patient."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from phantom import phantom_patient, write_phantom

from ScarSegECGLib.cli import main
from ScarSegECGLib.export.write import FILES


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_phantom(tmp_path_factory.mktemp("patient"), phantom_patient(0))


def test_segment_writes_everything_on_the_input_grid(files, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    inputs = ["--lge", str(files["lge"]), "--ecg", str(files["ecg"]), "--mri-date", "2024-03-14"]
    code = main(["segment", *inputs, "--out", str(out)])
    printed = capsys.readouterr()
    assert code == 0
    assert "scar" in printed.out
    assert "ECG" in printed.out
    assert {path.name for path in out.iterdir()} == set(FILES)
    image = sitk.ReadImage(str(files["lge"]))
    for name in ("labels.nii.gz", "aha17.nii.gz", "scar_probability.nii.gz", "segmentation.seg.nrrd"):
        written = sitk.ReadImage(str(out / name))
        assert written.GetSize() == image.GetSize()
        assert np.allclose(written.GetOrigin(), image.GetOrigin(), atol=1e-3)
        assert np.allclose(written.GetDirection(), image.GetDirection(), atol=1e-4)
        assert np.allclose(written.GetSpacing(), image.GetSpacing(), atol=1e-4)
    result = json.loads((out / "result.json").read_text())
    text = json.dumps(result)
    assert str(files["lge"].parent) not in text
    assert "lge.nii" not in text


def test_quiet_is_quiet(files, tmp_path, capfd) -> None:
    assert main(["segment", "-q", "--lge", str(files["lge"]), "--no-ecg", "--out", str(tmp_path / "out")]) == 0
    printed = capfd.readouterr()
    assert printed.out == ""
    assert all(line.startswith("warning: ") for line in printed.err.splitlines())
    assert not (tmp_path / "out" / "ecg.png").exists()


def test_quiet_hides_no_warning(files, tmp_path, capfd) -> None:
    """The ECG's file has a date, the NIfTI has none: which one to give is said, and every warning of the result."""
    arguments = ["segment", "-q", "--lge", str(files["lge"]), "--ecg", str(files["ecg"]), "--device", "cpu"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    printed = capfd.readouterr()
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert printed.out == ""
    assert "warning: MRI date missing: give --mri-date" in printed.err and "--ecg-date" not in printed.err
    assert "MRI date missing: reduced weight" in result["ecg"]["reason"]
    assert result["warnings"] and all(f"warning: {said}" in printed.err for said in result["warnings"])


def test_demo_compares_with_the_truth(tmp_path, capsys) -> None:
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 0
    printed = capsys.readouterr().out
    assert "truth" in printed and "missed of the true scar: " in printed
    assert (tmp_path / "demo" / "result" / "report.html").is_file()
    assert main(["demo", "-q", "--out", str(tmp_path / "demo")]) == 0


@pytest.mark.parametrize("name", ["patient", "result"])
def test_demo_overwrites_nothing_of_others(files, tmp_path, capsys, name) -> None:
    theirs = tmp_path / name / ("lge.nii.gz" if name == "patient" else "report.html")
    theirs.parent.mkdir()
    theirs.write_text("precious")
    assert main(["demo", "-q", "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert f"a folder {name} that is no demo's" in said and said.count("\n") == 1
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [theirs] and theirs.read_text() == "precious"


def test_evaluate_counts_and_summarises(files, tmp_path, capsys) -> None:
    for name, scarless in (("Case_P1", False), ("Case_N1", True)):
        folder = tmp_path / "cases" / name
        folder.mkdir(parents=True)
        made = write_phantom(tmp_path / name, phantom_patient(1, scarless=scarless))
        (folder / f"{name}_img.nii.gz").write_bytes(made["lge"].read_bytes())
        (folder / f"{name}_seg.nii.gz").write_bytes(made["labels"].read_bytes())
        for part in (".hea", ".dat"):
            (folder / f"ecg{part}").write_bytes(made["ecg"].with_suffix(part).read_bytes())
        (folder / "dates.json").write_text('{"mri": "2024-03-14", "ecg": "2024-03-12"}')
    out = tmp_path / "figures.json"
    assert main(["evaluate", "--cases", str(tmp_path / "cases"), "--json", str(out)]) == 0
    report = json.loads(out.read_text())
    summary = report["summary"]
    for structure in ("cavity", "myocardium", "scar"):
        for metric in ("dice", "precision", "sensitivity", "volume_error_ml", "hd95_mm"):
            assert set(summary[structure][metric]) == {"mean", "median"}
    assert set(summary["scar_pooled"]) == {"dice", "precision", "sensitivity"}
    assert set(summary["normals"]["false_scar_ml"]) == {"mean", "median"}
    assert [case["case"] for case in report["cases"]] == ["Case_N1", "Case_P1"]
    assert [case["pathological"] for case in report["cases"]] == [False, True]
    # One pathological patient: its own figure is the mean, the normal one has no say in it.
    assert summary["scar"]["dice"]["mean"] == pytest.approx(report["cases"][1]["scar"]["dice"])
    assert summary["normals"]["false_scar_ml"]["mean"] == pytest.approx(report["cases"][0]["scar_ml"])
    assert summary["cavity"]["dice"]["mean"] > 0.8


def test_bench_reports_what_is_documented(tmp_path) -> None:
    out = tmp_path / "bench.json"
    assert main(["bench", "-q", "--json", str(out), "--repeat", "1"]) == 0
    report = json.loads(out.read_text())
    keys = {"stages", "model_load_seconds", "case_seconds", "edit_seconds", "peak_rss_mb", "device"}
    assert keys <= set(report)
    assert all(set(stage) == {"name", "seconds"} for stage in report["stages"])
    named = sum(stage["seconds"] for stage in report["stages"])
    assert named == pytest.approx(report["case_seconds"], rel=0.1)
