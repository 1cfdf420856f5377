"""From the parameter node to a segmented case and back into the scene; main thread, except what ``work`` returns."""

import functools
import importlib.util
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from ScarSegECGLib.case import ScarResult
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Conduction, EcgReason, Fact, Shown, from_plain, to_plain
from ScarSegECGLib.wording import ECG_IS_NO_FINDING, all_words, words
from ScarSegECGPanel.dicom import contrastFromDicom, subjectFromDicom
from ScarSegECGPanel.masks import Masks
from ScarSegECGPanel.nodes import CONTRASTS, RESULT_NODE, stackFromVolume, writeTable
from ScarSegECGPanel.run import ProgressCallback
from ScarSegECGPanel.segments import holdsResult, isWhole, readSegments, writeSegments
from ScarSegECGPanel.study import Study

METHOD, DOUBT = "ScarSegECG.method", "ScarSegECG.doubt"
VOLUME, SEGMENTATION, TABLE, POINTS = "volume", "segmentation", "table", "points"
OUTPUTS = {SEGMENTATION: "outputSegmentation", TABLE: "outputTable", POINTS: "insertionPoints"}


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

    def work(self, parameterNode) -> Callable[[ProgressCallback], tuple[ScarResult, Conduction]]:
        """Read all that is in MRML now; what is returned computes without it: the result and the conduction class.

        Raises
        ------
        InputError
            A date is not a date, or the volume is no stack.
        """
        readEcg, gapOf = self._ecgReaders(parameterNode)
        volume = parameterNode.inputVolume
        contrast = CONTRASTS[parameterNode.contrast] or contrastFromDicom(volume)
        stack = stackFromVolume(volume, self._date(parameterNode.mriDate), contrast)
        imaged = subjectFromDicom(volume)
        whyNoEcg = Fact(EcgReason.NOT_GIVEN if parameterNode.useEcg else EcgReason.SWITCHED_OFF)
        device, correctShifts = parameterNode.device, parameterNode.correctShifts
        self._applied = self._inputs(parameterNode)

        def work(progress: ProgressCallback) -> tuple[ScarResult, Conduction]:
            progress(0.0, _("Reading the ECG"))
            ecg = readEcg()
            gap = gapOf(ecg)
            progress(0.01, _("Loading the network"))
            session = self._session(device)
            from ScarSegECGLib.ecg.subject import DIFFERENT_PATIENTS, differ
            from ScarSegECGLib.pipeline import SegmentOptions, segment

            result = segment(
                stack,
                ecg,
                gap,
                session,
                SegmentOptions(
                    why_no_ecg=whyNoEcg,
                    correct_shifts=correctShifts,
                    female=imaged.female,
                    age=imaged.age,
                    doubts=(DIFFERENT_PATIENTS,) if ecg is not None and differ(imaged, ecg.subject) else (),
                ),
                progress,
            )
            progress(0.97, _("Pictures"))
            _warmPictures(result.ecg_use.amplitude > 0)
            found = result.ecg_findings
            return result, found.features.conduction if found else Conduction.UNKNOWN

        return work

    def previewWork(self, parameterNode) -> Callable[[ProgressCallback], str]:
        """How much the ECG would count, as a sentence."""
        readEcg, gapOf = self._ecgReaders(parameterNode)
        device = parameterNode.device

        def work(progress: ProgressCallback) -> str:
            from ScarSegECGLib.ecg.median_beat import median_beat
            from ScarSegECGLib.network.amplitude import decide

            ecg = readEcg()
            gap = gapOf(ecg)
            session = self._session(device)
            progress(0.5, "")
            try:
                features = median_beat(ecg).features
            except InputError as error:
                return words(Fact(EcgReason.UNREADABLE, error=str(error)), _)
            use = decide(
                ecg, features, gap, session.time_weight, anatomy_known=True, network_trained=session.ecg_trained
            )
            days = "" if gap.days is None else _("ECG {days:+.0f} days from the MRI. ").format(days=gap.days)
            return f"{days}{words(use, _)}."

        return work

    def segment(self, parameterNode) -> ScarResult:
        """Segment and write the result into the scene; waits until it is done."""
        volumeNode = parameterNode.inputVolume
        result, conduction = self.work(parameterNode)(lambda fraction, text: None)
        study = self.takeResult(result, conduction, parameterNode, volumeNode)
        node = self.outputSegmentation(parameterNode)
        writeSegments(study.masks, study.segmented.stack, volumeNode, node)
        self.written = study.masks
        if not parameterNode.outputTable:
            name = f"{volumeNode.GetName()} AHA segments"
            parameterNode.outputTable = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
        writeTable(result, parameterNode.outputTable)
        self.saveResult(parameterNode)
        return result

    def _session(self, device: str):
        from ScarSegECGLib.network.session import Session

        if device not in self.networks:
            self.networks[device] = Session.load(device=device)
        return self.networks[device]

    def _ecgReaders(self, parameterNode) -> tuple[Callable, Callable]:
        mriDate, ecgDate = self._date(parameterNode.mriDate), self._date(parameterNode.ecgDate)
        path = parameterNode.ecgPath if parameterNode.useEcg else ""
        eventBetween = parameterNode.eventBetween

        def readEcg():
            if not path:
                return None
            from ScarSegECGLib.ecg.read import read_ecg

            return read_ecg(Path(path))

        def gapOf(ecg):
            from ScarSegECGLib.ecg.gap import gap_of_case

            return gap_of_case(
                ecg,
                mriDate,
                typed_ecg_date=ecgDate,
                typed_mri_date=mriDate,
                event_between=eventBetween,
                now=datetime.now(),
            )

        return readEcg, gapOf

    def _date(self, text: str) -> datetime | None:
        from ScarSegECGLib.ecg.gap import parse_date

        return parse_date(text) if text.strip() else None

    def summary(self, result: ScarResult) -> str:
        """What was found, by which method, how much the ECG counted, and what was noted about the images."""

        def burden(name: str, scar) -> str:
            figures = _("{name} {ml:.1f} ml, {grams:.1f} g, {percent:.1f} % of the LV.")
            return figures.format(name=name, ml=scar.ml, grams=scar.grams, percent=scar.percent_of_lv)

        alone = burden(_("Scar, images alone:"), result.scar_image_only)
        if result.shown is Shown.BY_HAND:
            scar = [burden(_("Scar, corrected by hand:"), result.scar), alone]
        elif result.shown is Shown.WITH_ECG and result.scar != result.scar_image_only:
            scar = [alone, burden(_("With ECG (investigational):"), result.scar)]
        else:
            scar = [burden(_("Scar:"), result.scar)]
        if result.mvo:
            scar.append(burden(_("MVO, within the scar:"), result.mvo))
        lines = [
            *scar,
            *([words(result.confidence, _)] if result.confidence else []),
            *([words(result.interval, _)] if result.interval else []),
            _("Method: {method}.").format(method=words(result.method, _)),
            words(result.ecg_use, _),
            *([_(ECG_IS_NO_FINDING)] if any(row.ecg_percent is not None for row in result.segments) else []),
            *all_words((*result.warnings, *result.stack.notes), _),
        ]
        return "\n".join(line for line in lines if line)

    # The case and its nodes

    def takeResult(self, result: ScarResult, conduction: Conduction, parameterNode, volumeNode) -> Study:
        """A new segmentation of that volume: a step of its case if there is one, else a new case."""
        if self.study and self._volumeId == volumeNode.GetID():
            self.study.resegmented(result, conduction, _("Apply"))
        else:
            self.takeStudy(Study(result, conduction), parameterNode)
        return self.study

    def takeStudy(self, study: Study, parameterNode) -> None:
        if self.study and self.study is not study:
            self.study.end(remove=True)
        self.study, self._volumeId, self.written = study, parameterNode.inputVolume.GetID(), None

    def outputSegmentation(self, parameterNode, volumeNode=None):
        """The chosen segmentation node, made if none is."""
        if not parameterNode.outputSegmentation:
            name = f"{(volumeNode or parameterNode.inputVolume).GetName()} scar"
            parameterNode.outputSegmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
        return parameterNode.outputSegmentation

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
        self.noteMethod(parameterNode)

    def noteMethod(self, parameterNode) -> None:
        """What changes with every step: how the scar came about, what speaks against it, and which nodes hold it."""
        node = parameterNode.resultText
        if node is None or self.study is None:
            return
        node.SetAttribute(METHOD, json.dumps(to_plain(self.study.method)))
        node.SetAttribute(DOUBT, json.dumps(to_plain(self.study.doubt)) if self.study.doubt else None)
        for role, name in OUTPUTS.items():
            held = getattr(parameterNode, name)
            node.SetNodeReferenceID(role, held.GetID() if held else None)

    def resumeCase(self, parameterNode) -> bool:
        """The chosen volume's case, from this session or from the scene; whether one was read from the scene."""
        if self._volumeId and self.followsOtherVolume(parameterNode):
            self.changeVolume(parameterNode)
        if self.study and not self.caseIsWhole(parameterNode):
            self.dropCase()  # its nodes were deleted while another module was open
        volume = parameterNode.inputVolume
        self._volumeId = volume.GetID() if volume else ""
        if self.study or not volume:
            return False
        self.study = self._parked.pop(self._volumeId, None)
        if self.study:
            self.written = self.study.masks
            return False
        node = parameterNode.resultText
        if node is None or not node.GetText() or importlib.util.find_spec("matplotlib") is None:
            return False
        try:
            study = Study.fromText(node.GetText(), slicer.util.arrayFromVolume(volume))
            method, doubt = (_fromAttribute(node, name) for name in (METHOD, DOUBT))
        except Exception:  # whatever a scene from elsewhere may hold
            return False  # of another version, or the images were changed since
        segmentation = parameterNode.outputSegmentation
        masks = readSegments(study.segmented.stack, volume, segmentation) if segmentation else None
        if masks is None:
            return False
        study.resume(masks.toBits(), method or study.method, doubt or ())
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
        node = next(
            (
                text
                for text in slicer.util.getNodesByClass("vtkMRMLTextNode")
                if volume and text.GetNodeReferenceID(VOLUME) == volume.GetID()
            ),
            None,
        )
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


def _fromAttribute(node, name: str):
    """A fact that a node keeps, or None."""
    return from_plain(json.loads(node.GetAttribute(name) or "null"))


@functools.cache
def _warmPictures(heard: bool) -> None:
    """Let the bullseye find where its figures fit, once, so that the main thread need not: it takes a second."""
    from ScarSegECGLib.view import ecg_paper, paint, pictures  # noqa: F401  (matplotlib comes with them)
    from ScarSegECGLib.view.bullseye import SegmentValue, bullseye

    for value in (5.0, 50.0):
        bullseye([SegmentValue(value, ecg=value if heard else None, agreement="agree" if heard else None)] * 17)
        bullseye([SegmentValue(value, agreement="agree" if heard else None)] * 17)
    bullseye([SegmentValue(None)] * 17)
