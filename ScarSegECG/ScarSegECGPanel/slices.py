"""The slice views: where they stand in the stack, how they are turned, and where the mouse is in them."""

from collections.abc import Callable
from functools import partial

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
    row, column, index = np.rint(fromWorld(volumeNode, stack, world)).astype(int).tolist()
    voxel = (index, row, column)
    return voxel if all(0 <= at < size for at, size in zip(voxel, stack.voxels.shape, strict=True)) else None


def turnToShortAxis(volumeNode, stack: LgeStack) -> None:
    """Anterior up, right ventricle on the left, in the main view."""
    node = sliceNode()
    if node is None:
        return
    origin = toWorld(volumeNode, stack, 0, 0, 0)
    right = unit(toWorld(volumeNode, stack, 0, 1, 0) - origin)
    up = unit(origin - toWorld(volumeNode, stack, 1, 0, 0))
    middle = _middle(volumeNode, stack, stack.voxels.shape[0] // 2)
    node.SetSliceToRASByNTP(*np.cross(right, up), *right, *middle, 0)


def currentSlice(volumeNode, stack: LgeStack) -> int:
    """Index, from the apex, of the slice that the main view shows."""
    node = sliceNode()
    if node is None:
        return stack.voxels.shape[0] // 2
    return _within(stack, round(float(_shown(node, volumeNode, stack)[2])))


def goTo(volumeNode, stack: LgeStack, index: int) -> None:
    """Show that slice in the main view; the view keeps its place and zoom."""
    node, index = sliceNode(), _within(stack, index)
    if node is None:
        return
    row, column, _k = _shown(node, volumeNode, stack)
    node.JumpSliceByOffsetting(*toWorld(volumeNode, stack, row, column, index))
    if currentSlice(volumeNode, stack) != index:  # the view is not turned along the stack
        node.JumpSliceByCentering(*_middle(volumeNode, stack, index))


def _shown(node, volumeNode, stack: LgeStack) -> np.ndarray:
    """(row, column, slice) in the middle of the view."""
    return fromWorld(volumeNode, stack, slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())[:3, 3])


def _middle(volumeNode, stack: LgeStack, index: int) -> np.ndarray:
    _slices, rows, columns = stack.voxels.shape
    return toWorld(volumeNode, stack, (rows - 1) / 2, (columns - 1) / 2, index)


def _within(stack: LgeStack, index: int) -> int:
    return min(max(index, 0), stack.voxels.shape[0] - 1)


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def cursor() -> list[float] | None:
    """Where the mouse is in a slice view, RAS mm, which every slice view tells the crosshair."""
    crosshair, place = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode"), [0.0, 0.0, 0.0]
    return place if crosshair and crosshair.GetCursorPositionRAS(place) else None


class Clicks:
    """What the left button does in the slice views while it is heard; slots get the view's name, caller and event."""

    def __init__(self, priority: float, onPress: Callable, onRelease: Callable = lambda *_heard: None) -> None:
        self._priority = priority
        self._slots = {"LeftButtonPressEvent": onPress, "LeftButtonReleaseEvent": onRelease}
        self._tags: list[tuple] = []  # interactor and tag

    def hear(self, on: bool) -> None:
        manager = slicer.app.layoutManager()
        if on == bool(self._tags) or manager is None:
            return
        for interactor, tag in self._tags:
            interactor.RemoveObserver(tag)
        self._tags = []
        for name in VIEWS if on else ():
            widget = manager.sliceWidget(name)
            interactor = widget.sliceView().interactor() if widget else None
            for event, slot in self._slots.items() if interactor else ():
                self._tags.append((interactor, interactor.AddObserver(event, partial(slot, name), self._priority)))
