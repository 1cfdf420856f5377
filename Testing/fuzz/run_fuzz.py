"""Give the readers broken files by the thousand: ``python Testing/fuzz/run_fuzz.py ecg --count 5000 --seed 1``.

What is mutated stands in a module beside this one, ``<name>_mutations.py`` (``ecg``, ``volume`` ...), which offers::

    def cases(seed: int, count: int) -> Iterable[tuple[str, Callable[[Path], object]]]:
        '''Yield exactly ``count`` cases, the same ones for the same seed.'''

A case is its name, which says how to make it again (kind of file, mutation, number), and a callable. The callable
gets an empty folder, writes its broken file or files there, hands them to the library's reader and returns what the
reader gave. Reading the seeds and mutating them belong in the callable, or are lazy, so that one case alone is cheap
to repeat (``--only NAME``). The callable catches nothing: a result or :class:`InputError` is right; everything else
is a failure. This file judges, and also that

* the error is one line, at most 400 characters, without the folder's path and without :data:`MARK`, which mutations
  put where a file has a patient's name, identifier or date of birth,
* no case takes more than 1 GB of memory, nor touches the network, nor ends the process, nor goes on for ever: a worker
  that has computed for a minute, or stood still for ten, is ended. How long the slowest case took is printed.

Each case runs in a forked worker, so that a hang or a crash of one does not stop the others. Linux only (/proc).
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import multiprocessing
import os
import socket
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

HERE = Path(__file__).resolve().parent
for _folder in (HERE, HERE.parent.parent / "ScarSegECG"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

from ScarSegECGLib.errors import InputError  # noqa: E402

Case = tuple[str, Callable[[Path], object]]

# Stands where a patient's name, identifier or birth date stands; no error may show it.
MARK = "Zzpatient"
ENDLESS_S, HUNG_S = 60.0, 600.0
LARGEST_MB = 1024.0
LONGEST_LINE = 400
CASES_PER_WORKER = 1000  # each makes its seeds anew
# Thousands of folders are made and removed; a disk would take longer over them than the readers over the files.
FOLDERS = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@dataclass(frozen=True)
class Outcome:
    """What became of one case: ``fault`` is empty where all is well, ``said`` is the InputError's text or ""."""

    name: str
    said: str
    fault: str
    seconds: float
    megabytes: float


def judge(case: Case) -> Outcome:
    """Run one case here, in an empty temporary folder, and say what is wrong with how it ended."""
    name, run = case
    said = fault = ""
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=FOLDERS) as folder:
        before, start = _reset_peak(), time.process_time()
        try:
            with warnings.catch_warnings(), no_network():
                warnings.simplefilter("ignore")
                run(Path(folder))
        except InputError as error:
            said = str(error)
            fault = _fault_of_text(said, folder)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            fault = f"{type(error).__module__}.{type(error).__name__}: {str(error)[:200]}"
        seconds, megabytes = time.process_time() - start, _peak() - before
    if megabytes > LARGEST_MB:
        fault = fault or f"took {megabytes:.0f} MB"
    return Outcome(name, said, fault, seconds, megabytes)


def run_all(cases: Iterable[Case]) -> Iterator[Outcome]:
    """Judge cases in forked workers; a worker that hangs or dies is replaced."""
    waiting = iter(cases)
    while batch := list(islice(waiting, CASES_PER_WORKER)):
        while batch:
            done = 0
            for outcome in _in_worker(batch):
                done += 1
                yield outcome
            batch = batch[done:]


def _in_worker(batch: list[Case]) -> Iterator[Outcome]:
    """Outcomes until the batch is done or the worker had to be given up; the case it fell on is the last outcome."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    worker = context.Process(target=_work, args=(batch, theirs), daemon=True)
    worker.start()
    theirs.close()
    try:
        for name, _ in batch:
            start = time.monotonic()
            fault = "" if _answers(ours, worker.pid or 0) else "hung"
            if not fault:
                try:
                    yield ours.recv()
                    continue
                except EOFError:
                    worker.join()
                    fault = f"ended the process (exit code {worker.exitcode})"
            yield Outcome(name, "", fault, time.monotonic() - start, 0.0)
            return
    finally:
        if worker.is_alive():
            worker.kill()
        worker.join()
        ours.close()


def _answers(pipe, pid: int) -> bool:  # type: ignore[no-untyped-def]
    """Whether the worker's next outcome comes before it is taken for endless."""
    start, computed = time.monotonic(), _computed_s(pid)
    while not pipe.poll(0.5):
        if _computed_s(pid) - computed > ENDLESS_S or time.monotonic() - start > HUNG_S:
            return False
    return True


def _computed_s(pid: int) -> float:
    """Processor time of a process so far; 0 where it is gone."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def _work(batch: list[Case], pipe) -> None:  # type: ignore[no-untyped-def]
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)  # readers that print say nothing that belongs to the summary
    os.dup2(silent, 2)
    for case in batch:
        pipe.send(judge(case))
    pipe.close()


@contextlib.contextmanager
def no_network() -> Iterator[None]:
    """Every attempt to look up or open a connection raises."""

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("the network was touched")

    kept = socket.socket.connect, socket.getaddrinfo
    socket.socket.connect, socket.getaddrinfo = refuse, refuse  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        socket.socket.connect, socket.getaddrinfo = kept  # type: ignore[method-assign]


def _fault_of_text(said: str, folder: str) -> str:
    if not said.strip() or "\n" in said or "\r" in said:
        return "the error is not one line"
    if not said.isprintable():
        return "the error holds control characters"
    if len(said) > LONGEST_LINE:
        return f"the error has {len(said)} characters"
    if folder in said:
        return "the error shows the folder's path"
    return "the error shows patient data" if MARK.lower() in said.lower() else ""


def _reset_peak() -> float:
    """Start measuring peak memory anew; returns the memory in use, MB."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _peak() -> float:
    return _status("VmHWM")


def _status(entry: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next((float(line.split()[1]) / 1024 for line in lines if line.startswith(entry + ":")), 0.0)


def load(name: str) -> Callable[[int, int], Iterable[Case]]:
    """The function ``cases`` of ``<name>_mutations.py``."""
    return importlib.import_module(f"{name}_mutations").cases


def main(arguments: list[str] | None = None) -> int:
    """Run, print a summary; 1 where a case failed."""
    names = sorted(path.stem.removesuffix("_mutations") for path in HERE.glob("*_mutations.py"))
    parser = argparse.ArgumentParser(description="Broken files for the readers.")
    parser.add_argument("what", choices=[*names, "all"])
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", metavar="TEXT", help="only cases with this in their name")
    args = parser.parse_args(arguments)
    wrong = 0
    for name in names if args.what == "all" else [args.what]:
        cases = (case for case in load(name)(args.seed, args.count) if not args.only or args.only in case[0])
        start, outcomes = time.monotonic(), []
        for outcome in run_all(cases):
            outcomes.append(outcome)
            if outcome.fault:
                print(f"FAILED {outcome.name}: {outcome.fault}", flush=True)
        failed = sum(bool(outcome.fault) for outcome in outcomes)
        refused = sum(bool(outcome.said) for outcome in outcomes)
        print(
            f"{name}: {len(outcomes)} cases, {refused} refused, {len(outcomes) - refused - failed} read, "
            f"{failed} failed; slowest {max((o.seconds for o in outcomes), default=0):.2f} s, "
            f"most memory {max((o.megabytes for o in outcomes), default=0):.0f} MB, "
            f"{time.monotonic() - start:.0f} s in all (seed {args.seed})"
        )
        if args.only:
            for said, count in Counter(outcome.said for outcome in outcomes).most_common(20):
                print(f"{count:6d}  {said or '(a result)'}")
        wrong += failed
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
