"""Compare results with expert masks, patient by patient, and say it as the field says it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import CAVITY, MYOCARDIUM, SCAR, Ecg, LabelArray, TimeGap
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.measure.overlap import Overlap, overlap
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.pipeline import segment
from ScarSegECGLib.wording import words

STRUCTURES = ("cavity", "myocardium", "scar")
_METRICS = ("dice", "precision", "sensitivity", "volume_error_ml", "hd95_mm")


@dataclass(frozen=True)
class CaseFigures:
    """One patient's figures; ``None`` where a figure has no meaning (no scar in truth and none found)."""

    case: str
    pathological: bool
    true_scar_ml: float
    scar_ml: float
    cavity: Overlap
    myocardium: Overlap
    scar: Overlap
    scar_voxels: tuple[int, int, int]
    ecg: str
    seconds: float

    def flat(self) -> dict[str, object]:
        """As one line of a table, floats rounded to 4 decimals."""
        row: dict[str, object] = {
            "case": self.case,
            "pathological": int(self.pathological),
            "true_scar_ml": round(self.true_scar_ml, 4),
            "scar_ml": round(self.scar_ml, 4),
        }
        for structure in STRUCTURES:
            for metric, value in asdict(getattr(self, structure)).items():
                row[f"{structure}_{metric}"] = "" if value is None else round(float(value), 4)
        return row


def _masks(labels: NDArray) -> dict[str, NDArray[np.bool_]]:
    return {"cavity": labels == CAVITY, "myocardium": labels >= MYOCARDIUM, "scar": labels >= SCAR}


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
        labels, said = result.labels, words(result.ecg_use)
    except InputError as error:
        labels, said = np.zeros_like(case.labels), str(error)
    seconds = time.perf_counter() - start
    both = compare(labels, case.labels, case.stack.spacing)
    found, expected = labels == SCAR, case.labels >= SCAR
    return CaseFigures(
        case=case.name,
        pathological=bool(expected.any()),
        true_scar_ml=case.scar_ml,
        scar_ml=float(found.sum()) * case.stack.voxel_ml,
        **both,
        scar_voxels=(int((found & expected).sum()), int(found.sum()), int(expected.sum())),
        ecg=said,
        seconds=seconds,
    )


def _mean_and_median(values: Sequence[float | None]) -> dict[str, float | None]:
    known = [value for value in values if value is not None]
    if not known:
        return {"mean": None, "median": None}
    return {"mean": float(np.mean(known)), "median": float(np.median(known))}


def summarise(figures: Sequence[CaseFigures]) -> dict:
    """Means and medians over patients; scar over pathological patients only, and pooled over their voxels.

    A pathological patient whose scar was missed altogether counts with Dice 0; a normal one never counts in a scar
    mean, so that "nothing found where nothing is" does not flatter it. False scar on normals has a line of its own.
    """
    summary: dict = {}
    for structure in STRUCTURES:
        counted = [row for row in figures if structure != "scar" or row.pathological]
        summary[structure] = {
            metric: _mean_and_median([getattr(getattr(row, structure), metric) for row in counted])
            for metric in _METRICS
        }
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
            "ecg": row.ecg,
            "seconds": row.seconds,
        }
        cases.append(entry | {name: asdict(getattr(row, name)) for name in STRUCTURES})
    return {"summary": summarise(figures), "cases": cases}
