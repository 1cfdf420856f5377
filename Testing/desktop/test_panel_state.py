"""What a scene or a journal keeps of a case comes back as it was."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ScarSegECGLib.case import SCAR, Burden, EcgFeatures, EcgFindings, ScarResult, Subject
from ScarSegECGLib.measure.doubts import mask_doubts
from ScarSegECGLib.measure.result import measured_again
from ScarSegECGLib.measure.scar_parts import scar_parts
from ScarSegECGPanel import journal, recompute
from ScarSegECGPanel.masks import withScar
from ScarSegECGPanel.recompute import ScarRule
from ScarSegECGPanel.state import fromDict, toDict
from ScarSegECGPanel.study import Study

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
    again, _ = fromDict(json.loads(json.dumps(saved)), stack.storage.to_stored(stack.voxels))
    assert again.parts is not None and np.array_equal(again.parts.labels, parts.labels)
    assert (again.parts.core, again.parts.grey, again.parts.rule) == (parts.core, parts.grey, parts.rule)
    assert sum(island.ml for island in again.patterns) == pytest.approx(scar.sum() * stack.voxel_ml)


def measured(scar: np.ndarray | None = None) -> ScarResult:
    """A result whose every figure is counted from its masks."""
    made = make_result(input_warnings=("Of the input.",))
    alone = recompute.imageOnly(made)
    scar = made.labels == SCAR if scar is None else scar
    return measured_again(made, made.anatomy, scar, alone, made.method, "rbbb")


def test_the_table_of_an_older_scene_is_made_anew() -> None:
    result = measured()
    assert result.scar.ml > 0 and result.ecg_use.amplitude > 0
    saved = toDict(result, "rbbb")
    for row in saved["segments"]:
        del row["mvo_ml"], row["core_ml"], row["grey_ml"], row["rest_ml"]
        row["transmurality_max_percent"] = 1.0  # as an older rule had it
    again, _ = fromDict(json.loads(json.dumps(saved)), result.stack.storage.to_stored(result.stack.voxels))
    # The agreement is with what the images alone show, as at the segmentation.
    alone = recompute.imageOnly(result)
    seen = measured_again(result, result.anatomy, alone, alone, result.method, "rbbb").segments
    expected = [
        replace(row, agreement=of.agreement, agreement_reason=of.agreement_reason)
        for row, of in zip(result.segments, seen, strict=True)
    ]
    assert list(again.segments) == expected
    assert any(row.mvo_ml is not None for row in again.segments)
    assert again.warnings == result.warnings and again.input_warnings == ("Of the input.",)


def test_the_table_of_a_present_scene_is_kept() -> None:
    result = make_result()  # its table's figures are made up
    again, _ = fromDict(toDict(result, "rbbb"), result.stack.storage.to_stored(result.stack.voxels))
    assert again.segments == result.segments


def epicardial() -> np.ndarray:
    """Scar in the outer part of the wall alone."""
    labels = make_result().labels
    _, row, column = np.indices(labels.shape)
    outer = np.hypot(row - 8, (column - 9) * 0.9) > 4.5
    return (labels >= 2) & outer & (row < 8) & (column < 10)


def test_an_older_scene_says_of_masks_only_what_holds() -> None:
    result = measured(epicardial())
    doubts = mask_doubts(result.anatomy, result.labels == SCAR, result.stack.spacing)
    assert doubts and result.warnings == ("Of the input.", *doubts)
    saved = toDict(result, "rbbb")
    del saved["input_warnings"]
    stored = result.stack.storage.to_stored(result.stack.voxels)
    study = Study(*fromDict(json.loads(json.dumps(saved)), stored))
    assert study.segmented.input_warnings == ("Of the input.",)
    part = study.masks.scar & (np.indices(study.bits.shape)[0] != 1)
    study.change("Less", withScar(study.bits, part), byHand=True)
    assert [line for line in study.result.warnings if line in doubts] == []
    study.undo()
    assert study.result.warnings == result.warnings, "each line once"
    study.change("Remove", withScar(study.bits, np.zeros_like(part)), byHand=True)
    assert study.result.warnings == ("Of the input.",)


def doubted() -> tuple[Study, str]:
    """A case with a rule's scar, of noise, and what is said against it."""
    study = Study(measured())
    assert study.applyRule(ScarRule("Otsu"), "Scar: Otsu")
    assert "within healthy myocardium" in study.doubt and study.doubt in study.result.warnings
    return study, study.doubt


def test_what_speaks_against_a_rule_goes_and_comes_with_its_scar() -> None:
    study, doubt = doubted()
    otsu = study.method
    study.undo()
    assert doubt not in study.result.warnings and study.doubt == ""
    study.redo()
    assert study.method == otsu and doubt in study.result.warnings
    study.change("One voxel less", withScar(study.bits, study.masks.scar & ~first(study.masks.scar)), byHand=True)
    assert otsu in study.method and doubt in study.result.warnings, "the rest is the rule's still"
    assert study.applyRule(ScarRule(), "Scar: network")
    assert doubt not in study.result.warnings
    study.undo()
    assert doubt in study.result.warnings


def first(mask: np.ndarray) -> np.ndarray:
    only = np.zeros_like(mask)
    only[tuple(np.argwhere(mask)[0])] = True
    return only


@pytest.mark.parametrize("begun", ["before the rule", "with the rule", "after an undo"])
def test_what_speaks_against_a_rule_is_in_the_journal(tmp_path: Path, begun: str) -> None:
    study, doubt = doubted()
    stack = study.segmented.stack
    if begun != "with the rule":
        study.undo()
    study.begin(tmp_path)
    if begun == "before the rule":
        study.applyRule(ScarRule("Otsu"), "Scar: Otsu")
    if begun == "after an undo":
        study.redo()
    study.end(remove=False)
    (path,) = tmp_path.iterdir()
    recovered = journal.read(path)
    assert recovered is not None
    again = Study.fromJournal(recovered, stack.storage.to_stored(stack.voxels))
    assert again.result.warnings == study.result.warnings and doubt in again.result.warnings
    if recovered.steps:
        again.undo()
        assert doubt not in again.result.warnings
        again.redo()
        assert doubt in again.result.warnings


def test_a_journal_of_an_earlier_version_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = journal.Journal._write

    def asBefore(self, record) -> None:
        record = {key: value for key, value in record.items() if not key.startswith("doubt")}
        if "now" in record:
            record["now"] = {key: value for key, value in record["now"].items() if key != "doubt"}
        write(self, record)

    monkeypatch.setattr(journal.Journal, "_write", asBefore)
    study = Study(measured())
    stack = study.segmented.stack
    study.begin(tmp_path)
    study.applyRule(ScarRule("Otsu"), "Scar: Otsu")
    study.end(remove=False)
    (path,) = tmp_path.iterdir()
    recovered = journal.read(path)
    assert recovered is not None
    again = Study.fromJournal(recovered, stack.storage.to_stored(stack.voxels))
    assert again.method == study.method and np.array_equal(again.bits, study.bits)


@pytest.mark.parametrize("known", [True, False])
def test_insertions_before_slices_were_joined_come_back(known: bool) -> None:
    result = make_result()
    raw = np.arange(10.0).reshape(5, 2) if known else None
    result = replace(result, anatomy=replace(result.anatomy, insertions_raw_deg=raw))
    again, _ = fromDict(toDict(result, "rbbb"), result.stack.storage.to_stored(result.stack.voxels))
    if raw is None:
        assert again.anatomy.insertions_raw_deg is None
    else:
        np.testing.assert_array_equal(again.anatomy.insertions_raw_deg, raw)


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
