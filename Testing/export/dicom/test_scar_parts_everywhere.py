"""Core, grey zone, MVO, territories and patterns: one measurement, the same in every file of a result."""

from __future__ import annotations

import csv
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_case import DicomCase, made_up_labels, made_up_result, made_up_stack
from pdf_reading import document, text_of

from ScarSegECGLib.case import SCAR
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.dicom import codes
from ScarSegECGLib.export.dicom import structured_report as grouping
from ScarSegECGLib.export.dicom.structured_report import groups
from ScarSegECGLib.export.images import write_nifti
from ScarSegECGLib.export.result_folder import read_result
from ScarSegECGLib.export.write import write_result
from ScarSegECGLib.facts import Doubt, Fact
from ScarSegECGLib.lge.labels import read_labels
from ScarSegECGLib.measure.measurements import drawn_scar, measure
from ScarSegECGLib.wording import words as told

PARTS = {"core": "Core, without MVO", "grey_zone": "Grey zone", "below_grey_zone": "Below the grey zone's limit"}
PARTS["mvo"] = "MVO"


def copied(case: DicomCase, to: Path) -> tuple[Path, dict]:
    folder = shutil.copytree(case.folder, to / "result")
    return folder, json.loads((folder / "result.json").read_text())


def rewrite(folder: Path, content: dict) -> None:
    (folder / "result.json").write_text(json.dumps(content))


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html).replace("&#x27;", "'").replace("&gt;", ">"))


@pytest.fixture(scope="module")
def pdf_text(objects) -> str:
    return text_of(document(pydicom.dcmread(objects / "report_pdf.dcm")))


def test_parts_territories_and_patterns_are_the_same_in_every_file(case: DicomCase, pdf_text) -> None:
    content = case.content
    html = words((case.folder / "report.html").read_text(encoding="utf-8"))
    said = {group.title: group.values for group in groups(case.result)}
    parts, structures = content["scar"]["parts"], dict(zip(PARTS, codes.SCAR_PARTS, strict=True))
    assert sum(parts[key]["ml"] for key in PARTS) == pytest.approx(content["scar"]["with_ecg"]["ml"])
    for key, name in PARTS.items():
        burden = parts[key]
        assert burden["ml"] > 0
        row = f"{name} {burden['g']:.1f} {burden['percent_of_lv']:.1f} {burden['ml']:.1f}"
        assert row in html and row in pdf_text, row
        assert said[structures[key].name][codes.VOLUME] == round(burden["ml"], 1)
    assert parts["rule"] and parts["rule"][5:] in html and "remote region found automatically" in parts["rule"]
    for row in content["territories"]:
        numbers = ", ".join(map(str, row["aha_segments"]))
        line = f"{row['usual_territory']} {numbers} {row['myocardium_ml']:.1f} {row['scar_percent_image_only']:.0f} "
        line += f"{row['scar_ml']:.1f} {row['scar_g']:.1f} {row['scar_percent']:.0f}"
        assert line in html and line in pdf_text, line
        territory = said[f"Usual territory {row['usual_territory']}"]
        assert territory[codes.SCAR_VOLUME] == round(row["scar_ml"], 1)
        assert territory[codes.PERCENT_OF_TERRITORY] == round(row["scar_percent"], 1)
    island = content["patterns"][0]
    first, last = island["slices_from_apex"]
    line = f"1 {island['pattern']} {island['ml']:.1f} {first} to {last}"
    assert line in html and line in pdf_text
    assert said["Scar island 1"][codes.VOLUME] == round(island["ml"], 1)


def test_comments_are_words_and_no_names_of_facts(case: DicomCase) -> None:
    comments = [comment for group in groups(case.result) for comment in group.comments]
    assert any("Usual territory" in comment for comment in comments)
    assert not [comment for comment in comments if "_" in comment]


def test_mvo_per_segment_stands_in_every_table(case: DicomCase) -> None:
    content = case.content
    with (case.folder / "segments.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    told = {group.segment: group for group in groups(case.result) if group.segment and group.segment[0] == "aha17"}
    for row, line in zip(content["segments"], table, strict=True):
        assert (row["mvo_ml"] is None) == (not row["imaged"]) == (line["mvo_ml"] == "")
        if row["imaged"]:
            parts = [row[key] for key in ("mvo_ml", "core_ml", "grey_zone_ml", "below_grey_zone_ml")]
            assert sum(parts) == pytest.approx(row["scar_ml"])
            columns = ("mvo_ml", "core_ml", "grey_zone_ml", "below_grey_zone_ml")
            assert [float(line[key]) for key in columns] == pytest.approx(parts, abs=5e-4)
            values = told["aha17", row["aha_segment"]].values
            assert values[codes.MVO_VOLUME] == round(row["mvo_ml"], 1)
    whole = sum(row["mvo_ml"] or 0.0 for row in content["segments"])
    assert whole == pytest.approx(content["scar"]["mvo"]["ml"]) and whole > 0


def test_measure_finds_the_mvo_in_the_labels_again(tmp_path) -> None:
    result = made_up_result(made_up_stack(), made_up_labels())
    write_nifti(result, tmp_path)
    again = read_labels(tmp_path / "labels.nii.gz", result.stack)
    assert set(np.unique(again)) == {0, 1, 2, 3, 4} and np.array_equal(np.minimum(again, SCAR), result.labels)
    measured = measure(result.stack, result.anatomy, *drawn_scar(again))
    assert measured.parts.mvo.ml == pytest.approx(result.mvo.ml) and measured.parts.mvo.ml > 0
    assert measured.scar.ml == pytest.approx(result.scar.ml)
    assert measured.parts.core.ml == pytest.approx(result.parts.core.ml)
    assert measured.parts.grey.ml == pytest.approx(result.parts.grey.ml)
    parts = read_labels(tmp_path / "scar_parts.nii.gz", result.stack)
    assert np.array_equal(parts, result.parts.labels)


@pytest.mark.parametrize("version", ["1.2", "2.1", None])
def test_other_versions_are_refused(case: DicomCase, tmp_path, version) -> None:
    folder, content = copied(case, tmp_path)
    rewrite(folder, content | {"schema_version": version})
    with pytest.raises(InputError, match="another version"):
        read_result(folder, case.stack)


@pytest.mark.parametrize("key", ["core", "mvo"])
def test_parts_that_do_not_fit_their_numbers_are_refused(case: DicomCase, tmp_path, key) -> None:
    folder, content = copied(case, tmp_path)
    content["scar"]["parts"][key]["ml"] += 0.2
    content["record"]["of"]["parts"]["of"][key]["of"]["ml"] += 0.2
    rewrite(folder, content)
    with pytest.raises(InputError, match="do not fit each other"):
        read_result(folder, case.stack)


@pytest.mark.parametrize("damage", [{"parts": {"core": {}}}, {"parts": 3}, {"parts": None}, {}])
def test_parts_that_are_no_parts(case: DicomCase, tmp_path, damage) -> None:
    folder, content = copied(case, tmp_path)
    if damage:
        content["scar"] |= damage
    else:
        del content["scar"]["parts"]
    rewrite(folder, content)
    with pytest.raises(InputError, match="incomplete or damaged"):
        read_result(folder, case.stack)


def test_where_nobody_looked_there_are_no_parts(case: DicomCase, tmp_path) -> None:
    folder = write_result(replace(case.result, parts=None), {}, tmp_path / "result", overwrite=False)
    assert read_result(folder, case.stack).parts is None


def test_a_missing_parts_image_is_noticed(case: DicomCase, tmp_path) -> None:
    folder, _ = copied(case, tmp_path)
    (folder / "scar_parts.nii.gz").unlink()
    with pytest.raises(InputError, match="incomplete or damaged"):
        read_result(folder, case.stack)


def test_the_images_alone_come_first(case: DicomCase) -> None:
    titles = [group.title for group in groups(case.result)]
    assert titles.index("Scar, image only") < titles.index("Scar") < titles.index("Scar core")
    segment = next(group for group in groups(case.result) if group.segment == ("aha17", 7))
    names = list(segment.values)
    assert names.index(codes.PERCENT_IMAGE_ONLY) < names.index(codes.PERCENT_OF_SEGMENT)


def test_what_hearts_without_infarct_show_is_said_with_every_finding(case: DicomCase, monkeypatch) -> None:
    doubt = Fact(Doubt.MAY_BE_NO_SCAR, ml=1.3, most=4.6, without=22, as_little=3, infarct=45)
    monkeypatch.setattr(grouping, "doubt_of", lambda result: doubt)
    for group in groups(case.result):
        scarred = (codes.MYOCARDIAL_FINDING, codes.SCARRED) in group.answers
        said = told(doubt) in group.comments
        assert said == (scarred or group.title in ("Scar", "Scar, image only")), group.title
