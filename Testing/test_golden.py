"""The shipped weights' numbers on the simulated patient are pinned: whatever changes them unasked fails here."""

from __future__ import annotations

import json

import numpy as np
import pytest
from phantom import phantom_patient

import golden
from ScarSegECGLib.case import MYOCARDIUM, SCAR, TimeGap
from ScarSegECGLib.measure.overlap import overlap
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.pipeline import segment

# Other processors round differently: 2 % of a volume, 1.5 points of a segment, a hundredth of a logit.
VOLUME, PERCENT, MOVEMENT = 0.02, 1.5, 0.01


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load(device="cpu")


def test_the_simulated_patient_is_told_as_when_the_weights_were_made(session: Session) -> None:
    pinned = json.loads(golden.FILE.read_text(encoding="utf-8"))
    for which, figures in golden.told(session).items():
        for name, value in figures.items():
            expected = pinned[which][name]
            if isinstance(value, list):
                now, then = (np.array(row, dtype=float) for row in (value, expected))
                np.testing.assert_allclose(now, then, atol=PERCENT, err_msg=f"{which}: {name}")
            else:
                assert value == pytest.approx(expected, rel=VOLUME), f"{which}: {name}"


def test_taff_moves_every_segment_as_when_the_weights_were_made(session: Session) -> None:
    """So small an effect that the figures above would hide its sign: the mean movement of the logit per segment."""
    pinned = json.loads(golden.FILE.read_text(encoding="utf-8"))["movement"]
    np.testing.assert_allclose(golden.movement(session), pinned, atol=MOVEMENT)


def test_the_simulated_patient_is_found_as_it_is(session: Session) -> None:
    """A simulated patient, on whom nothing was trained."""
    patient = phantom_patient(0)
    result = segment(patient.stack, patient.ecg, TimeGap(3.0), session)
    spacing = patient.stack.spacing
    true_ml = float((patient.labels == SCAR).sum()) * patient.stack.voxel_ml
    assert overlap(result.labels >= MYOCARDIUM, patient.labels >= MYOCARDIUM, spacing, distance=False).dice > 0.85
    assert overlap(result.labels == SCAR, patient.labels == SCAR, spacing, distance=False).dice >= 0.8
    assert result.scar.ml == pytest.approx(true_ml, rel=0.15)
    assert result.interval is not None and result.interval.ml[0] <= true_ml <= result.interval.ml[1]
