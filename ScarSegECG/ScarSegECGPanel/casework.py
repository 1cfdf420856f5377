"""From the parameter node to a segmented case and back into the scene; main thread, except what a work returns."""

import importlib.util
import json
from collections.abc import Callable, Iterator
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
from ScarSegECGPanel.dicom import contrastFromDicom, mriDateFromDicom, subjectFromDicom
from ScarSegECGPanel.history import Origin
from ScarSegECGPanel.nodes import CONTRASTS, stackReader, writeTable
from ScarSegECGPanel.results import bullseyes, paper
from ScarSegECGPanel.run import ProgressCallback, importing
from ScarSegECGPanel.segments import changeSegment, countSegments, prepareSegments, readSegments
from ScarSegECGPanel.study import Study

RESULT_NODE, ORIGIN, VOLUME = "ScarSegECG result", "ScarSegECG.origin", "volume"
GIVEN = ("mriDate", "ecgPath", "ecgDate", "eventBetween")
# What the result's node refers to, and the parameter that holds it.
OUTPUTS = {"segmentation": "outputSegmentation", "table": "outputTable", "points": "insertionPoints"}
Work = Callable[[ProgressCallback], Study]


def stageInWords(stage: str) -> str:
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
        self._studies: dict[str, Study] = {}  # by their volume's identifier
        self._given: dict[str, list] = {}  # ECG and dates, likewise
        self._volumeId = ""  # of the case at hand
        self._applied: tuple | None = None  # the inputs of the last Apply

    @property
    def study(self) -> Study | None:
        return self._studies.get(self._volumeId)

    def work(self, parameterNode) -> Work:
        """Read all that is in MRML now; what is returned computes without it, and raises InputError."""
        volume, device, mriDate = parameterNode.inputVolume, parameterNode.device, parameterNode.mriDate
        readStack, readEcg, imaged = stackReader(volume), _ecgReader(parameterNode), subjectFromDicom(volume)
        contrast = CONTRASTS[parameterNode.contrast] or contrastFromDicom(volume)
        noEcg = Fact(EcgReason.NOT_GIVEN if parameterNode.useEcg else EcgReason.SWITCHED_OFF)
        correctShifts = parameterNode.correctShifts
        self._applied = self._inputs(parameterNode)

        def work(progress: ProgressCallback) -> Study:
            with importing():
                progress(0.0, _("Reading the ECG"))
                stack = readStack(_date(mriDate), contrast)
                ecg, gap = readEcg()
                progress(0.01, _("Loading the networks"))
                session = self._session(device)
                from ScarSegECGLib.ecg.subject import DIFFERENT_PATIENTS, differ
                from ScarSegECGLib.pipeline import SegmentOptions, segment
                from ScarSegECGLib.view import paint, pictures  # noqa: F401 - for _prepared
            doubts = (DIFFERENT_PATIENTS,) if ecg is not None and differ(imaged, ecg.subject) else ()
            options = SegmentOptions(
                why_no_ecg=noEcg, correct_shifts=correctShifts, female=imaged.female, age=imaged.age, doubts=doubts
            )

            def stage(fraction: float, name: str) -> None:
                progress(0.02 + 0.95 * fraction, stageInWords(name))

            result = segment(stack, ecg, gap, session, options, stage)
            progress(0.97, _("Painting the bullseyes"))
            return _prepared(Study(result))

        return work

    def previewWork(self, parameterNode) -> Callable[[ProgressCallback], str]:
        """How much the ECG would count, as a sentence."""
        readEcg, device = _ecgReader(parameterNode), parameterNode.device

        def work(progress: ProgressCallback) -> str:
            with importing():
                from ScarSegECGLib.ecg.median_beat import median_beat
                from ScarSegECGLib.network.amplitude import decide

                ecg, gap = readEcg()
                progress(0.5, "")
                session = self._session(device)
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
        for _piece in self.writeCase(parameterNode):
            pass
        writeTable(self.study.result, self.outputTable(parameterNode))
        return self.study.result

    def _session(self, device: str):
        from ScarSegECGLib.network.session import Session

        if device not in self.networks:
            self.networks[device] = Session.load(device=device)
        return self.networks[device]

    def inputsChanged(self, parameterNode) -> bool:
        """Whether the ECG, a date or a choice is another one than at the last Apply."""
        return self._applied is not None and self._inputs(parameterNode) != self._applied

    def _inputs(self, p) -> tuple:
        return (p.ecgPath, p.mriDate, p.ecgDate, p.eventBetween, p.useEcg, p.correctShifts)

    # The case and its nodes

    def takeSegmented(self, made: Study, parameterNode) -> None:
        """A new segmentation of the chosen volume: a step of its case if there is one, else a new case."""
        if self.study and not self.followsOtherVolume(parameterNode):
            self.study.resegmented(made, _("Apply"))
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
        study.written = study.masks
        prepareSegments(volume, node)
        yield
        for name in ("wall", "scar", "cavity"):
            changeSegment(name, getattr(study.masks, name), study.segmented.stack, node)
            yield
        text = parameterNode.resultText
        if text is None or text.GetNodeReferenceID(VOLUME) != volume.GetID():
            text = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", RESULT_NODE)
            text.SetHideFromEditors(True)
            parameterNode.resultText = text
        text.SetText(study.toText())
        text.SetNodeReferenceID(VOLUME, volume.GetID())
        self.noteOrigin(parameterNode)
        yield

    def noteOrigin(self, parameterNode) -> None:
        """What changes with every step: how the scar came about, and which nodes hold it."""
        node = parameterNode.resultText
        if node is None or self.study is None:
            return
        node.SetAttribute(ORIGIN, json.dumps(self.study.origin.toPlain()))
        for role, name in OUTPUTS.items():
            held = getattr(parameterNode, name)
            node.SetNodeReferenceID(role, held.GetID() if held else None)

    def outputTable(self, parameterNode):
        return _output(parameterNode, "outputTable", "vtkMRMLTableNode", _("{volume} AHA segments"))

    def wouldReplace(self, parameterNode) -> bool:
        """Whether Apply would overwrite segments that no Undo brings back."""
        node = parameterNode.outputSegmentation
        return bool(node and countSegments(node) and not self.study)

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
            return _prepared(Study.fromText(text, voxels))

        return work

    def takeOpened(self, study: Study, parameterNode) -> bool:
        """A case that was read from the scene, with the masks that the scene holds; False where one is gone."""
        segmentation, node = parameterNode.outputSegmentation, parameterNode.resultText
        masks = readSegments(study.segmented.stack, segmentation) if segmentation and node else None
        if masks is None:
            return False
        kept = json.loads(node.GetAttribute(ORIGIN) or "null")
        study.resume(masks.toBits(), Origin.fromPlain(kept) if kept else study.origin)
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
        found = self._valuesGiven(parameterNode)
        if self._given.setdefault(before, found) == found:  # else they were given with this volume, by a script
            # An ECG that was chosen before any images is theirs.
            ecg = ("", "") if before else (parameterNode.ecgPath, parameterNode.ecgDate)
            new = [mriDateFromDicom(volume) if volume else "", *ecg, False]
            for name, value in zip(GIVEN, self._given.get(chosen, new), strict=True):
                setattr(parameterNode, name, value)
        texts = slicer.util.getNodesByClass("vtkMRMLTextNode") if chosen else []
        node = next((text for text in texts if text.GetNodeReferenceID(VOLUME) == chosen), None)
        parameterNode.resultText = node
        for role, name in OUTPUTS.items():
            setattr(parameterNode, name, node.GetNodeReference(role) if node else None)
        parameterNode.influenceVolume = parameterNode.alignedVolume = None

    def noteGiven(self, parameterNode) -> None:
        """Remember ECG and dates with the volume that they were given with."""
        self._given[self._volumeId] = self._valuesGiven(parameterNode)

    def _valuesGiven(self, parameterNode) -> list:
        return [getattr(parameterNode, name) for name in GIVEN]

    def caseIsWhole(self, parameterNode) -> bool:
        segmentation = parameterNode.outputSegmentation
        return bool(parameterNode.inputVolume and segmentation and countSegments(segmentation) == 3)

    def dropCase(self) -> None:
        study, self._applied = self._studies.pop(self._volumeId, None), None
        if study:
            study.end(remove=True)

    def dropCases(self) -> None:
        self.dropCase()
        self._studies, self._given, self._volumeId = {}, {}, ""


def _idOf(node) -> str:
    return node.GetID() if node else ""


def _output(parameterNode, parameter: str, kind: str, name: str):
    if not getattr(parameterNode, parameter):
        volume = parameterNode.inputVolume.GetName() if parameterNode.inputVolume else "LGE"
        setattr(parameterNode, parameter, slicer.mrmlScene.AddNewNodeByClass(kind, name.format(volume=volume)))
    return getattr(parameterNode, parameter)


def _ecgReader(parameterNode) -> Callable:
    """A function without arguments that gives the ECG and the time gap; it raises InputError."""
    mri, typed, eventBetween = parameterNode.mriDate, parameterNode.ecgDate, parameterNode.eventBetween
    path = parameterNode.ecgPath if parameterNode.useEcg else ""

    def read():
        from ScarSegECGLib.ecg.gap import gap_of_case
        from ScarSegECGLib.ecg.read import read_ecg

        dates = {"typed_mri_date": _date(mri), "typed_ecg_date": _date(typed)}
        ecg = read_ecg(Path(path)) if path else None
        return ecg, gap_of_case(ecg, None, **dates, event_between=eventBetween, now=datetime.now())

    return read


def _date(text: str) -> datetime | None:
    from ScarSegECGLib.ecg.gap import parse_date

    return parse_date(text) if text.strip() else None


def _prepared(study: Study) -> Study:
    """What the main thread would wait for: the text that the scene keeps, the figures, and letters set once."""
    from ScarSegECGLib.view.paint import to_pixels

    study.saved()
    for drawing in (bullseyes(study), paper(study)):
        if drawing is not None:
            to_pixels(drawing, 600)
    return study
