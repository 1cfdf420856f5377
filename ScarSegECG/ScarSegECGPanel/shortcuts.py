"""Keys, while the module is open: slices, brush, method, undo, islands."""

from collections.abc import Callable

import qt
import slicer

from ScarSegECGPanel.slices import currentSlice, goTo

BRUSH = "BrushAbsoluteDiameter"
LARGER = 1.25


class Shortcuts:
    """Made when the module is entered and gone when it is left."""

    def __init__(self, panel) -> None:
        self.panel = panel
        self._shortcuts: list = []

    def install(self) -> None:
        parent = slicer.util.mainWindow() or self.panel.parent
        for key, action in self.actions().items():
            shortcut = qt.QShortcut(parent)
            shortcut.setKey(qt.QKeySequence(key))
            shortcut.connect("activated()", action)
            self._shortcuts.append(shortcut)

    def remove(self) -> None:
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._shortcuts = []

    def actions(self) -> dict[str, Callable[[], None]]:
        """Key -> what it does."""
        correct = self.panel.correct
        return {
            "Ctrl+Z": correct.onUndo,
            "Ctrl+Y": correct.onRedo,
            ".": lambda: self.step(+1),
            ",": lambda: self.step(-1),
            "M": self.panel.scar.nextMethod,
            "+": lambda: self.brush(LARGER),
            "-": lambda: self.brush(1 / LARGER),
            "A": lambda: correct.islandAtCursor(add=True),
            "X": lambda: correct.islandAtCursor(add=False),
        }

    def step(self, by: int) -> None:
        """The next slice towards the base, or towards the apex."""
        study, parameters = self.panel.logic.study, self.panel.parameterNode
        if study and parameters.inputVolume:
            stack = study.segmented.stack
            goTo(parameters.inputVolume, stack, currentSlice(parameters.inputVolume, stack) + by)

    def brush(self, factor: float) -> None:
        effect = self.panel.ui.segmentEditorWidget.activeEffect()
        if effect and effect.parameterDefined(BRUSH):
            effect.setCommonParameter("BrushDiameterIsRelative", 0)
            effect.setCommonParameter(BRUSH, effect.doubleParameter(BRUSH) * factor)
