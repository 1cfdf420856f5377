"""Compare results with expert masks, patient by patient and slice by slice, in both conventions of the field.

*Infarct patients*: the mean Dice over patients with scar. *Challenge* (EMIDEC's own): the mean over all patients, where
nothing found in a heart without scar counts 1 and a missed or a false scar 0; found is what is told as found, not what
is called too little to tell (:meth:`ScarSegECGLib.measure.trust.Trust.present`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import CAVITY, MYOCARDIUM, SCAR, Ecg, EcgUse, Signs, TimeGap
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import ConfidenceReason
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.measure.overlap import STRUCTURES, Overlap, overlap
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.pipeline import segment

METRICS = ("dice", "precision", "sensitivity", "volume_error_ml", "hd95_mm")
TOLD = ("case", "pathological", "true_scar_ml", "scar_ml", "present", "challenge_dice")
SIZES_ML = ((0.0, 10.0), (10.0, 30.0), (30.0, np.inf))  # small, medium and large infarcts
NOTHING_SEEN = Signs(0.0, 0.0, 0.0, 1.0)


def challenge_dice(true_ml: float, dice: float, present: bool) -> float:
    """EMIDEC's own convention: nothing found where nothing is counts 1, a missed or a false scar 0."""
    if true_ml == 0:
        return float(not present)
    return dice if present else 0.0


@dataclass(frozen=True)
class CaseFigures:
    """One patient's figures; ``None`` where a figure has no meaning (no scar in truth and none found).

    ``slices``: number from 1 at the apex, Dice of each structure, volumes. ``present``: whether scar is told as found.
    ``signs``: what presence and interval follow from. ``use``: what the ECG did, None where no ventricle was found.
    """

    case: str
    pathological: bool
    true_scar_ml: float
    scar_ml: float
    cavity: Overlap
    myocardium: Overlap
    scar: Overlap
    scar_voxels: tuple[int, int, int]
    slices: tuple[dict[str, float | None], ...]
    present: bool
    signs: Signs
    interval_ml: tuple[float, float] | None
    use: EcgUse | None
    seconds: float

    @property
    def challenge_dice(self) -> float:
        """Dice of scar in EMIDEC's convention."""
        return challenge_dice(self.true_scar_ml, float(self.scar.dice or 0.0), self.present)

    def flat(self) -> dict[str, object]:
        """As one line of a table, floats rounded to 4 decimals."""
        low, high = self.interval_ml or (None, None)
        row: dict[str, object] = {name: getattr(self, name) for name in TOLD}
        row |= {"pathological": int(self.pathological), "present": int(self.present)}
        row |= {"interval_low_ml": low, "interval_high_ml": high}
        for structure in STRUCTURES:
            row |= {f"{structure}_{metric}": value for metric, value in asdict(getattr(self, structure)).items()}
        return _cells(row)

    def flat_slices(self) -> list[dict[str, object]]:
        """As lines of a table, one a slice."""
        return [_cells({"case": self.case, **one}) for one in self.slices]


def _cells(row: Mapping[str, object]) -> dict[str, object]:
    rounded = {key: round(value, 4) for key, value in row.items() if isinstance(value, float)}
    return {key: "" if value is None else rounded.get(key, value) for key, value in row.items()}


def _masks(labels: NDArray) -> dict[str, NDArray[np.bool_]]:
    return {"cavity": labels == CAVITY, "myocardium": labels >= MYOCARDIUM, "scar": labels >= SCAR}


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
    found, true = (_masks(labels) for labels in (result.labels if result else np.zeros_like(case.labels), case.labels))
    spacing, voxel_ml = case.stack.spacing, case.stack.voxel_ml
    shared, seen, real = (int(mask.sum()) for mask in (found["scar"] & true["scar"], found["scar"], true["scar"]))
    slices = []
    for k in range(len(case.labels)):
        dice = {name: overlap(found[name][k], true[name][k], spacing, distance=False).dice for name in STRUCTURES}
        true_ml, scar_ml = (float(masks["scar"][k].sum()) * voxel_ml for masks in (true, found))
        slices.append({"number": k + 1, **dice, "true_scar_ml": true_ml, "scar_ml": scar_ml})
    reasons = result.confidence.reasons if result and result.confidence else ()
    little = any(reason.code is ConfidenceReason.LITTLE_SCAR for reason in reasons)
    return CaseFigures(
        case=case.name,
        pathological=real > 0,
        true_scar_ml=case.scar_ml,
        scar_ml=float(seen) * voxel_ml,
        **{structure: overlap(found[structure], true[structure], spacing) for structure in STRUCTURES},
        scar_voxels=(shared, seen, real),
        slices=tuple(slices),
        present=seen > 0 and not little,
        signs=(result and result.signs) or NOTHING_SEEN,
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
    infarct = [row for row in figures if row.pathological]
    normal = [row for row in figures if not row.pathological]
    summary: dict = {}
    for structure in STRUCTURES:
        counted = infarct if structure == "scar" else figures
        values = [asdict(getattr(row, structure)) for row in counted]
        summary[structure] = {metric: _mean_and_median([value[metric] for value in values]) for metric in METRICS}
        per_slice = [one[structure] for row in counted for one in row.slices]
        summary[structure]["dice_per_slice"] = _mean_and_median(per_slice)
    shared, found, expected = np.sum([row.scar_voxels for row in infarct] or [(0, 0, 0)], axis=0)
    false_ml = [row.scar_ml for row in normal]
    inside = [row.interval_ml[0] <= row.true_scar_ml <= row.interval_ml[1] for row in figures if row.interval_ml]
    return summary | {
        "scar_challenge": {"patients": len(figures)} | _mean_and_median([row.challenge_dice for row in figures]),
        "scar_by_size": {
            f"{low:g} to {high:g} ml": _dice_of([row for row in infarct if low <= row.true_scar_ml < high], "scar")
            for low, high in SIZES_ML
        },
        "myocardium_infarct": _dice_of(infarct, "myocardium"),
        "myocardium_normal": _dice_of(normal, "myocardium"),
        "scar_pooled": {
            "dice": float(2 * shared / (found + expected)) if found + expected else None,
            "precision": float(shared / found) if found else None,
            "sensitivity": float(shared / expected) if expected else None,
        },
        "normals": {
            "count": len(normal),
            "false_scar_ml": _mean_and_median(false_ml),
            "share_under_2_ml": float(np.mean(np.array(false_ml) < 2)) if normal else None,
        },
        "pathological": {"count": len(infarct)},
        "lv_missed": sum(row.use is None for row in figures),
        "interval_coverage": float(np.mean(inside)) if inside else None,
    }


def as_json(figures: Sequence[CaseFigures]) -> dict:
    """Summary and cases under the documented names."""
    cases = []
    for row in figures:
        entry = {name: getattr(row, name) for name in (*TOLD, "interval_ml")}
        entry["ecg"] = None if row.use is None else [reason.code.value for reason in row.use.reasons]
        entry["seconds"] = row.seconds
        entry["slices"] = list(row.slices)
        cases.append(entry | {name: asdict(getattr(row, name)) for name in STRUCTURES})
    return {"summary": summarise(figures), "cases": cases}
