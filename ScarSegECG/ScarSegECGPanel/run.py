"""A computation beside the panel: a worker thread that a timer looks at."""

import contextlib
import ctypes
import importlib.util
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ProgressCallback = Callable[[float, str], None]

# A worker gets on only while it holds Python's lock. Whether the main thread lets go of it while Qt waits for events
# depends on how an application was built, so each poll also waits this long for the worker, in Python, where the lock
# is let go of for certain: too short for the window to be felt, and enough for the worker wherever it is all it gets.
GIVEN_SECONDS = 0.04


class RunCancelled(Exception):
    """Raised inside the worker at its next sign of progress after Cancel."""


class Run:
    """One computation in a worker thread.

    The worker gets arrays and gives a result; it never touches MRML, VTK or Qt. The main thread calls :meth:`poll` from
    a timer until it says True, then reads :attr:`result` or :attr:`error` (both None after a cancel).

    >>> run = Run(lambda progress: 42)
    >>> while not run.poll():
    ...     slicer.app.processEvents()
    >>> run.result
    42
    """

    def __init__(self, work: Callable[[ProgressCallback], Any]) -> None:
        self.progress: tuple[float, str] = (0.0, "")
        self.result: Any = None
        self.error: Exception | None = None
        self._began = time.monotonic()
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def poll(self, seconds: float = GIVEN_SECONDS) -> bool:
        """Give the worker a moment; whether it has finished."""
        self._thread.join(seconds)
        return self.finished

    @property
    def finished(self) -> bool:
        return not self._thread.is_alive()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    def cancel(self) -> None:
        """Ask the worker to stop; it does at its next sign of progress."""
        self._cancelled.set()

    def wait(self, seconds: float) -> None:
        """Wait so long at most; for tests and scripts."""
        self._thread.join(seconds)

    def _run(self, work: Callable[[ProgressCallback], Any]) -> None:
        try:
            result = work(self._onProgress)
            if not self._cancelled.is_set():
                self.result = result
        except RunCancelled:
            pass
        except Exception as error:  # whatever it is, the main thread has to tell the user
            self.error = error

    def _onProgress(self, fraction: float, text: str) -> None:
        if self._cancelled.is_set():
            raise RunCancelled
        self.progress = (fraction, text)


def loadTorch() -> None:
    """Bring PyTorch's own libraries into memory without holding Python's lock; for a worker, before it imports torch.

    Python holds its lock while an import loads a library, and these take a second the first time, during which the
    window would stand still. The system's loader, called as any C function is, lets go of the lock. Where that cannot
    be done, the import does it all.
    """
    found = None if "torch" in sys.modules else importlib.util.find_spec("torch")
    if found is None or found.origin is None or os.name == "nt":  # on Windows torch itself loads them in this way
        return
    with contextlib.suppress(OSError, AttributeError):
        load = ctypes.CDLL(None).dlopen
        load.argtypes, load.restype = [ctypes.c_char_p, ctypes.c_int], ctypes.c_void_p
        for name in ("c10", "torch_cpu", "torch_python"):
            for path in sorted((Path(found.origin).parent / "lib").glob(f"lib{name}.*")):
                load(os.fsencode(path), os.RTLD_LAZY | os.RTLD_GLOBAL)
