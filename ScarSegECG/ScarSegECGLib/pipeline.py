"""The whole way from a stack and an ECG to a measured scar, on one screen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.anatomy.aha import divide, soft_prior
from ScarSegECGLib.anatomy.lv import clean, why_no_left_ventricle
from ScarSegECGLib.case import (
    SCAR,
    Anatomy,
    Ecg,
    EcgUse,
    FloatArray,
    Interval,
    LabelArray,
    LgeStack,
    MedianBeat,
    ScarResult,
    Signs,
    TimeGap,
)
from ScarSegECGLib.ecg.findings import ecg_findings
from ScarSegECGLib.ecg.gap import gap_of_case
from ScarSegECGLib.ecg.median_beat import median_beat
from ScarSegECGLib.errors import InputError, NoLeftVentricle
from ScarSegECGLib.facts import LGE_DOUBTS, Confidence, Contrast, Division, Doubt, Fact, LgeNote, Method, ScarSource
from ScarSegECGLib.facts_ecg import Conduction, EcgReason
from ScarSegECGLib.lge.checks import refuse_without_ventricle
from ScarSegECGLib.lge.slice_shift import corrected, estimate_shifts, native_result
from ScarSegECGLib.measure.islands import SMALLEST_ISLAND_ML, drop_small_islands
from ScarSegECGLib.measure.measurements import figures, measured_again
from ScarSegECGLib.measure.rules import FoundScar, ThresholdRule, find_scar
from ScarSegECGLib.measure.trust import SCAR_ABOVE, Trust, judged, never_erasing, scar_probability, signs
from ScarSegECGLib.network.amplitude import decide
from ScarSegECGLib.network.locate import NOT_FOUND
from ScarSegECGLib.network.session import ImageEvidence, Session

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class SegmentOptions:
    """How a case is segmented; the defaults are the usual way.

    Attributes
    ----------
    rule : ThresholdRule or None
        In place of the networks' scar, a rule inside the predicted contours (the ECG then has no part in it).
    why_no_ecg : Fact
        The reason that is told where there is no ECG.
    correct_shifts : bool
        Put slices displaced between breath-holds back in line before segmenting; results return to where the slices
        are in the file.
    insertions_deg : array, shape (2,) or (slice, 2), or None
        RV insertions as the reader gives them; see :func:`ScarSegECGLib.anatomy.aha.partition`.
    division : Division
        How the result is divided. The networks were taught fixed sectors and 17 segments and always see these.
    female, age : bool, float (years), or None
        The patient's, for ECG criteria that depend on them; what the ECG file says when absent.
    doubts : tuple of Fact
        What was noticed before, such as that ECG and images may be of two patients: the first warnings.
    """

    rule: ThresholdRule | None = None
    why_no_ecg: Fact = Fact(EcgReason.NOT_GIVEN)
    correct_shifts: bool = False
    insertions_deg: NDArray | None = None
    division: Division = Division()
    female: bool | None = None
    age: float | None = None
    doubts: tuple[Fact, ...] = ()


def segment(
    stack: LgeStack,
    ecg: Ecg | None = None,
    gap: TimeGap | None = None,
    session: Session | None = None,
    options: SegmentOptions = SegmentOptions(),
    progress: Progress = lambda fraction, text: None,
) -> ScarResult:
    """Find the myocardium, divide it, segment the scar with and without the ECG, and measure it.

    Parameters
    ----------
    stack : LgeStack
    ecg : Ecg, optional
    gap : TimeGap, optional
        Signed days between ECG and image; from the dates of the two files when absent.
    session : Session, optional
        The loaded networks; those that are shipped when absent, loaded once.
    options : SegmentOptions
    progress : callable
        Called with the fraction done and the stage's name; may raise to cancel.

    Returns
    -------
    ScarResult
        With and without the ECG; where the ECG does not count the two are the same, bit for bit.

    Raises
    ------
    InputError
        No left ventricle found, or a rule that cannot be used.

    Examples
    --------
    >>> result = segment(read_lge(Path("study")), read_ecg(Path("ecg.xml")))
    >>> print(result)
    """
    session = session or _shipped()
    gap = gap or gap_of_case(ecg, stack.acquired, now=datetime.now())
    clock = _Clock(progress)
    with clock.stage("networks", 0.0):
        try:
            evidence = session.see(stack, lambda done: progress(0.6 * done, "networks"))
        except NoLeftVentricle as error:
            refuse_without_ventricle(stack, str(error))
    with clock.stage("anatomy", 0.6):
        anatomy = _anatomy(stack, evidence, options.insertions_deg)
        shifts = estimate_shifts(anatomy.cavity, anatomy.myocardium, stack.spacing)
    if options.correct_shifts and shifts.moved.any():
        once = replace(options, correct_shifts=False)
        return native_result(segment(corrected(stack, shifts), ecg, gap, session, once, progress), stack, shifts)
    with clock.stage("ECG", 0.7):
        female = ecg.subject.female if ecg and options.female is None else options.female
        age = ecg.subject.age if ecg and options.age is None else options.age
        beat, unreadable = _beat(ecg, female)
        use = _decide(ecg, beat, gap, anatomy, session, options, unreadable or options.why_no_ecg)
    with clock.stage("scar", 0.8):
        alone, together, ecg_percent = _probabilities(stack, evidence, anatomy, beat, use, session)
        scar_alone = _scar(alone, stack, anatomy, options.rule)
        scar = scar_alone if together is alone else _scar(together, stack, anatomy, options.rule)
    with clock.stage("measure", 0.9):
        if options.division != Division():
            anatomy = divide(stack, anatomy.cavity, anatomy.myocardium, options.insertions_deg, options.division)
        warnings = (*options.doubts, *_input_warnings(stack, options.rule))
        if shifts.moved.any():
            warnings += (shifts.fact(Doubt.SLICES_DISPLACED),)
        elif options.correct_shifts:
            stack = replace(stack, notes=(*stack.notes, Fact(LgeNote.NO_SHIFTS)))
        measured = figures(
            stack, anatomy, scar, scar_alone.mask, scar_alone.mask, use, _conduction(beat), ecg_percent, warnings
        )
        network_mask = scar_alone.mask if options.rule is None else _scar(alone, stack, anatomy, None).mask
        seen, interval, confidence = _judged(evidence, anatomy, alone, network_mask, stack, session)
    return ScarResult(
        stack=stack,
        ecg=ecg,
        ecg_use=use,
        anatomy=anatomy,
        signs=seen,
        interval=interval,
        confidence=confidence,
        scar_probability=together,
        scar_probability_image_only=alone,
        weights_sha256=session.weights_sha256,
        timings=clock.seconds,
        ecg_findings=ecg_findings(beat, age=age, female=female) if beat is not None else None,
        **measured,
    )


def remeasure(result: ScarResult, labels: LabelArray, *, conduction: Conduction | None = None) -> ScarResult:
    """Measure again after the reader has changed the scar; cavity, wall and segments stay as they are.

    The ECG is held against the corrected scar. The image-only figures stay the network's.

    Parameters
    ----------
    result : ScarResult
    labels : uint8 array, shape (slice, row, column)
        Scar is 3; scar outside the wall does not count.
    conduction : Conduction, optional
        Of the ECG, where it is known; else the ECG is measured for it, which takes a fifth of a second.
    """
    if conduction is None and result.ecg_findings is not None:
        conduction = result.ecg_findings.features.conduction
    elif conduction is None:
        conduction = _conduction(_beat(result.ecg)[0])
    scar = FoundScar(labels == SCAR, replace(result.method, corrected=True))
    again = measured_again(result, result.anatomy, scar, scar.mask, conduction)
    kept = tuple(
        replace(row, scar_percent_image_only=before.scar_percent_image_only)
        for row, before in zip(again.segments, result.segments, strict=True)
    )
    return replace(again, scar_image_only=result.scar_image_only, segments=kept)


def _probabilities(
    stack: LgeStack,
    evidence: ImageEvidence,
    anatomy: Anatomy,
    beat: MedianBeat | None,
    use: EcgUse,
    session: Session,
) -> tuple[FloatArray, FloatArray, list[float] | None]:
    """Scar probability by the images alone and with the ECG, and the ECG's own estimate per segment, 0..100."""
    alone = scar_probability(evidence.scar_logit, evidence.wall, anatomy.myocardium, evidence.box)
    if beat is None or use.amplitude == 0:
        return alone, alone, None
    prior = soft_prior(anatomy, stack.spacing)
    said = session.fuse(stack, evidence, session.listen(beat), prior, use.amplitude)
    rows, columns = evidence.box
    moved = evidence.scar_logit + never_erasing(said.movement, alone[:, rows, columns])
    together = scar_probability(moved, evidence.wall, anatomy.myocardium, evidence.box)
    return alone, together, [float(percent) for percent in said.segment_percent]


def _judged(
    evidence: ImageEvidence,
    anatomy: Anatomy,
    alone: FloatArray,
    scar: NDArray[np.bool_],
    stack: LgeStack,
    session: Session,
) -> tuple[Signs, Interval | None, Confidence | None]:
    """How far the networks' image-only scar can be relied on, where these weights know."""
    seen = signs(alone, scar, evidence.disagreement, evidence.wall, evidence.box, anatomy, stack.voxel_ml)
    trust = Trust.from_settings(session.settings)
    if trust is None:
        return seen, None, None
    interval = trust.interval(seen, float(anatomy.myocardium.sum()) * stack.voxel_ml)
    return seen, interval, judged(seen, trust, anatomy, stack.voxel_ml)


def _scar(probability: FloatArray, stack: LgeStack, anatomy: Anatomy, rule: ThresholdRule | None) -> FoundScar:
    if rule is not None:
        return find_scar(stack, anatomy.cavity, anatomy.myocardium, rule)
    return network_scar(probability, stack.spacing, Method(above=SCAR_ABOVE))


def network_scar(
    probability: FloatArray,
    spacing: tuple[float, float, float],
    method: Method,
    smallest_island_ml: float = SMALLEST_ISLAND_ML,
) -> FoundScar:
    """The scar where the networks' probability is above the method's limit, small islands left out."""
    mask = drop_small_islands(probability > method.above, spacing, minimum_ml=smallest_island_ml)
    return FoundScar(mask, method)


def _beat(ecg: Ecg | None, female: bool | None = None) -> tuple[MedianBeat | None, Fact | None]:
    """The median beat, or the reason why there is none: an ECG that cannot be measured leaves the image alone."""
    if ecg is None:
        return None, None
    try:
        return median_beat(ecg, female=female), None
    except InputError as error:
        return None, Fact(EcgReason.UNREADABLE, error=str(error))


def _conduction(beat: MedianBeat | None) -> Conduction:
    return beat.features.conduction if beat else Conduction.UNKNOWN


def _anatomy(stack: LgeStack, evidence: ImageEvidence, insertions_deg: NDArray | None) -> Anatomy:
    cavity, wall = clean(evidence.classes == 1, evidence.classes == 2)
    if why := why_no_left_ventricle(cavity, wall, stack.spacing):
        refuse_without_ventricle(stack, f"{NOT_FOUND} ({why})")
    return divide(stack, cavity, wall, insertions_deg)


def _decide(
    ecg: Ecg | None,
    beat: MedianBeat | None,
    gap: TimeGap,
    anatomy: Anatomy,
    session: Session,
    options: SegmentOptions,
    why_no_ecg: Fact,
) -> EcgUse:
    if ecg is not None and options.rule is not None:
        return EcgUse(0.0, (Fact(EcgReason.RULE, source=ScarSource(options.rule.source)),), gap)
    return decide(
        ecg,
        beat.features if beat else None,
        gap,
        session.time_weight,
        anatomy_known=bool(anatomy.aha.any()),
        network_trained=session.ecg_trained,
        why_no_ecg=why_no_ecg,
    )


def _input_warnings(stack: LgeStack, rule: ThresholdRule | None) -> tuple[Fact, ...]:
    """What the reader has to know of the images before trusting any figure."""
    said = [] if stack.orientation_known else [Fact(Doubt.NO_ORIENTATION)]
    said += [note for note in stack.notes if note.code in LGE_DOUBTS]
    if stack.contrast == Contrast.UNKNOWN and rule is not None:  # the networks see both alike
        said.append(Fact(Doubt.CONTRAST_UNKNOWN))
    return tuple(said)


@cache
def _shipped() -> Session:
    return Session.load()


class _Clock:
    """Seconds per stage, and progress at the start of each."""

    def __init__(self, progress: Progress) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress

    @contextmanager
    def stage(self, name: str, begins_at: float) -> Iterator[None]:
        self._progress(begins_at, name)
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start
