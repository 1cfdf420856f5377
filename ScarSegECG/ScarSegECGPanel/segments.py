"""The module's three segments in a MRML segmentation node: written from masks, read back as masks; main thread only.

The segment "Myocardium" is the whole wall and the scar lies on it, so that erasing scar leaves no hole and painting it
takes nothing away. Other segments of the node are never touched.
"""

import numpy as np
import slicer
import vtk
import vtk.util.numpy_support

from ScarSegECGLib.case import CAVITY, MYOCARDIUM, SCAR, LgeStack
from ScarSegECGPanel.masks import Masks

IDENTIFIERS = {CAVITY: "LVCavity", MYOCARDIUM: "Myocardium", SCAR: "Scar"}


def holdsResult(segmentationNode) -> bool:
    """Whether one of this module's segments is already there."""
    segmentation = segmentationNode.GetSegmentation()
    return any(segmentation.GetSegment(identifier) for identifier in IDENTIFIERS.values())


def isWhole(segmentationNode) -> bool:
    """Whether all three are there."""
    segmentation = segmentationNode.GetSegmentation()
    return all(segmentation.GetSegment(identifier) for identifier in IDENTIFIERS.values())


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


def writeSegments(masks: Masks, stack: LgeStack, volumeNode, segmentationNode) -> None:
    """The three segments with these masks; those that are there are replaced."""
    prepareSegments(volumeNode, segmentationNode)
    changeSegments(masks, None, stack, segmentationNode)


def changeSegments(masks: Masks, before: Masks | None, stack: LgeStack, segmentationNode, only: str = "") -> None:
    """Replace the segments whose mask differs from ``before``, or all where that is None; ``only`` names one."""
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    for label, name in ((CAVITY, "cavity"), (MYOCARDIUM, "wall"), (SCAR, "scar")):
        mask = getattr(masks, name)
        if only not in ("", name) or (before is not None and np.array_equal(mask, getattr(before, name))):
            continue
        image = orientedImage(stack.storage.to_stored(mask), stack.stored_ijk_to_ras)
        logic.SetBinaryLabelmapToSegment(image, segmentationNode, IDENTIFIERS[label], logic.MODE_REPLACE)


def readSegments(stack: LgeStack, volumeNode, segmentationNode) -> Masks | None:
    """The masks as they are in the scene, canonical order; None where one of the segments is gone."""
    segmentation = segmentationNode.GetSegmentation()
    stored = {}
    shape = stack.storage.to_stored(np.empty(stack.voxels.shape, bool)).shape
    for label, identifier in IDENTIFIERS.items():
        if not segmentation.GetSegment(identifier):
            return None
        mask = _onGrid(segmentationNode, identifier, shape, stack.stored_ijk_to_ras)
        if mask is None:  # drawn on another grid: let Slicer resample it
            mask = slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, identifier, volumeNode) > 0
        stored[label] = stack.storage.to_canonical(mask)
    return Masks(stored[CAVITY], stored[MYOCARDIUM], stored[SCAR])


def _onGrid(segmentationNode, identifier: str, shape: tuple[int, ...], ijkToRas: np.ndarray) -> np.ndarray | None:
    """A segment's voxels put where they belong on the whole grid; None if its own grid is another one."""
    image = slicer.vtkOrientedImageData()
    whole = np.zeros(shape, bool)
    if not segmentationNode.GetBinaryLabelmapRepresentation(identifier, image):
        return whole
    first = np.array(image.GetExtent()[::2])
    size = np.array(image.GetDimensions())
    if size.min() <= 0 or not image.GetPointData().GetScalars():
        return whole
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    ends = first + size
    if not np.allclose(slicer.util.arrayFromVTKMatrix(matrix), ijkToRas, atol=1e-3):
        return None
    voxels = vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(size[::-1]) > 0
    low, high = np.maximum(first, 0), np.minimum(ends, shape[::-1])
    if (low >= high).any():
        return whole
    target = tuple(slice(a, b) for a, b in zip(low[::-1], high[::-1], strict=True))
    source = tuple(slice(a, b) for a, b in zip((low - first)[::-1], (high - first)[::-1], strict=True))
    whole[target] = voxels[source]
    return whole


def orientedImage(mask: np.ndarray, ijkToRas: np.ndarray):
    """A mask [slice, row, column] as Slicer's image with geometry, cut to what is in it; the voxels are copied."""
    box = _box(mask)
    cut = np.ascontiguousarray(mask[box], np.uint8)
    image = slicer.vtkOrientedImageData()
    image.SetExtent(*(edge for part in reversed(box) for edge in (part.start, part.stop - 1)))
    image.GetPointData().SetScalars(vtk.util.numpy_support.numpy_to_vtk(cut.ravel(), deep=True))
    image.SetImageToWorldMatrix(slicer.util.vtkMatrixFromArray(ijkToRas))
    return image


def _box(mask: np.ndarray) -> tuple[slice, ...]:
    """The smallest box that holds the mask; one voxel where it is empty."""
    if not mask.any():
        return (slice(0, 1),) * 3
    lines = (np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1)))
    return tuple(slice(int(line[0]), int(line[-1]) + 1) for line in lines)
