"""The public face: read, segment, measure, draw, export; each is a few lines over the rooms.

Names of this file come from the package itself, ``from ScarSegECGLib import segment``, which holds an example of each.
"""

from __future__ import annotations

import os
import warnings
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ScarSegECGLib.case import SCAR, Ecg, LgeStack, ScarResult, Subject
from ScarSegECGLib.ecg.gap import gap_of_case, parse_date
from ScarSegECGLib.ecg.read import read_ecg
from ScarSegECGLib.ecg.subject import subject_of_dicom
from ScarSegECGLib.export.write import write_dicom_beside, write_result
from ScarSegECGLib.facts import Contrast, ScarSource
from ScarSegECGLib.lge.dicom_source import find_source
from ScarSegECGLib.lge.read import read_lge, with_contrast
from ScarSegECGLib.measure.measurements import Measurements
from ScarSegECGLib.measure.measurements import measure as measure_scar
from ScarSegECGLib.measure.rules import RULES, ThresholdRule
from ScarSegECGLib.pipeline import Progress, SegmentOptions, loaded
from ScarSegECGLib.pipeline import segment as segment_case
from ScarSegECGLib.report.blocks import Patient
from ScarSegECGLib.view.paint import draw
from ScarSegECGLib.view.pictures import pictures, scar_bullseye
from ScarSegECGLib.view.viewer import result_data, viewer_block
from ScarSegECGLib.wording import all_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["bullseye", "export", "measure", "read_ecg", "read_lge", "segment"]

Date = datetime | str | None


def _date(given: Date) -> datetime | None:
    """Empty text, as a list of patients has it where a date is not known, is none."""
    if isinstance(given, str):
        return parse_date(given) if given.strip() else None
    return given


def segment(
    stack: LgeStack,
    ecg: Ecg | None = None,
    *,
    mri_date: Date = None,
    ecg_date: Date = None,
    event_between: bool = False,
    contrast: str | None = None,
    weights: str | os.PathLike[str] | None = None,
    device: str = "auto",
    method: str = "network",
    n_sd: float | None = None,
    progress: Progress = lambda fraction, text: None,
    **options: Any,
) -> ScarResult:
    """Find the myocardium, divide it, segment the scar with and without the ECG, and measure it.

    Printing the result tells it in three lines, a notebook shows it, and ``result.table()`` is ready for pandas. An
    InputError is one line that says what is to be put right.

    Parameters
    ----------
    stack : LgeStack
        From :func:`read_lge`.
    ecg : Ecg, optional
        From :func:`read_ecg`; without it the result is the images' alone.
    mri_date, ecg_date : datetime or str, optional
        YYYY-MM-DD[THH:MM], where the files do not state them truthfully.
    event_between : bool
        An infarct or a revascularisation lies between the two dates: the ECG is not used.
    contrast : {"magnitude", "psir"}, optional
        Where the file does not say; rules need it, the networks do not.
    weights : path-like, optional
        Made by ``scarsegecg train``; default: the shipped ones.
    device : str
        "auto", "cpu" or "cuda[:N]".
    method, n_sd
        A threshold rule in place of the networks' scar: "n_sd" (with ``n_sd``), "fwhm", "otsu", "mixture", "ewa".
    progress : callable
        Called with the fraction done and the stage's name.
    **options
        As :class:`ScarSegECGLib.pipeline.SegmentOptions` has them: ``correct_shifts``, ``insertions_deg``,
        ``division``, ``female``, ``age``.
    """
    if contrast is not None:
        stack = with_contrast(stack, Contrast(contrast))
    typed = {"typed_ecg_date": _date(ecg_date), "typed_mri_date": _date(mri_date)}
    gap = gap_of_case(ecg, stack.acquired, **typed, event_between=event_between)
    source = find_source(stack)
    imaged = subject_of_dicom(source[0][0]) if source else Subject()
    given = {name: value for name, value in options.items() if value is not None}
    rule = None if method == ScarSource.NETWORK else ThresholdRule(method, n_sd)
    session = loaded(Path(weights) if weights is not None else None, device)
    return segment_case(stack, ecg, gap, session, SegmentOptions(rule, imaged=imaged, **given), progress=progress)


def measure(result: ScarResult, method: str = "fwhm", *, contrast: str | None = None, **options: Any) -> Measurements:
    """Measure scar by a rule inside the contours of a result: ``scar`` (ml, g, % of the LV), ``segments``, ``mask``.

    What speaks against it is warned of. InputError: the contrast is not known, or the rule cannot be used.

    Parameters
    ----------
    result : ScarResult
        Its cavity, wall and segments are used; its scar only by "manual".
    method : {"fwhm", "n_sd", "otsu", "mixture", "ewa", "manual"}
    contrast : {"magnitude", "psir"}, optional
        Where the file did not say.
    **options
        As :class:`ScarSegECGLib.measure.rules.ThresholdRule` has them: ``n_sd``, ``per``, ``remote``,
        ``peak_region``, ``smallest_island_ml``.
    """
    stack = result.stack if contrast is None else with_contrast(result.stack, Contrast(contrast))
    manual = method == ScarSource.MANUAL
    rule = result.labels == SCAR if manual else ThresholdRule(method, **options)
    drawn = result.labels == SCAR if result.method.source not in RULES else None
    measured = measure_scar(stack, result.anatomy, rule, drawn=drawn, **(options if manual else {}))
    for doubt in all_words((*measured.warnings, *measured.doubts)):
        warnings.warn(doubt, stacklevel=3)
    return measured


def bullseye(result: ScarResult, ax: Axes | None = None) -> Axes:
    """Draw the scar per segment into axes, or into a figure of its own, and give back where it was drawn."""
    drawing = scar_bullseye(result)
    if ax is None:
        from matplotlib import pyplot

        ax = pyplot.figure(figsize=(drawing.width / 25.4, drawing.height / 25.4)).add_axes((0, 0, 1, 1))
    return draw(drawing, ax)


def export(
    result: ScarResult, folder: str | os.PathLike[str], *, overwrite: bool = False, show_patient: bool = False
) -> Path:
    """Write report, masks, tables, pictures and, for DICOM images, DICOM objects into one folder.

    The folder appears whole or not at all and is given back. ``overwrite`` replaces an earlier result in it; other
    files stay. ``show_patient``: the report says who the patient is, where the images do. Where images cannot carry
    DICOM objects the result stands without them, and a warning says why. InputError: the folder cannot be used.
    """
    painted, viewer = pictures(result), viewer_block(result_data(result))
    source = find_source(result.stack) if show_patient else []
    patient = Patient.of_image(source[0][0]) if source else None

    def beside(staged: Path) -> None:
        if result.stack.sources and (why := write_dicom_beside(result, painted, staged, show_patient=show_patient)):
            warnings.warn(f"no DICOM objects were written: {why}", stacklevel=3)

    return write_result(
        result, painted, Path(folder), overwrite=overwrite, patient=patient, viewer=viewer, beside=beside
    )
