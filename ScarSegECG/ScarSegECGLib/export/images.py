"""The result's images for other software: NIfTI, and a segmentation of 3D Slicer, on the input's own grid."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray
from pydicom.sr.coding import Code

from ScarSegECGLib.case import MVO, PART_MVO, RAS_LPS, LabelArray, LgeStack, ScarResult
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import write_whole
from ScarSegECGLib.export.dicom.codes import SCAR_PARTS, STRUCTURES, Structure

# Of the cosines between axes: 0.06 degrees, a tenth of a millimetre at the end of a stack. Slices whose positions are
# rounded to 0.01 mm, as some exports do, come to 3e-4 over 56 mm.
_ORTHONORMAL_TOLERANCE = 1e-3
SEGMENTATION = "segmentation.seg.nrrd"
SEGMENTS: Mapping[str, Structure] = dict(zip(("LVCavity", "Myocardium", "Scar"), STRUCTURES, strict=True))
"""By the segment's identifier in Slicer."""
_WITH_MVO = {
    **SEGMENTS,
    "Scar": replace(SEGMENTS["Scar"], name="Scar without MVO"),
    "MVO": replace(SCAR_PARTS[-1], name="MVO (belongs to the scar)"),
}


def stored(canonical: NDArray, stack: LgeStack) -> NDArray:
    """The array in the voxel order of the file the stack was read from, shape (slice, row, column) of that file.

    InputError: the stack's axes are not perpendicular, which neither NIfTI's quaternion nor Slicer's segmentations
    carry.
    """
    if canonical.shape != stack.voxels.shape:
        raise ValueError(f"array of shape {canonical.shape} on a stack of shape {stack.voxels.shape}")
    steps = stack.stored_ijk_to_ras[:3, :3]
    direction = steps / np.linalg.norm(steps, axis=0)
    if not np.allclose(direction.T @ direction, np.eye(3), atol=_ORTHONORMAL_TOLERANCE):
        raise InputError(
            "The image's axes are not perpendicular: resample it to a regular grid first (in Slicer: harden its "
            "transform, then Resample Scalar Volume)."
        )
    return stack.storage.to_stored(canonical)


def write_nifti(result: ScarResult, folder: Path) -> None:
    """Write five images with the voxel order of the input, whose matrix is their sform and their qform.

    ``labels.nii.gz`` (uint8: 0 background, 1 LV cavity, 2 myocardium without scar, 3 scar without MVO, 4 MVO, which
    belongs to the scar), ``aha17.nii.gz`` (uint8: 0 outside, 1..17 in the myocardium, scar included),
    ``scar_parts.nii.gz`` (uint8: 1 core, 2 grey zone, 3 below the grey zone's limit, 4 MVO; left out where the parts
    were not looked for), ``scar_probability.nii.gz`` and ``scar_probability_image_only.nii.gz`` (float32, 0..1, with
    and without the ECG). A left-handed input stays left-handed.

    Raises InputError as :func:`stored`, OSError where a file could not be written whole.
    """
    images: dict[str, NDArray] = {
        "labels": _labels_with_mvo(result),
        "aha17": result.anatomy.aha.astype(np.uint8),
        "scar_probability": result.scar_probability.astype(np.float32, copy=False),
        "scar_probability_image_only": result.scar_probability_image_only.astype(np.float32, copy=False),
    }
    if result.parts is not None:
        images["scar_parts"] = result.parts.labels.astype(np.uint8)
    pose = result.stack.stored_ijk_to_ras
    for name, voxels in images.items():
        image = nibabel.Nifti1Image(stored(voxels, result.stack).T, pose)
        image.set_sform(pose, 1)
        image.set_qform(pose, 1)
        image.header.set_xyzt_units("mm")
        write_whole(folder / f"{name}.nii.gz", gzip.compress(image.to_bytes(), 6, mtime=0))


def write_slicer_segmentation(result: ScarResult, folder: Path) -> None:
    """Write ``segmentation.seg.nrrd`` in LPS: LV cavity 1, myocardium without scar 2, scar 3, MVO 4.

    One layer, because the classes do not overlap; a class without a voxel is left out. The header fields are those
    that Slicer's segmentation storage node reads. All segments of a layer share the first one's extent there, so each
    is given the whole grid's. Raises as :func:`write_nifti`.
    """
    labels = stored(_labels_with_mvo(result), result.stack)
    lps = RAS_LPS @ result.stack.stored_ijk_to_ras
    columns = ["(" + ",".join(f"{value:.17g}" for value in column) + ")" for column in lps[:3].T]
    sizes = labels.shape[::-1]
    header = {
        "type: ": "uint8",
        "dimension: ": "3",
        "space: ": "left-posterior-superior",
        "sizes: ": " ".join(map(str, sizes)),
        "space directions: ": " ".join(columns[:3]),
        "kinds: ": "domain domain domain",
        "endian: ": "little",
        "encoding: ": "gzip",
        "space origin: ": columns[3],
        "Segmentation_MasterRepresentation:=": "Binary labelmap",
        "Segmentation_ContainedRepresentationNames:=": "Binary labelmap|",
        "Segmentation_ReferenceImageExtentOffset:=": "0 0 0",
    }
    segments = _WITH_MVO if np.any(labels == MVO) else SEGMENTS
    present = {identifier: one for identifier, one in segments.items() if np.any(labels == one.label)}
    for index, (identifier, segment) in enumerate(present.items()):
        fields = {
            "ID": identifier,
            "Name": segment.name,
            "NameAutoGenerated": "0",
            "Color": " ".join(f"{part:g}" for part in segment.colour),
            "ColorAutoGenerated": "0",
            "LabelValue": str(segment.label),
            "Layer": "0",
            "Extent": " ".join(f"0 {size - 1}" for size in sizes),
            "Tags": f"TerminologyEntry:{terminology(segment)}|",
        }
        header |= {f"Segment{index}_{field}:=": value for field, value in fields.items()}
    head = "NRRD0005\n" + "".join(f"{name}{value}\n" for name, value in header.items()) + "\n"
    write_whole(folder / SEGMENTATION, head.encode() + gzip.compress(labels.tobytes(), 6, mtime=0))


def terminology(structure: Structure) -> str:
    """Slicer's terminology entry: type context, category, type, modifier, region context, region, modifier."""

    def code(of: Code | None) -> str:
        return f"{of.scheme_designator}^{of.value}^{of.meaning}" if of else "^^"

    types, regions = "Segmentation category and type - DICOM master list", "Anatomic codes - DICOM master list"
    parts = (types, code(structure.category), code(structure.kind), "^^", regions, code(structure.region), "^^")
    return "~".join(parts)


def _labels_with_mvo(result: ScarResult) -> LabelArray:
    """The result's labels with MVO, where there is any, as a label of its own (4) beside the rest of the scar (3)."""
    labels = result.labels.astype(np.uint8)
    if result.parts is not None:
        labels[result.parts.labels == PART_MVO] = MVO
    return labels
