"""Correct: Slicer's segment editor kept inside the wall, one-click tools, one undo for all."""

import slicer
from slicer.i18n import tr as _

from ScarSegECGLib.case import CAVITY, MYOCARDIUM, SCAR
from ScarSegECGPanel import masks
from ScarSegECGPanel.section import Section
from ScarSegECGPanel.segments import IDENTIFIERS, readSegments
from ScarSegECGPanel.slices import Clicks, currentSlice, cursor, goTo, voxelAt

EFFECTS = ("Paint", "Draw", "Erase", "Scissors", "Islands", "Smoothing", "Threshold")
EDITOR_TAG = "ScarSegECG"
BEFORE_ALL = 100.0


class CorrectSection(Section):
    """Hears every stroke, makes it a step of the history, and has the results follow."""

    def __init__(self, panel) -> None:
        clicks = {
            "undoButton": self.onUndo,
            "redoButton": self.onRedo,
            "copyBaseButton": lambda: self.onCopy(+1),
            "copyApexButton": lambda: self.onCopy(-1),
            "revertSliceButton": self.onRevert,
            "editScarButton": lambda: self.edit(SCAR),
            "editWallButton": lambda: self.edit(MYOCARDIUM),
            "editCavityButton": lambda: self.edit(CAVITY),
        }
        super().__init__(panel, clicks)
        self._segmentation = None
        self._clicks = Clicks(BEFORE_ALL, {"LeftButtonPressEvent": self.onClick})
        self._timer = self.timer(self.onEdited)
        editor = self.ui.segmentEditorWidget
        editor.segmentationNodeSelectorVisible = False
        editor.sourceVolumeNodeSelectorVisible = False
        editor.switchToSegmentationsButtonVisible = False
        editor.addRemoveSegmentButtonsVisible = False
        editor.unorderedEffectsVisible = False
        editor.undoEnabled = False  # the panel's own history knows the computed steps too
        editor.setEffectNameOrder(list(EFFECTS))
        self.ui.addIslandButton.connect("toggled(bool)", lambda on: self.onTool(self.ui.removeIslandButton, on))
        self.ui.removeIslandButton.connect("toggled(bool)", lambda on: self.onTool(self.ui.addIslandButton, on))

    # The embedded editor

    def exit(self) -> None:
        self.ui.segmentEditorWidget.setActiveEffect(None)  # which ends its view observations
        self.ui.addIslandButton.checked = False
        self.ui.removeIslandButton.checked = False

    def onStudy(self) -> None:
        """Follow the case's segmentation and say what can be undone."""
        self._observe(self.parameters.outputSegmentation if self.parameters and self.study else None)
        self.enable(
            self.study is not None, "copyBaseButton", "copyApexButton", "revertSliceButton", "addIslandButton",
            "removeIslandButton", "editScarButton", "editWallButton", "editCavityButton",
        )  # fmt: skip
        history = self.study.history if self.study else None
        undo, redo = (history.undoName, history.redoName) if history else ("", "")
        self.enable(bool(undo), "undoButton")
        self.enable(bool(redo), "redoButton")
        self.ui.undoButton.text = _("Undo: {step}").format(step=undo) if undo else _("Undo")
        self.ui.redoButton.text = _("Redo: {step}").format(step=redo) if redo else _("Redo")

    def _observe(self, node) -> None:
        segmentation = node.GetSegmentation() if node else None
        if segmentation is self._segmentation:
            return
        slots = (
            (slicer.vtkSegmentation.SourceRepresentationModified, self.onSegmentationModified),
            (slicer.vtkSegmentation.SegmentRemoved, self.onSegmentRemoved),
        )
        for event, slot in slots:
            if self._segmentation:
                self.panel.removeObserver(self._segmentation, event, slot)
            if segmentation:
                self.panel.addObserver(segmentation, event, slot)
        self._segmentation = segmentation
        self.ui.correctLabel.text = ""
        if segmentation:
            editor = self.ui.segmentEditorWidget
            takeEditorNode(editor)
            editor.setSegmentationNode(node)
            editor.setSourceVolumeNode(self.parameters.inputVolume)
            self.edit(SCAR)

    def edit(self, label: int) -> None:
        """Draw one of the three; scar only inside the wall, and none ever takes voxels from another segment."""
        segmentation, node = slicer.vtkMRMLSegmentationNode, self.ui.segmentEditorWidget.mrmlSegmentEditorNode()
        node.SetOverwriteMode(node.OverwriteNone)
        if label == SCAR:
            node.SetMaskSegmentID(IDENTIFIERS[MYOCARDIUM])
            node.SetMaskMode(segmentation.EditAllowedInsideSingleSegment)
        else:
            node.SetMaskMode(segmentation.EditAllowedEverywhere)
        self.ui.segmentEditorWidget.setCurrentSegmentID(IDENTIFIERS[label])
        names = {SCAR: _("the scar, inside the wall"), MYOCARDIUM: _("the wall"), CAVITY: _("the LV cavity")}
        self.ui.correctLabel.text = _("The editor draws {what}.").format(what=names[label])

    # Strokes

    def onSegmentationModified(self, caller=None, event=None) -> None:
        if not self.panel.isWriting:
            self._timer.start(0)

    def onSegmentRemoved(self, caller=None, event=None) -> None:
        if not self.panel.isWriting:
            self.panel.onNodesGone()

    def onEdited(self) -> None:
        """A stroke has ended: read it, remember it, measure it, show it."""
        if not self.parameters or not self.study or not self.parameters.outputSegmentation:
            return
        read = readSegments(self.study.segmented.stack, self.parameters.outputSegmentation)
        if read is None:
            self.panel.onNodesGone()
            return
        name = self.ui.segmentEditorWidget.currentSegmentID() or IDENTIFIERS[SCAR]
        if self.study.change(_("Draw {segment}").format(segment=name), read.toBits()):
            self.panel.onCaseChanged()

    # One-click tools

    def onTool(self, other, on: bool) -> None:
        """Clicks in the slice views belong to the tool while it is pressed."""
        if on:
            other.checked = False
            self.ui.segmentEditorWidget.setActiveEffect(None)
        self._clicks.hear(self.ui.addIslandButton.checked or self.ui.removeIslandButton.checked)

    def onClick(self, viewName: str) -> None:
        self.islandAtCursor(add=self.ui.addIslandButton.checked)

    def islandAtCursor(self, *, add: bool) -> None:
        place = cursor()
        if place:
            self.islandAt(place, add=add)

    def islandAt(self, world, *, add: bool) -> None:
        """Add or remove the island at a world position, RAS mm."""
        stack = self.study.segmented.stack if self.study else None
        voxel = voxelAt(self.parameters.inputVolume, stack, world) if stack else None
        if voxel is None:
            return
        now = self.study.masks
        if add:
            self._take(_("Add island"), masks.addIsland(now.scar, now.wall, stack.voxels, voxel))
        else:
            self._take(_("Remove island"), masks.removeIsland(now.scar, voxel))

    def setSegment(self, number: int, *, accept: bool) -> bool:
        """One AHA segment as proposed, or without scar; False where it is so already."""
        aha, proposal = self.study.anatomy.aha, self.study.proposal if accept else None
        name = _("Accept segment {n}") if accept else _("Clear segment {n}")
        return self._take(name.format(n=number), masks.setSegment(self.study.masks.scar, aha, number, proposal))

    def onCopy(self, step: int) -> None:
        """The scar of this slice onto the next one, as far as there is wall; what was there is replaced."""
        if not self.study:
            return
        stack, volume, now = self.study.segmented.stack, self.parameters.inputVolume, self.study.masks
        here = currentSlice(volume, stack)
        there = here + step
        if 0 <= there < len(now.scar):
            copied = masks.withSlice(now.scar, there, now.scar[here] & now.wall[there])
            self._take(_("Copy to slice {n}").format(n=there + 1), copied)
            goTo(volume, stack, there)

    def onRevert(self) -> None:
        if self.study:
            here = currentSlice(self.parameters.inputVolume, self.study.segmented.stack)
            reverted = masks.withSlice(self.study.masks.scar, here, self.study.proposal[here])
            self._take(_("Revert slice {n}").format(n=here + 1), reverted)

    def _take(self, name: str, scar) -> bool:
        changed = self.study.change(name, masks.withScar(self.study.bits, scar))
        if changed:
            self.panel.showMasks()
        return changed

    def onUndo(self) -> None:
        if self.study and self.study.undo():
            self.panel.showMasks()

    def onRedo(self) -> None:
        if self.study and self.study.redo():
            self.panel.showMasks()

    def release(self) -> None:
        """The editor keeps its node: without one it crashes at the next change of layout."""
        self._timer.stop()
        self._observe(None)
        self._clicks.hear(False)
        editor = self.ui.segmentEditorWidget
        editor.setActiveEffect(None)
        editor.setSegmentationNode(None)
        editor.removeViewObservations()


def takeEditorNode(editor) -> None:
    """Give the editor its node in the scene, made if there is none; it needs one at every moment it can be seen."""
    scene = slicer.mrmlScene
    node = scene.GetSingletonNode(EDITOR_TAG, "vtkMRMLSegmentEditorNode")
    if node is None:
        node = slicer.vtkMRMLSegmentEditorNode()
        node.SetSingletonTag(EDITOR_TAG)
        node = scene.AddNode(node)
    editor.setMRMLSegmentEditorNode(node)
