"""The Slicer module's logic on the real MRML scene, without the application."""

from __future__ import annotations

import types

import numpy as np
import pytest

from ScarSegECGLib.case import SCAR, STRUCTURE_COLOURS
from ScarSegECGLib.errors import InputError


@pytest.mark.parametrize(
    "name",
    [
        "test_classes_lie_on_the_volume",
        "test_table_has_every_segment",
        "test_run_can_be_cancelled",
        "test_simulated_patient",
    ],
)
def test_self_test(module: types.ModuleType, name: str) -> None:
    """What Slicer's own "Reload and Test" runs."""
    case = module.ScarSegECGTest()
    case.setUp()
    getattr(case, name)()


def test_other_segments_survive_a_second_result(module: types.ModuleType) -> None:
    import slicer

    volume, result = module.handMadeResult()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    mine = slicer.vtkSegment()
    mine.SetName("drawn by the reader")
    node.GetSegmentation().AddSegment(mine, "mine")
    assert not module.holdsResult(node)
    module.writeSegmentation(result, volume, node)
    assert module.holdsResult(node)
    assert node.GetSegmentation().GetSegment("mine") is not None
    assert node.GetSegmentation().GetNumberOfSegments() == 4


def test_segments_are_named_coloured_and_coded(module: types.ModuleType) -> None:
    import slicer

    volume, result = module.handMadeResult()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    module.writeSegmentation(result, volume, node)
    scar = node.GetSegmentation().GetSegment("Scar")
    assert scar.GetName() == "Scar"
    assert scar.GetColor() == pytest.approx(STRUCTURE_COLOURS[SCAR], abs=0.01)
    import vtk

    code = vtk.reference("")
    assert scar.GetTag(scar.GetTerminologyEntryTagName(), code)
    assert "SCT^12402003" in str(code)


def test_stack_does_not_share_memory_with_the_node(module: types.ModuleType) -> None:
    """A worker reads the stack while the user may edit the node."""
    import slicer

    voxels = np.random.default_rng(1).random((6, 40, 40)).astype(np.float32)
    node = slicer.util.addVolumeFromArray(voxels, np.diag([1.4, 1.4, 8.0, 1.0]), "float")
    stack = module.stackFromVolume(node)
    before = stack.voxels.copy()
    slicer.util.arrayFromVolume(node)[:] = 0
    np.testing.assert_array_equal(stack.voxels, before)


@pytest.mark.parametrize("field", ["mriDate", "ecgDate"])
def test_a_wrong_date_is_told_before_the_run(module: types.ModuleType, field: str) -> None:
    volume, _ = module.handMadeResult()
    logic = module.ScarSegECGLogic()
    parameters = logic.getParameterNode()
    parameters.inputVolume = volume
    setattr(parameters, field, "sometime")
    with pytest.raises(InputError):
        logic.start(parameters)


def test_a_failing_run_ends_with_its_error(module: types.ModuleType) -> None:
    def work(progress: object) -> object:
        raise InputError("what is wrong")

    run = module.SegmentationRun(work)
    run.wait(5)
    assert run.finished
    assert run.result is None
    assert str(run.error) == "what is wrong"
