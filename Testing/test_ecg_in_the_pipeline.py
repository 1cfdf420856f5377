"""The ECG's way through the whole pipeline, with the shipped image networks and an ECG branch of random weights.

Random weights say nothing about medicine; they show that what must hold does so whatever is learned.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from ScarSegECGLib.anatomy.soft import soft_prior
from ScarSegECGLib.case import SCAR, Ecg, ScarResult, TimeGap
from ScarSegECGLib.ecg.median_beat import median_beat
from ScarSegECGLib.facts import GapProblem
from ScarSegECGLib.network.ecg_branch import EcgBranch
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.network.taff import LOGIT_DOWN, LOGIT_UP
from ScarSegECGLib.network.weights import half_precision, read_weights, write_weights
from ScarSegECGLib.pipeline import segment
from ScarSegECGLib.training.ecg_simulation.simulate import simulate_ecg
from ScarSegECGLib.training.phantom import PhantomPatient, phantom_patient
from ScarSegECGLib.wording import words


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    shipped = read_weights()
    settings = shipped.settings | {"ecg_trained": True, "token_size": 8, "encoder_width": 8, "segment_word": False}
    tensors = {key: value for key, value in shipped.tensors.items() if not key.startswith("ecg")}
    torch.manual_seed(0)
    for index in range(settings["members"]):
        branch = EcgBranch(settings["channels"], 8, 8)
        for parameter in branch.guide.parameters():  # TAFF starts at zero: wake it up
            torch.nn.init.normal_(parameter, std=0.4)
        tensors |= half_precision(branch, f"ecg{index}.")
    path: Path = tmp_path_factory.mktemp("weights") / "awake.safetensors"
    write_weights(path, tensors, settings)
    return Session.load(path, "cpu")


@pytest.fixture(scope="module")
def patient() -> PhantomPatient:
    return phantom_patient(0)


@pytest.fixture(scope="module")
def alone(session: Session, patient: PhantomPatient) -> ScarResult:
    return segment(patient.stack, None, TimeGap(None), session)


def test_a_fresh_ecg_counts_and_both_outputs_are_kept(session, patient, alone) -> None:
    result = segment(patient.stack, patient.ecg, TimeGap(-1.0), session)
    assert result.ecg_use.amplitude > 0.95
    assert not np.array_equal(result.scar_probability, result.scar_probability_image_only)
    assert np.array_equal(result.scar_probability_image_only, alone.scar_probability)
    assert result.scar_image_only == alone.scar
    assert all(row.ecg_percent is not None for row in result.segments)
    assert np.array_equal(result.anatomy.myocardium, alone.anatomy.myocardium)


@pytest.mark.parametrize(
    ("gap", "says"),
    [
        (TimeGap(-5 * 365.0), "1825 days from MRI: not used"),
        (TimeGap(-1.0, event_between=True), "Event between ECG and MRI"),
        (TimeGap(None, problem=GapProblem.ECG_IN_FUTURE), "Check dates"),
    ],
)
def test_an_ecg_that_may_not_count_leaves_the_image_only_result(session, patient, alone, gap, says) -> None:
    result = segment(patient.stack, patient.ecg, gap, session)
    assert result.ecg_use.amplitude == 0.0
    assert says in words(result.ecg_use)
    assert np.array_equal(result.scar_probability, alone.scar_probability)
    assert np.array_equal(result.labels, alone.labels)


def test_few_leads_leave_the_image_only_result(session, patient, alone) -> None:
    few = dataclasses.replace(patient.ecg, lead_mask=np.arange(12) < 7)
    result = segment(patient.stack, few, TimeGap(0.0), session)
    assert result.ecg_use.amplitude == 0.0
    assert np.array_equal(result.labels, alone.labels)


def test_the_scar_logit_moves_within_its_bounds(session, patient, alone) -> None:
    evidence = session.see(patient.stack)
    prior = soft_prior(alone.anatomy, patient.stack.spacing)
    use = segment(patient.stack, patient.ecg, TimeGap(0.0), session).ecg_use
    said = session.read_ecg(patient.stack, evidence, median_beat(patient.ecg), prior, use)
    assert float(said.movement.max()) <= LOGIT_UP
    assert float(said.movement.min()) >= LOGIT_DOWN
    assert float(np.abs(said.movement).max()) > 0.01
    assert ((said.segment_percent >= 0) & (said.segment_percent <= 100)).all()


@pytest.mark.parametrize("wall", ["none", "inferior", "lateral"])
def test_no_ecg_ever_erases_scar_that_the_image_shows(session, patient, alone, wall) -> None:
    scar = np.zeros(17)
    scar[[n - 1 for n in {"none": (), "inferior": (3, 4, 9, 10, 15), "lateral": (5, 6, 11, 12, 16)}[wall]]] = 0.9
    ecg: Ecg = simulate_ecg(scar, rng=np.random.default_rng(1))
    result = segment(patient.stack, ecg, TimeGap(0.0), session)
    assert result.ecg_use.amplitude > 0.9
    shown = alone.labels == SCAR
    assert shown.any() and (result.labels[shown] == SCAR).all()
    kept = alone.scar_probability > 0.5
    assert (result.scar_probability[kept] >= alone.scar_probability[kept]).all()
