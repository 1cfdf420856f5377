"""MRML nodes as the library's arrays, the library's results as MRML nodes, and the slice views; main thread only.

Of the module's three segments "Myocardium" is the whole wall and the scar lies on it, so that erasing scar leaves no
hole and painting it takes nothing away. Other segments of the node are never touched.
"""

from collections.abc import Callable
from datetime import datetime

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from ScarSegECGLib.case import CAVITY, MYOCARDIUM, SCAR, LgeStack, ScarResult
from ScarSegECGLib.facts import Contrast
from ScarSegECGLib.wording import agreement_reason, words
from ScarSegECGPanel.masks import Masks

CONTRASTS = {"Automatic": None, "Magnitude": Contrast.MAGNITUDE, "PSIR": Contrast.PSIR}
IDENTIFIERS = {CAVITY: "LVCavity", MYOCARDIUM: "Myocardium", SCAR: "Scar"}
FIELDS = dict(zip(("cavity", "wall", "scar"), IDENTIFIERS.values(), strict=True))  # of Masks
MAIN_VIEW = "Red"
VIEWS = (MAIN_VIEW, "Yellow", "Green")


def voxelsAndMatrix(volumeNode) -> tuple[np.ndarray, np.ndarray]:
    """A copy of the node's voxels, and its matrix to RAS."""
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    voxels = np.array(slicer.util.arrayFromVolume(volumeNode), dtype=np.float32)
    return voxels, slicer.util.arrayFromVTKMatrix(matrix)


def brighten(volumeNode) -> None:
    """Window and level as LGE is read, from all but the extremes of its values; what somebody has set stays."""
    if not volumeNode.GetDisplayNode():
        volumeNode.CreateDefaultDisplayNodes()
    display = volumeNode.GetDisplayNode()
    if display.GetAutoWindowLevel():
        low, high = np.percentile(slicer.util.arrayFromVolume(volumeNode), (1, 99.5))
        display.SetAutoWindowLevel(False)
        display.SetWindowLevelMinMax(float(low), float(max(high, low + 1e-6)))


def stackReader(volumeNode) -> Callable[..., LgeStack]:
    """Copy the node's voxels and geometry now; what is returned makes the library's stack of them, in any thread.

    It takes date and contrast (None: what the values say); InputError where it is no short-axis stack.
    """
    voxels, ijkToRas = voxelsAndMatrix(volumeNode)

    def read(acquired: datetime | None = None, contrast: Contrast | None = None) -> LgeStack:
        from ScarSegECGLib.lge.checks import check_stack
        from ScarSegECGLib.lge.orientation import canonical
        from ScarSegECGLib.lge.read import contrast_of_values

        known = contrast or contrast_of_values(voxels)
        return check_stack(canonical(voxels, ijkToRas, acquired=acquired, contrast=known))

    return read


def writeTable(result: ScarResult, tableNode) -> None:
    """One row per AHA segment, empty where not imaged or not known; the view keeps its column widths and its place."""
    from ScarSegECGLib.report.numbers import number

    rows = result.segments
    columns = {
        _("Segment"): [str(row.number) for row in rows],
        _("Scar %"): [number(row.scar_percent, 1) for row in rows],
        _("ECG: scar %"): [number(row.ecg_percent, 1) for row in rows],
        _("ECG against image"): [words(row.agreement, _) for row in rows],
        _("Scar %, image only"): [number(row.scar_percent_image_only, 1) for row in rows],
        _("Scar ml"): [number(row.scar_ml, 2) if row.imaged else "" for row in rows],
        _("Transmurality %, mean"): [number(row.transmurality_mean_percent, 0) for row in rows],
        _("Transmurality %, max"): [number(row.transmurality_max_percent, 0) for row in rows],
        _("Name"): [row.name for row in rows],
        _("Usual territory"): [row.territory for row in rows],
        _("Reason"): [agreement_reason(row.agreement_reason, _) for row in rows],
    }
    wasModified = tableNode.StartModify()
    titles = [tableNode.GetColumnName(i) for i in range(tableNode.GetNumberOfColumns())]
    if titles != list(columns) or tableNode.GetNumberOfRows() != len(rows):
        tableNode.RemoveAllColumns()
        for title in columns:
            tableNode.AddColumn().SetName(title)
            tableNode.SetColumnTitle(title, title)
        for _row in rows:
            tableNode.AddEmptyRow()
    for column, values in enumerate(columns.values()):
        for row, value in enumerate(values):
            if tableNode.GetCellText(row, column) != value:
                tableNode.SetCellText(row, column, value)
    tableNode.SetUseColumnTitleAsColumnHeader(True)  # else the titles are a row under "A, B, C"
    tableNode.SetLocked(True)
    tableNode.SetAttribute("ScarSegECG.method", words(result.method))
    tableNode.EndModify(wasModified)


def volumeLike(volumeNode, voxels: np.ndarray, name: str, node=None):
    """A volume of other values on the same grid; ``node`` is reused if given."""
    if node is None:
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.CopyOrientation(volumeNode)
    node.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    slicer.util.updateVolumeFromArray(node, voxels)
    if not node.GetDisplayNode():
        node.CreateDefaultDisplayNodes()
    return node


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


# Places and slice views


def sliceNode():
    """The main view's node, None where there are no views."""
    return slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceNode{MAIN_VIEW}")


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def cursor() -> tuple[list[float] | None, object]:
    """Where the mouse is in a slice view, RAS mm, and that view's node; every slice view tells the crosshair."""
    crosshair, place = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode"), [0.0, 0.0, 0.0]
    if not crosshair or not crosshair.GetCursorPositionRAS(place):
        return None, None
    return place, crosshair.GetCursorPositionXYZ([0.0, 0.0, 0.0]) or sliceNode()


class Grid:
    """A stack's voxels as its volume node lies in the world: (row, column, slice), not rounded, and RAS mm."""

    def __init__(self, volumeNode, stack: LgeStack) -> None:
        self.volumeNode, self.stack = volumeNode, stack

    def toWorld(self, row: float, column: float, index: float) -> np.ndarray:
        local, world = self.stack.ijk_to_ras @ np.array([column, row, index, 1.0]), [0.0, 0.0, 0.0]
        self.volumeNode.TransformPointToWorld(local[:3].tolist(), world)
        return np.array(world)

    def fromWorld(self, world) -> np.ndarray:
        local = [0.0, 0.0, 0.0]
        self.volumeNode.TransformPointFromWorld(list(world), local)
        column, row, index, _one = np.linalg.solve(self.stack.ijk_to_ras, np.array([*local, 1.0]))
        return np.array([row, column, index])

    def voxelAt(self, world) -> tuple[int, int, int] | None:
        """(slice, row, column); None outside the stack."""
        row, column, index = np.rint(self.fromWorld(world)).astype(int).tolist()
        voxel = (index, row, column)
        return voxel if all(0 <= at < size for at, size in zip(voxel, self.stack.voxels.shape, strict=True)) else None

    def turnToShortAxis(self) -> None:
        """Anterior up, right ventricle on the left, in the main view."""
        node, origin = sliceNode(), self.toWorld(0, 0, 0)
        if node is not None:
            right, up = unit(self.toWorld(0, 1, 0) - origin), unit(origin - self.toWorld(1, 0, 0))
            middle = self._middle(len(self.stack.voxels) // 2)
            node.SetSliceToRASByNTP(*np.cross(right, up), *right, *middle, 0)

    def currentSlice(self) -> int:
        """Index, from the apex, of the slice that the main view shows."""
        node = sliceNode()
        return len(self.stack.voxels) // 2 if node is None else self._within(round(float(self._shown(node)[2])))

    def goTo(self, index: int) -> None:
        """Show that slice in the main view; the view keeps its place and zoom."""
        node, index = sliceNode(), self._within(index)
        if node is None:
            return
        row, column, _k = self._shown(node)
        node.JumpSliceByOffsetting(*self.toWorld(row, column, index))
        if self.currentSlice() != index:  # the view is not turned along the stack
            node.JumpSliceByCentering(*self._middle(index))

    def _shown(self, node) -> np.ndarray:
        """(row, column, slice) in the middle of the view."""
        return self.fromWorld(slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())[:3, 3])

    def _middle(self, index: int) -> np.ndarray:
        _slices, rows, columns = self.stack.voxels.shape
        return self.toWorld((rows - 1) / 2, (columns - 1) / 2, index)

    def _within(self, index: int) -> int:
        return min(max(index, 0), len(self.stack.voxels) - 1)
