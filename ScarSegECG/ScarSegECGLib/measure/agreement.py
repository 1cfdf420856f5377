"""The ECG held against the image, segment by segment. It informs the reader and never changes a segmentation.

The verdicts' rule is this project's own; it rests on which leads face which segments (Bayes de Luna et al. 2006,
Circulation 114:1755), and on the QRS score following scar mass (Strauss et al. 2009, J Electrocardiol 42:85).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ScarSegECGLib.case import EcgUse
from ScarSegECGLib.ecg.conduction import SILENT
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import Agreement, AgreementReason, Conduction

RELIABLE_SEGMENTS = frozenset({1, 2, 7, 8, 9})
"""Basal and mid anterior and septal wall. Left out: 3, which ECG criteria count with the inferior wall (ISHNE lead
map), the lateral and inferior wall, and the apex. The QRS score did not follow scar outside anterior infarcts."""

IMAGE_POSITIVE_PERCENT = 10.0  # scar in less of a segment counts as none on the image
ALIKE_PERCENT = 40.0  # extents further apart do not agree, though there is scar on both

LIMITS = Path(__file__).parent.parent / "weights" / "ecg_limits.json"
"""Of the encoder whose digest it names; it says which real ECGs it comes from. ``Research/ecg_limits.py`` makes it."""

NORMAL_LIMIT_PERCENT: tuple[float, ...] = tuple(json.loads(LIMITS.read_text(encoding="utf-8"))["limit_percent"])
"""Of each AHA segment 1..17, %: an estimate up to this is found in people without an infarct. It was learned from
simulated scars, and sees scar in ECGs of healthy people, in the inferior and septal wall far more than elsewhere."""

_CAUTION = (Conduction.RBBB, Conduction.LAFB, Conduction.LVH)

Percents = Sequence[float | None]
Verdict = tuple[Agreement | None, Fact | None]


def agreement_table(
    image_percent: Percents, ecg_percent: Percents | None, conduction: Conduction, use: EcgUse
) -> tuple[Verdict, ...]:
    """Agree, disagree or "ecg cannot tell" for every segment (None where it is not imaged), with the reason.

    ``image_percent`` is the scar in each segment on the image, 0..100, ``None`` where not imaged; ``ecg_percent`` that
    estimated from the ECG alone, ``None`` without an estimate. An ECG that by its ``use`` did not count (missing, too
    old, paced ...) tells nothing. ValueError where the two sequences differ in length.
    """
    ecg = [None] * len(image_percent) if ecg_percent is None else list(ecg_percent)
    conduction, silent = Conduction(conduction), Agreement.CANNOT_TELL
    verdicts: list[Verdict] = []
    for number, (image, estimate) in enumerate(zip(image_percent, ecg, strict=True), start=1):
        if image is None:
            verdicts.append((None, Fact(AgreementReason.NOT_IMAGED)))
        elif not use.amplitude:
            verdicts.append((silent, Fact(AgreementReason.ECG_NOT_USED, use=use.reasons)))
        elif conduction in SILENT:
            verdicts.append((silent, Fact(AgreementReason.SILENT, conduction=conduction)))
        elif estimate is None:
            verdicts.append((silent, Fact(AgreementReason.NO_ESTIMATE)))
        else:
            verdict, why = _weigh(number, image, estimate)
            caution = conduction if conduction in _CAUTION else None
            verdicts.append((verdict, Fact(why, image=image, ecg=estimate, caution=caution)))
    return tuple(verdicts)


def excess(number: int, percent: float | None) -> float | None:
    """How far the estimate of segment ``number`` (1..17) is above its normal limit, percentage points; 0 within it."""
    return None if percent is None else max(0.0, percent - NORMAL_LIMIT_PERCENT[number - 1])


def _weigh(number: int, image: float, ecg: float) -> tuple[Agreement, AgreementReason]:
    """One imaged segment with an ECG estimate and readable conduction; the ECG says scar above the normal limit."""
    limit = NORMAL_LIMIT_PERCENT[number - 1]
    seen, said = image >= IMAGE_POSITIVE_PERCENT, ecg > limit
    if number not in RELIABLE_SEGMENTS:
        return Agreement.CANNOT_TELL, AgreementReason.POOR_WALL
    if not seen and not said:
        return Agreement.AGREE, AgreementReason.NONE_ON_EITHER
    if seen and said:
        if abs(image - ecg) <= ALIKE_PERCENT:
            return Agreement.AGREE, AgreementReason.ON_BOTH
        return Agreement.CANNOT_TELL, AgreementReason.EXTENTS_DIFFER
    if said:
        return Agreement.DISAGREE, AgreementReason.ECG_ALONE
    if image < limit:
        return Agreement.CANNOT_TELL, AgreementReason.TOO_SMALL
    return Agreement.DISAGREE, AgreementReason.IMAGE_ALONE
