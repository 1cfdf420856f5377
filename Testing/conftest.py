"""Fixtures every room's tests share."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

# The suite runs in one process a core (`make test`). Threads of one's own would wait for each other's cores; programs
# that tests start inherit this.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

# A change is judged on the same examples twice; elsewhere every run draws new ones. No test asserts a time.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real LGE and ECG data, which is never part of the project; skips where it is absent."""
    folder = Path(os.environ.get("SCARSEGECG_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("real LGE and ECG data not found; set SCARSEGECG_DATA to their folder to run this test")
    return folder


@pytest.fixture
def at_most_mb() -> Callable[[float], AbstractContextManager[None]]:
    """``with at_most_mb(5): ...`` fails where what is inside ever held more megabytes: what a bomb must not fill."""

    @contextmanager
    def held(megabytes: float) -> Iterator[None]:
        tracemalloc.start()
        try:
            yield
            assert tracemalloc.get_traced_memory()[1] < megabytes * 2**20
        finally:
            tracemalloc.stop()

    return held
