"""The module's three segments in a MRML segmentation node: written from masks, read back as masks; main thread only.

The segment "Myocardium" is the whole wall and the scar lies on it, so that erasing scar leaves no hole and painting it
takes nothing away. Other segments of the node are never touched.
"""

import numpy as np
import slicer
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from ScarSegECGLib.case import CAVITY, MYOCARDIUM, SCAR, LgeStack
from ScarSegECGPanel.masks import Masks

IDENTIFIERS = {CAVITY: "LVCavity", MYOCARDIUM: "Myocardium", SCAR: "Scar"}
FIELDS = {"cavity": IDENTIFIERS[CAVITY], "wall": IDENTIFIERS[MYOCARDIUM], "scar": IDENTIFIERS[SCAR]}


def countSegments(segmentationNode) -> int:
    """How many of the three are there."""
    segmentation = segmentationNode.GetSegmentation()
    return sum(segmentation.GetSegment(identifier) is not None for identifier in IDENTIFIERS.values())


def prepareSegments(volumeNode, segmentationNode) -> None:
    """The three segments, named, coloured and coded, on the volume's grid; new ones are empty."""
    from ScarSegECGLib.export.images import SEGMENTS, terminology

    segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    segmentationNode.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    segmentation = segmentationNode.GetSegmentation()
    for identifier, style in SEGMENTS.items():
        if not segmentation.GetSegment(identifier):
            segment = slicer.vtkSegment()
            segment.SetName(style.name)
            segment.SetColor(*style.colour)
            segment.SetTag(segment.GetTerminologyEntryTagName(), terminology(style))
            segmentation.AddSegment(segment, identifier)
    if not segmentationNode.GetDisplayNode():
        segmentationNode.CreateDefaultDisplayNodes()
        display = segmentationNode.GetDisplayNode()
        for label, opacity in ((CAVITY, 0.0), (MYOCARDIUM, 0.0), (SCAR, 0.35)):
            display.SetSegmentOpacity2DFill(IDENTIFIERS[label], opacity)
        display.SetSegmentOpacity3D(IDENTIFIERS[MYOCARDIUM], 0.3)
        display.SetSegmentVisibility3D(IDENTIFIERS[CAVITY], False)
    segmentationNode.CreateClosedSurfaceRepresentation()  # while they are empty: each is then made as it is filled


def changeSegments(masks: Masks, stack: LgeStack, segmentationNode, before: Masks | None = None) -> None:
    """Replace the segments whose mask differs from ``before``, or all without it."""
    for name in FIELDS:
        if before is None or not np.array_equal(getattr(masks, name), getattr(before, name)):
            changeSegment(name, getattr(masks, name), stack, segmentationNode)


def changeSegment(name: str, mask: np.ndarray, stack: LgeStack, segmentationNode) -> None:
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    image = orientedImage(stack.storage.to_stored(mask), stack.stored_ijk_to_ras)
    logic.SetBinaryLabelmapToSegment(image, segmentationNode, FIELDS[name], logic.MODE_REPLACE)


def readSegments(stack: LgeStack, segmentationNode) -> Masks | None:
    """The masks as they are in the scene, canonical order; None where one of the segments is gone."""
    if countSegments(segmentationNode) < len(FIELDS):
        return None
    shape = stack.storage.to_stored(np.empty(stack.voxels.shape, bool)).shape
    grid = slicer.vtkOrientedImageData()
    grid.SetExtent(0, shape[2] - 1, 0, shape[1] - 1, 0, shape[0] - 1)
    grid.SetImageToWorldMatrix(slicer.util.vtkMatrixFromArray(stack.stored_ijk_to_ras))
    place = slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage
    masks = {}
    for name, identifier in FIELDS.items():
        image, placed = slicer.vtkOrientedImageData(), slicer.vtkOrientedImageData()
        segmentationNode.GetBinaryLabelmapRepresentation(identifier, image)  # which leaves it empty where nothing is
        place(image, grid, placed, False)
        voxels = vtk_to_numpy(placed.GetPointData().GetScalars()).reshape(shape)
        masks[name] = stack.storage.to_canonical(voxels > 0)
    return Masks(**masks)


def orientedImage(mask: np.ndarray, ijkToRas: np.ndarray):
    """A mask [slice, row, column] as Slicer's image with geometry, cut to what is in it; the voxels are copied."""
    found = np.argwhere(mask) if mask.any() else np.zeros((1, mask.ndim), int)
    first, last = found.min(axis=0), found.max(axis=0)
    cut = np.ascontiguousarray(mask[tuple(map(slice, first, last + 1))], np.uint8)
    image = slicer.vtkOrientedImageData()
    image.SetExtent(*np.column_stack([first, last])[::-1].ravel().tolist())
    image.GetPointData().SetScalars(numpy_to_vtk(cut.ravel(), deep=True))
    image.SetImageToWorldMatrix(slicer.util.vtkMatrixFromArray(ijkToRas))
    return image
