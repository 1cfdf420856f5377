"""What is told of scar measured inside given contours, by one rule or several: JSON, printed lines and doubts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.anatomy.insertion import neighbour_spread_deg
from ScarSegECGLib.case import Anatomy, Burden, LgeStack, ScarParts
from ScarSegECGLib.facts import LGE_DOUBTS, AnatomyNote, Doubt, Fact, LgeNote
from ScarSegECGLib.lge.slice_shift import SliceShifts
from ScarSegECGLib.measure.measurements import Measurements, contour_doubts
from ScarSegECGLib.wording import all_words, rule_words, spans, words

# What was noticed of files that puts a figure in doubt, and what of the anatomy that does not.
_OF_FILES = (*LGE_DOUBTS, LgeNote.TAKEN, LgeNote.TAKEN_AS_ASKED)
_HARMLESS: tuple[AnatomyNote, ...] = (AnatomyNote.INSERTIONS_GIVEN, AnatomyNote.NO_APEX)


def patient_report(
    stack: LgeStack,
    anatomy: Anatomy,
    measured: Mapping[str, Measurements],
    shifts: SliceShifts,
    *,
    corrected: bool,
    left_out: tuple[int, ...],
) -> dict:
    """Everything that was measured, for the JSON file; ``stack`` and ``anatomy`` lie on one grid."""
    own = anatomy.insertions_raw_deg  # before neighbours are heard
    if own is None:
        own = np.full((len(stack.voxels), 2), np.nan)
    return {
        "contrast": stack.contrast,
        "aha": words(anatomy.division),
        "slices_left_out_from_apex": list(left_out),
        "insertions": {
            "anterior_inferior_deg": [_known(pair) for pair in anatomy.insertions_deg],
            "confidence": np.round(np.asarray(anatomy.insertion_confidence, float), 3).tolist(),
            "mean_step_between_slices_deg": _known(neighbour_spread_deg(anatomy.insertions_deg)),
            "found_in_each_slice_deg": [_known(pair) for pair in own],
            "mean_step_between_slices_as_found_deg": _known(neighbour_spread_deg(own)),
        },
        "slice_shifts": {
            "row_column_mm": [_known(pair) for pair in shifts.mm],
            "confidence": np.round(np.asarray(shifts.confidence, float), 3).tolist(),
            "displaced_slices_from_apex": (np.flatnonzero(shifts.moved) + 1).tolist(),
            "corrected": corrected,
        },
        "myocardium_ml": float(anatomy.myocardium.sum()) * stack.voxel_ml,
        "cavity_ml": float(anatomy.cavity.sum()) * stack.voxel_ml,
        "methods": {name: as_json(entry) for name, entry in measured.items()},
    }


def as_json(measured: Measurements) -> dict:
    """Everything but the masks."""
    method, parts, warnings = measured.method, measured.parts, all_words(measured.warnings)
    remote = measured.remote
    return {
        "contrast": str(measured.contrast),
        "thresholds": list(measured.thresholds),
        "territories": measured.territories,
        "remote_mean": [] if remote is None else _per_slice(remote.mean),
        "remote_sd": [] if remote is None else _per_slice(remote.sd),
        **{f"{name}_ml": part.ml if part else None for name, part in named_parts(parts).items()},
        "scar": dataclasses.asdict(measured.scar),
        "method": rule_words(method),
        "remote": remote_words(measured),
        "n_sd": method.n_sd,
        "per": method.per,
        "aha_mode": words(measured.division),
        "grey_remark": words(parts.remark),
        "core_rule": words(parts.rule),
        "patterns": [dataclasses.asdict(island) | {"remark": words(island.remark)} for island in measured.patterns],
        "segments": [vars(row) | {"agreement_reason": words(row.agreement_reason)} for row in measured.segments],
        "warnings": list(warnings),
        "warning": " ".join(warnings),
    }


def named_parts(parts: ScarParts) -> dict[str, Burden | None]:
    """Core, grey zone, what lies below it, and MVO, by the names of a row's fields; ``None`` where not known."""
    return {"core": parts.core, "grey": parts.grey, "rest": parts.rest, "mvo": parts.mvo}


def remote_words(measured: Measurements) -> str:
    """Where the rule's remote myocardium was taken."""
    return words(measured.method.remote) or "not used"


def printed(
    anatomy: Anatomy,
    voxel_ml: float,
    measured: Mapping[str, Measurements],
    shifts: SliceShifts | None,
    left_out: tuple[int, ...] = (),
) -> list[str]:
    """What a reader sees of it in a shell: the contours, how they were divided, and a line for each rule.

    ``shifts`` are those to be told of: corrected, or none found.
    """
    wall, cavity = (float(mask.sum()) * voxel_ml for mask in (anatomy.myocardium, anatomy.cavity))
    lines = [f"myocardium {wall:.2f} ml, cavity {cavity:.2f} ml"]
    if left_out:
        lines.append(f"slices {spans(left_out)} left out of everything, counted from the apex")
    lines.append(f"AHA partition: {words(anatomy.division)}")
    if shifts is not None:
        moved = shifts.moved.any()
        lines.append(words(shifts.fact(LgeNote.SHIFTS_CORRECTED)) if moved else "no slice displaced against the others")
    return [*lines, *(_rule_line(name, entry) for name, entry in measured.items())]


def _rule_line(name: str, measured: Measurements) -> str:
    """One rule's result: how much, what it consists of, and how it was found."""
    scar, region = measured.scar, measured.method.remote
    said = [_parts(measured), rule_words(measured.method), words(region) or "remote region not used"]
    if region and measured.remote is not None:
        said.append(f"remote {_range('mean', measured.remote.mean)}, {_range('SD', measured.remote.sd)}")
    text = "; ".join(filter(None, said))
    return f"{name:<8}{scar.ml:>8.2f} ml{scar.grams:>8.2f} g{scar.percent_of_lv:>7.1f} %   {text}"


def doubts(
    stack: LgeStack, anatomy: Anatomy, measured: Mapping[str, Measurements], displaced: SliceShifts | None = None
) -> list[tuple[str, Fact]]:
    """What speaks against files, contours, their division and the scar, each once; with the rules it speaks against.

    Patterns that speak against ischaemic scar are told of a single rule alone. ``displaced`` are shifts that were left
    as they are.
    """
    said = [note for note in stack.notes if note.code in _OF_FILES]
    harmless = _HARMLESS
    if displaced is not None and displaced.moved.any():
        said.append(displaced.fact(Doubt.SLICES_DISPLACED))
        harmless += (AnatomyNote.OFF_AXIS,)  # said by the line before
    said += [note for note in anatomy.notes if note.code not in harmless]
    said += next(iter(measured.values())).doubts if len(measured) == 1 else contour_doubts(anatomy)
    told = {words(fact): fact for fact in said}
    for fact in dict.fromkeys(fact for entry in measured.values() for fact in entry.warnings):
        names = [name for name, entry in measured.items() if fact in entry.warnings]
        rules = "" if len(names) == len(measured) else f"{', '.join(names)}: "
        told[rules + words(fact)] = fact
    return list(told.items())


def _parts(measured: Measurements) -> str:
    """What the scar consists of, "" where it cannot be told or there is none."""
    core, grey, rest, mvo = (part.ml if part else None for part in named_parts(measured.parts).values())
    if not measured.scar.ml:
        return ""
    if core is None:
        return f"{f'MVO {mvo:.2f} ml in it, ' if mvo else ''}core and grey zone not told apart (contrast unknown)"
    zone = "grey zone not determinable" if grey is None else f"grey zone {grey:.2f}"
    return f"core {core:.2f} + {zone} + MVO {mvo:.2f} + rest {rest or 0.0:.2f} ml"


def _range(what: str, values: NDArray[np.float64]) -> str:
    known = values[np.isfinite(values)]
    if not known.size:
        return f"{what} unknown"
    low, high = f"{known.min():.4g}", f"{known.max():.4g}"
    return f"{what} {low}" if low == high else f"{what} {low} to {high}"


def _per_slice(values: NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def _known(values: NDArray[np.float64]) -> list[float] | None:
    return [round(float(value), 2) for value in values] if np.isfinite(values).all() else None
