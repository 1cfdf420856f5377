"""The module's self-test: the real panel, its real buttons, the real pipeline on the simulated patient.

Inside Slicer "Reload and Test" runs it; ``Testing/desktop`` runs the same cases without the application.
"""

import importlib.util
import threading
import time

import numpy as np
import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

from ScarSegECGLib.case import CAVITY, MYOCARDIUM, SCAR
from ScarSegECGLib.wording import words
from ScarSegECGPanel.masks import Masks
from ScarSegECGPanel.nodes import stackFromVolume
from ScarSegECGPanel.recompute import IMAGE_ONLY, WITH_ECG
from ScarSegECGPanel.run import Run
from ScarSegECGPanel.segments import IDENTIFIERS, readSegments, writeSegments

LONGEST_RUN_S = 300
NEEDED = ("torch", "wfdb", "matplotlib", "safetensors")


class SelfTest(ScriptedLoadableModuleTest):
    """Each case begins with an empty scene; those that segment are skipped where the packages are missing."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()
        if self.panel.parameterNode is None:  # the module is not the one that is shown
            self.panel.initializeParameterNode()

    def runTest(self) -> None:
        for name in [name for name in dir(self) if name.startswith("test_")]:
            self.setUp()
            self.delayDisplay(name)
            getattr(self, name)()

    @property
    def panel(self):
        """The module's widget."""
        return slicer.util.getModuleWidget("ScarSegECG")

    def packagesAreThere(self) -> bool:
        """Testing never installs."""
        missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
        if missing:
            self.delayDisplay(f"Skipped: {', '.join(missing)} not installed in this Slicer")
        return not missing

    def waitFor(self, condition, seconds: float = LONGEST_RUN_S) -> None:
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, "it takes too long")
            slicer.app.processEvents()
            time.sleep(0.001)

    def applied(self):
        """The simulated patient, loaded and segmented through the panel's own buttons."""
        panel = self.panel
        panel.ui.sampleButton.click()
        panel.parameterNode.device = "cpu"
        panel.ui.applyButton.click()
        self.waitFor(lambda: not panel.apply.busy)
        self.assertIsNotNone(panel.logic.study, panel.ui.statusLabel.text)
        return panel

    def paint(self, row: int, column: int, size: int = 2, on: bool = True, slice_: int | None = None) -> np.ndarray:
        """As a stroke of the editor does: change the scar's voxels in the scene, inside the wall."""
        panel = self.panel
        study, parameters = panel.logic.study, panel.parameterNode
        masks, stack = study.masks, study.segmented.stack
        slice_ = int(masks.wall.sum(axis=(1, 2)).argmax()) if slice_ is None else slice_
        brush = np.zeros_like(masks.scar)
        brush[slice_, row - size : row + size + 1, column - size : column + size + 1] = True
        scar = (masks.scar | brush) if on else (masks.scar & ~brush)
        stored = stack.storage.to_stored(scar & masks.wall).astype(np.uint8)
        slicer.util.updateSegmentBinaryLabelmapFromArray(
            stored, parameters.outputSegmentation, IDENTIFIERS[SCAR], parameters.inputVolume
        )
        slicer.app.processEvents()
        return scar & masks.wall

    def wallPlace(self, ofScar: bool = False) -> tuple[int, int, int]:
        """(slice, row, column) of a voxel of wall, with scar or without."""
        masks = self.panel.logic.study.masks
        there = np.argwhere(masks.scar if ofScar else masks.wall & ~masks.scar)
        return tuple(int(at) for at in there[len(there) // 2])

    def shown(self) -> Masks:
        """What the scene holds."""
        p, study = self.panel.parameterNode, self.panel.logic.study
        return readSegments(study.segmented.stack, p.inputVolume, p.outputSegmentation)

    # Without the networks

    def test_masks_lie_on_the_volume(self) -> None:
        """Each mask lands on exactly the voxels it has, though the file's slices run from base to apex."""
        volumeNode, stack, masks = handMadeMasks()
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        for _repeat in range(2):  # a second result replaces the first
            writeSegments(masks, stack, volumeNode, node)
        self.assertEqual(node.GetSegmentation().GetNumberOfSegments(), 3)
        for label, mask in ((CAVITY, masks.cavity), (MYOCARDIUM, masks.wall), (SCAR, masks.scar)):
            found = slicer.util.arrayFromSegmentBinaryLabelmap(node, IDENTIFIERS[label], volumeNode)
            np.testing.assert_array_equal(found > 0, stack.storage.to_stored(mask), err_msg=IDENTIFIERS[label])
        np.testing.assert_array_equal(readSegments(stack, volumeNode, node).toBits(), masks.toBits())

    def test_run_can_be_cancelled(self) -> None:
        started = threading.Event()

        def work(progress):
            while True:
                progress(0.5, "at work")
                started.set()

        run = Run(work)
        self.assertTrue(started.wait(5))
        run.cancel()
        run.wait(5)
        self.assertTrue(run.finished)
        self.assertIsNone(run.result)
        self.assertIsNone(run.error)

    def test_nothing_can_be_applied_without_images(self) -> None:
        panel = self.panel
        self.assertFalse(panel.ui.applyButton.enabled)
        self.assertFalse(panel.ui.exportButton.enabled)
        self.assertFalse(panel.ui.undoButton.enabled)

    # With the networks

    def test_apply_shows_segments_table_and_bullseye(self) -> None:
        if not self.packagesAreThere():
            return
        panel = self.applied()
        study, parameters = panel.logic.study, panel.parameterNode
        self.assertGreater(study.result.scar.ml, 0.0)
        np.testing.assert_array_equal(self.shown().toBits(), study.bits)
        self.assertEqual(parameters.outputTable.GetNumberOfRows(), 17)
        self.assertIsNotNone(panel.results.image.drawing)
        self.assertIsNotNone(panel.results.ecg.drawing)
        self.assertIsNotNone(panel.results.paper.drawing)
        self.assertIn("ml", panel.ui.summaryLabel.text)
        self.assertIn(words(study.segmented.ecg_use), panel.ui.summaryLabel.text)

    def test_cancel_leaves_the_scene_as_it_was(self) -> None:
        if not self.packagesAreThere():
            return
        panel = self.panel
        panel.ui.sampleButton.click()
        panel.parameterNode.device = "cpu"
        before = slicer.mrmlScene.GetNumberOfNodes()
        panel.ui.applyButton.click()
        self.waitFor(lambda: panel.apply.run.progress[0] > 0.02 or panel.apply.run.finished)
        panel.ui.cancelButton.click()
        self.waitFor(lambda: not panel.apply.busy)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), before)
        self.assertIsNone(panel.logic.study)
        self.assertIn("Cancelled", panel.ui.statusLabel.text)
        self.assertTrue(panel.ui.applyButton.enabled)

    def test_strokes_and_rules_are_undone_in_order(self) -> None:
        if not self.packagesAreThere():
            return
        panel = self.applied()
        study = panel.logic.study
        states = [study.bits.copy()]

        def note() -> None:
            slicer.app.processEvents()
            self.assertFalse(np.array_equal(study.bits, states[-1]), "nothing changed")
            np.testing.assert_array_equal(self.shown().toBits(), study.bits)
            states.append(study.bits.copy())

        k, i, j = self.wallPlace()
        self.paint(i, j, slice_=k)
        note()
        panel.ui.probabilitySlider.value = 0.2
        self.waitFor(lambda: not np.array_equal(study.bits, states[-1]), 5)
        note()
        self.paint(*self.wallPlace(ofScar=True)[1:], on=False, slice_=self.wallPlace(ofScar=True)[0])
        note()
        panel.correct.setSegment(int(study.anatomy.aha[self.wallPlace(ofScar=True)]), accept=False)
        note()
        for expected in reversed(states[:-1]):
            panel.ui.undoButton.click()
            np.testing.assert_array_equal(study.bits, expected)
            np.testing.assert_array_equal(self.shown().toBits(), expected)
        self.assertFalse(panel.ui.undoButton.enabled)
        for expected in states[1:]:
            panel.ui.redoButton.click()
            np.testing.assert_array_equal(self.shown().toBits(), expected)
        self.assertFalse(panel.ui.redoButton.enabled)

    def test_other_segments_are_never_touched(self) -> None:
        if not self.packagesAreThere():
            return
        panel = self.applied()
        node = panel.parameterNode.outputSegmentation
        mine = np.zeros(slicer.util.arrayFromVolume(panel.parameterNode.inputVolume).shape, np.uint8)
        mine[2:5, 60:200, 60:200] = 1
        node.GetSegmentation().AddEmptySegment("Mine")
        slicer.util.updateSegmentBinaryLabelmapFromArray(mine, node, "Mine", panel.parameterNode.inputVolume)
        k, i, j = self.wallPlace()
        self.paint(i, j, slice_=k)
        panel.ui.undoButton.click()
        panel.parameterNode.method = IMAGE_ONLY
        slicer.app.processEvents()
        panel.parameterNode.method = WITH_ECG
        panel.ui.applyButton.click()
        self.waitFor(lambda: not panel.apply.busy)
        found = slicer.util.arrayFromSegmentBinaryLabelmap(node, "Mine", panel.parameterNode.inputVolume)
        np.testing.assert_array_equal(found, mine)


def handMadeMasks():
    """A small oblique volume and masks that are its own values, slices from base to apex."""
    rng = np.random.default_rng(0)
    stored = rng.integers(0, 4, (5, 36, 33)).astype(np.uint8)
    # rows and columns as in a supine short-axis picture, slices from base to apex
    slices, rows = -np.array([0.587, -0.619, 0.521]), np.array([0.17, -0.63, -0.76])
    slices /= np.linalg.norm(slices)
    rows -= rows @ slices * slices
    rows /= np.linalg.norm(rows)
    ijkToRas = np.eye(4)
    ijkToRas[:3, :3] = np.column_stack([1.4 * np.cross(rows, slices), 1.4 * rows, 8.0 * slices])
    ijkToRas[:3, 3] = (11.0, -7.0, 30.0)
    volumeNode = slicer.util.addVolumeFromArray(stored, ijkToRas, "test")
    stack = stackFromVolume(volumeNode)
    labels = stack.voxels
    return volumeNode, stack, Masks(labels == CAVITY, labels >= MYOCARDIUM, labels == SCAR)
