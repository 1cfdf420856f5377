"""A computation beside the panel: a worker thread that a timer looks at, and imports that do not stop the window."""

import contextlib
import ctypes
import gc
import importlib.util
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import qt

ProgressCallback = Callable[[float, str], None]

POLL_MS = 10
# A worker gets on only while it holds Python's lock. Whether the main thread lets go of it while Qt waits for events
# depends on how an application was built, so each look also waits this long for the worker, in Python, where the lock
# is let go of for certain: too short for the window to be felt, and enough for the worker wherever it is all it gets.
GIVEN_SECONDS = 0.04


class RunCancelled(Exception):
    """Raised inside the worker at its next sign of progress after Cancel."""


class Run:
    """One computation in a worker thread, which gets arrays and gives a result and never touches MRML, VTK or Qt.

    When it is over ``done`` is called with it in the main thread; ``result`` or ``error`` is set then, neither after a
    cancel. Before that ``look`` is called with it every now and then.

    >>> run = Run(lambda progress: 42, lambda run: print(run.result))
    """

    def __init__(self, work: Callable[[ProgressCallback], Any], done=lambda run: None, look=lambda run: None) -> None:
        self.progress: tuple[float, str] = (0.0, "")
        self.result: Any = None
        self.error: Exception | None = None
        self.cancelled = False
        self._done, self._look = done, look
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MS)
        self._timer.connect("timeout()", self._onTick)
        self._timer.start()

    @property
    def finished(self) -> bool:
        return not self._thread.is_alive()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def cancel(self) -> None:
        """Ask the worker to stop; it does at its next sign of progress."""
        self.cancelled = True

    def drop(self) -> None:
        """Cancel, and hear no more of it."""
        self.cancel()
        self._stopLooking()

    def wait(self, seconds: float) -> None:
        self._thread.join(seconds)

    def _onTick(self) -> None:
        self.wait(GIVEN_SECONDS)
        if self._timer is None:
            return
        if self.finished:
            self._stopLooking()
            self._done(self)
        elif not self.cancelled:
            self._look(self)

    def _stopLooking(self) -> None:
        """The timer goes: while it lives, PythonQt holds what it calls, and with it the result."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.stop()
            timer.deleteLater()

    def _run(self, work: Callable[[ProgressCallback], Any]) -> None:
        try:
            result = work(self._onProgress)
            if not self.cancelled:
                self.result = result
        except RunCancelled:
            pass
        except Exception as error:  # whatever it is, the main thread has to tell the user
            self.error = error

    def _onProgress(self, fraction: float, text: str) -> None:
        if self.cancelled:
            raise RunCancelled
        self.progress = (fraction, text)


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """What a worker imports in here does not stop the window.

    The imports of PyTorch and its like make some hundred thousand lasting objects. Python's collector would go through
    all of them and all of Slicer's, again and again, and every thread stands still meanwhile: it rests here, and takes
    what has come for old afterwards, without looking at it.
    """
    wasOn = gc.isenabled()
    gc.disable()
    try:
        _loadTorch()
        yield
    finally:
        gc.freeze()
        gc.unfreeze()  # into the oldest generation
        if wasOn:
            gc.enable()


def _loadTorch() -> None:
    """Bring PyTorch's own libraries into memory by the system's loader, which lets go of Python's lock.

    An import holds the lock while it loads a library, and these take a second the first time. Where this cannot be
    done, the import does it all.
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
