"""A computation in Python is ended when its time is over, and nothing of that is left afterwards."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

import ScarSegECGLib
from ScarSegECGLib.ecg.time_limit import TooLong, time_limit

UNDER_A_TRACER = """
import sys
from ScarSegECGLib.ecg.time_limit import time_limit

def step(): return 1

sys.settrace(lambda *_: None)
with time_limit(5.0):
    step()
print(sum(step() for _ in range(1000)))
"""


def test_what_takes_too_long_is_ended() -> None:
    with pytest.raises(TooLong), time_limit(0.2):
        while True:
            pass
    assert sum(range(100_000)) == 4999950000  # nothing comes later


def test_what_ends_in_time_is_left_alone() -> None:
    for _ in range(20):
        with time_limit(0.05):
            sum(range(1000))
    time.sleep(0.1)


def test_an_error_inside_stays_what_it_is() -> None:
    with pytest.raises(KeyError), time_limit(1.0):
        raise KeyError


def test_a_tracer_goes_on_afterwards() -> None:
    """Calling an exception back left Python 3.11 under a tracer (coverage, a debugger) in an endless loop."""
    folder = Path(ScarSegECGLib.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", UNDER_A_TRACER],
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == b"1000\n"
