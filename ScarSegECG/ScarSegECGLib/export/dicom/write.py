"""All DICOM objects of one result: made, written, read back and compared before anything is reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

import numpy as np
from highdicom.seg import Segmentation
from pydicom.dataset import Dataset

from ScarSegECGLib.case import ScarResult
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.dicom import codes, objects, read_back
from ScarSegECGLib.export.dicom.groups import AHA, MAIN, PARTS, groups
from ScarSegECGLib.export.dicom.objects import Series
from ScarSegECGLib.export.dicom.source import Source
from ScarSegECGLib.export.dicom.structured_report import structured_report
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
    """Write every object into an existing folder, compare it with what was meant, and return the files' names.

    What has no voxel or no picture is left out.

    Parameters
    ----------
    result, source : ScarResult, Source
        The result and the images it was made from.
    pictures : mapping of str to bytes
        PNG files by their names, as :func:`~ScarSegECGLib.report.present.present` takes them.
    folder : Path
        A staged folder: after an error its content is not to be used.
    labelmap : bool
        Segmentations of the newer LABELMAP type.
    verified_by : str, optional
        Who signs the report, ``Family^Given``.
    show_patient : bool
        Print who the patient is on the PDF's pages; the DICOM headers always say it.

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
    try:
        with quiet():
            for name, dataset, check in _objects(result, pictures, source, labelmap, verified_by, show_patient):
                dataset.SpecificCharacterSet = "ISO_IR 192"  # UTF-8, whatever that of the images is
                dataset.save_as(folder / name, enforce_file_format=True)
                check(folder / name)
                written.append(name)
    except (InputError, OSError):
        raise
    except Exception as error:  # highdicom and pydicom raise whatever an odd header makes them stumble over
        raise InputError(
            f"The images' headers hold something that DICOM objects cannot carry on ({type(error).__name__}): export "
            "the original series again."
        ) from error
    return tuple(written)


def _objects(
    result: ScarResult,
    pictures: Mapping[str, bytes],
    source: Source,
    labelmap: bool,
    verified_by: str | None,
    show_patient: bool,
) -> Iterator[tuple[str, Dataset, Callable[[Path], None]]]:
    """Segmentations, maps of the probability, structured report, report for people and bullseye.

    Each is a file's name, what goes into it, and how it is compared with what was meant.
    """
    stack = result.stack
    label_maps = {MAIN: (result.labels, codes.STRUCTURES), AHA: (result.anatomy.aha, codes.AHA_SEGMENTS)}
    if result.parts is not None:
        label_maps[PARTS] = result.parts.labels, codes.SCAR_PARTS
    segments: dict[tuple[str, int], tuple[Segmentation, int]] = {}
    for key, (labels, structures) in label_maps.items():
        name, numbers = f"{key}.dcm", objects.numbered(labels, structures)
        if numbers:
            made = objects.segmentation(labels, structures, result, source, SERIES[name], labelmap=labelmap)
            segments |= {(key, label): (made, number) for label, number in numbers.items()}
            yield name, made, partial(read_back.check_segmentation, labels=labels, numbers=numbers, stack=stack)

    maps = {"scar_probability.dcm": (result.scar_probability, codes.SCAR_PROBABILITY)}
    if ecg_counts(result):  # which may have changed it
        image_only = result.scar_probability_image_only, codes.SCAR_PROBABILITY_IMAGE_ONLY
        maps["scar_probability_image_only.dcm"] = image_only
    for name, (values, quantity) in maps.items():
        check = partial(read_back.check_map, values=values, stack=stack)
        yield name, objects.parametric_map(values, quantity, source, SERIES[name]), check

    said = structured_report(result, segments, source, SERIES["report.dcm"], verified_by=verified_by)
    yield "report.dcm", said, partial(read_back.check_report, groups=groups(result))

    patient = Patient.of_image(source.first) if show_patient else None
    report = present(result, pictures, datetime.now(timezone.utc), patient=patient, signed_by=verified_by)
    pdf, series, verified = as_pdf(report), SERIES["report_pdf.dcm"], verified_by is not None
    wrapped = objects.encapsulated_pdf(pdf, report.title, source, series, names_patient=show_patient, verified=verified)
    yield "report_pdf.dcm", wrapped, partial(read_back.check_document, pdf=pdf)

    if "bullseye.png" in pictures:
        pixels = np.asarray(on_white(pictures["bullseye.png"]))
        captured = objects.secondary_capture(pixels, source, SERIES["bullseye.dcm"])
        yield "bullseye.dcm", captured, partial(read_back.check_picture, pixels=pixels)
