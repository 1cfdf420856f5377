"""A computation beside the panel: a worker thread that a timer looks at."""

import threading
from collections.abc import Callable

from ScarSegECGLib.case import ScarResult

ProgressCallback = Callable[[float, str], None]


class RunCancelled(Exception):
    """Raised inside the worker at its next sign of progress after Cancel."""


class SegmentationRun:
    """One computation in a worker thread.

    The worker gets arrays and gives a result; it never touches MRML, VTK or Qt. The main thread asks
    :attr:`finished` from a timer, then reads :attr:`result` or :attr:`error` (both None after a cancel).

    >>> run = SegmentationRun(lambda progress: 42)
    >>> while not run.finished:
    ...     slicer.app.processEvents()
    >>> run.result
    42
    """

    def __init__(self, work: Callable[[ProgressCallback], ScarResult]) -> None:
        self.progress: tuple[float, str] = (0.0, "")
        self.result: ScarResult | None = None
        self.error: Exception | None = None
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    @property
    def finished(self) -> bool:
        return not self._thread.is_alive()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Ask the worker to stop; it does at its next sign of progress."""
        self._cancelled.set()

    def wait(self, seconds: float) -> None:
        """Wait so long at most; for tests and scripts."""
        self._thread.join(seconds)

    def _run(self, work: Callable[[ProgressCallback], ScarResult]) -> None:
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
