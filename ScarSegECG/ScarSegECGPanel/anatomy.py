"""Anatomy: RV insertion points to drag, apex and base, AHA 16 or 17, slices that were shifted."""

import numpy as np
import slicer
from slicer.i18n import tr as _

from ScarSegECGLib.case import Anatomy, LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Division
from ScarSegECGLib.wording import all_words, words
from ScarSegECGPanel.nodes import volumeLike
from ScarSegECGPanel.recompute import AHA_MODES, AhaRule
from ScarSegECGPanel.section import Section
from ScarSegECGPanel.slices import Clicks, currentSlice, cursor, fromWorld, sliceNode, toWorld

MOVED_DEG = 1.0
SETTLED_MS = 80
BEFORE_EDITOR = 2.0  # the segment editor hears presses at priority 1
GIVEN = "ScarSegECG.givenSlices"
# RV insertion points are markups, two per slice, A anterior and I inferior, on the epicardium.
POINTS = ("A", "I")
OUTSIDE_MM, HALF_WIDTH_DEG, NEAR_PIXELS = 2.0, 6.0, 10


class AnatomySection(Section):
    """Turns points and choices into a new division of the wall."""

    def __init__(self, panel) -> None:
        clicks = {"applyInsertionsButton": self.onApplyToStack, "findInsertionsButton": self.onFindAgain}
        super().__init__(panel, clicks)
        self._points = None
        self._placed: np.ndarray | None = None
        self._aligned, self._filling = False, False
        self._laidDown = ""  # the tool that a press on a point has interrupted
        # A press on a point belongs to the point: the editor's active tool would take it first, and paint there.
        self._clicks = Clicks(BEFORE_EDITOR, self.onPress, self.onRelease)
        self._resume, self._timer = self.timer(self.onDragEnded), self.timer(self.onDragged)
        self.ui.apexSpinBox.connect("valueChanged(int)", self.onRange)
        self.ui.baseSpinBox.connect("valueChanged(int)", self.onRange)

    def update(self) -> None:
        points, shown = self.parameters.insertionPoints, self.parameters.showInsertions
        if points and points.GetDisplayNode():
            points.GetDisplayNode().SetVisibility(shown)
        self._clicks.hear(bool(points and shown))
        if self.study and self._division() != self.study.aha.division:
            self._divide(self.study.aha.insertions)
        if self._aligned != self.parameters.alignSlices:
            self._showAligned()

    def _division(self) -> Division:
        return Division(AHA_MODES[self.parameters.ahaMode], int(self.parameters.ahaSegments))

    def onStudy(self) -> None:
        ready = self.study is not None
        self.enable(
            ready, "applyInsertionsButton", "findInsertionsButton", "apexSpinBox", "baseSpinBox", "alignCheckBox"
        )
        if not ready:
            self.ui.anatomyLabel.text = ""
            return
        anatomy = self.study.anatomy
        lines = [_("AHA: {mode}.").format(mode=words(anatomy.division, _)), *all_words(anatomy.notes, _)]
        self.ui.anatomyLabel.text = "\n".join(lines)
        self._showRange()
        if self.parameters.insertionPoints is None or self._points is None:
            self._placePoints()

    # Insertion points

    def _placePoints(self) -> None:
        parameters = self.parameters
        if parameters.insertionPoints is None:
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", _("RV insertions"))
            node.CreateDefaultDisplayNodes()
            display = node.GetDisplayNode()
            display.SetGlyphScale(2.0)
            display.SetTextScale(2.5)
            display.SetPointLabelsVisibility(True)
            display.SetVisibility(parameters.showInsertions)
            parameters.insertionPoints = node
        self._follow(None)
        node = parameters.insertionPoints
        placePoints(node, parameters.inputVolume, self.study.segmented.stack, self.study.anatomy)
        self._placed = self._angles(node)
        self._follow(node)

    def _angles(self, node) -> np.ndarray:
        return anglesOf(node, self.parameters.inputVolume, self.study.segmented.stack, self.study.anatomy)

    def _follow(self, node) -> None:
        self.panel.removeObservers(self.onPointMoved)
        self._points = node
        if node:
            self.panel.addObserver(node, slicer.vtkMRMLMarkupsNode.PointModifiedEvent, self.onPointMoved)

    def onPress(self, viewName: str, caller=None, event=None) -> None:
        editor = self.ui.segmentEditorWidget
        effect = editor.activeEffect()
        if effect and self._points and nearPoint(self._points, viewName):
            self._laidDown = effect.name
            editor.setActiveEffect(None)

    def onRelease(self, viewName: str, caller=None, event=None) -> None:
        if self._laidDown:
            self._resume.start(0)  # after the point has heard of it

    def onDragEnded(self) -> None:
        name, self._laidDown = self._laidDown, ""
        if name and self.study:
            self.ui.segmentEditorWidget.setActiveEffectByName(name)

    def onPointMoved(self, caller=None, event=None) -> None:
        self._timer.start(SETTLED_MS)

    def onDragged(self) -> None:
        """Slices whose points were moved are divided by them; the others stay as found."""
        if not self.study or not self._points or self._placed is None:
            return
        now, before = self._angles(self._points), self.study.aha.insertions
        off = np.abs((now - self._placed + 180) % 360 - 180)
        moved = np.nan_to_num(off).max(axis=1) > MOVED_DEG
        if moved.any():
            given = np.full_like(now, np.nan) if before is None else before
            self._divide(np.where(moved[:, None], now, given))

    def onApplyToStack(self) -> None:
        if not self.study:
            return
        here = currentSlice(self.parameters.inputVolume, self.study.segmented.stack)
        angles = self.study.anatomy.insertions_deg
        if np.isfinite(angles[here]).all():
            self._divide(np.tile(angles[here], (len(angles), 1)))

    def onFindAgain(self) -> None:
        if self.study:
            self._divide(None)

    def _divide(self, insertions: np.ndarray | None) -> None:
        try:
            self.study.divide(AhaRule(self._division(), insertions))
        except InputError as error:
            self._placePoints()
            self.ui.anatomyLabel.text = str(error)
            return
        self._placePoints()
        given = [] if insertions is None else np.flatnonzero(np.isfinite(insertions).all(axis=1)).tolist()
        self.parameters.insertionPoints.SetAttribute(GIVEN, ",".join(map(str, given)))
        self.panel.onCaseChanged()

    def restored(self) -> None:
        """A scene was loaded: its points stand for the slices that were given by hand."""
        node, insertions = self.parameters.insertionPoints, None
        given = [int(k) for k in (node.GetAttribute(GIVEN) or "").split(",") if k] if node else []
        if given:
            now = self._angles(node)
            insertions = np.full_like(now, np.nan)
            insertions[given] = now[given]
        if given or self._division() != Division():
            self.study.divide(AhaRule(self._division(), insertions))

    # Apex and base

    def _showRange(self) -> None:
        now, count = self.study.masks, len(self.study.bits)
        slices = np.flatnonzero((now.cavity | now.wall).any(axis=(1, 2))).tolist() or [0, count - 1]
        self._filling = True
        for box, index in ((self.ui.apexSpinBox, slices[0]), (self.ui.baseSpinBox, slices[-1])):
            box.setRange(1, count)
            box.value = index + 1
        self._filling = False

    def onRange(self, value: int) -> None:
        if self._filling or not self.study:
            return
        first, last = self.ui.apexSpinBox.value - 1, self.ui.baseSpinBox.value - 1
        if first < last and self.study.keepSlices(first, last, _("Apex and base")):
            self.panel.showMasks()
            self._placePoints()
        else:
            self._showRange()

    # Shifted slices

    def _showAligned(self) -> None:
        """The images with the LV centres on one line, or as they are."""
        parameters, self._aligned = self.parameters, self.parameters.alignSlices
        if not self.study:
            return
        if not self._aligned:
            slicer.util.setSliceViewerLayers(background=parameters.inputVolume)
            return
        from scipy.ndimage import shift

        from ScarSegECGLib.anatomy.lv import off_long_axis

        stack, centres = self.study.segmented.stack, self.study.anatomy.centres_mm
        off = np.nan_to_num(off_long_axis(centres, stack.spacing))
        steps = zip(stack.voxels, -off / stack.spacing[1:], strict=True)
        moved = np.array([shift(plane, by, order=1, mode="nearest") for plane, by in steps], np.float32)
        stored = stack.storage.to_stored(moved)
        node = volumeLike(parameters.inputVolume, stored, _("Aligned slices"), parameters.alignedVolume)
        parameters.alignedVolume = node
        slicer.util.setSliceViewerLayers(background=node)
        self.ui.anatomyLabel.text = _(
            "Aligned by up to {mm:.1f} mm, for viewing only: the segments stay in place."
        ).format(mm=float(np.linalg.norm(off, axis=1).max()))

    def release(self) -> None:
        self._timer.stop()
        self._clicks.hear(False)
        self._follow(None)
        self._placed, self._aligned = None, False


def placePoints(node, volumeNode, stack: LgeStack, anatomy: Anatomy) -> None:
    wasModified = node.StartModify()
    node.RemoveAllControlPoints()
    for index, column in np.argwhere(np.isfinite(anatomy.insertions_deg)).tolist():
        row_column = _onEpicardium(stack, anatomy, index, anatomy.insertions_deg[index, column])
        node.AddControlPoint(toWorld(volumeNode, stack, *row_column, index).tolist(), f"{POINTS[column]}{index + 1}")
    node.EndModify(wasModified)


def anglesOf(node, volumeNode, stack: LgeStack, anatomy: Anatomy) -> np.ndarray:
    """Angles [slice, 2] of the points in the bullseye's frame, degrees; NaN where there is none."""
    angles = np.full(anatomy.insertions_deg.shape, np.nan)
    known = {f"{name}{k + 1}": (k, at) for k in range(len(angles)) for at, name in enumerate(POINTS)}
    for point, world in enumerate(slicer.util.arrayFromMarkupsControlPoints(node, world=True)):
        place = known.get(node.GetNthControlPointLabel(point))
        if place:
            row, column, _index = fromWorld(volumeNode, stack, world)
            down, right = np.array([row, column]) * stack.spacing[1:] - anatomy.centres_mm[place[0]]
            angles[place] = np.degrees(np.arctan2(-down, right)) % 360.0
    return angles


def nearPoint(node, viewName: str) -> bool:
    """Whether the cursor is on one of the points, as near as a press takes hold of it."""
    here, view = cursor(), sliceNode(viewName)
    if not here or not view:
        return False
    reach = NEAR_PIXELS * view.GetFieldOfView()[0] / max(view.GetDimensions()[0], 1)
    away = np.linalg.norm(slicer.util.arrayFromMarkupsControlPoints(node, world=True) - here, axis=1)
    return bool((away < reach).any())


def _onEpicardium(stack: LgeStack, anatomy: Anatomy, index: int, angle: float) -> tuple[float, float]:
    """(row, column) just outside the wall in that direction."""
    centre, spacing = anatomy.centres_mm[index], np.array(stack.spacing[1:])
    offsets = np.argwhere(anatomy.myocardium[index]) * spacing - centre
    directions = np.degrees(np.arctan2(-offsets[:, 0], offsets[:, 1]))
    near = np.abs((directions - angle + 180) % 360 - 180) < HALF_WIDTH_DEG
    distances = np.hypot(*(offsets[near] if near.any() else offsets).T)
    radius = (distances.max() if distances.size else 30.0) + OUTSIDE_MM
    turn = np.radians(angle)
    row, column = (centre + radius * np.array([-np.sin(turn), np.cos(turn)])) / spacing
    return float(row), float(column)
