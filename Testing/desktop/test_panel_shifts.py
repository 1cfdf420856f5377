"""A slice displaced between breath-holds, through the panel: corrected only where the reader asks for it, and said."""

from __future__ import annotations

import json

import numpy as np
import pytest
from panel_tools import blank_volume, settle, wait_until

from ScarSegECGLib.facts import LgeNote, has

SHIFT = 9  # pixels


def displaced_patient(desk):
    """The simulated patient with one slice moved sideways; which one, counted from the apex."""
    import slicer

    case = desk.module.ScarSegECGTest()
    case.setUp()
    panel = desk.panel
    panel.ui.sampleButton.click()
    panel.parameterNode.device = "cpu"
    panel.parameterNode.useEcg = False
    volume = panel.parameterNode.inputVolume
    from ScarSegECGPanel.nodes import stackReader

    stack = stackReader(volume)()
    moved = len(stack.voxels) // 2
    voxels = stack.voxels.copy()
    voxels[moved] = np.roll(voxels[moved], SHIFT, axis=1)
    slicer.util.updateVolumeFromArray(volume, stack.storage.to_stored(voxels))
    return case, panel, moved


def test_it_is_off_until_the_reader_wants_it(desk) -> None:
    assert not desk.panel.parameterNode.correctShifts
    assert not desk.panel.ui.correctShiftsCheckBox.checked
    desk.panel.ui.correctShiftsCheckBox.checked = True
    assert desk.panel.parameterNode.correctShifts
    assert desk.panel.parameterNode.parameterNode.GetParameter("correctShifts") == "True"
    assert "return to where the slices were acquired" in desk.panel.ui.correctShiftsCheckBox.toolTip


def test_a_displaced_slice_is_corrected_where_asked_and_said(desk) -> None:
    case, panel, moved = displaced_patient(desk)
    panel.ui.correctShiftsCheckBox.checked = True
    panel.ui.applyButton.click()
    case.waitFor(lambda: not panel.apply.busy)
    study = panel.logic.study
    assert study is not None, panel.ui.statusLabel.text
    (told,) = [note for note in study.segmented.stack.notes if note.code is LgeNote.SHIFTS_CORRECTED]
    assert told["slices"] == (moved + 1,)
    assert "moved in line" in panel.ui.summaryLabel.toolTip
    np.testing.assert_array_equal(case.shown().toBits(), study.bits)
    # The contour is where the slice was acquired: off its neighbours by the displacement.
    columns = [float(np.argwhere(cavity)[:, 1].mean()) for cavity in study.masks.cavity[moved - 1 : moved + 2]]
    assert columns[1] - (columns[0] + columns[2]) / 2 > SHIFT - 3
    import slicer

    from ScarSegECGPanel.journal import fromDict

    voxels = slicer.util.arrayFromVolume(panel.parameterNode.inputVolume)
    assert fromDict(json.loads(json.dumps(study.saved)), voxels).stack.notes == study.segmented.stack.notes
    panel.ui.correctShiftsCheckBox.checked = False
    assert "press Apply again" in panel.ui.statusLabel.text
    assert desk.said == []


def test_left_as_it_is_the_displacement_is_still_said(desk) -> None:
    case, panel, moved = displaced_patient(desk)
    panel.ui.applyButton.click()
    case.waitFor(lambda: not panel.apply.busy)
    assert f"{moved + 1} (" in panel.ui.summaryLabel.toolTip
    assert "correcting slice shifts" in panel.ui.summaryLabel.toolTip
    assert not has(panel.logic.study.segmented.stack.notes, LgeNote.SHIFTS_CORRECTED)


def test_a_displaced_slice_is_shown_in_line_and_stays_where_it_is(desk, segmented_once) -> None:
    """ "Align shifted slices": the image alone, and the views alone."""
    import slicer

    case, panel = segmented_once(desk)
    study, parameters = panel.logic.study, panel.parameterNode
    stack, bits = study.segmented.stack, study.bits.copy()
    moved = len(bits) // 2
    bits[moved] = np.roll(bits[moved], SHIFT, axis=1)
    assert study.change("The contours of a displaced slice", bits)
    panel.onCaseChanged()
    panel.ui.alignCheckBox.checked = True
    settle()
    composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    assert {node.GetBackgroundVolumeID() for node in composites} == {parameters.alignedVolume.GetID()}
    shown = stack.storage.to_canonical(slicer.util.arrayFromVolume(parameters.alignedVolume))
    for index, (before, after) in enumerate(zip(stack.voxels, shown, strict=True)):
        inner = after[20:-20, 20:-20]
        rows, columns = inner.shape
        found = [
            (down, along)
            for down in range(-4, 5)
            for along in range(-SHIFT - 4, 5)
            if np.array_equal(inner, before[20 - down :, 20 - along :][:rows, :columns])
        ]
        assert len(found) == 1, index
        assert (found[0][1] < 3 - SHIFT) == (index == moved), found
    assert "Aligned by up to" in panel.ui.anatomyLabel.text
    np.testing.assert_array_equal(study.bits, bits)
    np.testing.assert_array_equal(case.shown().toBits(), bits)
    panel.ui.alignCheckBox.checked = False
    settle()
    assert {node.GetBackgroundVolumeID() for node in composites} == {parameters.inputVolume.GetID()}


@pytest.mark.parametrize("how", ["removed", "another"])
def test_a_run_ends_with_its_volume(desk, segmented_once, how: str) -> None:
    """What is computed of one stack is never written onto another."""
    import threading

    import slicer

    _case, panel = segmented_once(desk)
    gate, taken, study = threading.Event(), [], panel.logic.study
    panel.apply.start(lambda progress: gate.wait(60) and study, taken.append, taken.append, "at work")
    run = panel.apply.run
    if how == "removed":
        slicer.mrmlScene.RemoveNode(panel.parameterNode.inputVolume)
    else:
        panel.parameterNode.inputVolume = blank_volume()
    settle()
    gate.set()
    wait_until(lambda: not run.is_alive())
    settle()
    assert run.cancelled and taken == [] and not panel.apply.busy
