"""What is kept of an archive's answers, and what is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path

import pytest
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless, SecondaryCaptureImageStorage, generate_uid

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.pacs.archive import Pulled, find_series, find_studies, pull, push

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
        self.held: list[Dataset] = list(held)
        self.refuse: set[str] = set()
        self.change: dict[str, object] = {}
        self.announced: dict[str, int] = {}  # of what it holds, where it says another number

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
        counts = Counter(str(d.SeriesInstanceUID) for d in self.held) | Counter(self.announced)
        return [series_answer(uid, count) for uid, count in counts.items()]


def series_answer(uid: str, count: int) -> dict:
    answer = Dataset()
    answer.SeriesInstanceUID = uid
    if count:
        answer.NumberOfSeriesRelatedInstances = count
    return answer.to_json_dict()


def test_found_studies_newest_first_without_names_in_their_words() -> None:
    first, second = find_studies(Archive(), {}, 5)
    assert (first.date, second.date) == ("20240314", "20200101")
    assert first.modalities == "MR/SEG"
    assert "ZZMARK" in first.patient
    assert "ZZMARK" not in repr(first)


def test_an_archive_that_says_little() -> None:
    archive = Archive()
    archive.search_for_series = lambda study, **query: [series_answer("1.2.3", 0)]
    (series,) = find_series(archive, STUDY)
    assert (series.uid, series.instances, series.number) == ("1.2.3", 0, "")


def test_pulled_files_are_named_by_number(tmp_path) -> None:
    archive = Archive(image(), image(), image(series="1.2.4"))
    assert pull(archive, STUDY, [], tmp_path) == Pulled(3, counted=True)
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.dcm"))
    assert names == ["series001/image00001.dcm", "series001/image00002.dcm", "series002/image00001.dcm"]
    assert {dcmread(tmp_path / name).SOPInstanceUID for name in names} == {d.SOPInstanceUID for d in archive.held}


def test_one_series(tmp_path) -> None:
    archive = Archive(image(), image(series="1.2.4"))
    assert pull(archive, STUDY, ["1.2.4"], tmp_path).count == 1


def test_fewer_than_announced_is_not_success(tmp_path) -> None:
    archive = Archive(image(), image())
    archive.announced = {"1.2.3": 3}
    with pytest.raises(InputError, match="announced 3 objects and sent 1 fewer"):
        pull(archive, STUDY, [], tmp_path)


def test_a_series_that_does_not_come_at_all(tmp_path) -> None:
    archive = Archive(image())
    archive.announced = {"1.2.9": 5}
    with pytest.raises(InputError, match="announced 6 objects and sent 5 fewer"):
        pull(archive, STUDY, [], tmp_path)


def test_an_archive_that_does_not_count(tmp_path) -> None:
    archive = Archive(image())
    archive.search_for_series = lambda study, **query: [series_answer("1.2.3", 0)]
    assert pull(archive, STUDY, [], tmp_path) == Pulled(1, counted=False)


@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"])
@pytest.mark.parametrize("uids", [None, ["1.2", "1.3"]])
def test_an_object_of_no_uid_or_of_two(tmp_path, keyword, uids) -> None:
    odd = image()
    archive = Archive(odd)
    archive.announced = {"1.2.3": 1}
    archive.search_for_series = lambda study, **query: [series_answer("1.2.3", 1)]
    setattr(odd, keyword, uids)
    with pytest.raises(InputError, match="does not say which it is"):
        pull(archive, STUDY, [], tmp_path)


def test_pixels_that_are_cut_off(tmp_path) -> None:
    short = image()
    short.PixelData = b"\1\2"
    with pytest.raises(InputError, match="cut off"):
        pull(Archive(image(), short), STUDY, [], tmp_path)


def test_one_uid_with_two_contents(tmp_path) -> None:
    first = image()
    other = deepcopy(first)
    other.PixelData = b"\5\6\7\7"
    with pytest.raises(InputError, match="two contents under one UID"):
        pull(Archive(first, deepcopy(first), other), STUDY, [], tmp_path)


def test_an_object_that_comes_twice_is_kept_once(tmp_path) -> None:
    first = image()
    archive = Archive(first, deepcopy(first))
    archive.search_for_series = lambda study, **query: [series_answer("1.2.3", 1)]
    assert pull(archive, STUDY, [], tmp_path).count == 1


@pytest.mark.parametrize(
    ("keyword", "value"), [("PatientID", "OTHER"), ("PatientName", "Other^Man"), ("PatientBirthDate", "19510202")]
)
def test_two_patients_in_one_study(tmp_path, keyword, value) -> None:
    one, other = image(), image()
    one.PatientBirthDate = other.PatientBirthDate = "19500201"
    setattr(other, keyword, value)
    with pytest.raises(InputError, match="two patients") as caught:
        pull(Archive(one, other), STUDY, [], tmp_path)
    assert "ZZMARK" not in str(caught.value) and value not in str(caught.value)


def test_one_patient_spelt_in_two_ways(tmp_path) -> None:
    one, other = image(), image()
    one.PatientName, other.PatientName, other.PatientBirthDate = "ZZMARK^NAME^^", "zzmark^Name", "19500201"
    assert pull(Archive(one, other), STUDY, [], tmp_path).count == 2


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


def segments(label: str) -> list[Dataset]:
    segment = Dataset()
    segment.SegmentNumber, segment.SegmentLabel = 1, label
    return [segment]


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("AccessionNumber", "77"),
        ("InstitutionName", "Other"),
        ("StudyDescription", "filed"),
        ("NumberOfStudyRelatedInstances", 5),
    ],
)
def test_what_the_archive_files_is_said(tmp_path, keyword, value) -> None:
    write(tmp_path, image())
    archive = Archive()
    archive.change = {keyword: value}
    assert push(archive, [tmp_path]).changed == (keyword,)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PixelData", b"\1\2\3\5"),
        ("SOPInstanceUID", "1.2.3.9"),
        ("SeriesInstanceUID", "1.2.3.9"),
        ("ImagePositionPatient", [0.0, 0.0, 1.0]),
        ("FrameOfReferenceUID", "1.2.3.9"),
        ("PixelSpacing", [1.0, 2.0]),
        ("SegmentSequence", segments("Cavity")),
        ("SegmentSequence", None),
        ("ContentSequence", []),
        ("Modality", "MR"),
    ],
)
def test_what_an_object_is_or_shows_may_not_change(tmp_path, keyword, value) -> None:
    sent = image()
    sent.SegmentSequence, sent.ImagePositionPatient, sent.Modality = segments("Scar"), [0.0, 0.0, 0.0], "SEG"
    sent.PixelSpacing, sent.FrameOfReferenceUID = [1.0, 1.0], "1.2.3.4"
    write(tmp_path, sent)
    archive = Archive()
    archive.change = {keyword: value}
    with pytest.raises(InputError, match=f"not what was sent .*{keyword}"):
        push(archive, [tmp_path])


@pytest.mark.parametrize(
    ("keyword", "value"), [("PatientName", "OTHER^NAME"), ("PatientID", "OTHER"), ("PatientBirthDate", "19510202")]
)
def test_another_patient_is_an_error(tmp_path, keyword, value) -> None:
    write(tmp_path, image())
    archive = Archive()
    archive.change = {keyword: value}
    with pytest.raises(InputError, match=f"another patient .*{keyword} changed") as caught:
        push(archive, [tmp_path])
    assert value not in str(caught.value)


def test_the_same_pixels_in_another_transfer_syntax(tmp_path, monkeypatch) -> None:
    sent = image()
    sent.PhotometricInterpretation, sent.BitsStored, sent.HighBit, sent.PixelRepresentation = "MONOCHROME2", 8, 7, 0
    write(tmp_path, sent)
    archive, changing = Archive(), Archive()
    changing.change = {"PixelData": b"\1\2\3\5"}
    for one in (archive, changing):
        monkeypatch.setattr(one, "retrieve_instance", compressed(one.retrieve_instance))
    assert push(archive, [tmp_path]).count == 1
    with pytest.raises(InputError, match="not what was sent"):
        push(changing, [tmp_path])


def compressed(retrieve: Callable[..., Dataset]) -> Callable[..., Dataset]:
    """As an archive that keeps its images in a lossless syntax gives them back."""

    def run(*uids: str, media_types: object) -> Dataset:
        back = retrieve(*uids, media_types)
        back.compress(RLELossless, generate_instance_uid=False)
        return back

    return run


def test_two_files_with_one_uid(tmp_path) -> None:
    one = image()
    other = deepcopy(one)
    other.PixelData = b"\1\2\3\5"
    write(tmp_path, one, deepcopy(one))
    assert push(Archive(), [tmp_path]).count == 1
    write(tmp_path, one, other)
    with pytest.raises(InputError, match="one SOP Instance UID"):
        push(Archive(), [tmp_path])


def test_what_the_archive_did_not_keep_is_said(tmp_path) -> None:
    kept, lost = image(), image()
    write(tmp_path, kept, lost)
    archive = Archive()
    archive.refuse = {lost.SOPInstanceUID}
    with pytest.raises(InputError, match="did not keep an object|1 of 2 objects were stored"):
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
