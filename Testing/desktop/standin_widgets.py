"""Slicer's own widgets as far as the panel uses them: their real API, a plain PySide6 body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets
from shiboken6 import isValid
from standin_qt import API, PythonQtObject, QtNamespace, chain, properties, qt_class

PAINTED = {"views": False}  # whether render views are rendered: for pictures; tests look at what was given to them
TYPES = {"bool": bool, "int": int, "double": float, "QString": str}


def _stored(name: str, default: Any) -> QtCore.Property:
    def read(self: Any) -> Any:
        return self._values.get(name, default)

    def write(self: Any, value: Any) -> None:
        self._values[name] = value
        hook: Callable | None = getattr(type(self), f"_set_{name}", None)
        if hook:
            hook(self, value)

    return QtCore.Property("QVariant", read, write)


def slicer_widget(**defaults: Any) -> Callable[[type], type]:
    """Make a class of the same name as one of Slicer's: its properties are stored, ``_set_<name>`` hears a change."""

    def make(body: type) -> type:
        name = body.__name__
        plain = qt_class(chain(name)[-1])
        members = {k: v for k, v in vars(body).items() if k not in ("__dict__", "__weakref__")}
        for prop in properties(name):
            if prop not in members and not hasattr(plain, prop):
                members[prop] = _stored(prop, defaults.get(prop, ""))
        build = members.get("_build")

        def __init__(self: Any, parent: QtWidgets.QWidget | None = None) -> None:
            plain.__init__(self, parent)
            object.__getattribute__(self, "__dict__").setdefault("_values", {})
            if build:
                build(self)

        members["__init__"] = __init__
        members["_slicerClass"] = name
        made = type(name, (PythonQtObject, plain), members)
        QtNamespace.loader_classes[name] = made
        return made

    return make


def _fill(widget: QtWidgets.QWidget, *children: QtWidgets.QWidget) -> None:
    layout = QtWidgets.QHBoxLayout(widget)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(3)
    for child in children:
        layout.addWidget(child)


@slicer_widget()
class qMRMLWidget:
    mrmlSceneChanged = QtCore.Signal(object)

    def _build(self) -> None:
        self._scene = None

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
        for child in QtWidgets.QWidget.findChildren(self, QtWidgets.QWidget):
            if isinstance(child, PythonQtObject) and hasattr(type(child), "setMRMLScene"):
                child.setMRMLScene(scene)
        self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self) -> Any:
        return self._scene


@slicer_widget(
    noneEnabled=False, addEnabled=True, removeEnabled=True, renameEnabled=False, noneDisplay="None", nodeTypes=[]
)
class qMRMLNodeComboBox:
    """Follows the scene like the real one: new nodes appear, a removed one is unselected."""

    currentNodeChanged = QtCore.Signal(object)
    currentNodeIDChanged = QtCore.Signal(str)

    def _build(self) -> None:
        self._scene, self._tags, self._filling, self._current = None, [], False, ""
        self._box = QtWidgets.QComboBox()
        _fill(self, self._box)
        self._box.currentIndexChanged.connect(self._chosen)

    def setMRMLScene(self, scene: Any) -> None:
        import slicer

        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._scene = scene
        kind = slicer.vtkMRMLScene
        events = (kind.NodeAddedEvent, kind.NodeRemovedEvent, kind.EndCloseEvent)
        self._tags = [scene.AddObserver(event, self._refill) for event in events] if scene else []
        self._refill()

    def _ids(self) -> list[str]:
        ids = [""] if self.noneEnabled else []
        for kind in self.nodeTypes:
            nodes = self._scene.GetNodesByClass(kind)
            nodes.UnRegister(None)
            ids += [
                nodes.GetItemAsObject(i).GetID()
                for i in range(nodes.GetNumberOfItems())
                if not nodes.GetItemAsObject(i).GetHideFromEditors()
            ]
        return ids

    def _refill(self, *_ignored: Any) -> None:
        if self._scene is None:
            return
        self._filling = True
        ids = self._ids()
        self._box.clear()
        for node_id in ids:
            self._box.addItem(self._scene.GetNodeByID(node_id).GetName() if node_id else self.noneDisplay, node_id)
        before = self._current
        self._current = before if before in ids else (ids[0] if ids else "")
        if self._current in ids:
            self._box.setCurrentIndex(ids.index(self._current))
        self._filling = False
        if self._current != before:
            self._tell()

    def _chosen(self, index: int) -> None:
        if self._filling or index < 0:
            return
        self._current = self._box.itemData(index) or ""
        self._tell()

    def _tell(self) -> None:
        self.currentNodeChanged.emit(self.currentNode())

    def currentNode(self) -> Any:
        return self._scene.GetNodeByID(self._current) if self._scene and self._current else None

    def setCurrentNode(self, node: Any) -> None:
        wanted = node.GetID() if node else ""
        if wanted == self._current:
            return
        index = self._box.findData(wanted)
        if index >= 0:
            self._box.setCurrentIndex(index)
            if self._current != wanted:
                self._current = wanted
                self._tell()

    def _set_nodeTypes(self, value: Any) -> None:
        self._refill()

    _set_noneEnabled = _set_noneDisplay = _set_nodeTypes


@slicer_widget(collapsed=False)
class ctkCollapsibleButton:
    contentsCollapsed = QtCore.Signal(bool)
    HEADER = 24

    def _build(self) -> None:
        QtWidgets.QWidget.setContentsMargins(self, 0, type(self).HEADER, 0, 0)
        QtWidgets.QWidget.setSizePolicy(self, QtWidgets.QSizePolicy.Preferred, QtWidgets.QSizePolicy.Preferred)

    def _set_collapsed(self, value: bool) -> None:
        for child in QtWidgets.QWidget.findChildren(self, QtWidgets.QWidget, options=QtCore.Qt.FindDirectChildrenOnly):
            QtWidgets.QWidget.setVisible(child, not value)
        QtWidgets.QWidget.setMaximumHeight(self, type(self).HEADER if value else 16777215)
        QtWidgets.QWidget.updateGeometry(self)
        self.contentsCollapsed.emit(bool(value))

    def sizeHint(self) -> QtCore.QSize:
        if self._values.get("collapsed"):
            return QtCore.QSize(120, type(self).HEADER)
        layout = QtWidgets.QWidget.layout(self)
        size = layout.totalSizeHint() if layout else QtCore.QSize(120, type(self).HEADER)
        return size

    def minimumSizeHint(self) -> QtCore.QSize:
        layout = QtWidgets.QWidget.layout(self)
        if self._values.get("collapsed") or layout is None:
            return QtCore.QSize(60, type(self).HEADER)
        return layout.totalMinimumSize()

    def paintEvent(self, event: Any) -> None:
        painter = QtGui.QPainter(self)
        header = QtCore.QRect(0, 0, QtWidgets.QWidget.width(self), type(self).HEADER - 3)
        painter.fillRect(header, QtGui.QColor("#dcdcdc"))
        sign = "\u25b8" if self._values.get("collapsed") else "\u25be"
        text = f"{sign}  {QtWidgets.QAbstractButton.text(self)}"
        painter.drawText(header.adjusted(6, 0, 0, 0), QtCore.Qt.AlignVCenter, text)
        painter.end()


@slicer_widget(currentPath="", nameFilters=[])
class ctkPathLineEdit:
    currentPathChanged = QtCore.Signal(str)
    validInputChanged = QtCore.Signal(bool)
    Files, Dirs = 1, 2

    def _build(self) -> None:
        self._edit = QtWidgets.QLineEdit()
        browse = QtWidgets.QToolButton()
        browse.setText("...")
        _fill(self, self._edit, browse)
        self._edit.textChanged.connect(self._typed)

    def _typed(self, text: str) -> None:
        self._values["currentPath"] = text
        self.currentPathChanged.emit(text)

    def _set_currentPath(self, value: str) -> None:
        self._edit.setText(value)  # as CTK's does, also where nothing changes: the cursor goes to the end

    def setCurrentPath(self, value: str) -> None:
        self.currentPath = value

    def addCurrentPathToHistory(self) -> None: ...


@slicer_widget(minimum=0.0, maximum=99.0, value=0.0, decimals=2, singleStep=1.0, suffix="")
class ctkSliderWidget:
    valueChanged = QtCore.Signal(float)
    valueIsChanging = QtCore.Signal(float)

    def _build(self) -> None:
        self._slider = QtWidgets.QSlider(QtCore.Qt.Horizontal)
        self._slider.setRange(0, 1000)
        self._spin = QtWidgets.QDoubleSpinBox()
        self._spin.setRange(-1e9, 1e9)
        self._busy = False
        _fill(self, self._slider, self._spin)
        self._slider.valueChanged.connect(self._slid)
        self._spin.valueChanged.connect(lambda value: None if self._busy else self.setValue(value))

    def _slid(self, at: int) -> None:
        if not self._busy:
            low, high = self.minimum, self.maximum
            self.setValue(low + (high - low) * at / 1000)

    def _set_minimum(self, value: float) -> None:
        self.setValue(max(self.value, value))

    def _set_maximum(self, value: float) -> None:
        self.setValue(min(self.value, value))

    def _set_decimals(self, value: int) -> None:
        self._spin.setDecimals(int(value))

    def _set_singleStep(self, value: float) -> None:
        self._spin.setSingleStep(value)

    def _set_suffix(self, value: str) -> None:
        self._spin.setSuffix(value)

    def _set_value(self, value: float) -> None:
        value = round(min(max(float(value), self.minimum), self.maximum), int(self.decimals))
        changed, self._values["value"] = value != self._values.get("shown"), value
        self._values["shown"] = value
        self._busy = True
        span = self.maximum - self.minimum
        self._slider.setValue(round(1000 * (value - self.minimum) / span) if span else 0)
        self._spin.setValue(value)
        self._busy = False
        if changed:
            self.valueChanged.emit(value)

    def setValue(self, value: float) -> None:
        self.value = value


@slicer_widget(renderEnabled=True, orientationWidgetVisible=True)
class ctkVTKRenderView:
    """A real VTK window, off the screen; what it rendered is painted. As in CTK it shows an XYZ marker at first."""

    def _build(self) -> None:
        import vtk

        self._window = vtk.vtkRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.AddRenderer(vtk.vtkRenderer())
        self._interactor = vtk.vtkGenericRenderWindowInteractor()
        self._interactor.SetRenderWindow(self._window)
        self._scheduled, self._pixels, self._renders = False, None, 0
        QtWidgets.QWidget.setMinimumSize(self, 60, 60)

    def renderWindow(self) -> Any:
        return self._window

    def interactor(self) -> Any:
        return self._interactor

    def scheduleRender(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            QtCore.QTimer.singleShot(0, self.forceRender)

    def forceRender(self) -> None:
        import vtk
        from vtk.util.numpy_support import vtk_to_numpy

        if not isValid(self):
            return
        self._scheduled = False
        if (
            not PAINTED["views"]
            or not QtWidgets.QWidget.isVisible(self)
            or self._window.GetRenderers().GetNumberOfItems() == 0
        ):
            return
        size = QtWidgets.QWidget.size(self)
        self._window.SetSize(max(size.width(), 1), max(size.height(), 1))
        self._window.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self._window)
        grab.ReadFrontBufferOff()
        grab.ShouldRerenderOff()
        grab.Update()
        image = grab.GetOutput()
        columns, rows, _ = image.GetDimensions()
        self._pixels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(rows, columns, 3)[::-1].copy()
        self._renders += 1
        QtWidgets.QWidget.update(self)

    def resizeEvent(self, event: Any) -> None:
        size = event.size()
        self._window.SetSize(max(size.width(), 1), max(size.height(), 1))
        self._interactor.UpdateSize(max(size.width(), 1), max(size.height(), 1))
        self._window.InvokeEvent("WindowResizeEvent")
        self.scheduleRender()

    def showEvent(self, event: Any) -> None:
        self.scheduleRender()

    def paintEvent(self, event: Any) -> None:
        painter = QtGui.QPainter(self)
        if self._pixels is None:
            painter.fillRect(event.rect(), QtGui.QColor("#ffffff"))
        else:
            rows, columns, _ = self._pixels.shape
            data, line = self._pixels.data, 3 * columns
            painter.drawImage(0, 0, QtGui.QImage(data, columns, rows, line, QtGui.QImage.Format_RGB888))
        painter.end()


class _TableModel(QtCore.QAbstractTableModel):
    """As qMRMLTableModel: without UseColumnTitleAsColumnHeader the headers are letters, the names an ordinary row."""

    def __init__(self, node: Any) -> None:
        super().__init__()
        self.node = node

    @property
    def _titled(self) -> bool:
        return self.node.GetUseColumnTitleAsColumnHeader()

    def rowCount(self, parent: Any = None) -> int:
        return self.node.GetNumberOfRows() + (not self._titled) if self.node else 0

    def columnCount(self, parent: Any = None) -> int:
        return self.node.GetNumberOfColumns() if self.node else 0

    def data(self, index: Any, role: int = 0) -> Any:
        if role != QtCore.Qt.DisplayRole:
            return None
        row = index.row() - (not self._titled)
        return self.node.GetColumnName(index.column()) if row < 0 else self.node.GetCellText(row, index.column())

    def headerData(self, section: int, orientation: Any, role: int = 0) -> Any:
        if self.node and role == QtCore.Qt.DisplayRole and orientation == QtCore.Qt.Horizontal:
            return self.node.GetColumnTitle(self.node.GetColumnName(section)) if self._titled else chr(65 + section)
        return None

    def flags(self, index: Any) -> Any:
        """qMRMLTableModel's items can be edited unless the node is locked."""
        flags = super().flags(index)
        return flags if self.node.GetLocked() else flags | QtCore.Qt.ItemIsEditable


@slicer_widget()
class qMRMLTableView:
    def _build(self) -> None:
        self._node, self._tag, self._model = None, None, None

    def setMRMLScene(self, scene: Any) -> None: ...

    def setMRMLTableNode(self, node: Any) -> None:
        if self._node is not None:
            self._node.RemoveObserver(self._tag)
        self._node = node
        self._tag = node.AddObserver("ModifiedEvent", self._changed) if node else None
        self._model = _TableModel(node)
        QtWidgets.QTableView.setModel(self, self._model)

    def _changed(self, *_ignored: Any) -> None:
        self._model.beginResetModel()
        self._model.endResetModel()

    def mrmlTableNode(self) -> Any:
        return self._node


for _name in ("qMRMLWidget", "qMRMLNodeComboBox"):
    assert _name in API
