"""Slicer's "Reload" imports ScarSegECG.py alone anew; this lets the panel's and the library's files follow it."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager

PACKAGES = ("ScarSegECG", "ScarSegECGPanel", "ScarSegECGLib")


def _ours() -> dict:
    return {name: module for name, module in sys.modules.items() if name.partition(".")[0] in PACKAGES}


@contextmanager
def importedAnew() -> Iterator[None]:
    """What is imported inside comes from the files as they are now; after an error everything is as it was before.

    The modules are forgotten rather than each reloaded in its place: no order has to be kept, and what still holds
    the former classes (a worker that is being cancelled) goes on with them unharmed.
    """
    before = _ours()
    for name in before:
        del sys.modules[name]
    importlib.invalidate_caches()
    try:
        yield
    except BaseException:
        for name in _ours():
            del sys.modules[name]
        sys.modules.update(before)
        raise
