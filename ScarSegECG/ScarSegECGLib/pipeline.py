"""The whole way from a stack and an ECG to a measured scar, on one screen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from numpy.typing import NDArray

from ScarSegECGLib.anatomy.aha import divide, soft_prior
from ScarSegECGLib.anatomy.lv import clean, why_no_left_ventricle
from ScarSegECGLib.case import Anatomy, Ecg, FloatArray, LgeStack, ScarResult, Subject, TimeGap
from ScarSegECGLib.ecg.findings import ecg_findings
from ScarSegECGLib.ecg.median_beat import median_beat
from ScarSegECGLib.ecg.subject import DIFFERENT_PATIENTS, differ
from ScarSegECGLib.errors import InputError, NoLeftVentricle
from ScarSegECGLib.facts import LGE_DOUBTS, Contrast, Division, Doubt, Fact, LgeNote, Method, ScarSource
from ScarSegECGLib.facts_ecg import Conduction, EcgReason
from ScarSegECGLib.lge.checks import refuse_without_ventricle
from ScarSegECGLib.lge.slice_shift import corrected, estimate_shifts, native_result
from ScarSegECGLib.measure.islands import SMALLEST_ISLAND_ML, drop_small_islands
from ScarSegECGLib.measure.measurements import figures
from ScarSegECGLib.measure.rules import FoundScar, ThresholdRule, find_scar
from ScarSegECGLib.measure.trust import SCAR_ABOVE, Trust, judged, never_erasing, of_contours, scar_probability, signs
from ScarSegECGLib.network.amplitude import decide
from ScarSegECGLib.network.field import NOT_FOUND
from ScarSegECGLib.network.session import ImageEvidence, Session
from ScarSegECGLib.network.taff import EcgWord

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class SegmentOptions:
    """How a case is segmented; the defaults are the usual way."""

    rule: ThresholdRule | None = None  # inside the predicted contours, in place of the networks' scar: without the ECG
    why_no_ecg: Fact = Fact(EcgReason.NOT_GIVEN)  # what is told where there is no ECG
    # Put slices displaced between breath-holds back in line first; results return to where the slices are in the file.
    correct_shifts: bool = False
    # RV insertions as the reader gives them, shape (2,) or (slice, 2), degrees; :func:`anatomy.aha.divide` says how.
    insertions_deg: NDArray | None = None
    division: Division = Division()  # of the result: the networks were taught fixed sectors and 17 segments
    imaged: Subject = Subject()  # whose images these are, as far as they say; an ECG of somebody else's is doubted
    female: bool | None = None  # the patient's, for ECG criteria that depend on it; None: what images or ECG say
    age: float | None = None  # years; the same


def segment(
    stack: LgeStack,
    ecg: Ecg | None,
    gap: TimeGap,
    session: Session,
    options: SegmentOptions = SegmentOptions(),
    progress: Progress = lambda fraction, text: None,
) -> ScarResult:
    """As :func:`ScarSegECGLib.face.segment`, with the networks at hand.

    ``progress`` may raise to cancel. Where the ECG does not count, the results with and without it are the same, bit
    for bit. InputError where no left ventricle is found, or for a rule that cannot be used.
    """
    rule, seconds = options.rule, {}

    @contextmanager
    def stage(name: str, begins_at: float) -> Iterator[None]:
        progress(begins_at, name)
        start = time.perf_counter()
        yield
        seconds[name] = time.perf_counter() - start

    try:
        with stage("networks", 0.0):
            evidence = session.see(stack, lambda done: progress(0.6 * done, "networks"))
        with stage("anatomy", 0.6):
            anatomy = predicted_anatomy(stack, evidence, options.insertions_deg)
            shifts = estimate_shifts(anatomy.cavity, anatomy.myocardium, stack.spacing)
    except NoLeftVentricle as error:
        refuse_without_ventricle(stack, str(error))
    if options.correct_shifts and shifts.moved.any():
        once = replace(options, correct_shifts=False)
        return native_result(segment(corrected(stack, shifts), ecg, gap, session, once, progress), stack, shifts)
    with stage("ECG", 0.7):
        said: list[SegmentOptions | Subject] = [options, options.imaged, *([ecg.subject] if ecg else [])]
        female = next((one.female for one in said if one.female is not None), None)
        age = next((one.age for one in said if one.age is not None), None)
        beat, unheard = None, options.why_no_ecg
        if ecg is not None:
            try:
                beat = median_beat(ecg, female=female)
            except InputError as error:  # an ECG that cannot be measured leaves the image alone
                unheard = Fact(EcgReason.UNREADABLE, error=str(error))
            if rule is not None:
                unheard = Fact(EcgReason.RULE, source=ScarSource(rule.source))
        features = beat.features if beat and rule is None else None
        given = {"anatomy_known": bool(anatomy.aha.any()), "network_trained": session.ecg_trained}
        use = decide(ecg, features, gap, session.time_weight, **given, why_no_ecg=unheard)
    with stage("scar", 0.8):
        alone = scar_probability(evidence.scar_logit, evidence.wall, anatomy.myocardium, evidence.box)
        together, ecg_percent = alone, None
        if beat is not None and use.amplitude > 0:
            word = session.listen(beat)
            together, ecg_percent = with_ecg(session, stack, evidence, anatomy, word, use.amplitude, alone)
        found = network_scar(alone, stack.spacing, Method(above=SCAR_ABOVE))
        image_only = found if rule is None else find_scar(stack, anatomy.cavity, anatomy.myocardium, rule)
        scar = image_only if together is alone else network_scar(together, stack.spacing, found.method)
    with stage("measure", 0.9):
        if options.division != Division():
            anatomy = divide(stack, anatomy.cavity, anatomy.myocardium, options.insertions_deg, options.division)
        warnings: list[Fact] = []  # what the reader has to know of the images before trusting any figure
        if ecg is not None and differ(options.imaged, ecg.subject):
            warnings.append(DIFFERENT_PATIENTS)
        if not stack.orientation_known:
            warnings.append(Fact(Doubt.NO_ORIENTATION))
        warnings += [note for note in stack.notes if note.code in LGE_DOUBTS]
        if stack.contrast == Contrast.UNKNOWN and rule is not None:  # the networks see both alike
            warnings.append(Fact(Doubt.CONTRAST_UNKNOWN))
        if shifts.moved.any():
            warnings.append(shifts.fact(Doubt.SLICES_DISPLACED))
        elif options.correct_shifts:
            stack = replace(stack, notes=(*stack.notes, Fact(LgeNote.NO_SHIFTS)))
        mask, conduction = image_only.mask, (beat.features.conduction if beat else Conduction.UNKNOWN)
        measured = figures(stack, anatomy, scar, mask, mask, use, conduction, ecg_percent, tuple(warnings))
        seen = signs(alone, found.mask, evidence.disagreement, evidence.wall, evidence.box, anatomy, stack.voxel_ml)
        trust = Trust.from_settings(session.settings)  # None: these weights do not know how far they can be relied on
        wall_ml = float(anatomy.myocardium.sum()) * stack.voxel_ml
        interval = trust.interval(seen, wall_ml) if trust and rule is None else None
        confidence = judged(seen, trust, anatomy, stack.voxel_ml) if trust else None
    return ScarResult(
        stack=stack,
        ecg=ecg,
        ecg_use=use,
        anatomy=anatomy,
        signs=seen,
        interval=interval,
        confidence=confidence if rule is None else of_contours(confidence),
        scar_probability=together,
        scar_probability_image_only=alone,
        weights_sha256=session.weights_sha256,
        timings=seconds,
        ecg_findings=ecg_findings(beat, age=age, female=female) if beat is not None else None,
        **measured,
    )


def predicted_anatomy(stack: LgeStack, evidence: ImageEvidence, insertions_deg: NDArray | None = None) -> Anatomy:
    """The left ventricle that the networks see, divided in the usual way; NoLeftVentricle where there is none."""
    cavity, wall = clean(evidence.classes == 1, evidence.classes == 2)
    if why := why_no_left_ventricle(cavity, wall, stack.spacing):
        raise NoLeftVentricle(f"{NOT_FOUND} ({why})")
    return divide(stack, cavity, wall, insertions_deg)


def with_ecg(
    session: Session,
    stack: LgeStack,
    evidence: ImageEvidence,
    anatomy: Anatomy,
    word: EcgWord,
    amplitude: float,
    alone: FloatArray,
) -> tuple[FloatArray, list[float]]:
    """The scar's probability with the ECG, as ``alone`` on the stack's grid, and the ECG's own estimate, % by segment.

    A function of its own: what it needs on the way is as large as a stack of a hundred slices itself, and is let go.
    """
    movement = session.fuse(stack, evidence, word, soft_prior(anatomy, stack.spacing), amplitude)
    rows, columns = evidence.box
    moved = evidence.scar_logit + never_erasing(movement, alone[:, rows, columns])
    together = scar_probability(moved, evidence.wall, anatomy.myocardium, evidence.box)
    return together, (100 * word.extent).tolist()


def network_scar(
    probability: FloatArray,
    spacing: tuple[float, float, float],
    method: Method,
    smallest_island_ml: float = SMALLEST_ISLAND_ML,
) -> FoundScar:
    """The scar where the networks' probability is above the method's limit, small islands left out."""
    mask = drop_small_islands(probability > method.above, spacing, minimum_ml=smallest_island_ml)
    return FoundScar(mask, method)


@lru_cache(maxsize=2)
def loaded(weights: Path | None, device: str) -> Session:
    """The networks, those that are shipped where no weights are named, loaded once."""
    return Session.load(weights, device)
