"""Inputs: images, ECG, dates, and how much the ECG will count."""

import importlib.util
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from ScarSegECGLib.errors import InputError
from ScarSegECGPanel.dicom import ecgsOfPatient, mriDateFromDicom
from ScarSegECGPanel.run import Run
from ScarSegECGPanel.section import Section

SETTLED_MS = 300
POLL_MS = 60


class InputsSection(Section):
    """The first section; the preview of the ECG's weight is computed beside the panel."""

    def __init__(self, panel) -> None:
        super().__init__(panel)
        self._inputId = ""
        self._given: dict[str, tuple] = {}  # what was given with the images of this session, by their node's identifier
        self._asked: tuple = ()
        self._preview: Run | None = None
        self._previewFor: tuple = ()
        self.ui.inputSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.onInputChanged)
        self.ui.ecgPathEdit.connect("currentPathChanged(QString)", self.onEcgPathChanged)
        self.whenClicked(self.ui.findEcgButton, self.onFindEcg)
        self.whenClicked(self.ui.sampleButton, self.onSample)
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.connect("timeout()", self.onPreview)

    def follow(self) -> None:
        """A parameter node has just been taken up."""
        volume = self.parameters.inputVolume
        self._inputId = volume.GetID() if volume else ""
        self._asked = ()

    def update(self) -> None:
        parameters = self.parameters
        if self.ui.ecgPathEdit.currentPath != parameters.ecgPath:
            self.ui.ecgPathEdit.currentPath = parameters.ecgPath
        question = self._question()
        if question != self._asked:
            self._asked = question
            self._timer.start(SETTLED_MS)

    def release(self) -> None:
        self._timer.stop()
        if self._preview:
            self._preview.cancel()
        self._preview = None

    def onInputChanged(self, node) -> None:
        """Another patient's images: the ECG and the dates of the former one are put aside with his."""
        newId, p = node.GetID() if node else "", self.parameters
        if not p or newId == self._inputId:
            return
        self._given[self._inputId] = (p.mriDate, p.ecgPath, p.ecgDate, p.eventBetween)
        first = not self._inputId  # an ECG that was chosen before any images is theirs
        self._inputId = newId
        new = (mriDateFromDicom(node) if node else "", p.ecgPath if first else "", p.ecgDate if first else "", False)
        wasModified = p.StartModify()
        p.inputVolume = node  # with the rest: else the form would be set back to the former one by the dates' change
        p.mriDate, p.ecgPath, p.ecgDate, p.eventBetween = self._given.get(newId, new)
        p.EndModify(wasModified)

    def onEcgPathChanged(self, path: str) -> None:
        if not self.parameters or path == self.parameters.ecgPath:
            return
        self.parameters.ecgPath = path
        self.parameters.ecgDate = ""
        self.parameters.eventBetween = False

    def onFindEcg(self) -> None:
        volume = self.parameters.inputVolume if self.parameters else None
        found = ecgsOfPatient(volume) if volume else []
        if not found:
            self.ui.gapLabel.text = _("The DICOM database holds no ECG of this patient.")
            return
        self.ui.ecgPathEdit.currentPath = found[0].path
        if len(found) > 1:
            slicer.util.infoDisplay(
                _("{count} ECGs of this patient were found; the one nearest to the MRI was taken.").format(
                    count=len(found)
                )
            )

    def onSample(self) -> None:
        if not self.panel.packages.ready():
            return
        with slicer.util.tryWithErrorDisplay(_("The simulated patient could not be made."), waitCursor=True):
            self.panel.logic.loadPhantomPatient(self.parameters)
            self.panel.say(_("This patient is simulated. Press Apply."))

    def _question(self) -> tuple:
        p = self.parameters
        return (p.ecgPath, p.mriDate, p.ecgDate, p.eventBetween, p.useEcg, p.device)

    def onPreview(self) -> None:
        """Say how much the ECG would count, once it is known."""
        if not self.parameters:
            return
        if self._preview and not self._preview.poll():
            self._timer.start(POLL_MS)
            return
        done, self._preview = self._preview, None
        if done is not None and self._previewFor == self._asked:
            self.ui.gapLabel.text = self._said(done)
            return
        if not self.parameters.useEcg or not self.parameters.ecgPath:
            self.ui.gapLabel.text = _("No ECG: the result will be that of the image alone.")
        elif not Path(self.parameters.ecgPath).exists() and not Path(f"{self.parameters.ecgPath}.hea").exists():
            self.ui.gapLabel.text = _("The ECG file was not found.")
        elif importlib.util.find_spec("torch") is None or importlib.util.find_spec("wfdb") is None:
            self.ui.gapLabel.text = _("How much the ECG counts is said once the Python packages are installed.")
        elif self.panel.running:
            self._timer.start(SETTLED_MS)
        else:
            self._start()

    def _said(self, done: Run) -> str:
        if done.error is None or isinstance(done.error, InputError):
            return str(done.error or done.result or "")
        return self.panel.packages.explain(done.error) or _("How much the ECG counts could not be found out.")

    def _start(self) -> None:
        self.ui.gapLabel.text = _("Reading the ECG...")
        self._preview = Run(self.panel.logic.previewWork(self.parameters))
        self._previewFor = self._asked
        self._timer.start(POLL_MS)
