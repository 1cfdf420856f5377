"""From the parameter node to a segmented case and back into the scene; main thread, except what ``work`` returns."""

import importlib.util
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from ScarSegECGLib.case import ScarResult
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import EcgReason
from ScarSegECGLib.wording import words
from ScarSegECGPanel.dicom import contrastFromDicom, subjectFromDicom
from ScarSegECGPanel.history import Origin
from ScarSegECGPanel.masks import Masks
from ScarSegECGPanel.nodes import CONTRASTS, RESULT_NODE, stackReader, writeTable
from ScarSegECGPanel.run import ProgressCallback, loadTorch
from ScarSegECGPanel.segments import holdsResult, isWhole, readSegments, writeSegments
from ScarSegECGPanel.study import Study

ORIGIN = "ScarSegECG.origin"
VOLUME, SEGMENTATION, TABLE, POINTS = "volume", "segmentation", "table", "points"
OUTPUTS = {SEGMENTATION: "outputSegmentation", TABLE: "outputTable", POINTS: "insertionPoints"}
Work = Callable[[ProgressCallback], Study]


def stageInWords(stage: str) -> str:
    """What the pipeline is at, for the reader."""
    return {
        "networks": _("Finding the heart, its wall and the scar"),
        "anatomy": _("Dividing the wall into AHA segments"),
        "ECG": _("Weighing the ECG"),
        "scar": _("Telling scar from healthy wall"),
        "measure": _("Measuring the scar"),
    }.get(stage, _("Segmenting"))


class CaseWork:
    """The case at hand and those of the scene's other volumes."""

    networks: dict = {}  # the network loaded for a device stays loaded, for every panel and script

    def __init__(self) -> None:
        self.study: Study | None = None
        self.written: Masks | None = None  # what the scene's segments hold
        self._volumeId = ""
        self._parked: dict[str, Study] = {}
        self._applied: tuple | None = None

    # Computing

    def work(self, parameterNode) -> Work:
        """Read all that is in MRML now; what is returned computes without it, and raises InputError."""
        readEcg = self._ecgReader(parameterNode)
        volume = parameterNode.inputVolume
        contrast = CONTRASTS[parameterNode.contrast] or contrastFromDicom(volume)
        readStack, imaged = stackReader(volume), subjectFromDicom(volume)
        mriDate, useEcg = parameterNode.mriDate, parameterNode.useEcg
        device, correctShifts = parameterNode.device, parameterNode.correctShifts
        self._applied = self._inputs(parameterNode)

        def work(progress: ProgressCallback) -> Study:
            progress(0.0, _("Reading the ECG"))
            stack = readStack(_date(mriDate), contrast)
            ecg, gap = readEcg()
            progress(0.01, _("Loading the networks"))
            session = self._session(device)
            from ScarSegECGLib.ecg.subject import DIFFERENT_PATIENTS, differ
            from ScarSegECGLib.pipeline import SegmentOptions, segment

            result = segment(
                stack,
                ecg,
                gap,
                session,
                SegmentOptions(
                    why_no_ecg=Fact(EcgReason.NOT_GIVEN if useEcg else EcgReason.SWITCHED_OFF),
                    correct_shifts=correctShifts,
                    female=imaged.female,
                    age=imaged.age,
                    doubts=(DIFFERENT_PATIENTS,) if ecg is not None and differ(imaged, ecg.subject) else (),
                ),
                lambda fraction, stage: progress(0.02 + 0.95 * fraction, stageInWords(stage)),
            )
            progress(0.97, _("Painting the bullseyes"))
            return _prepared(Study(result))

        return work

    def previewWork(self, parameterNode) -> Callable[[ProgressCallback], str]:
        """How much the ECG would count, as a sentence."""
        readEcg, device = self._ecgReader(parameterNode), parameterNode.device

        def work(progress: ProgressCallback) -> str:
            from ScarSegECGLib.ecg.median_beat import median_beat
            from ScarSegECGLib.network.amplitude import decide

            ecg, gap = readEcg()
            progress(0.5, "")
            session = self._session(device)
            try:
                features = median_beat(ecg).features
            except InputError as error:
                return words(Fact(EcgReason.UNREADABLE, error=str(error)), _)
            use = decide(
                ecg, features, gap, session.time_weight, anatomy_known=True, network_trained=session.ecg_trained
            )
            return f"{words(use, _)}."

        return work

    def segment(self, parameterNode) -> ScarResult:
        """Segment and write the result into the scene; waits until it is done."""
        volumeNode = parameterNode.inputVolume
        made = self.work(parameterNode)(lambda fraction, text: None)
        study = self.takeSegmented(made, parameterNode, volumeNode)
        node = self.outputSegmentation(parameterNode)
        writeSegments(study.masks, study.segmented.stack, volumeNode, node)
        self.written = study.masks
        writeTable(study.result, self.outputTable(parameterNode))
        self.saveResult(parameterNode)
        return study.result

    def _session(self, device: str):
        loadTorch()
        from ScarSegECGLib.network.session import Session

        if device not in self.networks:
            self.networks[device] = Session.load(device=device)
        return self.networks[device]

    def _ecgReader(self, parameterNode) -> Callable:
        """A function without arguments that gives the ECG and the time gap; it raises InputError."""
        mri, typed = parameterNode.mriDate, parameterNode.ecgDate
        path = parameterNode.ecgPath if parameterNode.useEcg else ""
        eventBetween = parameterNode.eventBetween

        def read():
            from ScarSegECGLib.ecg.gap import gap_of_case
            from ScarSegECGLib.ecg.read import read_ecg

            mriDate, ecgDate = _date(mri), _date(typed)
            ecg = read_ecg(Path(path)) if path else None
            return ecg, gap_of_case(
                ecg,
                mriDate,
                typed_ecg_date=ecgDate,
                typed_mri_date=mriDate,
                event_between=eventBetween,
                now=datetime.now(),
            )

        return read

    # The case and its nodes

    def takeSegmented(self, made: Study, parameterNode, volumeNode) -> Study:
        """A new segmentation of that volume: a step of its case if there is one, else a new case."""
        if self.study and self._volumeId == volumeNode.GetID():
            self.study.resegmented(made, _("Apply"))
        else:
            self.takeStudy(made, parameterNode)
        return self.study

    def takeStudy(self, study: Study, parameterNode) -> None:
        if self.study and self.study is not study:
            self.study.end(remove=True)
        self.study, self._volumeId, self.written = study, parameterNode.inputVolume.GetID(), None

    def outputSegmentation(self, parameterNode):
        """The chosen segmentation node, made if none is."""
        return self._output(parameterNode, "outputSegmentation", "vtkMRMLSegmentationNode", _("{volume} scar"))

    def outputTable(self, parameterNode):
        """The table of the AHA segments, made if there is none."""
        return self._output(parameterNode, "outputTable", "vtkMRMLTableNode", _("{volume} AHA segments"))

    def _output(self, parameterNode, parameter: str, kind: str, name: str):
        if not getattr(parameterNode, parameter):
            volume = parameterNode.inputVolume.GetName() if parameterNode.inputVolume else "LGE"
            node = slicer.mrmlScene.AddNewNodeByClass(kind, name.format(volume=volume))
            setattr(parameterNode, parameter, node)
        return getattr(parameterNode, parameter)

    def wouldReplace(self, parameterNode) -> bool:
        """Whether Apply would overwrite segments that no Undo brings back."""
        node = parameterNode.outputSegmentation
        return bool(node and holdsResult(node) and not self.study)

    def saveResult(self, parameterNode) -> None:
        """Put the case into the scene, so that it is saved and found again with its volume."""
        node = parameterNode.resultText
        if node is None or node.GetNodeReferenceID(VOLUME) != parameterNode.inputVolume.GetID():
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", RESULT_NODE)
            node.SetHideFromEditors(True)
            parameterNode.resultText = node
        node.SetText(self.study.toText())
        node.SetNodeReferenceID(VOLUME, parameterNode.inputVolume.GetID())
        self.noteOrigin(parameterNode)

    def noteOrigin(self, parameterNode) -> None:
        """What changes with every step: how the scar came about, and which nodes hold it."""
        node = parameterNode.resultText
        if node is None or self.study is None:
            return
        node.SetAttribute(ORIGIN, json.dumps(self.study.origin.toPlain()))
        for role, name in OUTPUTS.items():
            held = getattr(parameterNode, name)
            node.SetNodeReferenceID(role, held.GetID() if held else None)

    def resumeCase(self, parameterNode) -> Work | None:
        """Take up the chosen volume's case: one of this session at once, one of the scene by the work returned."""
        if self._volumeId and self.followsOtherVolume(parameterNode):
            self.changeVolume(parameterNode)
        if self.study and not self.caseIsWhole(parameterNode):
            self.dropCase()  # its nodes were deleted while another module was open
        volume = parameterNode.inputVolume
        self._volumeId = volume.GetID() if volume else ""
        if self.study or not volume:
            return None
        self.study = self._parked.pop(self._volumeId, None)
        if self.study:
            self.written = self.study.masks
            return None
        node = parameterNode.resultText
        if node is None or not node.GetText() or importlib.util.find_spec("matplotlib") is None:
            return None
        text, voxels = node.GetText(), np.array(slicer.util.arrayFromVolume(volume))

        def work(progress: ProgressCallback) -> Study:
            progress(0.1, _("Opening the case"))
            return _prepared(Study.fromText(text, voxels))

        return work

    def takeOpened(self, study: Study, parameterNode) -> bool:
        """A case that was read from the scene, with the masks that the scene holds; False where one is gone."""
        segmentation, node = parameterNode.outputSegmentation, parameterNode.resultText
        stack, volume = study.segmented.stack, parameterNode.inputVolume
        masks = readSegments(stack, volume, segmentation) if segmentation and node else None
        if masks is None:
            return False
        kept = json.loads(node.GetAttribute(ORIGIN) or "null")
        study.resume(masks.toBits(), Origin.fromPlain(kept) if kept else study.origin)
        self.study, self.written = study, study.masks
        return True

    def followsOtherVolume(self, parameterNode) -> bool:
        volume = parameterNode.inputVolume
        return (volume.GetID() if volume else "") != self._volumeId

    def changeVolume(self, parameterNode) -> None:
        """Another volume was chosen: put the present case aside and take that volume's nodes, if it has any."""
        if self.study:
            self.study.end(remove=True)
            self._parked[self._volumeId] = self.study
        self.study, self.written, self._applied = None, None, None
        volume = parameterNode.inputVolume
        texts = slicer.util.getNodesByClass("vtkMRMLTextNode") if volume else []
        node = next((text for text in texts if text.GetNodeReferenceID(VOLUME) == volume.GetID()), None)
        parameterNode.resultText = node
        for role, name in OUTPUTS.items():
            setattr(parameterNode, name, node.GetNodeReference(role) if node else None)
        parameterNode.influenceVolume = None
        parameterNode.alignedVolume = None

    def caseIsWhole(self, parameterNode) -> bool:
        """Whether images and segments of the case are still there."""
        segmentation = parameterNode.outputSegmentation
        return bool(parameterNode.inputVolume and segmentation and isWhole(segmentation))

    def dropCase(self) -> None:
        if self.study:
            self.study.end(remove=True)
        self.study, self.written, self._applied = None, None, None

    def dropCases(self) -> None:
        self.dropCase()
        self._parked, self._volumeId = {}, ""

    def inputsChanged(self, parameterNode) -> bool:
        """Whether the ECG, a date or a choice is another one than at the last Apply."""
        return self._applied is not None and self._inputs(parameterNode) != self._applied

    def _inputs(self, p) -> tuple:
        return (p.ecgPath, p.mriDate, p.ecgDate, p.eventBetween, p.useEcg, p.correctShifts)


def _date(text: str) -> datetime | None:
    from ScarSegECGLib.ecg.gap import parse_date

    return parse_date(text) if text.strip() else None


def _prepared(study: Study) -> Study:
    """What the main thread would wait for: the text that the scene keeps, the figures, and letters set once."""
    from ScarSegECGLib.view.paint import to_pixels
    from ScarSegECGPanel.results import bullseyes, paper

    study.saved()
    for drawing in (bullseyes(study), paper(study)):
        if drawing is not None:
            to_pixels(drawing, 600)
    return study
