"""SIGKILL of ``segment --overwrite`` and ``export --overwrite``: what it would leave at every call to the file system.

A run takes seconds, so that the disk is looked at before each of its calls: SIGKILL there would leave just that.
With ``python Testing/cli/test_killed_verbs.py FOLDER`` the runs are killed in earnest, which takes minutes.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
for _folder in (
    HERE.parent,
    HERE.parent / "export" / "dicom",
    HERE.parents[1] / "ScarSegECG",
    HERE.parents[1] / "Research",
):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

from lge_series import write_series  # noqa: E402
from phantom import phantom_patient  # noqa: E402

from kill_points import killed_at_every_call, watched_at_every_call  # noqa: E402
from ScarSegECGLib import face  # noqa: E402
from ScarSegECGLib.cli import main  # noqa: E402
from ScarSegECGLib.cli import segment as segment_verb  # noqa: E402
from ScarSegECGLib.export.atomic import RESULT_KIND  # noqa: E402
from ScarSegECGLib.export.write import FILES  # noqa: E402

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL of POSIX")

GUEST, STALE = "the reader's", "scar_probability_image_only.dcm"  # what a result without ECG has not
IMAGES = tuple(name for name in FILES if not name.startswith(("ecg", "scar_probability_image")))
ALWAYS = ("segmentation.dcm", "aha17.dcm", "report.dcm", "report_pdf.dcm", "bullseye.dcm")


def run(*arguments: object) -> None:
    assert main([str(argument) for argument in arguments]) == 0


def earlier(folder: Path, *names: str) -> None:
    """What stands for an earlier result, with files of the reader's beside it and in a sub-folder."""
    for name in (*names, "notes.txt", "sub/notes.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(GUEST if name.endswith("notes.txt") else "old")


def whole(folder: Path, names: tuple[str, ...], old: tuple[str, ...]) -> str:
    """Whether a folder holds the earlier result or the new one, after looking that it is that one alone."""
    assert (folder / "notes.txt").read_text() == (folder / "sub" / "notes.txt").read_text() == GUEST
    found = {path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    ours = {name: size for name, size in found.items() if not name.endswith("notes.txt")}
    if set(ours) == set(old):
        return "old"
    assert set(names) <= set(ours) and all(ours.values()) and not [name for name in ours if name.endswith(STALE)]
    return "new"


def jobs(home: Path) -> dict[str, tuple[Path, tuple[str, ...], tuple[str, ...], Callable[[], None]]]:
    """For each verb: its output folder, what it always holds, what it held before, and the run."""
    images, result, signed = home / "images", home / "result", home / "signed"
    write_series(images, phantom_patient(0).stack, turn=(False, True, False))
    before = ("result.json", "report.html", f"dicom/{STALE}")
    earlier(result, *before)
    (result / "result.json").write_text(json.dumps({"kind": RESULT_KIND}))
    exported = ("segmentation.dcm", "report.dcm", "report_pdf.dcm", STALE)
    earlier(signed, *exported)

    def segment() -> None:
        run("segment", "-q", "--lge", images, "--no-ecg", "--device", "cpu", "--out", result, "--overwrite")

    def export() -> None:
        run("export", "-q", result, "--dicom", images, "--out", signed, "--overwrite", "--verified-by", "Reader^Ann")

    return {"segment": (result, IMAGES, before, segment), "export": (signed, ALWAYS, exported, export)}


def test_what_a_kill_would_leave(tmp_path: Path) -> None:
    home = tmp_path / os.fsdecode(
        b"M\xfcller" if sys.platform == "linux" else b"home"
    )  # what is no UTF-8 is a name too
    for folder, names, old, job in jobs(home).values():
        seen: list[str] = []
        with watched_at_every_call(home, lambda f=folder, n=names, o=old, s=seen: s.append(whole(f, n, o))) as calls:
            job()
        assert len(calls) > 50
        assert seen == sorted(seen, key=("old", "new").index) and set(seen) == {"old", "new"}
        assert whole(folder, names, old) == "new"
        assert not [path for path in home.iterdir() if path.name.startswith(".scarsegecg-")]


def once(module: object, name: str) -> None:
    """Let a function give ever after what it gives first, also in forks."""
    make, made = getattr(module, name), []

    def remembered(*arguments: object, **named: object) -> object:
        if not made:
            made.append(make(*arguments, **named))
        return made[0]

    setattr(module, name, remembered)


def kill_in_earnest(home: Path) -> None:
    """The same with SIGKILL, one run for each call; the networks and pictures, which write nothing, are made once."""
    for module, name in ((segment_verb, "segment"), (face, "pictures"), (face, "viewer_block")):
        once(module, name)
    for verb, (folder, names, old, job) in jobs(home).items():
        before = home / "before"
        shutil.copytree(folder, before)
        job()

        def prepare(folder: Path = folder, before: Path = before) -> None:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(before, folder)
            for stale in home.glob(".scarsegecg-*"):
                shutil.rmtree(stale)

        count = killed_at_every_call(
            job, home, prepare=prepare, check=lambda f=folder, n=names, o=old: print(whole(f, n, o), flush=True)
        )
        print(f"{verb}: killed at {count} calls, whole each time")
        shutil.rmtree(before)


if __name__ == "__main__":
    kill_in_earnest(Path(sys.argv[1]))
