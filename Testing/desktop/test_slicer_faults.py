"""More of what the real application does that a panel has to live with; each test names the class that it mirrors."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
from panel_tools import blank_volume, case_of, opened_again, settle, wait_until


def test_a_chosen_stack_fills_its_views(desk) -> None:
    """vtkMRMLSliceNode keeps its field of view when another volume comes in: qMRMLSliceControllerWidget has to fit."""
    from ScarSegECGPanel.nodes import sliceNode

    desk.panel.ui.inputSelector.setCurrentNode(blank_volume())
    settle()
    width, height, _depth = sliceNode().GetFieldOfView()
    assert 64 * 1.4 <= min(width, height) + 1e-6 < 1.5 * 64 * 1.4


def test_the_heart_lies_within_what_the_camera_shows(desk, segmented_once) -> None:
    """vtkMRMLCameraNode keeps its clipping range when it is moved; its displayable manager waits for the event."""
    import slicer

    _case, panel = segmented_once(desk)
    view = slicer.mrmlScene.GetSingletonNode("1", "vtkMRMLViewNode")
    camera, asked = slicer.modules.cameras.logic().GetViewActiveCameraNode(view), []
    camera.AddObserver(camera.ResetCameraClippingEvent, lambda caller, event: asked.append(camera.GetPosition()))
    panel.results.showLayout()
    assert asked and asked[-1] == camera.GetPosition()  # once it stands where it stays


def test_what_is_restored_is_what_is_chosen(desk, segmented_once) -> None:
    """A wrapped parameter node knows nothing of the threshold with which the restored scar was found."""
    import slicer

    from ScarSegECGPanel.apply import journalFolder

    _case, panel = segmented_once(desk)
    study = panel.logic.study
    panel.ui.probabilitySlider.value = 0.2
    wait_until(lambda: study.origin.rule.probability == 0.2)
    shown = study.bits.copy()
    panel.parameterNode.ahaMode, panel.parameterNode.ahaSegments = "Between both insertions", "16"
    settle()
    divided = study.anatomy.aha.copy()
    study.begin(journalFolder())
    study.end(remove=False)  # as a crash leaves it
    slicer.mrmlScene.Clear()
    settle()
    panel.ui.sampleButton.click()
    assert panel.parameterNode.probability == pytest.approx(0.5)
    panel.apply.lookForJournal()
    panel.ui.recoverButton.click()
    wait_until(lambda: panel.logic.study and not panel.apply.busy)
    settle()
    assert panel.logic.study.undoName  # the rule's own step, and none after it
    assert panel.parameterNode.probability == pytest.approx(0.2)
    assert panel.ui.probabilitySlider.value == pytest.approx(0.2)
    np.testing.assert_array_equal(panel.logic.study.bits, shown)
    assert (panel.parameterNode.ahaMode, panel.parameterNode.ahaSegments) == ("Between both insertions", "16")
    np.testing.assert_array_equal(panel.logic.study.anatomy.aha, divided)


def test_every_stage_of_apply_is_said_in_words(desk) -> None:
    """A QLabel shows what it is given: the pipeline's own names of its stages are for programs."""
    panel = case_of(desk).panel
    panel.ui.sampleButton.click()
    panel.parameterNode.device = "cpu"
    said: list[str] = []
    panel.logic.work(panel.parameterNode)(lambda fraction, text: said.append(text))
    assert "Finding the heart, its wall and the scar" in said
    assert all(text[0].isupper() and len(text.split()) > 1 for text in said), sorted(set(said))


def test_an_opened_scene_has_surfaces_that_it_did_not_hold(desk, segmented_once, tmp_path) -> None:
    """vtkMRMLSegmentationStorageNode makes anew only those representations that there were when it wrote."""
    import slicer

    _case, panel = segmented_once(desk)
    name = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    panel.parameterNode.outputSegmentation.GetSegmentation().RemoveRepresentation(name)  # "Show 3D" is off
    opened_again(panel, tmp_path / "case.mrb")
    surface = panel.parameterNode.outputSegmentation.GetClosedSurfaceInternalRepresentation("Scar")
    assert surface is not None and surface.GetNumberOfPoints() > 0


def test_a_brush_that_a_key_has_changed_keeps_its_size(desk, segmented_once) -> None:
    """qSlicerSegmentEditorPaintEffect: a relative diameter follows the view's zoom, whatever the absolute one is."""
    _case, panel = segmented_once(desk)
    editor = panel.ui.segmentEditorWidget
    editor.setActiveEffectByName("Paint")
    assert editor.activeEffect().parameter("BrushDiameterIsRelative") == "1"
    panel.correct.actions()["+"]()
    assert editor.activeEffect().parameter("BrushDiameterIsRelative") == "0"


@pytest.mark.skipif(os.name == "nt", reason="on Windows torch loads its libraries in this way itself")
def test_pytorchs_libraries_are_loaded_without_pythons_lock(desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """ctypes lets go of the lock while dlopen works; an import keeps it, and every thread of Slicer stands still."""
    from ScarSegECGPanel import section as run

    loaded: list[str] = []

    class Library:
        def __init__(self, _name: object) -> None:
            self.dlopen = lambda path, _flags: loaded.append(os.fsdecode(path))

    monkeypatch.setattr(run.ctypes, "CDLL", Library)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    with run.importing():
        pass
    assert any("torch_cpu" in path for path in loaded)
