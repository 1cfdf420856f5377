"""The whole folder: tables, JSON and its schema, privacy, and failure in the middle."""

from __future__ import annotations

import copy
import csv
import gzip
import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from example_results import PICTURES, make_result

from ScarSegECGLib.case import Burden, EcgUse, Storage, TimeGap
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export import write as writing
from ScarSegECGLib.export.atomic import is_previous_result
from ScarSegECGLib.export.result_folder import as_json
from ScarSegECGLib.export.write import write_result, write_segments
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import AgreementReason, EcgReason, GapProblem
from ScarSegECGLib.report.plain import number, without_paths

NOW = datetime(2031, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=1)))
FILES = {
    "aha17.nii.gz",
    "bullseye.png",
    "ecg.png",
    "labels.nii.gz",
    "montage.png",
    "report.html",
    "result.json",
    "scar_probability.nii.gz",
    "scar_probability_image_only.nii.gz",
    "segmentation.seg.nrrd",
    "segments.csv",
}


SCHEMA = json.loads((Path(writing.__file__).parent / "result.schema.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def validator():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    return jsonschema.Draft202012Validator(SCHEMA)


def test_everything_is_written_and_replaced_only_on_request(tmp_path, validator):
    out = write_result(make_result(), PICTURES, tmp_path / "out", overwrite=False)
    assert {path.name for path in out.iterdir()} == FILES
    assert is_previous_result(out)
    validator.validate(json.loads((out / "result.json").read_text(encoding="utf-8")))
    with pytest.raises(InputError, match="--overwrite"):
        write_result(make_result(), PICTURES, out, overwrite=False)
    no_ecg = {name: data for name, data in PICTURES.items() if name != "ecg.png"}
    write_result(make_result(with_ecg=False), no_ecg, out, overwrite=True)
    assert {path.name for path in out.iterdir()} == FILES - {"ecg.png"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("step", ["write_nifti", "write_slicer_segmentation", "as_html", "write_result_json"])
def test_a_failure_in_the_middle_leaves_nothing(tmp_path, monkeypatch, step):
    def fail(*_):
        raise RuntimeError("in the middle")

    monkeypatch.setattr(writing, step, fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        write_result(make_result(), PICTURES, tmp_path / "out", overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_unknown_pictures_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="unknown pictures"):
        write_result(make_result(), {"../evil.png": b""}, tmp_path / "out", overwrite=False)
    assert list(tmp_path.iterdir()) == []


VARIANTS = {
    "with ECG": {},
    "no ECG": {"with_ecg": False},
    "no scar": {"scar": False},
    "ECG weight zero": {"amplitude": 0.0},
    "permuted": {"storage": Storage((2, 0, 1), (True, False, True))},
    "numbers unknown": {
        "scar": True,
        "cavity_ml": float("nan"),
        "scar_image_only": Burden(float("nan"), float("nan"), float("nan")),
        "ecg_use": EcgUse(0.4, (Fact(EcgReason.DATE_UNKNOWN, problem=GapProblem.NO_DATES),), TimeGap(float("nan"))),
        "weights_sha256": "",
        "timings": {"network": float("inf"), "numpy": np.float32(1.5)},
    },
}


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS.keys())
def test_result_json_keeps_its_schema(validator, changes):
    content = json.loads(json.dumps(as_json(make_result(**changes), NOW), allow_nan=False))
    validator.validate(content)
    assert content["created_utc"] == "2031-02-03T03:05:06Z"
    assert len(content["segments"]) == 17


def test_result_json_says_what_the_result_says():
    result = make_result(Storage((2, 0, 1), (True, False, True)))
    content = as_json(result, NOW)
    assert content["scar"]["with_ecg"] == {
        "ml": result.scar.ml,
        "g": result.scar.grams,
        "percent_of_lv": result.scar.percent_of_lv,
    }
    assert content["scar"]["image_only"]["percent_of_lv"] == result.scar_image_only.percent_of_lv
    assert content["left_ventricle"]["myocardium_g"] == pytest.approx(result.myocardium_ml * 1.05)
    assert content["ecg"]["amplitude"] == 0.83 and content["ecg"]["gap_days"] == -41
    assert content["inputs"] == {"lge_sha256": "a1" * 32, "ecg_sha256": "b2" * 32}
    assert content["method"]["weights_sha256"] == "c3" * 32
    geometry = content["geometry"]
    # axes (2, 0, 1): the file's slices are the canonical rows, its rows the columns, its columns the slices
    assert geometry["shape_slice_row_column"] == [18, 22, 5]
    assert geometry["spacing_mm_slice_row_column"] == pytest.approx([1.5, 1.25, 8.0])
    np.testing.assert_array_equal(geometry["ijk_to_ras_mm"], result.stack.stored_ijk_to_ras)
    last = content["segments"][16]
    assert last["imaged"] is False and last["scar_percent"] is None


def test_unknown_numbers_are_null_never_nan():
    content = as_json(make_result(**VARIANTS["numbers unknown"]), NOW)
    assert content["left_ventricle"]["cavity_ml"] is None
    assert content["ecg"]["gap_days"] is None
    assert content["timings_s"] == {"network": None, "numpy": 1.5}


def test_the_schema_refuses_what_it_does_not_know(validator):
    good = json.loads(json.dumps(as_json(make_result(), NOW)))
    wrong = []
    for change in (
        lambda c: c.update(patient_name="x"),
        lambda c: c["segments"].pop() and c["segments"].pop(),
        lambda c: c["ecg"].update(amplitude=1.5),
        lambda c: c["scar"]["with_ecg"].pop("g"),
        lambda c: c["inputs"].update(lge_sha256="abc"),
    ):
        content = copy.deepcopy(good)
        change(content)
        wrong.append(content)
    assert validator.is_valid(good)
    assert [validator.is_valid(content) for content in wrong] == [False] * len(wrong)


def test_every_field_of_the_schema_is_described():
    def undescribed(node, path="result"):
        for name, inner in node.get("properties", {}).items():
            if "description" not in inner:
                yield f"{path}.{name}"
            yield from undescribed(inner, f"{path}.{name}")
            yield from undescribed(inner.get("items", {}), f"{path}.{name}[]")

    assert [name for name in undescribed(SCHEMA) if ".software." not in name] == []


def test_the_table_has_one_line_per_segment_and_plain_numbers(tmp_path):
    result = make_result()
    write_segments(result, tmp_path)
    text = (tmp_path / "segments.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == 17
    assert [row["aha_segment"] for row in rows] == [str(n) for n in range(1, 18)]
    second = rows[1]
    assert float(second["scar_percent_of_segment"]) == 25.0
    assert float(second["scar_g"]) == pytest.approx(0.055 * 25 * 1.05, abs=5e-4)
    assert second["transmurality_bin_percent"] == "26-50 %"
    assert second["scar_method"] == "network, p > 0.5; with ECG (investigational)"
    assert second["aha_mode"] == "fixed 60 degrees, 17 segments"
    assert rows[16]["imaged"] == "no" and rows[16]["scar_percent_of_segment"] == ""
    assert "nan" not in text.lower() and "None" not in text


def test_the_table_holds_no_formula_and_no_line_break(tmp_path):
    result = make_result()
    reason = Fact(
        AgreementReason.ECG_NOT_USED, use=(Fact(EcgReason.UNREADABLE, error='HYPERLINK("x")\nsecond line, "quoted"'),)
    )
    hostile = replace(result.segments[0], name="=1+1", agreement_reason=reason, territory="@SUM")
    write_segments(replace(result, segments=(hostile, *result.segments[1:])), tmp_path)
    rows = list(csv.DictReader((tmp_path / "segments.csv").read_text(encoding="utf-8").splitlines()))
    assert rows[0]["ecg_agreement_reason"] == 'ECG not used: HYPERLINK("x") second line, "quoted"'
    assert rows[0]["name"] == "'=1+1"
    assert rows[0]["usual_territory"] == "'@SUM"
    assert len(rows) == 17


def test_no_name_and_no_path_reaches_any_file(tmp_path):
    leak = "Read from /home/jo/DOE JOHN/DOE_lge.nii.gz and C:\\scans\\DOE^JOHN\\ecg 1.xml, see DOE.dcm."
    reason = Fact(EcgReason.UNREADABLE, error=leak)
    result = make_result(warnings=(reason,), ecg_use=EcgUse(0.5, (reason,), TimeGap(None)))
    not_used = Fact(AgreementReason.ECG_NOT_USED, use=(reason,))
    result = replace(
        result,
        stack=replace(result.stack, notes=(reason,)),
        ecg=replace(result.ecg, notes=(leak,)),
        anatomy=replace(result.anatomy, notes=(reason,)),
        segments=(replace(result.segments[0], agreement_reason=not_used), *result.segments[1:]),
    )
    out = write_result(result, PICTURES, tmp_path / "DOE", overwrite=False)
    for path in out.iterdir():
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
        assert b"DOE" not in content and b"JOHN" not in content, path.name
        assert str(tmp_path).encode() not in content, path.name


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Slices every 8 mm, 1.05 g/ml, and/or 3/4; R/S 0.5.", "Slices every 8 mm, 1.05 g/ml, and/or 3/4; R/S 0.5."),
        ("12 leads / 8 leads / 500 Hz", "12 leads / 8 leads / 500 Hz"),
        ("Read /data/p1/scan.nii.gz.", "Read [file]."),
        ("Read '/a b/c d.nrrd', flipped", "Read '[file]', flipped"),
        ("Read ~/x/y: flipped", "Read [file]: flipped"),
        ("from D:/x/y z.dcm today", "from [file] today"),
        (r"on \\server\share\a.xml", "on [file]"),
        ("file:///tmp/p/a.nii", "[file]"),
        ("Name_1970.scp was read", "[file] was read"),
        ("from Doe.zip/DICOM/John", "from [file][file]"),
    ],
)
def test_paths_are_taken_out_of_sentences(sentence, expected):
    assert without_paths(sentence) == expected


@pytest.mark.parametrize(
    ("value", "decimals", "expected"),
    [(1.25, 1, "1.2"), (-0.04, 1, "0.0"), (None, 1, "-"), (float("nan"), 0, "-"), (1e6, 0, "1000000")],
)
def test_numbers(value, decimals, expected):
    assert number(value, decimals, "-") == expected
