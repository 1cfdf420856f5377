"""Qt as Python sees it inside Slicer, over PySide6: properties are attributes, and Slicer's classes are strict.

PythonQt gives a property as an attribute (``box.checked``, ``edit.text``) and hides a getter of the same name; it
refuses to invent attributes. A qMRML, qSlicer or ctk class offers exactly what its header declares; that list is
``slicer_api.json``, and every other name raises AttributeError here as it does there.
"""

from __future__ import annotations

import json
import types
from functools import cache
from pathlib import Path
from typing import Any

from defusedxml import ElementTree
from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

API: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "slicer_api.json").read_text(encoding="utf-8"))
_reading: set[tuple[int, str]] = set()
QT_MODULES = (QtWidgets, QtGui, QtCore)
CRASHES: list[str] = []  # what would have ended Slicer


def segfault(what: str) -> None:
    """Slicer would have died here; the fixture fails the test, also where Qt swallows the exception."""
    CRASHES.append(what)
    raise RuntimeError(f"SIGSEGV in Slicer: {what}")


@cache
def chain(name: str) -> tuple[str, ...]:
    """A Slicer class and its bases up to, and with, the first plain Qt class."""
    return (name, *chain(API[name]["base"])) if name in API else (name,)


@cache
def offered(name: str) -> frozenset[str]:
    """Every name that Python inside Slicer finds on this class."""
    *own, plain = chain(name)
    listed = {item for c in own for kind in ("properties", "methods", "signals", "enums") for item in API[c][kind]}
    meta = qt_class(plain).staticMetaObject
    inherited = {meta.property(index).name() for index in range(meta.propertyCount())}
    return frozenset(listed | inherited | set(dir(qt_class(plain))))


@cache
def properties(name: str) -> dict[str, bool]:
    """Property name -> writable, of the Slicer classes in the chain."""
    return {p: v for c in reversed(chain(name)[:-1]) for p, v in API[c]["properties"].items()}


def qt_class(name: str) -> type:
    """The PySide6 class of that name."""
    for module in QT_MODULES:
        if hasattr(module, name):
            return getattr(module, name)
    raise AttributeError(f"Qt has no {name}")


class Strict:
    """A stand-in object that offers no name which Slicer's class does not."""

    _slicerClass = ""

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("_") and name not in offered(type(self)._slicerClass) | {
            "connect",
            "disconnect",
            "testingEnabled",
        }:
            raise AttributeError(f"{type(self)._slicerClass} has no attribute '{name}' in Slicer")
        return super().__getattribute__(name)


class PythonQtObject:
    """PythonQt's attribute rules for one QObject."""

    _slicerClass = ""

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_"):
            return super().__getattribute__(name)
        if name == "name":
            return QtCore.QObject.objectName(self)
        if name in ("connect", "disconnect"):
            return getattr(PythonQtObject, name).__get__(self)
        slicerClass = type(self)._slicerClass
        if slicerClass and name not in offered(slicerClass):
            raise AttributeError(f"{slicerClass} has no attribute '{name}' in Slicer")
        if QtCore.QObject.metaObject(self).indexOfProperty(name) >= 0 and (id(self), name) not in _reading:
            _reading.add((id(self), name))  # PySide6 asks for an override of sizeHint while it reads sizeHint
            try:
                return QtCore.QObject.property(self, name)
            finally:
                _reading.discard((id(self), name))
        return super().__getattribute__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            super().__setattr__(name, value)
            return
        if Loader.loading and isinstance(value, QtCore.QObject):
            return  # PySide6 offers the form's widgets as attributes, Slicer does not
        name = "objectName" if name == "name" else name
        slicerClass = type(self)._slicerClass
        if slicerClass and name not in offered(slicerClass):
            raise AttributeError(f"{slicerClass} has no attribute '{name}' in Slicer")
        meta = QtCore.QObject.metaObject(self)
        index = meta.indexOfProperty(name)
        if index < 0 or not meta.property(index).isWritable():
            raise AttributeError(f"{type(self).__name__}.{name} cannot be set in Slicer")
        if slicerClass and not properties(slicerClass).get(name, True):
            raise AttributeError(f"{slicerClass}.{name} is read only in Slicer")
        if not QtCore.QObject.setProperty(self, name, value) and slicerClass == "":
            raise TypeError(f"{type(self).__name__}.{name} does not take {value!r}")

    def _signal(self, signature: str) -> Any:
        name = signature.partition("(")[0]
        slicerClass = type(self)._slicerClass
        if slicerClass and name in {s for c in chain(slicerClass)[:-1] for s in API[c]["signals"]}:
            return super().__getattribute__(name)
        normal = bytes(QtCore.QMetaObject.normalizedSignature(signature).data()).decode()
        if QtCore.QObject.metaObject(self).indexOfSignal(normal) < 0:
            raise ValueError(f"{type(self).__name__} has no signal {signature}")
        return super().__getattribute__(name)

    def connect(self, signature: str, slot: Any) -> bool:
        self._signal(signature).connect(slot)
        return True

    def disconnect(self, signature: str, slot: Any) -> bool:
        self._signal(signature).disconnect(slot)
        return True


@cache
def python_qt(name: str) -> type:
    """A plain Qt class with PythonQt's rules; anything that is no QObject as PySide6 has it."""
    plain = qt_class(name)
    if not (isinstance(plain, type) and issubclass(plain, QtCore.QObject)):
        return plain
    if issubclass(plain, QtCore.QCoreApplication):
        return plain
    return type(name, (PythonQtObject, plain), {})


class QtNamespace(types.ModuleType):
    """``import qt``."""

    loader_classes: dict[str, type] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name == "QUiLoader":
            return Loader
        return python_qt(name)


class Loader(QtUiTools.QUiLoader):
    """Makes Slicer's widgets and PythonQt-like plain ones out of a form."""

    loading = False

    def createWidget(self, className: str, parent: QtWidgets.QWidget | None = None, name: str = "") -> Any:
        made = QtNamespace.loader_classes.get(className)
        if made is None:
            if className in ("Line",):
                return super().createWidget(className, parent, name)
            made = python_qt(className)
        widget = made(parent)
        QtCore.QObject.setObjectName(widget, name)
        return widget

    def load(self, file: Any, parent: QtWidgets.QWidget | None = None) -> Any:
        """Without the form's connections and its properties of Slicer's own flag types: PySide6 knows neither."""
        form = ElementTree.fromstring(bytes(file.readAll()))
        for connections in form.findall("connections"):
            form.remove(connections)
        for widget in form.iter("widget"):
            for prop in widget.findall("property"):
                if prop.findtext("set", "").startswith("ctk"):
                    widget.remove(prop)
        buffer = QtCore.QBuffer()
        buffer.setData(ElementTree.tostring(form))
        buffer.open(QtCore.QIODevice.ReadOnly)
        Loader.loading = True
        try:
            return super().load(buffer, parent)
        finally:
            Loader.loading = False
