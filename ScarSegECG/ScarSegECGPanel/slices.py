"""Where the slice views stand in the stack, and how they are turned: as the reader knows the short axis."""

import numpy as np
import slicer

from ScarSegECGLib.case import LgeStack

MAIN_VIEW = "Red"
VIEWS = ("Red", "Yellow", "Green")


def sliceNode(name: str = MAIN_VIEW):
    """The view's node, None where there are no views."""
    return slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceNode{name}")


def toWorld(volumeNode, stack: LgeStack, row: float, column: float, index: float) -> np.ndarray:
    """World position of a place in the canonical stack, RAS mm, also under a transform."""
    local = stack.ijk_to_ras @ np.array([column, row, index, 1.0])
    world = [0.0, 0.0, 0.0]
    volumeNode.TransformPointToWorld(local[:3].tolist(), world)
    return np.array(world)


def fromWorld(volumeNode, stack: LgeStack, world) -> np.ndarray:
    """(row, column, slice) in the canonical stack, not rounded."""
    local = [0.0, 0.0, 0.0]
    volumeNode.TransformPointFromWorld(list(world), local)
    column, row, index, _one = np.linalg.solve(stack.ijk_to_ras, np.array([*local, 1.0]))
    return np.array([row, column, index])


def voxelAt(volumeNode, stack: LgeStack, world) -> tuple[int, int, int] | None:
    """(slice, row, column) of a world position; None outside the stack."""
    row, column, index = np.rint(fromWorld(volumeNode, stack, world)).astype(int)
    voxel = (int(index), int(row), int(column))
    inside = all(0 <= at < size for at, size in zip(voxel, stack.voxels.shape, strict=True))
    return voxel if inside else None


def turnToShortAxis(volumeNode, stack: LgeStack) -> None:
    """Anterior up, right ventricle on the left, in the main view."""
    node = sliceNode()
    if node is None:
        return
    origin = toWorld(volumeNode, stack, 0, 0, 0)
    right = _unit(toWorld(volumeNode, stack, 0, 1, 0) - origin)
    up = _unit(origin - toWorld(volumeNode, stack, 1, 0, 0))
    normal = np.cross(right, up)
    slices, rows, columns = stack.voxels.shape
    middle = toWorld(volumeNode, stack, (rows - 1) / 2, (columns - 1) / 2, slices // 2)
    node.SetSliceToRASByNTP(*normal, *right, *middle, 0)


def currentSlice(volumeNode, stack: LgeStack) -> int:
    """Index, from the apex, of the slice that the main view shows."""
    node = sliceNode()
    if node is None:
        return stack.voxels.shape[0] // 2
    matrix = slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())
    index = int(round(float(fromWorld(volumeNode, stack, matrix[:3, 3])[2])))
    return min(max(index, 0), stack.voxels.shape[0] - 1)


def goTo(volumeNode, stack: LgeStack, index: int) -> None:
    """Show that slice in the main view; the view keeps its place and zoom."""
    node = sliceNode()
    if node is None:
        return
    index = min(max(index, 0), stack.voxels.shape[0] - 1)
    matrix = slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())
    row, column, _k = fromWorld(volumeNode, stack, matrix[:3, 3])
    node.JumpSliceByOffsetting(*toWorld(volumeNode, stack, row, column, index))
    if currentSlice(volumeNode, stack) != index:  # the view is not turned along the stack
        _slices, rows, columns = stack.voxels.shape
        node.JumpSliceByCentering(*toWorld(volumeNode, stack, (rows - 1) / 2, (columns - 1) / 2, index))


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
