"""Standard output that is closed or full, names and values that no terminal should see as they are."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import types
import warnings
from pathlib import Path

import pytest

from ScarSegECGLib import cli
from ScarSegECGLib.cli import main
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import LeftBehind

posix = pytest.mark.skipif(os.name != "posix", reason="names and devices of POSIX")

JOB = """
import sys, types
from pathlib import Path
from ScarSegECGLib import cli

def run(args):
    print("written to " + "x" * int(sys.argv[3]))
    Path(sys.argv[1]).write_text("done")
    print("done")
    return 0

sys.modules["ScarSegECGLib.cli." + sys.argv[2]] = types.SimpleNamespace(add_arguments=lambda parser: None, run=run)
sys.exit(cli.main([sys.argv[2]]))
"""


def run_job(tmp_path: Path, verb: str, redirection: str, length: int = 10) -> tuple[int, str]:
    """A verb that writes a file and prints, with its standard streams redirected by a shell."""
    command = [sys.executable, "-c", JOB, str(tmp_path / "file"), verb, str(length)]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", *command],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2])},
    )
    assert (tmp_path / "file").read_text() == "done"
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    return done.returncode, done.stderr


@posix
@pytest.mark.parametrize("length", [10, 100_000])
@pytest.mark.parametrize(("verb", "code"), [("evaluate", 0), ("lge", 2)])
def test_a_full_disk_behind_standard_output(tmp_path, verb, code, length) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    said = f"scarsegecg {verb}: not everything could be printed on standard output (the disk is full)\n"
    assert run_job(tmp_path, verb, ">/dev/full", length) == (code, said)


@posix
@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_closed_streams(tmp_path, redirection) -> None:
    assert run_job(tmp_path, "evaluate", redirection) == (0, "")


@posix
def test_a_reader_that_has_seen_enough(tmp_path) -> None:
    command = [sys.executable, "-c", JOB, str(tmp_path / "file"), "lge", "1000000"]
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.read(5)
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == (b"", 0)
    assert (tmp_path / "file").exists()


def stub(monkeypatch: pytest.MonkeyPatch, run) -> None:  # type: ignore[no-untyped-def]
    def add_arguments(parser) -> None:  # type: ignore[no-untyped-def]
        parser.add_argument("--kind", choices=("a", "b"))
        parser.add_argument("path", nargs="?")

    job = types.SimpleNamespace(add_arguments=add_arguments, run=run)
    monkeypatch.setitem(sys.modules, "ScarSegECGLib.cli.bench", job)


NASTY = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\n\u202eevil"


def test_no_terminal_obeys_a_value(monkeypatch, capsys) -> None:
    def run(args) -> int:  # type: ignore[no-untyped-def]
        print(f"reading {args.path}")
        raise InputError(f"{args.path}: is no file")

    stub(monkeypatch, run)
    assert main(["bench", NASTY]) == 2
    for arguments in (["bench", "--kind", NASTY], ["bench", "a", NASTY], ["bench", f"--{NASTY}"], [NASTY]):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == 2
    printed = capsys.readouterr()
    for text in (printed.out, printed.err):
        assert all(c.isprintable() or c == "\n" for c in text), repr(text)
    assert "internal" not in printed.err and printed.err.count("error: ") == 4


def test_progress_still_moves(monkeypatch, capsys) -> None:
    stub(monkeypatch, lambda args: print("\r 50 %\r", end="", file=sys.stderr) or 0)
    assert main(["bench"]) == 0
    assert "\r 50 %\r" in capsys.readouterr().err


def test_a_stream_of_few_letters(monkeypatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    stub(monkeypatch, lambda args: print("scar 3 ml ± 1, M\udcfcller") or 0)
    monkeypatch.setattr(sys, "stdout", stream)
    assert main(["bench"]) == 0
    assert stream.buffer.getvalue() == b"scar 3 ml ? 1, M?ller\n"  # type: ignore[attr-defined]


def test_what_was_left_behind_is_a_warning_in_one_line(monkeypatch, capsys) -> None:
    stub(monkeypatch, lambda args: warnings.warn("An earlier run was killed", LeftBehind, stacklevel=1) or 0)
    assert main(["bench", "-q"]) == 0
    assert main(["bench", "-q"]) == 0
    assert capsys.readouterr().err == "warning: An earlier run was killed\n" * 2


def test_streams_are_as_before_afterwards() -> None:
    before = sys.stdout, sys.stderr
    assert main(["pacs", "find", "--url", "ftp://none"]) == 2
    assert (sys.stdout, sys.stderr) == before
