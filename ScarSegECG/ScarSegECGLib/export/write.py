"""All files of one result, in one folder that appears whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path

from ScarSegECGLib.case import ScarResult
from ScarSegECGLib.export.atomic import staged_folder
from ScarSegECGLib.export.dicom.write import FILES as DICOM_FILES
from ScarSegECGLib.export.nifti import write_nifti
from ScarSegECGLib.export.result_json import write_result_json
from ScarSegECGLib.export.slicer_seg import write_slicer_segmentation
from ScarSegECGLib.export.tables import write_segments
from ScarSegECGLib.report.blocks import Patient
from ScarSegECGLib.report.html import FILE_NAME, as_html
from ScarSegECGLib.report.present import present

PICTURES = ("bullseye.png", "ecg.png", "montage.png", "transmurality.png")
FILES = (
    *PICTURES,
    "aha17.nii.gz",
    "labels.nii.gz",
    "report.html",
    "result.json",
    "scar_parts.nii.gz",
    "scar_probability.nii.gz",
    "scar_probability_image_only.nii.gz",
    "segmentation.seg.nrrd",
    "segments.csv",
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
    """Write everything about one result into the folder ``out``.

    The folder holds ``report.html``, ``result.json``, ``segments.csv``, ``segmentation.seg.nrrd``, the NIfTI
    images of :func:`~ScarSegECGLib.export.nifti.write_nifti`, and the pictures.

    Parameters
    ----------
    result : ScarResult
    pictures : mapping of str to bytes
        PNG files under names of :data:`PICTURES`; "ecg.png" is absent where there is no ECG.
    out : Path
        The folder to make; nothing in it changes unless all could be written.
    overwrite : bool
        Replace a previous result in ``out``; other files in it stay.
    patient : Patient, optional
        Shown in the report only when given.
    viewer : (HTML, hash of its script)
        What the report shows on a screen alone; :func:`ScarSegECGLib.view.viewer.viewer_block` makes it.
    beside : callable
        Called with the folder once all of this lies in it, to add to it before it appears as ``out``.

    Returns
    -------
    Path
        ``out``.

    Raises
    ------
    InputError
        ``out`` cannot be used, the disk cannot take the result, or the input's axes are not perpendicular.
    """
    unknown = set(pictures) - set(PICTURES)
    if unknown:
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
