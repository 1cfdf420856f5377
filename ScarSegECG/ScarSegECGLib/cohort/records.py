"""What is kept of each case: ``cases/NAME/case.json`` inside its result, ``failed/NAME.json`` where there is none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ScarSegECGLib.cohort.flags import Flag
from ScarSegECGLib.cohort.inputs import InputState, is_still
from ScarSegECGLib.cohort.manifest import CohortCase
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import MARKER, write_text

KIND = "ScarSegECG cohort"
CASES, FAILED, RECORD, COHORT = "cases", "failed", "case.json", "cohort.json"
_LARGEST = 64 * 2**20
_NUMBER, _MAYBE = (int, float), (int, float, type(None))
_BURDEN = dict.fromkeys(("ml", "g", "percent_of_lv"), _NUMBER)
# What tables, pictures and page take for granted.
_RESULT = {
    **{"created_utc": str, "warnings": list, "software": {"scarsegecg": str}},
    **{"scar": {"image_only": _BURDEN, "with_ecg": _BURDEN}},
    **{"ecg": {"present": bool, "amplitude": _NUMBER, "gap_days": _MAYBE, "reason": str}},
    "segments": [{"aha_segment": int, "scar_percent_image_only": _MAYBE, "ecg_scar_percent": _MAYBE}],
}
_FACTS = {"interval": (dict, type(None)), "doubts": list, "displaced_slices": list}
_EXPERT = {"present": bool, "pathological": bool, "scar": dict, "scar_with_ecg": (dict, type(None)), "segments": list}
_RECORD = {"name": str, "seconds": _NUMBER, "trouble": str, "words": str, "facts": dict, "expert": (dict, type(None))}


@dataclass(frozen=True)
class CaseRecord:
    """What a result of one case was made from, and what is known of it beside ``result.json``.

    Attributes
    ----------
    name : str
    options, weights : str
        Hashes: of everything typed, and of the networks' weights.
    inputs : dict
        State of "lge", "ecg" and "expert", where the case has them.
    flags : tuple of Flag
    facts : dict
        Numbers by name, see :mod:`ScarSegECGLib.cohort.job`.
    expert : dict or None
        How the result agrees with the expert's mask, see :mod:`ScarSegECGLib.cohort.agreement`.
    seconds : float
        The case's own time in its worker.
    trouble, words : str
        Of a case without a result: the kind and one line.
    """

    name: str
    options: str
    weights: str
    inputs: dict[str, InputState]
    flags: tuple[Flag, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    expert: dict[str, Any] | None = None
    seconds: float = 0.0
    trouble: str = ""
    words: str = ""

    def is_of(self, case: CohortCase, options: str, weights: str) -> bool:
        """Whether doing the case again would give the same: hashes of options and weights, files unchanged."""
        same = (self.options, self.weights) == (options, weights) and not self.trouble
        paths = {"lge": case.lge, "ecg": case.ecg, "expert": case.expert}
        return same and all(is_still(path, self.inputs.get(name)) for name, path in paths.items())


def as_text(record: CaseRecord) -> str:
    """As it is kept."""
    told = asdict(record) | {"kind": KIND, "flags": [flag.value for flag in record.flags]}
    return json.dumps(told, indent=1, allow_nan=False) + "\n"


def read_record(path: Path) -> CaseRecord | None:
    """A record, or None where there is none that this version understands."""
    told = _json(path)
    if told is None or told.pop("kind", "") != KIND or not _fits(told, _RECORD):
        return None
    whole = _fits(told["facts"], _FACTS) and (told["expert"] is None or _fits(told["expert"], _EXPERT))
    if not (told["trouble"] or whole):
        return None
    try:
        inputs = {name: InputState(**state) for name, state in told.pop("inputs").items()}
        flags = tuple(Flag(value) for value in told.pop("flags"))
        return CaseRecord(**told, inputs=inputs, flags=flags)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def result_of(out: Path, name: str) -> dict[str, Any] | None:
    """``result.json`` of a finished case; None where it is not whole."""
    told = _json(out / CASES / name / MARKER)
    return told if _fits(told, _RESULT) else None


def record_of(out: Path, name: str) -> CaseRecord | None:
    """The record of a finished case; None where its result is not whole."""
    record = read_record(out / CASES / name / RECORD)
    return record if record is not None and result_of(out, name) is not None else None


def failure_of(out: Path, name: str) -> CaseRecord | None:
    """The record of a case that came to nothing at its last try."""
    return read_record(out / FAILED / f"{name}.json")


def write_failure(out: Path, record: CaseRecord) -> None:
    """Keep what was wrong with a case."""
    (out / FAILED).mkdir(parents=True, exist_ok=True, mode=0o700)
    write_text(out / FAILED / f"{record.name}.json", as_text(record))


def forget_failure(out: Path, name: str) -> None:
    """The case has a result now."""
    (out / FAILED / f"{name}.json").unlink(missing_ok=True)


def is_cohort(folder: Path) -> bool:
    """Whether a folder is one that ``cohort run`` made."""
    told = _json(folder / COHORT)
    return told is not None and told.get("kind") == KIND


def cohort_id(folder: Path) -> str:
    """What tells this cohort's folder from every other."""
    return str((_json(folder / COHORT) or {}).get("id", ""))


def refuse_links(out: Path) -> None:
    """InputError where the cohort's folder, or anything that is written in it, is a link to another place."""
    folders = (out, *(out / name for name in (CASES, FAILED, "group", "page")))
    inside = (path for folder in folders if folder.is_dir() for path in folder.iterdir())
    if any(path.is_symlink() for path in (*folders, *inside)):
        raise InputError("The output folder is or holds a link to another place: give a folder of its own.")


@contextmanager
def at_work(out: Path) -> Iterator[None]:
    """Nobody else works in this folder meanwhile; the lock goes with the process, however that ends.

    Raises
    ------
    InputError
        Somebody does, or it holds links.
    """
    from locket import LockError, lock_file

    refuse_links(out)
    lock = lock_file(str(out / ".lock"), timeout=0)
    try:
        lock.acquire()
    except LockError:
        raise InputError("another run is at work in the output folder; wait for its end") from None
    try:
        yield
    finally:
        lock.release()


def _fits(told: Any, like: Any) -> bool:
    """Whether JSON has at least the names, and under them the kinds, of a pattern."""
    if isinstance(like, dict):
        whole = isinstance(told, dict) and told.keys() >= like.keys()
        return whole and all(_fits(told[name], kind) for name, kind in like.items())
    if isinstance(like, list):
        return isinstance(told, list) and all(_fits(one, like[0]) for one in told)
    return isinstance(told, like)


def _json(path: Path) -> dict[str, Any] | None:
    try:
        if path.is_symlink() or path.stat().st_size > _LARGEST:
            return None
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None
