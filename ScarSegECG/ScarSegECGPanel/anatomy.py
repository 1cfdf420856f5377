"""Anatomy: RV insertion points to drag, apex and base, AHA 16 or 17, slices that were shifted."""

import numpy as np
import qt
import slicer
import vtk
from slicer.i18n import tr as _

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.wording import all_words, words
from ScarSegECGPanel.insertions import anglesOf, nearPoint, placePoints
from ScarSegECGPanel.nodes import volumeLike
from ScarSegECGPanel.recompute import AHA_MODES, AhaRule
from ScarSegECGPanel.section import Section
from ScarSegECGPanel.slices import VIEWS, currentSlice

MOVED_DEG = 1.0
BEFORE_EDITOR = 2.0  # the segment editor hears presses at priority 1
GIVEN = "ScarSegECG.givenSlices"


class AnatomySection(Section):
    """Turns points and choices into a new division of the wall."""

    def __init__(self, panel) -> None:
        super().__init__(panel)
        self._points = None
        self._placed: np.ndarray | None = None
        self._aligned = False
        self._presses: list[tuple] = []  # interactor and tag
        self._laidDown = ""  # the tool that a press on a point has interrupted
        self._resume = qt.QTimer()
        self._resume.setSingleShot(True)
        self._resume.connect("timeout()", self.onDragEnded)
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.connect("timeout()", self.onDragged)
        self.whenClicked(self.ui.applyInsertionsButton, self.onApplyToStack)
        self.whenClicked(self.ui.findInsertionsButton, self.onFindAgain)
        self.ui.apexSpinBox.connect("valueChanged(int)", self.onRange)
        self.ui.baseSpinBox.connect("valueChanged(int)", self.onRange)

    def update(self) -> None:
        points = self.parameters.insertionPoints
        if points and points.GetDisplayNode():
            points.GetDisplayNode().SetVisibility(self.parameters.showInsertions)
        self._guardPoints(bool(points and self.parameters.showInsertions))
        if self.study:
            chosen = self._chosen(self.study.aha.insertions)
            if (chosen.segments, chosen.mode) != (self.study.aha.segments, self.study.aha.mode):
                self._divide(chosen)
        if self._aligned != self.parameters.alignSlices:
            self._showAligned()

    def _chosen(self, insertions) -> AhaRule:
        return AhaRule(int(self.parameters.ahaSegments), AHA_MODES[self.parameters.ahaMode], insertions)

    def onStudy(self) -> None:
        ready = self.study is not None
        for name in ("applyInsertionsButton", "findInsertionsButton", "apexSpinBox", "baseSpinBox", "alignCheckBox"):
            getattr(self.ui, name).enabled = ready
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
        """Put the points where the division has them, and listen to them."""
        parameters = self.parameters
        node = parameters.insertionPoints
        if node is None:
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", _("RV insertions"))
            node.CreateDefaultDisplayNodes()
            display = node.GetDisplayNode()
            display.SetGlyphScale(2.0)
            display.SetTextScale(2.5)
            display.SetPointLabelsVisibility(True)
            display.SetVisibility(parameters.showInsertions)
            parameters.insertionPoints = node
        self._follow(None)
        stack, volume = self.study.segmented.stack, parameters.inputVolume
        placePoints(node, volume, stack, self.study.anatomy)
        self._placed = anglesOf(node, volume, stack, self.study.anatomy)
        self._follow(node)

    def _follow(self, node) -> None:
        if self._points is node:
            return
        event = slicer.vtkMRMLMarkupsNode.PointModifiedEvent
        if self._points:
            self.panel.removeObserver(self._points, event, self.onPointMoved)
        self._points = node
        if node:
            self.panel.addObserver(node, event, self.onPointMoved)

    def _guardPoints(self, on: bool) -> None:
        """A press on a point belongs to the point: the editor's active tool would take it first, and paint there."""
        manager = slicer.app.layoutManager()
        if on == bool(self._presses) or manager is None:
            return
        for interactor, tag in self._presses:
            interactor.RemoveObserver(tag)
        self._presses = []
        for name in VIEWS if on else ():
            widget = manager.sliceWidget(name)
            if widget is None:
                continue
            interactor = widget.sliceView().interactor()
            for event, slot in (
                (vtk.vtkCommand.LeftButtonPressEvent, lambda caller, event, name=name: self.onPress(name)),
                (vtk.vtkCommand.LeftButtonReleaseEvent, lambda caller, event: self.onRelease()),
            ):
                self._presses.append((interactor, interactor.AddObserver(event, slot, BEFORE_EDITOR)))

    def onPress(self, viewName: str) -> None:
        editor = self.ui.segmentEditorWidget
        effect = editor.activeEffect()
        if effect and self._points and nearPoint(self._points, viewName):
            self._laidDown = effect.name
            editor.setActiveEffect(None)

    def onRelease(self) -> None:
        if self._laidDown:
            self._resume.start(0)  # after the point has heard of it

    def onDragEnded(self) -> None:
        name, self._laidDown = self._laidDown, ""
        if name and self.study:
            self.ui.segmentEditorWidget.setActiveEffectByName(name)

    def onPointMoved(self, caller=None, event=None) -> None:
        self._timer.start(80)

    def onDragged(self) -> None:
        """Slices whose points were moved are divided by them; the others stay as found."""
        if not self.study or not self._points or self._placed is None:
            return
        stack, volume = self.study.segmented.stack, self.parameters.inputVolume
        now = anglesOf(self._points, volume, stack, self.study.anatomy)
        off = np.abs((now - self._placed + 180) % 360 - 180)
        moved = np.nan_to_num(off).max(axis=1) > MOVED_DEG
        if not moved.any():
            return
        given = self._given()
        given[moved] = now[moved]
        self._divide(self._chosen(given))

    def _given(self) -> np.ndarray:
        slices = self.study.segmented.stack.voxels.shape[0]
        given = self.study.aha.insertions
        return np.full((slices, 2), np.nan) if given is None else given.copy()

    def onApplyToStack(self) -> None:
        if not self.study:
            return
        here = currentSlice(self.parameters.inputVolume, self.study.segmented.stack)
        angles = self.study.anatomy.insertions_deg[here]
        if np.isfinite(angles).all():
            self._divide(self._chosen(np.tile(angles, (len(self.study.anatomy.insertions_deg), 1))))

    def onFindAgain(self) -> None:
        if self.study:
            self._divide(self._chosen(None))

    def _divide(self, rule: AhaRule) -> None:
        try:
            self.study.divide(rule)
        except InputError as error:
            self._placePoints()
            self.ui.anatomyLabel.text = str(error)
            return
        self._placePoints()
        given = [] if rule.insertions is None else np.flatnonzero(np.isfinite(rule.insertions).all(axis=1)).tolist()
        self.parameters.insertionPoints.SetAttribute(GIVEN, ",".join(map(str, given)))
        self.panel.onCaseChanged()

    def restored(self) -> None:
        """A scene was loaded: its points stand for the slices that were given by hand."""
        node = self.parameters.insertionPoints
        given = [int(k) for k in (node.GetAttribute(GIVEN) or "").split(",") if k] if node else []
        insertions = None
        if given:
            stack = self.study.segmented.stack
            now = anglesOf(node, self.parameters.inputVolume, stack, self.study.anatomy)
            insertions = np.full_like(now, np.nan)
            insertions[given] = now[given]
        rule = self._chosen(insertions)
        if not rule.isDefault():
            self.study.divide(rule)

    # Apex and base

    def _showRange(self) -> None:
        whole, now = self.study.segmented.anatomy, self.study.masks
        slices = np.flatnonzero((now.cavity | now.wall).any(axis=(1, 2)))
        count = len(whole.aha)
        self._busy = True
        for box, value in (
            (self.ui.apexSpinBox, int(slices[0]) + 1 if slices.size else 1),
            (self.ui.baseSpinBox, int(slices[-1]) + 1 if slices.size else count),
        ):
            box.setRange(1, count)
            box.value = value
        self._busy = False

    def onRange(self, value: int) -> None:
        if self._busy or not self.study:
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
        self._aligned = self.parameters.alignSlices
        if not self.study:
            return
        volume = self.parameters.inputVolume
        if not self._aligned:
            slicer.util.setSliceViewerLayers(background=volume)
            return
        from scipy.ndimage import shift

        from ScarSegECGLib.anatomy.lv import off_long_axis

        stack, centres = self.study.segmented.stack, self.study.anatomy.centres_mm
        off = np.nan_to_num(off_long_axis(centres, stack.spacing))
        voxels = [
            shift(plane, -by / stack.spacing[1:], order=1, mode="nearest")
            for plane, by in zip(stack.voxels, off, strict=True)
        ]
        stored = stack.storage.to_stored(np.array(voxels, np.float32))
        node = volumeLike(volume, stored, _("Aligned slices"), self.parameters.alignedVolume)
        self.parameters.alignedVolume = node
        slicer.util.setSliceViewerLayers(background=node)
        self.ui.anatomyLabel.text = _(
            "Aligned by up to {mm:.1f} mm, for viewing only: the segments stay in place."
        ).format(mm=float(np.linalg.norm(off, axis=1).max()))

    def release(self) -> None:
        self._timer.stop()
        self._guardPoints(False)
        self._follow(None)
        self._placed, self._aligned = None, False
