"""SIGKILL in the middle of thirty cases: of a worker, of the whole run, of the scheduler; and then again."""

from __future__ import annotations

import csv
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from cheap import SECONDS, write_cases

HERE = Path(__file__).resolve().parent
LIBRARY = HERE.parent.parent / "ScarSegECG"
COUNT = 30
PATIENCE_S = 300

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL is of POSIX")


def _environment(seconds: float) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{LIBRARY}{os.pathsep}{HERE}", SECONDS: str(seconds)}


def _hears_ctrl_c() -> None:
    """A shell's background jobs are deaf to SIGINT, and so is what they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def _started(*command: object, seconds: float = 0.1) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, *map(str, command)],
        env=_environment(seconds),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_hears_ctrl_c,
    )
    try:
        yield process
    finally:
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    child.kill()
        process.kill()
        process.wait()


def _drive(tmp_path: Path, *scheduler: str, seconds: float = 0.1):
    return _started(HERE / "drive.py", tmp_path / "data", tmp_path / "out", COUNT, *scheduler, seconds=seconds)


def _until_cases(process: subprocess.Popen[str], count: int) -> None:
    """Read what a run tells until so many cases are done."""
    assert process.stdout is not None
    for _ in range(count):
        line = process.stdout.readline()
        assert line.startswith("case"), (line, process.stderr.read() if process.stderr else "")


def _wait_for(what, seconds: float = PATIENCE_S) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)


def _whole(tmp_path: Path) -> None:
    """Every case once in the tables, each folder whole, nothing half-written, as an undisturbed run has it."""
    out = tmp_path / "out"
    with (out / "patients.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["case"] for row in rows] == [f"case{k:04d}" for k in range(COUNT)]
    assert [row["scar_ml_image_only"] for row in rows] == [f"{k % 40 + 0.25:g}" for k in range(COUNT)]
    assert {row["status"] for row in rows} == {"done"}
    assert sorted(p.name for p in (out / "cases").iterdir()) == [row["case"] for row in rows]
    files = {frozenset(p.name for p in folder.iterdir()) for folder in (out / "cases").iterdir()}
    assert files == {frozenset({"case.json", "result.json", "thumb.png", "ecg.png", "report.html", "view.js"})}
    with (out / "segments.csv").open(newline="") as file:
        assert sum(1 for _ in csv.DictReader(file)) == 17 * COUNT


def _finish(tmp_path: Path, *scheduler: str) -> tuple[int, int]:
    """Run to the end; how many cases were done now and before."""
    with _drive(tmp_path, *scheduler) as process:
        output, errors = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, errors
    _, cases, now, before = output.splitlines()[-1].split()
    assert int(cases) == COUNT
    return int(now), int(before)


def test_a_worker_is_killed(tmp_path: Path) -> None:
    write_cases(tmp_path / "data", COUNT)
    with _drive(tmp_path) as process:
        _until_cases(process, 5)
        workers = [
            child
            for child in psutil.Process(process.pid).children(recursive=True)
            if "spawn_main" in " ".join(child.cmdline())
        ]
        assert workers
        workers[0].kill()
        output, errors = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, errors
    assert output.splitlines()[-1].split()[:2] == ["finished", str(COUNT)]
    _whole(tmp_path)
    assert _finish(tmp_path) == (0, COUNT)


def test_the_whole_run_is_killed(tmp_path: Path) -> None:
    write_cases(tmp_path / "data", COUNT)
    with _drive(tmp_path) as process:
        _until_cases(process, 8)
        children = psutil.Process(process.pid).children(recursive=True)
        os.kill(process.pid, signal.SIGKILL)
        _wait_for(lambda: not any(child.is_running() and child.status() != "zombie" for child in children))
    now, before = _finish(tmp_path)
    assert before >= 8 and now + before == COUNT
    _whole(tmp_path)


def test_ctrl_c_leaves_everything_to_be_taken_up(tmp_path: Path) -> None:
    write_cases(tmp_path / "data", COUNT)
    with _drive(tmp_path, seconds=0.5) as process:
        _until_cases(process, 5)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=PATIENCE_S)
        assert process.returncode != 0
    assert not [p for p in (tmp_path / "out" / "cases").iterdir() if p.name.startswith(".")]
    now, before = _finish(tmp_path)
    assert before >= 5 and now + before == COUNT
    _whole(tmp_path)


@contextmanager
def _cluster(seconds: float) -> Iterator[tuple[str, list[subprocess.Popen[str]]]]:
    """A scheduler and two workers as processes of their own on loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    quiet = ("--no-dashboard",)
    scheduler = ("-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", port, *quiet)
    worker = ("-m", "distributed.cli.dask_worker", address, "--nthreads", 1, "--memory-limit", "1GiB", *quiet)
    with (
        _started(*scheduler) as first,
        _started(*worker, seconds=seconds) as second,
        _started(*worker, seconds=seconds) as third,
    ):
        yield address, [first, second, third]


def test_an_external_scheduler_and_two_workers_do_it_too(tmp_path: Path) -> None:
    write_cases(tmp_path / "data", COUNT)
    with _cluster(seconds=0.05) as (address, _processes):
        assert _finish(tmp_path, address) == (COUNT, 0)
    _whole(tmp_path)


def test_the_death_of_an_external_scheduler_is_one_line_and_its_work_is_taken_up(tmp_path: Path) -> None:
    write_cases(tmp_path / "data", COUNT)
    with _cluster(seconds=0.4) as (address, (scheduler, *_workers)), _drive(tmp_path, address) as process:
        _until_cases(process, 6)
        os.kill(scheduler.pid, signal.SIGKILL)
        _, errors = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 2
        assert errors.splitlines()[-1].startswith("stopped: the scheduler went away")
    now, before = _finish(tmp_path)
    assert before >= 6 and now + before == COUNT
    _whole(tmp_path)
