"""The pictures of one result, as files' bytes, by the names the report knows them under."""

from __future__ import annotations

from ScarSegECGLib.case import MVO, PART_MVO, ScarResult
from ScarSegECGLib.measure.agreement import excess
from ScarSegECGLib.report.captions import (
    ECG_ALONE,
    ECG_ESTIMATE,
    ECG_SILENT,
    PERCENT_OF_SEGMENT,
    SIGN_WORDS,
    how,
    mvo_sign,
    scar_title,
    verdicts_title,
)
from ScarSegECGLib.report.ecg import findings_lines
from ScarSegECGLib.view.bullseye import BullseyeStyle, SegmentValue, bullseye
from ScarSegECGLib.view.ecg_paper import ecg_paper
from ScarSegECGLib.view.montage import montage, width_for
from ScarSegECGLib.view.paint import to_png
from ScarSegECGLib.view.panels import PAGE_WIDTH
from ScarSegECGLib.view.shapes import Drawing
from ScarSegECGLib.view.transmurality import transmurality_bullseye
from ScarSegECGLib.wording import words


def pictures(result: ScarResult, *, dpi: float = 150.0) -> dict[str, bytes]:
    """Paint "bullseye.png", "montage.png", "transmurality.png" and, where there is an ECG, "ecg.png".

    Parameters
    ----------
    result : ScarResult
    dpi : float
        Dots per inch; all pictures carry it, so that they print at true size.
    """
    drawings = {
        "bullseye.png": result_bullseye(result),
        "montage.png": result_montage(result),
        "transmurality.png": result_transmurality(result),
    }
    if result.ecg is not None:
        drawings["ecg.png"] = ecg_paper(result.ecg, median_features=ecg_lines(result))
    return {name: to_png(drawing, dpi=dpi) for name, drawing in drawings.items()}


def ecg_lines(result: ScarResult) -> list[str]:
    """What was found in the ECG and how much it counted, as it stands above the traces."""
    found = findings_lines(result.ecg_findings) if result.ecg_findings else []
    return [line for line in (*found, words(result.ecg_use)) if line]


def bullseye_png(result: ScarResult, *, width_px: int = 600) -> bytes:
    """Paint the bullseye alone."""
    return to_png(result_bullseye(result), width_px=width_px)


def montage_png(result: ScarResult, *, width_px: int = 1100) -> bytes:
    """Paint the montage alone, in as few columns as its letters need to be read at that width.

    Raises
    ------
    InputError
        Fewer pixels than the narrowest montage needs.
    """
    return to_png(result_montage(result, page_width=width_for(width_px)), width_px=width_px)


def result_bullseye(result: ScarResult, *, selected: int | None = None, territories: bool = False) -> Drawing:
    """Lay out the scar per segment, with the ECG's estimate as rim and its agreement where they are known."""
    heard = result.ecg_use.amplitude > 0
    judged = "corrected" if result.method.corrected else "image-only"
    segments = [
        SegmentValue(
            row.scar_percent,
            row.imaged,
            excess(row.number, row.ecg_percent) if heard else None,
            row.agreement if heard else None,
            mvo_sign(row),
        )
        for row in result.segments
    ]
    style = BullseyeStyle(
        title="Scar per segment",
        subtitle=result_how(result),
        axis=PERCENT_OF_SEGMENT,
        agreement_title=verdicts_title(judged),
        sign_words=SIGN_WORDS,
        territories=territories,
        selected=selected,
    )
    return bullseye(segments, style)


def ecg_bullseye(result: ScarResult, *, selected: int | None = None) -> Drawing:
    """Lay out what the ECG alone says of each segment, above what it says of people without scar."""
    known = any(row.ecg_percent is not None for row in result.segments)
    style = BullseyeStyle(
        title=ECG_ALONE if known else ECG_SILENT,
        subtitle=ECG_ESTIMATE if known else "",
        axis="% above normal limit",
        selected=selected,
    )
    rows = [
        SegmentValue(excess(row.number, row.ecg_percent), row.imaged, agreement=row.agreement if known else None)
        for row in result.segments
    ]
    return bullseye(rows, style)


def result_transmurality(result: ScarResult) -> Drawing:
    """Lay out the mean transmurality per segment in its bins, usual territories outlined."""
    return transmurality_bullseye(result.segments, result_how(result))


def result_how(result: ScarResult) -> str:
    """The method, its remote region, whether the ECG took part in what is shown, and the AHA mode; line by line."""
    return how(result.method, result.anatomy.division, result.shown)


def result_montage(result: ScarResult, *, page_width: float = PAGE_WIDTH) -> Drawing:
    """Lay out all slices with outlines, scar and MVO."""
    labels = result.labels.copy()
    if result.parts is not None:
        labels[result.parts.labels == PART_MVO] = MVO
    title = scar_title(result.scar, result.mvo)
    return montage(
        result.stack, labels, result.anatomy, title=title, subtitle=result_how(result), page_width=page_width
    )
