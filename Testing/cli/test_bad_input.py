"""Bad input ends in one clear line and exit code 2, and leaves nothing behind.

The readers' own tests cover each kind of file; these show that the command passes the line on.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import wfdb
from phantom import phantom_patient, write_phantom

from ScarSegECGLib.cli import main
from ScarSegECGLib.cli.evaluate import find_ecg
from ScarSegECGLib.errors import InputError


def _nifti(path: Path, voxels: np.ndarray) -> Path:
    image = sitk.GetImageFromArray(voxels.astype(np.float32))
    image.SetSpacing((1.4, 1.4, 8.0)[: voxels.ndim])
    sitk.WriteImage(image, str(path))
    return path


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    voxels = np.random.default_rng(0).normal(100, 20, (8, 96, 96))
    return _nifti(tmp_path / "lge.nii.gz", voxels)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    signal = np.sin(np.arange(5000)[:, None] / 40 + np.arange(12)[None]) * 0.5
    names = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
    wfdb.wrsamp("ecg", 500, ["mV"] * 12, names, signal, fmt=["16"] * 12, write_dir=str(tmp_path))
    return tmp_path / "ecg.hea"


def refuse(capfd: pytest.CaptureFixture, *arguments: object) -> str:
    """Run the command, expect exit code 2 and one line on stderr; return the line."""
    code = main([str(argument) for argument in arguments])
    printed = capfd.readouterr()
    lines = [line for line in printed.err.replace("\r", "\n").split("\n") if line.strip()]
    assert code == 2, printed.err
    assert len(lines) == 1, printed.err
    assert "Traceback" not in printed.err
    assert len(lines[0]) < 250
    return lines[0]


def _segment(capfd: pytest.CaptureFixture, out: Path, *arguments: object) -> str:
    line = refuse(capfd, "segment", "-q", "--out", out, *arguments)
    assert not out.exists() or not any(path.name.startswith("result") for path in out.iterdir())
    return line


def test_missing_image(capfd, tmp_path):
    assert "not found" in _segment(capfd, tmp_path / "out", "--lge", tmp_path / "none.nii", "--no-ecg")


def test_empty_image(capfd, tmp_path):
    (tmp_path / "empty.nii.gz").write_bytes(b"")
    assert "empty" in _segment(capfd, tmp_path / "out", "--lge", tmp_path / "empty.nii.gz", "--no-ecg")


def test_truncated_image(capfd, tmp_path, stack):
    (tmp_path / "cut.nii.gz").write_bytes(stack.read_bytes()[:20000])
    line = _segment(capfd, tmp_path / "out", "--lge", tmp_path / "cut.nii.gz", "--no-ecg")
    assert "damaged" in line or "cut off" in line


@pytest.mark.parametrize(
    ("voxels", "says"),
    [
        (np.zeros((96, 96)), "two-dimensional"),
        (np.zeros((2, 96, 96)) + np.arange(96), "slices"),
        (np.full((8, 96, 96), 7.0), "same value"),
        (np.where(np.arange(96) == 4, np.nan, np.ones((8, 96, 96)) * np.arange(96)), "NaN"),
    ],
    ids=["2D", "two slices", "constant", "NaN"],
)
def test_images_that_are_no_stack(capfd, tmp_path, voxels, says):
    path = _nifti(tmp_path / "bad.nii.gz", voxels)
    line = _segment(capfd, tmp_path / "out", "--lge", path, "--no-ecg")
    assert says in line


def test_missing_ecg(capfd, tmp_path, stack):
    assert "ECG" in _segment(capfd, tmp_path / "out", "--lge", stack, "--ecg", tmp_path / "none.hea")


def test_truncated_ecg(capfd, tmp_path, stack, record):
    signal = record.with_suffix(".dat")
    signal.write_bytes(signal.read_bytes()[:9000])
    assert "truncated" in _segment(capfd, tmp_path / "out", "--lge", stack, "--ecg", record)


@pytest.mark.parametrize(
    ("option", "date"),
    [
        ("--mri-date", "2999-01-01"),
        ("--ecg-date", "2999-01-01"),
        ("--mri-date", "03/04/2024"),
        ("--ecg-date", "1951-02-30"),
    ],
)
def test_dates_that_cannot_be(capfd, tmp_path, stack, record, option, date):
    line = _segment(capfd, tmp_path / "out", "--lge", stack, "--ecg", record, option, date)
    assert "ate" in line


def test_dates_thirty_years_apart(capfd, tmp_path, stack, record):
    dates = ("--mri-date", "2024-01-01", "--ecg-date", "1990-01-01")
    assert "dates cannot be right" in _segment(capfd, tmp_path / "out", "--lge", stack, "--ecg", record, *dates)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--n-sd", "5"], "--n-sd has no effect with --method network"),
        (["--n-sd", "5", "--method", "otsu"], "--n-sd has no effect with --method otsu"),
        (["--ecg-date", "2024-01-01"], "--ecg-date has no effect without an ECG"),
        (["--event-between"], "--event-between has no effect without an ECG"),
        (["--insertions", ""], "--insertions: give a .csv file or DEG,DEG"),
    ],
)
def test_options_without_effect(capfd, tmp_path, stack, options, says):
    assert says in _segment(capfd, tmp_path / "out", "--lge", stack, "--no-ecg", *options)


def test_an_option_of_another_verb_shows_the_options_of_this_one(capfd, tmp_path, stack):
    with pytest.raises(SystemExit) as end:
        main(["segment", "--lge", str(stack), "--out", str(tmp_path / "out"), "--labelmap"])
    said = capfd.readouterr().err
    assert end.value.code == 2
    assert "usage: scarsegecg segment" in said and "unrecognized arguments: --labelmap" in said


def test_stopping_while_the_libraries_load_is_one_line(capfd, monkeypatch):
    def stopped(name):
        raise KeyboardInterrupt

    monkeypatch.setattr("ScarSegECGLib.cli.import_module", stopped)
    assert main(["segment", "--lge", "x", "--out", "y"]) == 130
    assert capfd.readouterr().err == "scarsegecg segment: stopped; nothing was left half-written\n"


def test_a_terminal_sees_that_the_libraries_load(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["ecg", str(tmp_path / "none.xml")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("loading ...\r" + " " * 11 + "\rscarsegecg ecg: ")
    assert main(["ecg", "-q", str(tmp_path / "none.xml")]) == 2
    assert "loading" not in capsys.readouterr().err


def test_an_output_folder_with_other_content(capfd, tmp_path, stack):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    assert "--overwrite" in refuse(capfd, "segment", "-q", "--lge", stack, "--no-ecg", "--out", out)
    assert (out / "thesis.txt").read_text() == "years of work"


def test_an_output_that_is_a_file(capfd, tmp_path, stack):
    (tmp_path / "out").write_text("precious")
    refuse(capfd, "segment", "-q", "--lge", stack, "--no-ecg", "--out", tmp_path / "out")
    assert (tmp_path / "out").read_text() == "precious"


def test_weights_whose_hash_does_not_match(capfd, tmp_path, stack):
    weights = tmp_path / "own.safetensors"
    weights.write_bytes(b"something else")
    weights.with_name("own.safetensors.sha256").write_text("0" * 64)
    line = _segment(capfd, tmp_path / "out", "--lge", stack, "--no-ecg", "--weights", weights)
    assert "hash does not match" in line


@pytest.mark.skipif("__import__('torch').cuda.is_available()", reason="there is a CUDA device here")
def test_cuda_where_there_is_none(capfd, tmp_path, stack):
    assert "CUDA" in _segment(capfd, tmp_path / "out", "--lge", stack, "--no-ecg", "--device", "cuda")


def test_an_image_without_a_left_ventricle(capfd, tmp_path, stack):
    assert "no left ventricle found" in _segment(capfd, tmp_path / "out", "--lge", stack, "--no-ecg")


def test_cases_that_are_no_cases(capfd, tmp_path):
    assert "no such folder" in refuse(capfd, "evaluate", "--cases", tmp_path / "none", "--json", tmp_path / "a.json")
    (tmp_path / "Case_1").mkdir()
    line = refuse(capfd, "evaluate", "--cases", tmp_path, "--json", tmp_path / "a.json")
    assert "missing" in line
    assert not (tmp_path / "a.json").exists()


def test_a_case_in_this_very_folder_is_named(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert f"{tmp_path.name}: holds no case" in refuse(capfd, "evaluate", "--cases", ".", "--json", "a.json")


@pytest.mark.parametrize(
    ("names", "dates", "says"),
    [
        (("ecg.csv", "ecg.hea"), None, "several ECGs (ecg.csv, ecg.hea)"),
        (("ecg.hea", "ecg.dat"), {"mir": "2024-01-01"}, "dates.json: expected"),
        (("ecg.hea", "ecg.dat"), {"event_between": "no"}, "dates.json: expected"),
    ],
)
def test_the_ecg_of_a_case_is_one_with_its_dates(tmp_path, record, names, dates, says):
    folder = tmp_path / "Case_1"
    folder.mkdir()
    for name in names:
        source = record.with_suffix(Path(name).suffix)
        (folder / name).write_bytes(source.read_bytes() if source.is_file() else b"x")
    if dates is not None:
        (folder / "dates.json").write_text(json.dumps(dates))
    with pytest.raises(InputError, match=re.escape(says)):
        find_ecg(folder)


def test_an_event_between_is_read_from_the_dates_of_a_case(tmp_path, record):
    (tmp_path / "dates.json").write_text('{"mri": "2024-01-03", "ecg": "2024-01-01", "event_between": true}')
    ecg, gap = find_ecg(tmp_path)
    assert ecg is not None and gap.days == -2 and gap.event_between


def test_fold_that_does_not_exist(capfd, tmp_path):
    case = tmp_path / "Case_1"
    files = write_phantom(case, phantom_patient(0))
    files["lge"].rename(case / "Case_1_img.nii.gz")
    files["labels"].rename(case / "Case_1_seg.nii.gz")
    for part in (".hea", ".dat"):
        files["ecg"].with_suffix(part).unlink()
    assert "--folds" in refuse(capfd, "train", "-q", "--cases", tmp_path, "--out", tmp_path / "run")


def test_an_internal_error_shows_no_content(capfd, tmp_path, monkeypatch):
    def broken(path, **choice):
        raise RuntimeError("DOE^JOHN 1951")

    monkeypatch.setattr("ScarSegECGLib.cli.segment.read_lge", broken)
    code = main(["segment", "-q", "--lge", "x", "--no-ecg", "--out", str(tmp_path / "out")])
    printed = capfd.readouterr().err
    assert code == 1
    assert "DOE" not in printed
    assert "internal error (RuntimeError)" in printed
