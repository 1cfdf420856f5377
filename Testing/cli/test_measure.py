"""``scarsegecg measure`` on the phantom and on the native exams."""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from phantom import PhantomPatient, phantom_patient, write_phantom

from ScarSegECGLib.cli import main
from ScarSegECGLib.cli.measure import METHODS
from ScarSegECGLib.lge.slice_shift import move
from ScarSegECGLib.measure.compare import RULES


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
    assert [name for name in report["methods"] if not name.startswith("n_sd_")] == [m for m in METHODS if m != "n_sd"]
    assert [report["methods"][f"n_sd_{n}"]["n_sd"] for n in range(2, 7)] == [2, 3, 4, 5, 6]
    truth = report["methods"]["manual"]["scar"]["ml"]
    assert report["methods"]["ewa"]["scar"]["ml"] == pytest.approx(truth, rel=0.5)
    for entry in report["methods"].values():
        assert entry["method"]
        parts = (entry["core_ml"], entry["grey_ml"] or 0.0, entry["mvo_ml"], entry["rest_ml"])
        assert sum(parts) == pytest.approx(entry["scar"]["ml"])


def test_the_choices_stand_beside_every_number(files, tmp_path, capsys) -> None:
    report = measure(
        files,
        tmp_path / "m.json",
        *("--method", "n_sd", "--n-sd", "4", "--per", "stack", "--contrast", "magnitude", "--aha", "landmark"),
        *("--table", str(tmp_path / "t.csv")),
    )
    entry = report["methods"]["n_sd"]
    assert (entry["n_sd"], entry["per"], entry["contrast"]) == (4, "stack", "magnitude")
    assert entry["aha_mode"] == report["aha"] and "landmark" in entry["aha_mode"]
    assert "4 SD" in entry["method"] and "one threshold per stack" in entry["method"] and "darkest" in entry["remote"]
    assert len({level for level in entry["thresholds"] if level is not None}) == 1
    assert "SD" in entry["core_rule"]
    printed = capsys.readouterr().out
    assert (
        "4 SD" in printed and "remote region" in printed and "landmark" in printed and "no slice displaced" in printed
    )
    with (tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 18 and {row["n_sd"] for row in rows} == {"4"}
    assert {row["remote_region"] for row in rows} == {entry["remote"]} and rows[0]["aha_mode"] == report["aha"]
    *segments, whole = rows
    assert (whole["aha_segment"], whole["name"]) == ("all", "whole LV")
    for column, ml in (
        ("scar_ml", entry["scar"]["ml"]),
        ("core_ml", entry["core_ml"]),
        ("grey_zone_ml", entry["grey_ml"]),
        ("mvo_ml", entry["mvo_ml"]),
        ("below_grey_zone_ml", entry["rest_ml"]),
        ("myocardium_ml", report["myocardium_ml"]),
    ):
        assert sum(float(row[column] or 0) for row in segments) == pytest.approx(ml, abs=0.02)
        assert float(whole[column]) == pytest.approx(ml, abs=0.001)
    assert f"core {entry['core_ml']:.2f} + grey zone {entry['grey_ml']:.2f} + MVO" in printed
    for name in ("mean", "sd"):
        values = [value for value in entry[f"remote_{name}"] if value is not None]
        assert len(values) == 10 and len(set(values)) == 1  # one threshold for the stack: one mean and SD


def test_remote_and_the_maximums_region_are_the_readers_to_set(files, patient, tmp_path) -> None:
    rule = ("--method", "n_sd", "--contrast", "magnitude", "-q")
    found = measure(files, tmp_path / "a.json", *rule)["methods"]["n_sd"]
    by_segment = measure(files, tmp_path / "b.json", *rule, "--remote-segments", "5,11")["methods"]["n_sd"]
    assert by_segment["remote"].startswith("remote region segments 5, 11, chosen by the reader")
    assert len({level for level in by_segment["remote_mean"] if level is not None}) == 6 + 1  # the apical ones share
    assert any("lies in 6 of 10 slices: the other 4" in warning for warning in by_segment["warnings"])
    assert by_segment["thresholds"] != found["thresholds"]
    region = patient.labels == 3
    file = tmp_path / "region.nii.gz"
    image = SimpleITK.ReadImage(str(files["labels"]))
    drawn = SimpleITK.GetImageFromArray(patient.stack.storage.to_stored(region.astype(np.uint8)))
    drawn.CopyInformation(image)
    SimpleITK.WriteImage(drawn, str(file))
    healthy = measure(files, tmp_path / "c.json", *rule, "--remote", str(file))["methods"]["n_sd"]
    assert min(t for t in healthy["thresholds"] if t) > max(t for t in found["thresholds"] if t)
    half = ("--method", "fwhm", "--contrast", "magnitude", "-q")
    whole = measure(files, tmp_path / "d.json", *half)["methods"]["fwhm"]
    inside = measure(files, tmp_path / "e.json", *half, "--fwhm-region", str(file))["methods"]["fwhm"]
    assert "in the region drawn by the reader" in inside["method"] and "region" not in whole["method"]
    assert whole["remote"] == "not used for the scar" and "remote region found automatically" in whole["core_rule"]


def test_a_displaced_slice_is_said_and_put_in_line_where_asked(files, patient, tmp_path, capsys) -> None:
    before = measure(files, tmp_path / "a.json", "--method", "manual")
    shifted = np.zeros((len(patient.labels), 2), int)
    shifted[len(shifted) // 2] = (-9, 4)
    moved = {}
    for name, array in (("lge", patient.stack.voxels), ("labels", patient.labels)):
        image = SimpleITK.ReadImage(str(files[name]))
        out = SimpleITK.GetImageFromArray(patient.stack.storage.to_stored(move(array, shifted)))
        out.CopyInformation(image)
        moved[name] = tmp_path / f"{name}.nii.gz"
        SimpleITK.WriteImage(out, str(moved[name]))
    said = measure(moved, tmp_path / "b.json", "--method", "manual")
    slice_number = len(shifted) // 2 + 1
    assert said["slice_shifts"]["displaced_slices_from_apex"] == [slice_number]
    assert not said["slice_shifts"]["corrected"]
    told = capsys.readouterr()
    assert told.err.count("(--correct-shifts) puts them in line") == 1 and "slices displaced" not in told.out
    done = measure(moved, tmp_path / "c.json", "--method", "manual", "--correct-shifts")
    assert done["slice_shifts"]["corrected"] and any("moved in line" in note for note in done["notes"])
    assert done["methods"]["manual"]["scar"] == pytest.approx(before["methods"]["manual"]["scar"])


def test_given_insertions_are_used_as_they_are(files, tmp_path) -> None:
    report = measure(files, tmp_path / "m.json", "-q", "--insertions", "130,250")
    assert report["insertions"]["anterior_inferior_deg"][1] == [130, 250]
    assert report["insertions"]["mean_step_between_slices_deg"] == [0, 0]


@pytest.mark.parametrize("words", ["120", "a,b", "1,2,3", "nan,4", "", "/home/Doe_J/ins.txt"])
def test_insertions_that_are_no_pair_are_refused(files, words, capsys) -> None:
    inputs = ["--lge", str(files["lge"]), "--labels", str(files["labels"])]
    assert main(["measure", *inputs, "--insertions", words]) == 2
    said = capsys.readouterr().err
    assert "--insertions: give a .csv file or DEG,DEG" in said and "Doe" not in said


def test_insertions_of_some_slices_come_from_a_file(files, tmp_path) -> None:
    free = measure(files, tmp_path / "free.json", "-q")["insertions"]["anterior_inferior_deg"]
    table = tmp_path / "given.csv"
    table.write_text("Slice;Anterior;Inferior\n4;131;247\n7;119;;\n")
    report = measure(files, tmp_path / "m.json", "-q", "--insertions", str(table))["insertions"]
    assert report["anterior_inferior_deg"][3] == [131, 247] != free[3]
    assert report["anterior_inferior_deg"][6][0] == 119
    assert report["anterior_inferior_deg"][8] != [131, 247]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("slice,anterior\n1,120\n", "columns slice, anterior, inferior"),
        ("slice,anterior,inferior\n11,120,240\n", "numbered 1 (apex) to 10"),
        ("slice,anterior,inferior\n2,x,240\n", "line 2"),
        ("slice,anterior,inferior\n2,120,240\n2,121,240\n", "twice"),
        ("slice,anterior,inferior\n", "names no slice"),
        ("slice,anterior,inferior\n\n\n2,120,240\n\n2,x,240\n", "line 6"),
        ("slice,anterior,inferior\n2,1e308,240\n", "line 2 of the CSV file"),
        (f"slice,anterior,inferior\n2,120,{'1' * 140_000}\n", "no table (field larger"),
        (f"slice,anterior,{'r' * 140_000}\n2,120,240\n", "no table (field larger"),
        ("slice,anterior,inferior\n" + " " * 1_000_000, "too large"),
    ],
)
def test_a_file_of_insertions_that_cannot_be_used_is_refused(files, tmp_path, lines, says, capsys) -> None:
    table = tmp_path / "given.csv"
    table.write_text(lines)
    inputs = ["--lge", str(files["lge"]), "--labels", str(files["labels"])]
    assert main(["measure", *inputs, "--insertions", str(table)]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
def test_what_is_no_file_is_not_read_for_insertions(files, tmp_path, kind, capsys) -> None:
    table = tmp_path / "given.csv"
    if kind == "fifo":
        os.mkfifo(table)
    elif kind == "device":
        table.symlink_to("/dev/zero")
    else:
        table.mkdir()
    inputs = ["--lge", str(files["lge"]), "--labels", str(files["labels"])]
    assert main(["measure", *inputs, "--insertions", str(table)]) == 2
    assert "the CSV file cannot be read" in capsys.readouterr().err


def test_insertions_of_slices_that_do_not_count_are_told(files, tmp_path, capsys) -> None:
    table = tmp_path / "given.csv"
    table.write_text("slice,anterior,inferior\n2,125,240\n")
    report = measure(
        files, tmp_path / "m.json", "-q", "--leave-out-slices", "2", "--insertions", str(table), "--method", "manual"
    )
    told = [line for line in report["warnings"] if "without a contour of the LV, counted from the apex: 2;" in line]
    assert len(told) == 1 and f"warning: {told[0]}" in capsys.readouterr().err


def test_a_typing_error_in_one_slice_is_told_and_turns_no_other(files, tmp_path, capsys) -> None:
    free = measure(files, tmp_path / "free.json", "-q")["insertions"]
    assert np.median(free["confidence"]) > 0.5
    table = tmp_path / "given.csv"
    table.write_text("slice,anterior,inferior\n5,20,140\n")
    report = measure(files, tmp_path / "m.json", "-q", "--insertions", str(table))
    now = report["insertions"]["anterior_inferior_deg"]
    assert now.pop(4) == [20, 140]
    usual = [pair for k, pair in enumerate(free["anterior_inferior_deg"]) if k != 4]
    assert np.abs(np.subtract(now, usual)).max() < 3
    assert "counted from the apex: 5; those given lie over 45 degrees from where" in capsys.readouterr().err


def test_what_each_slice_says_and_what_is_used_of_the_insertions_are_both_told(files, tmp_path) -> None:
    told = measure(files, tmp_path / "m.json", "-q")["insertions"]
    assert len(told["found_in_each_slice_deg"]) == len(told["anterior_inferior_deg"]) == 10
    assert told["found_in_each_slice_deg"] != told["anterior_inferior_deg"]
    assert told["mean_step_between_slices_as_found_deg"] != told["mean_step_between_slices_deg"]


def test_slices_left_out_count_in_nothing(files, patient, tmp_path, capsys) -> None:
    table = tmp_path / "t.csv"
    options = ("--method", "n_sd", "--contrast", "magnitude", "--leave-out-slices", "9,2", "--table", str(table))
    report = measure(files, tmp_path / "m.json", *options)
    kept = patient.labels.copy()
    kept[[1, 8]] = 0
    entry = report["methods"]["n_sd"]
    assert report["slices_left_out_from_apex"] == [2, 9]
    assert report["myocardium_ml"] == pytest.approx((kept >= 2).sum() * patient.stack.voxel_ml)
    assert sum(row["myocardium_ml"] for row in entry["segments"]) == pytest.approx(report["myocardium_ml"])
    assert [k for k, level in enumerate(entry["thresholds"]) if level is None] == [1, 8]
    assert [k for k, level in enumerate(entry["remote_mean"]) if level is None] == [1, 8]
    assert "slices 2, 9 from the apex left out" in entry["method"] and entry["method"] in table.read_text()
    assert "slices 2, 9 left out of everything" in capsys.readouterr().out
    manual = measure(files, tmp_path / "n.json", "--leave-out-slices", "2,9")["methods"]["manual"]
    assert manual["scar"]["ml"] == pytest.approx((kept == 3).sum() * patient.stack.voxel_ml)


def test_doubts_are_printed_once_each_whatever_is_asked(files, patient, tmp_path, capsys) -> None:
    flat = SimpleITK.ReadImage(str(files["lge"]))
    noise = np.random.default_rng(0).normal(70, 5, flat.GetSize()[::-1])
    even = SimpleITK.GetImageFromArray(noise.astype(np.float32))
    even.CopyInformation(flat)
    SimpleITK.WriteImage(even, str(tmp_path / "even.nii.gz"))
    images = {"lge": tmp_path / "even.nii.gz", "labels": files["labels"]}
    for options in (("-q",), ("-q", "--method", "otsu"), ("-v", "--method", "all", "--contrast", "magnitude")):
        report = measure(images, tmp_path / "m.json", *options)
        told = capsys.readouterr()
        lines = [line for line in told.err.splitlines() if line.startswith("warning: ")]
        assert any("RV insertions are uncertain" in line for line in lines)
        assert len(lines) == len(set(lines)) and set(report["warnings"]) == {line[9:] for line in lines}
        assert "RV insertions are uncertain" not in told.out
    assert "threshold lies within" in " ".join(report["warnings"])


def test_a_remote_region_in_scar_is_told_with_its_numbers(files, patient, tmp_path, capsys) -> None:
    base = ("-q", "--method", "n_sd", "--contrast", "magnitude")
    rows = measure(files, tmp_path / "a.json", *base)["methods"]["n_sd"]["segments"]
    capsys.readouterr()
    worst = max((row for row in rows if row["imaged"]), key=lambda row: row["scar_percent"])["number"]
    measure(files, tmp_path / "b.json", *base, "--remote-segments", str(worst))
    told = capsys.readouterr().err
    assert f"The remote region (segments {worst}, chosen by the reader) does not look like healthy" in told
    assert "times as large" in told and "chosen by the reader) is scar: what rests on it" in told
    best = min((row for row in rows[:6]), key=lambda row: row["scar_percent"])["number"]
    measure(files, tmp_path / "c.json", *base, "--remote-segments", f"{best},{best + 6}")
    told = capsys.readouterr().err
    assert "does not look like healthy" not in told and ") is scar: " not in told


@pytest.mark.parametrize("mode", ["fixed", "landmark"])
def test_pictures_of_one_rule_are_written(files, tmp_path, mode) -> None:
    pictures = tmp_path / "eye.png", tmp_path / "map.svg"
    options = ["--bullseye", str(pictures[0]), "--polar-map", str(pictures[1]), "--aha", mode, "--segments", "16"]
    two = tmp_path / "again.svg", tmp_path / "all.svg"
    options += ["--picture", str(two[0]), "--montage", str(two[1]), "--table", str(tmp_path / "t.csv")]
    report = measure(files, tmp_path / "m.json", "-q", *options, "--method", "ewa", "--contrast", "magnitude")
    assert pictures[0].read_bytes().startswith(b"\x89PNG")
    for picture in (pictures[1], *two):
        text = re.sub(r"\s+", " ", picture.read_text())
        assert "<svg" in text and "expectation" in text and "16 segments" in text and mode in text
        assert "darkest" in text
    assert len(report["methods"]["ewa"]["segments"]) == 16
    assert "Apex" not in (tmp_path / "t.csv").read_text()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--bullseye", "eye.bmp"], ".png, .svg or .pdf"),
        (["--bullseye", "no/such/eye.png"], "its folder"),
        (["--polar-map", "m.png", "--method", "all"], "one rule"),
        (["--remote", "nothing.nii.gz", "--method", "n_sd"], "not found"),
        (["--remote-segments", "17.5", "--method", "n_sd", "--n-sd", "3"], "no segment 17.5; choose from 1 to 17"),
        (["--remote-segments", "2,99", "--method", "n_sd", "--n-sd", "3"], "no segment 99; choose from 1 to 17"),
        (["--montage", "m.png", "--method", "all"], "one rule"),
        (["--montage", "m.tif"], ".png, .svg or .pdf"),
        (["--leave-out-slices", "3,12"], "no slice 12; choose from 1 to 10"),
        (["--leave-out-slices", "1,2,3,4,5,6,7,8,9,10"], "outside the slices left out"),
        (["--leave-out-slices", "Doe_J"], "measure: --leave-out-slices: give numbers"),
        (["--insertions", "nothing.csv"], "cannot be read"),
        (["--insertions", "1e308,240"], "angles are degrees from -360 to 360"),
        (["--montage", "m.png", "--bullseye", "./m.png"], "m.png: is asked for twice"),
        (["--bullseye", "m.png", "--picture", "m.png"], "m.png: is asked for twice"),
        (["--polar-map", "m.svg", "--montage", "m.svg"], "m.svg: is asked for twice"),
        (["--json", "x.csv", "--table", "x.csv"], "x.csv: is asked for twice"),
        (["--method", "fwhm"], "--contrast"),
        (["--table", "t.txt"], ".csv or .md"),
        (["--bullseye", "eye.png", "--json", "no/m.json"], "its folder"),
        (["--picture", "eye.png", "--polar-map", "m.gif"], ".png, .svg or .pdf"),
        (["--json", "."], "is a folder"),
        (["--n-sd", "5"], "--n-sd has no effect with --method manual"),
        (["--n-sd", "5", "--method", "ewa"], "--n-sd has no effect with --method ewa"),
        (["--per", "stack"], "--per has no effect"),
        (["--fwhm-region", "r.nii", "--method", "otsu"], "--fwhm-region has no effect"),
        (["--smallest-island-ml", "1"], "--smallest-island-ml has no effect"),
        (["--smallest-island-ml", "-3", "--method", "ewa"], "0 or more"),
        (["--remote-segments", "5"], "--remote-segments has no effect with --method manual unless --contrast"),
        (["--remote-segments", "", "--method", "n_sd", "--contrast", "magnitude"], "--remote-segments: give numbers"),
        (["--remote", "m.nii"], "--remote has no effect with --method manual unless --contrast"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(files, options, says, capsys, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    inputs = ["--lge", str(files["lge"]), "--labels", str(files["labels"])]
    assert main(["measure", *inputs, "-q", *options]) == 2
    said = capsys.readouterr().err
    assert says in said and said.count("\n") == 1 and " :" not in said
    assert not list(tmp_path.iterdir())


def test_an_image_without_labels_is_refused(files, capsys) -> None:
    assert main(["measure", "--lge", str(files["lge"])]) == 2
    assert "--labels is missing" in capsys.readouterr().err


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cases")
    for seed in (0, 1):
        one = folder / f"Case_{seed}"
        written = write_phantom(one, phantom_patient(seed))
        written["lge"].rename(one / f"{one.name}_img.nii.gz")
        written["labels"].rename(one / f"{one.name}_seg.nii.gz")
    return folder


@pytest.mark.parametrize("kind", ["csv", "md"])
def test_rules_are_held_against_the_experts_of_a_folder(cases, tmp_path, capsys, kind) -> None:
    out, table = tmp_path / "c.json", tmp_path / f"t.{kind}"
    options = ["--contrast", "magnitude", "--table", str(table), "--json", str(out)]
    assert main(["measure", "--cases", str(cases), "--method", "all", *options]) == 0
    report = json.loads(out.read_text())
    assert report["cases"] == ["Case_0", "Case_1"] and len(report["rules"]) == len(RULES)
    text = table.read_text()
    assert all(name in text for name in RULES)
    assert "paired" in text and "best" in text and "remote region" in text
    assert text.startswith("|") == (kind == "md")
    assert "EWA" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--method", "manual"], "choose --method"),
        (["--method", "all", "--remote", "x.nii"], "--remote belongs"),
        (["--method", "all", "--correct-shifts"], "--correct-shifts belongs"),
        (["--method", "all", "--montage", "m.png"], "--montage belongs"),
        (["--method", "all", "--leave-out-slices", "1"], "--leave-out-slices belongs"),
        (["--method", "fwhm"], "--contrast"),
        (["--method", "all", "--aha", "landmark"], "--aha belongs"),
        (["--method", "all", "--segments", "16"], "--segments belongs"),
        (["--method", "otsu", "--n-sd", "3"], "--n-sd has no effect"),
        (["--method", "all", "--table", "t.xlsx"], ".csv or .md"),
    ],
)
def test_what_a_folder_of_cases_cannot_use_is_refused(cases, options, says, capsys) -> None:
    assert main(["measure", "--cases", str(cases), *options]) == 2
    assert says in capsys.readouterr().err


def test_a_rule_that_the_cases_do_not_allow_is_left_out_and_said(cases, tmp_path, capsys) -> None:
    out = tmp_path / "c.json"
    assert main(["measure", "--cases", str(cases), "--method", "all", "-q", "--json", str(out)]) == 0
    names = [rule["name"] for rule in json.loads(out.read_text())["rules"]]
    assert sorted(names) == sorted(RULES.keys() - {"FWHM"})
    told = capsys.readouterr().err
    assert told.count("FWHM left out") == 1 and "--contrast" in told


@pytest.mark.parametrize("method", ["otsu", "ewa"])
def test_one_rule_gives_one_number_in_segment_and_in_measure(files, tmp_path, method) -> None:
    out = tmp_path / "out"
    inputs = ["--lge", str(files["lge"]), "--no-ecg", "--method", method, "--out", str(out), "--device", "cpu"]
    assert main(["segment", "-q", *inputs]) == 0
    told = json.loads((out / "result.json").read_text())
    again = measure({"lge": files["lge"], "labels": out / "labels.nii.gz"}, tmp_path / "m.json", "--method", method)
    entry = again["methods"][method]
    assert entry["scar"]["ml"] == pytest.approx(told["scar"]["image_only"]["ml"])
    assert entry["method"] in told["method"]["scar"] and "islands below 0.1 ml left out" in entry["method"]


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
