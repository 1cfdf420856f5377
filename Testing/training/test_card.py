"""The table of the model card where figures are missing."""

from __future__ import annotations

import warnings

from ScarSegECGLib.training.card import figures

METRICS = ("dice", "precision", "sensitivity", "volume_error_ml", "hd95_mm")


def _row(scar_hd95: str) -> dict[str, str]:
    row = {f"{part}_{metric}": "0.5" for part in ("cavity", "myocardium", "scar") for metric in METRICS}
    row |= {"pathological": "1", "scar_ml": "3.0", "true_scar_ml": "3.5", "scar_hd95_mm": scar_hd95}
    return row | {"challenge_dice": "0.5", "interval_low_ml": "1.0", "interval_high_ml": "6.0"}


def _scar_line(table: str) -> str:
    return next(line for line in table.splitlines() if line.startswith("| scar |"))


def test_a_figure_that_no_patient_has_is_a_dash() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = figures([_row(""), _row("")])
    assert "nan" not in table
    assert _scar_line(table) == "| scar | 2 | 0.500 (0.500) | 0.500 (0.500) | 0.500 (0.500) | 0.5 (0.5) | – |"


def test_means_are_over_those_that_have_the_figure() -> None:
    assert _scar_line(figures([_row("4.0"), _row("")])).endswith("| 4.0 (4.0) |")


def test_no_patient_with_an_infarct_gives_dashes_not_nan() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = figures([_row("") | {"pathological": "0"}])
    assert "| scar | 0 | – | – | – | – | – |" in table
