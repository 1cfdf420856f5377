"""Slicer's segment editor as an embedded widget, after qMRMLSegmentEditorWidget.cxx of 5.12: also where it fails."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6 import QtCore, QtGui, QtWidgets
from standin_qt import Strict, segfault
from standin_widgets import slicer_widget

EFFECTS = ("Threshold", "Paint", "Draw", "Erase", "Islands", "Scissors", "Smoothing", "Margin", "Hollow")
BRUSH_MM, RELATIVE = "BrushAbsoluteDiameter", "BrushDiameterIsRelative"
# What installKeyboardShortcuts() puts on the main window, its own "undo" and "redo" among them.
KEYS = (
    *(f"{prefix}{digit}" for prefix in ("", "Shift+") for digit in "1234567890"),
    *("Esc", "Space", "Z", "Ctrl+Z", "Y", "Ctrl+Shift+Z", "Q", "W", "/", "*", ",", ".", ">", "<", "I"),
)


class Effect(Strict):
    """qSlicerSegmentEditorAbstractEffect: parameters are attributes of the editor node, "Paint.x" its own, "x" common.

    The brush's diameter is a common one: ``parameterDefined`` does not know it.
    """

    _slicerClass = "qSlicerSegmentEditorAbstractEffect"

    def __init__(self, name: str, node: Any) -> None:
        self.name, self._node = name, node

    def parameterDefined(self, name: str) -> bool:
        return self.commonParameterDefined(f"{self.name}.{name}")

    def commonParameterDefined(self, name: str) -> bool:
        return bool(self._node.GetAttribute(name))

    def parameter(self, name: str) -> str:
        return self._node.GetAttribute(f"{self.name}.{name}") or self._node.GetAttribute(name) or ""

    def doubleParameter(self, name: str) -> float:
        return float(self.parameter(name) or 0)

    def setParameter(self, name: str, value: Any) -> None:
        self.setCommonParameter(f"{self.name}.{name}", value)

    def setCommonParameter(self, name: str, value: Any) -> None:
        self._node.SetAttribute(name, str(value))


@slicer_widget(undoEnabled=True, maximumNumberOfUndoStates=30, autoShowSourceVolumeNode=True)
class qMRMLSegmentEditorWidget:
    """Buttons of the real effects' names over the real editor node; Paint paints where the crosshair is."""

    segmentationNodeChanged = QtCore.Signal(object)
    sourceVolumeNodeChanged = QtCore.Signal(object)
    currentSegmentIDChanged = QtCore.Signal(str)

    def _build(self) -> None:
        self._node, self._scene, self._effect, self._tag = None, None, "", None
        self._observing, self._order, self._keys, self._presses = False, [], [], []
        self._grid = QtWidgets.QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(2)
        self._buttons: dict[str, QtWidgets.QToolButton] = {}

    def _arrange(self) -> None:
        for button in self._buttons.values():
            button.deleteLater()
        self._buttons = {}
        for index, name in enumerate(self._order):
            button = QtWidgets.QToolButton(self)
            button.setText(name)
            button.setCheckable(True)
            button.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Fixed)
            button.clicked.connect(lambda _checked=False, effect=name: self.setActiveEffectByName(effect))
            self._grid.addWidget(button, index // 4, index % 4)
            self._buttons[name] = button

    def setMRMLScene(self, scene: Any) -> None:
        """Connects layoutChanged, as the real one does."""
        import slicer

        if scene is not None and self._scene is None:
            slicer.app.layoutManager().connect("layoutChanged(int)", self._layoutChanged)
            scene.AddObserver(scene.EndCloseEvent, self._setDefaults)  # the node was reset with the scene
        elif scene is None and self._scene is not None:
            slicer.app.layoutManager().disconnect("layoutChanged(int)", self._layoutChanged)
            self.setMRMLSegmentEditorNode(None)
            self.removeViewObservations()
        self._scene = scene

    def setEffectNameOrder(self, names: Any) -> None:
        self._order = [name for name in names if name in EFFECTS]
        self._arrange()

    def effectNameOrder(self) -> Any:
        return list(self._order)

    def availableEffectNames(self) -> Any:
        return list(EFFECTS)

    # The nodes

    def setMRMLSegmentEditorNode(self, node: Any) -> None:
        if node is self._node:
            return
        if self._node is not None:
            self._node.RemoveObserver(self._tag)
        self._node = node
        if node is None:
            return  # and the effects, the observations and the shown effect stay as they were
        self._tag = node.AddObserver("ModifiedEvent", self._update)
        self._setDefaults()

    def _setDefaults(self, *_ignored: Any) -> None:
        """initializeParameterSetNode."""
        for name, value in ((BRUSH_MM, "5"), (RELATIVE, "1")) if self._node else ():
            if not self._node.GetAttribute(name):
                self._node.SetAttribute(name, value)
        self._update()

    def mrmlSegmentEditorNode(self) -> Any:
        return self._node

    def setSegmentationNode(self, node: Any) -> None:
        if self._node and self._node.GetSegmentationNode() is not node:
            self.setActiveEffect(None)
            self._node.SetAndObserveSegmentationNode(node)

    def segmentationNode(self) -> Any:
        return self._node.GetSegmentationNode() if self._node else None

    def setSourceVolumeNode(self, node: Any) -> None:
        if self._node and self._node.GetSegmentationNode():
            self._node.SetAndObserveSourceVolumeNode(node)

    def sourceVolumeNode(self) -> Any:
        return self._node.GetSourceVolumeNode() if self._node else None

    def setCurrentSegmentID(self, name: str) -> None:
        if self._node:
            self._node.SetSelectedSegmentID(name)
            self.currentSegmentIDChanged.emit(name)

    def currentSegmentID(self) -> str:
        return (self._node.GetSelectedSegmentID() or "") if self._node else ""

    def updateWidgetFromMRML(self) -> None:
        self._update()

    # Effects

    def setActiveEffectByName(self, name: str) -> None:
        if self._node is not None:  # without a node the real one does nothing
            self._node.SetActiveEffectName(name)
        self._update()

    def setActiveEffect(self, effect: Any) -> None:
        self.setActiveEffectByName(effect.name if effect else "")

    def activeEffect(self) -> Any:
        return Effect(self._effect, self._node) if self._effect and self._node else None

    def _update(self, *_ignored: Any) -> None:
        if self._node is None:
            return
        name = self._node.GetActiveEffectName() or ""
        for key, button in self._buttons.items():
            button.setChecked(key == name)
        if name != self._effect:
            self._effect = name
            if name:
                self.setupViewObservations()  # by itself, when an effect becomes active
            else:
                self.removeViewObservations()

    # The views

    def setupViewObservations(self) -> None:
        import slicer

        self.removeViewObservations()
        self._observing = True
        manager = slicer.app.layoutManager()
        for name in manager.sliceViewNames():
            interactor = manager.sliceWidget(name).sliceView().interactor()
            tag = interactor.AddObserver("LeftButtonPressEvent", lambda caller, event: self._pressed(caller), 1.0)
            self._presses.append((interactor, tag))

    def removeViewObservations(self) -> None:
        self._observing = False
        for interactor, tag in self._presses:
            interactor.RemoveObserver(tag)
        self._presses = []

    def _layoutChanged(self, layout: int) -> None:
        """onLayoutChanged: showSourceVolumeInSliceViewers reads the editor node without asking whether there is one."""
        if not self._observing:
            return
        self.setupViewObservations()
        if self.autoShowSourceVolumeNode and self._node is None:
            segfault("qMRMLSegmentEditorWidget::showSourceVolumeInSliceViewers without a segment editor node")

    def _pressed(self, interactor: Any) -> None:
        """An effect takes the press (priority 1.0) and nobody else hears it."""
        if self._node is None or self._effect not in ("Paint", "Erase"):
            return
        for caller, tag in self._presses:
            if caller is interactor:
                interactor.GetCommand(tag).SetAbortFlag(1)
        self._stroke(self._effect == "Paint")

    def _stroke(self, add: bool) -> None:
        """A dab at the crosshair, in the selected segment and within the mask segment."""
        import slicer

        place, node = [0.0, 0.0, 0.0], self._node
        crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        volume, segmentation = node.GetSourceVolumeNode(), node.GetSegmentationNode()
        if not crosshair.GetCursorPositionRAS(place) or volume is None:
            return
        import vtk

        toIjk = vtk.vtkMatrix4x4()
        volume.GetRASToIJKMatrix(toIjk)
        i, j, k = (round(at) for at in toIjk.MultiplyPoint([*place, 1.0])[:3])
        name = node.GetSelectedSegmentID()
        array = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, name, volume)
        dab = np.zeros(array.shape, bool)
        dab[k, max(j - 2, 0) : j + 3, max(i - 2, 0) : i + 3] = True
        if node.GetMaskMode() == slicer.vtkMRMLSegmentationNode.EditAllowedInsideSingleSegment:
            dab &= slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, node.GetMaskSegmentID(), volume) > 0
        array = np.where(dab, 1 if add else 0, array).astype(np.uint8)
        slicer.util.updateSegmentBinaryLabelmapFromArray(array, segmentation, name, volume)

    # Keys

    def installKeyboardShortcuts(self, parent: Any = None) -> None:
        import slicer

        self.uninstallKeyboardShortcuts()
        self._keys = [QtGui.QShortcut(QtGui.QKeySequence(key), parent or slicer.util.mainWindow()) for key in KEYS]

    def uninstallKeyboardShortcuts(self) -> None:
        for key in self._keys:
            key.setEnabled(False)
            key.deleteLater()
        self._keys = []
