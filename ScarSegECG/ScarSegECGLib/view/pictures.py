"""The pictures of a result, or of what one rule says inside given contours, each with how its numbers came about."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ScarSegECGLib.case import MVO, PART_MVO, Anatomy, LgeStack, ScarResult, SegmentRow
from ScarSegECGLib.measure.agreement import excess
from ScarSegECGLib.measure.measurements import Measurements
from ScarSegECGLib.measure.segments import rests_on_little
from ScarSegECGLib.measure.transmurality import TRANSMURALITY_BINS, transmurality_map
from ScarSegECGLib.report import captions
from ScarSegECGLib.report.ecg import findings_lines
from ScarSegECGLib.view.bullseye import SegmentValue, bullseye, polar_map
from ScarSegECGLib.view.ecg_paper import ecg_paper
from ScarSegECGLib.view.montage import montage
from ScarSegECGLib.view.paint import to_png
from ScarSegECGLib.view.panels import levels
from ScarSegECGLib.view.shapes import Drawing
from ScarSegECGLib.wording import rule_words, words

Told = ScarResult | Measurements


def pictures(result: ScarResult) -> dict[str, bytes]:
    """Paint "bullseye.png", "montage.png", "transmurality.png" and, where there is an ECG, "ecg.png"."""
    drawings = {
        "bullseye.png": scar_bullseye(result),
        "montage.png": scar_montage(result, result.anatomy, result.stack),
        "transmurality.png": transmurality_bullseye(result.segments, how_of(result)),
    }
    if result.ecg is not None:
        drawings["ecg.png"] = ecg_paper(result.ecg, median_features=ecg_lines(result))
    return {name: to_png(drawing, dpi=150) for name, drawing in drawings.items()}


def ecg_lines(result: ScarResult) -> list[str]:
    """What was found in the ECG and how much it counted, as it stands above the traces."""
    found = findings_lines(result.ecg_findings) if result.ecg_findings else []
    return [line for line in (*found, words(result.ecg_use)) if line]


def scar_bullseye(told: Told, *, selected: int | None = None, territories: bool = False) -> Drawing:
    """Lay out the scar per segment, with the ECG's estimate as rim and its agreement where they are known."""
    heard = isinstance(told, ScarResult) and told.ecg_use.amplitude > 0

    def shown(row: SegmentRow) -> SegmentValue:
        ecg, verdict = (excess(row.number, row.ecg_percent), row.agreement) if heard else (None, None)
        sign = captions.MVO_SIGN if (row.mvo_ml or 0.0) >= captions.LEAST_MVO_ML else ""
        return SegmentValue(row.scar_percent, row.imaged, ecg, verdict, sign)

    return bullseye(
        [shown(row) for row in told.segments],
        title="Scar per segment",
        subtitle=how_of(told),
        axis=captions.PERCENT_OF_SEGMENT,
        agreement_title=captions.VERDICTS.format(judged="corrected" if told.method.corrected else "image-only"),
        territories=territories,
        selected=selected,
    )


def ecg_bullseye(result: ScarResult, *, selected: int | None = None) -> Drawing:
    """Lay out what the ECG alone says of each segment, above what it says of people without scar."""
    known = any(row.ecg_percent is not None for row in result.segments)
    rows = [
        SegmentValue(excess(row.number, row.ecg_percent), row.imaged, agreement=row.agreement if known else None)
        for row in result.segments
    ]
    title, subtitle = (captions.ECG_ALONE, captions.ECG_ESTIMATE) if known else (captions.ECG_SILENT, "")
    return bullseye(rows, title=title, subtitle=subtitle, axis="% above normal limit", selected=selected)


def scar_montage(told: Told, anatomy: Anatomy, stack: LgeStack) -> Drawing:
    """Lay out all slices with outlines, scar, MVO, AHA borders and RV insertions; all on one grid."""
    labels, mvo = told.labels, None
    if told.parts is not None:
        labels, mvo = np.where(told.parts.labels == PART_MVO, np.uint8(MVO), labels), told.parts.mvo
    return montage(stack, labels, anatomy, title=captions.scar_title(told.scar, mvo), subtitle=how_of(told))


def measured_polar_map(measured: Measurements, anatomy: Anatomy, stack: LgeStack) -> Drawing:
    """Lay out the transmurality at every angle of every slice that has myocardium; all on one grid."""
    shown = np.flatnonzero(anatomy.myocardium.any(axis=(1, 2)))
    percent = transmurality_map(measured.mask, anatomy, stack.spacing)[shown]
    rings = np.array(levels(anatomy))[shown].tolist()
    subtitle = f"{how_of(measured)}\n{captions.RINGS.format(first=shown[0] + 1, last=shown[-1] + 1)}"
    return polar_map(percent, rings, title="Transmurality", subtitle=subtitle, axis=captions.PERCENT_OF_WALL)


def transmurality_bullseye(rows: Sequence[SegmentRow], subtitle: str, *, maximum: bool = False) -> Drawing:
    """Lay out the mean or the maximum transmurality per segment, usual coronary territories outlined.

    Colours follow the bins of Kim et al. 2000 and the figures as printed, rounded. A maximum that rests on little
    scar gets an asterisk, as in the table. ``subtitle`` says how the scar was found.
    """

    def shown(row: SegmentRow) -> SegmentValue:
        value = row.transmurality_max_percent if maximum else row.transmurality_mean_percent
        sign = captions.SMALL_SIGN if maximum and rests_on_little(row) else ""
        return SegmentValue(None if value is None else float(round(value)), row.imaged, sign=sign)

    return bullseye(
        [shown(row) for row in rows],
        title="Maximum transmurality" if maximum else "Mean transmurality",
        subtitle=subtitle,
        axis=captions.MOST_OF_WALL if maximum else captions.MEAN_OF_WALL,
        bins=TRANSMURALITY_BINS,
        territories=True,
    )


def how_of(told: Told) -> str:
    """The method, whether the ECG took part in what is shown, its remote region, and the AHA mode; line by line."""
    method, rule, remote = told.method, rule_words(told.method), words(told.method.remote)
    division = told.division if isinstance(told, Measurements) else told.anatomy.division
    if isinstance(told, ScarResult) and method.by_network and not method.corrected and not method.image_only:
        rule = f"{rule}; {words(told.shown)}"
    lines = (rule, f"{remote[:1].upper()}{remote[1:]}", f"AHA segments: {words(division)}")
    return "\n".join(filter(None, lines))
