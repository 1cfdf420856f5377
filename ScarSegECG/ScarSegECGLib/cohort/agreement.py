"""How results agree with experts' masks: per case, and over the cohort."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ScarSegECGLib.anatomy.aha import divide
from ScarSegECGLib.case import CAVITY, MYOCARDIUM, SCAR, ScarResult
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import ConfidenceReason, has
from ScarSegECGLib.lge.labels import LabelMap, read_contours
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.measure.overlap import STRUCTURES, overlap
from ScarSegECGLib.measure.segments import segment_percent
from ScarSegECGLib.measure.trust import image_only_scar
from ScarSegECGLib.wording import all_words

SCARRED_FROM_PERCENT = 5.0
"""Of its volume: with less a segment counts as free of scar, by expert and program alike. This project's own choice."""


def against_expert(result: ScarResult, expert: Path, label_map: LabelMap | None = None) -> dict[str, Any]:
    """One result beside an expert's contours, which mean what :func:`ScarSegECGLib.lge.labels.read_contours` says.

    Returns
    -------
    dict
        Overlap of "cavity", "myocardium", "scar" (of the images alone, the primary figure) and "scar_with_ecg" (None
        where it did not count): Dice, precision, sensitivity, volume error ml, HD95 mm. ``true_scar_ml``, ``scar_ml``
        (images alone) and ``true_percent_of_lv``; ``pathological`` and ``present``, scar by expert and program;
        ``segments``, per cent of each that the expert calls scar, in the expert's own wall divided by the result's
        insertions; and ``remarks``, what is odd about the labels.

    Raises
    ------
    InputError
        Labels that cannot be read, lie on another grid, mean something else or hold no myocardium.
    """
    stack, alone, counted = result.stack, image_only_scar(result), result.ecg_use.amplitude > 0
    reasons = result.confidence.reasons if result.confidence else ()
    labels, notes = read_contours(expert, stack, label_map)
    truth = ExpertCase("", stack, labels)
    if not truth.myocardium.any():
        raise InputError("The expert's labels hold no myocardium (2): give cavity and wall as well as the infarct")
    known = _known(result.anatomy.insertions_deg)
    walls = divide(stack, truth.cavity, truth.myocardium, known, result.anatomy.division)
    percent = segment_percent(walls.aha, truth.scar, result.anatomy.division.segments)
    wall_ml = float(truth.myocardium.sum()) * stack.voxel_ml
    return {
        **{
            name: asdict(overlap(ours, theirs, stack.spacing))
            for name, ours, theirs in (
                ("cavity", result.labels == CAVITY, truth.cavity),
                ("myocardium", result.labels >= MYOCARDIUM, truth.myocardium),
                ("scar", alone, truth.scar),
            )
        },
        "scar_with_ecg": asdict(overlap(result.labels >= SCAR, truth.scar, stack.spacing)) if counted else None,
        "pathological": bool(truth.scar.any()),
        "present": bool(alone.any()) and not has(reasons, ConfidenceReason.LITTLE_SCAR),
        "true_scar_ml": truth.scar_ml,
        "scar_ml": float(np.count_nonzero(alone)) * stack.voxel_ml,
        "true_percent_of_lv": 100 * truth.scar_ml / wall_ml,
        "segments": [None if np.isnan(share) else float(share) for share in percent],
        "remarks": list(all_words(notes)),
    }


@dataclass(frozen=True)
class Difference:
    """Result minus expert over the cases (Bland and Altman, Lancet 1986; 1: 307)."""

    count: int
    bias: float
    lower: float
    upper: float


def bland_altman(found: ArrayLike, expected: ArrayLike) -> Difference | None:
    """Bias and 95 % limits of agreement (bias +- 1.96 SD); ``None`` with fewer than three pairs."""
    apart = np.asarray(found, float) - np.asarray(expected, float)
    if len(apart) < 3:
        return None
    spread = 1.96 * float(apart.std(ddof=1))
    bias = float(apart.mean())
    return Difference(len(apart), bias, bias - spread, bias + spread)


def summary(experts: Sequence[dict[str, Any]], shares: Sequence[Sequence[float | None]]) -> dict[str, Any]:
    """The cohort's figures.

    Parameters
    ----------
    experts : sequence of dict
        As :func:`against_expert` makes them.
    shares : sequence of sequence of float or None
        The same cases' per cent of scar per segment, by the program.

    Returns
    -------
    dict
        Means over patients by structure; the scar's Dice by both conventions: ``infarct_patients`` (those with scar by
        the expert) and ``challenge`` (all; nothing found where nothing is counts 1, a missed or an invented scar 0, and
        what cannot be told from none is none); Bland-Altman of scar in ml; sensitivity and specificity per segment and
        over all. All is of the images alone but ``scar_with_ecg``, of the patients in whom the ECG counted. Overlap of
        scar is over the patients with scar by the expert, all else over all ("patients" says how many).
    """
    pathological = [one for one in experts if one["pathological"]]
    volumes = [one["scar_ml"] for one in experts], [one["true_scar_ml"] for one in experts]
    difference = bland_altman(*volumes)
    return {
        "patients": len(experts),
        "with_infarct": len(pathological),
        "scar_is_of": "images alone",
        **{name: _means(experts, name) for name in STRUCTURES if name != "scar"},
        "scar": _means(pathological, "scar"),
        "scar_with_ecg": _means([one for one in pathological if one["scar_with_ecg"]], "scar_with_ecg"),
        "scar_dice": {
            "infarct_patients": _mean([one["scar"]["dice"] for one in pathological]),
            "challenge": _mean([_challenge(one) for one in experts]),
        },
        "scar_ml_minus_expert": asdict(difference) if difference else None,
        **_by_segment([one["segments"] for one in experts], shares),
    }


def _challenge(one: dict[str, Any]) -> float:
    """EMIDEC's: none where none is counts 1, missed or false scar 0; too little to be told from none counts as none."""
    if not one["pathological"]:
        return float(not one["present"])
    return float(one["scar"]["dice"] or 0.0) if one["present"] else 0.0


def _by_segment(expected: Sequence[Sequence[float | None]], found: Sequence[Sequence[float | None]]) -> dict[str, Any]:
    rows, total = [], np.zeros(4, int)
    for k in range(max((len(one) for one in expected), default=0)):
        counts = np.zeros(4, int)  # both, expert alone, program alone, neither
        for truth, ours in zip(expected, found, strict=True):
            pair = (truth[k], ours[k]) if k < len(truth) and k < len(ours) else ()
            scarred = [share >= SCARRED_FROM_PERCENT for share in pair if share is not None]
            if len(scarred) == 2:
                counts[2 * (not scarred[0]) + (not scarred[1])] += 1
        total += counts
        rows.append({"aha_segment": k + 1, **_rates(counts)})
    return {"segments": rows, "all_segments": _rates(total)}


def _rates(counts: np.ndarray) -> dict[str, float | int | None]:
    both, missed, invented, neither = (int(n) for n in counts)
    return {
        "scarred": both + missed,
        "free": invented + neither,
        "sensitivity": both / (both + missed) if both + missed else None,
        "specificity": neither / (invented + neither) if invented + neither else None,
    }


def _means(experts: Sequence[dict[str, Any]], name: str) -> dict[str, float | int | None]:
    keys = ("dice", "precision", "sensitivity", "volume_error_ml", "hd95_mm")
    return {"patients": len(experts)} | {key: _mean([one[name][key] for one in experts]) for key in keys}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _known(insertions_deg: np.ndarray) -> np.ndarray | None:
    """The result's insertions, joined over the slices, for a wall that reaches further than the result's."""
    there = insertions_deg[np.isfinite(insertions_deg).all(axis=1)]
    if not len(there):
        return None
    turn = np.exp(1j * np.radians(there)).mean(axis=0)
    return np.degrees(np.angle(turn)) % 360
