"""What the real application does that a panel has to live with; each test names the class that it mirrors."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from panel_tools import blank_volume, case_of, opened_again, settle, shown, wait_until


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
    panel.results.showLayout()
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
    assert (parameters.ecgPath, parameters.mriDate) == ("", "")
    assert not panel.logic.wouldReplace(parameters)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1


def test_ecg_and_dates_are_a_volumes_own_and_end_with_the_scene(desk) -> None:
    """vtkMRMLScene gives the next scene's nodes the same identifiers again."""
    import slicer

    parameters = desk.panel.parameterNode
    first = blank_volume("first")
    parameters.inputVolume = first
    parameters.ecgPath, parameters.mriDate = "/first.xml", "2024-03-14"
    parameters.inputVolume = blank_volume("second")
    assert (parameters.ecgPath, parameters.mriDate) == ("", "")
    parameters.ecgPath = "/second.xml"
    parameters.inputVolume = first
    assert (parameters.ecgPath, parameters.mriDate) == ("/first.xml", "2024-03-14")
    slicer.mrmlScene.Clear()
    settle()
    parameters = desk.panel.parameterNode
    assert parameters.ecgPath == ""
    for name in ("another", "yet another"):
        parameters.inputVolume = blank_volume(name)
        assert (parameters.ecgPath, parameters.mriDate) == ("", "")


def test_what_a_script_gives_while_another_module_is_open_stays_with_its_volume(desk) -> None:
    """As Sample Data's entry does. Nobody follows the parameter node meanwhile."""
    parameters = desk.panel.parameterNode
    first, second = blank_volume("first"), blank_volume("second")
    parameters.inputVolume = first
    parameters.ecgPath, parameters.mriDate = "/first.xml", "2024-03-14"
    desk.exit()
    parameters.inputVolume = second
    parameters.ecgPath, parameters.mriDate = "/second.xml", "2025-05-05"
    desk.enter()
    settle()
    for volume, given in ((second, "/second.xml"), (first, "/first.xml"), (second, "/second.xml")):
        parameters.inputVolume = volume
        assert parameters.ecgPath == given
    assert parameters.mriDate == "2025-05-05"


def test_the_cursor_stays_where_somebody_types(desk) -> None:
    """ctkPathLineEdit sets its text, and the cursor to its end, also where it is the same."""
    field = desk.panel.ui.ecgPathEdit._edit
    field.setText("/data/ecg.xml")
    field.setCursorPosition(3)
    field.insert("x")
    settle()
    assert desk.panel.parameterNode.ecgPath == "/daxta/ecg.xml"
    assert field.cursorPosition() == 4


def test_a_computation_that_is_over_lets_go_of_its_result(desk, monkeypatch) -> None:
    """PythonQtSignalReceiver, in C++ where no collector looks, holds what it calls as long as its object lives."""
    from ScarSegECGPanel import section as module

    held: list[object] = []

    class Timer(module.qt.QTimer):
        def _signal(self, signature):
            signal = super()._signal(signature)

            class Held:
                @staticmethod
                def connect(slot) -> None:
                    held.append(slot)
                    signal.connect(slot)

            return Held

        def deleteLater(self) -> None:
            held.clear()

    class Result:
        pass

    monkeypatch.setattr(module.qt, "QTimer", Timer)
    over: list[bool] = []
    run = module.Run(lambda progress: Result(), lambda run: over.append(run.result is not None))
    while not over:
        settle()
    result = weakref.ref(run.result)
    del run
    gc.collect()
    assert over == [True] and result() is None


def test_a_scene_saved_in_our_layout_opens_in_a_fresh_slicer(desk, segmented_once, tmp_path) -> None:
    """vtkMRMLLayoutNode shows nothing for a layout it does not know; setLayout of the current one does nothing."""
    import slicer

    from ScarSegECGPanel.results import LAYOUT_ID

    _case, panel = segmented_once(desk)
    panel.results.showLayout()
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

    from ScarSegECGPanel.results import BULLSEYE_TAG, ECG_TAG, LAYOUT_ID

    manager = slicer.app.layoutManager()
    assert manager.layoutLogic().GetLayoutNode().IsLayoutDescription(LAYOUT_ID)
    assert {BULLSEYE_TAG, ECG_TAG} <= set(manager._factories)


def test_a_blank_layout_is_shown_again(desk, segmented_once) -> None:
    """It is the current one, but its description came too late."""
    import slicer

    from ScarSegECGPanel.results import BULLSEYE_TAG, LAYOUT_ID

    _case, panel = segmented_once(desk)
    manager = slicer.app.layoutManager()
    panel.results.showLayout()
    manager._empty()  # as after a scene that was opened before the views were registered
    view = manager._factories[BULLSEYE_TAG].widget()
    assert manager.layout == LAYOUT_ID and not view.visible
    panel.ui.layoutButton.click()
    assert manager.layout == LAYOUT_ID and view.visible


def test_reload_keeps_the_layouts_pictures_alive(desk, segmented_once) -> None:
    """The application keeps the view factories; the new panel has to paint into them."""
    _case, panel = segmented_once(desk)
    panel.results.showLayout()
    desk.reload()
    wait_until(lambda: min(shown(desk)) > 10)


# Keys, views, table, choice


@pytest.fixture
def window(desk):
    """The main window, shown and active, so that keys reach its shortcuts."""
    from PySide6 import QtTest, QtWidgets

    QtWidgets.QWidget.show(desk.mainWindow)
    QtWidgets.QWidget.activateWindow(desk.mainWindow)
    QtTest.QTest.qWaitForWindowActive(desk.mainWindow, 2000)

    def press(key: str) -> None:
        from PySide6 import QtCore, QtGui

        combination = QtGui.QKeySequence(key)[0]
        QtTest.QTest.keyClick(desk.mainWindow, combination.key(), combination.keyboardModifiers())
        QtCore.QCoreApplication.processEvents()

    return press


def test_keys_reach_the_panel(desk, segmented_once, window) -> None:
    """QShortcut: of two with one key Qt activates neither, and qMRMLSegmentEditorWidget has "." "," and Ctrl+Z too."""
    case, panel = segmented_once(desk)
    study, grid = panel.logic.study, panel.correct.grid
    grid.goTo(4)
    window(".")
    assert grid.currentSlice() == 5
    window(",")
    assert grid.currentSlice() == 4
    before = study.bits.copy()
    case.paint(case.wallPlace())
    after = study.bits.copy()
    window("Ctrl+Z")
    np.testing.assert_array_equal(study.bits, before)
    window("Ctrl+Y")
    np.testing.assert_array_equal(study.bits, after)
    window("2")
    assert panel.ui.segmentEditorWidget.activeEffect().name == "Draw"
    window("Esc")
    assert panel.ui.segmentEditorWidget.activeEffect() is None


@pytest.mark.parametrize("tool", ["Paint", "Erase"])
def test_plus_and_minus_change_the_brush(desk, segmented_once, window, tool: str) -> None:
    """qSlicerSegmentEditorPaintEffect keeps its diameter as a common parameter: parameterDefined does not know it."""
    _case, panel = segmented_once(desk)
    editor = panel.ui.segmentEditorWidget
    editor.setActiveEffectByName(tool)
    before = editor.activeEffect().doubleParameter("BrushAbsoluteDiameter")
    window("+")
    larger = editor.activeEffect().doubleParameter("BrushAbsoluteDiameter")
    assert larger > before
    window("-")
    assert editor.activeEffect().doubleParameter("BrushAbsoluteDiameter") == pytest.approx(before)


def backgrounds() -> set[str]:
    import slicer

    found = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    return {node.GetBackgroundVolumeID() for node in found}


def test_the_chosen_stack_is_shown_at_once(desk) -> None:
    """vtkMRMLSliceCompositeNode: nobody but the module puts a volume it made, or chose, into the slice views."""
    import slicer

    from ScarSegECGPanel.nodes import sliceNode

    panel = desk.panel
    panel.ui.sampleButton.click()
    settle()
    first = panel.parameterNode.inputVolume
    assert backgrounds() == {first.GetID()}
    display = first.GetDisplayNode()
    assert not display.GetAutoWindowLevel()
    values = slicer.util.arrayFromVolume(first)
    assert values.min() < display.GetWindowLevelMin() < np.median(values) < display.GetWindowLevelMax() <= values.max()
    matrix = slicer.util.arrayFromVTKMatrix(sliceNode().GetSliceToRAS())
    ijk = slicer.util.arrayFromVTKMatrix(ijk_to_ras(first))
    normal = ijk[:3, 2] / np.linalg.norm(ijk[:3, 2])
    assert abs(matrix[:3, 2] @ normal) == pytest.approx(1, abs=1e-3)  # a short-axis view
    other = blank_volume()
    panel.ui.inputSelector.setCurrentNode(other)
    settle()
    assert backgrounds() == {other.GetID()}


def ijk_to_ras(volume):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return matrix


def test_the_pictures_carry_no_marker_of_axes(desk) -> None:
    """ctkVTKRenderView shows an orientation marker unless told not to; it lay over the legend."""
    import slicer

    factories = slicer.app.layoutManager()._factories
    assert len(factories) == 2
    assert not any(factory.widget().orientationWidgetVisible for factory in factories.values())


def test_the_heart_in_3d_is_seen_as_a_cardiologist_thinks_of_it(desk, segmented_once) -> None:
    """vtkMRMLViewNode shows box and letters, and its camera looks at the origin, unless told otherwise."""
    import slicer

    _case, panel = segmented_once(desk)
    panel.results.showLayout()
    view = slicer.mrmlScene.GetSingletonNode("1", "vtkMRMLViewNode")
    assert not view.GetBoxVisible() and not view.GetAxisLabelsVisible()
    camera = slicer.modules.cameras.logic().GetViewActiveCameraNode(view)
    eye, focus, up = (np.array(value()) for value in (camera.GetPosition, camera.GetFocalPoint, camera.GetViewUp))
    grid, anatomy = panel.correct.grid, panel.logic.study.anatomy
    forward = (focus - eye) / np.linalg.norm(focus - eye)
    right = np.cross(forward, up)

    def on_screen(mask) -> np.ndarray:
        slice_, row, column = np.argwhere(mask).mean(axis=0)
        offset = grid.toWorld(slice_, row, column) - focus
        return np.array([offset @ right, offset @ up, -(offset @ forward)])

    apex = np.zeros_like(anatomy.myocardium)
    first = anatomy.myocardium.any(axis=(1, 2)).nonzero()[0][0]
    apex[first] = anatomy.myocardium[first]
    assert (on_screen(apex)[:2] < -10).all()  # down on the left
    assert on_screen(np.isin(anatomy.aha, (2, 3, 8, 9)))[2] > 10  # the septum towards the reader
    half = np.tan(np.radians(camera.GetViewAngle() / 2)) * np.linalg.norm(focus - eye)
    places = np.argwhere(anatomy.myocardium)
    world = np.array([grid.toWorld(slice_, row, column) for slice_, row, column in places[::50]]) - focus
    reach = np.abs(np.c_[world @ right, world @ up]).max()
    assert 0.4 * half < reach < half  # it fills the view, and nothing is cut off


def test_an_opened_scene_has_its_surfaces(desk, segmented_once, tmp_path) -> None:
    """vtkMRMLSegmentationStorageNode writes labelmaps alone."""
    import slicer

    _case, panel = segmented_once(desk)
    opened_again(panel, tmp_path / "case.mrb")
    name = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    assert panel.parameterNode.outputSegmentation.GetSegmentation().ContainsRepresentation(name)


def test_a_segment_on_another_grid_is_read_as_slicer_reads_it(desk) -> None:
    """vtkSlicerSegmentationsModuleLogic leaves a segment on the grid it was made on."""
    import slicer

    from ScarSegECGPanel.nodes import IDENTIFIERS, orientedImage, prepareSegments, readSegments, stackReader

    volume = blank_volume()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    prepareSegments(volume, node)
    finer = np.diag([0.7, 0.7, 8.0, 1.0])
    finer[:2, 3] = 4.3, 2.9
    drawn = np.zeros((9, 90, 90), bool)
    drawn[2:5, 5:80, 7:61] = True
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    logic.SetBinaryLabelmapToSegment(orientedImage(drawn, finer), node, IDENTIFIERS["scar"], logic.MODE_REPLACE)
    stack = stackReader(volume)()
    expected = slicer.util.arrayFromSegmentBinaryLabelmap(node, IDENTIFIERS["scar"], volume) > 0
    assert expected.any()
    np.testing.assert_array_equal(stack.storage.to_stored(readSegments(stack, node).scar), expected)


def test_the_table_has_titles_and_cannot_be_edited(desk, segmented_once) -> None:
    """qMRMLTableModel: without UseColumnTitleAsColumnHeader the titles are a row under A, B, C."""
    from PySide6 import QtCore

    _case, panel = segmented_once(desk)
    model = panel.ui.tableView._model
    titles = [model.headerData(at, QtCore.Qt.Horizontal, QtCore.Qt.DisplayRole) for at in range(model.columnCount())]
    assert titles[:2] == ["Segment", "Scar %"]
    assert model.rowCount() == 17
    assert model.data(model.index(0, 0), QtCore.Qt.DisplayRole) == "1"
    assert not model.flags(model.index(0, 1)) & QtCore.Qt.ItemIsEditable


def chosen(panel) -> tuple:
    p, ui = panel.parameterNode, panel.ui
    assert (ui.methodComboBox.currentText, ui.probabilitySlider.value) == (p.method, pytest.approx(p.probability))
    return p.method, p.probability


def test_what_is_chosen_is_what_is_shown(desk, segmented_once) -> None:
    """A wrapped parameter node keeps a choice until somebody sets it back; no undo of ours did."""
    _case, panel = segmented_once(desk)
    study = panel.logic.study
    panel.ui.probabilitySlider.value = 0.2
    wait_until(lambda: study.origin.rule.probability == 0.2)
    panel.parameterNode.method = "Otsu"
    wait_until(lambda: study.origin.rule.method == "Otsu")
    panel.ui.undoButton.click()
    settle()
    assert chosen(panel) == ("Network with ECG", 0.2)
    panel.ui.undoButton.click()
    settle()
    assert chosen(panel) == ("Network with ECG", 0.5)
    panel.ui.redoButton.click()
    panel.ui.redoButton.click()
    settle()
    assert chosen(panel) == ("Otsu", 0.2)
    assert study.origin.rule.method == "Otsu"


def test_a_refused_rule_is_not_left_chosen(desk, segmented_once, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from ScarSegECGLib.errors import InputError

    _case, panel = segmented_once(desk)
    before = panel.logic.study.bits.copy()

    def refuse(*_ignored) -> None:
        raise InputError("FWHM needs to know the contrast")

    monkeypatch.setattr(sys.modules["ScarSegECGPanel.masks"], "scarByRule", refuse)
    panel.parameterNode.method = "FWHM"
    wait_until(lambda: "needs to know" in panel.ui.statusLabel.text)
    settle()
    assert chosen(panel) == ("Network with ECG", 0.5)
    np.testing.assert_array_equal(panel.logic.study.bits, before)


def test_dragging_a_point_with_paint_active_paints_nothing(desk, segmented_once) -> None:
    """qMRMLSegmentEditorWidget hears a press at priority 1 and its effect keeps it from everybody else."""
    import slicer

    _case, panel = segmented_once(desk)
    panel.ui.showInsertionsCheckBox.checked = True
    editor, node, study = panel.ui.segmentEditorWidget, panel.parameterNode.insertionPoints, panel.logic.study
    editor.setActiveEffectByName("Paint")
    interactor = slicer.app.layoutManager().sliceWidget("Red").sliceView().interactor()
    crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    heard: list[str] = []
    interactor.AddObserver("LeftButtonPressEvent", lambda caller, event: heard.append(event), 0.0)  # as markups do
    place = [0.0, 0.0, 0.0]
    node.GetNthControlPointPositionWorld(4, place)
    crosshair.SetCursorPositionRAS(place)
    before = study.bits.copy()
    interactor.InvokeEvent("LeftButtonPressEvent")
    settle(0.1)
    np.testing.assert_array_equal(study.bits, before)
    assert heard == ["LeftButtonPressEvent"]
    interactor.InvokeEvent("LeftButtonReleaseEvent")
    wait_until(lambda: editor.activeEffect() is not None)
    assert editor.activeEffect().name == "Paint"


def test_paint_still_paints_beside_the_points(desk, segmented_once) -> None:
    import slicer

    case, panel = segmented_once(desk)
    panel.ui.showInsertionsCheckBox.checked = True
    study = panel.logic.study
    panel.ui.segmentEditorWidget.setActiveEffectByName("Paint")
    slice_, row, column = case.wallPlace()
    slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode").SetCursorPositionRAS(
        panel.correct.grid.toWorld(slice_, row, column).tolist()
    )
    interactor = slicer.app.layoutManager().sliceWidget("Red").sliceView().interactor()
    interactor.InvokeEvent("LeftButtonPressEvent")
    wait_until(lambda: study.masks.scar[slice_, row, column])


def test_progress_is_said_in_words_and_never_counts_up(desk) -> None:
    """What the pipeline calls its stages is for programs; and a first run's end is not known."""
    import sys

    casework = sys.modules["ScarSegECGPanel.casework"]
    for stage in ("networks", "anatomy", "ECG", "scar", "measure", "something new"):
        assert len(casework.stageInWords(stage).split()) >= 1 and casework.stageInWords(stage) != stage
    case = case_of(desk)
    panel = case.panel
    panel.ui.sampleButton.click()
    apply, said = panel.apply, []

    class Running:
        progress, seconds = (0.5, "Measuring"), 0.0

    apply.run = running = Running()
    apply._tellProgress(running)
    assert panel.ui.statusLabel.text == "Measuring"
    apply._expected = 20.0
    for running.seconds in (1.0, 5.0, 12.0, 19.5, 30.0):
        apply._tellProgress(running)
        said.append(panel.ui.statusLabel.text)
    apply.run = None
    assert said == [
        *(f"Measuring, about {left} s left" for left in (19, 15, 8)),
        "Measuring",
        "Measuring",
    ]


def test_what_the_ecg_changed_leaves_the_rest_of_the_image_alone(desk, segmented_once) -> None:
    """vtkMRMLSliceLogic blends a foreground of opacity 0.5 over every pixel, whatever its value."""
    import slicer
    import standin_render

    _case, panel = segmented_once(desk)
    panel.results.showLayout()
    size = (300, 300)
    plain = standin_render.slice_view(slicer.mrmlScene, desk.applicationLogic, "Red", *size).astype(int)
    panel.ui.influenceCheckBox.checked = True
    settle()
    over = standin_render.slice_view(slicer.mrmlScene, desk.applicationLogic, "Red", *size).astype(int)
    changed = np.abs(over - plain).max(axis=2) > 2
    assert 0.001 < changed.mean() < 0.3
    assert not changed[:30].any() and not changed[-30:].any()
    panel.ui.influenceCheckBox.checked = False
    settle()
    off = standin_render.slice_view(slicer.mrmlScene, desk.applicationLogic, "Red", *size).astype(int)
    np.testing.assert_array_equal(off, plain)


def test_the_simulated_patient_takes_every_rule(desk, segmented_once) -> None:
    """Its own tutorial's FWHM was refused: contrast "unknown"."""
    from ScarSegECGPanel.masks import METHODS

    _case, panel = segmented_once(desk)
    assert panel.parameterNode.contrast == "Magnitude"
    study = panel.logic.study
    for method in METHODS[1:]:
        panel.parameterNode.method = method
        wait_until(lambda method=method: study.origin.rule.method == method)
    assert desk.said == []


def test_a_run_that_ends_elsewhere_leaves_the_layout_alone(desk, segmented_once) -> None:
    """qSlicerModuleManager lets another module be chosen at any time."""
    import slicer

    from ScarSegECGPanel.results import LAYOUT_ID

    _case, panel = segmented_once(desk)
    manager = slicer.app.layoutManager()
    manager.setLayout(3)
    desk.parent._values["entered"] = False
    panel.results.showWhenEntered()
    assert manager.layout == 3
    desk.parent._values["entered"] = True
    panel.enter()
    assert manager.layout == LAYOUT_ID


def test_coming_back_during_a_run_lets_it_go_on(desk, segmented_once) -> None:
    import threading

    _case, panel = segmented_once(desk)
    gate = threading.Event()

    def work(progress):
        gate.wait(60)
        return panel.logic.study

    panel.apply.start(work, lambda study: [], lambda run: None, "at work")
    run = panel.apply.run
    desk.exit()
    desk.enter()
    assert panel.apply.run is run and not run.cancelled
    gate.set()
    wait_until(lambda: not panel.apply.busy)


def test_sample_data_asks_for_the_packages_first(desk) -> None:
    """SampleDataLogic calls what was registered, and prints a traceback of whatever it raises."""
    (source,) = desk.sampleData.sources.values()
    desk.packaging.missing = {"wfdb>=4.1.2"}
    desk.packaging.fails = RuntimeError("User declined package installation")
    assert source["customDownloader"](source) is None
    assert len(desk.said) == 1 and "as you chose" in desk.said[0]
    desk.packaging.fails = None
    assert source["customDownloader"](source).GetName() == "ScarSegECG simulated patient"
    assert desk.packaging.installed == ["wfdb>=4.1.2"]


def test_nothing_heavy_is_loaded_in_the_main_thread(desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A window stands still while its thread imports PyTorch, loads networks, or sets letters for the first time."""
    import threading

    from ScarSegECGLib import pipeline
    from ScarSegECGLib.network import session
    from ScarSegECGLib.view import paint

    main, where = threading.main_thread(), {}

    def noted(name: str, function):
        def call(*args, **kwargs):
            where.setdefault(name, threading.current_thread())
            return function(*args, **kwargs)

        return call

    monkeypatch.setattr(session.Session, "load", noted("networks", session.Session.load))
    monkeypatch.setattr(pipeline, "segment", noted("pipeline", pipeline.segment))
    monkeypatch.setattr(paint, "to_pixels", noted("letters", paint.to_pixels))
    case = case_of(desk)
    pipeline.loaded.cache_clear()
    case.applied()
    assert set(where) == {"networks", "pipeline", "letters"}
    assert main not in where.values()


def test_a_workers_imports_wake_no_collector(desk) -> None:
    """A full collection goes through all of Slicer's objects and PyTorch's, and every thread stands still."""
    import gc

    from ScarSegECGPanel.section import importing

    with importing():
        imported = [[number] for number in range(1000)]
        assert not gc.isenabled()
    assert gc.isenabled() and gc.get_freeze_count() == 0
    assert not any(one is imported[0] for one in gc.get_objects(generation=0))  # it counts as old already


def test_opening_a_case_does_not_hold_up_the_window(desk, segmented_once, tmp_path, monkeypatch) -> None:
    import sys
    import threading

    import slicer

    _case, panel = segmented_once(desk)
    path = str(tmp_path / "case.mrb")
    assert slicer.mrmlScene.WriteToMRB(path)
    slicer.mrmlScene.Clear()
    state, where = sys.modules["ScarSegECGPanel.journal"], []
    read = state.fromDict

    def noted(*args):
        where.append(threading.current_thread())
        return read(*args)

    monkeypatch.setattr(state, "fromDict", noted)
    slicer.mrmlScene.ReadFromMRB(path)
    assert panel.logic.study is None and panel.apply.busy  # it is opened beside the window
    wait_until(lambda: panel.logic.study and not panel.apply.busy)
    assert len(where) == 1 and where[0] is not threading.main_thread()
