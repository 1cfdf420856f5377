"""RV insertion points as markups: two per slice, A anterior and I inferior, on the epicardium."""

import numpy as np
import slicer

from ScarSegECGLib.case import Anatomy, LgeStack
from ScarSegECGPanel.slices import fromWorld, sliceNode, toWorld

NAMES = ("A", "I")
OUTSIDE_MM = 2.0
HALF_WIDTH_DEG = 6.0
NEAR_PIXELS = 10


def placePoints(node, volumeNode, stack: LgeStack, anatomy: Anatomy) -> None:
    """Replace the node's points by those of the anatomy."""
    wasModified = node.StartModify()
    node.RemoveAllControlPoints()
    for index, angles in enumerate(anatomy.insertions_deg):
        for name, angle in zip(NAMES, angles, strict=True):
            if np.isfinite(angle):
                row, column = _onEpicardium(stack, anatomy, index, float(angle))
                node.AddControlPoint(toWorld(volumeNode, stack, row, column, index).tolist(), f"{name}{index + 1}")
    node.EndModify(wasModified)


def anglesOf(node, volumeNode, stack: LgeStack, anatomy: Anatomy) -> np.ndarray:
    """Angles [slice, 2] of the points in the bullseye's frame, degrees; NaN where there is none."""
    angles = np.full(anatomy.insertions_deg.shape, np.nan)
    for point in range(node.GetNumberOfControlPoints()):
        label, world = node.GetNthControlPointLabel(point), [0.0, 0.0, 0.0]
        node.GetNthControlPointPositionWorld(point, world)
        if label[:1] not in NAMES or not label[1:].isdigit() or not 0 < int(label[1:]) <= len(angles):
            continue
        index = int(label[1:]) - 1
        row, column, _index = fromWorld(volumeNode, stack, world)
        down, right = np.array([row, column]) * stack.spacing[1:] - anatomy.centres_mm[index]
        angles[index, NAMES.index(label[0])] = np.degrees(np.arctan2(-down, right)) % 360.0
    return angles


def nearPoint(node, viewName: str) -> bool:
    """Whether the cursor is on one of the points, as near as a press takes hold of it."""
    cursor, point = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
    crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    view = sliceNode(viewName)
    if not crosshair or not view or not crosshair.GetCursorPositionRAS(cursor):
        return False
    mm = view.GetFieldOfView()[0] / max(view.GetDimensions()[0], 1)
    for index in range(node.GetNumberOfControlPoints()):
        node.GetNthControlPointPositionWorld(index, point)
        if np.linalg.norm(np.subtract(point, cursor)) < NEAR_PIXELS * mm:
            return True
    return False


def _onEpicardium(stack: LgeStack, anatomy: Anatomy, index: int, angle: float) -> tuple[float, float]:
    """(row, column) just outside the wall in that direction."""
    centre, spacing = anatomy.centres_mm[index], np.array(stack.spacing[1:])
    offsets = np.argwhere(anatomy.myocardium[index]) * spacing - centre
    directions = np.degrees(np.arctan2(-offsets[:, 0], offsets[:, 1]))
    near = np.abs((directions - angle + 180) % 360 - 180) < HALF_WIDTH_DEG
    distances = np.hypot(*offsets[near].T) if near.any() else np.hypot(*offsets.T)
    radius = (distances.max() if distances.size else 30.0) + OUTSIDE_MM
    turn = np.radians(angle)
    row, column = (centre + radius * np.array([-np.sin(turn), np.cos(turn)])) / spacing
    return float(row), float(column)
