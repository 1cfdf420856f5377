"""A cohort from its manifest to tables, pictures and the page; again, only what is missing, failed or changed."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ScarSegECGLib.case import software_versions
from ScarSegECGLib.cohort.agreement import SCARRED_FROM_PERCENT, summary
from ScarSegECGLib.cohort.engine import Crew, Outcome, Trouble, run_jobs
from ScarSegECGLib.cohort.flags import Flag, Weight, failed_flags, words_of
from ScarSegECGLib.cohort.group_pictures import FOLDER as GROUP
from ScarSegECGLib.cohort.group_pictures import write_group_pictures
from ScarSegECGLib.cohort.manifest import CohortCase
from ScarSegECGLib.cohort.options import CohortOptions, Networks, Task, digest
from ScarSegECGLib.cohort.page import FOLDER as PAGE
from ScarSegECGLib.cohort.page import write_page
from ScarSegECGLib.cohort.records import (
    CASES,
    COHORT,
    FAILED,
    KIND,
    CaseRecord,
    at_work,
    cohort_id,
    forget_failure,
    is_cohort,
    record_of,
    refuse_links,
    write_failure,
)
from ScarSegECGLib.cohort.review import reviews_of
from ScarSegECGLib.cohort.tables import Patient, patients_of, write_tables
from ScarSegECGLib.errors import InputError, NoLeftVentricle
from ScarSegECGLib.export.atomic import write_text

AGREEMENT, PROVENANCE = "agreement.json", "provenance.json"
LEAST_FREE_BYTES = 64 * 2**20
_MOST_TOLD = 5
Work = Callable[[Task], CaseRecord]


@dataclass(frozen=True)
class Finished:
    """What a run came to: cases with a result, those that were done now, and the outcomes without one."""

    cases: int
    done_now: int
    already: int
    failed: tuple[Outcome, ...]
    agreement: dict[str, Any] | None
    remarks: tuple[str, ...]  # what of that which was given does not count


def run_cohort(
    cases: Sequence[CohortCase],
    out: Path,
    options: CohortOptions,
    networks: Networks,
    crew: Crew,
    *,
    overwrite: bool = False,
    begun: Callable[[int, int], None] = lambda todo, total: None,
    told: Callable[[Outcome], None] = lambda outcome: None,
    work: Work | None = None,
) -> Finished:
    """Do what is to be done and write tables, pictures and page over all cases of the manifest.

    Parameters
    ----------
    cases : sequence of CohortCase
    out : Path
        A new or empty folder, or that of an earlier run of this cohort.
    options, networks, crew
        ``networks.sha256`` names the weights.
    overwrite : bool
        Take a folder that holds another cohort.
    begun : callable
        Called with how many cases are to be done, and how many there are.
    told : callable
        Called with each outcome as it comes.
    work : function, optional
        Makes one case's folder; :func:`ScarSegECGLib.cohort.job.do_case` when absent.

    Raises
    ------
    InputError
        The folder cannot be used, the disk is full, or as :func:`ScarSegECGLib.cohort.engine.run_jobs` says.
    """
    _make(out)
    with at_work(out):
        tasks = [Task(case, options, digest(case, options), networks, out) for case in cases]
        earlier = {case.name: record_of(out, case.name) for case in cases}
        _refuse_another_cohort(cases, earlier, out, overwrite)
        if not is_cohort(out) or overwrite:
            write_text(out / COHORT, json.dumps({"kind": KIND, "id": secrets.token_hex(8)}) + "\n")
        _clear_what_was_left(out)
        todo = [task for task in tasks if not _is_done(task, earlier[task.case.name])]
        begun(len(todo), len(tasks))
        waiting = {task.case.name for task in todo}
        for case in cases:
            if case.name not in waiting:  # what failed since was of other input or options
                forget_failure(out, case.name)
        failed = []
        try:
            for outcome in _outcomes(work, todo, crew, networks):
                if outcome.trouble is None:
                    forget_failure(out, outcome.name)
                else:
                    failed.append(outcome)
                    _keep_failure(out, outcome, next(task for task in todo if task.case.name == outcome.name))
                told(outcome)
                if outcome.trouble and shutil.disk_usage(out).free < LEAST_FREE_BYTES:
                    raise InputError(
                        "the disk is full; finished cases are whole, and the same command takes up the rest"
                    )
        finally:
            _clear_what_was_left(out)
        patients = write_outputs(out, [case.name for case in cases], options, networks)
    agreement = _agreement(patients)
    return Finished(
        cases=sum(patient.result is not None for patient in patients),
        done_now=len(todo) - len(failed),
        already=len(tasks) - len(todo),
        failed=tuple(failed),
        agreement=agreement,
        remarks=tuple(_remarks(out, patients, agreement)),
    )


def _remarks(out: Path, patients: Sequence[Patient], agreement: dict[str, Any] | None) -> Iterator[str]:
    """What to look at first, what of that which was given does not count, and what is no test."""
    alarms = Counter(flag for one in patients for flag in one.flags if flag.weight is Weight.ALARM)
    if alarms.pop(Flag.NO_RESULT, 0) < (count := sum(one.alarms > 0 for one in patients)):
        told = ", ".join(f"{words_of(flag)[0]} {number}" for flag, number in alarms.most_common())
        yield f"{count} with an alarm ({told}): look at them before using their figures"
    unread = [one for one in patients if Flag.ECG_UNREADABLE in one.flags and one.result]
    for one in unread[:_MOST_TOLD]:
        why = one.result["ecg"]["reason"].rstrip(".")  # type: ignore[index]
        yield f"{one.case}: {why}; the images' figures stand"
    doubted = [one for one in patients if Flag.EXPERT_DOUBTED in one.flags and one.record]
    for one in doubted[:_MOST_TOLD]:
        yield f"{one.case}, expert's mask: {one.record.facts['expert_remark']}"  # type: ignore[union-attr]
    if more := max(0, len(unread) - _MOST_TOLD) + max(0, len(doubted) - _MOST_TOLD):
        yield f"{more} more ECGs or experts' masks are in doubt: see the flags"
    if doubted and agreement and agreement["patients"] > len(doubted):
        yield "--label-map holds for every mask: where others are right as they are, correct the file instead"
    if agreement and (seen := agreement["patients_trained_on"]):
        yield f"{seen} of these masks are, by their names, of patients that the networks were trained on: no test"
    listed = {one.case for one in patients}
    if left := sorted(
        path.name for path in (out / CASES).iterdir() if path.name not in listed and path.name[:1] != "."
    ):
        yield f"not in this manifest and in no table, but still in {CASES}/: {', '.join(left[:_MOST_TOLD])}"
    if failed := sum(one.result is None for one in patients):
        yield f"{failed} without a result: put right what is said of each; the same command tries them again"


def write_outputs(
    out: Path,
    names: Sequence[str],
    options: CohortOptions | None = None,
    networks: Networks | None = None,
) -> list[Patient]:
    """Tables, agreement, group pictures, provenance and page from what lies in the cases' folders.

    Without options the provenance stays as it is.
    """
    patients = patients_of(out, names, reviews_of(out))
    try:
        write_tables(out, patients)
        agreement = _agreement(patients)
        if agreement is None:
            (out / AGREEMENT).unlink(missing_ok=True)
        else:
            write_text(out / AGREEMENT, json.dumps(agreement, indent=1, allow_nan=False) + "\n")
        pictures = write_group_pictures(out, patients)
        if options is not None and networks is not None:
            write_text(out / PROVENANCE, json.dumps(_provenance(patients, options, networks), indent=1) + "\n")
        write_page(out, patients, pictures, cohort_id(out))
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"the tables cannot be written ({error.strerror}); the cases are whole, run again") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):  # pyarrow's errors are among them
        raise InputError("a file below cases was changed by hand: take that case's folder away and run again") from None
    return patients


def names_of(out: Path) -> list[str]:
    """The cases of the last run, in its order.

    Raises
    ------
    InputError
        The folder is no cohort's, or its run did not come to its tables.
    """
    import csv

    if not is_cohort(out):
        raise InputError(f"{out.name}: no folder of `scarsegecg cohort run`")
    try:
        with (out / "patients.csv").open(encoding="utf-8", newline="") as table:
            return [row["case"] for row in csv.DictReader(table)]
    except (OSError, KeyError, ValueError, csv.Error):
        raise InputError(f"{out.name}: its run did not come to an end; call `scarsegecg cohort run` again") from None


def _make(out: Path) -> None:
    try:
        refuse_links(out)
        if out.exists() and not out.is_dir():
            raise InputError("The output is a file, not a folder: choose another folder.")
        if out.is_dir() and any(out.iterdir()) and not is_cohort(out) and not (out / ".lock").exists():
            raise InputError("The output folder holds other files: choose another folder.")
        out.mkdir(parents=True, exist_ok=True, mode=0o700)
        (out / ".lock").touch()  # first, so that what a killed run left here is known to be a run's
        (out / CASES).mkdir(exist_ok=True, mode=0o700)
    except OSError as error:
        raise InputError(f"The output folder cannot be made ({error.strerror}): choose another folder.") from None


def _outcomes(work: Work | None, todo: Sequence[Task], crew: Crew, networks: Networks) -> Iterator[Outcome[CaseRecord]]:
    """The pipeline and its networks, which take seconds to load, are asked for only where there is something to do."""
    if not todo:
        return
    if work is None:
        from ScarSegECGLib.cohort.job import Prepare, do_case

        work, crew = do_case, replace(crew, prepare=Prepare(networks))
    yield from run_jobs(work, [(task.case.name, task) for task in todo], crew)


def _is_done(task: Task, record: CaseRecord | None) -> bool:
    return record is not None and record.is_of(task.case, task.options_digest, task.networks.sha256)


def _refuse_another_cohort(
    cases: Sequence[CohortCase], earlier: dict[str, CaseRecord | None], out: Path, overwrite: bool
) -> None:
    """A folder whose finished cases have, every one, another name or other images than the manifest's."""
    finished = {path.name for path in (out / CASES).iterdir() if not path.name.startswith(".")}
    if overwrite or not finished:
        return
    from ScarSegECGLib.cohort.inputs import is_still

    known = ((case, earlier[case.name]) for case in cases if case.name in finished)
    # without a record that is understood it may be of an earlier version
    if not any(record is None or is_still(case.lge, record.inputs.get("lge")) for case, record in known):
        raise InputError(
            f"The output folder holds {len(finished)} cases, none of them of this manifest: choose another folder, or "
            "add --overwrite."
        )


def _clear_what_was_left(out: Path) -> None:
    """What runs that were killed had half written; the lock says that nobody is at work on it."""
    for folder in (out, *(out / name for name in (CASES, FAILED, GROUP, PAGE))):
        for left in folder.glob(".scarsegecg-*"):
            if not left.is_dir():
                left.unlink(missing_ok=True)
            elif folder != out:  # a folder that appears right here is of another command, which may be at work
                shutil.rmtree(left, ignore_errors=True)


def _keep_failure(out: Path, outcome: Outcome, task: Task) -> None:
    words = {
        Trouble.REFUSED: outcome.words,
        Trouble.FAULT: f"internal error ({outcome.error})",
        Trouble.KILLED: "two workers died with this case: too large for their memory, or a fault in a library",
    }[outcome.trouble or Trouble.FAULT]
    write_failure(
        out,
        CaseRecord(
            name=outcome.name,
            options=task.options_digest,
            weights=task.networks.sha256,
            inputs={},
            flags=failed_flags(outcome.error == NoLeftVentricle.__name__),
            seconds=outcome.seconds,
            trouble=outcome.trouble.value if outcome.trouble else "",
            words=words,
        ),
    )


def _agreement(patients: Sequence[Patient]) -> dict[str, Any] | None:
    judged = [patient for patient in patients if patient.result and patient.record and patient.record.expert]
    if not judged:
        return None
    shares = [[row["scar_percent_image_only"] for row in patient.result["segments"]] for patient in judged]  # type: ignore[index]
    told = summary([patient.record.expert for patient in judged], shares)  # type: ignore[union-attr, misc]
    trained_on = sum(bool(patient.record.facts.get("trained_on")) for patient in judged)  # type: ignore[union-attr]
    return {
        "methods": _methods(judged),
        "patients_trained_on": trained_on,
        "scarred_from_percent_of_segment": SCARRED_FROM_PERCENT,
        **told,
    }


def _methods(patients: Sequence[Patient]) -> dict[str, int]:
    """How scar was found, in words, and in how many."""
    return Counter(one.result["method"]["scar"] for one in patients if one.result)


def _provenance(patients: Sequence[Patient], options: CohortOptions, networks: Networks) -> dict[str, Any]:
    listed = hashlib.sha256(repr([patient.case for patient in patients]).encode()).hexdigest()
    made_by = sorted({patient.result["software"]["scarsegecg"] for patient in patients if patient.result})
    return {
        "kind": KIND,
        "written_utc": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "software": next((patient.result["software"] for patient in patients if patient.result), software_versions()),
        "results_made_by_scarsegecg": made_by,
        "weights_sha256": networks.sha256,
        "options": asdict(options),
        "cases": len(patients),
        "cases_without_result": sum(patient.result is None for patient in patients),
        "ecgs": {
            "given": sum("ecg" in one.record.inputs for one in patients if one.record),
            "read": sum(one.result["ecg"]["present"] for one in patients if one.result),
            "counted": sum(one.result["ecg"]["amplitude"] > 0 for one in patients if one.result),
        },
        "experts_masks": {
            "given": sum("expert" in one.record.inputs for one in patients if one.record),
            "used": sum(one.record.expert is not None for one in patients if one.record),
        },
        "contrast": Counter(one.result["geometry"]["contrast"] for one in patients if one.result),
        "methods": _methods(patients),
        "flags": {flag.value: sum(flag in patient.flags for patient in patients) for flag in Flag},
        "case_list_sha256": listed,
    }
