"""What the real application does that a panel has to live with; each test names the class that it mirrors."""

from __future__ import annotations

import pytest
from panel_tools import blank_volume, settle, shown, wait_until


def test_a_layout_change_without_a_case(desk) -> None:
    """qMRMLSegmentEditorWidget::onLayoutChanged reads the editor node of an observed view unasked."""
    import slicer

    for layout in (3, 4, 2):
        slicer.app.layoutManager().setLayout(layout)
        settle(0.05)
    desk.exit()
    slicer.app.layoutManager().setLayout(3)
    desk.enter()
    slicer.app.layoutManager().setLayout(2)


@pytest.mark.parametrize("effect", ["", "Paint"])
def test_a_scene_is_closed_with_the_module_open(desk, segmented_once, effect: str) -> None:
    """The layout manager sets its views up again when a scene is closed; the editor must not look at them then."""
    import slicer

    _case, panel = segmented_once(desk)
    panel.ui.segmentEditorWidget.setActiveEffectByName(effect)
    editor = panel.ui.segmentEditorWidget
    slicer.mrmlScene.Clear()
    settle()
    assert editor.mrmlSegmentEditorNode() is not None
    assert editor.activeEffect() is None
    slicer.app.layoutManager().setLayout(4)
    settle(0.05)


def test_the_editor_always_has_a_node(desk, segmented_once) -> None:
    """As in Slicer's own SegmentEditor.py: selected before observations begin, never None."""
    import slicer

    editor = desk.panel.ui.segmentEditorWidget
    assert editor.mrmlSegmentEditorNode() is not None
    _case, panel = segmented_once(desk)
    desk.exit()
    assert editor.mrmlSegmentEditorNode() is not None
    desk.enter()
    panel.onNodesGone()
    slicer.mrmlScene.RemoveNode(panel.parameterNode.outputSegmentation)
    settle()
    assert editor.mrmlSegmentEditorNode() is not None


def test_dates_survive_the_opening_of_a_scene(desk, tmp_path, segmented_once) -> None:
    """parameterNodeWrapper writes widget after widget; each tells its own change before the next one is bound."""
    import slicer

    _case, panel = segmented_once(desk)
    panel.ui.eventBetweenCheckBox.checked = True
    panel.ui.ecgDateEdit.text = "2024-03-20"
    kept = panel.parameterNode.mriDate
    assert kept
    path = str(tmp_path / "case.mrb")
    assert slicer.mrmlScene.WriteToMRB(path)
    slicer.mrmlScene.Clear()
    settle()
    slicer.mrmlScene.ReadFromMRB(path)
    wait_until(lambda: panel.logic.study)
    p = panel.parameterNode
    assert (p.mriDate, p.ecgDate, p.eventBetween) == (kept, "2024-03-20", True)
    assert panel.ui.mriDateEdit.text == kept
    assert panel.ui.eventBetweenCheckBox.checked


@pytest.mark.parametrize("how", ["scene closed", "another volume", "segmentation removed", "no volume"])
def test_the_former_patient_leaves_the_screen(desk, segmented_once, how: str) -> None:
    """A view that a module gave to the layout keeps what it shows until the module takes it away."""
    import slicer

    _case, panel = segmented_once(desk)
    panel.views.show()
    panel.results.onStudy()
    panel.results.showPaper()
    assert min(shown(desk)) > 10
    if how == "scene closed":
        slicer.mrmlScene.Clear()
    elif how == "another volume":
        panel.ui.inputSelector.setCurrentNode(blank_volume())
    elif how == "no volume":
        panel.ui.inputSelector.setCurrentNode(None)
    else:
        slicer.mrmlScene.RemoveNode(panel.parameterNode.outputSegmentation)
    settle()
    assert panel.logic.study is None
    assert shown(desk) == [0, 0]
    assert panel.ui.summaryLabel.text == ""
    assert "draws" not in panel.ui.correctLabel.text


@pytest.mark.parametrize("away", [False, True])
@pytest.mark.parametrize("dropped", [False, True])
def test_a_second_patient_begins_with_nothing_of_the_first(desk, segmented_once, dropped: bool, away: bool) -> None:
    """Also when the first one's case was dropped, and when the second is chosen while another module is open."""
    import slicer

    _case, panel = segmented_once(desk)
    parameters = panel.parameterNode
    if dropped:
        parameters.outputSegmentation.GetSegmentation().RemoveSegment("Scar")
        settle()
        assert panel.logic.study is None
    if away:
        desk.exit()
        parameters.inputVolume = blank_volume()
        desk.enter()
    else:
        panel.ui.inputSelector.setCurrentNode(blank_volume())
    settle()
    assert parameters.outputSegmentation is None
    assert parameters.insertionPoints is None
    assert parameters.outputTable is None
    assert not panel.logic.wouldReplace(parameters)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1


def test_a_scene_saved_in_our_layout_opens_in_a_fresh_slicer(desk, segmented_once, tmp_path) -> None:
    """vtkMRMLLayoutNode shows nothing for a layout it does not know; setLayout of the current one does nothing."""
    import slicer

    from ScarSegECGPanel.layout import LAYOUT_ID

    _case, panel = segmented_once(desk)
    panel.views.show()
    path = str(tmp_path / "case.mrb")
    assert slicer.mrmlScene.WriteToMRB(path)
    manager = slicer.app.layoutManager()
    manager.setLayout(3)
    desk.exit()  # another module is open, and the panel has not been opened yet
    slicer.mrmlScene.Clear()
    slicer.mrmlScene.ReadFromMRB(path)
    assert manager.layout == LAYOUT_ID
    assert all(factory.widget().visible for factory in manager._factories.values())


def test_startup_registers_layout_and_views(desk) -> None:
    """Before anybody opens the module: qSlicerApplication's startupCompleted()."""
    import slicer

    from ScarSegECGPanel.layout import BULLSEYE_TAG, ECG_TAG, LAYOUT_ID

    manager = slicer.app.layoutManager()
    assert manager.layoutLogic().GetLayoutNode().IsLayoutDescription(LAYOUT_ID)
    assert {BULLSEYE_TAG, ECG_TAG} <= set(manager._factories)


def test_a_blank_layout_is_shown_again(desk, segmented_once) -> None:
    """It is the current one, but its description came too late."""
    import slicer

    from ScarSegECGPanel.layout import BULLSEYE_TAG, LAYOUT_ID

    _case, panel = segmented_once(desk)
    manager = slicer.app.layoutManager()
    panel.views.show()
    manager._empty()  # as after a scene that was opened before the views were registered
    view = manager._factories[BULLSEYE_TAG].widget()
    assert manager.layout == LAYOUT_ID and not view.visible
    panel.ui.layoutButton.click()
    assert manager.layout == LAYOUT_ID and view.visible


def test_reload_keeps_the_layouts_pictures_alive(desk, segmented_once) -> None:
    """The application keeps the view factories; the new panel has to paint into them."""
    _case, panel = segmented_once(desk)
    panel.views.show()
    desk.reload()
    wait_until(lambda: min(shown(desk)) > 10)
