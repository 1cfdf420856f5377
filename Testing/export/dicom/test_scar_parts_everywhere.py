"""Core, grey zone, MVO, territories and patterns: one measurement, the same in every file of a result."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pdfplumber
import pydicom
import pytest
from dicom_case import DicomCase, as_written_before, made_up_labels, made_up_result, made_up_stack, make_case

from ScarSegECGLib.case import SCAR
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.dicom import codes
from ScarSegECGLib.export.dicom.encapsulated_pdf import document
from ScarSegECGLib.export.dicom.findings import read_findings
from ScarSegECGLib.export.dicom.report_groups import groups
from ScarSegECGLib.export.dicom.write import write_dicom
from ScarSegECGLib.export.nifti import write_nifti
from ScarSegECGLib.lge.labels import read_labels
from ScarSegECGLib.measure.contours import MANUAL, measure_contours

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
    with pdfplumber.open(io.BytesIO(document(pydicom.dcmread(objects / "report_pdf.dcm")))) as pdf:
        return " ".join(" ".join(page.extract_text() for page in pdf.pages).split())


def test_parts_territories_and_patterns_are_the_same_in_every_file(case: DicomCase, pdf_text) -> None:
    content = case.findings.content
    html = words((case.folder / "report.html").read_text(encoding="utf-8"))
    said = {group.title: {v.name: v.value for v in group.values} for group in groups(case.findings)}
    parts, structures = content["scar"]["parts"], {part.key: part for part in codes.SCAR_PARTS}
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


def test_mvo_per_segment_stands_in_every_table(case: DicomCase) -> None:
    content = case.findings.content
    with (case.folder / "segments.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    told = {group.segment: group for group in groups(case.findings) if group.segment and group.segment[0] == "aha17"}
    for row, line in zip(content["segments"], table, strict=True):
        assert (row["mvo_ml"] is None) == (not row["imaged"]) == (line["mvo_ml"] == "")
        if row["imaged"]:
            parts = [row[key] for key in ("mvo_ml", "core_ml", "grey_zone_ml", "below_grey_zone_ml")]
            assert sum(parts) == pytest.approx(row["scar_ml"])
            columns = ("mvo_ml", "core_ml", "grey_zone_ml", "below_grey_zone_ml")
            assert [float(line[key]) for key in columns] == pytest.approx(parts, abs=5e-4)
            values = {v.name: v.value for v in told["aha17", row["aha_segment"]].values}
            assert values[codes.MVO_VOLUME] == round(row["mvo_ml"], 1)
    whole = sum(row["mvo_ml"] or 0.0 for row in content["segments"])
    assert whole == pytest.approx(content["scar"]["mvo"]["ml"]) and whole > 0


def test_measure_finds_the_mvo_in_the_labels_again(tmp_path) -> None:
    result = made_up_result(made_up_stack(), made_up_labels())
    write_nifti(result, tmp_path)
    again = read_labels(tmp_path / "labels.nii.gz", result.stack)
    assert set(np.unique(again)) == {0, 1, 2, 3, 4} and np.array_equal(np.minimum(again, SCAR), result.labels)
    measured = measure_contours(result.stack, again, result.anatomy, MANUAL)
    assert measured.mvo_ml == pytest.approx(result.mvo.ml) and measured.mvo_ml > 0
    assert measured.scar.ml == pytest.approx(result.scar.ml)
    assert measured.core_ml == pytest.approx(result.parts.core.ml)
    assert measured.grey_ml == pytest.approx(result.parts.grey.ml)
    parts = read_labels(tmp_path / "scar_parts.nii.gz", result.stack)
    assert np.array_equal(parts, result.parts.labels)


def test_a_folder_written_before_gives_the_same_objects(case: DicomCase, tmp_path) -> None:
    folder, content = copied(case, tmp_path)
    rewrite(folder, as_written_before(content))
    (folder / "scar_parts.nii.gz").unlink()
    old = read_findings(folder, case.stack)
    assert np.array_equal(old.parts, case.findings.parts)
    out = tmp_path / "out"
    out.mkdir()
    assert set(write_dicom(old, case.source, out)) == set(write_dicom_names(case, tmp_path))
    now = {group.title: group.values for group in groups(case.findings)}
    since = ("Usual territory", "Scar island", "AHA ")
    for group in groups(old):
        if not group.title.startswith(since):
            assert [v.value for v in group.values] == pytest.approx([v.value for v in now[group.title]], abs=0.05)


def write_dicom_names(case: DicomCase, folder: Path) -> tuple[str, ...]:
    (folder / "now").mkdir()
    return write_dicom(case.findings, case.source, folder / "now")


@pytest.mark.parametrize("version", ["1.0", "1.3", None])
def test_other_versions_are_refused(case: DicomCase, tmp_path, version) -> None:
    folder, content = copied(case, tmp_path)
    rewrite(folder, content | {"schema_version": version})
    with pytest.raises(InputError, match="another version"):
        read_findings(folder, case.stack)


@pytest.mark.parametrize("key", ["core", "mvo"])
def test_parts_that_do_not_fit_their_numbers_are_refused(case: DicomCase, tmp_path, key) -> None:
    folder, content = copied(case, tmp_path)
    content["scar"]["parts"][key]["ml"] += 0.2
    rewrite(folder, content)
    with pytest.raises(InputError, match="do not fit each other"):
        read_findings(folder, case.stack)


@pytest.mark.parametrize("damage", [{"parts": {"core": {}}}, {"parts": 3}, {"parts": None}, {}])
def test_parts_that_are_no_parts(case: DicomCase, tmp_path, damage) -> None:
    folder, content = copied(case, tmp_path)
    if damage:
        content["scar"] |= damage
    else:
        del content["scar"]["parts"]
    rewrite(folder, content)
    if damage == {"parts": None}:  # nobody looked
        assert read_findings(folder, case.stack).parts is None
        return
    with pytest.raises(InputError, match="incomplete or damaged"):
        read_findings(folder, case.stack)


def test_a_missing_parts_image_is_noticed(case: DicomCase, tmp_path) -> None:
    folder, _ = copied(case, tmp_path)
    (folder / "scar_parts.nii.gz").unlink()
    with pytest.raises(InputError, match="incomplete or damaged"):
        read_findings(folder, case.stack)


def test_the_images_alone_come_first(case: DicomCase) -> None:
    titles = [group.title for group in groups(case.findings)]
    assert titles.index("Scar, image only") < titles.index("Scar") < titles.index("Scar core")
    segment = next(group for group in groups(case.findings) if group.segment == ("aha17", 7))
    names = [value.name for value in segment.values]
    assert names.index(codes.PERCENT_IMAGE_ONLY) < names.index(codes.PERCENT_OF_SEGMENT)


def test_what_hearts_without_infarct_show_is_said_with_every_finding(case: DicomCase) -> None:
    doubt = "The whole scar (1.3 ml) lies within what these networks found in hearts without infarct."
    content = case.findings.content | {"scar": case.findings.content["scar"] | {"remark": doubt}}
    told = groups(replace(case.findings, content=content))
    for group in told:
        scarred = (codes.MYOCARDIAL_FINDING, codes.SCARRED) in group.answers
        assert (doubt in group.comments) == (scarred or group.title in ("Scar", "Scar, image only")), group.title


def test_a_contrast_that_is_not_known_leaves_the_mvo_and_says_why(tmp_path) -> None:
    result = made_up_result(made_up_stack("unknown"), made_up_labels())
    assert result.parts.core is None and result.mvo.ml > 0
    case = make_case(tmp_path)
    old, content = copied(case, tmp_path / "old")
    content = as_written_before(content)
    content["geometry"]["contrast"] = "unknown"
    rewrite(old, content)
    findings = read_findings(old, case.stack)
    assert set(np.unique(findings.parts)) == {0, 4}
