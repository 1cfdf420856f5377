"""What ``segment`` has to say of its files before any figure: whose they are, and which images they hold."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from phantom import phantom_patient
from pydicom.dataset import Dataset, FileDataset

from ScarSegECGLib import face
from ScarSegECGLib.case import Ecg
from ScarSegECGLib.cli import main
from ScarSegECGLib.cli import segment as verb
from ScarSegECGLib.ecg.subject import differ, subject
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.read import UNMARKED, says_magnitude

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "export" / "dicom"))
from lge_series import write_series


class Stopped(InputError):
    """Raised where the networks would begin."""


@pytest.fixture
def told(tmp_path, monkeypatch):
    """What ``segment`` is called with, for images and an ECG of given identifiers."""

    def run(image_id: str, ecg_id: str, types: list[str] | None = None, *options: str) -> dict:
        def change(_k: int, dataset: FileDataset) -> None:
            dataset.PatientID, dataset.PatientSex, dataset.PatientAge = image_id, "F", "061Y"
            if types:
                dataset.ImageType = types

        seen: dict = {}

        def stop(stack, _ecg, _gap, _session, options, **_words):
            seen.update(vars(options), notes=stack.notes)
            raise Stopped("stopped here")

        write_series(tmp_path / "series", phantom_patient(0).stack, change=change)
        (tmp_path / "ecg.xml").write_text("")
        ecg = Ecg(np.zeros((12, 5000), np.float32), np.ones(12, bool), 500.0, subject=subject(ecg_id))
        monkeypatch.setattr(verb, "read_ecg", lambda path: ecg)
        monkeypatch.setattr(face, "loaded", lambda *_: None)
        monkeypatch.setattr(face, "segment_case", stop)
        files = ("--lge", str(tmp_path / "series"), "--ecg", str(tmp_path / "ecg.xml"), "--out", str(tmp_path / "out"))
        assert main(["segment", *files, *options]) == 2
        return seen

    return run


def test_two_patients_are_noticed_and_not_named(told, capfd) -> None:
    assert differ(told("ZZMARK1", "ZZMARK2")["imaged"], subject("ZZMARK2"))
    out = capfd.readouterr()
    assert "ZZMARK" not in out.out + out.err


@pytest.mark.parametrize(("image_id", "ecg_id"), [("0017", "17"), ("", "17"), ("17", "")])
def test_one_patient_or_an_unknown_one_is_no_doubt(told, image_id, ecg_id) -> None:
    assert not differ(told(image_id, ecg_id)["imaged"], subject(ecg_id))


def test_sex_and_age_come_from_the_images_or_the_options(told, tmp_path) -> None:
    imaged = told("17", "17")["imaged"]
    assert (imaged.female, imaged.age) == (True, 61.0)


def test_options_win_over_the_images(told) -> None:
    seen = told("17", "17", None, "--sex", "male", "--age", "44")
    assert (seen["female"], seen["age"]) == (False, 44.0)


def test_images_without_a_mark_are_doubted_unless_told(told) -> None:
    assert UNMARKED in told("17", "17", ["ORIGINAL", "PRIMARY"])["notes"]


def test_a_typed_contrast_is_no_doubt(told) -> None:
    assert UNMARKED not in told("17", "17", ["ORIGINAL", "PRIMARY"], "--contrast", "magnitude")["notes"]
    assert UNMARKED not in told("17", "17")["notes"]


@pytest.mark.parametrize(
    ("values", "said"),
    [({"ImageType": ["ORIGINAL", "PRIMARY", "M"]}, True), ({"ComplexImageComponent": "MAGNITUDE"}, True), ({}, False)],
)
def test_what_says_magnitude(values, said) -> None:
    image = Dataset()
    for name, value in values.items():
        setattr(image, name, value)
    assert says_magnitude(image) == said
