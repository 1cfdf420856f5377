"""A computation beside the panel: a worker thread that a timer looks at."""

import threading
import time
from collections.abc import Callable
from typing import Any

ProgressCallback = Callable[[float, str], None]

# Inside Slicer the main thread keeps Python's lock while Qt waits for events, so a worker gets on only while the
# main thread waits for it in Python: the poll gives it this long at a time, which the window does not feel.
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
    def remainingSeconds(self) -> float | None:
        """By the pace so far; None while that says nothing yet."""
        fraction, elapsed = self.progress[0], time.monotonic() - self._began
        return elapsed * (1 - fraction) / fraction if fraction >= 0.1 else None

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
