"""The module's self-test as one story: real panel, real buttons, real pipeline, on the simulated patient.

Inside Slicer "Reload and Test", or ``ScarSegECGTest().runTest()`` in the Python console, runs it and prints what it
did; ``Testing/desktop`` runs the same without the application.
"""

import importlib.util
import time
from pathlib import Path

import numpy as np
import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

from ScarSegECGLib.case import CAVITY, MYOCARDIUM, SCAR
from ScarSegECGPanel import nodes
from ScarSegECGPanel.correct import BRUSH
from ScarSegECGPanel.masks import WITH_ECG, Masks
from ScarSegECGPanel.results import BULLSEYE_TAG, LAYOUT_ID, WEDGE_ACCEPT

LONGEST_RUN_S = 300
NEEDED = ("torch", "wfdb", "matplotlib", "safetensors")
CONVENTIONAL, FOUR_UP = 2, 3
WITHOUT_PACKAGES = ("masksLieOnTheVolume", "layoutChangesWithoutACase")
STORY = (
    *WITHOUT_PACKAGES, "cancelLeavesTheSceneAsItWas", "applyShowsTheCase", "stepsAreUndoneInOrder",
    "keysDoWhatTheySay", "wedgeAcceptsTheProposalInOneClick", "pointIsDraggedWithPaintActive",
    "secondPatientBeginsWithNothing", "sceneIsSavedAndOpened", "sceneIsClosedWithACase",
)  # fmt: skip
# A small volume as a supine short axis lies, its slices from base to apex; columns, rows, slices, origin in mm.
OBLIQUE = np.array(
    [[1.1216, 0.1613, -4.6979, 11.0], [0.7509, -0.8028, 4.9541, -7.0], [-0.3716, -1.1355, -4.1697, 30.0], [0, 0, 0, 1]]
)


class SelfTest(ScriptedLoadableModuleTest):
    """Its cases follow one another; without the Python packages only the first ones are run."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()
        if self.panel.parameterNode is None:  # the module is not the one that is shown
            self.panel.initializeParameterNode()

    def runTest(self) -> None:
        self.setUp()
        missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
        began = time.monotonic()
        for name in WITHOUT_PACKAGES if missing else STORY:  # testing never installs
            start = time.monotonic()
            getattr(self, name)()
            print(f"ScarSegECG self-test: {name}: passed, {time.monotonic() - start:.1f} s")
        for name in missing:
            print(f"ScarSegECG self-test: the rest was skipped: {name} is not installed in this Slicer")
        print(f"ScarSegECG self-test: all passed in {time.monotonic() - began:.0f} s")
        slicer.mrmlScene.Clear()

    # What the cases have in common

    @property
    def panel(self):
        return slicer.util.getModuleWidget("ScarSegECG")

    @property
    def parameters(self):
        return self.panel.parameterNode

    @property
    def study(self):
        return self.panel.logic.study

    def waitFor(self, condition=lambda: True, seconds: float = LONGEST_RUN_S) -> None:
        end = time.monotonic() + seconds
        slicer.app.processEvents()
        while not condition():
            self.assertLess(time.monotonic(), end, "it takes too long")
            time.sleep(0.001)
            slicer.app.processEvents()

    def loadPatient(self) -> None:
        self.panel.ui.sampleButton.click()
        self.parameters.device = "cpu"

    def applied(self):
        """The simulated patient, loaded and segmented through the panel's own buttons."""
        self.loadPatient()
        self.panel.ui.applyButton.click()
        self.waitFor(lambda: not self.panel.apply.busy)
        self.assertIsNotNone(self.study, self.panel.ui.statusLabel.text)
        return self.panel

    def paint(self, voxel: tuple[int, int, int], size: int = 2, on: bool = True) -> None:
        """As a stroke of the editor does: change the scar's voxels in the scene, inside the wall."""
        masks, (slice_, row, column) = self.study.masks, voxel
        masks.scar[slice_, row - size : row + size + 1, column - size : column + size + 1] = on
        masks.scar[~masks.wall] = False
        stack, node = self.study.segmented.stack, self.parameters.outputSegmentation
        list(nodes.changeSegments(masks, stack, node, self.study.written))
        slicer.app.processEvents()

    def wallPlace(self, ofScar: bool = False) -> tuple[int, int, int]:
        """(slice, row, column) of a voxel of wall, with scar or without."""
        masks = self.study.masks
        there = np.argwhere(masks.scar if ofScar else masks.wall & ~masks.scar)
        return tuple(there[len(there) // 2].tolist())

    def shown(self) -> Masks:
        return nodes.readSegments(self.study.segmented.stack, self.parameters.outputSegmentation)

    def holds(self, bits: np.ndarray) -> None:
        """The case has these masks, and so has the scene."""
        np.testing.assert_array_equal(self.study.bits, bits)
        np.testing.assert_array_equal(self.shown().toBits(), bits)

    def press(self, key: str) -> None:
        """Do what the key does, if nobody else has it: Qt activates neither of two shortcuts."""
        window = slicer.util.mainWindow() or self.panel.parent
        named = [shortcut.key.toString() for shortcut in slicer.util.findChildren(window, className="QShortcut")]
        self.assertEqual(named.count(key), 1, f"{key} is there {named.count(key)} times")
        self.panel.correct.actions()[key]()
        slicer.app.processEvents()

    def pictures(self) -> set[bool]:
        """Whether there are drawings in the views."""
        return {view.drawing is not None for view in self.panel.results.drawn.values()}

    # The cases

    def masksLieOnTheVolume(self) -> None:
        """Each mask lands on exactly the voxels it has, though the file's slices run from base to apex."""
        stored = np.random.default_rng(0).integers(0, 4, (5, 36, 33)).astype(np.uint8)
        volumeNode = slicer.util.addVolumeFromArray(stored, OBLIQUE, "test")
        stack = nodes.stackReader(volumeNode)()
        masks = Masks(stack.voxels == CAVITY, stack.voxels >= MYOCARDIUM, stack.voxels == SCAR)
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        for _repeat in range(2):  # a second result replaces the first
            nodes.prepareSegments(volumeNode, node)
            self.assertEqual(len(list(nodes.changeSegments(masks, stack, node))), 3)
        self.assertEqual(node.GetSegmentation().GetNumberOfSegments(), 3)
        for name, identifier in nodes.IDENTIFIERS.items():
            found = slicer.util.arrayFromSegmentBinaryLabelmap(node, identifier, volumeNode)
            np.testing.assert_array_equal(found > 0, stack.storage.to_stored(getattr(masks, name)), err_msg=name)
        np.testing.assert_array_equal(nodes.readSegments(stack, node).toBits(), masks.toBits())
        slicer.mrmlScene.Clear()

    def layoutChangesWithoutACase(self) -> None:
        """Slicer itself crashed here once; and nothing can be pressed that has no sense yet."""
        for layout in (FOUR_UP, CONVENTIONAL):
            slicer.app.layoutManager().setLayout(layout)
            slicer.app.processEvents()
        ui = self.panel.ui
        self.assertFalse(ui.applyButton.enabled or ui.exportButton.enabled or ui.undoButton.enabled)

    def cancelLeavesTheSceneAsItWas(self) -> None:
        self.loadPatient()
        panel, before = self.panel, slicer.mrmlScene.GetNumberOfNodes()
        panel.ui.applyButton.click()
        self.waitFor(lambda: panel.apply.run.progress[0] > 0.02 or not panel.apply.run.is_alive())
        panel.ui.cancelButton.click()
        self.waitFor(lambda: not panel.apply.busy)
        self.assertEqual((slicer.mrmlScene.GetNumberOfNodes(), self.study), (before, None))
        self.assertTrue(panel.ui.applyButton.enabled)
        slicer.mrmlScene.Clear()

    def applyShowsTheCase(self) -> None:
        ui = self.applied().ui
        self.assertGreater(self.study.result.scar.ml, 0.0)
        self.holds(self.study.bits)
        self.assertEqual(self.parameters.outputTable.GetNumberOfRows(), 17)
        self.assertEqual((slicer.app.layoutManager().layout, self.pictures()), (LAYOUT_ID, {True}))
        self.assertEqual(ui.summaryLabel.text.count("\n"), 2)
        self.assertFalse(ui.correctCollapsibleButton.collapsed)

    def stepsAreUndoneInOrder(self) -> None:
        """Strokes, rules and one click; the choice comes and goes with its scar, and other segments are not touched."""
        ui, study, parameters = self.panel.ui, self.study, self.parameters
        node, volume = parameters.outputSegmentation, parameters.inputVolume
        mine, states = np.zeros(slicer.util.arrayFromVolume(volume).shape, np.uint8), [study.bits.copy()]
        mine[2:5, 60:200, 60:200] = 1
        node.GetSegmentation().AddEmptySegment("Mine")
        slicer.util.updateSegmentBinaryLabelmapFromArray(mine, node, "Mine", volume)
        for change in (
            lambda: self.paint(self.wallPlace()),
            lambda: setattr(ui.probabilitySlider, "value", 0.2),
            lambda: self.paint(self.wallPlace(ofScar=True), on=False),
            lambda: setattr(parameters, "method", "FWHM"),
            lambda: self.panel.correct.setSegment(int(study.anatomy.aha[self.wallPlace(ofScar=True)]), accept=False),
        ):
            change()
            self.waitFor(lambda: not np.array_equal(study.bits, states[-1]), 10)
            self.holds(study.bits)
            states.append(study.bits.copy())
        for button, expected in ((ui.undoButton, states[-2::-1]), (ui.redoButton, states[1:])):
            for bits in expected:
                button.click()
                self.holds(bits)
            self.assertFalse(button.enabled)
        while ui.undoButton.enabled:
            ui.undoButton.click()
        self.waitFor()
        self.assertEqual((parameters.method, ui.methodComboBox.currentText), (WITH_ECG, WITH_ECG))
        self.assertEqual((parameters.probability, ui.probabilitySlider.value), (0.5, 0.5))
        self.holds(states[0])
        np.testing.assert_array_equal(slicer.util.arrayFromSegmentBinaryLabelmap(node, "Mine", volume), mine)

    def keysDoWhatTheySay(self) -> None:
        grid, before, editor = self.panel.correct.grid, self.study.bits.copy(), self.panel.ui.segmentEditorWidget
        grid.goTo(3)
        for key, slice_ in ((".", 4), (",", 3)):
            self.press(key)
            self.assertEqual(grid.currentSlice(), slice_)
        self.paint(self.wallPlace())
        self.assertFalse(np.array_equal(self.study.bits, before))
        self.press("Ctrl+Z")
        self.holds(before)
        editor.setActiveEffectByName("Paint")
        diameter = editor.activeEffect().doubleParameter(BRUSH)
        self.press("+")
        self.assertGreater(editor.activeEffect().doubleParameter(BRUSH), diameter)
        self.press("-")
        self.assertAlmostEqual(editor.activeEffect().doubleParameter(BRUSH), diameter, 6)
        editor.setActiveEffect(None)

    def wedgeAcceptsTheProposalInOneClick(self) -> None:
        panel, study, before = self.panel, self.study, self.study.bits.copy()
        number = int(np.bincount(study.anatomy.aha[study.masks.scar])[1:].argmax()) + 1
        panel.correct.setSegment(number, accept=False)
        self.assertFalse(np.array_equal(study.bits, before))
        self.parameters.wedgeClick = WEDGE_ACCEPT
        view = panel.results.drawn[BULLSEYE_TAG]
        places = np.ndindex(int(view.drawing.width), int(view.drawing.height))
        x, y = next(place for place in places if view.drawing.segment_at(*place) == number)
        scale, left, bottom = view.place()
        view.click(left + scale * x, bottom + scale * y)
        slicer.app.processEvents()
        self.holds(before)

    def pointIsDraggedWithPaintActive(self) -> None:
        """A press on an insertion point is the point's, not the brush's; the tool is back afterwards."""
        ui, before, editor = self.panel.ui, self.study.bits.copy(), self.panel.ui.segmentEditorWidget
        ui.showInsertionsCheckBox.checked = True
        editor.setActiveEffectByName("Paint")
        place = slicer.util.arrayFromMarkupsControlPoints(self.parameters.insertionPoints, world=True)[0]
        slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode").SetCursorPositionRAS(place)
        interactor = slicer.app.layoutManager().sliceWidget(nodes.MAIN_VIEW).sliceView().interactor()
        interactor.InvokeEvent("LeftButtonPressEvent")
        self.assertIsNone(editor.activeEffect())
        interactor.InvokeEvent("LeftButtonReleaseEvent")
        self.waitFor(lambda: editor.activeEffect() is not None, 5)
        self.holds(before)
        editor.setActiveEffect(None)
        ui.showInsertionsCheckBox.checked = False

    def secondPatientBeginsWithNothing(self) -> None:
        ui, parameters, study, first = self.panel.ui, self.parameters, self.study, self.parameters.inputVolume
        voxels = np.random.default_rng(0).normal(100, 10, (9, 64, 64)).astype(np.float32)
        other = slicer.util.addVolumeFromArray(voxels, np.diag([1.4, 1.4, 8.0, 1.0]), "second patient")
        ui.inputSelector.setCurrentNode(other)
        self.waitFor()
        for name in ("outputSegmentation", "insertionPoints", "outputTable", "resultText"):
            self.assertIsNone(getattr(parameters, name), name)
        self.assertEqual((parameters.ecgPath, parameters.mriDate, ui.summaryLabel.text), ("", "", ""))
        self.assertEqual((self.study, self.pictures()), (None, {False}))
        ui.inputSelector.setCurrentNode(first)
        self.waitFor(lambda: self.study is study, 5)
        slicer.mrmlScene.RemoveNode(other)

    def sceneIsSavedAndOpened(self) -> None:
        """Dates, layout, pictures and the surfaces in 3D are back."""
        panel, bits = self.panel, self.study.bits.copy()
        date, text = self.parameters.mriDate, panel.ui.summaryLabel.text
        path = str(Path(slicer.util.tempDirectory("ScarSegECG")) / "case.mrb")
        panel.results.showLayout()
        self.assertTrue(slicer.mrmlScene.WriteToMRB(path))
        slicer.mrmlScene.Clear()
        slicer.app.layoutManager().setLayout(CONVENTIONAL)
        slicer.mrmlScene.ReadFromMRB(path)
        self.waitFor(lambda: self.study is not None and not panel.apply.busy, 60)
        self.holds(bits)
        told = (self.parameters.mriDate, panel.ui.mriDateEdit.text, panel.ui.summaryLabel.text)
        self.assertEqual(told, (date, date, text))
        self.assertEqual((slicer.app.layoutManager().layout, self.pictures()), (LAYOUT_ID, {True}))
        surface = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
        self.assertTrue(self.parameters.outputSegmentation.GetSegmentation().ContainsRepresentation(surface))

    def sceneIsClosedWithACase(self) -> None:
        self.panel.ui.segmentEditorWidget.setActiveEffectByName("Paint")
        slicer.mrmlScene.Clear()
        self.waitFor()
        self.assertEqual((self.study, self.pictures()), (None, {False}))
        slicer.app.layoutManager().setLayout(CONVENTIONAL)
        self.waitFor()
