"""README as a new user reads it: short, its links lead somewhere, its commands do what they say."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from phantom import phantom_patient, write_phantom

from ScarSegECGLib.cli import build_parser, main

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "export" / "dicom"))
from lge_series import write_series

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
AN_ARCHIVE = ("pacs",)  # Testing/pacs goes to one; here the command is only understood


def blocks(page: Path, kind: str = "bash") -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[list[str]]:
    """Every scarsegecg command of a page, in words, without its shell's part."""
    found = []
    for block in blocks(page):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0] == "scarsegecg":
                end = next((i for i, word in enumerate(words) if word in {"|", "&&", ";", ">"}), len(words))
                found.append(words[1:end])
    return found


def test_readme_fits_on_three_screens() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    assert text.count("![") == 1


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_is_understood(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in commands(page):
        try:
            build_parser().parse_args(words)
        except SystemExit as end:
            assert end.code == 0, f"scarsegecg {shlex.join(words)}: {capsys.readouterr().err}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_target_of_make_is_there(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {name for block in blocks(page) for name in re.findall(r"^make ([a-z-]+)", block, re.MULTILINE)} <= targets


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the files README speaks of: a simulated patient's, also as a DICOM study."""
    folder = tmp_path_factory.mktemp("home")
    patient = phantom_patient(0)
    files = write_phantom(folder, patient)
    assert (files["lge"].name, files["ecg"].name) == ("lge.nii.gz", "ecg.hea")
    files["labels"].rename(folder / "labels.nii.gz")
    write_series(folder / "study", patient.stack)
    return folder


def runnable() -> list[list[str]]:
    """README's commands that need no archive; they run in its order, in one folder."""
    return [words for words in commands(ROOT / "README.md") if words[0] not in AN_ARCHIVE]


@pytest.mark.parametrize("words", runnable(), ids=" ".join)
def test_readmes_command_runs(home: Path, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(home)
    words = ["ecg.hea" if word == "ecg.xml" else word for word in words]  # the simulated ECG is no cart's XML
    made = [Path(words[words.index(option) + 1]) for option in ("--out", "--table") if option in words]
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)  # README's doors are three ways, not one after the other
    assert main(words) == 0, capsys.readouterr().err
    assert all(path.exists() for path in (made or [Path("demo-output/result/report.html")]))


def test_readme_shows_the_way_through() -> None:
    assert {"demo", "segment", "measure", "cohort", "export"} <= {words[0] for words in runnable()}


def test_readmes_python_runs(home: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    (code,) = blocks(ROOT / "README.md", "python")
    assert len([line for line in code.splitlines() if line.strip()]) <= 8
    monkeypatch.chdir(home)
    exec(compile(code, "README.md", "exec"), {})
    assert "scar" in capsys.readouterr().out
    assert (home / "eye.png").is_file() and (home / "result-of-python" / "report.html").is_file()
