"""SIGKILL of ``scarsegecg pacs pull --overwrite`` at every call to the file system."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread
from test_pacs_archive import STUDY, Archive, image

from kill_points import killed_at_every_call
from ScarSegECGLib.cli import main
from ScarSegECGLib.cli import pacs as verb

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="SIGKILL and forks of POSIX")


def pull(out: Path, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """The command, with an archive that answers from a list."""
    monkeypatch.setattr(verb, "connect", lambda url, ca: archive)

    def job() -> None:
        assert main(["pacs", "pull", "-q", "--url", "x", "--study", STUDY, "--overwrite", "--out", str(out)]) == 0

    return job


def pulled(out: Path) -> set[str]:
    return {str(dcmread(path).SOPInstanceUID) for path in out.glob("series*/*.dcm")}


def test_a_pull_is_the_old_one_or_the_new_one(tmp_path, monkeypatch) -> None:
    home = tmp_path / "home"
    out = home / "out"
    old = Archive(image(), image(), image(series="1.2.4"))
    new = Archive(image(), image(series="1.2.5"))
    uids = [{str(dataset.SOPInstanceUID) for dataset in archive.held} for archive in (old, new)]
    seen: list[set[str]] = []
    before = tmp_path / "before"
    pull(before, old, monkeypatch)()
    (before / "series001" / "notes.txt").write_text("the reader's")
    (before / "ecg.xml").write_text("the reader's")

    def prepare() -> None:
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        shutil.copytree(before, out)

    def check() -> None:
        assert pulled(out) in uids
        assert (out / "series001" / "notes.txt").read_text() == (out / "ecg.xml").read_text() == "the reader's"
        seen.append(pulled(out))

    count = killed_at_every_call(pull(out, new, monkeypatch), home, prepare=prepare, check=check)
    assert count > 20 and all(found in seen for found in uids)
    assert [path.name for path in home.iterdir()] == ["out"]
