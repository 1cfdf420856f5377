"""The ECG held against the image, segment by segment. It informs the reader and never changes a segmentation.

The verdicts' rule is this project's own. What it rests on: which leads face which segments (the ISHNE consensus, Bayes
de Luna et al. 2006, Circulation 114:1755), and that the QRS score follows scar mass (Strauss et al. 2009,
J Electrocardiol 42:85).
"""

from __future__ import annotations

from collections.abc import Sequence

from ScarSegECGLib.case import Agreement, Conduction

ECG_IS_NO_FINDING = (
    "The ECG estimate per segment was learned from simulated scars alone and sees scar in ECGs of healthy people too: "
    "it is no finding."
)
"""Said wherever an estimate or a verdict stands."""

RELIABLE_SEGMENTS = frozenset({1, 2, 7, 8, 9})
"""Basal and mid anterior and septal wall. Left out: 3, which ECG criteria count with the inferior wall (ISHNE lead
map), the lateral and inferior wall, and the apex. The QRS score did not follow scar outside anterior infarcts."""

IMAGE_POSITIVE_PERCENT = 10.0
"""Scar in less of a segment than this counts as none on the image."""

ECG_POSITIVE_PERCENT = 25.0
"""An estimate below this counts as none: it is found in ECGs of healthy people too, and Q waves need about 6 % of the
LV, one whole segment, so that smaller scar may leave no sign."""

ALIKE_PERCENT = 40.0
"""Extents further apart than this do not agree, though there is scar on both."""

_SILENT: dict[str, str] = {
    "lbbb": "left bundle branch block hides infarct signs",
    "paced": "paced rhythm hides infarct signs",
    "unknown": "QRS wide or not measured, of no known pattern",
}
_CAUTION: dict[str, str] = {
    "rbbb": "right bundle branch block",
    "lafb": "left anterior fascicular block",
    "lvh": "voltage criteria of LV hypertrophy",
}

Verdict = tuple[Agreement | None, str]


def agreement_table(
    image_percent: Sequence[float | None],
    ecg_percent: Sequence[float | None] | None,
    conduction: Conduction,
    ecg_used: bool,
    *,
    why_not_used: str = "",
) -> tuple[Verdict, ...]:
    """Agree, disagree or "ecg cannot tell" for every segment, with the reason.

    Parameters
    ----------
    image_percent : sequence of float or None
        Scar in each segment on the image, 0..100; ``None`` where not imaged.
    ecg_percent : sequence of float or None, or None
        The same as estimated from the ECG alone; ``None`` where there is no estimate.
    conduction : str
    ecg_used : bool
        False where the ECG did not count (missing, too old, paced ...).
    why_not_used : str
        Printed as the reason.

    Returns
    -------
    tuple of (verdict, reason)
        The verdict is ``None`` where the segment is not imaged.

    Raises
    ------
    ValueError
        The two sequences differ in length.
    """
    ecg = [None] * len(image_percent) if ecg_percent is None else list(ecg_percent)
    if len(ecg) != len(image_percent):
        raise ValueError(f"{len(image_percent)} image segments but {len(ecg)} ECG segments")
    verdicts: list[Verdict] = []
    for number, (image, estimate) in enumerate(zip(image_percent, ecg, strict=True), start=1):
        if image is None:
            verdicts.append((None, "segment not imaged"))
        elif not ecg_used:
            verdicts.append(("ecg cannot tell", why_not_used or "ECG not used"))
        elif conduction in _SILENT:
            verdicts.append(("ecg cannot tell", _SILENT[conduction]))
        elif estimate is None:
            verdicts.append(("ecg cannot tell", "no ECG estimate for this segment"))
        else:
            verdict, reason = _weigh(number, image, estimate)
            caution = f"; caution: {_CAUTION[conduction]}" if conduction in _CAUTION else ""
            verdicts.append((verdict, reason + caution))
    return tuple(verdicts)


def _weigh(number: int, image: float, ecg: float) -> tuple[Agreement, str]:
    """One imaged segment with an ECG estimate and readable conduction."""
    seen, said = image >= IMAGE_POSITIVE_PERCENT, ecg >= ECG_POSITIVE_PERCENT
    figures = f"image {image:.0f} %, ECG {ecg:.0f} %"
    if number not in RELIABLE_SEGMENTS:
        return "ecg cannot tell", f"the ECG localises scar poorly in this wall: {figures}"
    if not seen and not said:
        return "agree", f"no scar on either: {figures}"
    if seen and said:
        if abs(image - ecg) <= ALIKE_PERCENT:
            return "agree", f"scar on both: {figures}"
        return "ecg cannot tell", f"scar on both, but of very different extent: {figures}"
    if said:
        return "disagree", f"the ECG suggests scar that the image does not show: {figures}"
    if image < ECG_POSITIVE_PERCENT:
        return "ecg cannot tell", f"scar this small may leave no ECG sign: {figures}"
    return "disagree", f"the image shows scar without ECG sign: {figures}; a normal ECG does not rule it out"
