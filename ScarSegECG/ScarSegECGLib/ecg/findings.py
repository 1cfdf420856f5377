"""What is shown of an ECG beside the image: measurements, Q waves, QRS score."""

from __future__ import annotations

from ScarSegECGLib.case import EcgFindings, MedianBeat
from ScarSegECGLib.ecg.preview import measurement_lines
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


def findings_lines(found: EcgFindings) -> list[str]:
    """The findings in a few lines of text, as they stand on the ECG's page."""
    rate, qrs, axis, pr, qt, qtc, conduction = (" ".join(line.split()) for line in measurement_lines(found.features))
    measured = [", ".join((rate, pr, qrs, axis)), f"{qt}, {qtc}", conduction.replace(" ", ": ", 1)]
    return [*measured, *judged_lines(found)]


def judged_lines(found: EcgFindings) -> list[str]:
    """Pathological Q waves and QRS score in words."""
    if found.q_waves is None:
        q_waves = found.q_waves_remark
    else:
        remark = f" ({found.q_waves_remark})" if found.q_waves_remark else ""
        q_waves = f"{', '.join(found.q_waves) or 'none'}{remark}"
    score = found.score_remark
    if found.score_points is not None:
        score = f"QRS score {found.score_points} of 32, about {found.score_percent_of_lv:.0f} % of the LV. {score}"
    return [f"pathological Q waves: {q_waves}", score.strip()]
