"""Compare results with expert masks, patient by patient and slice by slice, in both conventions of the field.

*Infarct patients*: the mean Dice over patients with scar. *Challenge* (EMIDEC's own): the mean over all patients, where
nothing found in a heart without scar counts 1 and a missed or a false scar 0; found is what is told as found, not what
is called too little to tell (:meth:`ScarSegECGLib.measure.trust.Trust.present`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import CAVITY, MYOCARDIUM, SCAR, Ecg, EcgUse, LabelArray, Signs, TimeGap
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import ConfidenceReason
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.measure.overlap import Overlap, overlap
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.pipeline import segment

STRUCTURES = ("cavity", "myocardium", "scar")
_METRICS = ("dice", "precision", "sensitivity", "volume_error_ml", "hd95_mm")
SIZES_ML = ((0.0, 10.0), (10.0, 30.0), (30.0, np.inf))  # small, medium and large infarcts
NOTHING_SEEN = Signs(0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class SliceFigures:
    """Dice of one slice, from 1 at the apex; None where neither shows the structure. Volumes in ml."""

    number: int
    cavity: float | None
    myocardium: float | None
    scar: float | None
    true_scar_ml: float
    scar_ml: float


@dataclass(frozen=True)
class CaseFigures:
    """One patient's figures; ``None`` where a figure has no meaning (no scar in truth and none found).

    ``present``: whether scar is told as found. ``signs``: what presence and interval follow from. ``use``: what the ECG
    did, None where no left ventricle was found.
    """

    case: str
    pathological: bool
    true_scar_ml: float
    scar_ml: float
    cavity: Overlap
    myocardium: Overlap
    scar: Overlap
    scar_voxels: tuple[int, int, int]
    slices: tuple[SliceFigures, ...]
    present: bool
    signs: Signs
    interval_ml: tuple[float, float] | None
    use: EcgUse | None
    seconds: float

    @property
    def challenge_dice(self) -> float:
        """Dice of scar in EMIDEC's convention."""
        if not self.pathological:
            return float(not self.present)
        return float(self.scar.dice or 0.0) if self.present else 0.0

    def flat(self) -> dict[str, object]:
        """As one line of a table, floats rounded to 4 decimals."""
        row: dict[str, object] = {
            "case": self.case,
            "pathological": int(self.pathological),
            "true_scar_ml": round(self.true_scar_ml, 4),
            "scar_ml": round(self.scar_ml, 4),
            "present": int(self.present),
            "challenge_dice": round(self.challenge_dice, 4),
            "interval_low_ml": "" if self.interval_ml is None else round(self.interval_ml[0], 4),
            "interval_high_ml": "" if self.interval_ml is None else round(self.interval_ml[1], 4),
        }
        for structure in STRUCTURES:
            for metric, value in asdict(getattr(self, structure)).items():
                row[f"{structure}_{metric}"] = "" if value is None else round(float(value), 4)
        return row


def _masks(labels: NDArray) -> dict[str, NDArray[np.bool_]]:
    return {"cavity": labels == CAVITY, "myocardium": labels >= MYOCARDIUM, "scar": labels >= SCAR}


def _dice(found: NDArray[np.bool_], expected: NDArray[np.bool_]) -> float | None:
    both = int(found.sum()) + int(expected.sum())
    return float(2 * (found & expected).sum() / both) if both else None


def _slices(labels: LabelArray, truth: LabelArray, voxel_ml: float) -> tuple[SliceFigures, ...]:
    found, expected = _masks(labels), _masks(truth)
    return tuple(
        SliceFigures(
            number=k + 1,
            **{name: _dice(found[name][k], expected[name][k]) for name in STRUCTURES},
            true_scar_ml=float(expected["scar"][k].sum()) * voxel_ml,
            scar_ml=float(found["scar"][k].sum()) * voxel_ml,
        )
        for k in range(len(truth))
    )


def compare(labels: LabelArray, truth: LabelArray, spacing: tuple[float, float, float]) -> dict[str, Overlap]:
    """Overlap of cavity, myocardium (scar and MVO in) and scar (MVO in); both arrays [slice, row, column]."""
    found, expected = _masks(labels), _masks(truth)
    return {name: overlap(found[name], expected[name], spacing) for name in STRUCTURES}


def evaluate_case(
    case: ExpertCase, session: Session, ecg: Ecg | None = None, gap: TimeGap | None = None
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
    labels = np.zeros_like(case.labels) if result is None else np.minimum(result.labels, SCAR)
    found, expected = _masks(labels), _masks(case.labels)
    little = (
        result is not None
        and result.confidence is not None
        and any(reason.code is ConfidenceReason.LITTLE_SCAR for reason in result.confidence.reasons)
    )
    return CaseFigures(
        case=case.name,
        pathological=bool(expected["scar"].any()),
        true_scar_ml=case.scar_ml,
        scar_ml=float(found["scar"].sum()) * case.stack.voxel_ml,
        **compare(labels, case.labels, case.stack.spacing),
        scar_voxels=(
            int((found["scar"] & expected["scar"]).sum()),
            int(found["scar"].sum()),
            int(expected["scar"].sum()),
        ),
        slices=_slices(labels, case.labels, case.stack.voxel_ml),
        present=bool(found["scar"].any()) and not little,
        signs=NOTHING_SEEN if result is None or result.signs is None else result.signs,
        interval_ml=None if result is None or result.interval is None else result.interval.ml,
        use=None if result is None else result.ecg_use,
        seconds=seconds,
    )


def _mean_and_median(values: Sequence[float | None]) -> dict[str, float | None]:
    known = [value for value in values if value is not None]
    if not known:
        return {"mean": None, "median": None}
    return {"mean": float(np.mean(known)), "median": float(np.median(known))}


def _dice_of(rows: Sequence[CaseFigures], structure: str) -> dict:
    return {"patients": len(rows)} | _mean_and_median([getattr(row, structure).dice for row in rows])


def summarise(figures: Sequence[CaseFigures]) -> dict:
    """Means and medians over patients, in both conventions, by scar size, per slice, and pooled over voxels.

    A pathological patient whose scar was missed altogether counts with Dice 0; in the convention of infarct patients
    a normal one never counts in a scar mean, and false scar on normals has a line of its own.
    """
    summary: dict = {}
    for structure in STRUCTURES:
        counted = [row for row in figures if structure != "scar" or row.pathological]
        summary[structure] = {
            metric: _mean_and_median([getattr(getattr(row, structure), metric) for row in counted])
            for metric in _METRICS
        }
        summary[structure]["dice_per_slice"] = _mean_and_median(
            [getattr(one, structure) for row in counted for one in row.slices]
        )
    summary["scar_challenge"] = {"patients": len(figures)} | _mean_and_median([row.challenge_dice for row in figures])
    infarct = [row for row in figures if row.pathological]
    summary["scar_by_size"] = {
        f"{low:g} to {high:g} ml": _dice_of([row for row in infarct if low <= row.true_scar_ml < high], "scar")
        for low, high in SIZES_ML
    }
    summary["myocardium_infarct"] = _dice_of(infarct, "myocardium")
    summary["myocardium_normal"] = _dice_of([row for row in figures if not row.pathological], "myocardium")
    shared, found, expected = np.sum([row.scar_voxels for row in figures if row.pathological] or [(0, 0, 0)], axis=0)
    summary["scar_pooled"] = {
        "dice": float(2 * shared / (found + expected)) if found + expected else None,
        "precision": float(shared / found) if found else None,
        "sensitivity": float(shared / expected) if expected else None,
    }
    normals = [row.scar_ml for row in figures if not row.pathological]
    summary["normals"] = {"count": len(normals), "false_scar_ml": _mean_and_median(normals)}
    summary["normals"]["share_under_2_ml"] = float(np.mean(np.array(normals) < 2)) if normals else None
    summary["pathological"] = {"count": sum(row.pathological for row in figures)}
    summary["lv_missed"] = sum(row.use is None for row in figures)
    inside = [row.interval_ml[0] <= row.true_scar_ml <= row.interval_ml[1] for row in figures if row.interval_ml]
    summary["interval_coverage"] = float(np.mean(inside)) if inside else None
    return summary


def as_json(figures: Sequence[CaseFigures]) -> dict:
    """Summary and cases under the documented names."""
    cases = []
    for row in figures:
        entry: dict[str, object] = {
            "case": row.case,
            "pathological": row.pathological,
            "true_scar_ml": row.true_scar_ml,
            "scar_ml": row.scar_ml,
            "present": row.present,
            "challenge_dice": row.challenge_dice,
            "interval_ml": row.interval_ml,
            "ecg": None if row.use is None else [reason.code.value for reason in row.use.reasons],
            "seconds": row.seconds,
            "slices": [asdict(one) for one in row.slices],
        }
        cases.append(entry | {name: asdict(getattr(row, name)) for name in STRUCTURES})
    return {"summary": summarise(figures), "cases": cases}
