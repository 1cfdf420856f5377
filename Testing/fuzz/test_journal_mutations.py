"""A fixed set of odd journals: the good one beside each is found. The long run: ``run_fuzz.py journal``."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

if not Path("/proc/self/status").is_file():
    pytest.skip("memory is measured through /proc, which is Linux's", allow_module_level=True)
sys.path.insert(0, str(Path(__file__).resolve().parent))

import journal_mutations
from run_fuzz import run_all

COUNT, SEED = 300, 7


def test_odd_journals_hide_no_good_one() -> None:
    outcomes = list(run_all(journal_mutations.cases(SEED, COUNT)))
    assert len(outcomes) == COUNT
    assert [f"{o.name}: {o.fault}" for o in outcomes if o.fault] == []
