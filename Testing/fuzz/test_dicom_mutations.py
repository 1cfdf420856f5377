"""A fixed set of broken DICOM files: a result or one clear line each. The long run is ``run_fuzz.py dicom``."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import pytest

if not Path("/proc/self/status").is_file():
    pytest.skip("memory is measured through /proc, which is Linux's", allow_module_level=True)
sys.path.insert(0, str(Path(__file__).resolve().parent))

import dicom_mutations
from run_fuzz import run_all

from ScarSegECGLib.errors import InputError

COUNT, SEED = 100, 7


def test_broken_dicom_gives_a_result_or_one_clear_line() -> None:
    outcomes = list(run_all(dicom_mutations.cases(SEED, COUNT)))
    assert len(outcomes) == COUNT
    assert [f"{o.name}: {o.fault}" for o in outcomes if o.fault] == []
    read = sum(not o.said for o in outcomes)
    assert COUNT // 6 < read < COUNT * 5 // 6, "the mutations must break some files and leave some readable"
    assert len({o.said for o in outcomes}) > 10  # many reasons are told apart


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_the_same_seed_gives_the_same_bytes(tmp_path) -> None:
    written = []
    for turn in "ab":
        for cached in (dicom_mutations._lge_files, dicom_mutations._enhanced_file, dicom_mutations._ecg_files):
            cached.cache_clear()
        folder = tmp_path / turn
        folder.mkdir()
        name, run = next(c for c in dicom_mutations.cases(3, 60) if c[0].startswith("dicom-series-nonsense"))
        with contextlib.suppress(InputError):
            run(folder)
        written.append((name, {p.name: p.read_bytes() for p in folder.iterdir()}))
    assert written[0] == written[1]
