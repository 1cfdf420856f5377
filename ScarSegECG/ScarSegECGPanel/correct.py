"""Correct: Slicer's segment editor kept inside the wall, one-click tools, one undo for all."""

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from ScarSegECGLib.case import CAVITY, MYOCARDIUM, SCAR
from ScarSegECGPanel import edits
from ScarSegECGPanel.masks import withScar
from ScarSegECGPanel.section import Section
from ScarSegECGPanel.segments import IDENTIFIERS, readSegments
from ScarSegECGPanel.slices import VIEWS, currentSlice, goTo, voxelAt

EFFECTS = ("Paint", "Draw", "Erase", "Scissors", "Islands", "Smoothing", "Threshold")
EDITOR_TAG = "ScarSegECG"


class CorrectSection(Section):
    """Hears every stroke, makes it a step of the history, and has the results follow."""

    def __init__(self, panel) -> None:
        super().__init__(panel)
        self._segmentation = None
        self._clickTags: list[tuple] = []
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.connect("timeout()", self.onEdited)
        editor = self.ui.segmentEditorWidget
        editor.segmentationNodeSelectorVisible = False
        editor.sourceVolumeNodeSelectorVisible = False
        editor.switchToSegmentationsButtonVisible = False
        editor.addRemoveSegmentButtonsVisible = False
        editor.unorderedEffectsVisible = False
        editor.undoEnabled = False  # the panel's own history knows the computed steps too
        editor.setEffectNameOrder(list(EFFECTS))
        for button, action in (
            (self.ui.undoButton, self.onUndo),
            (self.ui.redoButton, self.onRedo),
            (self.ui.copyBaseButton, lambda: self.onCopy(+1)),
            (self.ui.copyApexButton, lambda: self.onCopy(-1)),
            (self.ui.revertSliceButton, self.onRevert),
            (self.ui.editScarButton, lambda: self.edit(SCAR)),
            (self.ui.editWallButton, lambda: self.edit(MYOCARDIUM)),
            (self.ui.editCavityButton, lambda: self.edit(CAVITY)),
        ):
            self.whenClicked(button, action)
        self.ui.addIslandButton.connect("toggled(bool)", lambda on: self.onTool(self.ui.removeIslandButton, on))
        self.ui.removeIslandButton.connect("toggled(bool)", lambda on: self.onTool(self.ui.addIslandButton, on))

    # The embedded editor

    def exit(self) -> None:
        self.ui.segmentEditorWidget.setActiveEffect(None)  # which ends its view observations
        self.ui.addIslandButton.checked = False
        self.ui.removeIslandButton.checked = False

    def onStudy(self) -> None:
        """Follow the case's segmentation and say what can be undone."""
        node = self.parameters.outputSegmentation if self.parameters and self.study else None
        self._observe(node)
        for button in ("undoButton", "redoButton", "copyBaseButton", "copyApexButton", "revertSliceButton"):
            getattr(self.ui, button).enabled = self.study is not None
        for button in ("addIslandButton", "removeIslandButton", "editScarButton", "editWallButton", "editCavityButton"):
            getattr(self.ui, button).enabled = self.study is not None
        history = self.study.history if self.study else None
        undo, redo = (history.undoName, history.redoName) if history else ("", "")
        self.ui.undoButton.enabled, self.ui.redoButton.enabled = bool(undo), bool(redo)
        self.ui.undoButton.text = _("Undo: {step}").format(step=undo) if undo else _("Undo")
        self.ui.redoButton.text = _("Redo: {step}").format(step=redo) if redo else _("Redo")

    def _observe(self, node) -> None:
        segmentation = node.GetSegmentation() if node else None
        if segmentation is self._segmentation:
            return
        if segmentation is None:
            self.ui.correctLabel.text = ""
        event = slicer.vtkSegmentation.SourceRepresentationModified
        removed = slicer.vtkSegmentation.SegmentRemoved
        if self._segmentation:
            self.panel.removeObserver(self._segmentation, event, self.onSegmentationModified)
            self.panel.removeObserver(self._segmentation, removed, self.onSegmentRemoved)
        self._segmentation = segmentation
        if segmentation:
            self.panel.addObserver(segmentation, event, self.onSegmentationModified)
            self.panel.addObserver(segmentation, removed, self.onSegmentRemoved)
            self._giveToEditor(node)

    def _giveToEditor(self, node) -> None:
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
        stack = self.study.segmented.stack
        read = readSegments(stack, self.parameters.inputVolume, self.parameters.outputSegmentation)
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
        self._unhearClicks()
        manager = slicer.app.layoutManager()
        if not (self.ui.addIslandButton.checked or self.ui.removeIslandButton.checked) or manager is None:
            return
        for name in VIEWS:
            widget = manager.sliceWidget(name)
            if widget is None:
                continue
            interactor = widget.sliceView().interactor()
            tag = interactor.AddObserver(vtk.vtkCommand.LeftButtonPressEvent, self._clicked, 100.0)
            self._clickTags.append((interactor, tag))

    def _unhearClicks(self) -> None:
        for interactor, tag in self._clickTags:
            interactor.RemoveObserver(tag)
        self._clickTags = []

    def _clicked(self, caller, event) -> None:
        self.islandAtCursor(add=self.ui.addIslandButton.checked)

    def islandAtCursor(self, *, add: bool) -> None:
        """Where the crosshair's cursor is, which every slice view keeps."""
        crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        place = [0.0, 0.0, 0.0]
        if crosshair and crosshair.GetCursorPositionRAS(place):
            self.islandAt(place, add=add)

    def islandAt(self, world, *, add: bool) -> None:
        """Add or remove the island at a world position, RAS mm."""
        if not self.study:
            return
        voxel = voxelAt(self.parameters.inputVolume, self.study.segmented.stack, world)
        if voxel is None:
            return
        masks = self.study.masks
        if add:
            scar = edits.addIsland(masks.scar, masks.wall, self.study.segmented.stack.voxels, voxel)
        else:
            scar = edits.removeIsland(masks.scar, voxel)
        self._take(_("Add island") if add else _("Remove island"), scar)

    def setSegment(self, number: int, *, accept: bool) -> bool:
        """One AHA segment as proposed, or without scar; False where it is so already."""
        aha, proposal = self.study.anatomy.aha, self.study.proposal if accept else None
        name = _("Accept segment {n}") if accept else _("Clear segment {n}")
        return self._take(name.format(n=number), edits.setSegment(self.study.masks.scar, aha, number, proposal))

    def onCopy(self, step: int) -> None:
        if not self.study:
            return
        stack, volume, masks = self.study.segmented.stack, self.parameters.inputVolume, self.study.masks
        here = currentSlice(volume, stack)
        there = here + step
        if 0 <= there < len(masks.scar):
            self._take(
                _("Copy to slice {n}").format(n=there + 1), edits.copyToSlice(masks.scar, masks.wall, here, there)
            )
            goTo(volume, stack, there)

    def onRevert(self) -> None:
        if self.study:
            here = currentSlice(self.parameters.inputVolume, self.study.segmented.stack)
            scar = edits.revertSlice(self.study.masks.scar, self.study.proposal, here)
            self._take(_("Revert slice {n}").format(n=here + 1), scar)

    def _take(self, name: str, scar) -> bool:
        changed = self.study.change(name, withScar(self.study.bits, scar))
        if changed:
            self.panel.showMasks()
        return changed

    def onUndo(self) -> None:
        if self.study and self.study.undo():
            self.panel.showMasks()

    def onRedo(self) -> None:
        if self.study and self.study.redo():
            self.panel.showMasks()

    # Leaving

    def release(self) -> None:
        """The editor keeps its node: without one it crashes at the next change of layout."""
        self._timer.stop()
        self._observe(None)
        self._unhearClicks()
        editor = self.ui.segmentEditorWidget
        editor.setActiveEffect(None)
        editor.setSegmentationNode(None)
        editor.removeViewObservations()
        self.ui.correctLabel.text = ""


def takeEditorNode(editor) -> None:
    """Give the editor its node in the scene, made if there is none; it needs one at every moment it can be seen."""
    scene = slicer.mrmlScene
    node = scene.GetSingletonNode(EDITOR_TAG, "vtkMRMLSegmentEditorNode")
    if node is None:
        node = slicer.vtkMRMLSegmentEditorNode()
        node.SetSingletonTag(EDITOR_TAG)
        node = scene.AddNode(node)
    editor.setMRMLSegmentEditorNode(node)
