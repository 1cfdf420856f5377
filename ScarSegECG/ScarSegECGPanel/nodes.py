"""MRML nodes as the library's arrays, the library's results as MRML nodes, and the slice views; main thread only.

Of the module's three segments "Myocardium" is the whole wall and the scar lies on it, so that erasing scar leaves no
hole and painting it takes nothing away. Other segments of the node are never touched.
"""

import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from ScarSegECGLib.case import LgeStack, ScarResult
from ScarSegECGLib.facts import Contrast
from ScarSegECGLib.wording import agreement_reason, words
from ScarSegECGPanel.masks import Masks

CONTRASTS = {"Automatic": None, "Magnitude": Contrast.MAGNITUDE, "PSIR": Contrast.PSIR}
IDENTIFIERS = {"cavity": "LVCavity", "wall": "Myocardium", "scar": "Scar"}  # of the segments, by the field of Masks
MAIN_VIEW = "Red"
VIEWS = (MAIN_VIEW, "Yellow", "Green")
ACQUISITION_DATE = "0008,0022"


def voxelsAndMatrix(volumeNode) -> tuple[np.ndarray, np.ndarray]:
    """A copy of the node's voxels, and its matrix to RAS."""
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    voxels = np.array(slicer.util.arrayFromVolume(volumeNode), dtype=np.float32)
    return voxels, slicer.util.arrayFromVTKMatrix(matrix)


def brighten(volumeNode) -> None:
    """Window and level as LGE is read, from all but the extremes of its values; what somebody has set stays."""
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
    from ScarSegECGLib.report.plain import number

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
    with slicer.util.NodeModify(tableNode):
        tableNode.RemoveAllColumns()
        for title, values in columns.items():
            column = vtk.vtkStringArray()
            column.SetName(title)
            for value in values:
                column.InsertNextValue(value)
            tableNode.AddColumn(column)
            tableNode.SetColumnTitle(title, title)
        tableNode.SetUseColumnTitleAsColumnHeader(True)  # else the titles are a row under "A, B, C"
        tableNode.SetLocked(True)
        tableNode.SetAttribute("ScarSegECG.method", words(result.method))


def volumeLike(volumeNode, voxels: np.ndarray, name: str, node=None):
    """A volume of other values on the same grid; ``node`` is reused if given."""
    if node is None:
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.CopyOrientation(volumeNode)
    node.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    slicer.util.updateVolumeFromArray(node, voxels)
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
            segmentation.AddEmptySegment(identifier, style.name, style.colour)
            segmentation.GetSegment(identifier).SetTag("TerminologyEntry", terminology(style))
    if not segmentationNode.GetDisplayNode():
        segmentationNode.CreateDefaultDisplayNodes()
        display = segmentationNode.GetDisplayNode()
        for name, opacity in (("cavity", 0.0), ("wall", 0.0), ("scar", 0.35)):
            display.SetSegmentOpacity2DFill(IDENTIFIERS[name], opacity)
        display.SetSegmentOpacity3D(IDENTIFIERS["wall"], 0.3)
        display.SetSegmentVisibility3D(IDENTIFIERS["cavity"], False)
    segmentationNode.CreateClosedSurfaceRepresentation()  # while they are empty: each is then made as it is filled


def changeSegments(masks: Masks, stack: LgeStack, segmentationNode, before: Masks | None = None) -> Iterator[None]:
    """Replace the segments whose mask differs from ``before``, or all without it; one at a step."""
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    for name, identifier in IDENTIFIERS.items():
        mask = getattr(masks, name)
        if before is None or not np.array_equal(mask, getattr(before, name)):
            image = orientedImage(stack.storage.to_stored(mask), stack.stored_ijk_to_ras)
            logic.SetBinaryLabelmapToSegment(image, segmentationNode, identifier, logic.MODE_REPLACE)
            yield


def readSegments(stack: LgeStack, segmentationNode) -> Masks | None:
    """The masks as they are in the scene, canonical order; None where one of the segments is gone."""
    if countSegments(segmentationNode) < len(IDENTIFIERS):
        return None
    shape = stack.storage.to_stored(np.empty(stack.voxels.shape, bool)).shape
    grid = slicer.vtkOrientedImageData()
    grid.SetExtent(0, shape[2] - 1, 0, shape[1] - 1, 0, shape[0] - 1)
    grid.SetImageToWorldMatrix(slicer.util.vtkMatrixFromArray(stack.stored_ijk_to_ras))
    place = slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage
    masks = {}
    for name, identifier in IDENTIFIERS.items():
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
    """The main view's node; there is one wherever there is a layout."""
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
    """A stack's voxels as its volume node lies in the world: (slice, row, column), not rounded, and RAS mm."""

    def __init__(self, volumeNode, stack: LgeStack) -> None:
        self.volumeNode, self.stack = volumeNode, stack

    def toWorld(self, *voxel: float) -> np.ndarray:
        local, world = self.stack.ijk_to_ras @ np.array([*voxel[::-1], 1.0]), [0.0, 0.0, 0.0]
        self.volumeNode.TransformPointToWorld(local[:3].tolist(), world)
        return np.array(world)

    def fromWorld(self, world) -> np.ndarray:
        local = [0.0, 0.0, 0.0]
        self.volumeNode.TransformPointFromWorld(list(world), local)
        return np.linalg.solve(self.stack.ijk_to_ras, np.array([*local, 1.0]))[2::-1]

    def voxelAt(self, world) -> tuple[int, int, int] | None:
        """The nearest voxel; None outside the stack."""
        voxel = np.rint(self.fromWorld(world)).astype(int)
        return tuple(voxel.tolist()) if (voxel >= 0).all() and (voxel < self.stack.voxels.shape).all() else None

    def turnToShortAxis(self) -> None:
        """Anterior up, right ventricle on the left, in the main view."""
        origin, middle = self.toWorld(0, 0, 0), self.toWorld(*np.array(self.stack.voxels.shape) // 2)
        right, up = unit(self.toWorld(0, 0, 1) - origin), unit(origin - self.toWorld(0, 1, 0))
        sliceNode().SetSliceToRASByNTP(*np.cross(right, up), *right, *middle, 0)

    def currentSlice(self) -> int:
        """Index, from the apex, of the slice that the main view shows."""
        return self._within(self._shown()[0])

    def goTo(self, index: int) -> None:
        """Show that slice in the main view; the view keeps its place and zoom."""
        sliceNode().JumpSliceByCentering(*self.toWorld(self._within(index), *self._shown()[1:]))

    def _shown(self) -> np.ndarray:
        """(slice, row, column) in the middle of the main view."""
        return self.fromWorld(slicer.util.arrayFromVTKMatrix(sliceNode().GetSliceToRAS())[:3, 3])

    def _within(self, index: float) -> int:
        return int(np.clip(round(index), 0, len(self.stack.voxels) - 1))


# What Slicer's DICOM database knows about the patient of a volume: dates, ECGs, source files


def database():
    """The open DICOM database, or None."""
    found = slicer.app.dicomDatabase()
    return found if found and found.isOpen else None


def sourceFiles(volumeNode) -> list[str]:
    """The DICOM files the volume came from; empty where it was not loaded from the database."""
    uids, db = (volumeNode.GetAttribute("DICOM.instanceUIDs") or "").split(), database()
    return [db.fileForInstance(uid) for uid in uids] if db else []


def _told(volumeNode, of: Callable[..., Any], otherwise: Any = None) -> Any:
    """What is made of the first file's header, as the library reads it; ``otherwise`` where none can be read."""
    from ScarSegECGLib.errors import InputError
    from ScarSegECGLib.lge.dicom_files import read_dataset
    from ScarSegECGLib.lge.files import StudyFile, intact

    for file in sourceFiles(volumeNode)[:1]:
        with (
            contextlib.suppress(InputError, OSError),
            intact("damaged"),
        ):  # decoded when asked for
            return of(read_dataset(StudyFile(Path(file)), pixels=False))
    return otherwise


def mriDateFromDicom(volumeNode) -> str:
    """Acquisition date, "YYYY-MM-DD"; "" where there is none or the study's dates were removed or changed."""
    from ScarSegECGLib.lge.dicom_frames import acquired

    date = _told(volumeNode, lambda header: acquired([header])[0])
    return date.strftime("%Y-%m-%d") if date else ""


def contrastFromDicom(volumeNode) -> Contrast | None:
    """Where the header says so."""
    from ScarSegECGLib.lge.dicom_frames import image_kind
    from ScarSegECGLib.lge.read import says_magnitude

    kind, said = _told(volumeNode, lambda header: (image_kind(header), says_magnitude(header)), ("", False))
    return Contrast.PSIR if kind == "psir" else Contrast.MAGNITUDE if said else None


def subjectFromDicom(volumeNode):
    """Whose images they are, in memory alone: compared with the ECG's, and for criteria that depend on age and sex."""
    from ScarSegECGLib.case import Subject
    from ScarSegECGLib.ecg.subject import subject_of_dicom

    return _told(volumeNode, subject_of_dicom, Subject())


def ecgsOfPatient(volumeNode) -> list[str]:
    """Files of the ECGs in the patient's studies, the nearest to the MRI first."""
    from ScarSegECGLib.ecg.dicom_waveform import ECG_CLASSES
    from ScarSegECGLib.lge.dicom_frames import moment_of

    files, db = sourceFiles(volumeNode), database()
    if not files:
        return []
    here = moment_of(db.fileValue(files[0], ACQUISITION_DATE))
    found = {}
    for study in db.studiesForPatient(db.patientForStudy(db.studyForSeries(db.seriesForFile(files[0])))):
        for series in db.seriesForStudy(study):
            first = next(iter(db.filesForSeries(series)), "")
            if first and db.fileValue(first, "0008,0016") in ECG_CLASSES:
                date = moment_of(db.fileValue(first, ACQUISITION_DATE))
                found[first] = abs((date - here).days) if date and here else float("inf")
    return sorted(found, key=found.__getitem__)
