"""Calibration on data whose right answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from ScarSegECGLib.measure.scar_probability import scar_probability
from ScarSegECGLib.training.calibration import fit_temperature, reliability, reliability_figure


def shown(logit: np.ndarray, wall: np.ndarray, bright: np.ndarray) -> np.ndarray:
    """The probability that the tool shows, everywhere in the wall."""
    return scar_probability(logit, wall, bright, np.ones(len(logit), bool))


def drawn(temperature: float, n: int = 40_000) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Logits ``temperature`` times too sure, wall probabilities, the rule's voxels, scar drawn from the true ones."""
    rng = np.random.default_rng(0)
    honest, wall = rng.normal(-0.5, 2.0, n), rng.uniform(0.6, 1.0, n)
    bright = honest + rng.normal(0.0, 1.0, n) > 0
    return honest * temperature, wall, bright, rng.random(n) < shown(honest, wall, bright)


@pytest.mark.parametrize("temperature", [0.6, 1.0, 2.5])
def test_the_temperature_is_found(temperature: float) -> None:
    assert fit_temperature(*drawn(temperature)) == pytest.approx(temperature, rel=0.06)


def test_honest_probabilities_have_hardly_any_error_and_sure_ones_have() -> None:
    logit, wall, bright, truth = drawn(1.0)
    assert reliability(shown(logit, wall, bright), truth).error < 0.01
    assert reliability(shown(3 * logit, wall, bright), truth).error > 0.05


def test_error_of_a_coin_called_certain_is_a_half() -> None:
    truth = np.arange(1000) % 2 == 0
    assert reliability(np.ones(1000), truth).error == pytest.approx(0.5)
    assert np.isnan(reliability(np.zeros(0), np.zeros(0, bool)).error)


def test_the_diagram_is_drawn() -> None:
    logit, wall, bright, truth = drawn(2.0, 4000)
    figure = reliability_figure([("image only", reliability(shown(logit, wall, bright), truth))], "Semi-synthetic.")
    assert "semi-synthetic" in figure.get_suptitle().lower()
    assert len(figure.axes) == 2
