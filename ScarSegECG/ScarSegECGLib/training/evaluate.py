"""Compare results with expert masks, patient by patient and slice by slice, in both conventions of the field.

*Infarct patients*: the mean Dice over patients with scar. *Challenge* (EMIDEC's own): the mean over all patients, where
nothing found in a heart without scar counts 1 and a missed or a false scar 0; found is what is told as found, not what
is called too little to tell (:meth:`ScarSegECGLib.measure.trust.Trust.present`).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ScarSegECGLib.case import Ecg, EcgUse, Signs, TimeGap
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import ConfidenceReason
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.measure.overlap import STRUCTURES, Overlap, overlap
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.pipeline import segment

Row = dict[str, Any]  # of a table, by its columns' names
METRICS = ("dice", "precision", "sensitivity", "volume_error_ml", "hd95_mm")
TOLD = ("case", "pathological", "true_scar_ml", "scar_ml", "present", "challenge_dice")
SIZES_ML = ((0.0, 10.0), (10.0, 30.0), (30.0, np.inf))  # small, medium and large infarcts
NOTHING_SEEN = Signs(0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class CaseFigures:
    """One patient's figures; ``None`` where a figure has no meaning (no scar in truth and none found).

    ``slices``: number from 1 at the apex, Dice of each structure, volumes. ``present``: whether scar is told as found.
    ``signs``: what presence and interval follow from. ``use``: what the ECG did, None where no ventricle was found.
    ``fold``: the one that held the patient out, in a cross-validation.
    """

    case: str
    pathological: bool
    true_scar_ml: float
    scar_ml: float
    cavity: Overlap
    myocardium: Overlap
    scar: Overlap
    slices: tuple[dict[str, float | None], ...]
    present: bool
    signs: Signs
    interval_ml: tuple[float, float] | None
    use: EcgUse | None
    seconds: float
    fold: int | None = None

    @property
    def challenge_dice(self) -> float:
        """Dice of scar in EMIDEC's convention: nothing found where nothing is counts 1, a missed or a false scar 0."""
        if self.true_scar_ml == 0:
            return float(not self.present)
        return float(self.scar.dice or 0.0) if self.present else 0.0

    def flat(self) -> Row:
        """As one line of a table."""
        low, high = self.interval_ml or (None, None)
        row: Row = {name: getattr(self, name) for name in TOLD}
        row |= {"pathological": int(self.pathological), "present": int(self.present)}
        row |= {"interval_low_ml": low, "interval_high_ml": high}
        for structure in STRUCTURES:
            row |= {f"{structure}_{metric}": value for metric, value in asdict(getattr(self, structure)).items()}
        return row

    def flat_slices(self) -> list[Row]:
        """As lines of a table, one a slice."""
        return [{"case": self.case, **one} for one in self.slices]


def evaluate_case(
    case: ExpertCase, session: Session, ecg: Ecg | None = None, gap: TimeGap | None = None, fold: int | None = None
) -> CaseFigures:
    """Segment one patient, anatomy predicted, and compare with the expert.

    A stack in which no left ventricle is found counts as an empty segmentation, not as a patient left out.
    """
    start = time.perf_counter()
    try:
        result = segment(case.stack, ecg, gap or TimeGap(None), session)
    except InputError:
        result = None
    seconds = time.perf_counter() - start
    found = ExpertCase(case.name, case.stack, result.labels if result else np.zeros_like(case.labels))
    masks = {name: (getattr(found, name), getattr(case, name)) for name in STRUCTURES}
    spacing, voxel_ml = case.stack.spacing, case.stack.voxel_ml
    slices = []
    for k in range(len(case.labels)):
        dice = {name: overlap(own[k], true[k], spacing, distance=False).dice for name, (own, true) in masks.items()}
        scar_ml, true_ml = (float(mask[k].sum()) * voxel_ml for mask in masks["scar"])
        slices.append({"number": k + 1, **dice, "true_scar_ml": true_ml, "scar_ml": scar_ml})
    reasons = result.confidence.reasons if result and result.confidence else ()
    little = any(reason.code is ConfidenceReason.LITTLE_SCAR for reason in reasons)
    return CaseFigures(
        case=case.name,
        pathological=bool(case.scar.any()),
        true_scar_ml=case.scar_ml,
        scar_ml=found.scar_ml,
        **{name: overlap(*both, spacing) for name, both in masks.items()},
        slices=tuple(slices),
        present=bool(found.scar.any()) and not little,
        signs=(result and result.signs) or NOTHING_SEEN,
        interval_ml=result.interval.ml if result and result.interval else None,
        use=result.ecg_use if result else None,
        seconds=seconds,
        fold=fold,
    )


def _middle(values: Iterable[float | None]) -> dict[str, float | None]:
    known = [value for value in values if value is not None]
    return {name: float(of(known)) if known else None for name, of in (("mean", np.mean), ("median", np.median))}


def _dice_of(rows: Sequence[Row], structure: str) -> dict:
    return {"patients": len(rows)} | _middle(row[f"{structure}_dice"] for row in rows)


def summarise(rows: Sequence[Row], slices: Sequence[Row] = ()) -> dict:
    """Means and medians over patients, in both conventions, by scar size, per slice, and pooled over all scar.

    A pathological patient whose scar was missed altogether counts with Dice 0; in the convention of infarct patients
    a normal one never counts in a scar mean, and false scar on normals has a line of its own. ``rows`` and ``slices``
    are lines of :meth:`CaseFigures.flat` and :meth:`CaseFigures.flat_slices`.
    """
    infarct, normal = ([row for row in rows if bool(row["pathological"]) is kind] for kind in (True, False))
    summary: dict = {}
    for structure in STRUCTURES:
        counted = infarct if structure == "scar" else rows
        summary[structure] = {m: _middle(row[f"{structure}_{m}"] for row in counted) for m in METRICS}
        names = {row["case"] for row in counted} if slices else ()
        summary[structure]["dice_per_slice"] = _middle(one[structure] for one in slices if one["case"] in names)
    shared = sum(row["scar_sensitivity"] * row["true_scar_ml"] for row in infarct)
    found, expected = (sum(row[name] for row in infarct) for name in ("scar_ml", "true_scar_ml"))
    false_ml = [row["scar_ml"] for row in normal]
    told = [row for row in rows if row["interval_low_ml"] is not None]
    inside = [row["interval_low_ml"] <= row["true_scar_ml"] <= row["interval_high_ml"] for row in told]
    return summary | {
        "scar_challenge": {"patients": len(rows)} | _middle(row["challenge_dice"] for row in rows),
        "scar_by_size": {
            f"{low:g} to {high:g} ml": _dice_of([row for row in infarct if low <= row["true_scar_ml"] < high], "scar")
            for low, high in SIZES_ML
        },
        "myocardium_infarct": _dice_of(infarct, "myocardium"),
        "myocardium_normal": _dice_of(normal, "myocardium"),
        "scar_pooled": {
            "dice": 2 * shared / (found + expected) if infarct else None,
            "precision": shared / found if found else None,
            "sensitivity": shared / expected if infarct else None,
        },
        "normals": {
            "count": len(normal),
            "false_scar_ml": _middle(false_ml),
            "share_under_2_ml": float(np.mean(np.array(false_ml) < 2)) if normal else None,
        },
        "pathological": {"count": len(infarct)},
        "lv_missed": sum(row["cavity_precision"] is None for row in rows),  # nothing was found at all
        "interval_coverage": float(np.mean(inside)) if inside else None,
    }


def summary_of(figures: Sequence[CaseFigures]) -> dict:
    """What :func:`summarise` makes of patients and their slices."""
    return summarise([row.flat() for row in figures], [one for row in figures for one in row.flat_slices()])


def as_json(figures: Sequence[CaseFigures]) -> dict:
    """Summary and cases under the documented names."""
    cases = []
    for row in figures:
        entry = {name: getattr(row, name) for name in (*TOLD, "interval_ml")}
        entry["ecg"] = None if row.use is None else [reason.code.value for reason in row.use.reasons]
        entry["seconds"] = row.seconds
        entry["slices"] = list(row.slices)
        cases.append(entry | {name: asdict(getattr(row, name)) for name in STRUCTURES})
    return {"summary": summary_of(figures), "cases": cases}
