"""SIGKILL of ``cohort run`` at every call to the file system: what it leaves is whole, and the next run ends the same.

The cases are done in this process, with a result made up by hand in place of the networks'.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cheap
import nibabel
import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
for _folder in (HERE.parent, HERE.parent / "export"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

from example_results import make_result  # noqa: E402

from kill_points import killed_at, watched_at_every_call  # noqa: E402
from ScarSegECGLib.cli import main  # noqa: E402
from ScarSegECGLib.cohort import engine, group_pictures, job  # noqa: E402
from ScarSegECGLib.cohort import run as cohort_run  # noqa: E402
from ScarSegECGLib.cohort.engine import Crew, run_here  # noqa: E402
from ScarSegECGLib.cohort.manifest import CohortCase  # noqa: E402
from ScarSegECGLib.cohort.options import CohortOptions, Networks  # noqa: E402
from ScarSegECGLib.cohort.review import REVIEW  # noqa: E402
from ScarSegECGLib.cohort.run import run_cohort  # noqa: E402

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="SIGKILL and forks of POSIX")

GUESTS = ("notes.txt", "cases/case0000/thesis/one.txt", "group/poster.txt", "page/read.me")
REVIEWED = "case,decision,comment,reviewed_utc\ncase0000,accept,mine,2026-01-01T00:00:00Z\n"
Files = dict[str, bytes]


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """No workers, no time that runs, and pictures that cost nothing and hold the figures they show."""

    def picture(*figures: Any) -> bytes:
        return b"PNG of " + repr([one.tolist() for one in figures if isinstance(one, np.ndarray)]).encode()

    monkeypatch.setattr(cohort_run, "run_jobs", lambda work, jobs, crew: run_here(work, jobs))
    monkeypatch.setattr(cohort_run, "secrets", SimpleNamespace(token_hex=lambda count: "0" * count))
    for module in (cheap, engine):
        monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: 0.0, sleep=lambda seconds: None))
    for name in ("_bullseye", "_walls"):
        monkeypatch.setattr(group_pictures, name, picture)


def run(cases: tuple[CohortCase, ...], out: Path, work=cheap.cheap_case) -> None:
    run_cohort(cases, out, CohortOptions(), Networks(), Crew(), work=work)


def files_of(out: Path) -> Files:
    """All that a reader sees, by name; the hidden files of ours are nobody's."""
    found = (path for path in out.rglob("*") if path.is_file())
    named = {path.relative_to(out): path for path in found}
    return {
        str(name): path.read_bytes() for name, path in named.items() if not any(p.startswith(".") for p in name.parts)
    }


def timeless(files: Files) -> Files:
    """Without the one time that is told."""
    told = json.loads(files["provenance.json"]) | {"written_utc": ""}
    return files | {"provenance.json": json.dumps(told).encode()}


def add_guests(out: Path) -> None:
    for name in GUESTS:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("the reader's")
    (out / REVIEW).write_text(REVIEWED)


def check(seen: Files, old: Files, new: Files) -> None:
    """Each file is the old one or the new one, each case's folder all old or all new, and guests are there."""
    for name, content in seen.items():
        assert content in (old.get(name), new.get(name)), name
    assert not [name for name in old.keys() & new.keys() if name not in seen]
    for case in {name.split("/")[1] for name in (*old, *new) if name.startswith("cases/")}:
        parts = [{k: v for k, v in files.items() if k.startswith(f"cases/{case}/")} for files in (seen, old, new)]
        assert parts[0] in parts[1:], case


def changed_cases(data: Path) -> tuple[tuple[CohortCase, ...], Callable[[], None]]:
    """Four cases, and what changes: one is another's images, one is no heart any more, one has become one."""
    cases = cheap.write_cases(data, 4, contents={1: "no lv", 2: "scar 3.5"})

    def change() -> None:
        for number, said in {0: "scar 7.5", 1: "scar 9.25", 2: "no lv"}.items():
            cases[number].lge.write_text(said)

    return cases, change


def begun(data: Path, out: Path) -> tuple[tuple[CohortCase, ...], Files]:
    """A cohort's folder with guests, whose cases have changed since."""
    cases, change = changed_cases(data)
    run(cases, out)
    add_guests(out)
    run(cases, out)  # now the tables know of the review
    change()
    return cases, files_of(out)


def new_result(*_args: Any, **_named: Any) -> Any:
    return make_result(amplitude=0.5)


def real_case(data: Path, number: int) -> CohortCase:
    """A file that the reader of images takes."""
    data.mkdir(exist_ok=True)
    voxels = np.random.default_rng(number).integers(0, 900, (40, 36, 5)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(voxels, np.diag([-1.4, -1.4, 8.0, 1.0])), data / f"{number}.nii.gz")
    return CohortCase(f"case{number:04d}", data / f"{number}.nii.gz")


def test_what_a_kill_would_leave_of_real_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, cases = tmp_path / "out", tuple(real_case(tmp_path / "data", number) for number in range(2))
    monkeypatch.setattr(job, "session_of", lambda networks: SimpleNamespace(settings={}))
    monkeypatch.setattr(job, "segment", lambda *_, **__: make_result(scar=False))
    run(cases, out, job.do_case)
    add_guests(out)
    old = files_of(out)
    assert {"segmentation.seg.nrrd", "case.json", "view.js"} <= {Path(name).name for name in old}
    monkeypatch.setattr(job, "segment", new_result)
    real_case(tmp_path / "data", 7)
    (tmp_path / "data" / "7.nii.gz").replace(cases[0].lge)
    seen: list[Files] = []
    with watched_at_every_call(out, lambda: seen.append(files_of(out))):
        run(cases, out, job.do_case)
    new = files_of(out)
    assert len(seen) > 100
    assert old["cases/case0000/result.json"] != new["cases/case0000/result.json"]
    assert {name for name in old if "case0001" in name and old[name] != new[name]} == set()
    for files in seen:
        check(files, old, new)


@pytest.mark.parametrize("fresh", [False, True])
def test_what_a_kill_would_leave(tmp_path: Path, fresh: bool) -> None:
    """Old cases that failed and old ones that were done, or a folder that is not there yet."""
    out = tmp_path / "out"
    if fresh:
        cases, old = changed_cases(tmp_path / "data")[0], {}
    else:
        cases, old = begun(tmp_path / "data", out)
    seen: list[Files] = []
    with watched_at_every_call(out, lambda: seen.append(files_of(out))):
        run(cases, out)
    new = files_of(out)
    assert len(seen) > 80 and new["patients.csv"] != old.get("patients.csv")
    for files in seen:
        check(files, old, new)


def test_what_a_kill_of_a_review_would_leave(tmp_path: Path) -> None:
    out, saved = tmp_path / "out", tmp_path / "review.csv"
    begun(tmp_path / "data", out)
    saved.write_text(REVIEWED.replace("accept,mine", "correct,a vessel"))
    seen: list[Files] = []
    old = files_of(out)
    with watched_at_every_call(out, lambda: seen.append(files_of(out))):
        assert main(["cohort", "review", "-q", str(out), str(saved)]) == 0
    new = files_of(out)
    assert len(seen) > 40 and b"a vessel" in new[REVIEW] and old["group/scar_mean.png"] == new["group/scar_mean.png"]
    for files in seen:
        check(files, old, new)


@pytest.mark.parametrize("fresh", [False, True])
def test_killed_in_earnest_and_run_again(tmp_path: Path, fresh: bool) -> None:
    """The next run ends with the tables, pictures and page of one that nothing disturbed, and clears up."""
    out, before, undisturbed = (tmp_path / name for name in ("out", "before", "undisturbed"))
    if fresh:
        cases = changed_cases(tmp_path / "data")[0]
    else:
        cases, _ = begun(tmp_path / "data", before)
        shutil.copytree(before, undisturbed)
    with watched_at_every_call(undisturbed, lambda: None) as calls:
        run(cases, undisturbed)
    wanted = timeless(files_of(undisturbed))
    numbers = {1, 2, 3, 4, len(calls), *range(5, len(calls), len(calls) // 12)}
    for number in sorted(numbers):
        shutil.rmtree(out, ignore_errors=True)
        if not fresh:
            shutil.copytree(before, out)
        assert killed_at(lambda: run(cases, out), out, number)
        run(cases, out)
        assert timeless(files_of(out)) == wanted, f"killed at call {number} of {len(calls)}"
        left = [path.relative_to(out).as_posix() for path in out.rglob(".*")]
        assert sorted(left) == [".lock", "group/.made_from"], number


def test_pictures_of_a_run_that_was_killed_among_them_are_not_taken_for_current(tmp_path, monkeypatch) -> None:
    """The figures change and change back, and the run between is killed before it says what it drew."""
    cases, out = cheap.write_cases(tmp_path / "data", 4), tmp_path / "out"
    run(cases, out)
    first, content = files_of(out), cases[0].lge.read_text()
    with monkeypatch.context() as killed:
        killed.setattr(group_pictures, "write_text", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
        cases[0].lge.write_text("scar 33")
        with pytest.raises(KeyboardInterrupt):
            run(cases, out)
    cases[0].lge.write_text(content)
    run(cases, out)
    assert files_of(out)["group/scar_mean.png"] == first["group/scar_mean.png"]
    (out / "group" / "scar_mean.png").unlink()
    run(cases, out)
    assert files_of(out)["group/scar_mean.png"] == first["group/scar_mean.png"]
