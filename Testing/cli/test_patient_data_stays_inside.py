"""A run on images full of marked patient data: the marks turn up in the DICOM objects and nowhere else.

The report shows them only where it was asked to.
"""

from __future__ import annotations

import logging
import re
import sys
import tempfile
from pathlib import Path

import pydicom
import pypdfium2
import pytest
from phantom import phantom_patient
from pydicom.dataset import FileDataset

from ScarSegECGLib.case import LgeStack
from ScarSegECGLib.cli import main
from ScarSegECGLib.export.dicom.write import FILES as DICOM_FILES

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "export" / "dicom"))
from lge_series import write_series

# Every value is a mark; dates and numbers are marks by being found nowhere else.
MARKS = {
    "PatientName": "ZZMARKFAMILY^ZZMARKGIVEN",
    "PatientID": "ZZMARKID",
    "PatientBirthDate": "19310207",
    "OtherPatientIDs": "ZZMARKOTHERID",
    "PatientAddress": "ZZMARKADDRESS",
    "PatientTelephoneNumbers": "ZZMARKPHONE",
    "PatientComments": "ZZMARKCOMMENT",
    "EthnicGroup": "ZZMARKGROUP",
    "AccessionNumber": "ZZMARKACCESSION",
    "ReferringPhysicianName": "ZZMARKREFERRER",
    "PerformingPhysicianName": "ZZMARKPERFORMER",
    "OperatorsName": "ZZMARKOPERATOR",
    "InstitutionName": "ZZMARKHOSPITAL",
    "InstitutionAddress": "ZZMARKHOSPITALADDRESS",
    "StationName": "ZZMARKSTATION",
    "DeviceSerialNumber": "ZZMARKSERIAL",
    "StudyDescription": "ZZMARKSTUDY",
    "SeriesDescription": "LGE SAX ZZMARKSERIES",
    "ProtocolName": "LGE ZZMARKPROTOCOL",
    "RequestedProcedureDescription": "ZZMARKREQUEST",
    "ImageComments": "ZZMARKIMAGE",
    "StudyID": "ZZMARKSTUDYID",
    "AdditionalPatientHistory": "ZZMARKHISTORY",
}
HIDDEN = re.compile(rb"ZZMARK\w*|1931-?02-?07|07[./]02[./]1931|9\.8\.7\.6\.5(\.\d+)*", re.IGNORECASE)


def mark(k: int, dataset: FileDataset) -> None:
    for keyword, value in MARKS.items():
        setattr(dataset, keyword, value)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "9.8.7.6.5.1", "9.8.7.6.5.2"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"9.8.7.6.5.3.{k + 1}"
    dataset.FrameOfReferenceUID = "9.8.7.6.5.4"


@pytest.fixture(scope="module")
def phantom() -> LgeStack:
    return phantom_patient(0).stack


@pytest.fixture
def marked(phantom: LgeStack, tmp_path: Path) -> Path:
    """Images whose folder is named after the patient too."""
    folder = tmp_path / "ZZMARKFOLDER"
    write_series(folder, phantom, change=mark)
    return folder


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files that nobody else uses, and that keeps what was forgotten there."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def found_in(folder: Path) -> dict[str, set[bytes]]:
    """Marks in file names and contents, the DICOM objects left out."""
    found = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        hits = {hit.group() for hit in HIDDEN.finditer(name.encode())}
        if path.is_file() and path.suffix != ".dcm":
            hits |= {hit.group() for hit in HIDDEN.finditer(_plain(path))}
        if hits:
            found[name] = hits
    return found


def _plain(path: Path) -> bytes:
    import gzip

    content = path.read_bytes()
    return content + (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else b"")


def test_marks_stay_inside_the_dicom_objects(marked, tmp_path, temporary, capfd, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    out, exported = tmp_path / "out", tmp_path / "exported"
    assert main(["segment", "-v", "--lge", str(marked), "--no-ecg", "--out", str(out), "--device", "cpu"]) == 0
    assert main(["export", "-v", str(out), "--dicom", str(marked), "--out", str(exported)]) == 0
    printed = capfd.readouterr()
    said = (printed.out + printed.err).encode()
    assert HIDDEN.search(said) is None, HIDDEN.search(said)
    assert HIDDEN.search(caplog.text.encode()) is None
    assert found_in(out) == {}
    assert found_in(exported) == {}
    assert found_in(temporary) == {}
    written = [*(out / "dicom").iterdir(), *exported.iterdir()]
    assert {path.name for path in written} <= set(DICOM_FILES)
    assert len(written) >= 12
    for path in written:
        dataset = pydicom.dcmread(path)
        assert dataset.PatientName == MARKS["PatientName"]
        assert dataset.PatientID == MARKS["PatientID"]
        assert dataset.StudyInstanceUID == "9.8.7.6.5.1"
    pdf = pydicom.dcmread(exported / "report_pdf.dcm").EncapsulatedDocument
    assert HIDDEN.search(_text_of(bytes(pdf)).encode()) is None


def _text_of(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    texts = [page.get_textpage().get_text_range() for page in document]
    return "\n".join(texts) + str(document.get_metadata_dict())


def test_the_report_shows_the_patient_only_when_asked(marked, tmp_path, temporary, capfd) -> None:
    out = tmp_path / "out"
    arguments = ["--lge", str(marked), "--no-ecg", "--out", str(out), "--device", "cpu"]
    assert main(["segment", "--show-patient", *arguments]) == 0
    shown = found_in(out)
    assert set(shown) == {"report.html"}
    assert shown["report.html"] == {b"ZZMARKFAMILY", b"ZZMARKGIVEN", b"ZZMARKID", b"1931-02-07"}
    printed = capfd.readouterr()
    assert HIDDEN.search((printed.out + printed.err).encode()) is None
    pdf = pydicom.dcmread(out / "dicom" / "report_pdf.dcm").EncapsulatedDocument
    assert "ZZMARKFAMILY" in _text_of(bytes(pdf))


def test_show_patient_needs_dicom(tmp_path, phantom, capfd) -> None:
    from phantom import write_phantom

    files = write_phantom(tmp_path, phantom_patient(0))
    arguments = ["--lge", str(files["lge"]), "--no-ecg", "--out", str(tmp_path / "out"), "--show-patient"]
    assert main(["segment", "-q", *arguments]) == 2
    assert "not DICOM" in capfd.readouterr().err


@pytest.mark.parametrize("spoil", ["uneven", "colour", "cut"])
def test_refusals_and_faults_hold_no_marks(phantom, tmp_path, temporary, capfd, caplog, spoil) -> None:
    caplog.set_level(logging.DEBUG)

    def change(k: int, dataset: FileDataset) -> None:
        mark(k, dataset)
        if spoil == "uneven" and k == 4:
            dataset.ImagePositionPatient = [float(x) + 3.0 for x in dataset.ImagePositionPatient]
        if spoil == "colour":
            dataset.PhotometricInterpretation = "MONOCHROME1"

    folder = tmp_path / "ZZMARKFOLDER"
    paths = write_series(folder, phantom, change=change)
    if spoil == "cut":
        content = paths[3].read_bytes()
        paths[3].write_bytes(content[: len(content) // 2])
    code = main(["segment", "--lge", str(folder), "--no-ecg", "--out", str(tmp_path / "out"), "--device", "cpu"])
    printed = capfd.readouterr()
    assert code == 2
    assert HIDDEN.search((printed.out + printed.err + caplog.text).encode()) is None
    assert found_in(temporary) == {}
    assert not (tmp_path / "out").exists()
