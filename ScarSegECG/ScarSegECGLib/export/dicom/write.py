"""All DICOM objects of one result: made, written, read back and compared before anything is reported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from ScarSegECGLib.case import ScarResult
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.dicom import codes
from ScarSegECGLib.export.dicom.encapsulated_pdf import encapsulated_pdf
from ScarSegECGLib.export.dicom.groups import AHA, MAIN, PARTS, groups
from ScarSegECGLib.export.dicom.maker import UTF_8, Series
from ScarSegECGLib.export.dicom.parametric_map import parametric_map
from ScarSegECGLib.export.dicom.read_back import (
    check_document,
    check_map,
    check_picture,
    check_report,
    check_segmentation,
)
from ScarSegECGLib.export.dicom.secondary_capture import secondary_capture
from ScarSegECGLib.export.dicom.segmentation import numbered, segmentation
from ScarSegECGLib.export.dicom.source import Source
from ScarSegECGLib.export.dicom.structured_report import Segments, structured_report
from ScarSegECGLib.lge.dicom_files import quiet
from ScarSegECGLib.report.blocks import Patient
from ScarSegECGLib.report.pdf import as_pdf, on_white
from ScarSegECGLib.report.present import ecg_counts, present

SERIES = {
    "segmentation.dcm": Series(1, "ScarSegECG LV and scar"),
    "aha17.dcm": Series(2, "ScarSegECG AHA segments"),
    "scar_parts.dcm": Series(3, "ScarSegECG scar core, grey zone, MVO"),
    "scar_probability.dcm": Series(4, "ScarSegECG probability of scar"),
    "scar_probability_image_only.dcm": Series(5, "ScarSegECG probability of scar, image only"),
    "report.dcm": Series(6, "ScarSegECG measurements"),
    "report_pdf.dcm": Series(7, "ScarSegECG report"),
    "bullseye.dcm": Series(8, "ScarSegECG bullseye"),
}
FILES = tuple(SERIES)

_Check = Callable[[Path], None]
_Keep = Callable[[str, Dataset, _Check], None]


def write_dicom(
    result: ScarResult,
    pictures: Mapping[str, bytes],
    source: Source,
    folder: Path,
    *,
    labelmap: bool = False,
    verified_by: str | None = None,
    show_patient: bool = False,
) -> tuple[str, ...]:
    """Write every object into an existing folder and compare it with what was meant.

    Parameters
    ----------
    result : ScarResult
    pictures : mapping of str to bytes
        PNG files by their names, as :func:`~ScarSegECGLib.report.present.present` takes them.
    source : Source
        The images the result was made from.
    folder : Path
        A staged folder: after an error its content is not to be used.
    labelmap : bool
        Segmentations of the newer LABELMAP type.
    verified_by : str, optional
        Who signs the report, ``Family^Given``.
    show_patient : bool
        Print who the patient is on the PDF's pages; the DICOM headers always say it.

    Returns
    -------
    tuple of str
        Names of the files, of :data:`FILES`; what has no voxel or no picture is left out.

    Raises
    ------
    InputError
        Nothing was segmented, or the name to sign with is none.
    OSError
        A file did not read back as it was meant.
    """
    if not result.labels.any():
        raise InputError("Nothing is segmented in the result: there is nothing to write as DICOM.")
    written: list[str] = []

    def keep(name: str, dataset: Dataset, check: _Check) -> None:
        dataset.SpecificCharacterSet = UTF_8
        dataset.save_as(folder / name, enforce_file_format=True)
        check(folder / name)
        written.append(name)

    try:
        with quiet():
            segmentations = _segmentations(result, source, keep, labelmap)
            _maps(result, source, keep)
            _documents(result, pictures, segmentations, source, keep, verified_by, show_patient)
    except (InputError, OSError):
        raise
    except Exception as error:  # highdicom and pydicom raise whatever an odd header makes them stumble over
        raise InputError(
            f"The images' headers hold something that DICOM objects cannot carry on ({type(error).__name__}): export "
            "the original series again."
        ) from error
    return tuple(written)


def _segmentations(result: ScarResult, source: Source, keep: _Keep, labelmap: bool) -> dict[str, Segments]:
    wanted = [
        (MAIN, "segmentation.dcm", result.labels, codes.STRUCTURES),
        (AHA, "aha17.dcm", result.anatomy.aha, codes.AHA_SEGMENTS),
    ]
    if result.parts is not None:
        wanted.append((PARTS, "scar_parts.dcm", result.parts.labels, codes.SCAR_PARTS))
    made = {}
    for key, name, labels, structures in wanted:
        numbers = {structure.label: number for number, structure in numbered(labels, structures).items()}
        if not numbers:
            continue
        seg = segmentation(labels, structures, result, source, SERIES[name], labelmap=labelmap)
        keep(name, seg, partial(check_segmentation, labels=labels, numbers=numbers, stack=result.stack))
        made[key] = Segments(seg, numbers)
    return made


def _maps(result: ScarResult, source: Source, keep: _Keep) -> None:
    """The probability, and the one without the ECG where the ECG changed it."""
    wanted = [("scar_probability.dcm", result.scar_probability, codes.SCAR_PROBABILITY)]
    if ecg_counts(result):
        image_only = "scar_probability_image_only.dcm"
        wanted.append((image_only, result.scar_probability_image_only, codes.SCAR_PROBABILITY_IMAGE_ONLY))
    for name, values, quantity in wanted:
        made = parametric_map(values, quantity, source, SERIES[name])
        keep(name, made, partial(check_map, values=values, stack=result.stack))


def _documents(
    result: ScarResult,
    pictures: Mapping[str, bytes],
    segmentations: Mapping[str, Segments],
    source: Source,
    keep: _Keep,
    verified_by: str | None,
    show_patient: bool,
) -> None:
    """The structured report, the report for people, and the bullseye."""
    said = structured_report(result, segmentations, source, SERIES["report.dcm"], verified_by=verified_by)
    keep("report.dcm", said, partial(check_report, groups=groups(result)))
    patient = Patient.of_image(source.first) if show_patient else None
    report = present(result, pictures, datetime.now(timezone.utc), patient=patient, signed_by=verified_by)
    pdf = as_pdf(report)
    wrapped = encapsulated_pdf(
        pdf,
        report.title,
        source,
        SERIES["report_pdf.dcm"],
        names_patient=show_patient,
        verified=verified_by is not None,
    )
    keep("report_pdf.dcm", wrapped, partial(check_document, pdf=pdf))
    if "bullseye.png" in pictures:
        pixels = np.asarray(on_white(pictures["bullseye.png"]))
        captured = secondary_capture(pixels, source, SERIES["bullseye.dcm"])
        keep("bullseye.dcm", captured, partial(check_picture, pixels=pixels))
