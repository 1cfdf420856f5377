"""Inputs: images, ECG, dates, and how much the ECG will count; and the simulated patient, for which nothing is loaded.

The simulated patient is offered by the panel's button and by Slicer's Sample Data.
"""

import importlib.util
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from ScarSegECGLib.errors import InputError
from ScarSegECGPanel.dicom import ecgsOfPatient
from ScarSegECGPanel.packages import INFERENCE, ensure, named
from ScarSegECGPanel.run import Run
from ScarSegECGPanel.section import Section

SETTLED_MS = 300
PHANTOM_NAME = "ScarSegECG simulated patient"
RESOURCES = Path(__file__).parents[1] / "Resources"


class InputsSection(Section):
    """The first section; the preview of the ECG's weight is computed beside the panel."""

    def __init__(self, panel) -> None:
        super().__init__(panel, {"findEcgButton": self.onFindEcg, "sampleButton": self.onSample})
        self._asked: tuple = ()
        self._preview: Run | None = None
        self.ui.ecgPathEdit.connect("currentPathChanged(QString)", self.onEcgPathChanged)
        self._timer = self.timer(self.onPreview)

    def update(self) -> None:
        if self.ui.ecgPathEdit.currentPath != self.parameters.ecgPath:  # else the cursor jumps while somebody types
            self.ui.ecgPathEdit.currentPath = self.parameters.ecgPath
        if self._question() != self._asked:
            self._asked = self._question()
            self._timer.start(SETTLED_MS)

    def release(self) -> None:
        self._timer.stop()
        if self._preview:
            self._preview.drop()
        self._preview, self._asked = None, ()

    def onEcgPathChanged(self, path: str) -> None:
        if self.parameters and path != self.parameters.ecgPath:
            self.parameters.ecgPath = path
            self.parameters.ecgDate = ""
            self.parameters.eventBetween = False

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

    def _question(self) -> tuple:
        p = self.parameters
        return (p.ecgPath, p.mriDate, p.ecgDate, p.eventBetween, p.useEcg, p.device)

    def onPreview(self) -> None:
        """Say it, or what keeps it from being known."""
        if not self.parameters or self._preview:
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
            self._preview = Run(self.panel.logic.previewWork(self.parameters), lambda run: self._known(run, asked))

    def _known(self, run: Run, asked: tuple) -> None:
        self._preview = None
        if asked != self._asked:
            self.onPreview()
        elif run.error is None or isinstance(run.error, InputError):
            self.ui.gapLabel.text = str(run.error or run.result or "")
        else:
            unknown = _("How much the ECG counts could not be found out.")
            self.ui.gapLabel.text = named(run.error) or unknown


def registerSampleData(load) -> None:
    """Offer the simulated patient in the Sample Data module; the packages are asked for first, as in the panel."""
    import SampleData

    def download(source):
        try:
            ensure(str(RESOURCES / INFERENCE))
        except Exception as error:  # declined, offline or failed: pip's own log has been shown
            slicer.util.errorDisplay(named(error) or str(error))
            return None
        return load()

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="ScarSegECG",
        sampleName=PHANTOM_NAME,
        uris="",
        fileNames="",
        nodeNames=PHANTOM_NAME,
        thumbnailFileName=str(RESOURCES / "Icons" / "ScarSegECG.png"),
        customDownloader=download,
    )


def loadPhantomPatient(parameterNode):
    """Choose its LGE stack and ECG as inputs; returns the volume node.

    The files go to a folder of their own among Slicer's temporary files: the ECG is then read like any other.
    """
    from ScarSegECGLib.lge.read import read_lge
    from ScarSegECGLib.training.phantom import phantom_patient, write_phantom

    patient = phantom_patient()
    files = write_phantom(Path(slicer.util.tempDirectory("ScarSegECG")), patient)
    stack = read_lge(files["lge"])
    stored = stack.storage.to_stored(stack.voxels)
    parameterNode.inputVolume = slicer.util.addVolumeFromArray(stored, stack.stored_ijk_to_ras, PHANTOM_NAME)
    parameterNode.contrast = "Magnitude"
    parameterNode.mriDate = patient.mri_date.strftime("%Y-%m-%d")
    parameterNode.ecgPath, parameterNode.ecgDate, parameterNode.eventBetween = str(files["ecg"]), "", False
    return parameterNode.inputVolume
