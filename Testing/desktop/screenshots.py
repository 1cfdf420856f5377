"""Make the README's pictures of the panel and the layout: ``python Testing/desktop/screenshots.py FOLDER``.

The panel and its views are drawn by the stand-in for Slicer's desktop, slices and surfaces by Slicer's own display
code; the patient is the simulated one.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).parent))

from PySide6 import QtCore, QtWidgets
from standin_slicer import Desktop, desktop
from standin_widgets import PAINTED

PANEL_WIDTH = 400
SCREEN = (1920, 1080)


def settle(seconds: float = 0.3) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QtWidgets.QApplication.processEvents()
        time.sleep(0.005)


def segmented(desk: Desktop) -> None:
    """The simulated patient through the panel's buttons, then one stroke."""
    panel = desk.panel
    panel.ui.sampleButton.click()
    panel.parameterNode.device = "cpu"
    panel.ui.applyButton.click()
    while panel.apply.busy:
        settle(0.05)
    case = desk.module.ScarSegECGTest()
    case.paint(case.wallPlace(ofScar=True), size=4)
    settle()


def fold(desk: Desktop, *open_sections: str) -> None:
    """Only these sections are open."""
    for name in dir(desk.panel.ui):
        if name.endswith("CollapsibleButton"):
            getattr(desk.panel.ui, name).collapsed = name not in open_sections


def grab_panel(desk: Desktop, path: Path, *open_sections: str) -> None:
    """The panel, as wide as Slicer makes it and as long as it is."""
    fold(desk, *open_sections)
    parent = desk.parent
    QtWidgets.QWidget.setFixedWidth(parent, PANEL_WIDTH)
    QtWidgets.QWidget.show(parent)
    settle(0.2)
    height = QtWidgets.QWidget.layout(parent).totalHeightForWidth(PANEL_WIDTH)
    hint = QtWidgets.QWidget.layout(parent).totalSizeHint().height()
    QtWidgets.QWidget.resize(parent, PANEL_WIDTH, max(height, hint))
    settle(0.5)
    QtWidgets.QWidget.grab(parent).save(str(path))


def grab_layout(desk: Desktop, path: Path) -> None:
    """Panel and layout on a full screen."""
    import slicer
    import standin_render
    import standin_views

    panel = desk.panel
    fold(desk, "correctCollapsibleButton", "resultsCollapsibleButton")
    manager = slicer.app.layoutManager()
    red, three = QtWidgets.QLabel(), QtWidgets.QLabel()
    views: dict[str, Any] = {tag: factory.widget() for tag, factory in manager._factories.items()}
    views |= {"vtkMRMLSliceNodeRed": red, "vtkMRMLViewNode1": three}
    described = slicer.app.layoutManager().layoutLogic().GetLayoutNode().GetLayoutDescription(manager.layout)
    window = QtWidgets.QWidget()
    row = QtWidgets.QHBoxLayout(window)
    row.setContentsMargins(0, 0, 0, 0)
    scroll = QtWidgets.QScrollArea()
    scroll.setWidgetResizable(True)
    QtWidgets.QWidget.setMinimumWidth(desk.parent, 0)
    QtWidgets.QWidget.setMaximumWidth(desk.parent, PANEL_WIDTH)
    scroll.setWidget(desk.parent)
    scroll.setFixedWidth(PANEL_WIDTH + 20)
    row.addWidget(scroll)
    row.addWidget(standin_views.build(described, views), 1)
    for label in (red, three):
        label.setSizePolicy(QtWidgets.QSizePolicy.Ignored, QtWidgets.QSizePolicy.Ignored)
    window.resize(*SCREEN)
    window.show()
    settle(0.3)
    panel.parameterNode.outputSegmentation.CreateClosedSurfaceRepresentation()
    scene = slicer.mrmlScene
    red.setPixmap(
        standin_views.pixmap_of(
            standin_render.slice_view(scene, desk.applicationLogic, "Red", red.width(), red.height())
        )
    )
    camera = slicer.modules.cameras.logic().GetViewActiveCameraNode(scene.GetSingletonNode("1", "vtkMRMLViewNode"))
    picture = standin_render.three_d_view(scene, desk.applicationLogic, three.width(), three.height(), camera)
    three.setPixmap(standin_views.pixmap_of(picture))
    scroll.verticalScrollBar().setValue(0)
    settle(0.6)
    window.grab().save(str(path))
    scroll.takeWidget()
    for view in manager._factories.values():
        QtWidgets.QWidget.setParent(view.widget(), None)
    window.close()


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    PAINTED["views"] = True
    with tempfile.TemporaryDirectory(prefix="simulated-") as temporary, desktop(Path(temporary)) as desk:
        segmented(desk)
        desk.panel.parameterNode.showInsertions = True
        settle(1.5)
        shown = desk.panel.ui.ecgPathEdit._edit
        shown.blockSignals(True)
        shown.setText(Path(desk.panel.parameterNode.ecgPath).name)  # not where this machine keeps it
        grab_panel(desk, folder / "panel.png", "correctCollapsibleButton")
        others = ("results", "anatomy", "export", "advanced")
        grab_panel(desk, folder / "panel_sections.png", *(f"{name}CollapsibleButton" for name in others))
        grab_layout(desk, folder / "layout.png")
    QtCore.QCoreApplication.processEvents()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
