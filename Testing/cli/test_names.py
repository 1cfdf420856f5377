"""Names that are not UTF-8, anywhere on the command line: read and written like any other.

``segment`` and ``export`` have such names in test_killed_verbs.py.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "export" / "dicom"))
from lge_series import write_series
from phantom import phantom_patient, write_phantom

from ScarSegECGLib.cli import main

NAME = os.fsdecode(b"M\xfcller")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A phantom patient's files in a folder of such a name."""
    folder = tmp_path_factory.mktemp("names") / NAME
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this system's names are UTF-8")
    patient = phantom_patient(0)
    write_phantom(folder, patient)
    write_series(folder / f"dicom-{NAME}", patient.stack)
    return folder


def done(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    code = main([str(argument) for argument in arguments])
    printed = capfd.readouterr()
    assert code == 0, printed.err
    assert all(c.isprintable() or c in "\r\n\t" for c in printed.out + printed.err)
    return printed.out


def test_an_ecg(home, capfd) -> None:
    picture, table = home / f"{NAME}.png", home / f"{NAME}.json"
    assert "12 of 12" in done(capfd, "ecg", home / "ecg.hea", "--picture", picture, "--json", table)
    assert picture.stat().st_size and table.stat().st_size


def test_series(home, capfd) -> None:
    assert "LGE" in done(capfd, "lge", home / f"dicom-{NAME}")


@pytest.mark.parametrize("images", ["lge.nii.gz", f"dicom-{NAME}"])
def test_contours(home, capfd, images) -> None:
    outputs = ("--table", "a.csv"), ("--json", "b.json"), ("--montage", "c.png"), ("--bullseye", "d.svg")
    asked = [word for option, name in outputs for word in (option, home / f"{NAME}-{name}")]
    labels = home / "truth_labels.nii.gz"
    done(capfd, "measure", "--lge", home / images, "--labels", labels, "--contrast", "magnitude", *asked)
    assert all((home / f"{NAME}-{name}").stat().st_size for _, name in outputs)


@pytest.mark.parametrize(
    "arguments",
    [
        ("segment", "--lge", NAME, "--no-ecg", "--out", "out"),
        ("segment", "--lge", "x.nii.gz", "--ecg", NAME, "--out", NAME),
        ("segment", "--lge", "lge.nii.gz", "--no-ecg", "--out", "out", "--weights", NAME),
        ("measure", "--lge", "lge.nii.gz", "--labels", NAME),
        ("measure", "--lge", "lge.nii.gz", "--labels", "truth_labels.nii.gz", "--remote", NAME),
        ("ecg", NAME),
        ("lge", NAME),
        ("export", NAME, "--dicom", NAME, "--out", NAME),
        ("pacs", "push", "--url", "http://127.0.0.1:1", NAME),
        ("pacs", "find", "--url", f"http://{NAME}"),
        ("pacs", "pull", "--url", "http://127.0.0.1:1", "--study", NAME, "--out", NAME),
        ("evaluate", "--cases", NAME, "--json", "a.json"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(home, capfd, monkeypatch, arguments) -> None:
    monkeypatch.chdir(home)
    assert main(list(arguments)) == 2
    said = [line for line in capfd.readouterr().err.replace("\r", "\n").splitlines() if line.startswith("scarsegecg")]
    assert len(said) == 1 and said[0].isprintable() and "internal error" not in said[0]
