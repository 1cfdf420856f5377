"""The Slicer module ScarSegECG: panel, the logic that talks to MRML, and the self-test.

Everything is computed by ``ScarSegECGLib``; here MRML nodes become arrays and results become nodes. Only ``case`` and
``errors`` of the library are imported at the top: the rest needs packages that Slicer installs on the first run.
"""

import importlib.util
import threading
import traceback
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated

import numpy as np
import qt
import slicer
import vtk
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode, vtkMRMLTableNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Choice, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from ScarSegECGLib.case import CAVITY, MYOCARDIUM, SCAR, ScarResult, SegmentRow
from ScarSegECGLib.errors import InputError
from ScarSegECGPanel.nodes import holdsResult, mriDateFromDicom, stackFromVolume, writeSegmentation, writeTable
from ScarSegECGPanel.run import ProgressCallback, SegmentationRun

POLL_MS = 100
PHANTOM_NAME = "ScarSegECG simulated patient"


class ScarSegECG(ScriptedLoadableModule):
    """What Slicer shows about the module before it is opened."""

    def __init__(self, parent) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = "ScarSegECG"
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Cardiac")]
        self.parent.dependencies = []
        self.parent.contributors = ["ScarSegECG contributors"]
        self.parent.helpText = _(
            "Finds myocardial scar in late gadolinium enhanced (LGE) short-axis MRI with the help of the 12-lead ECG "
            "and measures it in the 17 AHA segments. For research use, not a medical device. See the "
            '<a href="https://github.com/ScarSegECG/ScarSegECG">documentation</a>.'
        )
        self.parent.acknowledgementText = _(
            "A re-implementation from the abstract of arXiv 2511.14702 (Ramzan et al. 2025). The networks were trained "
            "on EMIDEC (Lalande et al., Data 2020, 5(4):89); their use is bound to its CC BY-NC-SA 4.0 licence."
        )
        slicer.app.connect("startupCompleted()", registerSampleData)


def registerSampleData() -> None:
    """Offer the simulated patient in the Sample Data module; it is made on the spot, nothing is downloaded."""
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="ScarSegECG",
        sampleName=PHANTOM_NAME,
        uris="",
        fileNames="",
        nodeNames=PHANTOM_NAME,
        thumbnailFileName=str(Path(__file__).parent / "Resources" / "Icons" / "ScarSegECG.png"),
        customDownloader=lambda source: ScarSegECGLogic().loadPhantomPatient(),
    )


@parameterNodeWrapper
class ScarSegECGParameterNode:
    """The module's state, saved with the scene.

    Dates are "YYYY-MM-DD"; an empty ECG date means the file's own, an empty MRI date means unknown.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    mriDate: str = ""
    ecgPath: str = ""
    ecgDate: str = ""
    eventBetween: bool = False
    useEcg: bool = True
    device: Annotated[str, Choice(["auto", "cpu", "cuda"])] = "auto"
    outputSegmentation: vtkMRMLSegmentationNode
    outputTable: vtkMRMLTableNode


class ScarSegECGWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: shows the parameter node, starts runs and puts their results into the scene."""

    def __init__(self, parent=None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: ScarSegECGLogic | None = None
        self._parameterNode = None
        self._guiTag = None
        self._inputId = ""
        self._run: SegmentationRun | None = None
        self._runInputs = None  # parameter node and volume of the run that is on

    def setup(self) -> None:
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/ScarSegECG.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = ScarSegECGLogic()

        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.ui.inputSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.onInputChanged)
        self.ui.ecgPathEdit.connect("currentPathChanged(QString)", self.onEcgPathChanged)
        self.ui.applyButton.connect("clicked(bool)", self.onApply)
        self.ui.cancelButton.connect("clicked(bool)", self.onCancel)
        self.ui.sampleButton.connect("clicked(bool)", self.onSample)

        self._pollTimer = qt.QTimer()
        self._pollTimer.setInterval(POLL_MS)
        self._pollTimer.connect("timeout()", self.onPoll)
        self.initializeParameterNode()

    def cleanup(self) -> None:
        self._abandonRun()
        self.setParameterNode(None)
        self.removeObservers()

    def enter(self) -> None:
        self.initializeParameterNode()

    def exit(self) -> None:
        """A run goes on while another module is open; only the panel stops following the parameter node."""
        self.setParameterNode(None)

    def onSceneStartClose(self, caller=None, event=None) -> None:
        self._abandonRun()
        self.setParameterNode(None)

    def onSceneEndClose(self, caller=None, event=None) -> None:
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self) -> None:
        parameterNode = self.logic.getParameterNode()
        if not parameterNode.inputVolume:
            parameterNode.inputVolume = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
            if parameterNode.inputVolume:
                parameterNode.mriDate = mriDateFromDicom(parameterNode.inputVolume)
        self.setParameterNode(parameterNode)

    def setParameterNode(self, parameterNode) -> None:
        """Follow this parameter node; None stops following."""
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._guiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.updatePanel)
        self._parameterNode = parameterNode
        if self._parameterNode:
            volume = self._parameterNode.inputVolume
            self._inputId = volume.GetID() if volume else ""
            self._guiTag = self._parameterNode.connectGui(self.ui)
            self.addObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.updatePanel)
            self.updatePanel()

    def updatePanel(self, caller=None, event=None) -> None:
        if not self._parameterNode:
            return
        if self.ui.ecgPathEdit.currentPath != self._parameterNode.ecgPath:
            self.ui.ecgPathEdit.currentPath = self._parameterNode.ecgPath
        ready = self._parameterNode.inputVolume is not None
        self.ui.applyButton.enabled = ready and self._run is None
        self.ui.applyButton.toolTip = _("Segment the scar.") if ready else _("Choose an LGE stack first.")
        self.ui.cancelButton.enabled = self._run is not None
        self.ui.sampleButton.enabled = self._run is None
        self.ui.progressBar.visible = self._run is not None

    def onInputChanged(self, node) -> None:
        """Another patient's images: what was said about the last one's dates no longer holds."""
        newId = node.GetID() if node else ""
        if not self._parameterNode or newId == self._inputId:
            return
        self._inputId = newId
        self._parameterNode.mriDate = mriDateFromDicom(node) if node else ""
        self._parameterNode.eventBetween = False

    def onEcgPathChanged(self, path: str) -> None:
        if not self._parameterNode or path == self._parameterNode.ecgPath:
            return
        self._parameterNode.ecgPath = path
        self._parameterNode.ecgDate = ""
        self._parameterNode.eventBetween = False

    def onSample(self) -> None:
        if not self._installRequirements():
            return
        with slicer.util.tryWithErrorDisplay(_("The simulated patient could not be made."), waitCursor=True):
            self.logic.loadPhantomPatient(self._parameterNode)
            self.ui.statusLabel.text = _("This patient is simulated. Press Apply.")

    def onApply(self) -> None:
        segmentation = self._parameterNode.outputSegmentation
        if (
            segmentation
            and holdsResult(segmentation)
            and not slicer.util.confirmOkCancelDisplay(
                _("The LV cavity, myocardium and scar of this segmentation will be replaced, edits included."),
                windowTitle="ScarSegECG",
            )
        ):
            return
        if not self._installRequirements():
            return
        try:
            self._run = self.logic.start(self._parameterNode)
        except InputError as error:
            slicer.util.errorDisplay(str(error))
            return
        self._runInputs = (self._parameterNode, self._parameterNode.inputVolume)
        self.ui.progressBar.value = 0
        self.ui.statusLabel.text = _("Running...")
        self._pollTimer.start()
        self.updatePanel()

    def onCancel(self) -> None:
        if self._run:
            self._run.cancel()
            self.ui.statusLabel.text = _("Stopping...")

    def onPoll(self) -> None:
        run = self._run
        if run is None:
            self._pollTimer.stop()
            return
        fraction, text = run.progress
        self.ui.progressBar.value = round(100 * fraction)
        if text and not run.cancelled:
            self.ui.statusLabel.text = text
        if run.finished:
            parameterNode, volumeNode = self._runInputs
            self._abandonRun()
            self.updatePanel()
            self._showEnd(run, parameterNode, volumeNode)

    def _showEnd(self, run: SegmentationRun, parameterNode, volumeNode) -> None:
        if run.result is not None:
            if not slicer.mrmlScene.IsNodePresent(volumeNode):
                self.ui.statusLabel.text = _("The LGE stack was removed during the run: nothing was written.")
                return
            with slicer.util.tryWithErrorDisplay(_("The result could not be shown.")):
                self.logic.writeResult(run.result, volumeNode, parameterNode)
                self.ui.statusLabel.text = self.logic.summary(run.result)
        elif isinstance(run.error, InputError):
            self.ui.statusLabel.text = str(run.error)
            slicer.util.errorDisplay(str(run.error))
        elif run.error is not None:
            self.ui.statusLabel.text = _("The segmentation failed.")
            details = "".join(traceback.format_exception(run.error))
            slicer.util.errorDisplay(_("The segmentation failed."), detailedText=details)
        else:
            self.ui.statusLabel.text = _("Cancelled: nothing was written.")

    def _abandonRun(self) -> None:
        if self._run:
            self._run.cancel()
            self._pollTimer.stop()
        self._run = None
        self._runInputs = None

    def _installRequirements(self) -> bool:
        try:
            self.logic.installRequirements(self.resourcePath("requirements.txt"))
        except Exception as error:  # declined, offline, or pip failed: pip's own log has been shown
            self.ui.statusLabel.text = _("The Python packages ScarSegECG needs are missing: {reason}").format(
                reason=error
            )
            return False
        return True


class ScarSegECGLogic(ScriptedLoadableModuleLogic):
    """Everything that can be done without the panel.

    >>> logic = ScarSegECGLogic()
    >>> parameterNode = logic.getParameterNode()
    >>> logic.loadPhantomPatient(parameterNode)
    >>> result = logic.segment(parameterNode)       # waits; the panel uses start() instead
    >>> print(logic.summary(result))
    """

    _sessions: dict = {}  # the network loaded for a device stays loaded, for every panel and script

    def getParameterNode(self) -> ScarSegECGParameterNode:
        return ScarSegECGParameterNode(super().getParameterNode())

    def installRequirements(self, path: str) -> None:
        """Install what is missing after asking the user.

        Raises
        ------
        RuntimeError
            The user declined, or Slicer is older than 5.12.
        """
        try:
            from slicer.packaging import load_requirements, pip_ensure
        except ImportError:
            raise RuntimeError(_("ScarSegECG needs Slicer 5.12 or newer.")) from None
        pip_ensure(load_requirements(path), requester="ScarSegECG")

    def start(self, parameterNode) -> SegmentationRun:
        """Begin a segmentation in a worker thread; call from the main thread.

        Raises
        ------
        InputError
            A date is not a date, or the volume is no stack.
        """
        return SegmentationRun(self._work(parameterNode))

    def segment(self, parameterNode) -> ScarResult:
        """Segment and write the result into the scene; waits until it is done."""
        volumeNode = parameterNode.inputVolume
        result = self._work(parameterNode)(lambda fraction, text: None)
        self.writeResult(result, volumeNode, parameterNode)
        return result

    def _work(self, parameterNode) -> Callable[[ProgressCallback], ScarResult]:
        """Read all that is in MRML now; what is returned computes without it."""
        from ScarSegECGLib.ecg.gap import parse_date

        mriDate = parse_date(parameterNode.mriDate) if parameterNode.mriDate.strip() else None
        ecgDate = parse_date(parameterNode.ecgDate) if parameterNode.ecgDate.strip() else None
        stack = stackFromVolume(parameterNode.inputVolume, mriDate)
        ecgPath = parameterNode.ecgPath if parameterNode.useEcg else ""
        whyNoEcg = "no ECG was given" if parameterNode.useEcg else "the ECG was switched off"
        eventBetween = parameterNode.eventBetween
        device = parameterNode.device

        def work(progress: ProgressCallback) -> ScarResult:
            from ScarSegECGLib.ecg.gap import gap_of_case
            from ScarSegECGLib.ecg.read import read_ecg
            from ScarSegECGLib.network.session import Session
            from ScarSegECGLib.pipeline import segment

            progress(0.0, _("Reading the ECG"))
            ecg = read_ecg(Path(ecgPath)) if ecgPath else None
            gap = gap_of_case(
                ecg,
                stack.acquired,
                typed_ecg_date=ecgDate,
                typed_mri_date=mriDate,
                event_between=eventBetween,
                now=datetime.now(),
            )
            if device not in self._sessions:
                progress(0.0, _("Loading the network"))
                self._sessions[device] = Session.load(device=device)
            return segment(stack, ecg, gap, self._sessions[device], why_no_ecg=whyNoEcg, progress=progress)

        return work

    def writeResult(self, result: ScarResult, volumeNode, parameterNode) -> None:
        """Put the result into the chosen output nodes, making those that were not chosen."""
        scene = slicer.mrmlScene
        name = volumeNode.GetName()
        if not parameterNode.outputSegmentation:
            parameterNode.outputSegmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"{name} scar")
        if not parameterNode.outputTable:
            parameterNode.outputTable = scene.AddNewNodeByClass("vtkMRMLTableNode", f"{name} AHA segments")
        writeSegmentation(result, volumeNode, parameterNode.outputSegmentation)
        writeTable(result, parameterNode.outputTable)

    def summary(self, result: ScarResult) -> str:
        """What was found, by which method, and how much the ECG counted."""
        lines = [
            _("Scar {ml:.1f} ml, {grams:.1f} g, {percent:.1f} % of the LV (image alone {alone:.1f} ml).").format(
                ml=result.scar.ml,
                grams=result.scar.grams,
                percent=result.scar.percent_of_lv,
                alone=result.scar_image_only.ml,
            ),
            _("Method: {method}.").format(method=result.method),
            result.ecg_use.reason,
            *result.warnings,
        ]
        return "\n".join(line for line in lines if line)

    def loadPhantomPatient(self, parameterNode=None):
        """Make the simulated patient's LGE stack and ECG and choose both as inputs; returns the volume node.

        The files go to a folder of their own among Slicer's temporary files: the ECG is then read like any other.
        """
        from ScarSegECGLib.lge.read import read_lge
        from ScarSegECGLib.training.phantom import phantom_patient, write_phantom

        patient = phantom_patient()
        files = write_phantom(Path(slicer.util.tempDirectory("ScarSegECG")), patient)
        stack = read_lge(files["lge"])
        stored = stack.storage.to_stored(stack.voxels)
        volumeNode = slicer.util.addVolumeFromArray(stored, stack.stored_ijk_to_ras, PHANTOM_NAME)
        parameterNode = parameterNode or self.getParameterNode()
        parameterNode.inputVolume = volumeNode
        parameterNode.mriDate = patient.mri_date.strftime("%Y-%m-%d")
        parameterNode.ecgPath = str(files["ecg"])
        parameterNode.ecgDate = ""
        parameterNode.eventBetween = False
        return volumeNode


class ScarSegECGTest(ScriptedLoadableModuleTest):
    """Run by Slicer's "Reload and Test" and by the extension's build."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        for test in (
            self.test_classes_lie_on_the_volume,
            self.test_table_has_every_segment,
            self.test_run_can_be_cancelled,
            self.test_simulated_patient,
        ):
            self.setUp()
            test()

    def test_classes_lie_on_the_volume(self) -> None:
        """Each class lands on exactly the voxels it has, though the file's slices run from base to apex."""
        volumeNode, result = handMadeResult()
        parameterNode = ScarSegECGLogic().getParameterNode()
        for _repeat in range(2):  # a second result replaces the first
            ScarSegECGLogic().writeResult(result, volumeNode, parameterNode)
        segmentation = parameterNode.outputSegmentation.GetSegmentation()
        self.assertEqual(segmentation.GetNumberOfSegments(), 3)
        stored = slicer.util.arrayFromVolume(volumeNode)
        for identifier, label in (("LVCavity", CAVITY), ("Myocardium", MYOCARDIUM), ("Scar", SCAR)):
            mask = slicer.util.arrayFromSegmentBinaryLabelmap(parameterNode.outputSegmentation, identifier, volumeNode)
            np.testing.assert_array_equal(mask > 0, stored == label, err_msg=identifier)

    def test_table_has_every_segment(self) -> None:
        volumeNode, result = handMadeResult()
        parameterNode = ScarSegECGLogic().getParameterNode()
        ScarSegECGLogic().writeResult(result, volumeNode, parameterNode)
        table = parameterNode.outputTable
        self.assertEqual(table.GetNumberOfRows(), 17)
        self.assertEqual([table.GetCellText(row, 0) for row in range(17)], [str(n) for n in range(1, 18)])
        self.assertEqual(table.GetCellText(0, 3), "12.5")
        self.assertEqual(table.GetCellText(16, 3), "")

    def test_run_can_be_cancelled(self) -> None:
        started = threading.Event()

        def work(progress: ProgressCallback):
            while True:
                progress(0.5, "at work")
                started.set()

        run = SegmentationRun(work)
        self.assertTrue(started.wait(5))
        run.cancel()
        run.wait(5)
        self.assertTrue(run.finished)
        self.assertIsNone(run.result)
        self.assertIsNone(run.error)

    def test_simulated_patient(self) -> None:
        """The whole way; skipped where Slicer has not installed the packages yet (testing never installs)."""
        if importlib.util.find_spec("torch") is None or importlib.util.find_spec("wfdb") is None:
            self.delayDisplay("Skipped: PyTorch and wfdb are not installed in this Slicer")
            return
        logic = ScarSegECGLogic()
        parameterNode = logic.getParameterNode()
        volumeNode = logic.loadPhantomPatient(parameterNode)
        result = logic.segment(parameterNode)
        self.assertGreater(result.scar.ml, 0.0)
        self.assertEqual(slicer.util.arrayFromVolume(volumeNode).size, result.labels.size)
        self.assertEqual(parameterNode.outputTable.GetNumberOfRows(), 17)


def handMadeResult():
    """A small oblique volume whose voxels are their own class, and as much of a result as nodes are made from."""
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
    unknown = {"transmurality_mean_percent": None, "transmurality_max_percent": None, "transmurality_bin": ""}
    segments = tuple(
        SegmentRow(n, f"segment {n}", "LAD", n < 17, 4.0, 0.5, percent, percent, **unknown)
        for n, percent in ((n, 12.5 if n < 17 else None) for n in range(1, 18))
    )
    labels = stack.voxels.astype(np.uint8)
    return volumeNode, SimpleNamespace(stack=stack, labels=labels, segments=segments, method="made by hand")
