"""The Slicer module ScarSegECG: what Slicer shows of it, its state, its panel, its logic and its self-test.

Everything is computed by ``ScarSegECGLib``; the panel's sections are in ``ScarSegECGPanel``, a file for each. Only
``case`` and ``errors`` of the library are imported at the top: the rest needs packages that Slicer installs on the
first run.
"""

from contextlib import contextmanager
from typing import Annotated

import slicer
import vtk
from slicer import (
    vtkMRMLMarkupsFiducialNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
    vtkMRMLTableNode,
    vtkMRMLTextNode,
)
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from ScarSegECGPanel import selftest
from ScarSegECGPanel.anatomy import AnatomySection
from ScarSegECGPanel.apply import ApplySection
from ScarSegECGPanel.casework import CaseWork
from ScarSegECGPanel.correct import CorrectSection, takeEditorNode
from ScarSegECGPanel.dicom import mriDateFromDicom
from ScarSegECGPanel.export import ExportSection
from ScarSegECGPanel.inputs import InputsSection
from ScarSegECGPanel.layout import LayoutSection, registerLayout
from ScarSegECGPanel.nodes import CONTRASTS
from ScarSegECGPanel.packages import PackagesSection
from ScarSegECGPanel.recompute import AHA_MODES, METHODS
from ScarSegECGPanel.recover import RecoverSection, journalFolder
from ScarSegECGPanel.reload import importedAnew
from ScarSegECGPanel.results import WEDGE_CLICKS, ResultsSection
from ScarSegECGPanel.sample import loadPhantomPatient, registerSampleData
from ScarSegECGPanel.scar import ScarSection
from ScarSegECGPanel.segments import changeSegments
from ScarSegECGPanel.shortcuts import Shortcuts


class ScarSegECG(ScriptedLoadableModule):
    """What Slicer shows about the module before it is opened."""

    def __init__(self, parent) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = "ScarSegECG"
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Cardiac")]
        self.parent.dependencies = ["Segmentations", "SegmentEditor", "Markups", "Volumes", "Tables"]
        self.parent.contributors = ["ScarSegECG contributors"]
        self.parent.helpText = _(
            "Finds myocardial scar in late gadolinium enhanced (LGE) short-axis MRI with the help of the 12-lead ECG "
            "and measures it in the 17 AHA segments. For research use, not a medical device. See the "
            '<a href="https://github.com/ScarSegECG/SlicerScarSegECG">documentation</a>.'
        )
        self.parent.acknowledgementText = _(
            "A re-implementation from the abstract of arXiv 2511.14702 (Ramzan et al. 2025). The networks were trained "
            "on EMIDEC (Lalande et al., Data 2020, 5(4):89); their use is bound to its CC BY-NC-SA 4.0 licence."
        )
        slicer.app.connect("startupCompleted()", onStartup)


def onStartup() -> None:
    registerLayout()
    registerSampleData(lambda: ScarSegECGLogic().loadPhantomPatient())


@parameterNodeWrapper
class ScarSegECGParameterNode:
    """The module's state, saved with the scene.

    Dates are "YYYY-MM-DD"; an empty ECG date means the file's own, an empty MRI date means unknown.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    contrast: Annotated[str, Choice(list(CONTRASTS))] = "Automatic"
    mriDate: str = ""
    ecgPath: str = ""
    ecgDate: str = ""
    eventBetween: bool = False
    useEcg: bool = True
    correctShifts: bool = False
    device: Annotated[str, Choice(["auto", "cpu", "cuda"])] = "auto"
    outputSegmentation: vtkMRMLSegmentationNode
    outputTable: vtkMRMLTableNode
    resultText: vtkMRMLTextNode
    showInsertions: bool = False
    insertionPoints: vtkMRMLMarkupsFiducialNode
    ahaSegments: Annotated[str, Choice(["17", "16"])] = "17"
    ahaMode: Annotated[str, Choice(list(AHA_MODES))] = "From anterior insertion"
    alignSlices: bool = False
    alignedVolume: vtkMRMLScalarVolumeNode
    method: Annotated[str, Choice(METHODS)] = METHODS[0]
    probability: Annotated[float, WithinRange(0.05, 0.95)] = 0.5
    nSd: Annotated[float, WithinRange(2.0, 6.0)] = 3.0
    smallestIsland: Annotated[float, WithinRange(0.0, 2.0)] = 0.1
    wedgeClick: Annotated[str, Choice(WEDGE_CLICKS)] = WEDGE_CLICKS[0]
    showInfluence: bool = False
    influenceVolume: vtkMRMLScalarVolumeNode
    territories: bool = False


class ScarSegECGWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: follows the parameter node and the scene, and hands every concern to its section."""

    def __init__(self, parent=None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: ScarSegECGLogic | None = None
        self.parameterNode = None
        self.sections: list = []
        self._guiTag = None
        self._afterOpening = ""
        self._writing = 0

    def setup(self) -> None:
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/ScarSegECG.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        takeEditorNode(self.ui.segmentEditorWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = ScarSegECGLogic()

        self.packages = PackagesSection(self)
        self.inputs = InputsSection(self)
        self.apply = ApplySection(self)
        self.anatomy = AnatomySection(self)
        self.scar = ScarSection(self)
        self.correct = CorrectSection(self)
        self.results = ResultsSection(self)
        self.views = LayoutSection(self)
        self.export = ExportSection(self)
        self.recover = RecoverSection(self)
        self.sections = [
            self.inputs, self.apply, self.anatomy, self.scar, self.correct, self.results, self.views, self.export,
            self.recover, self.packages,
        ]  # fmt: skip
        self.shortcuts = Shortcuts(self)

        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndImport)
        self.addObserver(scene, scene.NodeRemovedEvent, self.onNodesGone)
        self.initializeParameterNode()

    # The module is entered, left, reloaded; the scene is closed and loaded

    def enter(self) -> None:
        """A run goes on while another module is open; its case is taken up where it is."""
        self.recover.look()
        if not self.apply.busy:
            self.initializeParameterNode()
        self.views.enter()
        self.shortcuts.install()

    def exit(self) -> None:
        """A run goes on while another module is open; only the panel stops following the parameter node."""
        self.shortcuts.remove()
        self.correct.exit()
        if not self.apply.busy:
            self.setParameterNode(None)

    def cleanup(self) -> None:
        self.shortcuts.remove()
        self.setParameterNode(None)
        self.views.cleanup()
        self.logic.dropCases()
        self.removeObservers()

    def onReload(self) -> None:
        """Reload the panel's and the library's files too, not this one alone.

        The loaded networks go with them: they are objects of the library's former code, and an edit of it would not
        show as long as they were used. The next Apply loads them again, in well under a second.
        """
        hadNetworks, entered = bool(self.logic.networks), self.parent.isEntered
        if entered:
            self.exit()
        try:
            with importedAnew():
                ScriptedLoadableModuleWidget.onReload(self)
        except BaseException:
            if entered:
                self.enter()
            raise
        panel = slicer.modules.ScarSegECGWidget
        if entered:
            panel.enter()
        if hadNetworks:
            panel.sayOnceOpened(_("Reloaded. The networks were let go: the next Apply loads them again."))

    def onSceneStartClose(self, caller=None, event=None) -> None:
        self.setParameterNode(None)
        self.logic.dropCases()
        self.results.clear()

    def onSceneEndClose(self, caller=None, event=None) -> None:
        takeEditorNode(self.ui.segmentEditorWidget)
        self.say("")
        if self.parent.isEntered:
            self.initializeParameterNode()

    def onSceneEndImport(self, caller=None, event=None) -> None:
        takeEditorNode(self.ui.segmentEditorWidget)
        if self.parent.isEntered:
            self.initializeParameterNode()

    def onNodesGone(self, caller=None, event=None) -> None:
        """Somebody deleted a node: a case without its images or its segments is none."""
        if self.isWriting or not self.parameterNode or slicer.mrmlScene.IsClosing():
            return
        if self.logic.study and not self.logic.caseIsWhole(self.parameterNode):
            self.correct.release()
            self.anatomy.release()
            self.logic.dropCase()
            self.say(_("The images or the segmentation were removed: press Apply to segment again."))
            self.showCase()
        self.updatePanel()

    # Following

    def initializeParameterNode(self) -> None:
        parameterNode = self.logic.getParameterNode()
        if not parameterNode.inputVolume:
            parameterNode.inputVolume = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
            if parameterNode.inputVolume:
                parameterNode.mriDate = mriDateFromDicom(parameterNode.inputVolume)
        self.setParameterNode(parameterNode)

    def setParameterNode(self, parameterNode) -> None:
        """Follow this parameter node; None stops following."""
        if self.parameterNode:
            for section in self.sections:
                section.release()
            self.parameterNode.disconnectGui(self._guiTag)
            self.removeObserver(self.parameterNode.parameterNode, vtk.vtkCommand.ModifiedEvent, self.updatePanel)
        self.parameterNode = parameterNode
        if parameterNode:
            self.inputs.follow()  # before the widgets: each says at once that it has changed
            self._guiTag = parameterNode.connectGui(self.ui)
            self.addObserver(parameterNode.parameterNode, vtk.vtkCommand.ModifiedEvent, self.updatePanel)
            self.resumeCase()
            self.updatePanel()

    def resumeCase(self) -> None:
        """The case that belongs to the chosen images, from this session or from the scene."""
        with self.writing():
            work = self.logic.resumeCase(self.parameterNode)
        self.showCase()
        if work:
            self.apply.start(work, self._opened, self._notOpened, _("Opening the case..."))
        elif self.logic.study:
            self.results.showPaper()
            self.logic.study.begin(journalFolder())

    def _opened(self, study) -> list:
        """What is left to do for a case that was read from the scene; the views stay as the scene has them."""
        parameters = self.parameterNode
        with self.writing():
            if not self.logic.takeOpened(study, parameters):
                self.say(_("A segment of the case in this scene is missing: press Apply."))
                return []
        return [
            self.anatomy.restored,
            parameters.outputSegmentation.CreateClosedSurfaceRepresentation,  # which no scene file holds
            *self.apply.showPieces()[1:],
            lambda: self.say(self._afterOpening),
        ]

    def _notOpened(self, run) -> None:
        self.say(
            _("The case in this scene is of another version or of other images: press Apply.") if run.error else ""
        )

    def updatePanel(self, caller=None, event=None) -> None:
        if not self.parameterNode or self._writing:
            return
        if self.logic.followsOtherVolume(self.parameterNode):
            for section in (self.apply, self.correct, self.anatomy):
                section.release()
            with self.writing():
                self.logic.changeVolume(self.parameterNode)
            self.say("")
            self.resumeCase()
            self.views.showStack()
        for section in self.sections:
            section.update()
        if self.logic.study and self.logic.inputsChanged(self.parameterNode):
            self.say(_("Inputs were changed since the last Apply: press Apply again to use them."))

    # What sections ask of the panel

    @contextmanager
    def writing(self):
        """While this lasts, changes of nodes are the panel's own."""
        self._writing += 1
        try:
            yield
        finally:
            self._writing -= 1

    @property
    def isWriting(self) -> bool:
        return self._writing > 0

    @property
    def running(self) -> bool:
        return self.apply.busy

    def sayOnceOpened(self, text: str) -> None:
        """Now, and again when the scene's case, which is being opened, is there."""
        self._afterOpening = text
        self.say(text)

    def say(self, text: str) -> None:
        self.ui.statusLabel.text = text

    def onCaseTaken(self) -> None:
        """A case has just come in; the results show it already, and the tools to correct it come to hand."""
        for section in (self.scar, self.correct, self.export):
            section.onStudy()
        self.ui.correctCollapsibleButton.collapsed = False
        self.logic.study.begin(journalFolder())

    def showMasks(self) -> None:
        """The panel has changed the masks: the scene and everything shown follow."""
        with self.writing():
            self.writeMasks()
        self.onCaseChanged()

    def writeMasks(self) -> None:
        study, before = self.logic.study, self.logic.written
        node = self.parameterNode.outputSegmentation
        changeSegments(study.masks, before, study.segmented.stack, node)
        self.logic.written = study.masks

    def onCaseChanged(self) -> None:
        """The masks or their division have changed."""
        with self.writing():
            self.logic.written = self.logic.study.masks
            self.logic.noteOrigin(self.parameterNode)
            self.showCase()
        if self.logic.study.journal and not self.logic.study.kept:
            self.say(_("The last corrections could not be kept against a crash: is the disk full? Save the scene."))

    def showCase(self) -> None:
        for section in (self.results, self.scar, self.correct, self.anatomy, self.export):
            section.onStudy()


class ScarSegECGLogic(CaseWork, ScriptedLoadableModuleLogic):
    """Everything that can be done without the panel.

    >>> logic = ScarSegECGLogic()
    >>> parameterNode = logic.getParameterNode()
    >>> logic.loadPhantomPatient(parameterNode)
    >>> result = logic.segment(parameterNode)       # waits; the panel works in a thread instead
    >>> print(result)
    """

    def __init__(self, parent=None) -> None:
        ScriptedLoadableModuleLogic.__init__(self, parent)
        CaseWork.__init__(self)

    def getParameterNode(self) -> ScarSegECGParameterNode:
        return ScarSegECGParameterNode(super().getParameterNode())

    def loadPhantomPatient(self, parameterNode=None):
        """Make the simulated patient's LGE stack and ECG and choose both as inputs; returns the volume node."""
        return loadPhantomPatient(parameterNode or self.getParameterNode())


class ScarSegECGTest(selftest.SelfTest):
    """Run by Slicer's "Reload and Test" and by the extension's build; the same cases run in ``Testing/desktop``."""
