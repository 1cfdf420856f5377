"""Kill a job at every call that Python makes to the file system, one run for each, and look at the disk after each.

A test gives a job, how the disk is to look before each run, and what must hold after it::

    def test_killed(tmp_path):
        count = killed_at_every_call(job, tmp_path, prepare=fresh, check=whole)
        assert count > 10

For a job that takes long, :func:`watched_at_every_call` runs it once and looks at the disk before every call: SIGKILL
there would leave just that; :func:`killed_at` then kills it at some of them. POSIX only: each run that is killed is a
fork of the test's own process.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

# What CPython announces before it asks the system; with a path, or two, among the arguments.
_CALLS = {
    "open", "os.chmod", "os.chown", "os.link", "os.listdir", "os.mkdir", "os.remove", "os.rename", "os.rmdir",
    "os.scandir", "os.symlink", "os.truncate", "os.utime",
}  # fmt: skip
_watchers: list[Callable[[str], None]] = []


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if _watchers and event in _CALLS:
        for argument in arguments[:2]:
            if isinstance(argument, str | bytes | os.PathLike):
                _watchers[-1](os.fsdecode(argument))
                return


_hooked: list[bool] = []


@contextmanager
def watched_at_every_call(folder: Path, look: Callable[[], None]) -> Iterator[list[str]]:
    """Call ``look`` before every call that concerns ``folder``; yields the paths of these calls as they come."""
    calls: list[str] = []

    def watch(path: str) -> None:
        # shutil.rmtree names what it removes from within its folder
        if path.startswith(str(folder)) or not Path(path).is_absolute():
            _watchers.append(lambda _path: None)  # what ``look`` itself does is not looked at
            try:
                calls.append(path)
                look()
            finally:
                _watchers.pop()

    if not _hooked:  # a hook stays for as long as the process lives
        sys.addaudithook(_hook)
        _hooked.append(True)
    _watchers.append(watch)
    try:
        yield calls
    finally:
        _watchers.pop()


def killed_at_every_call(
    job: Callable[[], object],
    folder: Path,
    *,
    prepare: Callable[[], object],
    check: Callable[[], object],
    most: int = 2000,
) -> int:
    """Run ``prepare``, the job killed before its n-th call that concerns ``folder``, and ``check``, for n = 1, 2, ...

    Ends with the run that is not killed any more, after which ``check`` is called too. Returns how often it was killed.
    """
    for number in range(1, most):
        prepare()
        killed = killed_at(job, folder, number)
        check()
        if not killed:
            return number - 1
    raise AssertionError(f"over {most} calls: is the job never done?")


def killed_at(job: Callable[[], object], folder: Path, number: int) -> bool:
    """Run the job in a fork that kills itself before its call of that number; ``False``: it came to its end."""
    child = os.fork()
    if not child:
        _in_the_fork(job, folder, number)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL, f"ended by signal {os.WTERMSIG(status)}"
        return True
    assert os.WEXITSTATUS(status) == 0, f"the job failed in its run {number}"
    return False


def _in_the_fork(job: Callable[[], object], folder: Path, number: int) -> None:
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    left = number

    def count() -> None:
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    code = 1
    try:
        with watched_at_every_call(folder, count):
            job()
        code = 0
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(code)
