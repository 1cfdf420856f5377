"""As much of Slicer's desktop as the module's logic needs, over the real MRML scene of slicer-core.

Stood in for: Qt, the application, the scripted-module base classes, translation and the parameter node wrapper. Real:
the scene, its nodes, segmentation and volume logic, and ``slicer.util``'s array functions.
"""

from __future__ import annotations

import importlib
import sys
import types
import unittest
from collections.abc import Iterator
from pathlib import Path

import pytest

MODULE_FOLDER = Path(__file__).resolve().parents[2] / "ScarSegECG"


class StandInModule:
    """Base of the module class: only its class attributes matter without an application."""

    def __init__(self, parent: object) -> None:
        self.parent = parent


class StandInLogic:
    """Keeps one parameter node per scene, as Slicer does."""

    def getParameterNode(self) -> object:
        import slicer

        node = slicer.mrmlScene.GetSingletonNode("ScarSegECG", "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.vtkMRMLScriptedModuleNode()
            node.SetSingletonTag("ScarSegECG")
            node = slicer.mrmlScene.AddNode(node)
        return node


class StandInTest(unittest.TestCase):
    """Base of the module's self-test."""

    def runTest(self) -> None: ...

    def delayDisplay(self, message: str) -> None: ...


def stand_in_wrapper(cls: type) -> type:
    """Attributes with the class's defaults; node types start as None. Nothing is serialised."""

    def __init__(self: object, node: object) -> None:
        self.parameterNode = node
        for name in cls.__annotations__:
            setattr(self, name, getattr(cls, name, None))

    cls.__init__ = __init__
    return cls


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[types.ModuleType]:
    """The Slicer module's main script, imported fresh over an empty scene."""
    pytest.importorskip("vtk", reason="needs VTK: pip install '.[test]'")
    slicer = pytest.importorskip("slicer", reason="needs slicer-core: pip install '.[test]'")
    if not hasattr(slicer, "vtkMRMLScene"):
        pytest.skip("needs slicer-core: pip install '.[test]'")
    import slicer.util

    scene = slicer.vtkMRMLScene()
    segmentations = slicer.vtkSlicerSegmentationsModuleLogic()
    segmentations.SetMRMLScene(scene)
    volumes = slicer.vtkSlicerVolumesLogic()
    volumes.SetMRMLScene(scene)
    folder = iter(range(1000))

    def temporary(key: str = "") -> str:
        path = tmp_path / f"{key}{next(folder)}"
        path.mkdir()
        return str(path)

    monkeypatch.setattr(slicer, "mrmlScene", scene, raising=False)
    monkeypatch.setattr(
        slicer,
        "modules",
        types.SimpleNamespace(
            segmentations=types.SimpleNamespace(logic=lambda: segmentations),
            volumes=types.SimpleNamespace(logic=lambda: volumes),
        ),
        raising=False,
    )
    monkeypatch.setattr(slicer.util, "tempDirectory", temporary)
    stand_ins = {
        "qt": {},
        "slicer.i18n": {"tr": lambda text: text, "translate": lambda context, text: text},
        "slicer.parameterNodeWrapper": {"Choice": list, "parameterNodeWrapper": stand_in_wrapper},
        "slicer.ScriptedLoadableModule": {
            "ScriptedLoadableModule": StandInModule,
            "ScriptedLoadableModuleLogic": StandInLogic,
            "ScriptedLoadableModuleTest": StandInTest,
            "ScriptedLoadableModuleWidget": StandInModule,
        },
    }
    for name, content in stand_ins.items():
        stand_in = types.ModuleType(name)
        vars(stand_in).update(content)
        monkeypatch.setitem(sys.modules, name, stand_in)
    monkeypatch.syspath_prepend(str(MODULE_FOLDER))
    ours = [name for name in sys.modules if name == "ScarSegECG" or name.startswith("ScarSegECGPanel")]
    for name in ours:
        monkeypatch.delitem(sys.modules, name)
    yield importlib.import_module("ScarSegECG")
    for name in [name for name in sys.modules if name == "ScarSegECG" or name.startswith("ScarSegECGPanel")]:
        sys.modules.pop(name)
    scene.Clear(1)
