"""Keys, while the module is open: slices, tools, brush, method, undo, islands.

All of them are set here: the segment editor's own set has ".", "," and the undo keys too, and Qt activates neither of
two shortcuts with one key.
"""

from collections.abc import Callable

import qt
import slicer

from ScarSegECGPanel.correct import EFFECTS
from ScarSegECGPanel.slices import currentSlice, goTo

BRUSH, RELATIVE = "BrushAbsoluteDiameter", "BrushDiameterIsRelative"
LARGER = 1.25


class Shortcuts:
    """Made when the module is entered and gone when it is left."""

    def __init__(self, panel) -> None:
        self.panel = panel
        self._shortcuts: list = []

    def install(self) -> None:
        self.remove()
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
            "Ctrl+Shift+Z": correct.onRedo,
            ".": lambda: self.step(+1),
            ",": lambda: self.step(-1),
            "M": self.panel.scar.nextMethod,
            "+": lambda: self.brush(LARGER),
            "-": lambda: self.brush(1 / LARGER),
            "A": lambda: correct.islandAtCursor(add=True),
            "X": lambda: correct.islandAtCursor(add=False),
            "Esc": lambda: self.panel.ui.segmentEditorWidget.setActiveEffect(None),
            **{str(at + 1): lambda name=name: self.tool(name) for at, name in enumerate(EFFECTS)},
        }

    def step(self, by: int) -> None:
        """The next slice towards the base, or towards the apex."""
        study, parameters = self.panel.logic.study, self.panel.parameterNode
        if study and parameters.inputVolume:
            stack = study.segmented.stack
            goTo(parameters.inputVolume, stack, currentSlice(parameters.inputVolume, stack) + by)

    def tool(self, name: str) -> None:
        """Take up a tool of the editor, or lay it down."""
        editor = self.panel.ui.segmentEditorWidget
        active = editor.activeEffect()
        if self.panel.logic.study:
            editor.setActiveEffectByName("" if active and active.name == name else name)

    def brush(self, factor: float) -> None:
        """Its diameter is a parameter that Paint and Erase share."""
        effect = self.panel.ui.segmentEditorWidget.activeEffect()
        if effect and effect.commonParameterDefined(BRUSH):
            effect.setCommonParameter(RELATIVE, 0)
            effect.setCommonParameter(BRUSH, effect.doubleParameter(BRUSH) * factor)
