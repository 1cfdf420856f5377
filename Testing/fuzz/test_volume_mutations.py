"""A fixed set of broken NIfTI and NRRD files; the long run is ``run_fuzz.py volume``."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

if not Path("/proc/self/status").is_file():
    pytest.skip("memory is measured through /proc, which is Linux's", allow_module_level=True)
sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
import volume_mutations
from run_fuzz import run_all

from ScarSegECGLib.lge.labels import read_contours
from ScarSegECGLib.lge.read import read_lge

COUNT, SEED = 250, 7


def test_broken_volumes_give_what_others_read_or_one_clear_line() -> None:
    outcomes = list(run_all(volume_mutations.cases(SEED, COUNT)))
    assert len(outcomes) == COUNT
    assert [f"{o.name}: {o.fault}" for o in outcomes if o.fault] == []
    read = sum(not o.said for o in outcomes)
    assert COUNT // 6 < read < COUNT * 5 // 6, "the mutations must break some files and leave some readable"
    assert len({o.said for o in outcomes}) > 15  # many reasons are told apart


@pytest.mark.parametrize("form", ["nii", "nii.gz", "raw", "gzip"])
def test_the_seeds_are_sound(tmp_path, form) -> None:
    for kind in ("image", "labels"):
        (tmp_path / kind).write_bytes(volume_mutations.seed_file(kind, form))
        volume = volume_mutations.compared(tmp_path / kind)
        np.testing.assert_array_equal(volume.voxels, volume_mutations.voxels(kind))
    stack = read_lge(tmp_path / "image")
    labels, _ = read_contours(tmp_path / "labels", stack)
    np.testing.assert_array_equal(stack.storage.to_stored(labels), volume_mutations.voxels("labels"))


def test_a_difference_is_found(tmp_path, monkeypatch) -> None:
    (tmp_path / "a.nii").write_bytes(volume_mutations.seed_file("image", "nii"))
    usual = volume_mutations.read_volume(tmp_path / "a.nii")
    usual.voxels[0, 0, 0] += 1
    monkeypatch.setattr(volume_mutations, "read_volume", lambda _path: usual)
    with pytest.raises(AssertionError, match="voxels differ"):
        volume_mutations.compared(tmp_path / "a.nii")
