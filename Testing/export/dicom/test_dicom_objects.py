"""Parametric map, PDF, picture, and what all objects share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from dicom_case import NOW, DicomCase, make_case
from matplotlib import get_data_path
from pdf_reading import document, opened, text_of

from ScarSegECGLib.export.dicom.write import FILES, insist, write_dicom
from ScarSegECGLib.report import pdf
from ScarSegECGLib.report.blocks import Patient
from ScarSegECGLib.report.pdf import as_pdf, on_white
from ScarSegECGLib.report.present import present


def test_every_object_is_there(objects) -> None:
    assert {path.name for path in objects.iterdir()} == set(FILES)


@pytest.mark.parametrize("name", ["scar_probability", "scar_probability_image_only"])
def test_dcmqi_gives_back_every_probability(case: DicomCase, objects, dcmqi, on_stack, tmp_path, name) -> None:
    dcmqi("paramap2itkimage", "--inputDICOM", objects / f"{name}.dcm", "--outputDirectory", tmp_path, "-t", "nrrd")
    (file,) = tmp_path.glob("*.nrrd")
    expected = case.result.scar_probability if name == "scar_probability" else case.result.scar_probability_image_only
    assert expected.any()
    assert sitk.ReadImage(str(file)).GetSize()[2] == len(expected)
    assert np.array_equal(on_stack(file, case.stack).astype(np.float32), expected)


def test_a_changed_probability_is_noticed(case: DicomCase, objects) -> None:
    insist(objects / "scar_probability.dcm", case.result.scar_probability, case.stack)
    other = case.result.scar_probability.copy()
    other[4, 40, 40] += 0.001
    with pytest.raises(OSError, match="did not read back"):
        insist(objects / "scar_probability.dcm", other, case.stack)


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
    said = text_of(document(wrapped_pdf))
    scar = case.content["scar"]
    for burden in (scar["with_ecg"], scar["image_only"], scar["mvo"]):
        assert f"{burden['g']:.1f} {burden['percent_of_lv']:.1f} {burden['ml']:.1f}" in said
    for words in (
        "For research use; not a medical device.",
        "Preliminary: not verified by a reader.",
        "ECG 41 days before the MRI.",
        "MVO, within the scar",
        "The cavity is larger at the apical end",
        "12 Mid anterolateral",
        "Limits",
        "c3" * 32,
    ):
        assert words in said, words
    assert wrapped_pdf.BurnedInAnnotation == "NO"
    assert wrapped_pdf.MIMETypeOfEncapsulatedDocument == "application/pdf"


def test_the_pdf_names_the_patient_only_when_asked(case: DicomCase, objects, tmp_path) -> None:
    silent = text_of(document(pydicom.dcmread(objects / "report_pdf.dcm")))
    write_dicom(case.result, case.pictures, case.source, tmp_path, show_patient=True, verified_by="Curie^Marie")
    named = pydicom.dcmread(tmp_path / "report_pdf.dcm")
    said = text_of(document(named))
    for word in ("Made Up", "PHANTOM-1", "1950-01-01"):
        assert word not in silent
        assert word in said
    assert "Verified by Marie Curie." in said
    assert named.BurnedInAnnotation == "YES"


def test_the_pdf_stays_on_the_paper(case: DicomCase, objects) -> None:
    with opened(document(pydicom.dcmread(objects / "report_pdf.dcm"))) as pages:
        assert len(pages) >= 3
        sheets = [page for page in pages if page.width > page.height]
        assert [(round(page.width), round(page.height)) for page in sheets] == [(842, 595)]  # see test_pdf_scale
        for page in (page for page in pages if page not in sheets):
            assert (round(page.width), round(page.height)) == (595, 842)
            for letter, (left, bottom, right, _) in page.letters:
                assert not letter.strip() or (left > 36 and right < page.width - 36 and bottom > 22), letter


def test_the_picture_is_the_bullseye(case: DicomCase, objects) -> None:
    pixels = np.asarray(on_white(case.pictures["bullseye.png"]))
    captured = pydicom.dcmread(objects / "bullseye.dcm")
    assert np.array_equal(captured.pixel_array, pixels)
    assert captured.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7"
    assert captured.BurnedInAnnotation == "NO"


@pytest.mark.parametrize("name", ["report.dcm", "report_pdf.dcm", "bullseye.dcm"])
def test_a_changed_number_page_or_picture_is_noticed(case: DicomCase, tmp_path, monkeypatch, name) -> None:
    write_bytes = Path.write_bytes

    def changed(self: Path, content: bytes) -> int:
        half = len(content) // 2
        odd = content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :]
        return write_bytes(self, odd if self.name == name else content)

    monkeypatch.setattr(Path, "write_bytes", changed)
    with pytest.raises(OSError, match="did not read back"):
        write_dicom(case.result, case.pictures, case.source, tmp_path)


KANJI, HANGUL = "Yamada^Tarou=山田^太郎=やまだ^たろう", "Hong^Gildong=洪^吉洞=홍^길동"


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("ISO_IR 192", KANJI),
        (["", "ISO 2022 IR 87"], KANJI),
        (["", "ISO 2022 IR 149"], HANGUL),
        ("ISO_IR 100", "Müller^Jörg"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
    ],
    ids=["UTF-8", "IR 87", "IR 149", "Latin 1", "GB18030"],
)
def test_names_in_other_scripts_survive_as_utf_8(tmp_path, charset, name) -> None:
    def named(k: int, dataset: pydicom.Dataset) -> None:
        dataset.SpecificCharacterSet = charset
        dataset.PatientName = name

    case = make_case(tmp_path, change=named)
    (tmp_path / "out").mkdir()
    names = write_dicom(case.result, case.pictures, case.source, tmp_path / "out")
    assert len(names) == len(FILES)
    for file in names:
        written = pydicom.dcmread(tmp_path / "out" / file)
        assert written.SpecificCharacterSet == "ISO_IR 192"
        assert str(written.PatientName) == name, file


def test_a_name_without_a_font_is_drawn_or_said(case: DicomCase, monkeypatch) -> None:
    """No empty boxes: the letters as a picture where a font has them, else a sentence."""
    report = present(case.result, {}, NOW, patient=Patient("王, 小東", "0815", "1951-02-03", "2024-03-01"))
    monkeypatch.setattr(pdf, "_font_for", lambda text: None)
    said = text_of(as_pdf(report))
    assert "Patient name not printed" in said and "DICOM header" in said and "0815" in said
    font = Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    monkeypatch.setattr(pdf, "_font_for", lambda text: font)
    with opened(as_pdf(report)) as pages:
        assert "see below" in pages[0].words and len(pages[0].images) == 1
    for plain in ("Müller, Jörg", "Дворжак, Антон", "Παπαδοπούλου, Ελένη"):
        assert plain in text_of(as_pdf(replace(report, patient=Patient(plain, "1", "", ""))))
