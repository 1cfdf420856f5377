"""Above which estimate the ECG says something, and where that comes from."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from ScarSegECGLib.case import EcgUse, TimeGap
from ScarSegECGLib.ecg.wfdb_record import diagnoses
from ScarSegECGLib.facts_ecg import Agreement, AgreementReason
from ScarSegECGLib.measure.agreement import LIMITS as TABLE
from ScarSegECGLib.measure.agreement import NORMAL_LIMIT_PERCENT, agreement_table, excess

MADE_BY = Path(__file__).resolve().parents[2] / "Research" / "ecg_limits.py"
USED = EcgUse(1.0, (), TimeGap(3.0))


@pytest.fixture(scope="module")
def maker():
    if not MADE_BY.is_file():
        pytest.skip("Research is not at hand")
    spec = importlib.util.spec_from_file_location("ecg_limits_maker", MADE_BY)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_excess_is_what_lies_above_the_normal_limit() -> None:
    assert len(NORMAL_LIMIT_PERCENT) == 17 and all(25 <= limit < 100 for limit in NORMAL_LIMIT_PERCENT)
    for number, limit in enumerate(NORMAL_LIMIT_PERCENT, start=1):
        assert excess(number, limit) == excess(number, 0.0) == 0.0
        assert excess(number, limit + 10) == pytest.approx(10.0)
    assert excess(3, None) is None


def test_agreement_goes_by_the_segment_s_own_limit() -> None:
    """An estimate that healthy people have too is no sign, in the septum up to a far higher one than at the apex."""
    for number, limit in ((7, NORMAL_LIMIT_PERCENT[6]), (9, NORMAL_LIMIT_PERCENT[8])):
        image, ecg = [0.0] * 17, [0.0] * 17
        ecg[number - 1] = limit
        assert agreement_table(image, ecg, "normal", USED)[number - 1][0] == Agreement.AGREE
        ecg[number - 1] = limit + 1
        verdict, why = agreement_table(image, ecg, "normal", USED)[number - 1]
        assert verdict == Agreement.DISAGREE and why.code is AgreementReason.ECG_ALONE


def test_limits_of_known_numbers(maker) -> None:
    rng = np.random.default_rng(0)
    normals = np.full((2000, 17), 60.0) + rng.normal(0, 5, (2000, 17))
    np.testing.assert_allclose(maker.limits(normals), 60 + 1.96 * 5, atol=1.0)
    assert (maker.limits(normals / 10) == 25.0).all()


def test_the_table_is_what_its_command_makes(shared_data, maker) -> None:
    """Limits, the split, and how many normals that were not calibrated on are positive: again from the records."""
    from ScarSegECGLib.network.session import Session

    kept = json.loads(TABLE.read_text(encoding="utf-8"))
    session = Session.load(device="cpu")
    assert maker.encoder_digest(None) == kept["encoder_sha256"], "the limits belong to another encoder"
    folder = shared_data / "ecg" / "cinc2021"
    normal = {
        h.stem
        for h in folder.glob("*.hea")
        if diagnoses(h.read_text("latin-1")) and diagnoses(h.read_text("latin-1")) <= maker.SINUS_ONLY
    }
    calibrate, report = set(kept["calibrated_on"]), set(kept["reported_on"])
    assert calibrate | report == normal and not calibrate & report
    said = {name: maker.estimate(session, folder / f"{name}.hea") for name in sorted(normal)}
    np.testing.assert_allclose(
        maker.limits(np.stack([said[name] for name in kept["calibrated_on"]])), NORMAL_LIMIT_PERCENT, atol=0.5
    )
    limit = np.array(NORMAL_LIMIT_PERCENT)
    positive = [name for name in report if (said[name] > limit).any()]
    assert len(positive) <= 0.1 * len(report)
    walls = maker.named_walls(shared_data / "ecg" / "ptb", session, limit)
    assert len(walls) == 4
    assert all(row["excess_inside"] > 0 and row["excess_inside"] > 2 * row["excess_outside"] for row in walls)
