"""Apply and Restore: a case is computed in a worker thread, or read from what a crash left, and put into the scene."""

import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from ScarSegECGLib.errors import InputError
from ScarSegECGPanel.journal import Recovered, leftBehind
from ScarSegECGPanel.packages import named
from ScarSegECGPanel.section import POLL_MS, Run, Section, confirmed
from ScarSegECGPanel.study import Study

Pieces = Iterator[None]  # what is to be done, with a yield where the window may go on
# Memory, rounded up from the peak of a process of its own on the CPU (5 networks): 523 MB with PyTorch and weights
# loaded, and above that 91 MB for 10 slices of 256 x 256, 255 MB for 20 of them, 321 MB for 10 slices of 512 x 512.
BASE_BYTES = 600 * 2**20
BYTES_PER_VOXEL = 160
BYTES_PER_SLICE = 12 * 2**20


class ApplySection(Section):
    """The run that is on, and what is left to do when it is over: one piece at each tick, so that nothing freezes."""

    def __init__(self, panel) -> None:
        super().__init__(panel, {"applyButton": self.onApply, "cancelButton": self.onCancel})
        self._left: Pieces | None = None
        self._pace = 0.0  # seconds a voxel of the last Apply of this session; before it no time can be told
        self._expected = 0.0  # seconds that the run will take
        self._timer = self.timer(self.onPiece, once=False)

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

    def start(self, work: Callable, take: Callable, fail: Callable, text: str, expected: float = 0.0) -> None:
        """Compute a case of the chosen volume beside the panel; then do the pieces that ``take`` makes of it."""
        volume, self._expected = self.parameters.inputVolume, expected
        self.ui.progressBar.value = 0
        self.panel.say(text)
        self.compute(work, lambda run: self._over(run, volume, take, fail), self._tellProgress)
        self.update()

    def onApply(self) -> None:
        parameters, logic = self.parameters, self.panel.logic
        if self.busy or not parameters or not parameters.inputVolume:
            return
        replaced = _("The LV cavity, myocardium and scar of this segmentation will be replaced, edits included.")
        if logic.wouldReplace(parameters) and not confirmed(replaced):
            return
        if not self.panel.packages.ready():
            return
        lack = tooLittle(parameters.inputVolume)
        if not lack or confirmed(lack):
            expected = self._pace * _voxels(parameters.inputVolume)
            self.start(logic.work(parameters), self._applied, self._tellFailure, _("Running..."), expected)

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

    def _over(self, run: Run, volume, take: Callable[[Study], Pieces], fail: Callable[[Run], None]) -> None:
        there = slicer.mrmlScene.IsNodePresent(volume) and self.parameters.inputVolume is volume
        if run.result is not None and there:
            self._left = take(run.result)
            self._timer.start(POLL_MS)
            return
        if self.parameters:
            self.update()
        if run.result is None:
            fail(run)
        else:
            self.panel.say(_("The LGE stack was removed or changed during the run: nothing was written."))

    def _tellFailure(self, run: Run) -> None:
        if run.error is None:
            self.panel.say(_("Cancelled: nothing was written."))
            return
        text = named(run.error, _("The segmentation failed."))
        self.panel.say(text)
        _showError(text, run.error)

    def _applied(self, made: Study) -> Pieces:
        seconds = sum(made.segmented.timings.values())
        self._pace = seconds / _voxels(self.parameters.inputVolume)
        self.panel.logic.takeSegmented(made, self.parameters)
        yield
        yield from self.panel.logic.writeCase(self.parameters)
        told = _("Segmented in {seconds:.0f} s.").format(seconds=seconds)
        yield from self.show(told, self.panel.scar.applyChosenRule, self.panel.views.showWhenEntered)

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
            self.panel.say(_("The result could not be shown: {reason}").format(reason=error))
            _showError(_("The result could not be shown."), error)
        if not self.busy and self.parameters:
            self.update()


class RecoverSection(Section):
    """A frame on top of the panel, shown only where there is something to restore."""

    def __init__(self, panel) -> None:
        super().__init__(panel, {"recoverButton": self.onRecover, "discardButton": self.onDiscard})
        self.look()

    def look(self) -> None:
        folder = journalFolder()
        self._found: Recovered | None = next(iter(leftBehind(folder)), None) if folder.is_dir() else None
        self.ui.recoverFrame.visible = self._found is not None
        if self._found:
            self.ui.recoverLabel.text = _(
                "Slicer ended before the corrections begun at {when} were saved: {count} steps. Load the same LGE "
                "stack, choose it below and press Restore."
            ).format(when=self._found.begun, count=len(self._found.moves))

    def onRecover(self) -> None:
        volume = self.parameters.inputVolume if self.parameters else None
        found, apply = self._found, self.panel.apply
        if not found or volume is None or apply.busy or not self.panel.packages.ready():
            return
        voxels = np.array(slicer.util.arrayFromVolume(volume))
        apply.start(lambda progress: Study.fromJournal(found, voxels), self._take, self._fail, _("Restoring..."))

    def _take(self, study: Study) -> Pieces:
        told = _("Restored: {count} steps, which can be undone.").format(count=len(self._found.moves))
        self.panel.logic.takeStudy(study, self.parameters)
        yield
        yield from self.panel.logic.writeCase(self.parameters)
        yield from self.panel.apply.show(told, self.panel.views.showWhenEntered)
        self.onDiscard()

    def _fail(self, run: Run) -> None:
        self.panel.say("")
        self.ui.recoverLabel.text = _("The corrections are of another LGE stack than the chosen one.")

    def onDiscard(self) -> None:
        if self._found:
            self._found.path.unlink(missing_ok=True)
        self.look()


def journalFolder() -> Path:
    """Beside Slicer's own settings, which are the user's alone."""
    return Path(slicer.app.slicerUserSettingsFilePath).parent / "ScarSegECG"


def _showError(text: str, error: Exception) -> None:
    known = isinstance(error, InputError)
    slicer.util.errorDisplay(text, **{} if known else {"detailedText": "".join(traceback.format_exception(error))})


def _voxels(volumeNode) -> int:
    return int(np.prod(volumeNode.GetImageData().GetDimensions()))


def availableBytes() -> int:
    """Memory that is free now; 0 where the system does not say."""
    system = slicer.vtkSystemInformation()
    system.RunMemoryCheck()
    return system.GetAvailablePhysicalMemory() * 2**20


def tooLittle(volumeNode) -> str:
    """A sentence for the user where memory will not do for this volume; "" otherwise."""
    slices = volumeNode.GetImageData().GetDimensions()[2]
    needed = BASE_BYTES + BYTES_PER_VOXEL * _voxels(volumeNode) + BYTES_PER_SLICE * slices
    available = availableBytes()
    if not 0 < available < needed:
        return ""
    return _(
        "About {needed:.1f} GB of memory are needed and {available:.1f} GB are free. Close other programs or crop the "
        "stack to the heart (Crop Volume). Go on all the same?"
    ).format(needed=needed / 2**30, available=available / 2**30)
