"""A fixed set of hostile answers of an archive: a result or one clear line each. The long run: ``run_fuzz.py pacs``."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

if not Path("/proc/self/status").is_file():
    pytest.skip("memory is measured through /proc, which is Linux's", allow_module_level=True)
sys.path.insert(0, str(Path(__file__).resolve().parent))

import pacs_mutations
from run_fuzz import run_all

COUNT, SEED = 200, 7


def test_hostile_answers_give_a_result_or_one_clear_line() -> None:
    outcomes = list(run_all(pacs_mutations.cases(SEED, COUNT)))
    assert len(outcomes) == COUNT
    assert [f"{o.name}: {o.fault}" for o in outcomes if o.fault] == []
    assert COUNT // 20 < sum(not o.said for o in outcomes) < COUNT // 2
    assert len({o.said for o in outcomes}) > 10  # many reasons are told apart
