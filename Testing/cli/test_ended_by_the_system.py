"""A command that the system ends leaves nothing behind, and what it writes is its owner's alone to read."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ScarSegECGLib import cli
from ScarSegECGLib.export.atomic import staged_folder

posix = pytest.mark.skipif(os.name != "posix", reason="signals and permissions of POSIX")

RUN = """
import signal, sys, time, types
from pathlib import Path
from ScarSegECGLib import cli
from ScarSegECGLib.export.atomic import staged_folder

for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)  # nohup, under which the tests may run, ignores one of them

def run(args):
    with staged_folder(Path(sys.argv[1]) / "made" / "result", False) as folder:
        (folder / "image.dcm").write_bytes(b"half a patient")
        print("begun", flush=True)
        time.sleep(20)
    return 0

job = types.SimpleNamespace(add_arguments=lambda parser: None, run=run)
sys.modules["ScarSegECGLib.cli.bench"] = job
sys.exit(cli.main(["bench", "-q"]))
"""


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_left_half_written(tmp_path: Path, number: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", RUN, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2])},
    ) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == b"begun\n"
            process.send_signal(number)
            _, said = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 128 + number
    assert list(tmp_path.iterdir()) == []
    assert b"Traceback" not in said


@posix
def test_signals_are_as_before_afterwards(capsys) -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert cli.main(["pacs", "find", "--url", "ftp://none"]) == 2
    assert signal.getsignal(signal.SIGTERM) is before


@posix
def test_a_result_is_its_owners_alone(tmp_path: Path) -> None:
    with staged_folder(tmp_path / "new", False) as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "a").touch()
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


@posix
def test_a_folder_that_was_there_keeps_its_permissions(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o750)
    with staged_folder(tmp_path / "shared", False) as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "shared").stat().st_mode) == 0o750
