"""Inputs, Apply and Restore: what is given, and how a case of it, or of what a crash left, comes into the scene."""

import importlib.util
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from ScarSegECGLib.errors import InputError
from ScarSegECGPanel.casework import PHANTOM_NAME, Inputs, ScarSegECGLogic
from ScarSegECGPanel.journal import Recovered, leftBehind
from ScarSegECGPanel.nodes import ecgsOfPatient
from ScarSegECGPanel.packages import INFERENCE, ensure, named
from ScarSegECGPanel.section import POLL_MS, Run, Section, confirmed
from ScarSegECGPanel.study import Study

SETTLED_MS = 300
RESOURCES = Path(__file__).parents[1] / "Resources"
Pieces = Iterator[None]  # what is to be done, with a yield where the window may go on
# Memory, rounded up from the peak of a process of its own on the CPU (5 networks): 523 MB with PyTorch and weights
# loaded, and above that 91 MB for 10 slices of 256 x 256, 255 MB for 20 of them, 321 MB for 10 slices of 512 x 512.
BASE_BYTES = 600 * 2**20
BYTES_PER_VOXEL = 160
BYTES_PER_SLICE = 12 * 2**20


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


class ApplySection(Section):
    """The run that is on, and what is left to do when it is over: one piece at each tick, so that nothing freezes."""

    def __init__(self, panel) -> None:
        restore = {"recoverButton": self.onRecover, "discardButton": self.onDiscard}
        super().__init__(panel, {"applyButton": self.onApply, "cancelButton": self.onCancel, **restore})
        self._left: Pieces | None = None
        self._pace = 0.0  # seconds a voxel of the last Apply of this session; before it no time can be told
        self._expected = 0.0  # seconds that the run will take; 0 where nothing is known of it
        self._timer = self.timer(self.onPiece, once=False)
        self.lookForJournal()

    @property
    def busy(self) -> bool:
        return self.run is not None or self._left is not None

    def update(self) -> None:
        ready = self.parameters.inputVolume is not None
        self.enable(ready and not self.busy, "applyButton")
        self.ui.applyButton.toolTip = _("Segment the scar.") if ready else _("Choose an LGE stack first.")
        self.enable(self.run is not None, "cancelButton")
        self.enable(not self.busy, "sampleButton", "inputSelector")
        self.ui.progressBar.visible = self.busy

    def release(self) -> None:
        """Stop; what has been computed is not written."""
        super().release()
        self._left = None

    def start(self, work: Callable, take: Callable, fail: Callable, text: str) -> None:
        """Compute a case of the chosen volume beside the panel; then do the pieces that ``take`` makes of it."""
        self._expected = 0.0
        self.ui.progressBar.value = 0
        self.panel.say(text)
        self.compute(work, lambda run: self._over(run, take, fail), self._tellProgress)
        self.update()

    def onApply(self) -> None:
        parameters, logic = self.parameters, self.panel.logic
        replaced = _("The LV cavity, myocardium and scar of this segmentation will be replaced, edits included.")
        if logic.wouldReplace(parameters) and not confirmed(replaced):
            return
        if not self.panel.packages.ready():
            return
        lack = tooLittle(parameters.inputVolume)
        if not lack or confirmed(lack):
            self.start(logic.work(parameters), self._applied, self._tellFailure, _("Running..."))
            self._expected = self._pace * parameters.inputVolume.GetImageData().GetNumberOfPoints()

    def onCancel(self) -> None:
        if self.run:
            self.run.cancel()
            self.panel.say(_("Stopping..."))

    def _tellProgress(self, run: Run) -> None:
        fraction, text = run.progress
        self.ui.progressBar.value = round(100 * fraction)
        left = self._expected - run.seconds
        if text and left >= 1:
            text = _("{stage}, about {seconds:.0f} s left").format(stage=text, seconds=left)
        if text:
            self.panel.say(text)

    def _over(self, run: Run, take: Callable[[Study], Pieces], fail: Callable[[Run], None]) -> None:
        """The volume is still the same: the panel releases a run whose volume is removed, or another one chosen."""
        if run.result is None:
            self.update()
            fail(run)
        else:
            self._left = take(run.result)
            self._timer.start(POLL_MS)

    def _tellFailure(self, run: Run) -> None:
        if run.error is None:
            self.panel.say(_("Cancelled: nothing was written."))
        else:
            self._showError(named(run.error, _("The segmentation failed.")), run.error)

    def _showError(self, text: str, error: Exception) -> None:
        self.panel.say(text)
        details = {} if isinstance(error, InputError) else {"detailedText": "".join(traceback.format_exception(error))}
        slicer.util.errorDisplay(text, **details)

    def _applied(self, made: Study) -> Pieces:
        seconds = sum(made.segmented.timings.values())
        self._pace = seconds / made.segmented.labels.size
        self.panel.logic.takeSegmented(made, self.parameters)
        yield
        yield from self.panel.logic.writeCase(self.parameters)
        told = _("Segmented in {seconds:.0f} s.").format(seconds=seconds)
        yield from self.show(told, self.panel.correct.applyChosenRule, self.panel.results.showWhenEntered)

    def show(self, text: str, *before: Callable[[], None]) -> Pieces:
        """Show the case that has come in, piece by piece after others, and say the text."""
        results, anatomy = self.panel.results, self.panel.anatomy
        shown = (results.showTable, results.showBullseyes, results.showPaper, anatomy.onStudy, self.panel.onCaseTaken)
        for piece in (*before, *shown):
            piece()
            yield
        self.panel.say(text)

    def onPiece(self) -> None:
        try:
            with self.panel.writing():
                next(self._left)
        except StopIteration:
            self.release()
        except Exception as error:
            self.release()
            self._showError(_("The result could not be shown: {reason}").format(reason=error), error)
        if not self.busy and self.parameters:
            self.update()

    # Restore: a frame on top of the panel, shown only where there is something to restore

    def lookForJournal(self) -> None:
        self._found: Recovered | None = next(iter(leftBehind(journalFolder())), None)
        self.ui.recoverFrame.visible = self._found is not None
        if self._found:
            self.ui.recoverLabel.text = _(
                "Slicer ended before the corrections begun at {when} were saved: {count} changes. Load the same LGE "
                "stack, choose it below and press Restore."
            ).format(when=self._found.begun, count=len(self._found.moves))

    def onRecover(self) -> None:
        volume = self.parameters.inputVolume if self.parameters else None
        found = self._found
        if not found or volume is None or self.busy or not self.panel.packages.ready():
            return
        voxels = np.array(slicer.util.arrayFromVolume(volume))
        self.start(lambda progress: Study.fromJournal(found, voxels), self._restored, self._refused, _("Restoring..."))

    def _restored(self, study: Study) -> Pieces:
        told = _("Restored: {count} steps, which can be undone.").format(count=len(study.steps) - 1)
        self.panel.logic.takeStudy(study, self.parameters)
        self.panel.anatomy.choose(study.aha.division)
        yield
        yield from self.panel.logic.writeCase(self.parameters)
        yield from self.show(told, self.panel.results.showWhenEntered)
        self.onDiscard()

    def _refused(self, run: Run) -> None:
        self.panel.say("")
        self.ui.recoverLabel.text = _("The corrections are of another LGE stack than the chosen one.")

    def onDiscard(self) -> None:
        if self._found:
            self._found.path.unlink(missing_ok=True)
        self.lookForJournal()


def journalFolder() -> Path:
    """Beside Slicer's own settings, which are the user's alone."""
    return Path(slicer.app.slicerUserSettingsFilePath).parent / "ScarSegECG"


def tooLittle(volumeNode) -> str:
    """A sentence for the user where memory will not do for this volume; "" otherwise."""
    image = volumeNode.GetImageData()
    needed = BASE_BYTES + BYTES_PER_VOXEL * image.GetNumberOfPoints() + BYTES_PER_SLICE * image.GetDimensions()[2]
    system = slicer.vtkSystemInformation()
    system.RunMemoryCheck()
    available = system.GetAvailablePhysicalMemory() * 2**20
    if not 0 < available < needed:  # 0 where the system does not say
        return ""
    return _(
        "About {needed:.1f} GB of memory are needed and {available:.1f} GB are free. Close other programs or crop the "
        "stack to the heart (Crop Volume). Go on all the same?"
    ).format(needed=needed / 2**30, available=available / 2**30)
