"""The structured report, as dcmqi and pydicom read it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from dicom_case import WEIGHTS, DicomCase, made_up_labels, made_up_result, made_up_stack

from ScarSegECGLib.case import Interval
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.dicom import codes
from ScarSegECGLib.export.dicom.structured_report import groups, person_name
from ScarSegECGLib.export.dicom.write import insist_said, write_dicom
from ScarSegECGLib.facts import Confidence, ConfidenceReason, Contrast, Fact, Grade, Method
from ScarSegECGLib.report.present import headline
from ScarSegECGLib.wording import ECG_IS_NO_FINDING


@pytest.fixture(scope="module")
def read(objects, tmp_path_factory, dcmqi) -> dict:
    """What dcmqi's TID 1500 reader says."""
    out = tmp_path_factory.mktemp("sr") / "sr.json"
    dcmqi("tid1500reader", "--inputDICOM", objects / "report.dcm", "--outputMetadata", out)
    return json.loads(out.read_text())


def by_title(read: dict) -> dict[str, dict]:
    return {group["TrackingIdentifier"].removeprefix("ScarSegECG "): group for group in read["Measurements"]}


def values(group: dict) -> dict[str, tuple[float, str]]:
    return {
        item["quantity"]["CodeValue"]: (float(item["value"]), item["units"]["CodeValue"])
        for item in group.get("measurementItems", [])
    }


def test_dcmqi_gives_back_every_measurement(case: DicomCase, read) -> None:
    found = by_title(read)
    expected = groups(case.result)
    assert len(found) == len(expected) == len(read["Measurements"])
    count = 0
    for group in expected:
        title = group.title
        said = {name.value: (value, codes.UNIT_OF[name].value) for name, value in group.values.items()}
        assert values(found[title]) == pytest.approx(said) if not said else values(found[title]) == said
        count += len(said)
    assert count > 100


def test_numbers_are_those_of_the_result(case: DicomCase, read) -> None:
    content, found = case.content, by_title(read)
    for title, burden in (("Scar", "with_ecg"), ("Scar, image only", "image_only")):
        for code, key in (("118565006", "ml"), ("118538004", "g"), ("PCTLV", "percent_of_lv")):
            assert values(found[title])[code][0] == round(content["scar"][burden][key], 1)
    assert values(found["LV cavity"])["118565006"][0] == round(content["left_ventricle"]["cavity_ml"], 1)
    assert values(found["ECG"])["ECGGAP"] == (-41.0, "d")
    assert values(found["ECG"])["TAFFAMP"] == (0.83, "1")
    for row in content["segments"]:
        group = values(found[codes.AHA_SEGMENTS[row["aha_segment"] - 1].name])
        if row["imaged"]:
            assert group["PCTSEG"][0] == round(row["scar_percent"], 1)
            assert group["122445"] == (round(row["wall_thickness_mm"], 1), "mm")


def test_parts_add_up_to_the_scar(case: DicomCase, read) -> None:
    found = by_title(read)
    names = ("Scar core", "Scar grey zone", "Scar below grey zone", "MVO")
    volume = [values(found[name])["118565006"][0] for name in names]
    assert all(part > 0 for part in volume)
    assert sum(volume) == pytest.approx(values(found["Scar"])["118565006"][0], abs=0.25)  # each rounded to 0.1


def test_each_part_has_its_share_under_its_own_name(case: DicomCase, read) -> None:
    found, wall = by_title(read), case.content["left_ventricle"]["myocardium_ml"]
    for title, label, code in (
        ("Scar core", 1, "PCTLVCORE"),
        ("Scar grey zone", 2, "PCTLVGREY"),
        ("Scar below grey zone", 3, "PCTLVBELOW"),
        ("MVO", 4, "PCTLVMVO"),
    ):
        ml = (case.result.parts.labels == label).sum() * case.stack.voxel_ml
        said = values(found[title])
        assert said[code] == (round(100 * ml / wall, 1), "%")
        assert "PCTLV" not in said


def comments(group: pydicom.Dataset) -> list[str]:
    return [
        item.TextValue
        for item in group.ContentSequence
        if item.ValueType == "TEXT" and item.ConceptNameCodeSequence[0].CodeValue == "121106"
    ]


def coded_groups(objects: Path) -> list[pydicom.Dataset]:
    """The measurement groups of the report, as pydicom reads them."""
    report = pydicom.dcmread(objects / "report.dcm")
    (holder,) = (i for i in report.ContentSequence if i.ConceptNameCodeSequence[0].CodeValue == "126010")
    return list(holder.ContentSequence)


def test_no_ecg_figure_without_its_warning(objects) -> None:
    seen = 0
    for group in coded_groups(objects):
        names = {item.ConceptNameCodeSequence[0].CodeValue for item in group.ContentSequence}
        if names & {"PCTSEGECG", "ECGVERDICT"}:
            seen += 1
            assert ECG_IS_NO_FINDING in comments(group)
    assert seen == 17


def test_the_warnings_stand_with_the_scar(case: DicomCase, objects) -> None:
    said = [text for group in coded_groups(objects) for text in comments(group)]
    assert case.content["warnings"] and set(case.content["warnings"]) <= set(said)
    assert "For research use; not a medical device." in said
    assert any("With the ECG (investigational)" in text and "Scar, image only" in text for text in said)


def test_absence_of_scar_is_not_called_normal(case: DicomCase, objects) -> None:
    assert b"122112" not in (objects / "report.dcm").read_bytes()
    amounts = ((0.012, 0.2), (0.09, 2.0), (0.11, 0.9), (0.0, 0.0))
    rows = [
        replace(row, scar_ml=ml, scar_percent=percent)
        for row, (ml, percent) in zip(case.result.segments, amounts, strict=False)
    ]
    told = groups(replace(case.result, segments=(*rows, *case.result.segments[4:])))
    aha = [group for group in told if group.segment and group.segment[0] == "aha17"][:4]
    answers = [dict(group.answers)[codes.MYOCARDIAL_FINDING] for group in aha]
    assert answers == [codes.NO_SCAR, codes.SCARRED, codes.SCARRED, codes.NO_SCAR]


def test_the_procedure_is_of_the_heart(objects) -> None:
    report = pydicom.dcmread(objects / "report.dcm")
    said = [i.ConceptCodeSequence[0].CodeValue for i in report.ContentSequence if i.ValueType == "CODE"]
    assert "241620005" in said


def test_groups_refer_to_the_segments_they_measure(case: DicomCase, objects, read) -> None:
    found = by_title(read)
    for name, title, label in (
        ("segmentation.dcm", "Scar", "Scar"),
        ("scar_parts.dcm", "MVO", "MVO"),
        ("aha17.dcm", codes.AHA_SEGMENTS[6].name, codes.AHA_SEGMENTS[6].name),
    ):
        seg = pydicom.dcmread(objects / name)
        group = found[title]
        assert group["segmentationSOPInstanceUID"] == seg.SOPInstanceUID
        (segment,) = (s for s in seg.SegmentSequence if s.SegmentNumber == group["ReferencedSegment"])
        assert segment.SegmentLabel == label
        assert segment.TrackingUID == group["TrackingUniqueIdentifier"]
        assert group["SourceSeriesForImageSegmentation"] == case.source.first.SeriesInstanceUID


def test_weights_method_and_ecg_are_named(objects, read) -> None:
    said = by_title(read)["Scar"]["measurementAlgorithmIdentification"]
    assert said["AlgorithmName"] == "ScarSegECG"
    assert said["AlgorithmParameters"][0] == f"weights_sha256={WEIGHTS}"

    def parameters(item: pydicom.Dataset) -> list[str]:
        found = []
        for child in item.get("ContentSequence", []):
            if child.ValueType == "TEXT" and child.ConceptNameCodeSequence[0].CodeValue == "111002":
                found.append(child.TextValue)
            found += parameters(child)
        return found

    named = dict(line.split("=", 1) for line in parameters(pydicom.dcmread(objects / "report.dcm")))
    assert named["ecg"] == "ECG 41 days from MRI used with weight 0.83"
    assert named["scar"] == "network, p > 0.5"
    assert "research use" in named["purpose"]


def test_unsigned_is_preliminary_and_unverified(objects) -> None:
    report = pydicom.dcmread(objects / "report.dcm")
    assert (report.PreliminaryFlag, report.VerificationFlag) == ("PRELIMINARY", "UNVERIFIED")
    assert "VerifyingObserverSequence" not in report
    assert report.CodingSchemeIdentificationSequence[0].CodingSchemeDesignator == "99SCARSEG"
    assert report.CodingSchemeIdentificationSequence[0].CodingSchemeName


def test_signed_is_final_and_verified(case, tmp_path, validate) -> None:
    write_dicom(case.result, case.pictures, case.source, tmp_path, verified_by="Müller^Eva")
    report = pydicom.dcmread(tmp_path / "report.dcm")
    assert (report.PreliminaryFlag, report.VerificationFlag) == ("FINAL", "VERIFIED")
    (observer,) = report.VerifyingObserverSequence
    assert observer.VerifyingObserverName == "Müller^Eva"
    assert observer.VerificationDateTime
    assert pydicom.dcmread(tmp_path / "report_pdf.dcm").VerificationFlag == "VERIFIED"
    validate(tmp_path / "report.dcm")


def test_what_is_not_imaged_has_no_number(case, objects) -> None:
    missing = [row["aha_segment"] for row in case.content["segments"] if not row["imaged"]]
    assert missing == [17]
    group = next(g for g in groups(case.result) if g.title == codes.AHA_SEGMENTS[16].name)
    assert [name.value for name in group.values] == ["PCTSEGECG"]
    assert group.answers == ((codes.COVERAGE, codes.NOT_IMAGED),)
    assert group.segment is None


def test_a_changed_number_is_noticed(case, objects, tmp_path) -> None:
    report = pydicom.dcmread(objects / "report.dcm")
    said = groups(case.result)
    insist_said(objects / "report.dcm", said)

    def first_number(item: pydicom.Dataset) -> pydicom.Dataset | None:
        for child in item.get("ContentSequence", []):
            found = child if child.ValueType == "NUM" else first_number(child)
            if found is not None:
                return found
        return None

    number = first_number(report)
    number.MeasuredValueSequence[0].NumericValue = "1.2345"
    report.save_as(tmp_path / "report.dcm")
    with pytest.raises(OSError, match="did not read back"):
        insist_said(tmp_path / "report.dcm", said)


def test_unknown_contrast_leaves_core_and_grey_zone_out() -> None:
    result = made_up_result(made_up_stack(Contrast.UNKNOWN), made_up_labels())
    told = groups(result)
    titles = {group.title for group in told}
    assert not titles & {"Scar core", "Scar grey zone", "Scar below grey zone"}
    (mvo,) = (group for group in told if group.title == "MVO")  # which needs no contrast
    assert any("magnitude or PSIR" in comment for comment in mvo.comments)


def test_the_headline_with_its_interval_stands_with_the_primary_figure(case) -> None:
    trusted = replace(
        case.result,
        interval=Interval((4.04, 9.96), (3.0, 8.0), 0.9),
        confidence=Confidence(Grade.CHECK, (Fact(ConfidenceReason.BORDERS_UNCERTAIN),)),
    )
    for result, primary in ((trusted, "Scar, image only"), (replace(trusted, method=Method(image_only=True)), "Scar")):
        told = {group.title: group for group in groups(result)}
        ends = {name.value: value for name, value in told[primary].values.items()}
        assert (ends["LOWEREND"], ends["UPPEREND"]) == (4.0, 10.0)
        assert told[primary].comments[0] == f"{headline(result)}."
        assert "the borders of the wall are hard to see" in told[primary].comments[0]
    without = groups(replace(trusted, method=Method(corrected=True), interval=None))
    assert not any(name.value == "LOWEREND" for group in without for name in group.values)


@pytest.mark.parametrize(
    ("given", "written"),
    [("Müller^Eva", "Müller^Eva"), ("Eva Maria Müller", "Müller^Eva Maria"), (" Curie ", "Curie^")],
)
def test_names_to_sign_with(given, written) -> None:
    assert person_name(given) == written


@pytest.mark.parametrize("given", ["", "  ", "^", "a\\b", "x" * 70, "a=b", "new\x07bell"])
def test_no_name_no_signature(given) -> None:
    with pytest.raises(InputError, match="Family\\^Given"):
        person_name(given)


def test_files_hold_no_path(objects: Path, case: DicomCase) -> None:
    for file in objects.glob("*.dcm"):
        assert str(case.folder.parent).encode() not in file.read_bytes()
