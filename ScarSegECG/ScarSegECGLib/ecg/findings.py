"""What is shown of an ECG beside the image: measurements, Q waves, QRS score."""

from __future__ import annotations

from ScarSegECGLib.case import EcgFindings, MedianBeat
from ScarSegECGLib.ecg.q_waves import pathological_q_waves
from ScarSegECGLib.ecg.selvester import qrs_score


def ecg_findings(beat: MedianBeat, *, age: float | None = None, female: bool | None = None) -> EcgFindings:
    """Measure one median beat for people.

    Parameters
    ----------
    beat : MedianBeat
    age : float, optional
        Years, for the QRS score.
    female : bool, optional
        Likewise.
    """
    leads, why = pathological_q_waves(beat.features)
    score = qrs_score(beat.features, beat, age=age, female=female)
    return EcgFindings(
        features=beat.features,
        q_waves=leads,
        q_waves_remark=why,
        score_points=score.points if score.usable else None,
        score_percent_of_lv=score.percent_lv if score.usable else None,
        score_remark=score.remark,
    )
