"""Calibration on data whose right answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from ScarSegECGLib.training.calibration import fit_temperature, reliability, reliability_figure


def drawn(temperature: float, n: int = 40_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits that are ``temperature`` times too sure, wall probabilities, and scar drawn from the true ones."""
    rng = np.random.default_rng(0)
    honest, wall = rng.normal(-0.5, 2.0, n), rng.uniform(0.6, 1.0, n)
    return honest * temperature, wall, rng.random(n) < wall * expit(honest)


@pytest.mark.parametrize("temperature", [0.6, 1.0, 2.5])
def test_the_temperature_is_found(temperature: float) -> None:
    assert fit_temperature(*drawn(temperature)) == pytest.approx(temperature, rel=0.06)


def test_honest_probabilities_have_hardly_any_error_and_sure_ones_have() -> None:
    logit, wall, truth = drawn(1.0)
    assert reliability(wall * expit(logit), truth).error < 0.01
    assert reliability(wall * expit(3 * logit), truth).error > 0.05


def test_error_of_a_coin_called_certain_is_a_half() -> None:
    truth = np.arange(1000) % 2 == 0
    assert reliability(np.ones(1000), truth).error == pytest.approx(0.5)
    assert np.isnan(reliability(np.zeros(0), np.zeros(0, bool)).error)


def test_the_diagram_is_drawn() -> None:
    logit, wall, truth = drawn(2.0, 4000)
    figure = reliability_figure([("image only", reliability(wall * expit(logit), truth))], "Semi-synthetic.")
    assert "semi-synthetic" in figure.get_suptitle().lower()
    assert len(figure.axes) == 2
