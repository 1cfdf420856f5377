"""Slicer's application round the module, over the real MRML scene of slicer-core and PySide6.

Real: the scene, its nodes and logic, ``slicer.util``'s functions on arrays, forms and observers. Stood in for: the Qt
application, layout and module managers, the scripted-module base classes, translation and message boxes.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import sys
import types
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import standin_editor
import standin_parameters
import standin_views
import standin_widgets
from packaging.requirements import Requirement
from PySide6 import QtCore, QtWidgets
from standin_qt import CRASHES, QtNamespace, Strict, python_qt

MODULE_FOLDER = Path(__file__).resolve().parents[2] / "ScarSegECG"
OURS = ("ScarSegECG", "ScarSegECGPanel")


class Database(Strict):
    """A DICOM database of a few made-up headers: instance UID -> (path, tags)."""

    _slicerClass = "ctkDICOMDatabase"

    def __init__(self) -> None:
        self._instances: dict[str, tuple[str, dict[str, str]]] = {}
        self.isOpen = True

    def instanceValue(self, uid: str, tag: str) -> str:
        return self._instances.get(uid, ("", {}))[1].get(tag, "")

    def fileForInstance(self, uid: str) -> str:
        return self._instances[uid][0]

    def fileValue(self, path: str, tag: str) -> str:
        return next((tags.get(tag, "") for at, tags in self._instances.values() if at == path), "")

    def _of(self, tag: str, value: str, wanted: str) -> list[str]:
        found = [tags.get(wanted, "") for _path, tags in self._instances.values() if tags.get(tag) == value]
        return list(dict.fromkeys(found))

    def seriesForFile(self, path: str) -> str:
        return self.fileValue(path, "0020,000e")

    def studyForSeries(self, series: str) -> str:
        return self._of("0020,000e", series, "0020,000d")[0]

    def patientForStudy(self, study: str) -> str:
        return self._of("0020,000d", study, "0010,0020")[0]

    def studiesForPatient(self, patient: str) -> list[str]:
        return self._of("0010,0020", patient, "0020,000d")

    def seriesForStudy(self, study: str) -> list[str]:
        return self._of("0020,000d", study, "0020,000e")

    def filesForSeries(self, series: str) -> list[str]:
        return [path for path, tags in self._instances.values() if tags.get("0020,000e") == series]


class ModuleManager(Strict):
    _slicerClass = "qSlicerModuleManager"

    def connect(self, signal: str, slot: Any) -> bool:
        return True


class Application(Strict):
    """``slicer.app``."""

    _slicerClass = "qSlicerApplication"

    def __init__(self, folder: Path) -> None:
        self._layoutManager = standin_views.LayoutManager()
        self._database = Database()
        self._modules = ModuleManager()
        self._startup: list[Any] = []
        self.temporaryPath = str(folder)
        self.slicerUserSettingsFilePath = str(folder / "settings" / "Slicer.ini")

    def connect(self, signal: str, slot: Any) -> bool:
        assert signal == "startupCompleted()"
        self._startup.append(slot)
        return True

    def _startupCompleted(self) -> None:
        for slot in self._startup:
            slot()

    def processEvents(self) -> None:
        QtWidgets.QApplication.processEvents()
        QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.DeferredDelete)

    def layoutManager(self) -> Any:
        return self._layoutManager

    def moduleManager(self) -> Any:
        return self._modules

    def dicomDatabase(self) -> Any:
        return self._database

    def testingEnabled(self) -> bool:
        return True

    def setOverrideCursor(self, cursor: Any) -> None: ...

    def restoreOverrideCursor(self) -> None: ...


class ModuleParent(types.SimpleNamespace):
    """What a module's class gets as parent."""

    def __init__(self, path: str) -> None:
        self.path = path


class ModuleWidget(standin_widgets.qMRMLWidget):
    """qSlicerScriptedLoadableModuleWidget as far as a module sees its parent."""

    _slicerClass = "qSlicerScriptedLoadableModuleWidget"
    isEntered = QtCore.Property("QVariant", lambda self: self._values.get("entered", False))

    def self(self) -> Any:
        return self._values["desktop"].panel

    def reload(self) -> None:
        """Make the panel anew from the module as it is now."""
        self._values["desktop"]._make()


class ScriptedModule:
    def __init__(self, parent: Any) -> None:
        self.parent = parent


class ScriptedWidget:
    def __init__(self, parent: Any = None) -> None:
        self.parent = parent
        self.layout = QtWidgets.QWidget.layout(parent)

    def resourcePath(self, name: str) -> str:
        return str(MODULE_FOLDER / "Resources" / name)

    def setup(self) -> None: ...

    def cleanup(self) -> None: ...

    def onReload(self) -> None:
        import slicer.util

        slicer.util.reloadScriptedModule("ScarSegECG")  # Slicer's own


class ScriptedLogic:
    """Keeps one parameter node per scene, as Slicer does."""

    def __init__(self, parent: Any = None) -> None: ...

    def getParameterNode(self) -> Any:
        import slicer

        node = slicer.mrmlScene.GetSingletonNode("ScarSegECG", "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.vtkMRMLScriptedModuleNode()
            node.SetSingletonTag("ScarSegECG")
            node.SetAttribute("ModuleName", "ScarSegECG")
            node = slicer.mrmlScene.AddNode(node)
        return node


class ScriptedTest(unittest.TestCase):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

    def runTest(self) -> None: ...

    def delayDisplay(self, message: str, msec: int = 0) -> None:
        logging.info(message)


class Packaging(types.ModuleType):
    """``slicer.packaging``: what is missing can be set, what is installed is noted."""

    def __init__(self) -> None:
        super().__init__("slicer.packaging")
        self.missing: set[str] = set()
        self.installed: list[Any] = []
        self.fails: Exception | None = None
        self.constraints: list[str] = []

    def load_requirements(self, path: Any) -> list[Requirement]:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        return [Requirement(line) for line in lines if line and not line.startswith("#")]

    def pip_check(self, requirement: Any) -> bool:
        return str(requirement) not in self.missing

    def pip_ensure(self, requirements: Any, constraints: Any = None, requester: str | None = None) -> None:
        wanted = [str(r) for r in requirements if not self.pip_check(r)]
        self._install(wanted, wanted, constraints)

    def pip_install(self, requirements: Any, constraints: Any = None, requester: str | None = None) -> None:
        self._install(list(requirements), [list(requirements)], constraints)

    def _install(self, wanted: list[str], noted: list, constraints: Any) -> None:
        if wanted and self.fails:
            raise self.fails
        self.installed += noted
        self.constraints = Path(constraints).read_text(encoding="utf-8").splitlines()
        self.missing -= set(wanted)


class SampleData:
    """SampleDataLogic: keeps what modules register, by sample name."""

    def __init__(self) -> None:
        self.sources: dict[str, dict[str, Any]] = {}

    def registerCustomSampleDataSource(self, **source: Any) -> None:
        self.sources[source["sampleName"]] = source


class Desktop:
    """Slicer with the module's panel open in it.

    >>> with desktop(tmp_path) as slicerDesktop:
    ...     slicerDesktop.panel.ui.sampleButton.click()
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []  # error and info boxes
        self.asked: list[str] = []
        self.answer = True
        self.packaging = Packaging()
        self.sampleData = SampleData()
        self._library: dict[str, types.ModuleType] | None = None

    def open(self) -> None:
        """Make the module's widget and enter it."""
        import slicer

        module = importlib.import_module("ScarSegECG")
        module.ScarSegECG(ModuleParent(str(MODULE_FOLDER / "ScarSegECG.py")))
        slicer.app._startupCompleted()
        self.parent = ModuleWidget()
        self.parent._values["desktop"] = self
        QtWidgets.QWidget.setWindowTitle(self.parent, "ScarSegECG")
        layout = QtWidgets.QVBoxLayout(self.parent)
        layout.setContentsMargins(4, 4, 4, 4)
        slicer.modules.scarsegecg = types.SimpleNamespace(
            path=str(MODULE_FOLDER / "ScarSegECG.py"), widgetRepresentation=lambda: self.parent
        )
        self._make()
        self.enter()

    def _make(self) -> None:
        import slicer

        self.module = sys.modules["ScarSegECG"]
        self.panel = slicer.modules.ScarSegECGWidget = self.module.ScarSegECGWidget(self.parent)
        self.panel.setup()

    def enter(self) -> None:
        self.parent._values["entered"] = True
        self.panel.enter()

    def exit(self) -> None:
        self.parent._values["entered"] = False
        self.panel.exit()

    def close(self) -> None:
        self.exit()
        self.panel.cleanup()
        QtWidgets.QWidget.hide(self.parent)
        self.parent.setMRMLScene(None)
        self.parent.deleteLater()
        QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.DeferredDelete)

    def reload(self) -> None:
        """Press "Reload"; the library that other tests have imported comes back at the end."""
        if self._library is None:
            self._library = _loaded("ScarSegECGLib")
        self.panel.onReload()

    def restoreLibrary(self) -> None:
        if self._library is not None:
            for name in _loaded("ScarSegECGLib"):
                del sys.modules[name]
            sys.modules.update(self._library)

    def newScene(self) -> Any:
        return _scene()


def forget() -> None:
    for name in _loaded(*OURS):
        del sys.modules[name]


def _loaded(*packages: str) -> dict[str, types.ModuleType]:
    return {name: module for name, module in sys.modules.items() if name.partition(".")[0] in packages}


def _scene() -> Any:
    import slicer

    return slicer.vtkMRMLScene()


@contextlib.contextmanager
def desktop(folder: Path) -> Iterator[Desktop]:
    """Slicer's names in place, a fresh scene, the panel open; everything as before afterwards."""
    import slicer
    import slicer.util

    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
    application.setStyle("Fusion")
    CRASHES.clear()
    made = Desktop(folder)
    made.mainWindow = python_qt("QMainWindow")()
    scene = slicer.vtkMRMLScene()
    cache = slicer.vtkCacheManager()
    cache.SetRemoteCacheDirectory(str(folder))
    cache.SetMRMLScene(scene)
    scene.SetCacheManager(cache)
    io = slicer.vtkDataIOManager()
    io.SetCacheManager(cache)
    scene.SetDataIOManager(io)
    selection = slicer.vtkMRMLSelectionNode()
    selection.SetSingletonTag("Singleton")
    scene.AddNode(selection)
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene)
    logics = {
        name: getattr(slicer, kind)()
        for name, kind in (
            ("segmentations", "vtkSlicerSegmentationsModuleLogic"),
            ("volumes", "vtkSlicerVolumesLogic"),
            ("markups", "vtkSlicerMarkupsLogic"),
            ("tables", "vtkSlicerTablesLogic"),
            ("cameras", "vtkSlicerCamerasModuleLogic"),
        )
    }
    colours = slicer.vtkMRMLColorLogic()
    colours.SetMRMLScene(scene)
    application_logic = slicer.vtkMRMLApplicationLogic()
    application_logic.SetMRMLScene(scene)
    application_logic.SetColorLogic(colours)
    application_logic.SetModuleLogic("Colors", colours)
    application_logic.SetModuleLogic("Markups", logics["markups"])
    for logic in logics.values():
        logic.SetMRMLApplicationLogic(application_logic)
        logic.SetMRMLScene(scene)
    made.applicationLogic = application_logic
    scene.AddNewNodeByClass("vtkMRMLCrosshairNode").SetSingletonTag("default")
    qt = QtNamespace("qt")
    ctk = types.ModuleType("ctk")
    for name, kind in QtNamespace.loader_classes.items():
        setattr(ctk if name.startswith("ctk") else slicer, name, kind)
    slicer.qSlicerSingletonViewFactory = standin_views.qSlicerSingletonViewFactory
    counter = iter(range(10000))

    def temporary(key: str = "", *_ignored: Any, **_also: Any) -> str:
        path = folder / f"{key}{next(counter)}"
        path.mkdir(parents=True)
        return str(path)

    def tell(text: str, *_ignored: Any, **_also: Any) -> None:
        made.said.append("\n".join([text, _also.get("detailedText", "")]))

    def ask(text: str, *_ignored: Any, **_also: Any) -> bool:
        made.asked.append(text)
        return made.answer

    stand_ins = {
        "qt": qt,
        "ctk": ctk,
        "slicer.packaging": made.packaging,
        "SampleData": _module("SampleData", SampleDataLogic=made.sampleData),
        "slicer.i18n": _module("slicer.i18n", tr=lambda text: text, translate=lambda context, text: text),
        "slicer.parameterNodeWrapper": _module("slicer.parameterNodeWrapper", **standin_parameters.EXPORTED),
        "slicer.ScriptedLoadableModule": _module(
            "slicer.ScriptedLoadableModule",
            ScriptedLoadableModule=ScriptedModule,
            ScriptedLoadableModuleWidget=ScriptedWidget,
            ScriptedLoadableModuleLogic=ScriptedLogic,
            ScriptedLoadableModuleTest=ScriptedTest,
        ),
    }
    replaced = {
        (slicer, "mrmlScene"): scene,
        (slicer, "app"): Application(folder),
        (slicer, "modules"): types.SimpleNamespace(
            **{name: types.SimpleNamespace(logic=lambda logic=logic: logic) for name, logic in logics.items()}
        ),
        (slicer, "packaging"): made.packaging,
        (slicer.util, "tempDirectory"): temporary,
        (slicer.util, "errorDisplay"): tell,
        (slicer.util, "infoDisplay"): tell,
        (slicer.util, "warningDisplay"): tell,
        (slicer.util, "confirmOkCancelDisplay"): ask,
        (slicer.util, "mainWindow"): lambda: made.mainWindow,
        (slicer.util, "getModuleWidget"): lambda name: made.panel,
        (slicer.util, "setSliceViewerLayers"): standin_views.set_layers,
        (slicer.util, "findChildren"): _find_children,
    }
    before = {key: getattr(*key, None) for key in replaced}
    modules = {name: sys.modules.get(name) for name in stand_ins}
    for (owner, name), value in replaced.items():
        setattr(owner, name, value)
    sys.modules.update(stand_ins)
    sys.path.insert(0, str(MODULE_FOLDER))
    forget()
    try:
        slicer.app.layoutManager()._follow(scene)
        made.open()
        yield made
        made.close()
        made.mainWindow.deleteLater()
    finally:
        slicer.app.layoutManager()._follow(None)
        vars(slicer).pop("scarSegEcgViewFactories", None)
        scene.Clear(1)
        for (owner, name), value in before.items():
            setattr(owner, name, value)
        for name, module in modules.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module
        forget()
        made.restoreLibrary()
        sys.path.remove(str(MODULE_FOLDER))


def _find_children(widget: Any = None, className: str = "", **_criteria: str) -> list[Any]:
    """All descendants, or those of one class."""
    if not className:
        return QtCore.QObject.findChildren(widget, QtWidgets.QWidget)
    named = QtCore.QObject.findChildren(widget, QtCore.QObject)
    return [child for child in named if type(child).__name__ == className and child.parent() is not None]


def _module(name: str, **content: Any) -> types.ModuleType:
    module = types.ModuleType(name)
    vars(module).update(content)
    return module


assert python_qt("QPushButton") and standin_editor.EFFECTS
