"""Rows of the ablation on simulated patients: what each may do to the logit, and what it may not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.network.ecg_encoder import EcgEncoder
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.training.ablation import ROWS, HeldOutEcgs, Row, evaluate_rows, make_test_ecgs, moved_logits
from ScarSegECGLib.training.ablation_run import AblationPlan
from ScarSegECGLib.training.ecg_skill import ecg_skill
from ScarSegECGLib.training.ecg_training import GuideTrainer
from ScarSegECGLib.training.evidence import Seen, see
from ScarSegECGLib.training.phantom import phantom_patient
from ScarSegECGLib.training.remedies import EXTENT, REMEDIES, remedy_branches

LIMIT = REMEDIES[-1]


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load(device="cpu")


@pytest.fixture(scope="module")
def cases() -> list[ExpertCase]:
    patients = [phantom_patient(seed, infarct=wall, slices=6) for seed, wall in ((0, "lad"), (1, "rca"))]
    return [ExpertCase(f"phantom {k}", p.stack, p.labels) for k, p in enumerate(patients)]


@pytest.fixture(scope="module")
def seen(cases, session) -> Seen:
    return see(cases[0].stack, session)


@pytest.fixture(scope="module")
def ecgs(cases) -> HeldOutEcgs:
    noise = np.zeros((1, 12, 5000), np.float32)
    return make_test_ecgs(cases, noise, 5, 2, quiet=True)


@pytest.fixture(scope="module")
def trainer(session) -> GuideTrainer:
    """TAFF untrained, so that the extents alone speak; an encoder that sees scar everywhere."""
    encoder = EcgEncoder(16, 20).eval()
    torch.nn.init.constant_(encoder.scar.bias, 3.0)
    return GuideTrainer(session.settings["channels"], encoder, "taff", 20).eval()


def test_image_only_is_the_image_and_five_years_change_nothing(seen, trainer, ecgs) -> None:
    alone, five_years = ROWS[0], ROWS[-1]
    assert five_years.source == "five years"
    (first,) = moved_logits(alone, seen, None, ecgs, 0)
    assert np.array_equal(first, seen.evidence.scar_logit)
    old = moved_logits(five_years, seen, trainer, ecgs, 0)
    assert len(old) == 2 and all(np.array_equal(logit, first) for logit in old)


def test_extents_move_the_logit_and_the_features_of_an_untrained_taff_do_not(seen, trainer, ecgs) -> None:
    fresh = dataclasses.replace(ecgs.own, gap_days=torch.zeros_like(ecgs.own.gap_days))
    today = dataclasses.replace(ecgs, own=fresh)
    by_features, by_extents = (
        moved_logits(Row("", "taff", "own", fusion=fusion), seen, trainer, today, 0)
        for fusion in ("features", "extents")
    )
    assert all(np.array_equal(logit, seen.evidence.scar_logit) for logit in by_features)
    for logit in by_extents:
        moved = logit - seen.evidence.scar_logit
        assert moved.max() > 0.5 and moved.max() <= 2.0 + 1e-5 and moved.min() >= 0.0, (
            "more scar is asked for everywhere"
        )


def test_the_limit_brings_the_image_nearer_to_the_expert(cases, session, ecgs) -> None:
    outcomes = evaluate_rows(cases[:1], 0, session, {}, ecgs, rows=(ROWS[0], LIMIT))
    dice = {(o.row, o.degraded): o.overlap.dice for o in outcomes}
    assert dice[LIMIT.name, False] > dice[ROWS[0].name, False] + 0.02
    alone = next(o for o in outcomes if o.row == ROWS[0].name and not o.degraded)
    limit = next(o for o in outcomes if o.row == LIMIT.name and not o.degraded)
    assert limit.scar_ml >= alone.scar_ml, "nothing the image shows is taken away"


def test_every_remedy_has_its_branch_and_every_limit_says_so() -> None:
    plan = AblationPlan(remedies=True)
    assert {row.branch for row in plan.rows} - {None} <= set(plan.branches)
    assert {row.branch for row in ROWS} - {None} <= set(AblationPlan().branches)
    assert all(row.name.startswith("limit") == (row.source == "extent") for row in REMEDIES)
    kinds = remedy_branches(plan.guide)
    assert kinds[EXTENT][0] == "extent" and kinds["taff"] == ("taff", plan.guide)


def test_the_skill_of_a_blind_encoder_is_said(ecgs, trainer) -> None:
    skill = ecg_skill(trainer.branch.encoder, [ecgs.own])
    assert skill.ecgs == 4 and skill.error > 0.5
    assert "simulated" in skill.sentence
