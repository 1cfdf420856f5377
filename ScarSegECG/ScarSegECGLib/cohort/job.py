"""One case in a worker: read, segment, compare with the expert, write the folder that appears whole or not at all."""

from __future__ import annotations

import gc
import json
import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ScarSegECGLib.case import Ecg, LgeStack, ScarResult, Subject
from ScarSegECGLib.cohort.agreement import against_expert
from ScarSegECGLib.cohort.flags import Flag, disagreeing, displaced_slices, flags_of, insertion_confidence
from ScarSegECGLib.cohort.inputs import InputState, state_of
from ScarSegECGLib.cohort.manifest import CohortCase
from ScarSegECGLib.cohort.options import Networks, Task
from ScarSegECGLib.cohort.records import CASES, RECORD, CaseRecord, as_text, record_of
from ScarSegECGLib.ecg.gap import gap_of_case
from ScarSegECGLib.ecg.read import read_ecg
from ScarSegECGLib.ecg.subject import subject_of_dicom
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.write import write_dicom_beside, write_result
from ScarSegECGLib.facts import Division, Fact, ScarSource
from ScarSegECGLib.facts_ecg import EcgReason
from ScarSegECGLib.lge.dicom_source import find_source
from ScarSegECGLib.lge.read import read_lge, with_contrast
from ScarSegECGLib.measure.rules import ThresholdRule
from ScarSegECGLib.network.device import give_back_memory
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.pipeline import SegmentOptions, segment
from ScarSegECGLib.view.pictures import pictures
from ScarSegECGLib.view.viewer import result_data, thumbnail, viewer_block
from ScarSegECGLib.wording import words

VIEW, THUMBNAIL = "view.js", "thumb.png"
_session: Session | None = None
_refused: InputError | None = None


@dataclass(frozen=True)
class Prepare:
    """Loads the networks once in a worker; one thread each, because the cases are what runs side by side."""

    networks: Networks

    def __call__(self) -> None:
        """A refusal is kept and told for every case, so that a worker without weights does not die of it."""
        global _session, _refused
        torch.set_num_threads(1)
        try:
            _session, _refused = _load(self.networks), None
        except InputError as error:
            _session, _refused = None, error


def do_case(task: Task) -> CaseRecord:
    """Make one case's folder, unless it stands already as it would become.

    Raises
    ------
    InputError
        Something about the case is to be put right; there is no folder then.
    """
    if _refused is not None:
        raise _refused
    before = record_of(task.out, task.case.name)
    if before is not None and before.is_of(task.case, task.options_digest, task.networks.sha256):
        return before  # done by a worker that died before it could say so
    start = time.perf_counter()
    try:
        return _done(task, start)
    finally:
        gc.collect()
        give_back_memory()  # a worker is as large after thousands of cases as after the first


def _done(task: Task, start: float) -> CaseRecord:
    case, options = task.case, task.options
    import psutil  # of the extra: evaluate, which a plain installation has, imports this module too

    memory = {"worker": os.getpid(), "memory_mb": round(psutil.Process().memory_info().rss / 2**20, 1)}  # before it
    inputs = _inputs(case)
    stack = read_lge(case.lge)
    if contrast := case.contrast or options.contrast:
        stack = with_contrast(stack, contrast)
    ecg, why_no_ecg = _ecg(task)
    imaged = _imaged(stack)
    result = _segmented(task, stack, ecg, why_no_ecg, imaged)
    expert, remarks = _against_expert(result, task)
    flags = (*flags_of(result, imaged, case.female, case.age), *([Flag.EXPERT_DOUBTED] if remarks else []))
    if _inputs(case) != inputs:
        raise InputError("a file of the case changed while it was read; run again")
    record = CaseRecord(
        name=case.name,
        options=task.options_digest,
        weights=task.networks.sha256,
        inputs=inputs,
        flags=flags,
        facts=_facts(result, imaged, case) | memory | {"expert_remark": remarks, "trained_on": _trained_on(task)},
        expert=expert,
    )
    finished: list[CaseRecord] = []

    def beside(folder: Path) -> None:
        (folder / VIEW).write_text(_script(case.name, data), encoding="utf-8")
        (folder / THUMBNAIL).write_bytes(thumbnail(result))
        refused = write_dicom_beside(result, painted, folder) if options.dicom and stack.sources else ""
        facts = record.facts | {"no_dicom_because": refused}
        told = replace(record, facts=facts, seconds=time.perf_counter() - start)
        (folder / RECORD).write_text(as_text(told), encoding="utf-8")
        finished.append(told)

    painted, data = pictures(result), result_data(result)
    out = task.out / CASES / case.name
    write_result(result, painted, out, overwrite=True, viewer=viewer_block(data), beside=beside)
    return finished[0]


def _ecg(task: Task) -> tuple[Ecg | None, Fact]:
    """The case's ECG, or why there is none: one that cannot be read leaves the images' figures as they are."""
    if task.case.ecg is None or not task.options.use_ecg:
        return None, Fact(EcgReason.NOT_GIVEN if task.options.use_ecg else EcgReason.SWITCHED_OFF)
    try:
        return read_ecg(task.case.ecg), Fact(EcgReason.NOT_GIVEN)
    except InputError as error:
        return None, Fact(EcgReason.UNREADABLE, error=str(error))


def _against_expert(result: ScarResult, task: Task) -> tuple[dict[str, Any] | None, str]:
    """How the result agrees with the expert, and what is wrong or odd with the expert's labels."""
    if task.case.expert is None:
        return None, ""
    try:
        found = against_expert(result, task.case.expert, dict(task.options.label_map) or None)
    except InputError as error:
        return None, str(error)
    return found, " ".join(found["remarks"])


def _trained_on(task: Task) -> bool:
    """Whether the case, its file or a folder of it is called like a patient that the weights were trained on."""
    known = set(session_of(task.networks).settings.get("trained_on", []))
    return bool(known & {task.case.name, *(part.partition(".")[0] for part in task.case.lge.parts)})


def _segmented(task: Task, stack: LgeStack, ecg: Ecg | None, why_no_ecg: Fact, imaged: Subject) -> ScarResult:
    case, options = task.case, task.options
    gap = gap_of_case(
        ecg,
        stack.acquired,
        typed_ecg_date=case.ecg_date if ecg else None,
        typed_mri_date=case.mri_date,
        event_between=case.event_between,
    )
    return segment(
        stack,
        ecg,
        gap,
        session_of(task.networks),
        SegmentOptions(
            rule=None if options.method is ScarSource.NETWORK else ThresholdRule(options.method, options.n_sd),
            why_no_ecg=why_no_ecg,
            correct_shifts=options.correct_shifts,
            division=Division(options.aha, options.segments),
            imaged=imaged,
            female=case.female,
            age=case.age,
        ),
    )


def _facts(result: ScarResult, imaged: Subject, case: CohortCase) -> dict[str, Any]:
    """What the tables hold beside ``result.json``; sex and age as the manifest, the images or the ECG say."""
    subjects = [imaged, *([result.ecg.subject] if result.ecg else [])]
    female = next((sex for sex in (case.female, *(one.female for one in subjects)) if sex is not None), None)
    age = next((years for years in (case.age, *(one.age for one in subjects)) if years is not None), None)
    interval, confidence = result.interval, result.confidence
    lv = np.asarray(result.anatomy.myocardium.any(axis=(1, 2)))
    return {
        "female": female,
        "age": None if age is None else round(float(age), 1),
        "slices": len(lv),
        "lv_slices": int(lv.sum()),
        "displaced_slices": list(displaced_slices(result)),
        "disagreeing_segments": disagreeing(result.segments),
        "interval": asdict(interval) if interval else None,
        "confidence": confidence.grade.value if confidence else None,
        "doubts": [words(reason) for reason in confidence.reasons] if confidence else [],
        "insertion_confidence": insertion_confidence(result),
        "segments_with_ecg_estimate": sum(row.ecg_percent is not None for row in result.segments),
    }


def _inputs(case: CohortCase) -> dict[str, InputState]:
    states = {"lge": state_of(case.lge), "ecg": state_of(case.ecg), "expert": state_of(case.expert)}
    return {name: state for name, state in states.items() if state is not None}


def _imaged(stack: LgeStack) -> Subject:
    source = find_source(stack)
    return subject_of_dicom(source[0][0]) if source else Subject()


def _script(name: str, data: dict[str, Any]) -> str:
    """A file that a page can load from the disk, where it may not read JSON."""
    told = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return f"SCARSEGECG_VIEWS[{json.dumps(name)}]={told};\n"


def session_of(networks: Networks) -> Session:
    """This worker's networks, loaded once."""
    global _session
    if _session is None:
        _session = _load(networks)
    return _session


def _load(networks: Networks) -> Session:
    session = Session.load(networks.weights, networks.device)
    if networks.sha256 and session.weights_sha256 != networks.sha256:
        raise InputError("a worker has other weights than this machine; install the same ones")
    return session
