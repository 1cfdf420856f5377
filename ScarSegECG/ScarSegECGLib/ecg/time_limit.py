"""End a computation that takes too long, wherever in a library's Python code it is."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

# Where a thread's own time cannot be told from outside it, time by the clock counts, of which others use a part.
_BY_THE_CLOCK = 3.0


class TooLong(BaseException):
    """The time is over; not an Exception, because libraries catch those."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise :class:`TooLong` inside the block once this thread has computed for ``seconds`` in it.

    Only code in Python can be ended so: one call into compiled code is always finished first.
    """
    thread = ctypes.c_ulong(threading.get_ident())
    raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
    ended, turn, fired = threading.Event(), threading.Lock(), threading.Event()
    clock, seconds = _clock(seconds)
    deadline = clock() + seconds

    def watch() -> None:
        while (left := deadline - clock()) > 0:
            if ended.wait(max(left, 0.02)):
                return
        with turn:
            if not ended.is_set():
                fired.set()
                raise_in(thread, ctypes.py_object(TooLong))

    threading.Thread(target=watch, daemon=True).start()
    arrived = False
    try:
        yield
    except TooLong:
        arrived = True
        raise
    finally:
        ended.set()
        with turn:
            on_its_way = fired.is_set() and not arrived
        if on_its_way:
            # It is awaited, not called back: calling it back would leave the interpreter looking for it at every step,
            # and Python 3.11 under a tracer hangs for good in that state.
            with suppress(TooLong):
                for _ in range(50):
                    time.sleep(0.001)


def _clock(seconds: float) -> tuple[Callable[[], float], float]:
    """This thread's own time, as other threads can read it, and the limit by that clock."""
    try:
        own = time.pthread_getcpuclockid(threading.get_ident())
        return (lambda: time.clock_gettime(own)), seconds
    except (AttributeError, OSError):
        return time.monotonic, seconds * _BY_THE_CLOCK
