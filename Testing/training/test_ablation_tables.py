"""The ablation's table: means, intervals, differences and words, on outcomes made up to be checked by hand."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
import torch

from ScarSegECGLib.measure.overlap import Overlap
from ScarSegECGLib.training.ablation import IMAGE_ONLY, ROWS, Outcome
from ScarSegECGLib.training.ablation_tables import as_csv, as_markdown, bootstrap, calibrated, plot, table
from ScarSegECGLib.training.baseline import deep_loss, network, plan_2d
from ScarSegECGLib.training.card import ablation_figures


def outcome(row: str, case: str, dice: float | None, *, degraded: bool = False, fold: int = 0) -> Outcome:
    rng = np.random.default_rng([ord(case[0]), int(case[1:]), fold])
    logit = rng.normal(size=50).astype(np.float32)
    return Outcome(
        row,
        degraded,
        case,
        fold,
        dice is not None,
        Overlap(dice, dice, dice, 1.0, 5.0 if dice else None),
        3.0,
        (10, 20, 30),
        logit,
        np.ones(50, np.float32),
        logit > 0.5,
        rng.random(50) < 0.4,
    )


@pytest.fixture
def outcomes() -> list[Outcome]:
    rows = []
    for degraded in (False, True):
        for k in range(6):
            base = 0.4 + 0.05 * k
            rows.append(outcome(IMAGE_ONLY, f"P{k}", base, degraded=degraded, fold=k % 2))
            rows += [outcome("+ TAFF", f"P{k}", base + gain, degraded=degraded, fold=k % 2) for gain in (0.05, 0.15)]
        rows += [outcome(name, "N1", None, degraded=degraded) for name in (IMAGE_ONLY, "+ TAFF")]
    return rows


def test_means_are_over_patients_and_differences_are_paired(outcomes: list[Outcome]) -> None:
    clean_image, clean_taff = table(outcomes)[:2]
    assert clean_image.patients == clean_taff.patients == 6
    assert clean_image.figures["dice"].mean == pytest.approx(0.525)
    assert clean_taff.difference.mean == pytest.approx(0.1)
    assert clean_taff.difference.low == pytest.approx(0.1) == clean_taff.difference.high
    assert clean_taff.pooled == pytest.approx((0.4, 0.5, 1 / 3))
    assert clean_taff.false_scar_ml == 3.0


def test_every_caption_says_semi_synthetic(outcomes: list[Outcome]) -> None:
    lines = table(outcomes)
    text = as_markdown(lines, ["A note."])
    assert text.startswith("Semi-synthetic") and text.count("(semi-synthetic)") == 2 and "A note." in text
    rows = list(csv.DictReader(io.StringIO(as_csv(lines))))
    assert len(rows) == 4 and all("semi-synthetic" in row["data"] for row in rows)
    assert "semi-synthetic" in plot(lines).get_suptitle().lower()


def test_the_card_rounds_as_the_table_does() -> None:
    """0.00248 is 0.002, though 0.0025, as a table of four digits would have it, is 0.003."""
    named = [(IMAGE_ONLY, 0.0), ("+ TAFF", -0.00248)]
    lines = table(
        [outcome(row, f"P{k}", 0.6 + gain, degraded=d) for d in (False, True) for row, gain in named for k in (1, 2)]
    )
    card = ablation_figures(list(csv.DictReader(io.StringIO(as_csv(lines)))))
    assert "| -0.002 [-0.002, -0.002] |" in as_markdown(lines)
    assert "| + TAFF | -0.002 [-0.002, -0.002] | -0.002 [-0.002, -0.002] |" in card


def test_bootstrap_interval_holds_the_mean() -> None:
    estimate = bootstrap(np.random.default_rng(0).normal(0.5, 0.1, 50))
    assert estimate.low < estimate.mean < estimate.high
    assert 0.02 < estimate.high - estimate.low < 0.09
    assert np.isnan(bootstrap(np.array([])).mean) and bootstrap(np.array([])).text() == "-"


def test_temperature_is_fitted_on_other_patients(outcomes: list[Outcome]) -> None:
    one = [o for o in outcomes if o.row == IMAGE_ONLY and not o.degraded]
    plain, warm, truth, temperature = calibrated(one)
    assert len(plain) == len(warm) == len(truth) == 50 * len(one)
    assert temperature != 1.0


def test_rows_are_those_of_the_design() -> None:
    names = [row.name for row in ROWS]
    assert names[0] == "image only" and len(names) == 7
    assert {"+ AHA (predicted)", "+ ECG without time", "+ TAFF", "+ TAFF, wrong gap"} < set(names)


def test_the_baseline_has_nnunets_plan() -> None:
    plan = plan_2d(96)
    assert plan.strides == (1, 2, 2, 2, 2) and plan.filters == (32, 64, 128, 256, 512)
    assert max(plan_2d(512).filters) == 512


def test_the_baseline_learns_at_every_depth() -> None:
    torch.manual_seed(0)
    net = network(plan_2d(32)).train()
    heads = net(torch.randn(2, 1, 32, 32))
    value = deep_loss(heads, torch.randint(0, 4, (2, 32, 32)))
    value.backward()
    assert heads.ndim == 5 and np.isfinite(float(value))
    assert all(p.grad is not None for name, p in net.named_parameters() if "heads" not in name)
