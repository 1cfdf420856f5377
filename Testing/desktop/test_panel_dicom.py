"""DICOM objects from the panel: a series as Slicer loads it, the objects beside it, and what the panel says."""

from __future__ import annotations

import sys
import threading
import time
import types
from pathlib import Path

import numpy as np
import pytest
from panel_tools import hand_over

from ScarSegECGLib.facts import Contrast

HELPERS = Path(__file__).resolve().parents[1] / "export" / "dicom"


@pytest.fixture
def loaded(desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A made-up case whose images are a DICOM series in the database; Slicer has its slices the other way round."""
    pytest.importorskip("highdicom")
    monkeypatch.syspath_prepend(str(HELPERS))
    import slicer
    from dicom_case import made_up_labels, made_up_result, made_up_stack, moved_by_place
    from lge_series import write_series

    from ScarSegECGPanel.nodes import stackReader
    from ScarSegECGPanel.study import Study

    written = made_up_stack()
    files = write_series(tmp_path / "series", written)
    matrix = written.stored_ijk_to_ras.copy()
    matrix[:3, 3] += matrix[:3, 2] * (len(written.voxels) - 1)
    matrix[:3, 2] *= -1
    volume = slicer.util.addVolumeFromArray(np.ascontiguousarray(written.voxels[::-1]), matrix, "LGE")
    instances = slicer.app.dicomDatabase()._instances
    for number, file in enumerate(sorted(Path(file) for file in files)):
        instances[f"uid{number}"] = (str(file), {"0008,0008": "ORIGINAL\\PRIMARY\\M"})
    volume.SetAttribute("DICOM.instanceUIDs", " ".join(instances))
    desk.panel.parameterNode.inputVolume = volume
    stack = stackReader(volume)(contrast=Contrast.MAGNITUDE)
    labels = moved_by_place(made_up_labels(), written, stack)
    hand_over(desk.panel, Study(made_up_result(stack, labels)))
    return desk.panel


def finished(panel) -> str:
    import slicer

    end = time.monotonic() + 300
    while panel.export.run is not None and time.monotonic() < end:
        slicer.app.processEvents()
        time.sleep(0.005)
    return panel.ui.exportLabel.text


def test_objects_go_into_the_database(loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    import slicer
    from pydicom import dcmread

    imported: list[Path] = []
    module = types.ModuleType("DICOMLib")
    modalities: set[str] = set()

    def importDicom(folder: str, db: object, copyFiles: bool = False) -> None:
        assert copyFiles, "the database would hold links to files that are removed"
        assert Path(folder).stat().st_mode & 0o077 == 0
        assert Path(folder).parent == Path(slicer.app.temporaryPath)
        imported.append(Path(folder))
        modalities.update(dcmread(path, stop_before_pixels=True).Modality for path in Path(folder).iterdir())

    module.DICOMUtils = types.SimpleNamespace(importDicom=importDicom)
    monkeypatch.setitem(sys.modules, "DICOMLib", module)
    loaded.ui.dicomButton.click()
    said = finished(loaded)
    assert "added to the DICOM database" in said, said
    (folder,) = imported
    assert {"SEG", "SR"} <= modalities
    assert not folder.exists()
    assert "report.dcm" in said


def test_nothing_is_sent_before_it_is_confirmed(desk, loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, int]] = []
    export = sys.modules["ScarSegECGPanel.export"]
    monkeypatch.setattr(export, "send", lambda url, files: sent.append((url, len(files))))
    loaded.ui.webButton.click()
    assert "https://" in loaded.ui.exportLabel.text
    loaded.ui.webEdit.text = "https://pacs.example/dicom-web"
    desk.answer = False
    loaded.ui.webButton.click()
    assert loaded.export.run is None
    assert sent == []
    assert "patient's name" in desk.asked[-1]
    desk.answer = True
    loaded.ui.webButton.click()
    assert "were sent to https://pacs.example" in finished(loaded)
    assert sent and sent[0][1] >= 2


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://pacs.example:8042/dicom-web", "not encrypted"),
        ("https://me:ZZSECRET@pacs.example/dicom-web", "leave user, password and query out"),
        ("pacs.example", "not a web address"),
    ],
)
def test_nothing_is_sent_to_an_address_that_is_not_safe(desk, loaded, url: str, words: str) -> None:
    from ScarSegECGLib.errors import InputError
    from ScarSegECGPanel.export import send

    loaded.ui.webEdit.text = url
    desk.asked.clear()
    loaded.ui.webButton.click()
    assert words in loaded.ui.exportLabel.text
    assert loaded.export.run is None and desk.asked == []
    with pytest.raises(InputError, match=words):
        send(url, [])


@pytest.mark.parametrize("ends", ["refused", "cancelled"])
def test_no_copy_of_the_images_stays(desk, loaded, monkeypatch: pytest.MonkeyPatch, ends: str) -> None:
    import slicer

    from ScarSegECGLib.errors import InputError

    slicer.app.temporaryPath += "/of Slicer"
    folders: list[Path] = []
    export = sys.modules["ScarSegECGPanel.export"]
    begun, go_on = threading.Event(), threading.Event()

    def write(result, files, folder: Path, progress) -> list[Path]:
        folders.append(folder)
        (folder / "images").mkdir()
        (folder / "images" / "0.dcm").write_bytes(b"the patient's name")
        begun.set()
        if ends == "refused":
            raise InputError("The images cannot be written about.")
        go_on.wait(10)
        return [folder / "images" / "0.dcm"]

    monkeypatch.setattr(export, "writeObjects", write)
    loaded.ui.webEdit.text = "https://pacs.example/dicom-web"
    desk.answer = True
    loaded.ui.webButton.click()
    run = loaded.export.run
    assert begun.wait(10)
    if ends == "cancelled":
        loaded.export.release()
        go_on.set()
        run.join(10)
    else:
        assert "cannot be written about" in finished(loaded)
    assert len(folders) == 1 and not folders[0].exists()
    assert folders[0].parent == Path(slicer.app.temporaryPath)  # which the user can choose


def test_what_the_header_says_is_read_as_the_library_reads_it(loaded) -> None:
    """Person, date and contrast, by the first file that the database names; nothing where that cannot be read."""
    import slicer
    from pydicom import dcmread

    from ScarSegECGLib.ecg.subject import differ, subject
    from ScarSegECGPanel.nodes import contrastFromDicom, mriDateFromDicom, subjectFromDicom

    volume = loaded.parameterNode.inputVolume
    first = volume.GetAttribute("DICOM.instanceUIDs").split()[0]
    file = slicer.app.dicomDatabase()._instances[first][0]

    def written(**elements) -> None:
        header = dcmread(file)
        for name, value in elements.items():
            setattr(header, name, value)
        header.save_as(file)

    written(PatientID="0017", PatientSex="F", PatientBirthDate="19600101", StudyDate="20200101", PatientAge="")
    told = subjectFromDicom(volume)
    assert told.female is True and round(told.age) == 60
    assert differ(told, subject("18")) and not differ(told, subject("17"))
    written(AcquisitionDate="20240314", AcquisitionTime="101500", ImageType=["ORIGINAL", "PRIMARY", "M"])
    assert mriDateFromDicom(volume) == "2024-03-14" and contrastFromDicom(volume) is Contrast.MAGNITUDE
    for kind in ("PSIR", "CR", "R_IR"):
        written(ImageType=["DERIVED", "PRIMARY", kind])
        assert contrastFromDicom(volume) is Contrast.PSIR
    written(ImageType=["ORIGINAL", "PRIMARY"], LongitudinalTemporalInformationModified="MODIFIED")
    assert mriDateFromDicom(volume) == "" and contrastFromDicom(volume) is None
    header = dcmread(file)
    header.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"  # which says what kind of value each is
    header.save_as(file, implicit_vr=False, little_endian=True)
    broken = Path(file).read_bytes().replace(b"\x10\0\x40\0CS", b"\x10\0\x40\0ZZ")  # one that there is not
    assert broken != Path(file).read_bytes()
    Path(file).write_bytes(broken)
    assert not subjectFromDicom(volume).digest
    for content in (b"no DICOM", b""):
        Path(file).write_bytes(content)
        assert (mriDateFromDicom(volume), contrastFromDicom(volume), subjectFromDicom(volume).digest) == ("", None, "")
    Path(file).unlink()
    assert not subjectFromDicom(volume).digest
