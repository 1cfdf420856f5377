"""The whole way on the phantom patient, with the shipped weights."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from phantom import PhantomPatient, phantom_patient

import ScarSegECGLib
from ScarSegECGLib.case import CAVITY, MYOCARDIUM, SCAR, Confidence, Ecg, LabelArray, ScarResult, Subject, TimeGap
from ScarSegECGLib.ecg.findings import ecg_findings
from ScarSegECGLib.ecg.median_beat import median_beat
from ScarSegECGLib.ecg.subject import DIFFERENT_PATIENTS
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import AhaMode, ConfidenceReason, Contrast, Division, Fact, Grade, LgeNote, Method, ScarSource
from ScarSegECGLib.facts_ecg import Conduction, EcgReason
from ScarSegECGLib.lge.orientation import canonical
from ScarSegECGLib.lge.slice_shift import move
from ScarSegECGLib.measure.measurements import measure, measured_again
from ScarSegECGLib.measure.overlap import overlap
from ScarSegECGLib.measure.rules import RULES, FoundScar, ThresholdRule
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.pipeline import SegmentOptions, network_scar, segment
from ScarSegECGLib.report.present import headline, summary
from ScarSegECGLib.wording import all_words, words

RULE = Method(ScarSource.FWHM)
OF_CONTOURS = {ConfidenceReason.ANATOMY_IMPLAUSIBLE, ConfidenceReason.BORDERS_UNCERTAIN}


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load(device="cpu")


@pytest.fixture(scope="module")
def patient() -> PhantomPatient:
    return phantom_patient(0)


@pytest.fixture(scope="module")
def result(session: Session, patient: PhantomPatient) -> ScarResult:
    return segment(patient.stack, patient.ecg, TimeGap(3.0), session)


@pytest.fixture(scope="module")
def image_only(session: Session, patient: PhantomPatient) -> ScarResult:
    return segment(patient.stack, None, TimeGap(None), session)


def test_the_phantom_is_found(result: ScarResult, patient: PhantomPatient) -> None:
    found, truth = result.labels, patient.labels
    spacing = patient.stack.spacing
    assert overlap(found == CAVITY, truth == CAVITY, spacing, distance=False).dice > 0.85
    assert overlap(found >= MYOCARDIUM, truth >= MYOCARDIUM, spacing, distance=False).dice > 0.75
    assert overlap(found == SCAR, truth == SCAR, spacing, distance=False).dice > 0.3


def test_figures_follow_from_the_labels(result: ScarResult) -> None:
    voxel_ml = result.stack.voxel_ml
    assert result.scar.ml == pytest.approx((result.labels == SCAR).sum() * voxel_ml)
    assert result.scar.grams == pytest.approx(1.05 * result.scar.ml)
    assert result.myocardium_ml == pytest.approx((result.labels >= MYOCARDIUM).sum() * voxel_ml)
    assert result.scar.percent_of_lv == pytest.approx(100 * result.scar.ml / result.myocardium_ml)
    assert sum(row.scar_ml for row in result.segments) == pytest.approx(result.scar.ml)
    assert set(result.timings) == {"networks", "anatomy", "ECG", "scar", "measure"}


def test_probability_and_labels_agree(result: ScarResult) -> None:
    assert float(result.scar_probability[~result.anatomy.myocardium].max()) == 0.0
    assert not (result.labels == SCAR)[result.scar_probability <= 0.5].any()


def test_the_ecg_that_counts_is_named_and_the_image_only_result_kept(session, patient, result, image_only) -> None:
    assert session.ecg_trained
    assert result.ecg_use.amplitude > 0.5
    assert "3 days from MRI" in words(result.ecg_use)
    assert np.array_equal(result.scar_probability_image_only, image_only.scar_probability)
    assert result.scar_image_only == image_only.scar
    assert not np.array_equal(result.scar_probability, image_only.scar_probability)
    assert all(row.ecg_percent is not None for row in result.segments)
    assert result.warnings == image_only.warnings  # what holds for every ECG is said with the limits
    assert result.ecg_findings is not None and result.ecg_findings.features.conduction == "normal"
    assert image_only.ecg_findings is None
    assert not ((result.labels != SCAR) & (image_only.labels == SCAR)).any()
    assert result.mvo is not None and result.mvo.ml <= result.scar.ml
    assert "no ECG was given" in words(image_only.ecg_use)
    assert all(row.ecg_percent is None for row in image_only.segments)


@pytest.mark.parametrize(
    ("axes", "flips"),
    [((0, 1, 2), (True, False, False)), ((2, 0, 1), (False, True, True)), ((1, 2, 0), (True, True, False))],
)
def test_any_storage_gives_the_same_segmentation_in_patient_space(session, patient, image_only, axes, flips) -> None:
    flipped = tuple(slice(None, None, -1 if f else 1) for f in flips)
    stored = np.transpose(patient.stack.voxels, axes)[flipped]
    # The matrix that takes the new array's (third, second, first) index to the same place as before.
    old_index_of_new = np.eye(4)
    old_index_of_new[:3, :3] = 0
    for new, (old, flip) in enumerate(zip(axes, flips, strict=True)):
        old_index_of_new[2 - old, 2 - new] = -1 if flip else 1
        old_index_of_new[2 - old, 3] = stored.shape[new] - 1 if flip else 0
    matrix = patient.stack.ijk_to_ras @ old_index_of_new
    stack = canonical(np.ascontiguousarray(stored), matrix)
    again = segment(stack, None, TimeGap(None), session)
    assert np.array_equal(again.labels, image_only.labels)
    assert np.allclose(again.stack.ijk_to_ras, image_only.stack.ijk_to_ras)
    back = stack.storage.to_stored(again.labels)
    assert back.shape == stored.shape
    assert np.array_equal(back, np.transpose(image_only.labels, axes)[flipped])


def test_the_same_case_twice_is_the_same(session, patient, result) -> None:
    again = segment(patient.stack, patient.ecg, TimeGap(3.0), session)
    assert np.array_equal(again.scar_probability, result.scar_probability)


@pytest.mark.parametrize(("noise_mv", "why"), [(0.0, EcgReason.UNREADABLE), (1e-4, EcgReason.HINDERED)])
def test_an_ecg_that_cannot_be_measured_leaves_the_image_alone(session, patient, image_only, noise_mv, why) -> None:
    """No beat at all, and noise in which too many are seen; files with so small a QRS are refused by the reader."""
    noise = np.random.default_rng(0).normal(0, noise_mv, (12, 5000)).astype(np.float32)
    again = segment(patient.stack, Ecg(noise, np.ones(12, bool), 500.0), TimeGap(0.0), session)
    assert again.ecg_use.amplitude == 0.0
    assert again.ecg_use.reasons[0].code is why
    assert np.array_equal(again.labels, image_only.labels)
    assert np.array_equal(again.scar_probability, image_only.scar_probability)


@pytest.mark.parametrize("method", [rule for rule in RULES if rule not in ("n_sd", "fwhm")])
def test_threshold_rules_work_in_the_predicted_contours(session, patient, result, method) -> None:
    ruled = segment(patient.stack, patient.ecg, TimeGap(0.0), session, SegmentOptions(ThresholdRule(method)))
    assert np.array_equal(ruled.anatomy.myocardium, result.anatomy.myocardium)
    assert ruled.ecg_use.reasons[0].code is EcgReason.RULE
    assert ruled.method != result.method
    assert ruled.interval is None, "it is the networks'"
    assert ruled.confidence is None or {why.code for why in ruled.confidence.reasons} <= OF_CONTOURS


def test_the_networks_interval_stands_with_the_networks_scar_alone(result: ScarResult) -> None:
    """A reader's scar, or one at another limit, has none."""
    scar, method = result.labels == SCAR, result.method
    borders, little = Fact(ConfidenceReason.BORDERS_UNCERTAIN), Fact(ConfidenceReason.LITTLE_SCAR, ml=2.0)
    judged = dataclasses.replace(result, confidence=Confidence(Grade.CHECK, (borders, little)))
    good = dataclasses.replace(result, confidence=Confidence(Grade.GOOD, ()))

    def again(case: ScarResult, by: Method) -> ScarResult:
        return measured_again(case, case.anatomy, FoundScar(scar, by), scar, Conduction.NORMAL)

    for kept in (method, dataclasses.replace(method, image_only=True)):
        assert again(judged, kept).interval == result.interval is not None
        assert again(judged, kept).confidence == judged.confidence
    for changed in (dataclasses.replace(method, corrected=True), dataclasses.replace(method, above=0.3), RULE):
        assert again(judged, changed).interval is None and again(good, changed).confidence is None
        assert again(judged, changed).confidence == Confidence(Grade.CHECK, (borders,))
        assert "interval" in headline(judged) and "interval" not in headline(again(judged, changed))


def test_the_wall_is_divided_as_asked_and_the_scar_stays(session, patient, result) -> None:
    """The networks see the fixed 17 segments whatever the reader wants to read."""
    asked = segment(
        patient.stack, patient.ecg, TimeGap(3.0), session, SegmentOptions(division=Division(AhaMode.LANDMARK, 16))
    )
    assert np.array_equal(asked.scar_probability, result.scar_probability)
    assert asked.scar == result.scar and asked.ecg_use == result.ecg_use
    assert asked.anatomy.division == Division(AhaMode.LANDMARK, 16) and not asked.anatomy.imaged[16]
    assert not np.array_equal(asked.anatomy.aha, result.anatomy.aha)


def test_insertions_that_are_given_divide_the_wall(session, patient, result) -> None:
    given = np.array([150.0, 270.0])
    asked = segment(patient.stack, None, TimeGap(None), session, SegmentOptions(insertions_deg=given))
    there = np.isfinite(asked.anatomy.centres_mm).all(axis=1)
    assert np.allclose(asked.anatomy.insertions_deg[there], given)
    assert (asked.anatomy.insertion_confidence[there] == 1).all()


def test_an_unknown_method_is_refused(session, patient) -> None:
    with pytest.raises(InputError, match="unknown method"):
        segment(patient.stack, None, TimeGap(None), session, SegmentOptions(ThresholdRule("magic")))


def remeasure(result: ScarResult, labels: LabelArray, conduction: Conduction | None = None) -> ScarResult:
    """A correction by hand, measured as the panel does."""
    if conduction is None:
        conduction = result.ecg_findings.features.conduction if result.ecg_findings else Conduction.UNKNOWN
    image_only = network_scar(result.scar_probability_image_only, result.stack.spacing, result.method).mask
    scar = FoundScar(labels == SCAR, dataclasses.replace(result.method, corrected=True))
    return measured_again(result, result.anatomy, scar, image_only, conduction)


def test_a_correction_is_measured_and_named(result: ScarResult) -> None:
    labels = result.labels.copy()
    worst = int(np.argmax((labels == SCAR).sum(axis=(1, 2))))
    removed = int((labels[worst] == SCAR).sum())
    labels[worst][labels[worst] == SCAR] = MYOCARDIUM
    corrected = remeasure(result, labels)
    assert corrected.scar.ml == pytest.approx(result.scar.ml - removed * result.stack.voxel_ml)
    assert corrected.scar_image_only == result.scar_image_only
    assert corrected.method.corrected and "corrected by hand" in words(corrected.method)
    assert np.array_equal(corrected.labels, labels)


def test_corrected_twice_is_said_once(result: ScarResult) -> None:
    once = remeasure(result, result.labels)
    assert words(once.method) == f"{words(result.method)}, corrected by hand"
    assert remeasure(once, once.labels).method == once.method


def test_the_ecg_is_held_against_the_corrected_scar(result: ScarResult) -> None:
    full = np.where(result.anatomy.myocardium, SCAR, result.labels)
    none = np.where(result.anatomy.myocardium, MYOCARDIUM, result.labels)
    for labels, percent in ((full, 100), (none, 0)):
        rows = remeasure(result, labels).segments
        for row, before in zip(rows, result.segments, strict=True):
            assert row.ecg_percent == before.ecg_percent
            assert row.scar_percent_image_only == before.scar_percent_image_only
            assert not row.imaged or f"image {percent} %" in words(row.agreement_reason)
    verdicts = [[row.agreement for row in remeasure(result, labels).segments] for labels in (full, none)]
    assert verdicts[0] != verdicts[1]


def test_a_paced_ecg_stays_silent_after_a_correction(result: ScarResult) -> None:
    rows = remeasure(result, result.labels, conduction=Conduction.PACED).segments
    assert {row.agreement for row in rows if row.imaged} == {"ecg cannot tell"}


def test_a_correction_without_ecg_says_why_it_cannot_tell(image_only: ScarResult) -> None:
    rows = remeasure(image_only, image_only.labels).segments
    assert [row.agreement_reason for row in rows] == [row.agreement_reason for row in image_only.segments]


def test_painting_outside_the_wall_does_not_count(result: ScarResult) -> None:
    labels = result.labels.copy()
    labels[0, :5, :5] = SCAR
    assert remeasure(result, labels).scar.ml == pytest.approx(result.scar.ml)


def test_noise_has_no_left_ventricle(session, patient) -> None:
    voxels = np.random.default_rng(0).normal(100, 20, patient.stack.voxels.shape).astype(np.float32)
    with pytest.raises(InputError, match="no left ventricle found"):
        segment(dataclasses.replace(patient.stack, voxels=voxels), None, TimeGap(None), session)


def test_cancelling_stops_the_work(session, patient) -> None:
    def cancel(fraction: float, text: str) -> None:
        if fraction > 0.1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        segment(patient.stack, None, TimeGap(None), session, progress=cancel)


def test_a_slice_displaced_by_breathing_is_named_and_can_be_put_in_line(session, patient, result) -> None:
    middle = len(patient.stack.voxels) // 2
    shift = round(12 / patient.stack.spacing[2])
    pixels = np.zeros((len(patient.stack.voxels), 2), int)
    pixels[middle, 1] = shift
    displaced = dataclasses.replace(patient.stack, voxels=move(patient.stack.voxels, pixels))
    left = segment(displaced, None, TimeGap(None), session)
    assert any(f"{middle + 1} (" in said and "--correct-shifts" in said for said in all_words(left.warnings))
    mended = segment(displaced, None, TimeGap(None), session, SegmentOptions(correct_shifts=True))
    assert not any("--correct-shifts" in said for said in all_words(mended.warnings))
    assert any("moved in line" in note for note in all_words(mended.stack.notes))
    assert "moved in line" in summary(mended)[-1] and "moved in line" not in " ".join(summary(left))
    assert Fact(LgeNote.NO_SHIFTS) not in mended.stack.notes
    assert np.array_equal(mended.stack.voxels, displaced.voxels)
    truth = move(patient.labels, pixels)
    again = overlap(mended.labels >= MYOCARDIUM, truth >= MYOCARDIUM, displaced.spacing, distance=False).dice
    before = overlap(result.labels >= MYOCARDIUM, patient.labels >= MYOCARDIUM, displaced.spacing, distance=False).dice
    assert again > before - 0.02


def test_looking_for_displaced_slices_in_vain_is_said_and_changes_nothing(session, patient, image_only) -> None:
    looked = segment(patient.stack, None, TimeGap(None), session, SegmentOptions(correct_shifts=True))
    assert looked.stack.notes == (*patient.stack.notes, Fact(LgeNote.NO_SHIFTS))
    assert np.array_equal(looked.labels, image_only.labels)
    assert looked.segments == image_only.segments


def test_what_speaks_against_a_rule_is_warned_of(image_only) -> None:
    with pytest.warns(UserWarning, match="within healthy myocardium"):
        ScarSegECGLib.measure(image_only, "otsu")


def test_remote_myocardium_in_the_scar_is_warned_of_in_python_too(image_only) -> None:
    everywhere = dataclasses.replace(
        image_only, labels=np.where(image_only.anatomy.myocardium, SCAR, image_only.labels)
    )
    with pytest.warns(UserWarning, match="100 % of the remote region"):
        ScarSegECGLib.measure(everywhere, "n_sd", n_sd=5)


def test_a_rule_gives_what_measure_gives(session, patient, image_only) -> None:
    ruled = segment(patient.stack, None, TimeGap(None), session, SegmentOptions(ThresholdRule("n_sd", n_sd=4)))
    anatomy = ruled.anatomy
    measured = measure(patient.stack, anatomy, ThresholdRule("n_sd", n_sd=4))
    assert np.array_equal(ruled.labels == SCAR, measured.mask)
    assert ruled.method == measured.method


def test_a_threshold_in_healthy_wall_is_warned_of(session, patient) -> None:
    lifted = dataclasses.replace(
        patient.stack, voxels=patient.stack.voxels + 5 * patient.stack.voxels.max(), contrast=Contrast.MAGNITUDE
    )
    ruled = segment(lifted, None, TimeGap(None), session, SegmentOptions(ThresholdRule("fwhm")))
    assert any("within healthy myocardium" in warning for warning in all_words(ruled.warnings))


def test_sex_age_and_doubts_reach_the_result(session, patient, result) -> None:
    ecg = dataclasses.replace(patient.ecg, subject=Subject("17", True, 80.0))
    again = segment(patient.stack, ecg, TimeGap(3.0), session, SegmentOptions(imaged=Subject("18")))
    beat = median_beat(ecg, female=True)
    assert again.ecg_findings is not None
    assert again.ecg_findings.score_points == ecg_findings(beat, age=80.0, female=True).score_points
    typed = segment(patient.stack, ecg, TimeGap(3.0), session, SegmentOptions(female=False, age=30.0))
    expected = ecg_findings(median_beat(ecg, female=False), age=30.0, female=False)
    assert typed.ecg_findings is not None and typed.ecg_findings.score_points == expected.score_points
    assert again.warnings == (DIFFERENT_PATIENTS, *result.warnings)
