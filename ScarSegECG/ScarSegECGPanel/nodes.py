"""MRML nodes as the library's arrays, and the library's results as MRML nodes; main thread only."""

from datetime import datetime

import numpy as np
import slicer
import vtk
import vtk.util.numpy_support
from slicer.i18n import tr as _

from ScarSegECGLib.case import LgeStack, ScarResult


def mriDateFromDicom(volumeNode) -> str:
    """Acquisition date, "YYYY-MM-DD"; "" where there is none or the study's dates were removed or changed."""
    uids = (volumeNode.GetAttribute("DICOM.instanceUIDs") or "").split()
    database = slicer.app.dicomDatabase() if uids else None
    if not database or not database.isOpen:
        return ""
    if database.instanceValue(uids[0], "0028,0303") in ("REMOVED", "MODIFIED"):
        return ""
    value = database.instanceValue(uids[0], "0008,0022") or database.instanceValue(uids[0], "0008,0021")
    try:
        return datetime.strptime(value, "%Y%m%d").strftime("%Y-%m-%d")
    except ValueError:
        return ""


def stackFromVolume(volumeNode, acquired: datetime | None = None) -> LgeStack:
    """The node's voxels and geometry as the library has them; a copy, so a worker may keep it.

    Raises
    ------
    InputError
        The volume is no LGE short-axis stack that can be used.
    """
    from ScarSegECGLib.lge.checks import check_stack
    from ScarSegECGLib.lge.orientation import canonical

    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    voxels = np.array(slicer.util.arrayFromVolume(volumeNode), dtype=np.float32)
    return check_stack(canonical(voxels, slicer.util.arrayFromVTKMatrix(matrix), acquired=acquired))


def holdsResult(segmentationNode) -> bool:
    """Whether one of this module's segments is already there."""
    from ScarSegECGLib.export.slicer_seg import SEGMENTS

    segmentation = segmentationNode.GetSegmentation()
    return any(segmentation.GetSegment(style.identifier) for style in SEGMENTS)


def writeSegmentation(result: ScarResult, volumeNode, segmentationNode) -> None:
    """Three named, coloured, coded segments on the volume's own grid; other segments of the node stay."""
    from ScarSegECGLib.export.slicer_seg import SEGMENTS

    stored = result.stack.storage.to_stored(result.labels)
    segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    segmentationNode.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    segmentation = segmentationNode.GetSegmentation()
    for style in SEGMENTS:
        if segmentation.GetSegment(style.identifier):
            segmentation.RemoveSegment(style.identifier)
        segment = slicer.vtkSegment()
        segment.SetName(style.name)
        segment.SetColor(*style.colour)
        segment.SetTag(segment.GetTerminologyEntryTagName(), style.terminology())
        segment.AddRepresentation(
            slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName(),
            orientedImage(stored == style.label, result.stack.stored_ijk_to_ras),
        )
        segmentation.AddSegment(segment, style.identifier)
    segmentation.CollapseBinaryLabelmaps(False)
    segmentationNode.CreateDefaultDisplayNodes()


def writeTable(result: ScarResult, tableNode) -> None:
    """One row per AHA segment; an empty cell is "not imaged" or "not known"."""
    from ScarSegECGLib.export.text import number

    rows = result.segments
    columns = {
        _("Segment"): [str(row.number) for row in rows],
        _("Name"): [row.name for row in rows],
        _("Usual territory"): [row.territory for row in rows],
        _("Scar %"): [number(row.scar_percent, 1) for row in rows],
        _("Scar %, image only"): [number(row.scar_percent_image_only, 1) for row in rows],
        _("Scar ml"): [number(row.scar_ml, 2) if row.imaged else "" for row in rows],
        _("Transmurality %, mean"): [number(row.transmurality_mean_percent, 0) for row in rows],
        _("Transmurality %, max"): [number(row.transmurality_max_percent, 0) for row in rows],
        _("ECG: scar %"): [number(row.ecg_percent, 1) for row in rows],
        _("ECG against image"): [row.agreement or "" for row in rows],
        _("Reason"): [row.agreement_reason for row in rows],
    }
    tableNode.RemoveAllColumns()
    for title, values in columns.items():
        column = vtk.vtkStringArray()
        column.SetName(title)
        for value in values:
            column.InsertNextValue(value)
        tableNode.AddColumn(column)
    tableNode.SetAttribute("ScarSegECG.method", result.method)


def orientedImage(mask: np.ndarray, ijkToRas: np.ndarray):
    """A mask [slice, row, column] as Slicer's image with geometry; the voxels are copied."""
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(*reversed(mask.shape))
    scalars = vtk.util.numpy_support.numpy_to_vtk(mask.astype(np.uint8).ravel(), deep=True)
    image.GetPointData().SetScalars(scalars)
    image.SetImageToWorldMatrix(slicer.util.vtkMatrixFromArray(ijkToRas))
    return image
