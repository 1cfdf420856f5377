"""The ECG's way through the whole pipeline, with the shipped weights, on the simulated patient."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from phantom import PhantomPatient, phantom_patient, simulate_ecg

from ScarSegECGLib.anatomy.aha import soft_prior
from ScarSegECGLib.case import LEADS, SCAR, Ecg, ScarResult, TimeGap
from ScarSegECGLib.ecg.median_beat import median_beat
from ScarSegECGLib.facts_ecg import EcgReason, GapProblem
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.network.taff import LOGIT_DOWN, LOGIT_UP, EcgWord
from ScarSegECGLib.pipeline import segment
from ScarSegECGLib.training.ecg_simulation.simulate import drawn_bodies

WALLS = {"none": (), "anterior": (1, 2, 7, 8, 13, 14), "inferior": (3, 4, 9, 10, 15), "lateral": (5, 6, 11, 12, 16)}


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load(device="cpu")


@pytest.fixture(scope="module")
def patient() -> PhantomPatient:
    return phantom_patient(0)


@pytest.fixture(scope="module")
def alone(session: Session, patient: PhantomPatient) -> ScarResult:
    return segment(patient.stack, None, TimeGap(None), session)


def ecg_of(wall: str) -> Ecg:
    """A simulated ECG with 90 % scar in one wall."""
    scar = np.zeros(17)
    scar[[number - 1 for number in WALLS[wall]]] = 0.9
    rng = np.random.default_rng(1)
    return simulate_ecg(scar, drawn_bodies(1, rng), rng)


def test_a_fresh_ecg_counts_and_both_outputs_are_kept(session, patient, alone) -> None:
    result = segment(patient.stack, patient.ecg, TimeGap(-1.0), session)
    assert result.ecg_use.amplitude > 0.95
    assert not np.array_equal(result.scar_probability, result.scar_probability_image_only)
    assert np.array_equal(result.scar_probability_image_only, alone.scar_probability)
    assert result.scar_image_only == alone.scar
    assert all(row.ecg_percent is not None for row in result.segments)
    assert np.array_equal(result.anatomy.myocardium, alone.anatomy.myocardium)


@pytest.mark.parametrize(
    ("gap", "why"),
    [
        (TimeGap(-5 * 365.0), EcgReason.TOO_FAR),
        (TimeGap(-1.0, event_between=True), EcgReason.EVENT_BETWEEN),
        (TimeGap(None, problem=GapProblem.ECG_IN_FUTURE), EcgReason.CHECK_DATES),
    ],
)
def test_an_ecg_that_may_not_count_leaves_the_image_only_result(session, patient, alone, gap, why) -> None:
    result = segment(patient.stack, patient.ecg, gap, session)
    assert result.ecg_use.amplitude == 0.0
    assert [reason.code for reason in result.ecg_use.reasons] == [why]
    assert np.array_equal(result.scar_probability, alone.scar_probability)
    assert np.array_equal(result.labels, alone.labels)


def test_few_leads_leave_the_image_only_result(session, patient, alone) -> None:
    few = dataclasses.replace(patient.ecg, lead_mask=np.arange(12) < 7)
    result = segment(patient.stack, few, TimeGap(0.0), session)
    assert result.ecg_use.amplitude == 0.0
    assert np.array_equal(result.labels, alone.labels)


def test_the_effect_never_grows_with_the_gap(session, patient, alone) -> None:
    moved = [
        np.abs(
            segment(patient.stack, patient.ecg, TimeGap(days), session).scar_probability - alone.scar_probability
        ).max()
        for days in (0.0, -120.0, -400.0)
    ]
    assert moved[0] > moved[1] > moved[2] > 0


def test_the_scar_logit_moves_within_its_bounds(session, patient, alone) -> None:
    evidence = session.see(patient.stack)
    prior = soft_prior(alone.anatomy, patient.stack.spacing)
    word = session.listen(median_beat(patient.ecg))
    movement = session.fuse(patient.stack, evidence, word, prior, 1.0)
    assert float(movement.max()) <= LOGIT_UP
    assert float(movement.min()) >= LOGIT_DOWN
    assert float(np.abs(movement).max()) > 0.05
    assert ((word.extent >= 0) & (word.extent <= 1)).all()


@pytest.mark.parametrize("wall", ["anterior", "inferior", "lateral"])
def test_more_scar_in_a_wall_of_the_ecg_means_more_scar_in_that_wall(session, patient, alone, wall) -> None:
    """From a word with scar there against one without: negated extents, effects or swapped signs all fail here."""
    evidence = session.see(patient.stack)
    prior = soft_prior(alone.anatomy, patient.stack.spacing)
    silent = torch.zeros(17, session.settings["token_size"])
    without, with_scar = torch.full((17,), 0.02), torch.full((17,), 0.02)
    with_scar[[number - 1 for number in WALLS[wall]]] = 0.8
    moved = [
        session.fuse(patient.stack, evidence, EcgWord(silent, extent), prior, 1.0) for extent in (without, with_scar)
    ]
    rows, columns = evidence.box
    aha = alone.anatomy.aha[:, rows, columns]
    here = np.isin(aha, WALLS[wall])
    elsewhere = (aha > 0) & ~here
    more = moved[1] - moved[0]
    assert more[here].mean() > 0.2
    assert more[here].mean() > 3 * abs(more[elsewhere].mean())


def test_the_simulated_ecg_of_a_wall_points_at_that_wall(session) -> None:
    """Swapped leads or negated extents fail here."""
    means = {}
    for wall in ("anterior", "inferior", "lateral"):
        percent = session.listen(median_beat(ecg_of(wall))).extent.numpy()
        means[wall] = {
            name: percent[[n - 1 for n in WALLS[name]]].mean() for name in ("anterior", "inferior", "lateral")
        }
    for wall, of in means.items():
        assert max(of, key=lambda name: of[name]) == wall
    swapped = ecg_of("anterior")
    millivolts = swapped.millivolts.copy()
    one, two = LEADS.index("V1"), LEADS.index("V2")
    millivolts[[one, two]] = millivolts[[two, one]]
    other = session.listen(median_beat(dataclasses.replace(swapped, millivolts=millivolts))).extent.numpy()
    assert np.abs(other - session.listen(median_beat(swapped)).extent.numpy()).max() > 0.02


@pytest.mark.parametrize("wall", ["none", "inferior", "lateral"])
def test_no_ecg_ever_erases_scar_that_the_image_shows(session, patient, alone, wall) -> None:
    result = segment(patient.stack, ecg_of(wall), TimeGap(0.0), session)
    assert result.ecg_use.amplitude > 0.9
    shown = alone.labels == SCAR
    assert shown.any() and (result.labels[shown] == SCAR).all()
    kept = alone.scar_probability > 0.5
    assert (result.scar_probability[kept] >= alone.scar_probability[kept]).all()
