"""All DICOM objects of one result: made, written, read back and compared before anything is reported."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from io import BytesIO
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ScarSegECGLib.case import RAS_LPS, LgeStack, ScarResult
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import write_whole
from ScarSegECGLib.export.dicom import codes, objects
from ScarSegECGLib.export.dicom.source import Source
from ScarSegECGLib.export.dicom.structured_report import AHA, MAIN, PARTS, Group, Segments, groups, structured_report
from ScarSegECGLib.lge.dicom_files import quiet
from ScarSegECGLib.lge.files import intact
from ScarSegECGLib.lge.labels import placed
from ScarSegECGLib.report.blocks import Patient
from ScarSegECGLib.report.pdf import as_pdf, on_white
from ScarSegECGLib.report.present import ecg_counts, present

FILES = tuple(objects.SERIES)
_NOT_CARRIED = "The images' headers hold what DICOM objects cannot carry on: export the original series again."
_NOT_READ_BACK = "a DICOM object did not read back as written; is the disk full?"
# More than what the images themselves may be off (see source.py), less than what would move a voxel.
_OFF_GRID_VOXELS = 0.06
_UNEVEN = 0.011


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
    """Write every object into a staged folder, read it again and compare, and return the files' names.

    What has no voxel or no picture is left out. ``source`` are the images the result was made from, ``pictures`` PNG
    files by their names, as :func:`~ScarSegECGLib.report.present.present` takes them. ``labelmap``: segmentations of
    the newer LABELMAP type. ``verified_by`` signs the report, ``Family^Given``. ``show_patient`` prints who the patient
    is on the PDF's pages; the DICOM headers always say it.

    After an error the folder's content is not to be used. InputError: nothing was segmented, the name to sign with is
    none, or the images' headers cannot be carried on. OSError: a file did not read back as it was meant.
    """
    if not result.labels.any():
        raise InputError("Nothing is segmented in the result: there is nothing to write as DICOM.")
    written: list[str] = []

    def write(name: str, dataset: Dataset, values: NDArray | None = None) -> None:
        dataset.SpecificCharacterSet = "ISO_IR 192"  # UTF-8, whatever that of the images is
        content = BytesIO()
        dataset.save_as(content, enforce_file_format=True)
        write_whole(folder / name, content.getvalue())
        if values is not None:
            insist(folder / name, values, result.stack)
        written.append(name)

    with quiet(), intact(_NOT_CARRIED):
        segments = _write_segmentations(write, result, source, labelmap)
        maps = {"scar_probability.dcm": (result.scar_probability, codes.SCAR_PROBABILITY)}
        if ecg_counts(result):  # which may have changed it
            image_only = result.scar_probability_image_only, codes.SCAR_PROBABILITY_IMAGE_ONLY
            maps["scar_probability_image_only.dcm"] = image_only
        for name, (values, quantity) in maps.items():
            write(name, objects.parametric_map(values, quantity, source, name), values)
        write("report.dcm", structured_report(result, segments, source, verified_by))
        insist_said(folder / "report.dcm", groups(result))
        patient = Patient.of_image(source.first) if show_patient else None
        report = present(result, pictures, datetime.now(timezone.utc), patient=patient, signed_by=verified_by)
        how = {"names_patient": show_patient, "verified": verified_by is not None}
        write("report_pdf.dcm", objects.encapsulated_pdf(as_pdf(report), report.title, source, **how))
        if "bullseye.png" in pictures:
            pixels = np.asarray(on_white(pictures["bullseye.png"]))
            write("bullseye.dcm", objects.secondary_capture(pixels, source))
    return tuple(written)


def _write_segmentations(write: Callable[..., None], result: ScarResult, source: Source, labelmap: bool) -> Segments:
    """LV and scar, AHA segments, parts of the scar; where each of their segments is, for the report to refer to."""
    label_maps = {MAIN: (result.labels, codes.STRUCTURES), AHA: (result.anatomy.aha, codes.AHA_SEGMENTS)}
    if result.parts is not None:
        label_maps[PARTS] = result.parts.labels, codes.SCAR_PARTS
    segments: Segments = {}
    for key, (labels, structures) in label_maps.items():
        name, numbers = f"{key}.dcm", objects.numbered(labels, structures)
        if numbers:
            made = objects.segmentation(labels, structures, result, source, name, labelmap=labelmap)
            segments |= {(key, label): (made, number) for label, number in numbers.items()}
            write(name, made, objects.renumbered(labels, numbers))
    return segments


def insist(path: Path, values: NDArray, stack: LgeStack) -> None:
    """Read a segmentation or a parametric map again; OSError where it does not hold every value at its place.

    ``values``, shape (slice, row, column), canonical storage, are uint8 numbers of segments, 0 outside all, or floats.
    """
    how: dict[str, Any] = {"dtype": values.dtype, "rtol": _UNEVEN}
    try:
        if values.dtype == np.uint8:
            volume = highdicom.seg.segread(path).get_volume(combine_segments=True, **how)
        else:
            volume = highdicom.imread(path).get_volume(apply_real_world_transform=False, **how)
        here = placed(volume.array[None], RAS_LPS @ volume.affine[:, [2, 1, 0, 3]], stack, _OFF_GRID_VOXELS)
        same = here is not None and np.array_equal(here[0], values)
    except (RuntimeError, ValueError):  # what highdicom refuses to lay into one volume
        same = False
    if not same:
        raise OSError(errno.EIO, _NOT_READ_BACK)


def insist_said(path: Path, told: tuple[Group, ...]) -> None:
    """Read a structured report again; OSError where it has not just these numbers, coded answers and comments."""
    expected: Counter[tuple[str, str, str]] = Counter()
    for group in told:
        numbers = group.values.items()
        expected.update((name.value, codes.UNIT_OF[name].value, f"{value:.4f}") for name, value in numbers)
        expected.update((name.value, answer.value, "") for name, answer in group.answers)
        expected.update((codes.COMMENT.value, comment, "") for comment in group.comments)
    asked = {name.value for group in told for name, _ in group.answers}
    if Counter(_said(pydicom.dcmread(path), asked)) != expected:
        raise OSError(errno.EIO, _NOT_READ_BACK)


def _said(item: Dataset, asked: set[str]) -> Iterator[tuple[str, str, str]]:
    for child in item.get("ContentSequence", []):
        name = child.ConceptNameCodeSequence[0].CodeValue if "ConceptNameCodeSequence" in child else ""
        if child.ValueType == "NUM":
            measured = child.MeasuredValueSequence[0]
            unit = measured.MeasurementUnitsCodeSequence[0].CodeValue
            yield name, unit, f"{float(measured.NumericValue):.4f}"
        elif child.ValueType == "CODE" and name in asked:
            yield name, child.ConceptCodeSequence[0].CodeValue, ""
        elif child.ValueType == "TEXT" and name == codes.COMMENT.value:
            yield name, child.TextValue, ""
        yield from _said(child, asked)
