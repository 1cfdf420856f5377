"""The module's self-test as one story: real panel, real buttons, real pipeline, on the simulated patient.

Inside Slicer "Reload and Test", or ``ScarSegECGTest().runTest()`` in the Python console, runs it and prints what it
did; ``Testing/desktop`` runs the same without the application.
"""

import importlib.util
import threading
import time
from pathlib import Path

import numpy as np
import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

from ScarSegECGLib.case import CAVITY, MYOCARDIUM, SCAR
from ScarSegECGPanel.correct import BRUSH
from ScarSegECGPanel.layout import BULLSEYE_TAG, LAYOUT_ID
from ScarSegECGPanel.masks import Masks
from ScarSegECGPanel.nodes import stackReader
from ScarSegECGPanel.recompute import WITH_ECG
from ScarSegECGPanel.results import WEDGE_ACCEPT
from ScarSegECGPanel.run import Run
from ScarSegECGPanel.segments import FIELDS, IDENTIFIERS, changeSegments, prepareSegments, readSegments
from ScarSegECGPanel.slices import MAIN_VIEW, currentSlice, goTo

LONGEST_RUN_S = 300
NEEDED = ("torch", "wfdb", "matplotlib", "safetensors")
CONVENTIONAL, FOUR_UP = 2, 3
WITHOUT_PACKAGES = ("masksLieOnTheVolume", "runCanBeCancelled", "layoutChangesWithoutACase")
STORY = (
    *WITHOUT_PACKAGES, "cancelLeavesTheSceneAsItWas", "applyShowsTheCase", "strokesAndRulesAreUndoneInOrder",
    "undoOfAMethodChangeBringsItsChoiceBack", "keysDoWhatTheySay", "wedgeAcceptsTheProposalInOneClick",
    "pointIsDraggedWithPaintActive", "otherSegmentsAreNotTouched", "secondPatientBeginsWithNothing",
    "sceneIsSavedAndOpened", "sceneIsClosedWithACase",
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

    @property
    def panel(self):
        return slicer.util.getModuleWidget("ScarSegECG")

    @property
    def study(self):
        return self.panel.logic.study

    def waitFor(self, condition, seconds: float = LONGEST_RUN_S) -> None:
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, "it takes too long")
            slicer.app.processEvents()
            time.sleep(0.001)

    def applied(self):
        """The simulated patient, loaded and segmented through the panel's own buttons."""
        self.loadPatient()
        self.panel.ui.applyButton.click()
        self.waitFor(lambda: not self.panel.apply.busy)
        self.assertIsNotNone(self.study, self.panel.ui.statusLabel.text)
        return self.panel

    def loadPatient(self) -> None:
        self.panel.ui.sampleButton.click()
        self.panel.parameterNode.device = "cpu"

    def paint(self, voxel: tuple[int, int, int], size: int = 2, on: bool = True) -> None:
        """As a stroke of the editor does: change the scar's voxels in the scene, inside the wall."""
        parameters, masks, (slice_, row, column) = self.panel.parameterNode, self.study.masks, voxel
        scar = masks.scar.copy()
        scar[slice_, row - size : row + size + 1, column - size : column + size + 1] = on
        stored = self.study.segmented.stack.storage.to_stored(scar & masks.wall).astype(np.uint8)
        slicer.util.updateSegmentBinaryLabelmapFromArray(
            stored, parameters.outputSegmentation, IDENTIFIERS[SCAR], parameters.inputVolume
        )
        slicer.app.processEvents()

    def wallPlace(self, ofScar: bool = False) -> tuple[int, int, int]:
        """(slice, row, column) of a voxel of wall, with scar or without."""
        masks = self.study.masks
        there = np.argwhere(masks.scar if ofScar else masks.wall & ~masks.scar)
        return tuple(there[len(there) // 2].tolist())

    def shown(self) -> Masks:
        return readSegments(self.study.segmented.stack, self.panel.parameterNode.outputSegmentation)

    def press(self, key: str) -> None:
        """Do what the key does, if nobody else has it: Qt activates neither of two shortcuts."""
        window = slicer.util.mainWindow() or self.panel.parent
        named = [shortcut.key.toString() for shortcut in slicer.util.findChildren(window, className="QShortcut")]
        self.assertEqual(named.count(key), 1, f"{key} is there {named.count(key)} times")
        self.panel.shortcuts.actions()[key]()
        slicer.app.processEvents()

    def drawings(self) -> list:
        return [view.drawing for view in self.panel.views.drawn.values()]

    def masksLieOnTheVolume(self) -> None:
        """Each mask lands on exactly the voxels it has, though the file's slices run from base to apex."""
        stored = np.random.default_rng(0).integers(0, 4, (5, 36, 33)).astype(np.uint8)
        volumeNode = slicer.util.addVolumeFromArray(stored, OBLIQUE, "test")
        stack = stackReader(volumeNode)()
        labels = stack.voxels
        masks = Masks(labels == CAVITY, labels >= MYOCARDIUM, labels == SCAR)
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        for _repeat in range(2):  # a second result replaces the first
            prepareSegments(volumeNode, node)
            changeSegments(masks, stack, node)
        self.assertEqual(node.GetSegmentation().GetNumberOfSegments(), 3)
        for name, identifier in FIELDS.items():
            found = slicer.util.arrayFromSegmentBinaryLabelmap(node, identifier, volumeNode)
            np.testing.assert_array_equal(found > 0, stack.storage.to_stored(getattr(masks, name)), err_msg=name)
        np.testing.assert_array_equal(readSegments(stack, node).toBits(), masks.toBits())
        slicer.mrmlScene.Clear()

    def runCanBeCancelled(self) -> None:
        started = threading.Event()

        def work(progress):
            while True:
                progress(0.5, "at work")
                started.set()

        run = Run(work)
        self.assertTrue(started.wait(5))
        run.cancel()
        run.wait(5)
        self.assertEqual((run.finished, run.result, run.error), (True, None, None))

    def layoutChangesWithoutACase(self) -> None:
        """Slicer itself crashed here once; and nothing can be pressed that has no sense yet."""
        ui = self.panel.ui
        for layout in (FOUR_UP, CONVENTIONAL):
            slicer.app.layoutManager().setLayout(layout)
            slicer.app.processEvents()
        for button in (ui.applyButton, ui.exportButton, ui.undoButton):
            self.assertFalse(button.enabled)

    def cancelLeavesTheSceneAsItWas(self) -> None:
        self.loadPatient()
        panel, before = self.panel, slicer.mrmlScene.GetNumberOfNodes()
        panel.ui.applyButton.click()
        self.waitFor(lambda: panel.apply.run.progress[0] > 0.02 or panel.apply.run.finished)
        panel.ui.cancelButton.click()
        self.waitFor(lambda: not panel.apply.busy)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), before)
        self.assertIsNone(self.study)
        self.assertTrue(panel.ui.applyButton.enabled)
        slicer.mrmlScene.Clear()

    def applyShowsTheCase(self) -> None:
        panel = self.applied()
        self.assertGreater(self.study.result.scar.ml, 0.0)
        np.testing.assert_array_equal(self.shown().toBits(), self.study.bits)
        self.assertEqual(panel.parameterNode.outputTable.GetNumberOfRows(), 17)
        self.assertEqual(slicer.app.layoutManager().layout, LAYOUT_ID)
        self.assertTrue(all(self.drawings()))
        self.assertEqual(panel.ui.summaryLabel.text.count("\n"), 2)
        self.assertFalse(panel.ui.correctCollapsibleButton.collapsed)

    def strokesAndRulesAreUndoneInOrder(self) -> None:
        panel, ui, study = self.panel, self.panel.ui, self.study
        states = [study.bits.copy()]

        def lower() -> None:
            ui.probabilitySlider.value = 0.2
            self.waitFor(lambda: not np.array_equal(study.bits, states[-1]), 5)

        for change in (
            lambda: self.paint(self.wallPlace()),
            lower,
            lambda: self.paint(self.wallPlace(ofScar=True), on=False),
            lambda: panel.correct.setSegment(int(study.anatomy.aha[self.wallPlace(ofScar=True)]), accept=False),
        ):
            change()
            slicer.app.processEvents()
            self.assertFalse(np.array_equal(study.bits, states[-1]), "nothing changed")
            np.testing.assert_array_equal(self.shown().toBits(), study.bits)
            states.append(study.bits.copy())
        for button, expected in ((ui.undoButton, states[-2::-1]), (ui.redoButton, states[1:])):
            for bits in expected:
                button.click()
                np.testing.assert_array_equal(self.shown().toBits(), bits)
            self.assertFalse(button.enabled)
        while ui.undoButton.enabled:
            ui.undoButton.click()

    def undoOfAMethodChangeBringsItsChoiceBack(self) -> None:
        panel, before = self.panel, self.study.bits.copy()
        panel.parameterNode.method = "FWHM"
        self.waitFor(lambda: not np.array_equal(self.study.bits, before), 10)
        panel.ui.undoButton.click()
        slicer.app.processEvents()
        self.assertEqual((panel.parameterNode.method, panel.ui.methodComboBox.currentText), (WITH_ECG, WITH_ECG))
        self.assertEqual(panel.parameterNode.probability, 0.5)
        np.testing.assert_array_equal(self.study.bits, before)

    def keysDoWhatTheySay(self) -> None:
        stack, volume = self.study.segmented.stack, self.panel.parameterNode.inputVolume
        goTo(volume, stack, 3)
        for key, slice_ in ((".", 4), (",", 3)):
            self.press(key)
            self.assertEqual(currentSlice(volume, stack), slice_)
        before = self.study.bits.copy()
        self.paint(self.wallPlace())
        self.assertFalse(np.array_equal(self.study.bits, before))
        self.press("Ctrl+Z")
        np.testing.assert_array_equal(self.study.bits, before)
        editor = self.panel.ui.segmentEditorWidget
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
        panel.parameterNode.wedgeClick = WEDGE_ACCEPT
        view = panel.views.drawn[BULLSEYE_TAG]
        places = np.ndindex(int(view.drawing.width), int(view.drawing.height))
        x, y = next(place for place in places if view.drawing.segment_at(*place) == number)
        scale, left, bottom = view.place()
        view.click(left + scale * x, bottom + scale * y)
        slicer.app.processEvents()
        np.testing.assert_array_equal(study.bits, before)

    def pointIsDraggedWithPaintActive(self) -> None:
        """A press on an insertion point is the point's, not the brush's; the tool is back afterwards."""
        ui, node, before = self.panel.ui, self.panel.parameterNode.insertionPoints, self.study.bits.copy()
        ui.showInsertionsCheckBox.checked = True
        editor = ui.segmentEditorWidget
        editor.setActiveEffectByName("Paint")
        place = slicer.util.arrayFromMarkupsControlPoints(node, world=True)[0]
        slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode").SetCursorPositionRAS(place)
        interactor = slicer.app.layoutManager().sliceWidget(MAIN_VIEW).sliceView().interactor()
        interactor.InvokeEvent("LeftButtonPressEvent")
        self.assertIsNone(editor.activeEffect())
        interactor.InvokeEvent("LeftButtonReleaseEvent")
        self.waitFor(lambda: editor.activeEffect() is not None, 5)
        np.testing.assert_array_equal(self.shown().toBits(), before)
        editor.setActiveEffect(None)
        ui.showInsertionsCheckBox.checked = False

    def otherSegmentsAreNotTouched(self) -> None:
        node, volume = self.panel.parameterNode.outputSegmentation, self.panel.parameterNode.inputVolume
        mine = np.zeros(slicer.util.arrayFromVolume(volume).shape, np.uint8)
        mine[2:5, 60:200, 60:200] = 1
        node.GetSegmentation().AddEmptySegment("Mine")
        slicer.util.updateSegmentBinaryLabelmapFromArray(mine, node, "Mine", volume)
        self.paint(self.wallPlace())
        self.panel.ui.undoButton.click()
        self.waitFor(lambda: np.array_equal(self.shown().toBits(), self.study.bits), 5)
        found = slicer.util.arrayFromSegmentBinaryLabelmap(node, "Mine", volume)
        np.testing.assert_array_equal(found, mine)

    def secondPatientBeginsWithNothing(self) -> None:
        panel, parameters, study = self.panel, self.panel.parameterNode, self.study
        first = parameters.inputVolume
        voxels = np.random.default_rng(0).normal(100, 10, (9, 64, 64)).astype(np.float32)
        other = slicer.util.addVolumeFromArray(voxels, np.diag([1.4, 1.4, 8.0, 1.0]), "second patient")
        panel.ui.inputSelector.setCurrentNode(other)
        slicer.app.processEvents()
        self.assertIsNone(self.study)
        for name in ("outputSegmentation", "insertionPoints", "outputTable", "resultText"):
            self.assertIsNone(getattr(parameters, name), name)
        self.assertEqual((parameters.ecgPath, parameters.mriDate, panel.ui.summaryLabel.text), ("", "", ""))
        self.assertFalse(any(self.drawings()))
        panel.ui.inputSelector.setCurrentNode(first)
        slicer.app.processEvents()
        self.assertIs(self.study, study)
        slicer.mrmlScene.RemoveNode(other)

    def sceneIsSavedAndOpened(self) -> None:
        """Dates, layout, pictures and the surfaces in 3D are back."""
        panel, bits, text = self.panel, self.study.bits.copy(), self.panel.ui.summaryLabel.text
        date = panel.parameterNode.mriDate
        path = str(Path(slicer.util.tempDirectory("ScarSegECG")) / "case.mrb")
        panel.views.show()
        self.assertTrue(slicer.mrmlScene.WriteToMRB(path))
        slicer.mrmlScene.Clear()
        slicer.app.layoutManager().setLayout(CONVENTIONAL)
        slicer.mrmlScene.ReadFromMRB(path)
        self.waitFor(lambda: self.study is not None and not panel.apply.busy, 60)
        np.testing.assert_array_equal(self.study.bits, bits)
        self.assertEqual((panel.parameterNode.mriDate, panel.ui.mriDateEdit.text), (date, date))
        self.assertEqual(panel.ui.summaryLabel.text, text)
        self.assertEqual(slicer.app.layoutManager().layout, LAYOUT_ID)
        self.assertTrue(all(self.drawings()))
        surface = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
        self.assertTrue(panel.parameterNode.outputSegmentation.GetSegmentation().ContainsRepresentation(surface))

    def sceneIsClosedWithACase(self) -> None:
        self.panel.ui.segmentEditorWidget.setActiveEffectByName("Paint")
        slicer.mrmlScene.Clear()
        slicer.app.processEvents()
        self.assertIsNone(self.study)
        self.assertFalse(any(self.drawings()))
        slicer.app.layoutManager().setLayout(CONVENTIONAL)
        slicer.app.processEvents()
