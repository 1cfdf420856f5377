"""A fixed set of broken ECG files: a result or one clear line. The long run is ``run_fuzz.py ecg --count 5000``."""

from __future__ import annotations

import pytest
from ecg_mutations import HOSTILE, cases
from run_fuzz import judge

SEED, COUNT = 20, 90
# Cases that once failed, by seed and number (see :func:`ecg_mutations.cases`).
ONCE_FAILED = ["1/59 ", "20/136 "]


@pytest.mark.parametrize("block", range(7))
def test_broken_files_give_a_result_or_one_clear_line(block):
    wrong = []
    for number, case in enumerate(cases(SEED, COUNT)):
        if number % 7 == block:
            outcome = judge(case)
            if outcome.fault:
                wrong.append((outcome.name, outcome.fault))
    assert not wrong


@pytest.mark.parametrize("name", ONCE_FAILED)
def test_what_once_failed(name):
    seed, number = name.split("/")
    case = next(case for case in cases(int(seed), int(number) + 1) if case[0].startswith(name))
    assert not judge(case).fault


def test_the_set_is_the_same_every_time_and_holds_every_kind():
    names = [name for name, _ in cases(SEED, COUNT)]
    assert names == [name for name, _ in cases(SEED, COUNT)]
    for make in HOSTILE:
        assert any(make.__name__ in name for name in names)


def test_the_judge_finds_what_is_wrong(tmp_path):
    from ScarSegECGLib.errors import InputError

    def fails(folder):
        raise KeyError("x")

    def tells(folder):
        raise InputError("Zzpatient's file is damaged")

    def shows(folder):
        raise InputError(f"{folder} is damaged")

    def grows(folder):
        return len(bytearray(b"x") * (1100 * 2**20))

    assert "KeyError" in judge(("", fails)).fault
    assert "patient data" in judge(("", tells)).fault
    assert "path" in judge(("", shows)).fault
    assert "MB" in judge(("", grows)).fault
    assert not judge(("", lambda folder: None)).fault
