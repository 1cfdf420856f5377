"""Rules that the tests themselves keep."""

from __future__ import annotations

import ast
from pathlib import Path

TESTING = Path(__file__).resolve().parent
CLOCKS = {"perf_counter", "perf_counter_ns", "process_time", "thread_time", "monotonic", "time", "time_ns", "timeit"}
READS_A_CLOCK = {
    "cohort/bench_cohort.py": "prints how fast a cohort goes",
    "cohort/cheap.py": "waits",
    "cohort/test_killed.py": "waits until a run has come so far that it can be killed",
    "desktop/panel_tools.py": "waits for events",
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


def test_no_two_test_files_have_one_name() -> None:
    """pytest knows a file without a package by its name alone, and stops at the second."""
    names = [path.name for path in TESTING.rglob("test_*.py")]
    assert [name for name in sorted(set(names)) if names.count(name) > 1] == []
