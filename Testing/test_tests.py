"""Rules that the tests themselves keep."""

from __future__ import annotations

import ast
from pathlib import Path

TESTING = Path(__file__).resolve().parent
CLOCKS = {"perf_counter", "perf_counter_ns", "process_time", "thread_time", "monotonic", "time", "time_ns", "timeit"}
READS_A_CLOCK = {
    "desktop/screenshots.py": "waits until the window is drawn",
    "desktop/test_panel.py": "waits for events, and prints two figures for `make bench`",
    "desktop/test_panel_dicom.py": "waits for an export",
    "fuzz/run_fuzz.py": "ends a case that goes on for ever, and prints the slowest",
    "pacs/round_trip.py": "prints how long each leg of the trip took",
}


def _reads_a_clock(path: Path) -> bool:
    calls = (node.func for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))
    return any(
        isinstance(called, ast.Attribute) and called.attr in CLOCKS and ast.unparse(called.value) in {"time", "timeit"}
        for called in calls
    )


def test_no_test_asserts_a_time() -> None:
    """A time says nothing on a busy machine: `scarsegecg bench` and `make bench` print them beside their targets."""
    readers = {path.relative_to(TESTING).as_posix() for path in TESTING.rglob("*.py") if _reads_a_clock(path)}
    assert readers - set(READS_A_CLOCK) == set()
