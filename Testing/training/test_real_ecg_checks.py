"""Scores of the 2007 challenge, and the checks on real ECGs with a network that has learned nothing yet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ScarSegECGLib.case import LEADS
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.network.ecg_encoder import EcgEncoder
from ScarSegECGLib.training.real_ecg_checks import (
    all_checks,
    as_markdown,
    borders_between,
    challenge_2007,
    neighbours,
    read_body_surface_map,
)

TRUTH = (1, 2, 3, 8, 9, 13, 14, 15)


def fractions(*segments: int, value: float = 0.8) -> np.ndarray:
    out = np.zeros(17)
    out[np.array(segments, dtype=int) - 1] = value
    return out


def test_segments_know_their_neighbours() -> None:
    touch = neighbours()
    assert np.array_equal(touch, touch.T) and not touch.diagonal().any()
    assert touch[0, 1] and touch[0, 5] and touch[0, 6] and not touch[0, 3]
    assert touch[12:16, 16].all()
    assert [borders_between(8, k) for k in (8, 7, 14, 2, 17, 11)] == [0, 1, 1, 1, 2, 3]


def test_a_perfect_answer_scores_perfectly() -> None:
    figures = challenge_2007(fractions(*TRUTH), 100 * 0.8 * 8 / 16.5, TRUTH, 8)
    assert figures["SO"] == 1.0 and figures["EPD"] == pytest.approx(0.0, abs=0.01)
    assert figures["CED"] <= 1.0


def test_a_wrong_wall_scores_badly() -> None:
    figures = challenge_2007(fractions(5, 6, 11, 12, 16), 31.0, TRUTH, 8)
    assert figures["SO"] == 0.0 and figures["CED"] >= 2.0
    assert challenge_2007(np.zeros(17), 31.0, TRUTH, 8)["EPD"] == pytest.approx(31.0)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "case0001.dat"
    file.write_text("not a map\n")
    with pytest.raises(InputError, match="case0001.dat"):
        read_body_surface_map(file)


def test_the_map_becomes_twelve_leads(shared_data: Path) -> None:
    beat = read_body_surface_map(shared_data / "ecg" / "cinc2007_case1" / "case0001.dat")
    assert beat.millivolts.shape == (12, 300) and beat.lead_mask.all()
    lead = dict(zip(LEADS, beat.millivolts.astype(float), strict=True))
    np.testing.assert_allclose(lead["II"], lead["I"] + lead["III"], atol=1e-3)
    np.testing.assert_allclose(lead["aVR"] + lead["aVL"] + lead["aVF"], 0.0, atol=1e-3)
    assert 0.2 < np.abs(beat.millivolts).max() < 5.0
    assert beat.features.qrs_ms is not None and 60 <= beat.features.qrs_ms <= 180


def test_every_record_is_reported(shared_data: Path) -> None:
    torch.manual_seed(0)
    checks = all_checks(shared_data / "ecg", EcgEncoder(token_size=4, width=4).eval())
    sources = [check.source.split(" (")[0] for check in checks]
    assert sources.count("PTB") == 4 and sources.count("CinC 2007") == 1 and sources.count("CinC 2021") >= 5
    assert all(np.isfinite(list(check.figures.values())).all() for check in checks if "normal" not in check.source)
    text = as_markdown(checks)
    assert "simulated scars alone" in text and text.count("PTB") == 4
