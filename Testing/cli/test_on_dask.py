"""Verbs that take many cases give on Dask's workers what they give in this process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from phantom import phantom_patient, write_phantom

from ScarSegECGLib.cli import main

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'scarsegecg[cohort]'")


def test_evaluate(tmp_path: Path) -> None:
    for number, name in enumerate(("Case_P1", "Case_N1")):
        folder = tmp_path / "cases" / name
        folder.mkdir(parents=True)
        patient = phantom_patient(number + 1, scarless=bool(number), slices=6, size=112, pixel_mm=2.0, slice_mm=9.0)
        made = write_phantom(tmp_path / name, patient)
        for kind, file in (("img", "lge"), ("seg", "labels")):
            (folder / f"{name}_{kind}.nii.gz").write_bytes(made[file].read_bytes())
    told = {}
    for crew in ((), ("--workers", "1", "--memory", "2GB")):
        out = tmp_path / "figures.json"
        assert main(["evaluate", "-q", "--cases", str(tmp_path / "cases"), "--json", str(out), *crew]) == 0
        told[crew] = json.loads(out.read_text(), parse_float=lambda digits: round(float(digits), 4))
        assert all(case.pop("seconds") > 0 for case in told[crew]["cases"])
    here, there = told.values()
    assert [case["case"] for case in here["cases"]] == ["Case_N1", "Case_P1"]
    assert here["summary"]["cavity"]["dice"]["mean"] > 0.7
    assert here["summary"]["pathological"]["count"] == here["summary"]["normals"]["count"] == 1
    assert here == there
