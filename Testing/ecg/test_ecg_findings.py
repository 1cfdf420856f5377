"""What a reader is told of an ECG: Q waves, QRS score, QTc, conduction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ScarSegECGLib.case import LEADS, EcgFeatures, MedianBeat
from ScarSegECGLib.ecg.conduction import SILENT, Qrs, Wave, is_rbbb
from ScarSegECGLib.ecg.findings import ecg_findings, pathological_q_waves
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import Conduction, QWaveRemark, ScoreRemark
from ScarSegECGLib.report.ecg import findings_lines, measurement_lines
from ScarSegECGLib.wording import words


def features(conduction="normal", **leads) -> EcgFeatures:
    """A healthy QRS in every lead unless given as lead=(q_ms, q_mv, r_ms, r_mv, s_ms, s_mv)."""
    healthy = dict.fromkeys(LEADS, (0, 0, 40, 1.2, 20, 0.2))
    healthy |= {"V1": (0, 0, 25, 0.25, 50, 1.0), "V2": (0, 0, 30, 0.5, 50, 1.2), "V3": (0, 0, 35, 0.9, 40, 0.8)}
    table = np.array([(healthy | leads)[name] for name in LEADS], dtype=np.float32).T
    return EcgFeatures(70.0, 90.0, 160.0, 400.0, 432.0, 40.0, conduction, *table)


def lines(given: EcgFeatures) -> str:
    beat = MedianBeat(np.zeros((12, 300), np.float32), np.isfinite(given.q_ms), given)
    return "\n".join(findings_lines(ecg_findings(beat)))


Q = (35, 0.3, 40, 1.0, 0, 0)
QS = (80, 1.2, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("leads", "found"),
    [
        ({}, ()),
        ({"II": Q, "aVF": Q}, ("II", "aVF")),
        ({"II": Q}, ()),
        ({"III": Q}, ()),
        ({"III": Q, "aVF": Q}, ()),
        ({"I": Q, "aVL": QS}, ("I", "aVL")),
        ({"II": (29, 0.3, 40, 1.0, 0, 0), "aVF": Q}, ()),
        ({"II": (35, 0.09, 40, 1.0, 0, 0), "aVF": Q}, ()),
        ({"V2": QS}, ("V2",)),
        ({"V3": (21, 0.1, 40, 1.0, 0, 0)}, ("V3",)),
        ({"V3": (19, 0.1, 40, 1.0, 0, 0)}, ()),
        ({"V3": (30, 0.03, 40, 1.0, 0, 0)}, ()),
        ({"V4": Q}, ()),
        ({"V3": QS, "V4": Q}, ("V3", "V4")),
        ({"V4": Q, "V5": Q, "V6": Q}, ("V4", "V5", "V6")),
        ({"V4": Q, "V6": Q}, ()),
        ({"V1": (0, 0, 45, 0.8, 20, 0.3)}, ("V1",)),
        ({"V1": (0, 0, 45, 0.3, 20, 0.8)}, ()),
    ],
)
def test_q_waves_of_the_universal_definition(leads, found) -> None:
    assert pathological_q_waves(features(**leads))[0] == found


def test_missing_leads_have_no_q_wave() -> None:
    given = features(V2=QS)
    for name in ("q_ms", "q_mv", "r_ms", "r_mv", "s_ms", "s_mv"):
        getattr(given, name)[LEADS.index("V2")] = np.nan
    assert pathological_q_waves(given)[0] == ()


@pytest.mark.parametrize("conduction", sorted(SILENT))
def test_q_waves_are_not_judged_where_they_mean_nothing(conduction) -> None:
    found, why = pathological_q_waves(features(conduction, V2=QS))
    assert found is None and why == Fact(QWaveRemark.SILENT, conduction=conduction)
    assert words(why) in lines(features(conduction, V2=QS))


def test_pre_excitation_imitates_q_waves() -> None:
    short = replace(features(II=Q, aVF=Q), pr_ms=100.0, qrs_ms=115.0)
    assert pathological_q_waves(short)[0] is None
    assert pathological_q_waves(replace(short, qrs_ms=90.0))[0] == ("II", "aVF")


def test_right_bundle_branch_block_makes_no_posterior_infarct() -> None:
    tall = {"V1": (0, 0, 60, 1.1, 0, 0), "V2": (0, 0, 60, 1.6, 20, 0.5)}
    assert pathological_q_waves(features("rbbb", **tall))[0] == ()
    found = ecg_findings(MedianBeat(np.zeros((12, 300), np.float32), np.ones(12, bool), features("rbbb", **tall)))
    assert found.score_points == 0 and "V1 and V2" in words(found.score_remark)
    same = ecg_findings(MedianBeat(np.zeros((12, 300), np.float32), np.ones(12, bool), features(**tall)))
    assert same.score_points is not None and same.score_points >= 6


@pytest.mark.parametrize("conduction", sorted(SILENT - {Conduction.UNKNOWN}))
def test_no_score_where_it_does_not_hold(conduction) -> None:
    given = features(conduction, V1=QS, V2=QS, V3=QS)
    found = ecg_findings(MedianBeat(np.zeros((12, 300), np.float32), np.ones(12, bool), given))
    assert found.score_points is None and found.score_percent_of_lv is None
    assert found.score_remark == Fact(ScoreRemark.SILENT, conduction=conduction)
    assert "of 32" not in lines(given) and "does not hold" in lines(given)


@pytest.mark.parametrize("conduction", Conduction)
def test_no_class_reads_as_a_normal_ecg(conduction) -> None:
    said = lines(features(conduction))
    assert "conduction: normal" not in said and "class normal" not in said


def qtc(given: EcgFeatures) -> str:
    return next(line for line in measurement_lines(given) if line.startswith("QTc"))


def test_qtc_says_its_formula_and_what_limits_it() -> None:
    assert "432 ms (Bazett)" in qtc(features()) and "Fridericia" not in qtc(features())
    fast = replace(features(), rate_bpm=120.0, qt_ms=320.0, qtc_ms=452.5)
    assert "403 ms (Fridericia)" in qtc(fast)  # 320 / 0.5 ** (1 / 3)
    assert "irregular" in qtc(replace(features(), irregular=True))
    assert "not adjusted" in qtc(replace(features(), qrs_ms=150.0))
    device = replace(features(), from_device=("qtc",))
    assert "formula unknown" in qtc(device) and "Bazett" not in qtc(device)


def test_a_long_pr_is_not_called_unmeasurable_without_its_limit() -> None:
    (pr,) = [line for line in measurement_lines(replace(features(), pr_ms=None)) if line.startswith("PR")]
    assert "no P wave found within 260 ms" in pr


def wide(sign: float, ms: float, at: int) -> Wave:
    return Wave(sign, ms, at)


@pytest.mark.parametrize(
    ("i", "v6", "rbbb"),
    [(50.0, 50.0, True), (50.0, 10.0, False), (10.0, 50.0, False), (50.0, None, True), (None, None, False)],
)
def test_rbbb_needs_its_s_wave_in_both_lateral_leads(i, v6, rbbb) -> None:
    waves = {"V1": (wide(-0.3, 30, 110), wide(0.9, 70, 155))}
    for name, s_ms in (("I", i), ("V6", v6)):
        if s_ms is not None:
            waves[name] = (wide(1.0, 40, 120), wide(-0.4, s_ms, 150))
    qrs = Qrs(np.zeros((12, 300)), np.ones(12, bool), waves, ms=140.0, offset=170, axis_deg=None)
    assert is_rbbb(qrs) == rbbb
