"""Slicer's layout manager and its views: real slice and view nodes, views registered by a module put in their place."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from defusedxml import ElementTree
from PySide6 import QtCore, QtGui, QtWidgets
from standin_qt import PythonQtObject, Strict
from standin_widgets import ctkVTKRenderView

NAMES = ("Red", "Yellow", "Green")
CONVENTIONAL = 2


class SliceView(Strict):
    _slicerClass = "qMRMLSliceView"

    def __init__(self) -> None:
        import vtk

        self._interactor = vtk.vtkGenericRenderWindowInteractor()

    def interactor(self) -> Any:
        return self._interactor


class SliceController(Strict):
    _slicerClass = "qMRMLSliceControllerWidget"

    def fitSliceToBackground(self) -> None:
        import slicer

        scene, logic = slicer.mrmlScene, slicer.vtkMRMLSliceLogic()
        logic.SetMRMLScene(scene)
        logic.SetSliceNode(scene.GetNodeByID(f"vtkMRMLSliceNode{self._name}"))
        logic.SetSliceCompositeNode(scene.GetNodeByID(f"vtkMRMLSliceCompositeNode{self._name}"))
        logic.FitSliceToBackground(True)


class SliceWidget(Strict):
    _slicerClass = "qMRMLSliceWidget"

    def __init__(self, name: str) -> None:
        self._view, self._controller = SliceView(), SliceController()
        self._controller._name = name

    def sliceView(self) -> Any:
        return self._view

    def sliceController(self) -> Any:
        return self._controller


class qSlicerSingletonViewFactory(Strict):
    _slicerClass = "qSlicerSingletonViewFactory"

    def __init__(self) -> None:
        self._tag, self._widget = "", None

    def setTagName(self, tag: str) -> None:
        self._tag = tag

    def tagName(self) -> str:
        return self._tag

    def setWidget(self, widget: Any) -> None:
        assert isinstance(widget, PythonQtObject)
        self._widget = widget

    def widget(self) -> Any:
        return self._widget


class LayoutManager(Strict):
    """``slicer.app.layoutManager()`` over the real layout node, after qMRMLLayoutManager.cxx of 5.12.

    A layout is shown when the layout node changes and only then: one whose description or view factories are
    registered later stays blank, and ``setLayout`` of the current layout does nothing.
    """

    _slicerClass = "qSlicerLayoutManager"

    def __init__(self) -> None:
        import slicer

        self._logic = slicer.vtkMRMLLayoutLogic()
        self._factories: dict[str, Any] = {}
        self._slices = {name: SliceWidget(name) for name in NAMES}
        self._slots: list[Any] = []
        self._shown: tuple[int, str] = (0, "")  # what the window shows: the layout's number, 0 for nothing
        self._window = QtWidgets.QStackedWidget()
        self._tags: list[tuple[Any, int]] = []

    def _follow(self, scene: Any) -> None:
        for subject, tag in self._tags:
            subject.RemoveObserver(tag)
        self._tags = []
        self._logic.SetMRMLScene(scene)
        self._scene = scene
        if scene is None:
            self._empty()
            self._window.deleteLater()
            return
        self._complete()
        node = self._logic.GetLayoutNode()
        for subject, event, slot in (
            (scene, scene.EndCloseEvent, self._closed),
            (scene, scene.EndImportEvent, self._complete),
            (node, "ModifiedEvent", self._changed),
        ):
            self._tags.append((subject, subject.AddObserver(event, slot)))
        self._changed()

    def _closed(self, *_ignored: Any) -> None:
        """The views' nodes are made anew and the layout is set up again."""
        self._complete()
        self._shown = (0, "")
        self._changed()

    def _complete(self, *_ignored: Any) -> None:
        """What slice logics and the cameras' displayable manager add to the scene."""
        import slicer

        for name in NAMES:
            if self._scene.GetNodeByID(f"vtkMRMLSliceNode{name}") is None:
                node = slicer.vtkMRMLSliceNode()
                node.SetSingletonTag(name)
                node.SetLayoutName(name)
                node.SetName(name)
                self._scene.AddNode(node)
            if self._scene.GetNodeByID(f"vtkMRMLSliceCompositeNode{name}") is None:
                composite = slicer.vtkMRMLSliceCompositeNode()
                composite.SetSingletonTag(name)
                composite.SetLayoutName(name)
                self._scene.AddNode(composite)
        if self._scene.GetFirstNodeByClass("vtkMRMLCameraNode") is None:
            camera = self._scene.AddNewNodeByClass("vtkMRMLCameraNode")
            camera.SetLayoutName("1")

    def _changed(self, *_ignored: Any) -> None:
        node = self._logic.GetLayoutNode()
        now = (node.GetViewArrangement(), node.GetCurrentLayoutDescription() or "")
        if now == self._shown:
            return
        self._shown = now
        self._empty()
        if now[1]:
            views = {tag: factory.widget() for tag, factory in self._factories.items()}
            self._window.addWidget(build(now[1], views))
        self._window.show()
        for slot in list(self._slots):
            slot(now[0])

    def _empty(self) -> None:
        for factory in self._factories.values():
            QtWidgets.QWidget.setParent(factory.widget(), None)
        while self._window.count():
            shown = self._window.widget(0)
            self._window.removeWidget(shown)
            shown.deleteLater()

    def connect(self, signal: str, slot: Any) -> bool:
        assert signal == "layoutChanged(int)"
        self._slots.append(slot)
        return True

    def disconnect(self, signal: str, slot: Any) -> bool:
        self._slots.remove(slot)
        return True

    def layoutLogic(self) -> Any:
        return self._logic

    @property
    def layout(self) -> int:
        return self._logic.GetLayoutNode().GetViewArrangement()

    def setLayout(self, number: int) -> None:
        node = self._logic.GetLayoutNode()
        if number != node.GetViewArrangement():
            node.SetViewArrangement(number if node.IsLayoutDescription(number) else CONVENTIONAL)

    def sliceWidget(self, name: str) -> Any:
        return self._slices.get(name)

    def sliceViewNames(self) -> list[str]:
        return list(NAMES)

    def registerViewFactory(self, factory: Any) -> None:
        assert factory.tagName() and factory.widget() is not None
        self._factories[factory.tagName()] = factory


def set_layers(
    background: Any = "keep-current",
    foreground: Any = "keep-current",
    foregroundOpacity: float | None = None,
    fit: bool = False,
    **_others: Any,
) -> None:
    """``slicer.util.setSliceViewerLayers``."""
    import slicer

    for name in NAMES:
        composite = slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceCompositeNode{name}")
        if composite:
            if background != "keep-current":
                composite.SetBackgroundVolumeID(background.GetID() if background else None)
            if foreground != "keep-current":
                composite.SetForegroundVolumeID(foreground.GetID() if foreground else None)
            if foregroundOpacity is not None:
                composite.SetForegroundOpacity(foregroundOpacity)
            if fit:
                slicer.app.layoutManager().sliceWidget(name).sliceController().fitSliceToBackground()


def build(description: str, views: dict[str, QtWidgets.QWidget]) -> QtWidgets.QWidget:
    """The layout's widget from its XML, each view taken from ``views`` by tag or singleton tag."""
    return _item(ElementTree.fromstring(description), views)


def _item(element: Element, views: dict[str, QtWidgets.QWidget]) -> QtWidgets.QWidget:
    if element.tag != "layout":
        tag = element.get("class", "") + element.get("singletontag", "") if element.tag == "view" else element.tag
        return views.get(tag) or QtWidgets.QWidget()  # a view that nobody has registered stays empty
    split = QtWidgets.QSplitter(QtCore.Qt.Horizontal if element.get("type") == "horizontal" else QtCore.Qt.Vertical)
    sizes = []
    for item in element:
        if len(item):
            split.addWidget(_item(item[0], views))
            sizes.append(int(item.get("splitSize", "500")))
    split.setSizes(sizes)
    return split


def pixmap_of(rgb: np.ndarray) -> QtGui.QPixmap:
    rows, columns, _ = rgb.shape
    data = np.ascontiguousarray(rgb, np.uint8)
    return QtGui.QPixmap.fromImage(
        QtGui.QImage(data.data, columns, rows, 3 * columns, QtGui.QImage.Format_RGB888).copy()
    )


assert ctkVTKRenderView
