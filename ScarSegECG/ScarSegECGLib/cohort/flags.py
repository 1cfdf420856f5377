"""What a reader should look at first: facts found by the program, each a flag of one patient."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from enum import Enum
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import Ecg, ScarResult, SegmentRow, Subject
from ScarSegECGLib.facts import ConfidenceReason, Doubt, Grade, LgeNote, has
from ScarSegECGLib.facts_ecg import Agreement, EcgReason
from ScarSegECGLib.lge.slice_shift import estimate_shifts
from ScarSegECGLib.report.accuracy import doubt_of

FEWEST_LV_SLICES = 5
MOST_DISAGREEING = 2
"""Segments in which ECG and image may disagree before the patient is flagged."""
UNSURE_INSERTIONS = 0.5


class Weight(Enum):
    """How much a flag says about the result as a whole."""

    ALARM = "alarm"  # the figures are probably wrong, or another patient's
    CHECK = "check"  # look before using them
    NOTE = "note"  # to know


class Flag(Enum):
    """The flags; what they are called stands in ``page/words.json``."""

    NO_RESULT = "no_result"
    LV_MISSED = "lv_missed"
    DO_NOT_USE = "do_not_use"
    LOW_CONFIDENCE = "low_confidence"
    OTHER_PATIENTS_ECG = "other_patients_ecg"
    SHIFTED_SLICES = "shifted_slices"
    SAME_IMAGES = "same_images"
    SAME_ECG = "same_ecg"
    SEX_OR_AGE_DIFFER = "sex_or_age_differ"
    THRESHOLD_LOW = "threshold_low"
    ECG_DISAGREES = "ecg_disagrees"
    BORDERS_UNCERTAIN = "borders_uncertain"
    MAY_BE_NO_SCAR = "may_be_no_scar"
    NOT_ISCHAEMIC = "not_ischaemic"
    REMOTE_DOUBTED = "remote_doubted"
    EXPERT_DOUBTED = "expert_doubted"
    FEW_SLICES = "few_slices"
    ORIENTATION_ASSUMED = "orientation_assumed"
    DATES_IMPOSSIBLE = "dates_impossible"
    DATE_MISSING = "date_missing"
    INSERTIONS_UNSURE = "insertions_unsure"
    NO_ECG = "no_ecg"
    ECG_UNREADABLE = "ecg_unreadable"
    ECG_NOT_USED = "ecg_not_used"

    @property
    def weight(self) -> Weight:
        """Of this flag."""
        return Weight.ALARM if self in _ALARMS else Weight.NOTE if self in _MINOR else Weight.CHECK


def words_of(flag: Flag) -> tuple[str, str]:
    """Its name and what it means, as ``page/words.json`` has them."""
    short, long = json.loads((resources.files(__package__) / "page" / "words.json").read_text("utf-8"))["flags"][
        flag.value
    ]
    return short, long


_ALARMS = {
    Flag.NO_RESULT,
    Flag.LV_MISSED,
    Flag.DO_NOT_USE,
    Flag.OTHER_PATIENTS_ECG,
    Flag.SHIFTED_SLICES,
    Flag.SAME_IMAGES,
    Flag.SAME_ECG,
    Flag.SEX_OR_AGE_DIFFER,
    Flag.THRESHOLD_LOW,
}
_MINOR = {Flag.DATE_MISSING, Flag.INSERTIONS_UNSURE, Flag.NO_ECG, Flag.ECG_NOT_USED}


def flags_of(
    result: ScarResult, imaged: Subject, typed_female: bool | None, typed_age: float | None
) -> tuple[Flag, ...]:
    """The flags of one result.

    Parameters
    ----------
    result : ScarResult
    imaged : Subject
        Whom the images are of, as far as they say.
    typed_female, typed_age
        As the manifest says; ``None`` where it does not.
    """
    ecg, gap, confidence = result.ecg, result.ecg_use.gap, result.confidence
    grade, doubts = (confidence.grade, confidence.reasons) if confidence else (None, ())
    found = {
        Flag.OTHER_PATIENTS_ECG: has(result.warnings, Doubt.DIFFERENT_PATIENTS),
        Flag.SEX_OR_AGE_DIFFER: ecg is not None and _other_person(ecg, imaged, typed_female, typed_age),
        Flag.LV_MISSED: missed_slices(result) > 0,
        Flag.THRESHOLD_LOW: has(result.warnings, Doubt.THRESHOLD_LOW),
        Flag.REMOTE_DOUBTED: has(result.warnings, Doubt.REMOTE_ENHANCED, Doubt.REMOTE_LENT, Doubt.REMOTE_IN_SCAR),
        Flag.SHIFTED_SLICES: has(result.warnings, Doubt.SLICES_DISPLACED),
        Flag.DO_NOT_USE: grade is Grade.DO_NOT_USE,
        Flag.LOW_CONFIDENCE: grade is Grade.CHECK,
        Flag.ECG_DISAGREES: disagreeing(result.segments) > MOST_DISAGREEING,
        Flag.BORDERS_UNCERTAIN: has(doubts, ConfidenceReason.BORDERS_UNCERTAIN),
        Flag.MAY_BE_NO_SCAR: doubt_of(result) is not None,
        Flag.NOT_ISCHAEMIC: bool(result.patterns) and not result.patterns[0].touches_endocardium,
        Flag.FEW_SLICES: int(_lv_slices(result).sum()) < FEWEST_LV_SLICES,
        Flag.ORIENTATION_ASSUMED: not result.stack.orientation_known or has(result.warnings, LgeNote.POSE_DOUBTFUL),
        Flag.DATES_IMPOSSIBLE: bool(gap.impossible),
        Flag.DATE_MISSING: result.ecg_use.amplitude > 0 and gap.days is None,
        Flag.INSERTIONS_UNSURE: insertion_confidence(result) < UNSURE_INSERTIONS,
        Flag.ECG_UNREADABLE: ecg is None and has(result.ecg_use.reasons, EcgReason.UNREADABLE),
        Flag.NO_ECG: ecg is None and not has(result.ecg_use.reasons, EcgReason.UNREADABLE),
        Flag.ECG_NOT_USED: ecg is not None and result.ecg_use.amplitude == 0,
    }
    return tuple(flag for flag, there in found.items() if there)


def shared_inputs(hashes: Mapping[str, Mapping[str, str]]) -> dict[str, tuple[Flag, ...]]:
    """Cases that have the same images or the same ECG as another one: a mix-up that no single case shows.

    Parameters
    ----------
    hashes : mapping of case to mapping of "lge" and "ecg" to content hash
    """
    shared: dict[str, list[Flag]] = defaultdict(list)
    for what, flag in (("lge", Flag.SAME_IMAGES), ("ecg", Flag.SAME_ECG)):
        holders: dict[str, list[str]] = defaultdict(list)
        for case, own in hashes.items():
            if own.get(what):
                holders[own[what]].append(case)
        for cases in holders.values():
            for case in cases if len(cases) > 1 else ():
                shared[case].append(flag)
    return {case: tuple(found) for case, found in shared.items()}


def displaced_slices(result: ScarResult) -> tuple[int, ...]:
    """Slices that stand beside the line through the others, counted from 1 at the apex."""
    anatomy = result.anatomy
    moved = estimate_shifts(anatomy.cavity, anatomy.myocardium, result.stack.spacing).moved
    return tuple(int(k) + 1 for k in np.flatnonzero(moved))


def missed_slices(result: ScarResult) -> int:
    """Slices without myocardium between two that have some."""
    there = np.flatnonzero(_lv_slices(result))
    return int(there[-1] - there[0] + 1 - len(there)) if len(there) else 0


def disagreeing(rows: Iterable[SegmentRow]) -> int:
    """Segments in which ECG and image disagree."""
    return sum(row.agreement is Agreement.DISAGREE for row in rows)


def _lv_slices(result: ScarResult) -> NDArray[np.bool_]:
    return np.asarray(result.anatomy.myocardium.any(axis=(1, 2)))


def insertion_confidence(result: ScarResult) -> float:
    """Median of the slices that have an LV."""
    return float(np.median(result.anatomy.insertion_confidence[_lv_slices(result)]))


def failed_flags(no_left_ventricle: bool) -> tuple[Flag, ...]:
    """The flags of a case without a result."""
    return (Flag.NO_RESULT, *([Flag.LV_MISSED] if no_left_ventricle else []))


def _other_person(ecg: Ecg, imaged: Subject, female: bool | None, age: float | None) -> bool:
    """Whether the ECG's file says another sex, or an age over ten years off, than images or manifest say."""
    sexes = {sex for sex in (ecg.subject.female, imaged.female, female) if sex is not None}
    ages = [years for years in (ecg.subject.age, imaged.age, age) if years is not None]
    return len(sexes) > 1 or (len(ages) > 1 and max(ages) - min(ages) > 10)
