"""Whose it is: compared within the process, never kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ecg_files import dicom_ecg, multiplex_group, save
from exported_files import PATIENT, write_aecg, write_muse, write_scp, write_sierra
from pydicom.dataset import Dataset
from synthetic_ecg import NARROW, synthetic_ecg

import ScarSegECGLib
from ScarSegECGLib.case import Subject
from ScarSegECGLib.ecg.read import read_ecg
from ScarSegECGLib.ecg.subject import DIFFERENT_PATIENTS, differ, subject, subject_of_dicom


def dataset(**values: str) -> Dataset:
    made = Dataset()
    for name, value in values.items():
        setattr(made, name, value)
    return made


def test_the_same_identifier_is_the_same_however_it_is_spelt() -> None:
    one = subject_of_dicom(dataset(PatientID=" 0012-ab 7"))
    assert not differ(one, subject("12AB7")) and one.digest
    assert differ(one, subject("12AB8"))


@pytest.mark.parametrize("other", [None, Subject(), subject("  --  ")])
def test_an_unknown_identifier_differs_from_none(other) -> None:
    assert not differ(subject("12AB7"), other) and not differ(other, subject("12AB7"))


def test_nothing_gives_the_identifier_away() -> None:
    told = subject("ZZMARKID", "F", 44)
    assert "ZZMARK" not in repr(told) and "ZZMARK" not in told.digest and "ZZMARK" not in repr(DIFFERENT_PATIENTS)
    assert repr(told).startswith("<")
    # Another process draws another salt: a digest that leaks tells nothing.
    code = "from ScarSegECGLib.ecg.subject import subject; print(subject('ZZMARKID').digest)"
    folder = str(Path(ScarSegECGLib.__file__).parents[1])
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": folder})
    assert len(run.stdout.strip()) == len(told.digest) and run.stdout.strip() != told.digest


@pytest.mark.filterwarnings("ignore:Invalid value")  # pydicom's, of the data set made here
@pytest.mark.parametrize(
    ("values", "female", "age"),
    [
        ({"PatientSex": "F", "PatientAge": "063Y"}, True, 63.0),
        ({"PatientSex": "M", "PatientAge": "018M"}, False, 1.5),
        ({"PatientSex": "O", "PatientBirthDate": "19600101", "StudyDate": "20200101"}, None, 60.0),
        ({"PatientAge": "999Y"}, None, None),
        ({"PatientBirthDate": "1960", "StudyDate": "20200101"}, None, None),
        ({}, None, None),
    ],
)
def test_sex_and_age_from_dicom(values, female, age) -> None:
    told = subject_of_dicom(dataset(**values))
    assert told.female is female
    assert told.age == (None if age is None else pytest.approx(age, abs=0.01))


@pytest.mark.parametrize(
    ("write", "name"),
    [(write_muse, "ecg.xml"), (write_aecg, "ecg.xml"), (write_sierra, "ecg.xml"), (write_scp, "ecg.scp")],
)
def test_device_exports_say_whose_they_are(tmp_path, write, name) -> None:
    ecg = read_ecg(write(tmp_path / name, synthetic_ecg(NARROW)[0]))
    assert ecg.subject.digest == subject(PATIENT).digest
    assert PATIENT not in repr(ecg)


def test_a_dicom_ecg_says_whose_it_is(tmp_path) -> None:
    made = dicom_ecg(multiplex_group(synthetic_ecg(NARROW)[0]))
    made.PatientID, made.PatientSex, made.PatientAge = "0017", "M", "070Y"
    ecg = read_ecg(save(made, tmp_path / "ecg.dcm"))
    assert (ecg.subject.digest, ecg.subject.female, ecg.subject.age) == (subject("17").digest, False, 70.0)
