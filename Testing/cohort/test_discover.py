"""What ``cohort init`` finds in folders, and how it pairs it."""

from __future__ import annotations

import gzip
import os
import shutil
import sys
from datetime import datetime
from pathlib import Path

import nibabel
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lge"))

from dicom_samples import Study, write_lge
from phantom import phantom_patient, write_phantom

from ScarSegECGLib.case import Ecg, Subject
from ScarSegECGLib.cohort import discover
from ScarSegECGLib.cohort.discover import Found, FoundEcg, FoundImages, look_through, manifest_rows
from ScarSegECGLib.errors import InputError


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of one small simulated patient."""
    home = tmp_path_factory.mktemp("patient")
    write_phantom(home, phantom_patient(0, slices=3, size=64, pixel_mm=3.0))
    return home


def test_stacks_ecgs_and_masks_are_told_by_content(patient: Path, tmp_path: Path) -> None:
    for name in ("Doe_John", "Roe_Jane"):
        shutil.copytree(patient, tmp_path / "study" / name)
    (tmp_path / "study" / "notes.txt").write_text("not an ECG, not an image")
    (tmp_path / "study" / "broken.nii").write_bytes(b"\x5c\x01\0\0" + b"\0" * 400)
    cropped = np.tile(np.int16([0, 1, 2, 3]), (3, 8, 2))
    nibabel.save(nibabel.Nifti1Image(cropped, np.eye(4)), tmp_path / "study" / "cropped_labels.nii")
    (tmp_path / "study" / "rubbish.nii.gz").write_bytes(b"rubbish" * 99)
    done = tmp_path / "study" / "results"
    shutil.copytree(patient, done)
    (done / "result.json").write_text("{}")
    found = look_through(tmp_path / "study")
    assert (len(found.images), len(found.ecgs), len(found.masks), [one.name for one in found.unread]) == (
        *(2, 2, 2),
        ["broken.nii", "notes.txt", "rubbish.nii.gz"],
    )
    one, two = manifest_rows(found, tmp_path)
    assert one == {
        "case": "case001",
        "lge": "study/Doe_John/lge.nii.gz",
        "ecg": "study/Doe_John/ecg.hea",
        "expert": "study/Doe_John/truth_labels.nii.gz",
        "mri_date": "",
        "ecg_date": "2024-03-17",
        "sex": "",
        "age": "",
        "remark": "MRI date missing",
    }
    assert two["case"] == "case002" and two["ecg"] == "study/Roe_Jane/ecg.hea"
    assert [row["case"] for row in manifest_rows(found, tmp_path, names_of_folders=True)] == ["Doe_John", "Roe_Jane"]


def _images(name: str, digest: str = "", day: int = 10) -> FoundImages:
    return FoundImages(Path(f"/d/{name}"), Path(f"/d/{name}"), Subject(digest), datetime(2024, 3, day), (3, 9, 9))


def test_identifiers_pair_before_folders_and_the_nearest_in_time_is_taken() -> None:
    ecgs = [
        FoundEcg(Path("/d/x/1.xml"), Subject("A"), datetime(2023, 1, 1)),
        FoundEcg(Path("/d/x/2.xml"), Subject("A"), datetime(2024, 3, 12)),
        FoundEcg(Path("/d/two/3.xml"), Subject("C"), datetime(2024, 3, 1)),  # lies with B, and is not B's
        FoundEcg(Path("/d/two/4.xml"), Subject(""), None),
    ]
    rows = manifest_rows(Found([_images("one", "A"), _images("two", "B")], ecgs), Path("/d"))
    assert [row.get("ecg") for row in rows] == ["x/2.xml", "two/4.xml", "two/3.xml"]
    assert rows[0]["remark"] == "2 ECGs: the nearest in time is taken"
    assert "ECG date missing" in rows[1]["remark"]
    assert "lge" not in rows[2] and rows[2]["remark"] == "no images found for this ECG"
    assert not any("A" in cell or "B" in cell for row in rows for name, cell in row.items() if name != "remark")


def test_an_ecg_one_folder_above_or_below_the_images() -> None:
    images = [_images(f"{name}/lge") for name in ("one", "two", "two/more")]
    ecgs = [FoundEcg(Path(path), Subject(), None) for path in ("/d/one/e.xml", "/d/two/lge/ecg/e.xml", "/d/e.xml")]
    rows = manifest_rows(Found(images, ecgs), Path("/d"))
    assert [row.get("ecg") for row in rows] == ["one/e.xml", "two/lge/ecg/e.xml", None, "e.xml"]
    assert [row.get("lge") for row in rows] == ["one/lge", "two/lge", "two/more/lge", None]


def test_studies_that_share_a_folder_are_not_told_apart(tmp_path: Path) -> None:
    """A study of its own folder, one with another study in a sub-folder, and two in one folder."""
    voxels = np.random.default_rng(0).integers(0, 4096, (4, 40, 40)).astype(np.uint16)
    for number, home in enumerate(("alone", "above", "above/inside", "mixed", "mixed"), 1):
        (tmp_path / home).mkdir(parents=True, exist_ok=True)
        study = Study(f"1.2.{number}", f"1.3.{number}", f"P^{number}")
        write_lge(tmp_path / home, voxels, study=study, series=f"1.4.{number}", number=number)
    counted: list[tuple[int, int]] = []
    found = look_through(tmp_path, judged=lambda done, of: counted.append((done, of)))
    remarks = sorted((str(one.path.relative_to(tmp_path)), one.remark.partition(":")[0]) for one in found.images)
    mixed = "several studies lie together"
    assert remarks == [("above", "not used"), ("above/inside", ""), ("alone", ""), ("mixed", mixed), ("mixed", mixed)]
    assert counted == [(number, 5) for number in range(1, 6)]


def test_two_label_maps_are_not_guessed() -> None:
    found = Found(
        [FoundImages(Path("/d/a.nii"), Path("/d"), shape=(3, 9, 9))],
        masks=[(Path("/d/x.nii"), (3, 9, 9)), (Path("/d/y.nii"), (3, 9, 9)), (Path("/d/z.nii"), (4, 9, 9))],
    )
    (row,) = manifest_rows(found, Path("/d"))
    assert "expert" not in row and "2 label maps" in row["remark"]


def test_a_folder_that_is_none_or_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no such folder"):
        look_through(tmp_path / "none")
    for k in range(3):
        (tmp_path / f"{k}.txt").touch()
    monkeypatch.setattr(discover, "MOST_FILES", 2)
    with pytest.raises(InputError, match="more than 2 files"):
        look_through(tmp_path)


def test_an_ecg_whose_date_is_not_true_gives_none(patient: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    untrue = Ecg(np.zeros((12, 9), np.float32), np.ones(12, bool), 500.0, datetime(1900, 1, 1), date_trusted=False)
    monkeypatch.setattr(discover, "read_ecg", lambda path: untrue)
    (row,) = manifest_rows(look_through(patient), patient)
    assert row["ecg_date"] == ""


def test_what_is_damaged_or_hostile_is_passed_over_and_named(patient: Path, tmp_path: Path, at_most_mb) -> None:
    """Nothing of it ends the search, fills the memory, waits for ever, or is followed out of the folder."""
    study = tmp_path / "study"
    shutil.copytree(patient, study / "one")
    (study / "length.dcm").write_bytes(b"\x08\0\x05\0CS\0\0\x08\0\x16\0US\x03\0abc\x08\0\x60\0CS\x02\0MR")
    (study / "kind.dcm").write_bytes(b"\x08\0\x05\0CS\0\0\x08\0\x16\0ZZ\x02\0ab\x08\0\x60\0CS\x02\0MR")
    header = nibabel.Nifti1Image(np.zeros((4, 4, 4, 4), np.float64), np.eye(4)).header
    for name, shape in (("long.nii.gz", (512, 512, 255, 12)), ("large.nii.gz", (2048, 2048, 1024))):
        header.set_data_shape(shape)
        with gzip.open(study / name, "wb") as file:
            file.write(header.binaryblock + b"\0" * 2**20)
    os.mkfifo(study / "pipe.dcm")
    (tmp_path / "elsewhere.nii.gz").write_bytes((study / "one" / "lge.nii.gz").read_bytes())
    (study / "link.nii.gz").symlink_to(tmp_path / "elsewhere.nii.gz")
    with at_most_mb(300):
        found = look_through(study)
    assert [one.path.name for one in found.images] == ["lge.nii.gz"]
    assert {one.name for one in found.unread} >= {"length.dcm", "long.nii.gz", "large.nii.gz"}
    assert not {"pipe.dcm", "link.nii.gz"} & {one.name for one in found.unread}


def test_a_name_that_no_table_can_hold_is_remarked(patient: Path, tmp_path: Path) -> None:
    shutil.copytree(patient, tmp_path / "study" / "two\nlines")
    (row,) = manifest_rows(look_through(tmp_path / "study"), tmp_path)
    assert "rename the file or folder" in row["remark"]
