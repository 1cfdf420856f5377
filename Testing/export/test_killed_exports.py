"""SIGKILL at every call to the file system: the output is whole, old or new, and nothing of the reader's is lost."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from kill_points import killed_at_every_call
from ScarSegECGLib.export import atomic
from ScarSegECGLib.export.atomic import RESULT_KIND, LeftBehind, staged_folder, write_text

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="SIGKILL and forks of POSIX")

GUESTS = {
    "notes.txt": "the reader's",
    "dicom/reading.txt": "beside ours",
    "thesis/chapter/one.txt": "years",
}
OWN = ("result.json", "old.nii.gz", "new.nii.gz", "dicom/report.dcm", "dicom/old.dcm")


def fill(out: Path, words: str) -> None:
    with staged_folder(out, True, OWN) as folder:
        (folder / "result.json").write_text(json.dumps({"kind": RESULT_KIND, "words": words}))
        (folder / f"{words}.nii.gz").write_text(words)
        (folder / "dicom").mkdir()
        (folder / "dicom" / "report.dcm").write_text(words)


def whole(out: Path) -> str:
    """Which result lies there, after looking that it is that one alone."""
    words = json.loads((out / "result.json").read_text())["words"]
    (image,) = (path.name for path in out.glob("*.nii.gz"))
    assert image == f"{words}.nii.gz"
    assert (out / image).read_text() == words == (out / "dicom" / "report.dcm").read_text()
    assert not (out / "dicom" / "old.dcm").exists() or words == "old"
    return words


@pytest.mark.parametrize("exchange", [True, False])
def test_a_result_with_guests_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool) -> None:
    home = tmp_path / "home"
    out = home / "out"
    seen: set[str] = set()
    if not exchange:
        monkeypatch.setattr(atomic, "_exchanged_at_once", lambda one, other: False)

    def prepare() -> None:
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        fill(out, "old")
        (out / "dicom" / "old.dcm").write_text("old")
        for name, text in GUESTS.items():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).write_text(text)
        (out / "empty").mkdir()
        (out / "link").symlink_to("thesis")

    def check() -> None:
        if not exchange and not out.exists():  # the one moment between two renames: all of it has another name
            places = [path for path in home.iterdir() if path.name.startswith(".scarsegecg-")]
            assert sorted(whole(place) for place in places) == ["new", "old"]
            assert all((place / name).read_text() == text for name, text in GUESTS.items() for place in places)
            return
        seen.add(whole(out))
        assert {name: (out / name).read_text() for name in GUESTS} == GUESTS
        assert (out / "empty").is_dir() and (out / "link").readlink() == Path("thesis")

    count = killed_at_every_call(lambda: fill(out, "new"), home, prepare=prepare, check=check)
    assert count > 20 and seen == {"old", "new"}
    assert sorted(path.name for path in home.iterdir()) == ["out"]  # the last run came to its end


def test_a_new_result(tmp_path: Path) -> None:
    home = tmp_path / "home"

    def prepare() -> None:
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()

    def check() -> None:
        if (home / "out").exists():
            assert whole(home / "out") == "new"

    assert killed_at_every_call(lambda: fill(home / "out", "new"), home, prepare=prepare, check=check) > 5


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"

    def check() -> None:
        assert path.read_text() in ("old", "new")

    job = lambda: write_text(path, "new")  # noqa: E731
    assert killed_at_every_call(job, tmp_path, prepare=lambda: path.write_text("old"), check=check) > 2


def test_what_a_killed_run_left_is_named_by_the_next(tmp_path: Path) -> None:
    child = os.fork()
    if not child:
        with staged_folder(tmp_path / "out", False):
            os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    (stale,) = tmp_path.iterdir()
    os.utime(stale, (0, 0))
    with pytest.warns(LeftBehind, match=stale.name):
        fill(tmp_path / "out", "new")
    assert stale.exists()


def test_a_run_beside_this_one_is_not_called_stale(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    with staged_folder(tmp_path / "one", False) as staged:
        (staged / "series").mkdir()
        (staged / "series/1.dcm").write_text("still written to")
        os.utime(staged, (0, 0))
        fill(tmp_path / "two", "new")
    assert [str(warning.message) for warning in recwarn] == []


def test_what_came_in_the_last_moment_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    fill(out, "old")
    (out / "notes.txt").write_text("first")
    exchange = atomic._exchanged_at_once

    def saved_meanwhile(one: Path, other: Path) -> bool:
        (out / "later.txt").write_text("later")
        (out / "draft").write_text("second")
        (out / "draft").replace(out / "notes.txt")  # as editors save
        return exchange(one, other)

    monkeypatch.setattr(atomic, "_exchanged_at_once", saved_meanwhile)
    fill(out, "new")
    assert whole(out) == "new"
    assert (out / "later.txt").read_text() == "later" and (out / "notes.txt").read_text() == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_disk_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(1, "not here")

    out = tmp_path / "out"
    fill(out, "old")
    (out / "notes.txt").write_text("mine")
    monkeypatch.setattr(atomic.os, "link", refused)
    fill(out, "new")
    assert whole(out) == "new" and (out / "notes.txt").read_text() == "mine"
