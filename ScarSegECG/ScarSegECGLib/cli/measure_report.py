"""What ``scarsegecg measure`` says of one patient: the JSON, the printed lines and the doubts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.anatomy.insertion import neighbour_spread_deg
from ScarSegECGLib.case import Anatomy, LgeStack
from ScarSegECGLib.lge.choose_series import TAKEN
from ScarSegECGLib.lge.contrast import UNMARKED
from ScarSegECGLib.lge.orientation import SLICE_AXIS_UNCLEAR
from ScarSegECGLib.lge.slice_shift import SliceShifts
from ScarSegECGLib.measure.contours import ContourMeasures
from ScarSegECGLib.measure.doubts import mask_doubts
from ScarSegECGLib.measure.threshold import NOT_USED

# What was noticed of files that puts a figure in doubt, and what of the anatomy that does not.
_OF_FILES = ("header may not hold the true pose", "orientation matrix (sform)", SLICE_AXIS_UNCLEAR, UNMARKED, TAKEN)
_HARMLESS: tuple[str, ...] = ("RV insertions given by the reader", "Segment 17 is not imaged")

_DISPLACED = "left where they are; --correct-shifts moves them"


def patient_report(
    stack: LgeStack,
    anatomy: Anatomy,
    measured: Mapping[str, ContourMeasures],
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
        "aha": anatomy.mode,
        "slices_left_out_from_apex": list(left_out),
        "insertions": {
            "anterior_inferior_deg": [_known(pair) for pair in anatomy.insertions_deg],
            "confidence": [round(float(value), 3) for value in anatomy.insertion_confidence],
            "mean_step_between_slices_deg": _known(neighbour_spread_deg(anatomy.insertions_deg)),
            "found_in_each_slice_deg": [_known(pair) for pair in own],
            "mean_step_between_slices_as_found_deg": _known(neighbour_spread_deg(own)),
        },
        "slice_shifts": {
            "row_column_mm": [_known(pair) for pair in shifts.mm],
            "confidence": [round(float(value), 3) for value in shifts.confidence],
            "displaced_slices_from_apex": [int(k) + 1 for k in np.flatnonzero(shifts.moved)],
            "corrected": corrected,
        },
        "myocardium_ml": float(anatomy.myocardium.sum()) * stack.voxel_ml,
        "cavity_ml": float(anatomy.cavity.sum()) * stack.voxel_ml,
        "methods": {name: as_json(entry) for name, entry in measured.items()},
    }


def as_json(measured: ContourMeasures) -> dict:
    """Everything but the masks."""
    named = {field.name: getattr(measured, field.name) for field in dataclasses.fields(measured)}
    for mask in ("mask", "mvo"):
        named.pop(mask)
    for key in ("patterns", "segments"):
        named[key] = [dataclasses.asdict(entry) for entry in named[key]]
    return named | {"scar": dataclasses.asdict(measured.scar), "warning": measured.warning}


def method_line(name: str, measured: ContourMeasures) -> str:
    """One rule's result: how much, what it consists of, and how it was found."""
    scar = measured.scar
    said = [_parts(measured), measured.method, f"remote region {measured.remote.removeprefix('remote region ')}"]
    if measured.remote != NOT_USED:
        said.append(f"remote {_range('mean', measured.remote_mean)}, {_range('SD', measured.remote_sd)}")
    text = "; ".join(filter(None, said))
    return f"{name:<8}{scar.ml:>8.2f} ml{scar.grams:>8.2f} g{scar.percent_of_lv:>7.1f} %   {text}"


def shift_line(shifts: SliceShifts) -> str:
    """Which slices were moved in line, or that none is displaced."""
    if not shifts.moved.any():
        return "no slice displaced against the others"
    return f"slices {shifts.sentence()}: moved in line"


def doubts(
    stack: LgeStack, anatomy: Anatomy, measured: Mapping[str, ContourMeasures], displaced: SliceShifts | None = None
) -> list[str]:
    """What speaks against files, contours, their division and the scar, each once; with the rules it speaks against.

    Patterns that speak against ischaemic scar are told of a single rule alone. ``displaced`` are shifts that were left
    as they are.
    """
    said = [note for note in stack.notes if any(doubt in note for doubt in _OF_FILES)]
    harmless = _HARMLESS
    if displaced is not None and displaced.moved.any():
        said.append(f"Slices {displaced.sentence()}: {_DISPLACED}.")
        harmless += ("Slices off the long axis",)  # said by the line before
    said += [note for note in anatomy.notes if not note.startswith(harmless)]
    alone = next(iter(measured.values())) if len(measured) == 1 else None
    scar = alone.mask if alone else np.zeros(anatomy.myocardium.shape, bool)
    said += mask_doubts(anatomy, scar, stack.spacing, alone.patterns if alone else ())
    against: dict[str, list[str]] = {}
    for name, entry in measured.items():
        for sentence in entry.warnings:
            against.setdefault(sentence, []).append(name)
    for sentence, names in against.items():
        said.append(sentence if len(names) == len(measured) else f"{', '.join(names)}: {sentence}")
    return list(dict.fromkeys(said))


def _parts(measured: ContourMeasures) -> str:
    """What the scar consists of, "" where it cannot be told or there is none."""
    if not measured.scar.ml:
        return ""
    if measured.core_ml is None:
        mvo = f"MVO {measured.mvo_ml:.2f} ml in it, " if measured.mvo_ml else ""
        return f"{mvo}core and grey zone not told apart (contrast unknown)"
    grey = "grey zone not determinable" if measured.grey_ml is None else f"grey zone {measured.grey_ml:.2f}"
    return f"core {measured.core_ml:.2f} + {grey} + MVO {measured.mvo_ml:.2f} + rest {measured.rest_ml or 0.0:.2f} ml"


def _range(what: str, values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return f"{what} unknown"
    low, high = f"{min(known):.4g}", f"{max(known):.4g}"
    return f"{what} {low}" if low == high else f"{what} {low} to {high}"


def _known(values: NDArray[np.float64]) -> list[float] | None:
    return [round(float(value), 2) for value in values] if np.isfinite(values).all() else None
