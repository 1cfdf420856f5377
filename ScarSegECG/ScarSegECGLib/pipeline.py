"""The whole way from a stack and an ECG to a measured scar, on one screen."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.anatomy.aha import partition
from ScarSegECGLib.anatomy.lv import clean, is_left_ventricle
from ScarSegECGLib.anatomy.soft import soft_prior
from ScarSegECGLib.anatomy.usual_place import usual_insertions_deg
from ScarSegECGLib.case import (
    SCAR,
    Anatomy,
    Ecg,
    EcgUse,
    FloatArray,
    LabelArray,
    LgeStack,
    MedianBeat,
    ScarResult,
    TimeGap,
)
from ScarSegECGLib.ecg.findings import ecg_findings
from ScarSegECGLib.ecg.median_beat import median_beat
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import (
    LGE_DOUBTS,
    AhaMode,
    Conduction,
    Contrast,
    Doubt,
    EcgReason,
    Fact,
    LgeNote,
    Method,
    ScarSource,
)
from ScarSegECGLib.lge.slice_shift import corrected, estimate_shifts, native_result
from ScarSegECGLib.measure.ecg_extent import both_movements, movement_to_extent, never_erasing
from ScarSegECGLib.measure.islands import SMALLEST_ISLAND_ML, drop_small_islands
from ScarSegECGLib.measure.result import counted, measured_again
from ScarSegECGLib.measure.rule import scar_by_rule
from ScarSegECGLib.measure.scar_probability import EWA_SHARE, SCAR_ABOVE, bright_wall, scar_probability
from ScarSegECGLib.measure.threshold import METHODS as RULES
from ScarSegECGLib.network.amplitude import decide
from ScarSegECGLib.network.locate import NOT_FOUND
from ScarSegECGLib.network.session import ImageEvidence, Session

NETWORK = ScarSource.NETWORK
METHODS = (NETWORK, *RULES)
# What the reader of files noted that puts walls and segments in doubt: a wrong side is a wrong territory.

Progress = Callable[[float, str], None]


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


def segment(
    stack: LgeStack,
    ecg: Ecg | None,
    gap: TimeGap,
    session: Session,
    *,
    method: str = NETWORK,
    n_sd: float | None = None,
    why_no_ecg: Fact = Fact(EcgReason.NOT_GIVEN),
    correct_shifts: bool = False,
    insertions_deg: NDArray | None = None,
    aha_mode: AhaMode = AhaMode.FIXED,
    aha_segments: Literal[16, 17] = 17,
    female: bool | None = None,
    age: float | None = None,
    doubts: tuple[Fact, ...] = (),
    progress: Progress = lambda fraction, text: None,
) -> ScarResult:
    """Find the myocardium, divide it, segment the scar with and without the ECG, and measure it.

    Parameters
    ----------
    stack : LgeStack
    ecg : Ecg or None
    gap : TimeGap
        Signed days between ECG and image.
    session : Session
        The loaded networks.
    method : one of :data:`METHODS`
        "network", or a threshold rule inside the predicted contours (the ECG then has no part in it).
    n_sd : float, optional
        For method "n_sd": standard deviations above remote myocardium.
    why_no_ecg : Fact
        The reason told when ``ecg`` is None.
    correct_shifts : bool
        Put slices displaced between breath-holds back in line before segmenting; results return to where the slices
        are in the file.
    insertions_deg : array, shape (2,) or (slice, 2), optional
        RV insertions as the reader gives them; see :func:`ScarSegECGLib.anatomy.aha.partition`.
    aha_mode, aha_segments : {"fixed", "landmark"}, {17, 16}
        How the result is divided. The networks were taught fixed sectors and 17 segments and always see these.
    female : bool, optional
        The patient's sex, for ECG criteria that depend on it; what the ECG file says when absent.
    age : float, optional
        Years, likewise.
    doubts : tuple of Fact
        What was noticed before, such as that ECG and images may be of two patients: the first warnings.
    progress : callable
        Called with the fraction done and the stage's name; may raise to cancel.

    Returns
    -------
    ScarResult
        With and without the ECG; where the ECG does not count the two are the same, bit for bit.

    Raises
    ------
    InputError
        No left ventricle found, or an unknown method.
    """
    if method not in METHODS:
        raise InputError(f"method '{method}' is not known; use one of {', '.join(METHODS)}")
    clock = _Clock(progress)
    with clock.stage("networks", 0.0):
        evidence = session.see(stack, lambda done: progress(0.6 * done, "networks"))
    with clock.stage("anatomy", 0.6):
        anatomy = _anatomy(stack, evidence, insertions_deg)
        shifts = estimate_shifts(anatomy.cavity, anatomy.myocardium, stack.spacing)
    if correct_shifts and shifts.moved.any():
        aligned = segment(
            corrected(stack, shifts),
            ecg,
            gap,
            session,
            method=method,
            n_sd=n_sd,
            why_no_ecg=why_no_ecg,
            insertions_deg=insertions_deg,
            aha_mode=aha_mode,
            aha_segments=aha_segments,
            female=female,
            age=age,
            doubts=doubts,
            progress=progress,
        )
        return native_result(aligned, stack, shifts)
    with clock.stage("ECG", 0.7):
        if ecg is not None:
            female = ecg.subject.female if female is None else female
            age = ecg.subject.age if age is None else age
        beat, why_no_beat = _beat(ecg, female)
        why_no_ecg = why_no_beat or why_no_ecg
        use = _decide(ecg, beat, gap, anatomy, session, method, why_no_ecg)
    with clock.stage("scar", 0.8):
        wall = evidence.anatomy[:, 2]
        bright = bright_wall(stack.voxels, anatomy.cavity, anatomy.myocardium, stack.spacing)
        alone = scar_probability(evidence.scar_logit, wall, bright, anatomy.myocardium)
        together, ecg_percent = alone, None
        if use.amplitude > 0 and beat is not None:
            prior = soft_prior(anatomy, stack.spacing)
            said = session.read_ecg(stack, evidence, beat, prior, use)
            extents = movement_to_extent(
                evidence.scar_logit, wall, bright, anatomy.aha, prior, said.segment_percent / 100
            )
            movement = never_erasing(both_movements(said.movement, extents, use.amplitude), alone)
            together = scar_probability(evidence.scar_logit + movement, wall, bright, anatomy.myocardium)
            ecg_percent = said.segment_percent
        scar_alone, told, doubtful = _scar(alone, stack, anatomy, method, n_sd)
        scar = scar_alone if together is alone else _scar(together, stack, anatomy, method, n_sd)[0]
    with clock.stage("measure", 0.9):
        if (aha_mode, aha_segments) != ("fixed", 17):
            anatomy = _divided(stack, anatomy.cavity, anatomy.myocardium, insertions_deg, aha_mode, aha_segments)
        said_percent = None if ecg_percent is None else [float(p) for p in ecg_percent]
        warnings = (*doubts, *_input_warnings(stack, method))
        if shifts.moved.any():
            warnings += (shifts.fact(Doubt.SLICES_DISPLACED),)
        elif correct_shifts:
            stack = dataclasses.replace(stack, notes=(*stack.notes, Fact(LgeNote.NO_SHIFTS)))
        figures = counted(
            stack, anatomy, scar, scar_alone, scar_alone, use, _conduction(beat), said_percent, warnings, doubtful
        )
    return ScarResult(
        stack=stack,
        ecg=ecg,
        ecg_use=use,
        anatomy=anatomy,
        scar_probability=together,
        scar_probability_image_only=alone,
        method=told,
        weights_sha256=session.weights_sha256,
        timings=clock.seconds,
        ecg_findings=ecg_findings(beat, age=age, female=female) if beat is not None else None,
        **figures,
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
    anatomy, scar = result.anatomy, labels == SCAR
    if conduction is None and result.ecg_findings is not None:
        conduction = result.ecg_findings.features.conduction
    elif conduction is None:
        conduction = _conduction(_beat(result.ecg)[0])
    again = measured_again(result, anatomy, scar, scar, dataclasses.replace(result.method, corrected=True), conduction)
    kept = tuple(
        dataclasses.replace(row, scar_percent_image_only=before.scar_percent_image_only)
        for row, before in zip(again.segments, result.segments, strict=True)
    )
    return dataclasses.replace(again, scar_image_only=result.scar_image_only, segments=kept)


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
    classes = evidence.anatomy.argmax(axis=1)
    cavity, wall = clean(classes == 1, classes == 2)
    if not is_left_ventricle(cavity, wall, stack.spacing):
        raise InputError(NOT_FOUND)
    return _divided(stack, cavity, wall, insertions_deg)


def _divided(
    stack: LgeStack,
    cavity: NDArray[np.bool_],
    wall: NDArray[np.bool_],
    insertions_deg: NDArray | None,
    mode: AhaMode = AhaMode.FIXED,
    segments: Literal[16, 17] = 17,
) -> Anatomy:
    return partition(
        cavity,
        wall,
        stack.voxels,
        stack.spacing,
        insertions_deg=insertions_deg,
        mode=mode,
        segments=segments,
        orientation_known=stack.orientation_known,
        standard_deg=usual_insertions_deg(stack.ijk_to_ras, stack.orientation_known),
    )


def _decide(
    ecg: Ecg | None,
    beat: MedianBeat | None,
    gap: TimeGap,
    anatomy: Anatomy,
    session: Session,
    method: str,
    why_no_ecg: Fact,
) -> EcgUse:
    if ecg is not None and method != NETWORK:
        return EcgUse(0.0, (Fact(EcgReason.RULE, source=ScarSource(method)),), gap)
    return decide(
        ecg,
        beat.features if beat else None,
        gap,
        session.time_weight,
        anatomy_known=bool(anatomy.aha.any()),
        network_trained=session.ecg_trained,
        why_no_ecg=why_no_ecg,
    )


def _scar(
    probability: FloatArray, stack: LgeStack, anatomy: Anatomy, method: str, n_sd: float | None
) -> tuple[NDArray[np.bool_], Method, tuple[Fact, ...]]:
    """The scar mask by the chosen method, that method, and why the mask is not to be believed."""
    if method == NETWORK:
        mask = drop_small_islands(probability > SCAR_ABOVE, stack.spacing, minimum_ml=SMALLEST_ISLAND_ML)
        return mask, Method(above=SCAR_ABOVE, ewa_share=EWA_SHARE), ()
    found = scar_by_rule(
        stack.voxels,
        anatomy.cavity,
        anatomy.myocardium,
        stack.spacing,
        method,
        n_sd=n_sd,
        contrast=stack.contrast,
        smallest_island_ml=SMALLEST_ISLAND_ML,
    )
    return found.mask, found.method, found.warnings


def _input_warnings(stack: LgeStack, method: str) -> tuple[Fact, ...]:
    """What the reader has to know of the images before trusting any figure."""
    said = [] if stack.orientation_known else [Fact(Doubt.NO_ORIENTATION)]
    said += [note for note in stack.notes if note.code in LGE_DOUBTS]
    if stack.contrast == Contrast.UNKNOWN and method != NETWORK:  # the networks see both alike
        said.append(Fact(Doubt.CONTRAST_UNKNOWN))
    return tuple(said)
