"""Apply: the segmentation in a worker thread, and its result into the scene piece by piece."""

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

POLL_MS = 10


class ApplySection(Section):
    """The run that is on, and what is left to do when it is over: one piece at each tick, so that nothing freezes."""

    def __init__(self, panel) -> None:
        super().__init__(panel)
        self.run: Run | None = None
        self._inputs: tuple | None = None
        self._left: list[Callable[[], None]] = []
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
        self.ui.sampleButton.enabled = not self.busy
        self.ui.progressBar.visible = self.busy

    def release(self) -> None:
        """Stop; what has been computed is not written."""
        if self.run:
            self.run.cancel()
        self._timer.stop()
        self.run, self._inputs, self._left = None, None, []

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
        try:
            self.run = Run(self.panel.logic.work(parameters))
        except InputError as error:
            self.panel.say(str(error))
            slicer.util.errorDisplay(str(error))
            return
        self._inputs = (parameters, parameters.inputVolume)
        self.ui.progressBar.value = 0
        self.panel.say(_("Running..."))
        self._timer.start()
        self.update()

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
        seconds = self.run.remainingSeconds
        if text and seconds is not None:
            text = _("{stage}, about {seconds:.0f} s left").format(stage=text, seconds=max(seconds, 1))
        if text:
            self.panel.say(text)

    def _over(self) -> None:
        run, (parameters, volumeNode) = self.run, self._inputs
        self.run, self._inputs = None, None
        if run.result is None:
            self.release()
            if self.parameters:
                self.update()
            self._tellFailure(run)
        elif not slicer.mrmlScene.IsNodePresent(volumeNode):
            self.release()
            self.update()
            self.panel.say(_("The LGE stack was removed during the run: nothing was written."))
        else:
            self._left = self._pieces(run.result, parameters, volumeNode)

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

    def _pieces(self, done, parameters, volumeNode) -> list[Callable[[], None]]:
        logic, panel = self.panel.logic, self.panel
        state: dict = {}
        seconds = sum(done[0].timings.values())

        def take() -> None:
            state["study"] = logic.takeResult(*done, parameters, volumeNode)
            logic.written = state["study"].masks

        def prepare() -> None:
            node = logic.outputSegmentation(parameters, volumeNode)
            prepareSegments(volumeNode, node)

        def write(name: str) -> Callable[[], None]:
            def one() -> None:
                study = state["study"]
                changeSegments(study.masks, None, study.segmented.stack, parameters.outputSegmentation, only=name)

            return one

        def rule() -> None:
            panel.scar.applyChosenRule()

        return [
            take,
            prepare,
            write("wall"),
            write("scar"),
            write("cavity"),
            lambda: logic.saveResult(parameters),
            rule,
            panel.views.show,
            panel.results.showTable,
            panel.results.showImage,
            panel.results.showEcg,
            panel.results.showPaper,
            panel.anatomy.onStudy,
            panel.onSegmented,
            lambda: panel.say(_("Segmented in {seconds:.0f} s: see Results.").format(seconds=seconds)),
        ]

    def _onePiece(self) -> None:
        piece = self._left.pop(0)
        done = 100 if not self._left else 100 - len(self._left)
        try:
            with self.panel.writing():
                piece()
        except Exception as error:
            self.release()
            self.panel.say(_("The result could not be shown: {reason}").format(reason=error))
            slicer.util.errorDisplay(
                _("The result could not be shown."), detailedText="".join(traceback.format_exception(error))
            )
        self.ui.progressBar.value = done
        if not self._left and self.parameters:
            self.update()
