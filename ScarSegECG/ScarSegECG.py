"""The Slicer module ScarSegECG: what Slicer shows of it, its panel, and its self-test.

Everything is computed by ``ScarSegECGLib``, of which only what needs no package is imported at the top of a file: the
rest is installed on the first run. State, logic and the panel's sections are in ``ScarSegECGPanel``.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleWidget
from slicer.util import VTKObservationMixin

from ScarSegECGPanel.anatomy import AnatomySection
from ScarSegECGPanel.apply import ApplySection, InputsSection, journalFolder, registerSampleData
from ScarSegECGPanel.casework import ScarSegECGLogic
from ScarSegECGPanel.correct import CorrectSection, takeEditorNode
from ScarSegECGPanel.export import ExportSection
from ScarSegECGPanel.nodes import changeSegments, mriDateFromDicom
from ScarSegECGPanel.packages import PackagesSection
from ScarSegECGPanel.results import ResultsSection, registerLayout
from ScarSegECGPanel.selftest import SelfTest as ScarSegECGTest  # noqa: F401 - Slicer and its build ask for this name


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
        slicer.app.connect("startupCompleted()", registerLayout)
        slicer.app.connect("startupCompleted()", registerSampleData)


class ScarSegECGWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: follows the parameter node and the scene, and hands every concern to its section."""

    def __init__(self, parent=None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: ScarSegECGLogic | None = None
        self.parameterNode = None
        self.isWriting = False  # changes of nodes are the panel's own
        self._guiTag = None
        self.afterOpening = ""  # what is said once the scene's case is there

    def setup(self) -> None:
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/ScarSegECG.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        takeEditorNode(self.ui.segmentEditorWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = ScarSegECGLogic()

        self.packages, self.inputs, self.apply = PackagesSection(self), InputsSection(self), ApplySection(self)
        self.anatomy = AnatomySection(self)
        self.correct, self.results, self.export = CorrectSection(self), ResultsSection(self), ExportSection(self)
        self.sections = [self.inputs, self.apply, self.anatomy, self.correct, self.results, self.export]

        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneChanged)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneChanged)
        self.addObserver(scene, scene.NodeRemovedEvent, self.onNodesGone)
        self.initializeParameterNode()

    # The module is entered, left, reloaded; the scene is closed and loaded

    def enter(self) -> None:
        self.apply.lookForJournal()
        if not self.apply.busy:  # else the run has gone on while another module was open
            self.initializeParameterNode()
        if self.results.due:
            self.results.showWhenEntered()
        self.correct.installKeys()

    def exit(self) -> None:
        self.correct.removeKeys()
        self.correct.layDown()
        if not self.apply.busy:
            self.setParameterNode(None)

    def cleanup(self) -> None:
        self.correct.removeKeys()
        self.setParameterNode(None)
        for view in self.results.drawn.values():
            view.release()
        self.logic.dropCases()
        self.removeObservers()

    def onReload(self) -> None:
        """Reload the panel's and the library's files too, and the networks, which are objects of the former code."""
        pipeline, entered = sys.modules.get("ScarSegECGLib.pipeline"), self.parent.isEntered
        hadNetworks = pipeline is not None and pipeline.loaded.cache_info().currsize > 0
        if entered:
            self.exit()
        # The modules are forgotten rather than each reloaded in its place: no order has to be kept, and what still
        # holds the former classes (a worker that is being cancelled) goes on with them unharmed.
        before = _forgetOurs()
        importlib.invalidate_caches()
        try:
            ScriptedLoadableModuleWidget.onReload(self)
        except BaseException:
            _forgetOurs()
            sys.modules.update(before)
            raise
        finally:
            panel = slicer.modules.ScarSegECGWidget  # this one still, where it failed
            if entered:
                panel.enter()
        if hadNetworks:
            panel.afterOpening = _("Reloaded. The networks were let go: the next Apply loads them again.")
            panel.say(panel.afterOpening)

    def onSceneStartClose(self, caller=None, event=None) -> None:
        self.setParameterNode(None)
        self.logic.dropCases()
        self.results.clear()
        self.say("")

    def onSceneChanged(self, caller=None, event=None) -> None:
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
        first = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
        if first and not parameterNode.inputVolume:
            parameterNode.inputVolume = first
            parameterNode.mriDate = mriDateFromDicom(first)
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
            told = _("The case in this scene is of another version or of other images: press Apply.")
            self.apply.start(
                work, self._opened, lambda run: self.say(told if run.error else ""), _("Opening the case...")
            )
        elif self.logic.study:
            self.results.showPaper()
            self.logic.study.begin(journalFolder())

    def _opened(self, study) -> Iterator[None]:
        """What is left to do for a case that was read from the scene; the views stay as the scene has them."""
        if not self.logic.takeOpened(study, self.parameterNode):
            self.say(_("A segment of the case in this scene is missing: press Apply."))
            return
        yield
        surfaces = self.parameterNode.outputSegmentation.CreateClosedSurfaceRepresentation  # a scene may lack them
        yield from self.apply.show(self.afterOpening, surfaces)

    def updatePanel(self, caller=None, event=None) -> None:
        if not self.parameterNode or self.isWriting:
            return
        if self.logic.followsOtherVolume(self.parameterNode):
            for section in (self.apply, self.correct, self.anatomy):
                section.release()
            with self.writing():
                self.logic.changeVolume(self.parameterNode)
            self.say("")
            self.resumeCase()
            self.results.showStack()
        self.logic.noteGiven(self.parameterNode)
        for section in self.sections:
            section.update()
        if self.logic.study and self.logic.inputsChanged(self.parameterNode):
            self.say(_("Inputs were changed since the last Apply: press Apply again to use them."))

    # What sections ask of the panel

    @contextmanager
    def writing(self) -> Iterator[None]:
        before, self.isWriting = self.isWriting, True
        try:
            yield
        finally:
            self.isWriting = before

    def say(self, text: str) -> None:
        self.ui.statusLabel.text = text

    def onCaseTaken(self) -> None:
        """A case has just come in; the results show it already, and the tools to correct it come to hand."""
        for section in (self.correct, self.export):
            section.onStudy()
        self.ui.correctCollapsibleButton.collapsed = False
        self.logic.study.begin(journalFolder())

    def onCaseChanged(self) -> None:
        """The masks or their division have changed: the scene and everything shown follow."""
        study = self.logic.study
        with self.writing():
            node = self.parameterNode.outputSegmentation
            list(changeSegments(study.masks, study.segmented.stack, node, study.written))
            study.written = study.masks
            self.logic.noteStanding(self.parameterNode)
            self.showCase()
        if study.journal and not study.journal.whole:
            self.say(_("The last corrections could not be kept against a crash: is the disk full? Save the scene."))

    def showCase(self) -> None:
        for section in self.sections:
            section.onStudy()


def _forgetOurs() -> dict:
    ours = ("ScarSegECG", "ScarSegECGPanel", "ScarSegECGLib")
    return {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] in ours}
