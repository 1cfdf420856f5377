"""The pictures of one result, as files' bytes, by the names the report knows them under."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import PART_MVO, SCAR, ScarResult
from ScarSegECGLib.ecg.findings import findings_lines
from ScarSegECGLib.measure.mvo import mvo_within
from ScarSegECGLib.measure.result import BY_HAND, described
from ScarSegECGLib.view.bullseye import bullseye
from ScarSegECGLib.view.captions import LEAST_MVO_ML, PERCENT_OF_SEGMENT, SIGN_WORDS, how, mvo_signs
from ScarSegECGLib.view.ecg_paper import ecg_paper
from ScarSegECGLib.view.montage import montage, width_for
from ScarSegECGLib.view.paint_matplotlib import to_png
from ScarSegECGLib.view.panels import PAGE_WIDTH
from ScarSegECGLib.view.shapes import Drawing
from ScarSegECGLib.view.transmurality import transmurality_bullseye


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
    return [line for line in (*found, result.ecg_use.reason) if line]


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
    rows = result.segments
    heard = result.ecg_use.amplitude > 0
    ecg = [row.ecg_percent if heard else None for row in rows]
    agreement = [row.agreement if heard else None for row in rows]
    judged = "corrected" if BY_HAND in result.method else "image-only"
    return bullseye(
        [row.scar_percent for row in rows],
        title="Scar per segment",
        subtitle=result_how(result),
        unit="",
        axis=PERCENT_OF_SEGMENT,
        imaged=[row.imaged for row in rows],
        outer_ring=ecg if any(value is not None for value in ecg) else None,
        agreement=agreement if any(agreement) else None,
        agreement_title=f"ECG against the {judged} scar:",
        signs=mvo_signs(rows),
        sign_words=SIGN_WORDS,
        territories=territories,
        selected=selected,
    )


def result_transmurality(result: ScarResult) -> Drawing:
    """Lay out the mean transmurality per segment in its bins, usual territories outlined."""
    return transmurality_bullseye(result.segments, result_how(result))


def result_how(result: ScarResult) -> str:
    """The method, its remote region, whether the ECG took part in what is shown, and the AHA mode; line by line."""
    ours = result.method.startswith("network")  # a rule looks at the images alone
    return how(described(result.method, result.ecg_use) if ours else result.method, result.anatomy.mode)


def result_mvo(result: ScarResult) -> NDArray[np.bool_] | None:
    """Where the result's MVO lies, shape (slice, row, column); ``None`` where there is none."""
    if result.mvo is None or result.mvo.ml <= 0:
        return None
    if result.parts is not None:
        return result.parts.labels == PART_MVO
    stack, anatomy = result.stack, result.anatomy
    return mvo_within(stack.voxels, anatomy.cavity, anatomy.myocardium, stack.spacing, result.labels == SCAR)


def result_montage(
    result: ScarResult, *, influence: bool = False, aha_borders: bool = True, page_width: float = PAGE_WIDTH
) -> Drawing:
    """Lay out all slices with outlines, scar and MVO; with the change the ECG made where that is asked for."""
    change = result.scar_probability - result.scar_probability_image_only if influence else None
    title = f"Scar {result.scar.ml:.1f} ml, {result.scar.percent_of_lv:.1f} % of the LV myocardium"
    if result.mvo is not None and result.mvo.ml >= LEAST_MVO_ML:
        title += f", {result.mvo.ml:.1f} ml of it MVO"
    return montage(
        result.stack,
        result.labels,
        result.anatomy,
        influence=change,
        aha_borders=aha_borders,
        title=title,
        subtitle=result_how(result),
        mvo=result_mvo(result),
        page_width=page_width,
    )
