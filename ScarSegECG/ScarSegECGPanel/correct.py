"""What changes the scar: a rule, Slicer's editor kept inside the wall, one-click tools and keys; one undo for all."""

from collections.abc import Callable

import numpy as np
import qt
import slicer
from slicer.i18n import tr as _

from ScarSegECGLib.errors import InputError
from ScarSegECGPanel import masks
from ScarSegECGPanel.journal import REDO, UNDO
from ScarSegECGPanel.masks import METHODS, RULES, ScarRule
from ScarSegECGPanel.nodes import IDENTIFIERS, cursor, readSegments
from ScarSegECGPanel.section import Section

EFFECTS = ("Paint", "Draw", "Erase", "Scissors", "Islands", "Smoothing", "Threshold")
EDITOR_TAG = "ScarSegECG"
BEFORE_ALL = 100.0
SETTLED_MS = 30
BRUSH, RELATIVE = "BrushAbsoluteDiameter", "BrushDiameterIsRelative"
LARGER = 1.25


class CorrectSection(Section):
    """Hears every stroke and choice, makes it a step of the history, and has the results follow."""

    ofCase = (
        "copyBaseButton", "copyApexButton", "revertSliceButton", "addIslandButton", "removeIslandButton",
        "editScarButton", "editWallButton", "editCavityButton",
    )  # fmt: skip

    def __init__(self, panel) -> None:
        clicks = {
            "undoButton": lambda: self.go(UNDO),
            "redoButton": lambda: self.go(REDO),
            "copyBaseButton": lambda: self.onCopy(+1),
            "copyApexButton": lambda: self.onCopy(-1),
            "revertSliceButton": self.onRevert,
            "editScarButton": lambda: self.edit("scar"),
            "editWallButton": lambda: self.edit("wall"),
            "editCavityButton": lambda: self.edit("cavity"),
        }
        super().__init__(panel, clicks)
        self._segmentation = None
        self._shortcuts: list = []
        self._timer, self._settled = self.timer(self.onEdited), self.timer(self.applyChosenRule)
        self.ui.segmentEditorWidget.setEffectNameOrder(list(EFFECTS))
        self.ui.addIslandButton.connect("toggled(bool)", lambda on: self.onTool(self.ui.removeIslandButton, on))
        self.ui.removeIslandButton.connect("toggled(bool)", lambda on: self.onTool(self.ui.addIslandButton, on))

    def layDown(self) -> None:
        """No tool is active any more."""
        self.ui.segmentEditorWidget.setActiveEffect(None)  # which ends its view observations
        self.ui.addIslandButton.checked = False
        self.ui.removeIslandButton.checked = False

    def onStudy(self) -> None:
        """Follow the case's segmentation and say what can be undone."""
        super().onStudy()
        self.showChoice()
        self._observe(self.parameters.outputSegmentation if self.parameters and self.study else None)
        undo, redo = (self.study.undoName, self.study.redoName) if self.study else ("", "")
        self.enable(bool(undo), "undoButton")
        self.enable(bool(redo), "redoButton")
        self.ui.undoButton.text = _("Undo: {step}").format(step=undo) if undo else _("Undo")
        self.ui.redoButton.text = _("Redo: {step}").format(step=redo) if redo else _("Redo")

    # By a rule: what is chosen is always what is shown

    def chosen(self) -> ScarRule:
        return ScarRule(**{name: getattr(self.parameters, name) for name in vars(ScarRule())})

    def differs(self) -> bool:
        return bool(self.parameters and self.study and self.chosen() != self.study.origin.rule)

    def update(self) -> None:
        self.enable(self.parameters.method not in RULES, "probabilitySlider")
        self.enable(self.parameters.method == "n SD", "nSdSlider")
        if self.differs():
            self._settled.start(SETTLED_MS)

    def showChoice(self) -> None:
        """The history carries the choice: after an undo, a restore or a refused rule it is shown again."""
        if self.differs() and not self._settled.active:
            with self.panel.writing(), slicer.util.NodeModify(self.parameters):
                for name, value in vars(self.study.origin.rule).items():
                    setattr(self.parameters, name, value)

    def applyChosenRule(self) -> None:
        """Once the choice has settled, and after a segmentation, which is the network's own."""
        if self.differs():
            rule = self.chosen()
            try:
                if self.study.applyRule(rule, _("Scar: {method}").format(method=rule.method)):
                    self.panel.onCaseChanged()
            except InputError as error:
                self.panel.say(str(error))
            self.showChoice()

    def nextMethod(self) -> None:
        if self.parameters:
            at = METHODS.index(self.parameters.method)
            self.parameters.method = METHODS[(at + 1) % len(METHODS)]

    # By the editor

    def _observe(self, node) -> None:
        segmentation = node.GetSegmentation() if node else None
        if segmentation is self._segmentation:
            return
        self.panel.removeObservers(self.onSegmentationModified)
        self._segmentation = segmentation
        self.ui.correctLabel.text = ""
        if segmentation:
            editor, kind = self.ui.segmentEditorWidget, slicer.vtkSegmentation
            for event in (kind.SourceRepresentationModified, kind.SegmentRemoved):
                self.panel.addObserver(segmentation, event, self.onSegmentationModified)
            takeEditorNode(editor)
            editor.setSegmentationNode(node)
            editor.setSourceVolumeNode(self.parameters.inputVolume)
            self.edit("scar")

    def edit(self, name: str) -> None:
        """Draw one of the three; scar only inside the wall, and none ever takes voxels from another segment."""
        modes, node = slicer.vtkMRMLSegmentationNode, self.ui.segmentEditorWidget.mrmlSegmentEditorNode()
        node.SetOverwriteMode(node.OverwriteNone)
        node.SetMaskSegmentID(IDENTIFIERS["wall"])
        node.SetMaskMode(modes.EditAllowedInsideSingleSegment if name == "scar" else modes.EditAllowedEverywhere)
        self.ui.segmentEditorWidget.setCurrentSegmentID(IDENTIFIERS[name])
        what = {"scar": _("the scar, inside the wall"), "wall": _("the wall"), "cavity": _("the LV cavity")}[name]
        self.ui.correctLabel.text = _("The editor draws {what}.").format(what=what)

    def onSegmentationModified(self, caller=None, event=None) -> None:
        if not self.panel.isWriting:
            self._timer.start(0)

    def onEdited(self) -> None:
        if not self.parameters or not self.study or not self.parameters.outputSegmentation:
            return
        read = readSegments(self.study.segmented.stack, self.parameters.outputSegmentation)
        if read is None:
            self.panel.onNodesGone()
            return
        self.study.written = read
        name = self.ui.segmentEditorWidget.currentSegmentID() or IDENTIFIERS["scar"]
        if self.study.change(_("Draw {segment}").format(segment=name), read.toBits()):
            self.panel.onCaseChanged()

    # By one click

    def onTool(self, other, on: bool) -> None:
        if on:
            other.checked = False
            self.ui.segmentEditorWidget.setActiveEffect(None)
        hear = self.ui.addIslandButton.checked or self.ui.removeIslandButton.checked
        self.hearClicks(hear, BEFORE_ALL, LeftButtonPressEvent=self.onPress)

    def onPress(self, caller=None, event=None) -> None:
        self.islandAtCursor(add=self.ui.addIslandButton.checked)

    def islandAtCursor(self, *, add: bool) -> None:
        place, _view = cursor()
        voxel = self.grid.voxelAt(place) if place and self.study else None
        if voxel is None:
            return
        now = self.study.masks
        if add:
            bright = self.study.segmented.stack.voxels
            self._take(_("Add island"), masks.addIsland(now.scar, now.wall, bright, voxel))
        else:
            self._take(_("Remove island"), now.scar & ~masks.piece(now.scar, voxel))

    def setSegment(self, number: int, *, accept: bool) -> bool:
        """One AHA segment as proposed, or without scar; False where it is so already."""
        inside = self.study.anatomy.aha == number
        name = _("Accept segment {n}") if accept else _("Clear segment {n}")
        scar = np.where(inside, accept and self.study.proposal, self.study.masks.scar)
        return self._take(name.format(n=number), scar)

    def onCopy(self, step: int) -> None:
        """The scar of this slice onto the next one, as far as there is wall; what was there is replaced."""
        grid, scar = self.grid, self.study.masks.scar
        here = grid.currentSlice()
        there = here + step
        if 0 <= there < len(scar):
            scar[there] = scar[here]
            self._take(_("Copy to slice {n}").format(n=there + 1), scar)
            grid.goTo(there)

    def onRevert(self) -> None:
        here, scar = self.grid.currentSlice(), self.study.masks.scar
        scar[here] = self.study.proposal[here]
        self._take(_("Revert slice {n}").format(n=here + 1), scar)

    def _take(self, name: str, scar) -> bool:
        changed = self.study.change(name, masks.withScar(self.study.bits, scar))
        if changed:
            self.panel.onCaseChanged()
        return changed

    def go(self, move: str) -> None:
        if self.study and self.study.go(move):
            self.panel.onCaseChanged()

    def release(self) -> None:
        """The editor keeps its node: without one it crashes at the next change of layout."""
        super().release()
        self.layDown()
        self._observe(None)
        self.ui.segmentEditorWidget.setSegmentationNode(None)
        self.ui.segmentEditorWidget.removeViewObservations()

    # By keys, made when the module is entered and gone when it is left. All of them are set here: the segment editor's
    # own set has ".", "," and the undo keys too, and Qt activates neither of two shortcuts with one key.

    def installKeys(self) -> None:
        self.removeKeys()
        for key, action in self.actions().items():
            shortcut = qt.QShortcut(slicer.util.mainWindow() or self.panel.parent)
            shortcut.setKey(qt.QKeySequence(key))
            shortcut.connect("activated()", action)
            self._shortcuts.append(shortcut)

    def removeKeys(self) -> None:
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._shortcuts = []

    def actions(self) -> dict[str, Callable[[], None]]:
        return {
            "Ctrl+Z": lambda: self.go(UNDO),
            "Ctrl+Y": lambda: self.go(REDO),
            "Ctrl+Shift+Z": lambda: self.go(REDO),
            ".": lambda: self.step(+1),
            ",": lambda: self.step(-1),
            "M": self.nextMethod,
            "+": lambda: self.brush(LARGER),
            "-": lambda: self.brush(1 / LARGER),
            "A": lambda: self.islandAtCursor(add=True),
            "X": lambda: self.islandAtCursor(add=False),
            "Esc": lambda: self.ui.segmentEditorWidget.setActiveEffect(None),
            **{str(at + 1): lambda name=name: self.tool(name) for at, name in enumerate(EFFECTS)},
        }

    def step(self, by: int) -> None:
        """The next slice towards the base, or towards the apex."""
        if self.study:
            self.grid.goTo(self.grid.currentSlice() + by)

    def tool(self, name: str) -> None:
        active = self.ui.segmentEditorWidget.activeEffect()
        if self.study:
            self.ui.segmentEditorWidget.setActiveEffectByName("" if active and active.name == name else name)

    def brush(self, factor: float) -> None:
        """Its diameter is a parameter that Paint and Erase share."""
        effect = self.ui.segmentEditorWidget.activeEffect()
        if effect and effect.commonParameterDefined(BRUSH):
            effect.setCommonParameter(RELATIVE, 0)
            effect.setCommonParameter(BRUSH, effect.doubleParameter(BRUSH) * factor)


def takeEditorNode(editor) -> None:
    """Give the editor its node in the scene, made if there is none; it needs one at every moment it can be seen."""
    scene = slicer.mrmlScene
    node = scene.GetSingletonNode(EDITOR_TAG, "vtkMRMLSegmentEditorNode")
    if node is None:
        node = slicer.vtkMRMLSegmentEditorNode()
        node.SetSingletonTag(EDITOR_TAG)
        node = scene.AddNode(node)
    editor.setMRMLSegmentEditorNode(node)
