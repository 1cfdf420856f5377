"""What is kept of an archive's answers, and what is not."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import pytest
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.pacs.archive import find_series, find_studies, pull, push

STUDY = generate_uid()


def image(study: str = STUDY, series: str = "1.2.3") -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
    dataset.PatientName, dataset.PatientID = "ZZMARK^NAME", "ZZMARKID"
    dataset.PixelData = b"\1\2\3\4"
    dataset.Rows = dataset.Columns = 2
    dataset.BitsAllocated, dataset.SamplesPerPixel = 8, 1
    return dataset


class Archive:
    """Answers like a DICOMweb client, from a list."""

    def __init__(self, *held: Dataset) -> None:
        self.held = list(held)
        self.refuse: set[str] = set()
        self.change: dict[str, object] = {}

    def iter_study(self, study: str, media_types: object) -> Iterator[Dataset]:
        yield from self.held

    def iter_series(self, study: str, series: str, media_types: object) -> Iterator[Dataset]:
        yield from (d for d in self.held if d.SeriesInstanceUID == series)

    def store_instances(self, datasets: list[Dataset]) -> Dataset:
        answer = Dataset()
        answer.ReferencedSOPSequence = []
        for dataset in datasets:
            if dataset.SOPInstanceUID in self.refuse:
                continue
            item = Dataset()
            item.ReferencedSOPInstanceUID = dataset.SOPInstanceUID
            answer.ReferencedSOPSequence.append(item)
            self.held.append(dataset)
        return answer

    def retrieve_instance(self, study: str, series: str, instance: str, media_types: object) -> Dataset:
        (found,) = (d for d in self.held if d.SOPInstanceUID == instance)
        back = deepcopy(found)
        for keyword, value in self.change.items():
            setattr(back, keyword, value)
        return back

    def search_for_studies(self, **query: object) -> list[dict]:
        newer, older = Dataset(), Dataset()
        for study, date in ((older, "20200101"), (newer, "20240314")):
            study.StudyInstanceUID, study.StudyDate, study.ModalitiesInStudy = generate_uid(), date, ["MR", "SEG"]
            study.PatientName, study.NumberOfStudyRelatedInstances = "ZZMARK^NAME", 10
        return [older.to_json_dict(), newer.to_json_dict()]

    def search_for_series(self, study: str, **query: object) -> list[dict]:
        bare = Dataset()
        bare.SeriesInstanceUID = "1.2.3"
        return [bare.to_json_dict()]


def test_found_studies_newest_first_without_names_in_their_words() -> None:
    first, second = find_studies(Archive(), {}, 5)
    assert (first.date, second.date) == ("20240314", "20200101")
    assert first.modalities == "MR/SEG"
    assert "ZZMARK" in first.patient
    assert "ZZMARK" not in repr(first)


def test_an_archive_that_says_little() -> None:
    (series,) = find_series(Archive(), STUDY)
    assert (series.uid, series.instances, series.number) == ("1.2.3", 0, "")


def test_pulled_files_are_named_by_number(tmp_path) -> None:
    archive = Archive(image(), image(), image(series="1.2.4"))
    assert pull(archive, STUDY, [], tmp_path) == 3
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.dcm"))
    assert names == ["series001/image00001.dcm", "series001/image00002.dcm", "series002/image00001.dcm"]
    assert {dcmread(tmp_path / name).SOPInstanceUID for name in names} == {d.SOPInstanceUID for d in archive.held}


def test_one_series(tmp_path) -> None:
    archive = Archive(image(), image(series="1.2.4"))
    assert pull(archive, STUDY, ["1.2.4"], tmp_path) == 1


def test_another_study_is_not_kept(tmp_path) -> None:
    with pytest.raises(InputError, match="another study"):
        pull(Archive(image(study=generate_uid())), STUDY, [], tmp_path)


def test_nothing_there(tmp_path) -> None:
    with pytest.raises(InputError, match="no such study"):
        pull(Archive(), STUDY, [], tmp_path)


@pytest.mark.parametrize("uid", ["", "abc", "../../etc", "1.2/3"])
def test_a_uid_is_a_uid(tmp_path, uid) -> None:
    with pytest.raises(InputError, match="named by its UID"):
        pull(Archive(image()), uid, [], tmp_path)


def write(folder: Path, *datasets: Dataset) -> None:
    for number, dataset in enumerate(datasets):
        dcmwrite(folder / f"{number}.dcm", dataset, enforce_file_format=True)


def test_push_sends_dicom_alone(tmp_path) -> None:
    write(tmp_path, image(), image())
    (tmp_path / "report.html").write_text("not DICOM")
    pushed = push(Archive(), [tmp_path])
    assert (pushed.count, pushed.changed) == (2, ())


def test_what_the_archive_changed_is_said(tmp_path) -> None:
    write(tmp_path, image())
    archive = Archive()
    archive.change = {"PatientName": "OTHER^NAME"}
    assert push(archive, [tmp_path]).changed == ("PatientName",)


def test_changed_pixels_are_an_error(tmp_path) -> None:
    write(tmp_path, image())
    archive = Archive()
    archive.change = {"PixelData": b"\1\2\3\5"}
    with pytest.raises(InputError, match="not what was sent"):
        push(archive, [tmp_path])


def test_what_the_archive_did_not_keep_is_counted(tmp_path) -> None:
    kept, lost = image(), image()
    write(tmp_path, kept, lost)
    archive = Archive()
    archive.refuse = {lost.SOPInstanceUID}
    with pytest.raises(InputError, match="did not keep 1 of 2"):
        push(archive, [tmp_path])


@pytest.mark.parametrize("content", [b"", b"\0" * 128 + b"DICM", b"\0" * 128 + b"DICM" + b"\xff" * 64])
def test_nothing_to_push(tmp_path, content, recwarn) -> None:
    (tmp_path / "file.dcm").write_bytes(content)
    with pytest.raises(InputError, match="no DICOM file|damaged"):
        push(Archive(), [tmp_path])
    assert [str(warning.message) for warning in recwarn] == []  # the library's would name the file


def test_nowhere(tmp_path) -> None:
    with pytest.raises(InputError, match="not found"):
        push(Archive(), [tmp_path / "none"])
