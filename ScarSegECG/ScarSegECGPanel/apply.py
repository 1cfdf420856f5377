"""Apply, and what else takes long: computed in a worker thread, its result into the scene piece by piece."""

import traceback
from collections.abc import Callable

import qt
import slicer
from slicer.i18n import tr as _

from ScarSegECGLib.errors import InputError
from ScarSegECGPanel.memory import neededBytes, tooLittle
from ScarSegECGPanel.run import Run
from ScarSegECGPanel.section import Section
from ScarSegECGPanel.segments import changeSegments, prepareSegments
from ScarSegECGPanel.study import Study

POLL_MS = 10
Pieces = list[Callable[[], None]]


class ApplySection(Section):
    """The run that is on, and what is left to do when it is over: one piece at each tick, so that nothing freezes."""

    def __init__(self, panel) -> None:
        super().__init__(panel)
        self.run: Run | None = None
        self._left: Pieces = []
        self._volume, self._take, self._fail = None, None, None
        self._pace = 0.0  # seconds a voxel of the last Apply of this session; before it no time can be told
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MS)
        self._timer.connect("timeout()", self.onTick)
        self.whenClicked(self.ui.applyButton, self.onApply)
        self.whenClicked(self.ui.cancelButton, self.onCancel)
        self.ui.progressBar.visible = False

    @property
    def busy(self) -> bool:
        return self.run is not None or bool(self._left)

    def update(self) -> None:
        ready = self.parameters.inputVolume is not None
        self.ui.applyButton.enabled = ready and not self.busy
        self.ui.applyButton.toolTip = _("Segment the scar.") if ready else _("Choose an LGE stack first.")
        self.ui.cancelButton.enabled = self.run is not None
        self.ui.sampleButton.enabled = self.ui.inputSelector.enabled = not self.busy
        self.ui.progressBar.visible = self.busy

    def release(self) -> None:
        """Stop; what has been computed is not written."""
        if self.run:
            self.run.cancel()
        self._timer.stop()
        self.run, self._volume, self._left = None, None, []

    def start(
        self,
        work: Callable,
        take: Callable[[Study], Pieces],
        fail: Callable[[Run], None],
        text: str,
    ) -> None:
        """Compute a case of the chosen volume beside the panel; then do the pieces that ``take`` makes of it."""
        self.run, self._take, self._fail = Run(work), take, fail
        self._volume = self.parameters.inputVolume
        self.ui.progressBar.value = 0
        self.panel.say(text)
        self._timer.start()
        self.update()

    def onApply(self) -> None:
        parameters = self.parameters
        if self.busy or not parameters or not parameters.inputVolume:
            return
        if self.panel.logic.wouldReplace(parameters) and not slicer.util.confirmOkCancelDisplay(
            _("The LV cavity, myocardium and scar of this segmentation will be replaced, edits included."),
            windowTitle="ScarSegECG",
        ):
            return
        if not self.panel.packages.ready():
            return
        lack = tooLittle(neededBytes(parameters.inputVolume))
        if lack and not slicer.util.confirmOkCancelDisplay(lack, windowTitle="ScarSegECG"):
            return
        self.start(self.panel.logic.work(parameters), self._applied, self._tellFailure, _("Running..."))

    def onCancel(self) -> None:
        if self.run:
            self.run.cancel()
            self.panel.say(_("Stopping..."))

    def onTick(self) -> None:
        if self._left:
            self._onePiece()
        elif self.run is None:
            self._timer.stop()
        elif self.run.poll():
            self._over()
        elif not self.run.cancelled:
            self._tellProgress()

    def _tellProgress(self) -> None:
        fraction, text = self.run.progress
        self.ui.progressBar.value = round(100 * fraction)
        left = self._pace * _voxels(self._volume) - self.run.seconds if self._fail == self._tellFailure else 0
        if text and left >= 1:
            text = _("{stage}, about {seconds:.0f} s left").format(stage=text, seconds=left)
        if text:
            self.panel.say(text)

    def _over(self) -> None:
        run, volumeNode = self.run, self._volume
        self.run, self._volume = None, None
        there = slicer.mrmlScene.IsNodePresent(volumeNode) and self.parameters.inputVolume is volumeNode
        if run.result is not None and there:
            self._left = [*self._take(run.result), self._finish]
            return
        self.release()
        if self.parameters:
            self.update()
        if run.result is None:
            self._fail(run)
        else:
            self.panel.say(_("The LGE stack was removed or changed during the run: nothing was written."))

    def _tellFailure(self, run: Run) -> None:
        if run.error is None:
            self.panel.say(_("Cancelled: nothing was written."))
        elif isinstance(run.error, InputError):
            self.panel.say(str(run.error))
            slicer.util.errorDisplay(str(run.error))
        else:
            named = self.panel.packages.explain(run.error)
            self.panel.say(named or _("The segmentation failed."))
            details = "".join(traceback.format_exception(run.error))
            slicer.util.errorDisplay(named or _("The segmentation failed."), detailedText=details)

    def _applied(self, made: Study) -> Pieces:
        logic, panel, parameters = self.panel.logic, self.panel, self.parameters
        volumeNode = parameters.inputVolume
        seconds = sum(made.segmented.timings.values())
        self._pace = seconds / _voxels(volumeNode)

        def take() -> None:
            logic.written = logic.takeSegmented(made, parameters, volumeNode).masks

        return [
            take,
            *self.segmentPieces(),
            lambda: logic.saveResult(parameters),
            panel.scar.applyChosenRule,
            *self.showPieces(),
            lambda: panel.say(_("Segmented in {seconds:.0f} s.").format(seconds=seconds)),
        ]

    def segmentPieces(self) -> Pieces:
        """Write the case's masks into the scene."""
        logic, parameters = self.panel.logic, self.parameters

        def write(name: str) -> Callable[[], None]:
            def one() -> None:
                study = logic.study
                changeSegments(study.masks, None, study.segmented.stack, parameters.outputSegmentation, only=name)

            return one

        return [
            lambda: prepareSegments(parameters.inputVolume, logic.outputSegmentation(parameters)),
            *map(write, ("wall", "scar", "cavity")),
        ]

    def showPieces(self) -> Pieces:
        """Show a case that has just come in."""
        panel = self.panel
        return [
            panel.views.showWhenEntered,
            panel.results.showTable,
            panel.results.showBullseyes,
            panel.results.showPaper,
            panel.anatomy.onStudy,
            panel.onCaseTaken,
        ]

    def _onePiece(self) -> None:
        piece = self._left.pop(0)
        try:
            with self.panel.writing():
                piece()
        except Exception as error:
            self.release()
            self.panel.say(_("The result could not be shown: {reason}").format(reason=error))
            slicer.util.errorDisplay(
                _("The result could not be shown."), detailedText="".join(traceback.format_exception(error))
            )
        self.ui.progressBar.value = 100 - len(self._left)

    def _finish(self) -> None:
        self._left = []
        if self.parameters:
            self.update()


def _voxels(volumeNode) -> int:
    columns, rows, slices = volumeNode.GetImageData().GetDimensions()
    return columns * rows * slices
