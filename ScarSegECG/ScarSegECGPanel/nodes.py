"""MRML nodes as the library's arrays, and the library's results as MRML nodes; main thread only."""

from collections.abc import Callable
from datetime import datetime

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from ScarSegECGLib.case import LgeStack, ScarResult
from ScarSegECGLib.facts import Contrast
from ScarSegECGLib.wording import agreement_reason, words

CONTRASTS = {"Automatic": None, "Magnitude": Contrast.MAGNITUDE, "PSIR": Contrast.PSIR}


def voxelsAndMatrix(volumeNode) -> tuple[np.ndarray, np.ndarray]:
    """A copy of the node's voxels, and its matrix to RAS."""
    voxels = np.array(slicer.util.arrayFromVolume(volumeNode), dtype=np.float32)
    return voxels, slicer.util.arrayFromVTKMatrix(_matrixOf(volumeNode))


def _matrixOf(volumeNode):
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    return matrix


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

    It takes the date and the contrast, None for what the values say, and raises InputError where the volume is no LGE
    short-axis stack that can be used.
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
    """One row per AHA segment; an empty cell is "not imaged" or "not known".

    Only cells that differ are written, so that the view keeps its column widths and its place.
    """
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
            column = vtk.vtkStringArray()
            column.SetName(title)
            column.SetNumberOfValues(len(rows))
            tableNode.AddColumn(column)
            tableNode.SetColumnTitle(title, title)
    table, changed = tableNode.GetTable(), False
    for column, values in enumerate(columns.values()):
        cells = table.GetColumn(column)
        for row, value in enumerate(values):
            if cells.GetValue(row) != value:
                cells.SetValue(row, value)
                changed = True
    if changed:
        table.Modified()
        tableNode.Modified()
    tableNode.SetUseColumnTitleAsColumnHeader(True)  # else the titles are a row under "A, B, C"
    tableNode.SetLocked(True)
    tableNode.SetAttribute("ScarSegECG.method", words(result.method))
    tableNode.EndModify(wasModified)


def volumeLike(volumeNode, voxels: np.ndarray, name: str, node=None):
    """A volume of other values on the same grid; ``node`` is reused if given."""
    if node is None:
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.SetIJKToRASMatrix(_matrixOf(volumeNode))
    node.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    slicer.util.updateVolumeFromArray(node, voxels)
    if not node.GetDisplayNode():
        node.CreateDefaultDisplayNodes()
    return node
