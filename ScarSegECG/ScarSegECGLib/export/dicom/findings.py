"""What the DICOM objects say, read from a result folder and laid on the stack it was made from."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ScarSegECGLib.case import MVO, PART_MVO, SCAR, FloatArray, LabelArray, LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import MARKER, is_previous_result
from ScarSegECGLib.export.dicom import codes
from ScarSegECGLib.export.result_json import SCHEMA_VERSION, parts_json, result_schema
from ScarSegECGLib.export.schema_check import fits
from ScarSegECGLib.facts import Contrast, Shown
from ScarSegECGLib.lge.labels import read_labels
from ScarSegECGLib.lge.read import read_volume
from ScarSegECGLib.measure.measurements import contours_of
from ScarSegECGLib.measure.parts import scar_parts
from ScarSegECGLib.wording import words

PICTURES = ("bullseye.png", "ecg.png", "montage.png")
_LARGEST_PICTURE_BYTES = 64 * 2**20
_SAME_VOLUME = 0.005
_READABLE = ("1.1", SCHEMA_VERSION)
_DO_NOT_FIT = (
    "The label images and the numbers of the result do not fit each other; was one of them edited? Segment the case "
    "again, or measure the edited labels."
)
_DAMAGED = "The result folder is incomplete or damaged: segment the case again."


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
    parts : uint8 array, same shape, or None
        1 core, 2 grey zone, 3 below the grey zone's limit, 4 MVO, 0 elsewhere; ``None`` where nobody looked.
    content : dict
        ``result.json``; what an older one lacks is filled in.
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
    parts: LabelArray | None
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
    if content.get("schema_version") not in _READABLE:
        raise InputError("The result was written by another version of ScarSegECG: segment the case again.")
    content = _complete(content)
    try:
        if not content["geometry"]["orientation_known"]:
            raise InputError(
                "The result was made from an image without orientation, so it cannot be placed in the patient: "
                "segment the DICOM series itself."
            )
        same_input = content["inputs"]["lge_sha256"] == stack.sha256.lower()
        labels = _labels(folder / "labels.nii.gz", stack)
        aha = _labels(folder / "aha17.nii.gz", stack)
        probability, image_only = (
            _probability(folder / name, stack)
            for name in ("scar_probability.nii.gz", "scar_probability_image_only.nii.gz")
        )
        pictures = {name: _picture(folder / name) for name in PICTURES if (folder / name).is_file()}
        if labels.max(initial=0) > MVO or aha.max(initial=0) > 17:
            raise InputError(_DAMAGED)
        if not _same_ml(float((labels >= SCAR).sum()) * stack.voxel_ml, content["scar"]["with_ecg"]):
            raise InputError(_DO_NOT_FIT)
        parts = _parts(folder, content, stack, labels)
    except OSError:
        raise InputError(_DAMAGED) from None
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
        parts=parts,
        content=content,
        pictures=pictures,
        warnings=warnings,
    )


def _complete(content: dict[str, Any]) -> dict[str, Any]:
    """The content, what an older one lacks filled in; it is as :func:`result_schema` says.

    Raises
    ------
    InputError
        It is not.
    """
    if content["schema_version"] != SCHEMA_VERSION:
        try:
            content = _filled(content)
        except (KeyError, TypeError, ValueError, OverflowError):
            raise InputError(_DAMAGED) from None
    if not fits(content | {"schema_version": SCHEMA_VERSION}, result_schema()):
        raise InputError(_DAMAGED)
    return content


def _filled(content: dict[str, Any]) -> dict[str, Any]:
    """What was written before parts, territories and patterns were kept, with a place for them."""
    said, heard = content["method"]["scar"], bool(content["ecg"]["amplitude"])
    which = Shown.WITH_ECG if heard and said.startswith("network") and "image only" not in said else Shown.IMAGE_ONLY
    which = Shown.BY_HAND if words(Shown.BY_HAND) in said else which
    since = dict.fromkeys(("mvo_ml", "core_ml", "grey_zone_ml", "below_grey_zone_ml"))
    return content | {
        "method": {"scar_shown": words(which)} | content["method"],
        "scar": {"mvo": None} | content["scar"] | {"parts": None, "remark": None},
        "segments": [row | since | {"transmurality_max_on_little_scar": False} for row in content["segments"]],
        "territories": [],
        "patterns": [],
    }


def _parts(folder: Path, content: dict[str, Any], stack: LgeStack, labels: LabelArray) -> LabelArray | None:
    """The scar's parts as the folder holds them; of one written before they were kept, measured now, numbers too."""
    if content["schema_version"] == SCHEMA_VERSION:
        if content["scar"]["parts"] is None:
            return None
        kept = _labels(folder / "scar_parts.nii.gz", stack)
        said = (content["scar"]["parts"][part.key] for part in codes.SCAR_PARTS)
        found = (float((kept == part.label).sum()) * stack.voxel_ml for part in codes.SCAR_PARTS)
        same_mvo = np.array_equal(kept == PART_MVO, labels == MVO)
        same_ml = all(_same_ml(ml, burden) for ml, burden in zip(found, said, strict=True))
        if (kept > 0)[labels < SCAR].any() or not (same_mvo and same_ml):
            raise InputError(_DO_NOT_FIT)
        return kept
    contrast = content["geometry"]["contrast"]
    cavity, wall = contours_of(labels)
    as_said = replace(stack, contrast=Contrast(contrast) if contrast in tuple(Contrast) else Contrast.UNKNOWN)
    measured = scar_parts(as_said, cavity, wall, labels >= SCAR, mvo=labels == MVO)
    parts = parts_json(measured)
    content["scar"] |= {"parts": parts, "mvo": content["scar"]["mvo"] or parts["mvo"]}
    return measured.labels


def _same_ml(ml: float, burden: dict[str, Any] | None) -> bool:
    said = float(burden["ml"] or 0.0) if burden is not None else 0.0
    return abs(ml - said) <= _SAME_VOLUME * max(said, 1.0)


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

    voxels = read_volume(path, same_grid).voxels
    return stack.storage.to_canonical(voxels.astype(np.float32))


def _picture(path: Path) -> bytes:
    if path.stat().st_size > _LARGEST_PICTURE_BYTES:
        raise InputError(_DAMAGED)
    return path.read_bytes()
