"""What a scene or a journal keeps of a case comes back as it was."""

from __future__ import annotations

import json
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from ScarSegECGLib.case import SCAR, Burden, EcgFeatures, EcgFindings, Interval, ScarResult, Subject
from ScarSegECGLib.facts import AhaMode, Confidence, ConfidenceReason, Division, Doubt, Fact, Grade, Method, has
from ScarSegECGLib.facts_ecg import Conduction, EcgNote
from ScarSegECGLib.measure.measurements import measured_again
from ScarSegECGLib.measure.parts import scar_parts
from ScarSegECGLib.measure.rules import FoundScar
from ScarSegECGLib.measure.trust import image_only_scar
from ScarSegECGPanel import journal
from ScarSegECGPanel.journal import REDO, UNDO, Origin, Step, fromDict, made, plain, toDict
from ScarSegECGPanel.masks import AhaRule, ScarRule, scarByRule, withScar
from ScarSegECGPanel.study import Study

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "export"))
from example_results import make_result

OTSU = ScarRule("Otsu")


def findings() -> EcgFindings:
    per_lead = [np.arange(12, dtype=np.float32) + k for k in range(6)]
    per_lead[0][3] = np.nan
    features = EcgFeatures(
        70.0, 150.0, None, 400.0, 432.0, 40.0, Conduction.RBBB, *per_lead, from_device=("qt",), irregular=True
    )
    return EcgFindings(features, ("II", "aVF"), None, 3, 9.0, Fact(EcgNote.SKEW, ms=3.0))


def stored(result: ScarResult) -> np.ndarray:
    return result.stack.storage.to_stored(result.stack.voxels)


def there_and_back(result: ScarResult) -> ScarResult:
    return fromDict(json.loads(json.dumps(toDict(result))), stored(result))


def same(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other, equal_nan=True)
    if hasattr(one, "__dataclass_fields__"):
        return type(one) is type(other) and all(
            same(getattr(one, field.name), getattr(other, field.name)) for field in fields(one)
        )
    return one == other and type(one) is type(other)


def test_every_field_comes_back() -> None:
    made = measured()
    result = replace(
        made,
        ecg=replace(made.ecg, subject=Subject(), device_ms={"qrs": 98.0}),
        ecg_findings=findings(),
        interval=Interval((1.0, 9.0), (1.0, 8.5), 0.9),
        confidence=Confidence(Grade.CHECK, (Fact(ConfidenceReason.WIDE_INTERVAL, low=1.0, high=9.0),)),
    )
    again = there_and_back(result)
    assert [
        field.name for field in fields(result) if not same(getattr(result, field.name), getattr(again, field.name))
    ] == []


def test_what_the_scar_is_made_of_comes_back() -> None:
    result = measured()
    assert result.parts is not None and result.patterns
    again = there_and_back(result)
    stack, anatomy, scar = again.stack, again.anatomy, again.labels == SCAR
    assert same(again.parts, scar_parts(stack, anatomy.cavity, anatomy.myocardium, scar))
    assert again.patterns == result.patterns
    assert sum(island.ml for island in again.patterns) == pytest.approx(scar.sum() * stack.voxel_ml)


def measured(scar: np.ndarray | None = None) -> ScarResult:
    """A result whose every figure is counted from its masks."""
    made = make_result()
    alone = image_only_scar(made)
    scar = made.labels == SCAR if scar is None else scar
    return measured_again(made, made.anatomy, FoundScar(scar, made.method), alone, Conduction.RBBB)


@pytest.mark.parametrize("version", [0, 1, 2, None, "3"])
def test_another_version_is_refused(version: object) -> None:
    result = make_result()
    with pytest.raises(ValueError, match="version"):
        fromDict(toDict(result) | {"version": version}, stored(result))


def test_other_images_are_refused() -> None:
    result = make_result()
    with pytest.raises(ValueError, match="not the ones"):
        fromDict(toDict(result), stored(result) + 1)


HOSTILE = {
    "no result": lambda kept: kept.pop("result"),
    "a field too many": lambda kept: kept["result"].update(more=1),
    "a field too few": lambda kept: kept["result"].pop("scar"),
    "another type": lambda kept: kept["result"].update(cavity_ml="much"),
    "a list for a record": lambda kept: kept["result"].update(scar=[1, 2, 3]),
    "an unknown word": lambda kept: kept["result"]["stack"].update(contrast={"word": "Contrast", "is": "negative"}),
    "a word of another list": lambda kept: kept["result"]["stack"].update(contrast={"word": "Grade", "is": "good"}),
    "an array that is not there": lambda kept: kept["result"].update(labels=None),
    "an array of another shape": lambda kept: kept["result"].update(labels=kept["result"]["anatomy"]["centres_mm"]),
    "parts of another shape": lambda kept: kept["result"]["parts"].update(
        labels=kept["result"]["anatomy"]["centres_mm"]
    ),
    "waves of other leads": lambda kept: kept["result"]["ecg_findings"]["features"].update(
        q_ms=kept["result"]["labels"]
    ),
    "segments that are none": lambda kept: kept["result"].update(segments=[None]),
    "axes that are none": lambda kept: kept["result"]["stack"]["storage"].update(axes=[0, 0, 7]),
    "text": lambda kept: kept.update(result="result"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_no_result_is_refused(kind: str) -> None:
    result = replace(measured(), ecg_findings=findings())
    kept = json.loads(json.dumps(toDict(result)))
    HOSTILE[kind](kept)
    with pytest.raises((ValueError, KeyError)):
        fromDict(kept, stored(result))


def test_whose_ecg_it_is_is_not_kept() -> None:
    result = make_result()
    known = replace(result, ecg=replace(result.ecg, subject=Subject("0123456789abcdef", True, 63.0)))
    assert "0123456789abcdef" not in json.dumps(toDict(known))


@pytest.mark.parametrize("known", [True, False])
def test_insertions_before_slices_were_joined_come_back(known: bool) -> None:
    result = make_result()
    raw = np.arange(10.0).reshape(5, 2) if known else None
    again = there_and_back(replace(result, anatomy=replace(result.anatomy, insertions_raw_deg=raw)))
    if raw is None:
        assert again.anatomy.insertions_raw_deg is None
    else:
        np.testing.assert_array_equal(again.anatomy.insertions_raw_deg, raw)


# A rule's doubt and the choice in the panel go with the scar


def doubted() -> tuple[Study, tuple[Fact, ...]]:
    """A case with a rule's scar, of noise, and what is said against it."""
    study = Study(measured())
    assert study.applyRule(OTSU, "Scar: Otsu")
    assert has(study.origin.doubt, Doubt.THRESHOLD_LOW) and has(study.result.warnings, Doubt.THRESHOLD_LOW)
    return study, study.origin.doubt


def first(mask: np.ndarray) -> np.ndarray:
    only = np.zeros_like(mask)
    only[tuple(np.argwhere(mask)[0])] = True
    return only


def test_what_speaks_against_a_rule_goes_and_comes_with_its_scar() -> None:
    study, _doubt = doubted()
    otsu = study.origin
    study.go(UNDO)
    assert not has(study.result.warnings, Doubt.THRESHOLD_LOW) and study.origin.rule == ScarRule()
    study.go(REDO)
    assert study.origin == otsu and has(study.result.warnings, Doubt.THRESHOLD_LOW)
    study.change("One voxel less", withScar(study.bits, study.masks.scar & ~first(study.masks.scar)))
    assert study.origin.method == replace(otsu.method, corrected=True), "the rest is the rule's still"
    assert study.origin.rule == OTSU and has(study.result.warnings, Doubt.THRESHOLD_LOW)
    assert study.applyRule(ScarRule(), "Scar: network")
    assert not has(study.result.warnings, Doubt.THRESHOLD_LOW)
    study.go(UNDO)
    assert has(study.result.warnings, Doubt.THRESHOLD_LOW)


def test_the_proposal_is_that_of_the_method_at_hand() -> None:
    study = Study(measured())
    network = study.proposal
    study.applyRule(OTSU, "Scar: Otsu")
    otsu = study.proposal
    assert not np.array_equal(network, otsu)
    study.go(UNDO)
    assert np.array_equal(study.proposal, network)
    study.go(REDO)
    assert np.array_equal(study.proposal, otsu)


@pytest.mark.parametrize("begun", ["before the rule", "with the rule", "after an undo"])
def test_what_speaks_against_a_rule_is_in_the_journal(tmp_path: Path, begun: str) -> None:
    study, _doubt = doubted()
    if begun != "with the rule":
        study.go(UNDO)
    study.begin(tmp_path)
    if begun == "before the rule":
        study.applyRule(OTSU, "Scar: Otsu")
    if begun == "after an undo":
        study.go(REDO)
    again = restored(study, tmp_path)
    assert again.origin == study.origin and again.result.warnings == study.result.warnings
    again.go(UNDO)
    assert again.origin == Origin(again.segmented.method)
    again.go(REDO)
    assert has(again.result.warnings, Doubt.THRESHOLD_LOW)


def restored(study: Study, folder: Path) -> Study:
    study.end(remove=False)
    (path,) = folder.iterdir()
    recovered = journal.read(path)
    assert recovered is not None
    return Study.fromJournal(recovered, stored(study.segmented))


@pytest.mark.parametrize("begun", ["before the division", "with the division"])
def test_the_readers_division_is_in_the_journal(tmp_path: Path, begun: str) -> None:
    """Insertions that were moved and the mode that was chosen are lost with a crash no more than a stroke is."""
    study = Study(measured())
    if begun == "before the division":
        study.begin(tmp_path)
    study.divide(AhaRule(Division(AhaMode.LANDMARK, 16), study.anatomy.insertions_deg + 15.0))
    if begun == "with the division":
        study.begin(tmp_path)
    scar = study.masks.scar
    study.change("Clear segment 7", withScar(study.bits, scar & ~first(scar)))
    again = restored(study, tmp_path)
    assert again.aha.division == study.aha.division
    np.testing.assert_array_equal(again.anatomy.insertions_deg, study.anatomy.insertions_deg)
    np.testing.assert_array_equal(again.anatomy.aha, study.anatomy.aha)
    assert again.undoName == "Clear segment 7" and np.array_equal(again.bits, study.bits)


def test_what_was_divided_once_is_written_once(tmp_path: Path) -> None:
    """Every change of the wall divides it anew, by the same rule."""
    study = Study(measured())
    study.begin(tmp_path)
    study.divide(AhaRule(Division(AhaMode.LANDMARK)))
    study._anatomy = None
    assert study.anatomy.division.mode is AhaMode.LANDMARK
    study.end(remove=False)
    recovered = journal.read(next(tmp_path.iterdir()))
    assert recovered is not None and len(recovered.moves) == 1


def test_undo_and_redo_are_restored_under_their_own_names(tmp_path: Path) -> None:
    """Not as "Undo: Redo: Clear segment 7"."""
    study = Study(measured())
    study.begin(tmp_path)
    study.change("Clear segment 7", withScar(study.bits, study.masks.scar & ~first(study.masks.scar)))
    for move in (UNDO, REDO, UNDO):
        assert study.go(move)
    again = restored(study, tmp_path)
    assert (again.undoName, again.redoName) == ("", "Clear segment 7")
    assert np.array_equal(again.bits, study.bits)


def test_a_correction_that_changes_nothing_is_no_step() -> None:
    study = Study(measured())
    assert not study.change("Nothing", study.bits)
    assert study.undoName == "" and study.origin.method == study.segmented.method


def test_a_step_unpacks_no_more_than_its_image() -> None:
    import zlib

    bomb = Step("bomb", zlib.compress(bytes(2**27)))
    with pytest.raises(ValueError, match="another image"):
        bomb.bits((4, 5, 6))


def test_an_origin_that_is_none_is_refused() -> None:
    kept = plain(Origin(Method(), (Fact(Doubt.NO_ORIENTATION),), OTSU))
    assert made(Origin, json.loads(json.dumps(kept))) == Origin(Method(), (Fact(Doubt.NO_ORIENTATION),), OTSU)
    for wrong in (None, [], [1, [], []], kept | {"method": 1}, kept | {"doubt": ["text"]}, kept | {"more": 1}):
        with pytest.raises((ValueError, TypeError)):
            made(Origin, wrong)


def test_a_shown_burden_is_not_the_files_own() -> None:
    """Figures are read as they were written, not counted anew."""
    result = replace(make_result(), mvo=Burden(1.0, 1.05, 0.8))
    assert there_and_back(result).mvo == result.mvo


@pytest.mark.parametrize(("islands", "own"), [(0.1, True), (0.0, False), (0.5, False)])
def test_islands_of_another_size_are_another_scar(islands: float, own: bool) -> None:
    """Its method says so, and the interval of the networks' own scar does not stand with it."""
    made = replace(measured(), interval=Interval((1.0, 9.0), (1.0, 8.0), 0.8))
    found = scarByRule(made, made.anatomy, ScarRule(smallestIsland=islands))
    again = measured_again(made, made.anatomy, found, image_only_scar(made), Conduction.RBBB)
    assert (found.method == made.method) == own and (again.interval is not None) == own
