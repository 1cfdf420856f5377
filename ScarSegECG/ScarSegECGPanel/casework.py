"""The module's state and logic: from its parameters to a case and into the scene; main thread, except what works do."""

import importlib.util
import json
from collections import namedtuple
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import slicer
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

from ScarSegECGLib.case import ScarResult
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import EcgReason
from ScarSegECGLib.wording import words
from ScarSegECGPanel import journal, nodes
from ScarSegECGPanel.masks import AHA_MODES, METHODS
from ScarSegECGPanel.results import WEDGE_CLICKS, bullseyes, paper
from ScarSegECGPanel.section import ProgressCallback, importing
from ScarSegECGPanel.study import Study

RESULT_NODE, STANDING, VOLUME = "ScarSegECG result", "ScarSegECG.standing", "volume"
PHANTOM_NAME = "ScarSegECG simulated patient"
GIVEN = ("mriDate", "ecgPath", "ecgDate", "eventBetween")  # with a volume
OUTPUTS = ("outputSegmentation", "outputTable", "insertionPoints")  # what the result's node refers to
Work = Callable[[ProgressCallback], Study]


@parameterNodeWrapper
class ScarSegECGParameterNode:
    """The module's state, saved with the scene.

    Dates are "YYYY-MM-DD"; an empty ECG date means the file's own, an empty MRI date means unknown.
    """

    inputVolume: slicer.vtkMRMLScalarVolumeNode
    contrast: Annotated[str, Choice(list(nodes.CONTRASTS))] = "Automatic"
    mriDate: str = ""
    ecgPath: str = ""
    ecgDate: str = ""
    eventBetween: bool = False
    useEcg: bool = True
    correctShifts: bool = False
    device: Annotated[str, Choice(["auto", "cpu", "cuda"])] = "auto"
    outputSegmentation: slicer.vtkMRMLSegmentationNode
    outputTable: slicer.vtkMRMLTableNode
    resultText: slicer.vtkMRMLTextNode
    showInsertions: bool = False
    insertionPoints: slicer.vtkMRMLMarkupsFiducialNode
    ahaSegments: Annotated[str, Choice(["17", "16"])] = "17"
    ahaMode: Annotated[str, Choice(list(AHA_MODES))] = "From anterior insertion"
    alignSlices: bool = False
    alignedVolume: slicer.vtkMRMLScalarVolumeNode
    method: Annotated[str, Choice(METHODS)] = METHODS[0]
    probability: Annotated[float, WithinRange(0.05, 0.95)] = 0.5
    nSd: Annotated[float, WithinRange(2.0, 6.0)] = 3.0
    smallestIsland: Annotated[float, WithinRange(0.0, 2.0)] = 0.1
    wedgeClick: Annotated[str, Choice(WEDGE_CLICKS)] = WEDGE_CLICKS[0]
    showInfluence: bool = False
    influenceVolume: slicer.vtkMRMLScalarVolumeNode
    territories: bool = False


class Inputs(namedtuple("Inputs", (*GIVEN, "useEcg", "correctShifts", "device"))):
    """What is given and chosen beside the images, of the parameter node's types, for any thread."""

    @classmethod
    def of(cls, parameterNode) -> "Inputs":
        return cls(*_get(parameterNode, cls._fields))

    def readEcg(self):
        """The ECG, or None, and the time gap; InputError where file or dates cannot be used."""
        from ScarSegECGLib.ecg.gap import gap_of_case
        from ScarSegECGLib.ecg.read import read_ecg

        dates = {"typed_mri_date": _date(self.mriDate), "typed_ecg_date": _date(self.ecgDate)}
        ecg = read_ecg(Path(self.ecgPath)) if self.useEcg and self.ecgPath else None
        return ecg, gap_of_case(ecg, None, **dates, event_between=self.eventBetween)


def stageInWords(stage: str) -> str:
    return {
        "networks": _("Finding the heart, its wall and the scar"),
        "anatomy": _("Dividing the wall into AHA segments"),
        "ECG": _("Weighing the ECG"),
        "scar": _("Telling scar from healthy wall"),
        "measure": _("Measuring the scar"),
    }.get(stage, _("Segmenting"))


class ScarSegECGLogic(ScriptedLoadableModuleLogic):
    """Everything that can be done without the panel: the case at hand and those of the scene's other volumes.

    >>> logic = ScarSegECGLogic()
    >>> parameterNode = logic.getParameterNode()
    >>> logic.loadPhantomPatient(parameterNode)
    >>> result = logic.segment(parameterNode)       # waits; the panel works in a thread instead
    >>> print(result)
    """

    def __init__(self, parent=None) -> None:
        ScriptedLoadableModuleLogic.__init__(self, parent)
        self._studies: dict[str, Study] = {}  # by their volume's identifier
        self._given: dict[str, list] = {}  # ECG and dates, likewise
        self._volumeId = ""  # of the case at hand
        self._applied: Inputs | None = None  # the inputs of the last Apply

    def getParameterNode(self) -> ScarSegECGParameterNode:
        return ScarSegECGParameterNode(super().getParameterNode())

    @property
    def study(self) -> Study | None:
        return self._studies.get(self._volumeId)

    def loadPhantomPatient(self, parameterNode=None):
        """Load the sample patient's LGE stack and, as a file like any other, ECG; choose them; the volume node."""
        from ScarSegECGLib import sample
        from ScarSegECGLib.lge.read import read_lge

        stack, parameterNode = read_lge(sample.LGE), parameterNode or self.getParameterNode()
        stored = stack.storage.to_stored(stack.voxels)
        parameterNode.inputVolume = slicer.util.addVolumeFromArray(stored, stack.stored_ijk_to_ras, PHANTOM_NAME)
        parameterNode.contrast = "Magnitude"
        _set(parameterNode, GIVEN, (sample.MRI_DATE.strftime("%Y-%m-%d"), str(sample.ECG), "", False))
        return parameterNode.inputVolume

    # Computing

    def work(self, parameterNode) -> Work:
        """Read all that is in MRML now; what is returned computes without it, and raises InputError."""
        volume, given = parameterNode.inputVolume, Inputs.of(parameterNode)
        readStack, imaged = nodes.stackReader(volume), nodes.subjectFromDicom(volume)
        contrast = nodes.CONTRASTS[parameterNode.contrast] or nodes.contrastFromDicom(volume)
        self._applied = given

        def work(progress: ProgressCallback) -> Study:
            with importing():
                progress(0.0, _("Reading the ECG"))
                stack = readStack(_date(given.mriDate), contrast)
                ecg, gap = given.readEcg()
                progress(0.01, _("Loading the networks"))
                from ScarSegECGLib.pipeline import SegmentOptions, loaded, segment

                session = loaded(None, given.device)
                from ScarSegECGLib.view import paint, pictures  # noqa: F401 - for _prepared
            why = Fact(EcgReason.NOT_GIVEN if given.useEcg else EcgReason.SWITCHED_OFF)
            options = SegmentOptions(None, why, given.correctShifts, imaged=imaged)

            def stage(fraction: float, name: str) -> None:
                progress(0.02 + 0.95 * fraction, stageInWords(name))

            result = segment(stack, ecg, gap, session, options, stage)
            progress(0.97, _("Painting the bullseyes"))
            return _prepared(Study(result))

        return work

    def previewWork(self, parameterNode) -> Callable[[ProgressCallback], str]:
        """How much the ECG would count, as a sentence."""
        given = Inputs.of(parameterNode)

        def work(progress: ProgressCallback) -> str:
            with importing():
                from ScarSegECGLib.ecg.median_beat import median_beat
                from ScarSegECGLib.network.amplitude import decide
                from ScarSegECGLib.pipeline import loaded

                ecg, gap = given.readEcg()
                progress(0.5, "")
                session = loaded(None, given.device)
            try:
                features = median_beat(ecg).features
            except InputError as error:
                return words(Fact(EcgReason.UNREADABLE, error=str(error)), _)
            known = {"anatomy_known": True, "network_trained": session.ecg_trained}
            return f"{words(decide(ecg, features, gap, session.time_weight, **known), _)}."

        return work

    def segment(self, parameterNode) -> ScarResult:
        """Segment and write the result into the scene; waits until it is done."""
        self.takeSegmented(self.work(parameterNode)(lambda fraction, text: None), parameterNode)
        list(self.writeCase(parameterNode))
        nodes.writeTable(self.study.result, self.outputTable(parameterNode))
        return self.study.result

    def inputsChanged(self, parameterNode) -> bool:
        """Whether the ECG, a date or a choice is another one than at the last Apply."""
        now = Inputs.of(parameterNode)
        return self._applied is not None and now._replace(device=self._applied.device) != self._applied

    # The case and its nodes

    def takeSegmented(self, made: Study, parameterNode) -> None:
        """A new segmentation of the chosen volume: a step of its case if there is one, else a new case."""
        known = None if self.followsOtherVolume(parameterNode) else self.study
        if known and known.bits.shape == made.bits.shape:
            known.resegmented(made, _("Apply"))
        else:
            self.takeStudy(made, parameterNode)

    def takeStudy(self, study: Study, parameterNode) -> None:
        if self.study:
            self.study.end(remove=True)
        self._volumeId = parameterNode.inputVolume.GetID()
        self._studies[self._volumeId] = study

    def writeCase(self, parameterNode) -> Iterator[None]:
        """Write the case into the scene, so that it is saved and found again with its volume; yields between pieces."""
        study, volume = self.study, parameterNode.inputVolume
        node = _output(parameterNode, "outputSegmentation", "vtkMRMLSegmentationNode", _("{volume} scar"))
        written = study.written = study.masks
        nodes.prepareSegments(volume, node)
        yield
        yield from nodes.changeSegments(written, study.segmented.stack, node)
        list(nodes.changeSegments(study.masks, study.segmented.stack, node, written))  # what was undone meanwhile
        text = parameterNode.resultText
        if text is None or text.GetNodeReferenceID(VOLUME) != volume.GetID():
            text = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", RESULT_NODE)
            text.SetHideFromEditors(True)
            parameterNode.resultText = text
        text.SetText(json.dumps(study.saved))
        text.SetNodeReferenceID(VOLUME, volume.GetID())
        self.noteStanding(parameterNode)
        yield

    def noteStanding(self, parameterNode) -> None:
        """What changes with every step: how scar and division came about, and which nodes hold them."""
        node = parameterNode.resultText
        if node and self.study:
            node.SetAttribute(STANDING, json.dumps(self.study.standing()))
            for role in OUTPUTS:
                node.SetNodeReferenceID(role, _idOf(getattr(parameterNode, role)) or None)

    def outputTable(self, parameterNode):
        return _output(parameterNode, "outputTable", "vtkMRMLTableNode", _("{volume} AHA segments"))

    def wouldReplace(self, parameterNode) -> bool:
        """Whether Apply would overwrite segments that no Undo brings back."""
        node = parameterNode.outputSegmentation
        return bool(node and nodes.countSegments(node) and not self.study)

    def resumeCase(self, parameterNode) -> Work | None:
        """Take up the chosen volume's case: one of this session at once, one of the scene by the work returned."""
        if self._volumeId and self.followsOtherVolume(parameterNode):
            self.changeVolume(parameterNode)
        self._volumeId = _idOf(parameterNode.inputVolume)
        if self.study and not self.caseIsWhole(parameterNode):
            self.dropCase()  # its nodes were deleted while another module was open
        text = parameterNode.resultText.GetText() if parameterNode.resultText else ""
        if self.study or not self._volumeId or not text or importlib.util.find_spec("matplotlib") is None:
            return None
        voxels = np.array(slicer.util.arrayFromVolume(parameterNode.inputVolume))

        def work(progress: ProgressCallback) -> Study:
            progress(0.1, _("Opening the case"))
            return _prepared(Study(journal.fromDict(json.loads(text), voxels)))

        return work

    def takeOpened(self, study: Study, parameterNode) -> bool:
        """A case that was read from the scene, with the masks that the scene holds; False where one is gone."""
        segmentation, node = parameterNode.outputSegmentation, parameterNode.resultText
        masks = nodes.readSegments(study.segmented.stack, segmentation) if segmentation and node else None
        if masks is None:
            return False
        study.stand(masks.toBits(), json.loads(node.GetAttribute(STANDING)))
        study.written = masks
        self.takeStudy(study, parameterNode)
        return True

    def followsOtherVolume(self, parameterNode) -> bool:
        return _idOf(parameterNode.inputVolume) != self._volumeId

    def changeVolume(self, parameterNode) -> None:
        """Another volume was chosen: put the present case, its ECG and its dates aside, and take that volume's."""
        if self.study:
            self.study.end(remove=True)
        volume, chosen, before = parameterNode.inputVolume, _idOf(parameterNode.inputVolume), self._volumeId
        self._volumeId, self._applied = chosen, None
        found = _get(parameterNode, GIVEN)
        if self._given.setdefault(before, found) == found:  # else they were given with this volume, by a script
            # An ECG that was chosen before any images is theirs.
            ecg = ("", "") if before else (parameterNode.ecgPath, parameterNode.ecgDate)
            new = [nodes.mriDateFromDicom(volume) if volume else "", *ecg, False]
            _set(parameterNode, GIVEN, self._given.get(chosen, new))
        texts = slicer.util.getNodesByClass("vtkMRMLTextNode")
        node = next((text for text in texts if text.GetNodeReferenceID(VOLUME) == chosen), None)
        parameterNode.resultText = node
        _set(parameterNode, OUTPUTS, [node.GetNodeReference(role) if node else None for role in OUTPUTS])
        parameterNode.influenceVolume = parameterNode.alignedVolume = None

    def noteGiven(self, parameterNode) -> None:
        """Remember ECG and dates with the volume that they were given with."""
        self._given[self._volumeId] = _get(parameterNode, GIVEN)

    def caseIsWhole(self, parameterNode) -> bool:
        segmentation = parameterNode.outputSegmentation
        return bool(parameterNode.inputVolume and segmentation and nodes.countSegments(segmentation) == 3)

    def dropCase(self) -> None:
        study, self._applied = self._studies.pop(self._volumeId, None), None
        if study:
            study.end(remove=True)

    def dropCases(self) -> None:
        self.dropCase()
        self._studies, self._given, self._volumeId = {}, {}, ""


def _get(parameterNode, names) -> list:
    return [getattr(parameterNode, name) for name in names]


def _set(parameterNode, names, values) -> None:
    for name, value in zip(names, values, strict=True):
        setattr(parameterNode, name, value)


def _idOf(node) -> str:
    return node.GetID() if node else ""


def _output(parameterNode, parameter: str, kind: str, name: str):
    if not getattr(parameterNode, parameter):
        volume = parameterNode.inputVolume.GetName() if parameterNode.inputVolume else "LGE"
        setattr(parameterNode, parameter, slicer.mrmlScene.AddNewNodeByClass(kind, name.format(volume=volume)))
    return getattr(parameterNode, parameter)


def _date(text: str) -> datetime | None:
    from ScarSegECGLib.ecg.gap import parse_date

    return parse_date(text) if text.strip() else None


def _prepared(study: Study) -> Study:
    """What the main thread would wait for: the figures, and letters set once."""
    from ScarSegECGLib.view.paint import to_pixels

    for drawing in (bullseyes(study), paper(study)):
        if drawing is not None:
            to_pixels(drawing, 600)
    return study
