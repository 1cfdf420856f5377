"""All files of one result, in one folder that appears whole or not at all."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path

from ScarSegECGLib.case import ScarResult
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import staged_folder
from ScarSegECGLib.export.dicom.source import read_source
from ScarSegECGLib.export.dicom.write import FILES as DICOM_FILES
from ScarSegECGLib.export.dicom.write import write_dicom
from ScarSegECGLib.export.images import write_nifti, write_slicer_segmentation
from ScarSegECGLib.export.result_folder import PICTURES, write_result_json
from ScarSegECGLib.report.blocks import Patient
from ScarSegECGLib.report.html import FILE_NAME, as_html
from ScarSegECGLib.report.plain import number, without_paths
from ScarSegECGLib.report.present import present
from ScarSegECGLib.report.tables import segment_cells
from ScarSegECGLib.wording import agreement_reason, described, words

FILES = (
    *PICTURES,
    *("report.html", "result.json", "segmentation.seg.nrrd", "segments.csv"),
    *("aha17.nii.gz", "labels.nii.gz", "scar_parts.nii.gz"),
    *("scar_probability.nii.gz", "scar_probability_image_only.nii.gz"),
)
DICOM_FOLDER = "dicom"


def write_result(
    result: ScarResult,
    pictures: Mapping[str, bytes],
    out: Path,
    *,
    overwrite: bool,
    patient: Patient | None = None,
    viewer: tuple[str, str] = ("", ""),
    beside: Callable[[Path], object] = lambda folder: None,
) -> Path:
    """Write everything about one result into the folder ``out``, which appears whole or not at all, and return it.

    ``pictures`` are PNG files under names of :data:`PICTURES`; "ecg.png" is absent where there is no ECG. ``overwrite``
    replaces a previous result in ``out``; other files in it stay. ``patient`` is shown in the report only when given;
    ``viewer`` (HTML, hash of its script; :func:`ScarSegECGLib.view.viewer.viewer_block`) on a screen alone. ``beside``
    is called with the folder once all of this lies in it, to add to it before it appears as ``out``.

    InputError: ``out`` cannot be used, the disk cannot take the result, or the input's axes are not perpendicular.
    """
    if unknown := set(pictures) - set(PICTURES):
        raise ValueError(f"unknown pictures: {sorted(unknown)}")
    with staged_folder(out, overwrite, (*FILES, *(f"{DICOM_FOLDER}/{name}" for name in DICOM_FILES))) as folder:
        write_nifti(result, folder)
        write_slicer_segmentation(result, folder)
        write_segments(result, folder)
        for name, png in pictures.items():
            (folder / name).write_bytes(png)
        created = datetime.now(timezone.utc)
        page = as_html(present(result, pictures, created, patient=patient), *viewer)
        (folder / FILE_NAME).write_text(page, encoding="utf-8")
        write_result_json(result, folder, created)
        beside(folder)
    return out


def write_dicom_beside(
    result: ScarResult, pictures: Mapping[str, bytes], out: Path, *, show_patient: bool = False
) -> str:
    """Write the DICOM objects of a result into a folder of their own in ``out``; why its images carry none, or ""."""
    folder = out / DICOM_FOLDER
    try:
        source = read_source(result.stack)
        folder.mkdir()
        write_dicom(result, pictures, source, folder, show_patient=show_patient)
    except InputError as error:  # the result stands without them
        shutil.rmtree(folder, ignore_errors=True)
        return str(error)
    return ""


def write_segments(result: ScarResult, folder: Path) -> None:
    """Write ``segments.csv``: one line per AHA segment in the order of the result, UTF-8, decimal point.

    The columns of :func:`~ScarSegECGLib.report.tables.segment_cells` are of the scar that ``scar_method`` names: "with
    ECG (investigational)", "image only" or "corrected by hand". ``scar_percent_of_segment`` is its volume over the
    segment's myocardium (scar included), ``..._image_only`` the same without the ECG; transmurality is per cent of the
    wall's thickness. ``transmurality_max_on_little_scar`` is "yes" where the maximum rests on less than 0.5 ml.
    ``ecg_scar_percent_of_segment`` is the estimate from the ECG alone.
    """
    lines = [
        segment_cells(row)
        | {
            "scar_percent_of_segment_image_only": number(row.scar_percent_image_only, 2),
            "ecg_scar_percent_of_segment": number(row.ecg_percent, 2),
            "ecg_agreement": str(row.agreement or ""),
            "ecg_agreement_reason": agreement_reason(row.agreement_reason),
            "scar_method": described(result.method, result.shown),
            "aha_mode": words(result.anatomy.division),
        }
        for row in result.segments
    ]
    with (folder / "segments.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(lines[0])
        writer.writerows(map(_cell, line.values()) for line in lines)


def _cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    clean = " ".join(without_paths(text).split())
    return f"'{clean}" if clean[:1] in ("=", "+", "-", "@") else clean
