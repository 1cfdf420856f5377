"""Parametric map, PDF, picture, and what all objects share."""

from __future__ import annotations

import io

import numpy as np
import pdfplumber
import pydicom
import pytest
import SimpleITK as sitk
from dicom_case import DicomCase, make_case

from ScarSegECGLib.export.dicom.encapsulated_pdf import document
from ScarSegECGLib.export.dicom.pdf_pages import MARGIN, WIDTH, wrapped
from ScarSegECGLib.export.dicom.read_back import check_document, check_map, check_picture
from ScarSegECGLib.export.dicom.secondary_capture import picture
from ScarSegECGLib.export.dicom.write import FILES, write_dicom


def text_of(pdf: bytes) -> str:
    with pdfplumber.open(io.BytesIO(pdf)) as pages:
        return "\n".join(page.extract_text() for page in pages.pages)


def test_every_object_is_there(objects) -> None:
    assert {path.name for path in objects.iterdir()} == set(FILES)


@pytest.mark.parametrize("name", ["scar_probability", "scar_probability_image_only"])
def test_dcmqi_gives_back_every_probability(case: DicomCase, objects, dcmqi, on_stack, tmp_path, name) -> None:
    dcmqi("paramap2itkimage", "--inputDICOM", objects / f"{name}.dcm", "--outputDirectory", tmp_path, "-t", "nrrd")
    (file,) = tmp_path.glob("*.nrrd")
    expected = case.findings.probability if name == "scar_probability" else case.findings.probability_image_only
    assert expected.any()
    assert sitk.ReadImage(str(file)).GetSize()[2] == len(expected)
    assert np.array_equal(on_stack(file, case.stack).astype(np.float32), expected)


def test_a_changed_probability_is_noticed(case: DicomCase, objects) -> None:
    check_map(objects / "scar_probability.dcm", case.findings.probability, case.stack)
    other = case.findings.probability.copy()
    other[4, 40, 40] += 0.001
    with pytest.raises(OSError, match="did not read back"):
        check_map(objects / "scar_probability.dcm", other, case.stack)


def test_the_map_says_what_it_is(objects) -> None:
    written = pydicom.dcmread(objects / "scar_probability.dcm")
    shared = written.SharedFunctionalGroupsSequence[0]
    mapping = shared.RealWorldValueMappingSequence[0]
    assert mapping.QuantityDefinitionSequence[0].ConceptCodeSequence[0].CodeValue == "SCARPROB"
    assert shared.FrameAnatomySequence[0].AnatomicRegionSequence[0].CodeValue == "87878005"
    assert written.ContentCreatorName == "ScarSegECG^"


def test_patient_and_study_are_the_images(case: DicomCase, objects) -> None:
    image = case.source.first
    uids = set()
    for path in objects.glob("*.dcm"):
        written = pydicom.dcmread(path)
        for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate"):
            assert written[keyword].value == image[keyword].value, (path.name, keyword)
        assert written.AccessionNumber == image.AccessionNumber
        assert written.SeriesInstanceUID != image.SeriesInstanceUID
        assert written.file_meta.MediaStorageSOPInstanceUID == written.SOPInstanceUID
        assert written.Manufacturer == "ScarSegECG"
        uids |= {written.SeriesInstanceUID, written.SOPInstanceUID}
        if "FrameOfReferenceUID" in written:
            assert written.FrameOfReferenceUID == image.FrameOfReferenceUID
    assert len(uids) == 2 * len(FILES)


def test_the_pdf_holds_the_report(case: DicomCase, objects) -> None:
    wrapped_pdf = pydicom.dcmread(objects / "report_pdf.dcm")
    said = " ".join(text_of(document(wrapped_pdf)).split())
    scar = case.findings.content["scar"]
    for burden in (scar["with_ecg"], scar["image_only"], scar["mvo"]):
        assert f"{burden['g']:.1f} {burden['percent_of_lv']:.1f} {burden['ml']:.1f}" in said
    for words in (
        "For research use; not a medical device.",
        "Preliminary: not verified by a reader.",
        "ECG used: 41 days before the MRI.",
        "MVO, within the scar",
        "A made-up result.",
        "12 Mid anterolateral",
        "Limits",
        "c3" * 32,
    ):
        assert words in said, words
    assert wrapped_pdf.BurnedInAnnotation == "NO"
    assert wrapped_pdf.MIMETypeOfEncapsulatedDocument == "application/pdf"


def test_the_pdf_names_the_patient_only_when_asked(case: DicomCase, objects, tmp_path) -> None:
    silent = text_of(document(pydicom.dcmread(objects / "report_pdf.dcm")))
    write_dicom(case.findings, case.source, tmp_path, show_patient=True, verified_by="Curie^Marie")
    named = pydicom.dcmread(tmp_path / "report_pdf.dcm")
    said = text_of(document(named))
    for word in ("Made Up", "PHANTOM-1", "1950-01-01"):
        assert word not in silent
        assert word in said
    assert "Verified by Marie Curie." in said
    assert named.BurnedInAnnotation == "YES"


def test_the_pdf_stays_on_the_paper(case: DicomCase, objects) -> None:
    with pdfplumber.open(io.BytesIO(document(pydicom.dcmread(objects / "report_pdf.dcm")))) as pdf:
        assert len(pdf.pages) >= 3
        sheets = [page for page in pdf.pages if page.width > page.height]
        assert [(round(page.width), round(page.height)) for page in sheets] == [(842, 595)]  # see test_pdf_scale
        for page in (page for page in pdf.pages if page not in sheets):
            assert (round(page.width), round(page.height)) == (595, 842)
            for word in page.extract_words():
                assert word["x0"] > 36
                assert word["x1"] < page.width - 36
                assert word["bottom"] < page.height - 25


def test_long_words_are_broken_to_fit() -> None:
    lines = wrapped("short " + "x" * 300 + " end", WIDTH - 2 * MARGIN, 9.0)
    assert len(lines) > 2
    assert "".join(lines).replace(" ", "") == "short" + "x" * 300 + "end"


def test_the_picture_is_the_bullseye(case: DicomCase, objects) -> None:
    pixels = picture(case.findings.pictures["bullseye.png"])
    check_picture(objects / "bullseye.dcm", pixels)
    captured = pydicom.dcmread(objects / "bullseye.dcm")
    assert captured.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7"
    assert captured.BurnedInAnnotation == "NO"
    with pytest.raises(OSError, match="did not read back"):
        check_picture(objects / "bullseye.dcm", pixels[::-1])


def test_a_changed_pdf_is_noticed(objects) -> None:
    with pytest.raises(OSError, match="did not read back"):
        check_document(objects / "report_pdf.dcm", b"%PDF-1.4 other")


def test_names_in_other_scripts_survive(tmp_path) -> None:
    def japanese(k: int, dataset: pydicom.Dataset) -> None:
        dataset.SpecificCharacterSet = "ISO_IR 192"
        dataset.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"

    case = make_case(tmp_path, change=japanese)
    (tmp_path / "out").mkdir()
    write_dicom(case.findings, case.source, tmp_path / "out")
    for path in (tmp_path / "out").iterdir():
        assert pydicom.dcmread(path).PatientName.ideographic == "山田^太郎"
