"""``slicer.parameterNodeWrapper`` as far as the module uses it: typed attributes in a real MRML node, bound to widgets.

Values are kept as strings in the node's parameters and nodes as its node references, so they are saved with the
scene. Only the pairs of widget and type that Slicer itself connects are accepted.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import vtk


@dataclass(frozen=True)
class Choice:
    choices: list


@dataclass(frozen=True)
class WithinRange:
    minimum: float
    maximum: float


@dataclass(frozen=True)
class Minimum:
    minimum: float


@dataclass(frozen=True)
class Decimals:
    value: int


@dataclass(frozen=True)
class SingleStep:
    value: float


@dataclass(frozen=True)
class Default:
    value: Any


RESERVED = {
    "allParameters", "default", "isCached", "dataType", "getValue", "setValue", "connectGui", "connectParametersToGui",
    "disconnectGui", "StartModify", "EndModify", "AddObserver", "RemoveObserver", "Modified",
}  # fmt: skip


class _Parameter:
    def __init__(self, name: str, annotation: Any, default: Any) -> None:
        self.name = name
        self.kind = typing.get_args(annotation)[0] if typing.get_origin(annotation) is typing.Annotated else annotation
        self.notes = typing.get_args(annotation)[1:] if self.kind is not annotation else ()
        self.is_node = isinstance(self.kind, type) and self.kind.__name__.startswith("vtkMRML")
        if self.kind not in (str, bool, int, float) and not self.is_node:
            raise TypeError(f"parameter {name} is of no type the stand-in can store: {self.kind}")
        choice = self.note(Choice)
        span = self.note(WithinRange)
        empty = choice.choices[0] if choice else span.minimum if span else None if self.is_node else self.kind()
        self.default = empty if default is ... else default

    def note(self, kind: type) -> Any:
        return next((note for note in self.notes if isinstance(note, kind)), None)

    def check(self, value: Any) -> None:
        if self.is_node:
            return
        if self.kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, self.kind):
            raise TypeError(f"{self.name} is {self.kind.__name__}, not {value!r}")
        choice, span = self.note(Choice), self.note(WithinRange)
        if choice and value not in choice.choices:
            raise ValueError(f"{self.name}: {value!r} is none of {choice.choices}")
        if span and not span.minimum <= value <= span.maximum:
            raise ValueError(f"{self.name}: {value!r} is out of range")

    def read(self, node: Any) -> Any:
        if self.is_node:
            return node.GetNodeReference(self.name)
        text = node.GetParameter(self.name)
        if not node.HasParameter(self.name) if hasattr(node, "HasParameter") else False:
            return self.default
        if self.kind is bool:
            return text == "True"
        return self.kind(text) if self.kind is not str else text

    def write(self, node: Any, value: Any) -> None:
        self.check(value)
        if self.is_node:
            node.SetNodeReferenceID(self.name, value.GetID() if value else None)
        else:
            node.SetParameter(self.name, str(self.kind(value)))


class _Connector:
    """One widget and one parameter."""

    def __init__(self, widget: Any, parameter: _Parameter) -> None:
        self.widget, self.parameter = widget, parameter
        pair = type(widget).__name__, "node" if parameter.is_node else parameter.kind
        table = {
            ("QCheckBox", bool): ("stateChanged", "checked"),
            ("QPushButton", bool): ("toggled", "checked"),
            ("QSpinBox", int): ("valueChanged", "value"),
            ("QSlider", int): ("valueChanged", "value"),
            ("QDoubleSpinBox", float): ("valueChanged", "value"),
            ("ctkSliderWidget", float): ("valueChanged", "value"),
            ("QLineEdit", str): ("textChanged", "text"),
            ("QComboBox", str): ("currentIndexChanged", "currentIndex"),
            ("qMRMLNodeComboBox", "node"): ("currentNodeChanged", ""),
        }
        if pair not in table:
            raise RuntimeError(f"Unable to create GUI connector from datatype {pair[1]} to widget type {pair[0]}")
        self.signal, self.attribute = table[pair]
        self.choices = getattr(parameter.note(Choice), "choices", None)
        if pair[0] == "QComboBox":
            if self.choices is None:
                raise RuntimeError("a combo box needs a Choice")
            widget.clear()
            for choice in self.choices:
                widget.addItem(str(choice))
        if pair[0] == "qMRMLNodeComboBox":
            widget.nodeTypes = [parameter.kind.__name__]
        span = parameter.note(WithinRange)
        if pair[0] == "ctkSliderWidget" and span is None:
            raise RuntimeError("a slider needs a range")
        if parameter.note(Decimals):
            widget.decimals = parameter.note(Decimals).value
        if parameter.note(SingleStep):
            widget.singleStep = parameter.note(SingleStep).value
        if span:
            widget.minimum, widget.maximum = span.minimum, span.maximum

    def read(self) -> Any:
        if self.parameter.is_node:
            return self.widget.currentNode()
        value = getattr(self.widget, self.attribute)
        return self.choices[value] if self.choices is not None and self.attribute == "currentIndex" else value

    def write(self, value: Any) -> None:
        if self.parameter.is_node:
            self.widget.setCurrentNode(value)
        elif self.attribute == "currentIndex":
            self.widget.currentIndex = self.choices.index(value)
        elif getattr(self.widget, self.attribute) != value:
            setattr(self.widget, self.attribute, value)


def parameterNodeWrapper(cls: type) -> type:
    hints = typing.get_type_hints(cls, include_extras=True)
    parameters = {name: _Parameter(name, hint, getattr(cls, name, ...)) for name, hint in hints.items()}
    clash = (RESERVED | {"parameterNode"}) & set(parameters)
    if clash:
        raise ValueError(f"Cannot use reserved name {clash} in a parameterNodeWrapper")

    def __init__(self: Any, node: Any) -> None:
        self.parameterNode = node
        self._guis: dict[int, dict[str, _Connector]] = {}
        self._slots: dict[int, list] = {}
        self._tags: dict[int, int] = {}
        self._next, self._writing = 0, False
        for name, parameter in parameters.items():
            known = set(node.GetParameterNames())
            if not parameter.is_node and name not in known:
                parameter.write(node, parameter.default)

    def make_property(parameter: _Parameter) -> property:
        return property(
            lambda self: parameter.read(self.parameterNode),
            lambda self, value: parameter.write(self.parameterNode, value),
        )

    def update_gui(self: Any) -> None:
        if self._writing:
            return
        self._writing = True
        try:
            for connectors in self._guis.values():
                for name, connector in connectors.items():
                    connector.write(getattr(self, name))
        finally:
            self._writing = False

    def connectGui(self: Any, gui: Any) -> int:
        found: dict[str, _Connector] = {}
        for widget in vars(gui).values():
            name = widget.property("SlicerParameterName")
            if name:
                if name not in parameters:
                    raise ValueError(f"Cannot find a param with the given name: {name}")
                found[name] = _Connector(widget, parameters[name])
        tag, self._next = self._next, self._next + 1
        self._guis[tag], self._slots[tag] = found, []
        for name, connector in found.items():
            connector.write(getattr(self, name))

            def changed(*_ignored: Any, name: str = name, connector: _Connector = connector) -> None:
                if not self._writing:
                    setattr(self, name, connector.read())

            signal = getattr(connector.widget, connector.signal)
            signal.connect(changed)
            self._slots[tag].append((signal, changed))
        event = vtk.vtkCommand.ModifiedEvent
        self._tags[tag] = self.parameterNode.AddObserver(event, lambda caller, event: update_gui(self))
        return tag

    def disconnectGui(self: Any, tag: int) -> None:
        for signal, slot in self._slots.pop(tag, []):
            signal.disconnect(slot)
        self._guis.pop(tag, None)
        if tag in self._tags:
            self.parameterNode.RemoveObserver(self._tags.pop(tag))

    made: dict[str, Any] = {
        "__init__": __init__,
        "allParameters": parameters,
        "connectGui": connectGui,
        "disconnectGui": disconnectGui,
        "StartModify": lambda self: self.parameterNode.StartModify(),
        "EndModify": lambda self, before: self.parameterNode.EndModify(before),
        "AddObserver": lambda self, event, call, priority=0.0: self.parameterNode.AddObserver(event, call, priority),
        "RemoveObserver": lambda self, tag: self.parameterNode.RemoveObserver(tag),
        "Modified": lambda self: self.parameterNode.Modified(),
        **{name: make_property(parameter) for name, parameter in parameters.items()},
    }
    for name, value in made.items():
        setattr(cls, name, value)
    return cls


EXPORTED: dict[str, Callable | type] = {
    "Choice": Choice,
    "Decimals": Decimals,
    "Default": Default,
    "Minimum": Minimum,
    "SingleStep": SingleStep,
    "WithinRange": WithinRange,
    "parameterNodeWrapper": parameterNodeWrapper,
}
