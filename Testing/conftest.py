"""Fixtures every room's tests share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# A change is judged on the same examples twice; elsewhere every run draws new ones.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real LGE and ECG data, which is never part of the project; skips where it is absent."""
    folder = Path(os.environ.get("SCARSEGECG_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("real LGE and ECG data not found; set SCARSEGECG_DATA to their folder to run this test")
    return folder


@pytest.fixture
def printed_number() -> Callable[..., float]:
    """Run a test's file as a program of one thread and take the number that it prints.

    Coverage and two thousand tests before it slow the tests' own process by a quarter.
    """

    def run(file: str, *arguments: str) -> float:
        threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "ScarSegECG"), **threads}
        command = [sys.executable, file, *arguments]
        return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)

    return run
