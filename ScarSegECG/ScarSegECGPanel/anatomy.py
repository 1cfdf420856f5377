"""Anatomy: RV insertion points to drag, apex and base, AHA 16 or 17, slices that were shifted."""

import numpy as np
import slicer
from slicer.i18n import tr as _

from ScarSegECGLib.anatomy.polar import direction_deg, ray_angles, trace_border, wrap
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Division
from ScarSegECGLib.wording import all_words, words
from ScarSegECGPanel.masks import AHA_MODES, AhaRule
from ScarSegECGPanel.nodes import cursor, volumeLike
from ScarSegECGPanel.section import Section

MOVED_DEG = 1.0
SETTLED_MS = 80
BEFORE_EDITOR = 2.0  # the segment editor hears presses at priority 1
# RV insertion points are markups, two per slice, A anterior and I inferior, on the epicardium.
POINTS = ("A", "I")
OUTSIDE_MM, WITHOUT_WALL_MM, NEAR_PIXELS = 2.0, 30.0, 10


class AnatomySection(Section):
    """Turns points and choices into a new division of the wall."""

    ofCase = ("applyInsertionsButton", "findInsertionsButton", "apexSpinBox", "baseSpinBox", "alignCheckBox")

    def __init__(self, panel) -> None:
        actions = {"applyInsertionsButton": self.onApplyToStack, "findInsertionsButton": lambda: self._divide(None)}
        super().__init__(panel, actions)
        self._points, self._placed = None, None  # the node, and the division that its points show
        self._aligned = False
        self._laidDown = ""  # the tool that a press on a point has interrupted
        self._resume, self._timer = self.timer(self.onDragEnded), self.timer(self.onDragged)
        self.ui.apexSpinBox.connect("valueChanged(int)", self.onRange)
        self.ui.baseSpinBox.connect("valueChanged(int)", self.onRange)

    def update(self) -> None:
        points, shown = self.parameters.insertionPoints, self.parameters.showInsertions
        if points and points.GetDisplayNode():
            points.GetDisplayNode().SetVisibility(shown)
        # A press on a point belongs to the point: the editor's active tool would take it first, and paint there.
        slots = {"LeftButtonPressEvent": self.onPress, "LeftButtonReleaseEvent": self.onRelease}
        self.hearClicks(bool(points and shown), BEFORE_EDITOR, **slots)
        if self.study and self._division() != self.study.aha.division:
            self._divide(self.study.aha.insertions)
        if self._aligned != self.parameters.alignSlices:
            self._showAligned()

    def _division(self) -> Division:
        return Division(AHA_MODES[self.parameters.ahaMode], int(self.parameters.ahaSegments))

    def choose(self, division: Division) -> None:
        """What a restored case was divided by, lest it be divided by what happens to be chosen."""
        self.parameters.ahaMode = next(name for name, mode in AHA_MODES.items() if mode == division.mode)
        self.parameters.ahaSegments = str(division.segments)

    def onStudy(self) -> None:
        super().onStudy()
        self.ui.anatomyLabel.text = ""
        if self.study:
            anatomy = self.study.anatomy
            lines = [_("AHA: {mode}.").format(mode=words(anatomy.division, _)), *all_words(anatomy.notes, _)]
            self.ui.anatomyLabel.text = "\n".join(lines)
            self._showRange()
            if self.parameters.insertionPoints is None or self._points is None or self._placed is not anatomy:
                self._placePoints()

    # Insertion points

    def _placePoints(self) -> None:
        node = self.parameters.insertionPoints
        if node is None:
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", _("RV insertions"))
            node.CreateDefaultDisplayNodes()
            display = node.GetDisplayNode()
            display.SetGlyphScale(2.0)
            display.SetTextScale(2.5)
            display.SetVisibility(self.parameters.showInsertions)
            self.parameters.insertionPoints = node
        self._follow(None)
        grid, spacing = self.grid, self.study.segmented.stack.spacing
        self._placed = anatomy = self.study.anatomy
        outer = trace_border(anatomy.myocardium, anatomy.centres_mm, spacing)
        with slicer.util.NodeModify(node):
            node.RemoveAllControlPoints()
            for k, which in np.argwhere(np.isfinite(anatomy.insertions_deg)).tolist():
                degrees = anatomy.insertions_deg[k, which]
                radius = outer[k, np.abs(wrap(ray_angles(outer.shape[1]) - degrees)).argmin()]
                away = (WITHOUT_WALL_MM if np.isnan(radius) else radius) + OUTSIDE_MM
                turn = np.radians(degrees)
                there = anatomy.centres_mm[k] + away * np.array([-np.sin(turn), np.cos(turn)])
                place = grid.toWorld(k, *there / spacing[1:]).tolist()
                node.AddControlPoint(place, f"{POINTS[which]}{k + 1}")
        self._follow(node)

    def angles(self, node) -> np.ndarray:
        """Angles [slice, 2] of the points in the bullseye's frame, degrees; NaN where there is none."""
        grid, anatomy, spacing = self.grid, self.study.anatomy, self.study.segmented.stack.spacing
        angles = np.full(anatomy.insertions_deg.shape, np.nan)
        known = {f"{name}{k + 1}": (k, at) for k in range(len(angles)) for at, name in enumerate(POINTS)}
        for point, world in enumerate(slicer.util.arrayFromMarkupsControlPoints(node, world=True)):
            place = known.get(node.GetNthControlPointLabel(point))
            if place:
                at = grid.fromWorld(world)[1:] * spacing[1:]
                angles[place] = direction_deg(at - anatomy.centres_mm[place[0]])
        return angles

    def _follow(self, node) -> None:
        self.panel.removeObservers(self.onPointMoved)
        self._points = node
        if node:
            self.panel.addObserver(node, slicer.vtkMRMLMarkupsNode.PointModifiedEvent, self.onPointMoved)

    def onPress(self, caller=None, event=None) -> None:
        editor = self.ui.segmentEditorWidget
        effect = editor.activeEffect()
        if effect and self._points and nearPoint(self._points):
            self._laidDown = effect.name
            editor.setActiveEffect(None)

    def onRelease(self, caller=None, event=None) -> None:
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
        if not self.study or not self._points:
            return
        now, before = self.angles(self._points), self.study.aha.insertions
        moved = np.nan_to_num(np.abs(wrap(now - self.study.anatomy.insertions_deg))).max(axis=1) > MOVED_DEG
        if moved.any():
            given = np.full_like(now, np.nan) if before is None else before
            self._divide(np.where(moved[:, None], now, given))

    def onApplyToStack(self) -> None:
        here = self.grid.currentSlice()
        angles = self.study.anatomy.insertions_deg
        if np.isfinite(angles[here]).all():
            self._divide(np.tile(angles[here], (len(angles), 1)))

    def _divide(self, insertions: np.ndarray | None) -> None:
        try:
            self.study.divide(AhaRule(self._division(), insertions))
        except InputError as error:
            self._placePoints()
            self.ui.anatomyLabel.text = str(error)
        else:
            self.panel.onCaseChanged()

    # Apex and base

    def _showRange(self) -> None:
        now, count = self.study.masks, len(self.study.bits)
        slices = np.flatnonzero((now.cavity | now.wall).any(axis=(1, 2))).tolist() or [0, count - 1]
        with self.panel.writing():
            for box, index in ((self.ui.apexSpinBox, slices[0]), (self.ui.baseSpinBox, slices[-1])):
                box.setRange(1, count)
                box.value = index + 1

    def onRange(self, value: int) -> None:
        if not self.study or self.panel.isWriting:
            return
        first, last = self.ui.apexSpinBox.value - 1, self.ui.baseSpinBox.value - 1
        if first < last and self.study.keepSlices(first, last, _("Apex and base")):
            self.panel.onCaseChanged()
        else:
            self._showRange()

    # Shifted slices

    def _showAligned(self) -> None:
        """The images with the LV centres on one line, or as they are."""
        parameters, self._aligned = self.parameters, self.parameters.alignSlices
        if self.study and not self._aligned:
            slicer.util.setSliceViewerLayers(background=parameters.inputVolume)
        if not self.study or not self._aligned:
            return
        from ScarSegECGLib.lge.slice_shift import estimate_shifts, move

        stack, now = self.study.segmented.stack, self.study.masks
        judged = estimate_shifts(now.cavity, now.wall, stack.spacing).mm
        off = np.nan_to_num(judged)
        stored = stack.storage.to_stored(move(stack.voxels, -np.rint(off / stack.spacing[1:]).astype(int)))
        node = volumeLike(parameters.inputVolume, stored, _("Aligned slices"), parameters.alignedVolume)
        parameters.alignedVolume = node
        slicer.util.setSliceViewerLayers(background=node)
        told = _("Aligned by up to {mm:.1f} mm, for viewing only: the segments stay in place.")
        if np.isnan(judged).all():
            told = _("Not aligned: that takes five slices with the left ventricle.")
        self.ui.anatomyLabel.text = told.format(mm=float(np.linalg.norm(off, axis=1).max()))

    def release(self) -> None:
        super().release()
        self.hearClicks(False, BEFORE_EDITOR, press=self.onPress, release=self.onRelease)
        self._follow(None)
        self._aligned = False


def nearPoint(node) -> bool:
    """Whether the cursor is on one of the points, as near as a press takes hold of it."""
    here, view = cursor()
    if not here or not view:
        return False
    reach = NEAR_PIXELS * view.GetFieldOfView()[0] / max(view.GetDimensions()[0], 1)
    away = np.linalg.norm(slicer.util.arrayFromMarkupsControlPoints(node, world=True) - here, axis=1)
    return bool((away < reach).any())
