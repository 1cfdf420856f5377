"""What a scene keeps of a case comes back as it was."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ScarSegECGLib.case import SCAR, Burden, EcgFeatures, EcgFindings, Subject
from ScarSegECGLib.measure.scar_parts import scar_parts
from ScarSegECGPanel.state import fromDict, toDict

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "export"))
from example_results import make_result


def findings() -> EcgFindings:
    per_lead = [np.arange(12, dtype=np.float32) + k for k in range(6)]
    per_lead[0][3] = np.nan
    features = EcgFeatures(
        70.0, 150.0, None, 400.0, 432.0, 40.0, "rbbb", *per_lead, from_device=("qt",), irregular=True
    )
    return EcgFindings(features, ("II", "aVF"), "", 3, 9.0, "a remark")


def test_mvo_and_ecg_findings_come_back() -> None:
    result = replace(make_result(), mvo=Burden(1.0, 1.05, 0.8), ecg_findings=findings())
    stored = result.stack.storage.to_stored(result.stack.voxels)
    again, conduction = fromDict(json.loads(json.dumps(toDict(result, "rbbb"))), stored)
    assert conduction == "rbbb" and again.mvo == result.mvo
    told, expected = again.ecg_findings, result.ecg_findings
    assert told is not None and expected is not None
    assert np.array_equal(told.features.q_ms, expected.features.q_ms, equal_nan=True)
    assert told.features.from_device == ("qt",) and told.features.irregular
    assert (told.q_waves, told.score_points, told.score_remark) == (("II", "aVF"), 3, "a remark")


def test_a_scene_of_an_earlier_version_opens_without_them() -> None:
    result = make_result()
    saved = toDict(result, "unknown")
    del saved["mvo"], saved["ecg_findings"]
    again, _ = fromDict(json.loads(json.dumps(saved)), result.stack.storage.to_stored(result.stack.voxels))
    assert again.mvo is None and again.ecg_findings is None


def test_what_the_scar_is_made_of_is_there_again_in_old_scenes_too() -> None:
    result = make_result()
    stack, anatomy, scar = result.stack, result.anatomy, result.labels == SCAR
    parts = scar_parts(stack, anatomy.cavity, anatomy.myocardium, scar)
    saved = toDict(replace(result, parts=parts), "unknown")
    for row in saved["segments"]:
        del row["mvo_ml"], row["core_ml"], row["grey_ml"], row["rest_ml"]
    again, _ = fromDict(json.loads(json.dumps(saved)), stack.storage.to_stored(stack.voxels))
    assert again.parts is not None and np.array_equal(again.parts.labels, parts.labels)
    assert (again.parts.core, again.parts.grey, again.parts.rule) == (parts.core, parts.grey, parts.rule)
    assert sum(island.ml for island in again.patterns) == pytest.approx(scar.sum() * stack.voxel_ml)
    assert [row.mvo_ml for row in again.segments] == [None] * 17


def test_whose_ecg_it_is_is_not_kept() -> None:
    result = make_result()
    known = replace(result, ecg=replace(result.ecg, subject=Subject("0123456789abcdef", True, 63.0)))
    assert "0123456789abcdef" not in json.dumps(toDict(known, "normal"))


@pytest.mark.parametrize(
    "change",
    [{"features": {"q_ms": [1.0]}}, {"more": 1}, {"features": {"more": 1}}],
    ids=["11 leads too few", "a field too many", "a measurement too many"],
)
def test_findings_that_were_not_written_so_are_refused(change) -> None:
    result = replace(make_result(), ecg_findings=findings())
    saved = toDict(result, "rbbb")
    kept = saved["ecg_findings"]
    saved["ecg_findings"] = kept | change | {"features": kept["features"] | change.get("features", {})}
    with pytest.raises(ValueError):
        fromDict(saved, result.stack.storage.to_stored(result.stack.voxels))
