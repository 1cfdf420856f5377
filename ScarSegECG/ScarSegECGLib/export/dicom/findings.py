"""What the DICOM objects say, read from a result folder and laid on the stack it was made from."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ScarSegECGLib.case import SCAR, FloatArray, LabelArray, LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import MARKER, is_previous_result
from ScarSegECGLib.export.dicom.codes import CORE, GREY
from ScarSegECGLib.export.result_json import SCHEMA_VERSION
from ScarSegECGLib.lge.itk_image import load
from ScarSegECGLib.lge.labels import read_labels
from ScarSegECGLib.measure.contours import MVO, contours_of
from ScarSegECGLib.measure.grey_zone import grey_zone
from ScarSegECGLib.measure.mvo import fill_mvo

PICTURES = ("bullseye.png", "ecg.png", "montage.png")
_LARGEST_PICTURE_BYTES = 64 * 2**20
_SAME_VOLUME = 0.005
_DAMAGED = "The result folder is incomplete or damaged: segment the case again."


@dataclass(frozen=True)
class ScarParts:
    """The scar split by brightness, disjoint.

    ``labels`` is uint8, shape (slice, row, column): 1 core, 2 grey zone, 4 MVO, 0 elsewhere; scar voxels darker than
    the grey zone's lower limit have none. ``method`` is the rule as printed.
    """

    labels: LabelArray
    method: str


@dataclass(frozen=True)
class Findings:
    """One result in the canonical storage of its stack.

    Attributes
    ----------
    stack : LgeStack
    labels, aha : uint8 arrays, shape (slice, row, column)
        1 LV cavity, 2 myocardium without scar, 3 scar (MVO in); AHA segments 1..17.
    probability, probability_image_only : float32 arrays, same shape
        Of scar, 0..1, with and without the ECG.
    parts : ScarParts or None
        ``None`` where there is no scar, or where core and grey zone cannot be told (unknown contrast, no remote
        myocardium).
    content : dict
        ``result.json``.
    pictures : dict of str to bytes
        PNG files of :data:`PICTURES` that are there.
    warnings : tuple of str
        What the user should know about the fit between result and images.
    """

    stack: LgeStack
    labels: LabelArray
    aha: LabelArray
    probability: FloatArray
    probability_image_only: FloatArray
    parts: ScarParts | None
    content: dict[str, Any]
    pictures: dict[str, bytes] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def ecg_counts(self) -> bool:
        """Whether the ECG had any part in the result."""
        return self.content["ecg"]["present"] and bool(self.content["ecg"]["amplitude"])


def read_findings(folder: Path, stack: LgeStack) -> Findings:
    """Read a result folder that was made from ``stack``.

    Parameters
    ----------
    folder : Path
        What ``scarsegecg segment`` wrote.
    stack : LgeStack
        The images, read from DICOM.

    Raises
    ------
    InputError
        Not a result folder, a damaged one, or one made from other images.
    """
    if not is_previous_result(folder):
        raise InputError(f"The folder holds no result ({MARKER}): give a folder that scarsegecg segment wrote.")
    content = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    if content.get("schema_version") != SCHEMA_VERSION:
        raise InputError("The result was written by another version of ScarSegECG: segment the case again.")
    try:
        if not content["geometry"]["orientation_known"]:
            raise InputError(
                "The result was made from an image without orientation, so it cannot be placed in the patient: "
                "segment the DICOM series itself."
            )
        same_input = content["inputs"]["lge_sha256"] == stack.sha256.lower()
        contrast = content["geometry"]["contrast"]
        said_ml = float(content["scar"]["with_ecg"]["ml"])
        _ = (content["ecg"]["present"], content["ecg"]["amplitude"], content["segments"])
        labels = _labels(folder / "labels.nii.gz", stack)
        aha = _labels(folder / "aha17.nii.gz", stack)
        probability, image_only = (
            _probability(folder / name, stack)
            for name in ("scar_probability.nii.gz", "scar_probability_image_only.nii.gz")
        )
        pictures = {name: _picture(folder / name) for name in PICTURES if (folder / name).is_file()}
    except (KeyError, TypeError, OSError):
        raise InputError(_DAMAGED) from None
    if labels.max(initial=0) > MVO or aha.max(initial=0) > 17:
        raise InputError(_DAMAGED)
    if abs(float((labels >= SCAR).sum()) * stack.voxel_ml - said_ml) > _SAME_VOLUME * max(said_ml, 1.0):
        raise InputError(
            "The label image and the numbers of the result do not fit each other; was one of them edited? Segment the "
            "case again, or measure the edited labels."
        )
    warnings: tuple[str, ...] = ()
    if not same_input:
        warnings = (
            "The result was made from another file than these images; both lie on the same grid. Make sure that they "
            "are the same patient's.",
        )
    return Findings(
        stack=stack,
        labels=np.minimum(labels, SCAR),
        aha=aha,
        probability=probability,
        probability_image_only=image_only,
        parts=scar_parts(stack, labels, contrast),
        content=content,
        pictures=pictures,
        warnings=warnings,
    )


def scar_parts(stack: LgeStack, labels: LabelArray, contrast: str) -> ScarParts | None:
    """Split the scar into core, grey zone and MVO; ``None`` where that cannot be done.

    MVO is what the labels call so (4), and scar voxels darker than the grey zone's limit that bright scar encloses,
    alone or together with the cavity.
    """
    scar = labels >= SCAR
    if contrast not in ("magnitude", "psir") or not scar.any():
        return None
    cavity, wall = contours_of(labels)
    kind = "psir" if contrast == "psir" else "magnitude"
    try:
        zones = grey_zone(stack.voxels, cavity, wall, stack.spacing, scar=scar, contrast=kind)  # type: ignore[arg-type]
    except InputError:
        return None
    enclosed = fill_mvo(zones.core | zones.grey, wall, cavity, stack.spacing)[1]
    mvo = (labels == MVO) | (enclosed & scar)
    parts = np.zeros(labels.shape, np.uint8)
    parts[zones.core], parts[zones.grey], parts[mvo] = CORE, GREY, MVO
    return ScarParts(parts, f"{zones.method}; remote: {zones.remote}; MVO: dark scar enclosed by bright scar")


def _labels(path: Path, stack: LgeStack) -> LabelArray:
    if not path.is_file():
        raise InputError(_DAMAGED)
    return read_labels(path, stack)


def _probability(path: Path, stack: LgeStack) -> FloatArray:
    if not path.is_file():
        raise InputError(_DAMAGED)

    def same_grid(shape: tuple[int, ...]) -> None:
        if shape != stack.storage.to_stored(stack.voxels).shape:
            raise InputError(_DAMAGED)

    voxels = load(path, same_grid)[0]
    return stack.storage.to_canonical(voxels.astype(np.float32))


def _picture(path: Path) -> bytes:
    if path.stat().st_size > _LARGEST_PICTURE_BYTES:
        raise InputError(_DAMAGED)
    return path.read_bytes()
