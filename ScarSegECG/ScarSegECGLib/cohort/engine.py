"""One function over many cases: on Dask (a local cluster or one that is there), or one after the other right here.

What can go wrong with a case is an :class:`Outcome` like any other; what stops the whole run is an InputError.
"""

from __future__ import annotations

import gc
import logging
import os
import secrets
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Generic, TypeVar

from ScarSegECGLib import __version__
from ScarSegECGLib.errors import InputError

Argument = TypeVar("Argument")
Value = TypeVar("Value")
NEEDED_PER_WORKER = 2 * 2**30
"""Memory that a worker with loaded networks and one large stack may need, bytes."""
SECONDS_TO_CONNECT = 10.0
SECONDS_FOR_A_WORKER = 60.0
SECONDS_WITHOUT_WORKERS = 300.0
SECONDS_BETWEEN_LOOKS = 10.0
POLL_S = 0.05
DEATHS = 2
"""Workers that a case may kill before it is left."""
_INSTALL = "many cases at once need Dask: pip install 'scarsegecg[cohort]'"
_NOBODY = "no worker is left; finished cases are whole, and the same command takes up the rest"
_LOST = "the scheduler went away; every finished case is whole, and the same command takes up the rest"


class Trouble(Enum):
    """Why there is no value of a case."""

    REFUSED = "refused"  # an InputError: something about the case is to be put right
    FAULT = "fault"  # any other exception
    KILLED = "killed"  # the worker died with it, and so did the next


@dataclass(frozen=True)
class Outcome(Generic[Value]):
    """What became of one case: its value, or the trouble and its words (never a path or a name).

    ``error`` is the class of the exception, of a fault also where it was raised; ``seconds`` is how long the function
    ran, 0 where its worker died.
    """

    name: str
    value: Value | None = None
    trouble: Trouble | None = None
    error: str = ""
    words: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Crew:
    """Who does the work: ``workers`` processes of this machine, or those of the scheduler at ``scheduler``.

    ``memory`` is the limit of a local worker, bytes; ``prepare`` is called once in every worker, before any case.
    """

    workers: int | None = None
    scheduler: str | None = None
    memory: int | None = None
    prepare: Callable[[], object] | None = None


def default_workers() -> int:
    """As many as there are cores, and memory for."""
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, psutil.virtual_memory().available // NEEDED_PER_WORKER))


def run_here(
    work: Callable[[Argument], Value], jobs: Sequence[tuple[str, Argument]], prepare: Callable[[], object] | None = None
) -> Iterator[Outcome[Value]]:
    """One case after the other in this process: no Dask is needed."""
    if prepare:
        prepare()
    for name, argument in jobs:
        yield _guarded_work(work, name, argument)


def run_jobs(
    work: Callable[[Argument], Value], jobs: Sequence[tuple[str, Argument]], crew: Crew
) -> Iterator[Outcome[Value]]:
    """Outcomes in the order in which they come; the crew is gone once the iterator is.

    Parameters
    ----------
    work : function of a module
        Called with a job's argument in a worker. What it raises is an outcome.
    jobs : sequence of (name, argument)
        Names are unique.
    crew : Crew

    Raises
    ------
    InputError
        Dask is not installed, there is no scheduler or worker, other versions of it, or it went away.
    """
    if not jobs:
        return
    try:
        from distributed import as_completed
    except ImportError:
        raise InputError(_INSTALL) from None
    with _client(crew, len(jobs)) as client:
        run = secrets.token_hex(4)
        futures = {
            client.submit(_guarded_work, work, name, argument, key=f"scarsegecg-{run}-{number}", pure=False): name
            for number, (name, argument) in enumerate(jobs)
        }
        try:
            done = as_completed(list(futures), with_results=True, raise_errors=False)
            news = looked = time.monotonic()
            while futures:
                for future, result in done.next_batch(block=False):
                    yield _outcome(futures.pop(future), future, result)
                    news = time.monotonic()
                time.sleep(POLL_S)
                if time.monotonic() - max(news, looked) > SECONDS_BETWEEN_LOOKS:
                    looked = time.monotonic()
                    news = looked if _has_workers(client) else news
                    if looked - news > SECONDS_WITHOUT_WORKERS:
                        raise InputError(_NOBODY)
        finally:
            _quietly(lambda: client.cancel(list(futures), force=True))


def _has_workers(client: Any) -> bool:
    """Whether anybody is there to work; a scheduler that is gone cancels what it had, which is told elsewhere."""
    try:
        return bool(client.nthreads())
    except Exception:
        return True


def _guarded_work(work: Callable[[Any], Any], name: str, argument: Any) -> Outcome:
    start = time.perf_counter()
    try:
        value = work(argument)
    except InputError as error:
        return Outcome(name, None, Trouble.REFUSED, type(error).__name__, str(error), time.perf_counter() - start)
    except Exception as error:  # its own text may quote a path or a header: only its kind and place are told
        at = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{type(error).__name__} at {Path(at.filename).name}:{at.lineno}"
        return Outcome(name, None, Trouble.FAULT, place, "", time.perf_counter() - start)
    return Outcome(name, value, seconds=time.perf_counter() - start)


def _outcome(name: str, future: Any, result: Any) -> Outcome:
    """What Dask gathered: our own outcome, or why there is none as exception or (class, exception, traceback)."""
    from distributed.scheduler import KilledWorker

    if isinstance(result, Outcome):
        return result
    if future.status in ("cancelled", "lost"):  # not by us
        raise InputError(_LOST)
    error = result[1] if isinstance(result, tuple) else result
    if isinstance(error, KilledWorker):
        return Outcome(name, None, Trouble.KILLED, KilledWorker.__name__)
    return Outcome(name, None, Trouble.FAULT, type(error).__name__)


@contextmanager
def _client(crew: Crew, jobs: int) -> Iterator[Any]:
    import dask
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    settings = {
        "distributed.scheduler.allowed-failures": DEATHS - 1,
        "distributed.scheduler.worker-saturation": 1.0,  # a case waits at the scheduler, not at a worker that may die
        "distributed.deploy.lost-worker-timeout": "1h",  # else one that takes long to start again is given up
        "distributed.scheduler.worker-ttl": "1h",  # a worker that says nothing works; one that died is told otherwise
        "distributed.admin.tick.limit": "1h",  # a network holds the interpreter; nobody needs to hear of it
        "distributed.worker.daemon": True,
        "distributed.worker.profile.enabled": False,  # a tree of call stacks that grows with every case
        "distributed.admin.system-monitor.log-length": 100,
        "distributed.scheduler.http.routes": [],  # pages in clear text, which name the cases
        "distributed.worker.http.routes": [],
        "distributed.nanny.http.routes": [],
    }
    gc.collect()  # an earlier run's client that is finalised while a loop is being started waits for that for ever
    with dask.config.set(settings):
        if crew.scheduler:
            cluster, client = None, _joined(crew.scheduler, Client)
        else:
            cluster = LocalCluster(
                n_workers=min(crew.workers or default_workers(), jobs),
                threads_per_worker=1,
                processes=True,
                memory_limit=crew.memory or "auto",
                dashboard_address=None,
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # any port: a second run finds 8787 taken
                silence_logs=logging.CRITICAL,
                security=True,  # other users of this machine can reach a port of loopback
            )
            client = Client(cluster)
        try:
            if crew.prepare is not None:
                client.register_plugin(_plugin(crew.prepare))
            if crew.scheduler:
                _check_workers(client)
            yield client
        finally:
            if crew.prepare is not None and crew.scheduler:
                _quietly(lambda: client.unregister_worker_plugin(_PLUGIN))
            _quietly(lambda: client.close(timeout=5))
            if cluster is not None:
                _quietly(lambda: cluster.close(timeout=10))


_PLUGIN = "scarsegecg"


def _plugin(prepare: Callable[[], object]) -> Any:
    from distributed import WorkerPlugin

    class Prepared(WorkerPlugin):
        """Makes a worker ready once, also one that replaces a dead one."""

        name = _PLUGIN

        def setup(self, worker: Any) -> None:
            prepare()
            gc.collect()
            gc.freeze()  # libraries and networks stay: looking through them after every case takes a tenth of a second

    return Prepared()


def _joined(address: str, client: Any) -> Any:
    try:
        return client(address, timeout=SECONDS_TO_CONNECT)
    except (OSError, ValueError, TimeoutError):
        raise InputError(f"no Dask scheduler answers at {address[:80]}; check the address and that it runs") from None


def _check_workers(client: Any) -> None:
    """That a worker is there, and that all parts speak one language and hold this library.

    Raises
    ------
    InputError
    """
    try:
        client.wait_for_workers(1, timeout=SECONDS_FOR_A_WORKER)
    except TimeoutError:
        raise InputError("the scheduler has no worker; start some and try again") from None
    told = client.get_versions()
    mine = told["client"]
    for role, one in [("scheduler", told["scheduler"]), *(("a worker", worker) for worker in told["workers"].values())]:
        for name in ("dask", "distributed", "msgpack", "cloudpickle"):
            other, own = (side["packages"].get(name) for side in (one, mine))
            if other != own:
                raise InputError(f"{role} has {name} {other}, this machine {own}; install the same versions")
        if one["host"]["python"].split(".")[:2] != mine["host"]["python"].split(".")[:2]:
            raise InputError(f"{role} runs Python {one['host']['python']}, this machine {mine['host']['python']}")
    try:
        versions = set(client.run(_library_version).values())
    except Exception:
        raise InputError("a worker cannot import ScarSegECGLib; install scarsegecg where the workers run") from None
    if versions - {__version__}:
        raise InputError(f"a worker has scarsegecg {min(versions - {__version__})}, this machine {__version__}")


def _library_version() -> str:
    from ScarSegECGLib import __version__ as version

    return version


def _quietly(end: Callable[[], object]) -> None:
    """Closing what may be gone already."""
    try:
        end()
    except Exception:
        logging.getLogger(__name__).debug("not closed", exc_info=True)
