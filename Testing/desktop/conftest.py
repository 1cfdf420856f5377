"""Slicer's desktop for the tests of the module; see ``standin_slicer`` for what is real and what is not."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
APT = "on Debian or Ubuntu: apt install libegl1 libgl1 libosmesa6"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[object]:
    """Slicer with the panel open over an empty scene."""
    pytest.importorskip("vtk", reason="needs VTK: pip install '.[test]'")
    slicer = pytest.importorskip("slicer", reason="needs slicer-core: pip install '.[test]'")
    if not hasattr(slicer, "vtkMRMLScene"):
        pytest.skip("needs slicer-core: pip install '.[test]'")
    try:
        from PySide6 import QtWidgets  # noqa: F401
    except ImportError as error:
        pytest.skip(f"needs PySide6 (pip install '.[desktop-test]'; {APT}): {error}")
    from standin_qt import CRASHES as crashes
    from standin_slicer import desktop

    with desktop(tmp_path) as made:
        yield made
        assert crashes == [], "Slicer would have died"


@pytest.fixture(scope="session")
def segmented_phantom():
    """Where the simulated patient's result is kept, so that only some tests run the networks."""
    return {}


@pytest.fixture
def segmented_once(segmented_phantom):
    """The simulated patient segmented in a panel: by the networks the first time, handed over afterwards."""

    def segment(desk):
        import slicer

        case = desk.module.ScarSegECGTest()
        case.setUp()
        kept = segmented_phantom
        if not kept:
            panel = case.applied()
            study = panel.logic.study
            volume = panel.parameterNode.inputVolume
            kept["text"], kept["voxels"] = json.dumps(study.saved), slicer.util.arrayFromVolume(volume).copy()
            kept["ecg"] = study.segmented.ecg
        else:
            from panel_tools import hand_over

            from ScarSegECGPanel.casework import Inputs
            from ScarSegECGPanel.journal import fromDict
            from ScarSegECGPanel.study import Study

            panel = desk.panel
            panel.ui.sampleButton.click()
            panel.parameterNode.device = "cpu"
            voxels = slicer.util.arrayFromVolume(panel.parameterNode.inputVolume)
            panel.logic._applied = Inputs.of(panel.parameterNode)
            hand_over(panel, Study(fromDict(json.loads(kept["text"]), voxels)))
        slicer.app.processEvents()
        return case, panel

    return segment
