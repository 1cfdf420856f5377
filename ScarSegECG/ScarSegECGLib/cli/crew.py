"""Who works on many cases, how far they are, and what becomes of each: for every verb that takes more than one."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from ScarSegECGLib.cli.options import refuse
from ScarSegECGLib.cli.terminal import warn
from ScarSegECGLib.cohort.engine import Argument, Crew, Outcome, Trouble, Value, run_here, run_jobs
from ScarSegECGLib.errors import InputError

if TYPE_CHECKING:
    from ScarSegECGLib.cohort.options import Networks

READING = "reading {done} of {of} files"
Prepare = Callable[[], object] | None
_SIZE = re.compile(r"(\d+(?:[.,]\d+)?)\s*([MG])i?B", re.IGNORECASE)


def crew_of(args: argparse.Namespace, prepare: Prepare = None) -> Crew:
    """Who was asked to do the work; InputError for options that contradict each other or are no numbers."""
    if args.scheduler:
        refuse(args, "--workers", "--memory", why="is of a local cluster: leave it out with --scheduler")
    if args.workers is not None and not 1 <= args.workers <= 1024:
        raise InputError("--workers must be 1 to 1024")
    return Crew(args.workers, args.scheduler, None if args.memory is None else _bytes(args.memory), prepare)


def _bytes(memory: str) -> int:
    found = _SIZE.fullmatch(memory.strip())
    size = float(found[1].replace(",", ".")) * (2**20 if found[2] in "mM" else 2**30) if found else 0.0
    if size < 2**29:
        raise InputError("--memory is a number with its unit, such as 4GB, and at least 512MB")
    return int(size)


def networks_of(args: argparse.Namespace) -> Networks:
    """The networks that every process is to load."""
    from ScarSegECGLib.cohort.options import Networks, weights_sha256  # and with it readers that a PACS verb can spare

    weights = args.weights.absolute() if args.weights else None
    return Networks(weights, args.device, weights_sha256(weights))


@contextmanager
def progress_bar(title: str, quiet: bool, delay_s: float = 0) -> Iterator[Callable[[float, str], None]]:
    """A bar on stderr for what takes ``delay_s``; the yielded function takes the fraction done, and what is done."""
    layout = "{desc}: {percentage:3.0f}%|{bar:24}| {elapsed}<{remaining} {postfix}"
    with tqdm(total=1.0, desc=title, bar_format=layout, disable=quiet, delay=delay_s) as bar:

        def tell(fraction: float, text: str) -> None:
            bar.set_postfix_str(text, refresh=False)
            bar.update(max(0.0, fraction - bar.n))

        yield tell
        tell(1.0, "done")


def counted(tell: Callable[[float, str], None], what: str, share: float = 1.0) -> Callable[[int, int], None]:
    """Tells a bar, of which it has that share, how much is done of how many; ``what`` says it in words."""
    return lambda done, of: tell(share * done / max(done, of), what.format(done=done, of=of))


def case_bar(title: str, quiet: bool, todo: int, total: int) -> tqdm:
    """A bar of cases with the remaining time, ``todo`` of ``total`` to do."""
    return tqdm(total=total, initial=total - todo, desc=title, unit="case", disable=quiet or not todo, smoothing=0.1)


def tell_trouble(outcome: Outcome, bar: tqdm) -> None:
    """A case is done: its trouble as it happens, whatever -q says."""
    if outcome.trouble is not None:
        fault = "two workers died with it" if outcome.trouble is Trouble.KILLED else f"internal error ({outcome.error})"
        warn(f"{outcome.name}: {outcome.words or fault}")
    bar.update(1)


def outcomes_of(
    crew: Crew, work: Callable[[Argument], Value], jobs: Sequence[tuple[str, Argument]]
) -> Iterator[Outcome[Value]]:
    """What becomes of each case: in this process, or with --workers or --scheduler on Dask."""
    return run_here(work, jobs, crew.prepare) if crew == Crew(prepare=crew.prepare) else run_jobs(work, jobs, crew)


def done_in_order(
    args: argparse.Namespace, work: Callable[[Path], Value], folders: Sequence[Path], prepare: Prepare = None
) -> list[Value]:
    """The values of all cases' folders in their order; InputError for the first trouble told."""
    found: dict[str, Value] = {}
    jobs = [(folder.name, folder.absolute()) for folder in folders]
    with case_bar(args.verb, args.quiet, len(jobs), len(jobs)) as bar:
        for outcome in outcomes_of(crew_of(args, prepare), work, jobs):
            if outcome.trouble is Trouble.REFUSED:
                raise InputError(outcome.words)
            if outcome.trouble is not None:
                raise RuntimeError(f"{outcome.name}: {outcome.trouble.value} {outcome.error}")
            assert outcome.value is not None
            found[outcome.name] = outcome.value
            bar.update(1)
    return [found[name] for name, _ in jobs]
