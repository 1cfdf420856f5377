"""Slicer's layout manager and its views: real slice and view nodes, views registered by a module put in their place."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from defusedxml import ElementTree
from PySide6 import QtCore, QtGui, QtWidgets
from standin_qt import PythonQtObject, offered
from standin_widgets import ctkVTKRenderView

NAMES = ("Red", "Yellow", "Green")


class _Strict:
    _slicerClass = ""

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("_") and name not in offered(type(self)._slicerClass):
            raise AttributeError(f"{type(self)._slicerClass} has no attribute '{name}' in Slicer")
        return super().__getattribute__(name)


class SliceView(_Strict):
    _slicerClass = "qMRMLSliceView"

    def __init__(self) -> None:
        import vtk

        self._interactor = vtk.vtkGenericRenderWindowInteractor()

    def interactor(self) -> Any:
        return self._interactor


class SliceController(_Strict):
    _slicerClass = "qMRMLSliceControllerWidget"

    def fitSliceToBackground(self) -> None: ...


class SliceWidget(_Strict):
    _slicerClass = "qMRMLSliceWidget"

    def __init__(self) -> None:
        self._view, self._controller = SliceView(), SliceController()

    def sliceView(self) -> Any:
        return self._view

    def sliceController(self) -> Any:
        return self._controller


class qSlicerSingletonViewFactory(_Strict):
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


class LayoutManager(_Strict):
    """``slicer.app.layoutManager()``."""

    _slicerClass = "qSlicerLayoutManager"

    def __init__(self) -> None:
        import slicer

        self._logic = slicer.vtkMRMLLayoutLogic()
        self._factories: dict[str, Any] = {}
        self._slices = {name: SliceWidget() for name in NAMES}
        self._window: QtWidgets.QWidget | None = None
        self.layout = 3

    def _follow(self, scene: Any) -> None:
        self._logic.SetMRMLScene(scene)
        self._scene = scene
        if scene is None:
            return
        for name in NAMES:
            self._add_views(name)
        scene.AddObserver("EndCloseEvent", lambda caller, event: [self._add_views(name) for name in NAMES])

    def _add_views(self, name: str) -> None:
        import slicer

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

    def layoutLogic(self) -> Any:
        return self._logic

    def setLayout(self, number: int) -> None:
        assert self._logic.GetLayoutNode().IsLayoutDescription(number), f"layout {number} is not described"
        self._logic.GetLayoutNode().SetViewArrangement(number)
        self.layout = number

    def sliceWidget(self, name: str) -> Any:
        return self._slices.get(name)

    def sliceViewNames(self) -> list[str]:
        return list(NAMES)

    def registerViewFactory(self, factory: Any) -> None:
        assert factory.tagName() and factory.widget() is not None
        self._factories[factory.tagName()] = factory


def set_layers(background: Any = None, **_others: Any) -> None:
    """``slicer.util.setSliceViewerLayers``."""
    import slicer

    for name in NAMES:
        composite = slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceCompositeNode{name}")
        if composite:
            composite.SetBackgroundVolumeID(background.GetID() if background else None)


def build(description: str, views: dict[str, QtWidgets.QWidget]) -> QtWidgets.QWidget:
    """The layout's widget from its XML, each view taken from ``views`` by tag or singleton tag."""
    return _item(ElementTree.fromstring(description), views)


def _item(element: Element, views: dict[str, QtWidgets.QWidget]) -> QtWidgets.QWidget:
    if element.tag == "view":
        return views[element.get("class", "") + element.get("singletontag", "")]
    if element.tag != "layout":
        return views[element.tag]
    split = QtWidgets.QSplitter(QtCore.Qt.Horizontal if element.get("type") == "horizontal" else QtCore.Qt.Vertical)
    sizes = []
    for item in element:
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
