"""SIGKILL of ``segment --overwrite`` and ``export --overwrite``: what it would leave at every call to the file system.

A run takes seconds, so that the disk is looked at before each of its calls: SIGKILL there would leave just that.
With ``python Testing/cli/test_killed_verbs.py FOLDER`` the runs are killed in earnest, which takes an hour.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
for _folder in (HERE.parent, HERE.parent / "export" / "dicom", HERE.parents[1] / "ScarSegECG"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

from lge_series import write_series  # noqa: E402

from kill_points import killed_at_every_call, watched_at_every_call  # noqa: E402
from ScarSegECGLib.cli import main  # noqa: E402
from ScarSegECGLib.export.dicom.write import FILES as OBJECTS  # noqa: E402
from ScarSegECGLib.export.write import FILES  # noqa: E402
from ScarSegECGLib.training.phantom import phantom_patient  # noqa: E402

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL of POSIX")

GUEST = "the reader's"
IMAGES = tuple(name for name in FILES if not name.startswith(("ecg", "scar_probability_image")))
ALWAYS = ("segmentation.dcm", "aha17.dcm", "report.dcm", "report_pdf.dcm", "bullseye.dcm")


def run(*arguments: object) -> None:
    assert main([str(argument) for argument in arguments]) == 0


def with_guests(folder: Path) -> None:
    """Files of the reader's in a result: one beside it and one in its sub-folder, and a mark of its age."""
    (folder / "notes.txt").write_text(GUEST)
    (folder / "sub").mkdir()
    (folder / "sub" / "notes.txt").write_text(GUEST)


def whole(folder: Path, names: tuple[str, ...], old: dict[str, bytes]) -> str:
    """Whether a folder holds the old result or the new one, after looking that it is that one alone."""
    assert (folder / "notes.txt").read_text() == (folder / "sub" / "notes.txt").read_text() == GUEST
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    ours = {name: content for name, content in found.items() if not name.endswith("notes.txt")}
    if ours == old:
        return "old"
    assert set(names) <= set(ours) and all(ours.values()) and not set(ours) & (set(old) - set(names) - set(OBJECTS))
    return "new"


def jobs(home: Path) -> dict[str, tuple[Path, tuple[str, ...], Callable[[], None]]]:
    """For each verb: its output folder, what it always holds, and the run; makes what they need."""
    images, result, signed = home / "images", home / "result", home / "signed"
    write_series(images, phantom_patient(0).stack, turn=(False, True, False))

    def segment() -> None:
        run("segment", "-q", "--lge", images, "--no-ecg", "--device", "cpu", "--out", result, "--overwrite")

    def export() -> None:
        run("export", "-q", result, "--dicom", images, "--out", signed, "--overwrite", "--verified-by", "Reader^Ann")

    segment()
    export()
    with_guests(result)
    with_guests(signed)
    (result / "dicom" / "scar_probability_image_only.dcm").write_bytes(b"of an earlier run")
    (signed / "scar_probability_image_only.dcm").write_bytes(b"of an earlier run")
    return {"segment": (result, IMAGES, segment), "export": (signed, ALWAYS, export)}


def test_what_a_kill_would_leave(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for folder, names, job in jobs(home).values():
        old = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and path.name != "notes.txt"
        }
        seen: list[str] = []
        with watched_at_every_call(home, lambda f=folder, n=names, o=old, s=seen: s.append(whole(f, n, o))) as calls:
            job()
        assert len(calls) > 50
        assert seen == sorted(seen, key=("old", "new").index) and set(seen) == {"old", "new"}
        assert not (folder / "scar_probability_image_only.dcm").exists()
        assert not [path for path in home.iterdir() if path.name.startswith(".scarsegecg-")]


def kill_in_earnest(home: Path) -> None:
    """The same with SIGKILL, one run for each call."""
    for verb, (folder, names, job) in jobs(home).items():
        before = home / "before"
        shutil.copytree(folder, before)
        old = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and path.name != "notes.txt"
        }

        def prepare(folder: Path = folder, before: Path = before) -> None:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(before, folder)
            for stale in home.glob(".scarsegecg-*"):
                shutil.rmtree(stale)

        count = killed_at_every_call(
            job,
            home,
            prepare=prepare,
            check=lambda f=folder, n=names, o=old: print(whole(f, n, o), end=" ", flush=True),
        )
        print(f"\n{verb}: killed at {count} calls, whole each time")
        shutil.rmtree(before)


if __name__ == "__main__":
    kill_in_earnest(Path(sys.argv[1]))
