"""One function over many cases, whatever becomes of a worker."""

from __future__ import annotations

import os
import signal
import sys
import urllib.request
from pathlib import Path

import pytest

from ScarSegECGLib.cohort.engine import Crew, Trouble, run_here, run_jobs
from ScarSegECGLib.errors import InputError


def _work(argument: tuple[str, Path]) -> str:
    what, folder = argument
    if what == "refused":
        raise InputError("put it right")
    if what == "fault":
        raise ValueError(f"about {folder}")
    if what == "kills":
        (folder / f"death-{os.getpid()}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return what


def _jobs(tmp_path: Path, *names: str) -> list[tuple[str, tuple[str, Path]]]:
    return [(f"{k}-{name}", (name, tmp_path)) for k, name in enumerate(names)]


def test_here_without_dask(tmp_path: Path) -> None:
    told = [(o.name, o.value, o.trouble) for o in run_here(_work, _jobs(tmp_path, "a", "refused", "fault", "b"))]
    assert told == [
        ("0-a", "a", None),
        ("1-refused", None, Trouble.REFUSED),
        ("2-fault", None, Trouble.FAULT),
        ("3-b", "b", None),
    ]


def test_a_case_that_kills_two_workers_is_left_and_the_others_are_done(tmp_path: Path) -> None:
    jobs = _jobs(tmp_path, "a", "kills", "b", "refused", "fault", "c", "d")
    told = {o.name: o for o in run_jobs(_work, jobs, Crew(workers=2, memory=2**30))}
    assert {name: o.trouble for name, o in told.items()} == {
        "0-a": None,
        "1-kills": Trouble.KILLED,
        "2-b": None,
        "3-refused": Trouble.REFUSED,
        "4-fault": Trouble.FAULT,
        "5-c": None,
        "6-d": None,
    }
    assert len(list(tmp_path.glob("death-*"))) == 2
    assert told["3-refused"].words == "put it right"
    assert told["4-fault"].words == "" and told["4-fault"].error.startswith(
        "ValueError at test_engine.py:"
    )  # its own text names a path


def _told_to_a_browser(page: str) -> list[str]:
    """What every port of scheduler and worker says to somebody on this machine who asks for a page."""
    import psutil

    family = [psutil.Process(os.getppid()), psutil.Process()]
    ports = {c.laddr.port for one in family for c in one.net_connections() if c.status == psutil.CONN_LISTEN}
    told = []
    for port in sorted(ports):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{page}", timeout=5) as answer:
                told.append(answer.read(200).decode())
        except OSError as error:  # 404, or a port that wants TLS
            told.append(f"refused {type(error).__name__}")
    return told


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems hide the ports of other processes")
def test_no_page_names_the_cases(tmp_path: Path) -> None:
    pages = ["/info/main/workers.html", "/json/identity.json", "/info/main/processing.html", "/metrics"]
    (told,) = (o.value for o in run_jobs(_all_pages, [("patient-name", pages)], Crew(workers=1)))
    assert told and set(told) <= {"refused HTTPError", "refused URLError", "refused ConnectionResetError"}, told


def _all_pages(pages: list[str]) -> list[str]:
    return [told for page in pages for told in _told_to_a_browser(page)]


def test_no_scheduler_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ScarSegECGLib.cohort.engine.SECONDS_TO_CONNECT", 0.3)
    with pytest.raises(InputError, match="no Dask scheduler answers at tcp://127.0.0.1:9"):
        list(run_jobs(str, [("a", "a")], Crew(scheduler="tcp://127.0.0.1:9")))
    with pytest.raises(InputError, match="no Dask scheduler answers"):
        list(run_jobs(str, [("a", "a")], Crew(scheduler="nonsense://")))


def test_nothing_to_do_starts_nothing() -> None:
    assert list(run_jobs(str, [], Crew(scheduler="tcp://127.0.0.1:9"))) == []
