"""The QRS score."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qrs_walls import WALLS, per_wall, walls_of, walls_to_aha
from synthetic_ecg import NARROW, synthetic_ecg

from ScarSegECGLib.case import LEADS, EcgFeatures, EcgFindings, MedianBeat
from ScarSegECGLib.ecg.findings import CRITERIA, Criterion, ecg_findings, qrs_score
from ScarSegECGLib.ecg.median_beat import median_beat
from ScarSegECGLib.wording import words


def features(conduction="normal", rate=70.0, **leads) -> EcgFeatures:
    """A healthy QRS in every lead unless given as lead=(q_ms, q_mv, r_ms, r_mv, s_ms, s_mv)."""
    healthy = dict.fromkeys(LEADS, (0, 0, 40, 1.2, 20, 0.2))
    healthy |= {"V1": (0, 0, 25, 0.25, 50, 1.0), "V2": (0, 0, 30, 0.5, 50, 1.2), "V3": (0, 0, 35, 0.9, 40, 0.8)}
    table = np.array([(healthy | leads)[name] for name in LEADS], dtype=np.float32).T
    return EcgFeatures(rate, 90.0, 160.0, 400.0, 410.0, 40.0, conduction, *table)


def beat(given: EcgFeatures) -> MedianBeat:
    return MedianBeat(np.zeros((12, 300), np.float32), np.isfinite(given.q_ms), given)


def score(given: EcgFeatures, **patient) -> EcgFindings:
    return ecg_findings(beat(given), **patient)


def met(given: EcgFeatures, **patient) -> tuple[Criterion, ...]:
    return qrs_score(beat(given), **patient)[0]


@pytest.mark.parametrize("row", CRITERIA, ids=lambda row: f"{row.lead} {row.group} {row.points}")
def test_every_row_gives_three_percent_per_point(row):
    walls = walls_of(row)
    assert len(walls) == 12 and sum(walls) == 3 * row.points and min(walls) >= 0
    assert len(CRITERIA) == len(WALLS)


def test_there_are_32_points():
    best = {(row.lead, row.group): 0 for row in CRITERIA}
    for row in CRITERIA:
        best[row.lead, row.group] = max(best[row.lead, row.group], row.points)
    assert sum(best.values()) == 32


def test_a_healthy_qrs_scores_nothing():
    result, rows = score(features()), met(features())
    assert result.score_points == result.score_percent_of_lv == 0 and result.score_remark is None
    assert not per_wall(rows).any() and not walls_to_aha(per_wall(rows)).any()
    assert score(median_beat(synthetic_ecg(NARROW)[0]).features).score_points == 0


@pytest.mark.parametrize(
    ("leads", "points"),
    [
        ({"II": (42, 0.4, 40, 1.0, 0, 0)}, 2),
        ({"II": (32, 0.3, 40, 1.0, 0, 0)}, 1),
        ({"II": (29, 0.3, 40, 1.0, 0, 0)}, 0),
        ({"I": (31, 0.1, 40, 0.19, 0, 0)}, 2),
        ({"aVL": (31, 0.4, 40, 0.3, 0, 0)}, 2),
        ({"aVF": (52, 0.8, 30, 0.6, 0, 0)}, 5),
        ({"aVF": (20, 0.5, 30, 0.9, 0, 0)}, 1),
        ({"V1": (60, 1.0, 0, 0, 0, 0)}, 1),
        ({"V1": (0, 0, 55, 1.2, 20, 0.1)}, 4),
        ({"V2": (0, 0, 9, 0.3, 50, 1.0)}, 1),
        ({"V2": (0, 0, 55, 1.6, 20, 0.9)}, 2),
        ({"V3": (0, 0, 9, 0.2, 50, 1.0)}, 2),
        ({"V3": (21, 0.2, 35, 0.9, 40, 0.8)}, 1),
        ({"V4": (25, 0.5, 30, 0.2, 40, 0.5)}, 3),
        ({"V5": (31, 0.3, 40, 0.29, 0, 0)}, 3),
        ({"V6": (0, 0, 40, 0.9, 40, 0.4)}, 1),
        ({"V6": (0, 0, 40, 0.9, 40, 0.2)}, 0),
    ],
)
def test_thresholds(leads, points):
    result, rows = score(features(**leads)), met(features(**leads))
    assert result.score_points == points == sum(row.points for row in rows)
    assert result.score_percent_of_lv == pytest.approx(3 * points) == pytest.approx(per_wall(rows).sum())


def test_an_inferior_infarct_lies_inferiorly_and_an_anteroseptal_one_anteriorly():
    q = (45, 0.6, 30, 0.5, 0, 0)
    inferior = walls_to_aha(per_wall(met(features(II=q, aVF=q))))
    assert inferior[3] > 0 and inferior[9] > 0 and inferior[[0, 6]].max() == 0
    assert np.argmax(inferior[:6]) == 3
    qs = (80, 1.4, 0, 0, 0, 0)
    septal = walls_to_aha(per_wall(met(features(V1=qs, V2=qs, V3=qs, V4=qs))))
    assert septal[13] == septal[12:16].max() and septal[9] == 0


def test_age_and_sex():
    borderline = features(V2=(0, 0, 30, 1.4, 50, 1.2), V6=(0, 0, 40, 0.57, 20, 0.15))
    assert {row.lead for row in met(borderline)} == {"V6"}
    assert "V2" in {row.lead for row in met(borderline, female=True)}
    assert "V2" in {row.lead for row in met(borderline, age=70)}
    assert "V6" not in {row.lead for row in met(borderline, age=70)}
    assert score(borderline, age=55).score_points == score(borderline).score_points


@pytest.mark.parametrize("given", [features("paced"), features("lbbb"), features(rate=150.0)])
def test_where_the_score_does_not_hold(given):
    result = score(given)
    assert result.score_points is None and result.score_percent_of_lv is None and met(given) is None
    assert "does not hold" in words(result.score_remark)


def test_confounders_and_missing_leads_are_said():
    weakened = score(features("lvh"))
    assert "LV hypertrophy" in words(weakened.score_remark) and weakened.score_points is not None
    gone = features()
    for name in ("q_ms", "q_mv", "r_ms", "r_mv", "s_ms", "s_mv"):
        values = getattr(gone, name).copy()
        values[LEADS.index("V3")] = np.nan
        gone = replace(gone, **{name: values})
    assert "V3" in words(score(gone).score_remark) and score(gone).score_points == 0


@given(st.lists(st.floats(0, 100), min_size=12, max_size=12))
@settings(max_examples=50)
def test_walls_to_segments_keeps_within_bounds_and_order(walls):
    segments = walls_to_aha(np.array(walls))
    assert segments.shape == (17,) and segments.min() >= 0 and segments.max() <= 100
    assert segments[16] == pytest.approx(segments[12:16].mean())


def test_full_scar_is_100_percent_everywhere():
    np.testing.assert_allclose(walls_to_aha(np.full(12, 100 / 12)), 100)
