"""What the panel's sections have in common, and a computation beside the panel: a thread that a timer looks at."""

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
import slicer

from ScarSegECGPanel.nodes import VIEWS, Grid

ProgressCallback = Callable[[float, str], None]

POLL_MS = 10
# A worker gets on only while it holds Python's lock. Whether the main thread lets go of it while Qt waits for events
# depends on how an application was built, so each look also waits this long for the worker, in Python, where the lock
# is let go of for certain: too short for the window to be felt, and enough for the worker wherever it is all it gets.
GIVEN_SECONDS = 0.04


class RunCancelled(Exception):
    """Raised inside the worker at its next sign of progress after Cancel."""


class Run(threading.Thread):
    """One computation in a worker thread, which gets arrays and gives a result and never touches MRML, VTK or Qt.

    When it is over ``done`` is called with it in the main thread; ``result`` or ``error`` is set then, neither after a
    cancel. Before that ``look`` is called with it every now and then.
    """

    def __init__(self, work: Callable[[ProgressCallback], Any], done: Callable, look=lambda run: None) -> None:
        super().__init__(daemon=True)
        self.progress: tuple[float, str] = (0.0, "")
        self.result: Any = None
        self.error: Exception | None = None
        self.cancelled = False
        self.seconds = 0.0  # since it began, at the last look
        self._work, self._whenDone, self._look = work, done, look
        self._began = time.monotonic()
        self.start()
        self._timer = qt.QTimer()
        self._timer.connect("timeout()", self._onTick)
        self._timer.start(POLL_MS)

    def cancel(self) -> None:
        """Ask the worker to stop; it does at its next sign of progress."""
        self.cancelled = True

    def drop(self) -> None:
        """Cancel, and hear no more of it."""
        self.cancel()
        self._stopLooking()

    def _onTick(self) -> None:
        self.join(GIVEN_SECONDS)
        if not self.is_alive():
            self._stopLooking()
            self._whenDone(self)
        elif not self.cancelled:
            self.seconds = time.monotonic() - self._began
            self._look(self)

    def _stopLooking(self) -> None:
        """The timer goes: while it lives, PythonQt holds what it calls, and with it the result."""
        self._timer.stop()
        self._timer.deleteLater()
        self._timer = None

    def run(self) -> None:
        work, self._work = self._work, None
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


class Section:
    """One part of the panel.

    The panel calls :meth:`update` when the parameter node has changed, :meth:`onStudy` when the case at hand has, and
    :meth:`release` when it stops following the scene and every node is to be let go.
    """

    ofCase: tuple[str, ...] = ()  # widgets that make sense only with a case at hand

    def __init__(self, panel, clicks: dict[str, Callable[[], None]]) -> None:
        """``clicks`` says what each of the section's buttons does."""
        self.panel, self.ui = panel, panel.ui
        self.run: Run | None = None
        self._timers: list = []
        for name, action in clicks.items():
            getattr(self.ui, name).connect("clicked(bool)", lambda _checked=False, action=action: action())

    @property
    def parameters(self):  # None while the panel follows none
        return self.panel.parameterNode

    @property
    def study(self):  # None before the first Apply
        return self.panel.logic.study

    @property
    def grid(self) -> Grid:
        return Grid(self.parameters.inputVolume, self.study.segmented.stack)

    def timer(self, action: Callable[[], None], *, once: bool = True):
        timer = qt.QTimer()
        timer.setSingleShot(once)
        timer.connect("timeout()", action)
        self._timers.append(timer)
        return timer

    def compute(self, work: Callable, done: Callable[[Run], None], look: Callable[[Run], None] = lambda run: None):
        """Do ``work`` beside the panel, as :class:`Run` does; ``run`` is None again when ``done`` is called."""

        def over(run: Run) -> None:
            self.run = None
            done(run)

        self.run = Run(work, over, look)

    def hearClicks(self, on: bool, priority: float, **slots: Callable) -> None:
        """Whether slots, by event, hear the left button in the slice views."""
        manager = slicer.app.layoutManager()
        widgets = [manager.sliceWidget(name) for name in VIEWS] if on and manager else []
        for event, slot in slots.items():
            self.panel.removeObservers(slot)
            for widget in filter(None, widgets):
                self.panel.addObserver(widget.sliceView().interactor(), event, slot, priority=priority)

    def enable(self, on: bool, *names: str) -> None:
        for name in names:
            getattr(self.ui, name).enabled = on

    def update(self) -> None: ...

    def onStudy(self) -> None:
        self.enable(self.study is not None, *self.ofCase)

    def release(self) -> None:
        for timer in self._timers:
            timer.stop()
        if self.run:
            self.run.drop()
        self.run = None


def confirmed(question: str, **more: str) -> bool:
    return slicer.util.confirmOkCancelDisplay(question, windowTitle="ScarSegECG", **more)


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """What a worker imports in here does not stop the window.

    PyTorch and its like make some hundred thousand lasting objects. Python's collector would go through them and all of
    Slicer's again and again while every thread stands still: it rests here, and takes them for old afterwards, unseen.
    """
    gc.disable()
    try:
        _loadTorch()
        yield
    finally:
        gc.freeze()
        gc.unfreeze()  # into the oldest generation
        gc.enable()


def _loadTorch() -> None:
    """Bring PyTorch's libraries into memory, a second's work, by the system's loader, which lets go of Python's lock.

    An import holds the lock meanwhile; where this cannot be done, the import does it all.
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
