"""Inputs: images, ECG, dates, and how much the ECG will count; the simulated patient, also in Slicer's Sample Data."""

import importlib.util
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from ScarSegECGPanel.casework import PHANTOM_NAME, Inputs, ScarSegECGLogic
from ScarSegECGPanel.dicom import ecgsOfPatient
from ScarSegECGPanel.packages import INFERENCE, ensure, named
from ScarSegECGPanel.section import Run, Section

SETTLED_MS = 300
RESOURCES = Path(__file__).parents[1] / "Resources"


class InputsSection(Section):
    """The first section; the preview of the ECG's weight is computed beside the panel."""

    def __init__(self, panel) -> None:
        super().__init__(panel, {"findEcgButton": self.onFindEcg, "sampleButton": self.onSample})
        self._asked: Inputs | None = None
        self.ui.ecgPathEdit.connect("currentPathChanged(QString)", self.onEcgPathChanged)
        self._timer = self.timer(self.onPreview)

    def update(self) -> None:
        if self.ui.ecgPathEdit.currentPath != self.parameters.ecgPath:  # else the cursor jumps while somebody types
            self.ui.ecgPathEdit.currentPath = self.parameters.ecgPath
        if Inputs.of(self.parameters) != self._asked:
            self._asked = Inputs.of(self.parameters)
            self._timer.start(SETTLED_MS)

    def release(self) -> None:
        super().release()
        self._asked = None

    def onEcgPathChanged(self, path: str) -> None:
        if self.parameters and path != self.parameters.ecgPath:
            self.parameters.ecgPath, self.parameters.ecgDate, self.parameters.eventBetween = path, "", False

    def onFindEcg(self) -> None:
        volume = self.parameters.inputVolume if self.parameters else None
        found = ecgsOfPatient(volume) if volume else []
        if not found:
            self.ui.gapLabel.text = _("The DICOM database holds no ECG of this patient.")
            return
        self.ui.ecgPathEdit.currentPath = found[0]
        if len(found) > 1:
            text = _("{count} ECGs of this patient were found; the one nearest to the MRI was taken.")
            slicer.util.infoDisplay(text.format(count=len(found)))

    def onSample(self) -> None:
        if not self.panel.packages.ready():
            return
        with slicer.util.tryWithErrorDisplay(_("The simulated patient could not be made."), waitCursor=True):
            self.panel.logic.loadPhantomPatient(self.parameters)
            self.panel.say(_("This patient is simulated. Press Apply."))

    # How much the ECG will count

    def onPreview(self) -> None:
        """Say it, or what keeps it from being known."""
        if not self.parameters or self.run:
            return
        path = self.parameters.ecgPath if self.parameters.useEcg else ""
        if not path:
            self.ui.gapLabel.text = _("No ECG: the result will be that of the image alone.")
        elif not Path(path).exists() and not Path(f"{path}.hea").exists():
            self.ui.gapLabel.text = _("The ECG file was not found.")
        elif importlib.util.find_spec("torch") is None or importlib.util.find_spec("wfdb") is None:
            self.ui.gapLabel.text = _("How much the ECG counts is said once the Python packages are installed.")
        elif self.panel.apply.busy:
            self._timer.start(SETTLED_MS)
        else:
            asked = self._asked
            self.ui.gapLabel.text = _("Reading the ECG...")
            self.compute(self.panel.logic.previewWork(self.parameters), lambda run: self._known(run, asked))

    def _known(self, run: Run, asked: Inputs) -> None:
        if asked != self._asked:
            self.onPreview()
        elif run.error is None:
            self.ui.gapLabel.text = run.result or ""
        else:
            self.ui.gapLabel.text = named(run.error, _("How much the ECG counts could not be found out."))


def registerSampleData() -> None:
    """Offer the simulated patient in the Sample Data module; the packages are asked for first, as in the panel."""
    import SampleData

    def download(source):
        try:
            ensure(str(RESOURCES / INFERENCE))
        except Exception as error:  # declined, offline or failed: pip's own log has been shown
            slicer.util.errorDisplay(named(error, str(error)))
            return None
        return ScarSegECGLogic().loadPhantomPatient()

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="ScarSegECG",
        sampleName=PHANTOM_NAME,
        uris="",
        fileNames="",
        nodeNames=PHANTOM_NAME,
        thumbnailFileName=str(RESOURCES / "Icons" / "ScarSegECG.png"),
        customDownloader=download,
    )
