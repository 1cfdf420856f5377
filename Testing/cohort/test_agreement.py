"""How a cohort's results agree with experts': figures by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ScarSegECGLib.cohort.agreement import SCARRED_FROM_PERCENT, bland_altman, summary


def _expert(
    dice: float | None, true_ml: float, ml: float, segments: list[float | None], present: bool | None = None
) -> dict:
    structure = {"dice": 0.9, "precision": 0.9, "sensitivity": 0.9, "volume_error_ml": 1.0, "hd95_mm": 2.0}
    return {
        "cavity": structure,
        "myocardium": structure,
        "scar": structure | {"dice": dice},
        "scar_with_ecg": structure | {"dice": dice and dice + 0.1},
        "pathological": true_ml > 0,
        "present": ml > 0 if present is None else present,
        "true_scar_ml": true_ml,
        "scar_ml": ml,
        "segments": segments,
    }


def test_both_conventions_of_dice() -> None:
    experts = [
        _expert(0.8, 10, 9, []),
        _expert(0.0, 5, 0, []),  # missed: 0 by both
        _expert(None, 0, 0, []),  # nothing where nothing is: 1 in the challenge, no case of the other
        _expert(0.0, 0, 2, []),  # invented: 0 in the challenge
    ]
    told = summary(experts, [[] for _ in experts])
    assert told["scar_dice"] == {"infarct_patients": pytest.approx(0.4), "challenge": pytest.approx(0.45)}
    assert (told["patients"], told["with_infarct"]) == (4, 2)
    assert told["scar"]["dice"] == pytest.approx(0.4) and told["scar_with_ecg"]["dice"] == pytest.approx(0.45)
    little = [_expert(0.0, 0, 0.3, [], present=False), _expert(0.4, 1, 0.3, [], present=False)]
    assert summary(little, [[], []])["scar_dice"]["challenge"] == 0.5  # what cannot be told from none is none


def test_bland_altman_is_bias_and_1_96_sd() -> None:
    found, expected = np.array([10.0, 12.0, 8.0, 20.0]), np.array([9.0, 14.0, 8.0, 15.0])
    told = bland_altman(found, expected)
    assert told is not None
    assert told.bias == pytest.approx(1.0)
    spread = 1.96 * np.std([1, -2, 0, 5], ddof=1)
    assert (told.lower, told.upper) == (pytest.approx(1 - spread), pytest.approx(1 + spread))
    assert bland_altman([1, 2], [1, 2]) is None


def test_sensitivity_and_specificity_per_segment() -> None:
    scarred, free = SCARRED_FROM_PERCENT, SCARRED_FROM_PERCENT - 0.1
    experts = [
        _expert(0.5, 1, 1, [scarred, free, None]),
        _expert(0.5, 1, 1, [scarred, free, 50.0]),
        _expert(0.5, 1, 1, [free, free, 50.0]),
    ]
    ours = [[scarred, scarred, 9.0], [free, free, 9.0], [free, free, None]]
    told = summary(experts, ours)
    first, second, third = told["segments"]
    assert (first["sensitivity"], first["specificity"], first["scarred"], first["free"]) == (0.5, 1.0, 2, 1)
    assert (second["sensitivity"], second["specificity"]) == (None, pytest.approx(2 / 3))
    assert (third["sensitivity"], third["specificity"], third["scarred"]) == (1.0, None, 1)
    assert (told["all_segments"]["scarred"], told["all_segments"]["free"]) == (3, 4)
