"""What tests of the panel have in common."""

from __future__ import annotations

import time
from typing import Any

import numpy as np


def settle(seconds: float = 0.2) -> None:
    """Let Qt work for so long."""
    import slicer

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        slicer.app.processEvents()
        time.sleep(0.002)


def wait_until(condition: Any, seconds: float = 120.0) -> None:
    """Let Qt work until something has happened."""
    import slicer

    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it has not happened"
        slicer.app.processEvents()
        time.sleep(0.002)


def case_of(desk: Any) -> Any:
    """The self-test's tools on an empty scene."""
    case = desk.module.ScarSegECGTest()
    case.setUp()
    return case


def hand_over(panel: Any, study: Any) -> None:
    """A case onto the chosen images, as a restored one comes in."""
    with panel.writing():
        panel.logic.takeStudy(study, panel.parameterNode)
        for _piece in panel.logic.writeCase(panel.parameterNode):
            pass
        for _piece in panel.apply.show("", panel.results.showWhenEntered):
            pass
    panel.updatePanel()


def blank_volume(name: str = "other") -> Any:
    """A stack of noise."""
    import slicer

    voxels = np.random.default_rng(0).normal(100, 10, (9, 64, 64)).astype(np.float32)
    return slicer.util.addVolumeFromArray(voxels, np.diag([1.4, 1.4, 8, 1]), name)


def shown(desk: Any) -> list[int]:
    """How many shapes each of the layout's own views shows."""
    return [len(view.drawing.shapes) if view.drawing else 0 for view in desk.panel.results.drawn.values()]


def opened_again(panel: Any, path: Any) -> None:
    """Save the scene, close it, and open what was saved."""
    import slicer

    assert slicer.mrmlScene.WriteToMRB(str(path))
    slicer.mrmlScene.Clear()
    settle()
    slicer.mrmlScene.ReadFromMRB(str(path))
    wait_until(lambda: panel.logic.study and not panel.apply.busy)
