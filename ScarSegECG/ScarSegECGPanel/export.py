"""Export: files into a folder, DICOM objects into the database or to a server; says what was written where."""

import shutil
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from ScarSegECGLib.errors import InputError
from ScarSegECGPanel.dicom import database, sourceFiles
from ScarSegECGPanel.dicom_objects import send, writeObjects
from ScarSegECGPanel.packages import DICOMWEB
from ScarSegECGPanel.run import Run
from ScarSegECGPanel.section import Section

POLL_MS = 10


class ExportSection(Section):
    """One export at a time, beside the panel."""

    def __init__(self, panel) -> None:
        super().__init__(panel)
        self.run: Run | None = None
        self._after = None
        self._folder: Path | None = None  # of images and objects on their way, which name the patient
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MS)
        self._timer.connect("timeout()", self.onTick)
        self.whenClicked(self.ui.exportButton, self.onFiles)
        self.whenClicked(self.ui.dicomButton, self.onDicom)
        self.whenClicked(self.ui.webButton, self.onWeb)

    def onStudy(self) -> None:
        ready = self.study is not None and self.run is None
        for button in (self.ui.exportButton, self.ui.dicomButton, self.ui.webButton):
            button.enabled = ready

    def onFiles(self) -> None:
        folder = self.ui.exportPathEdit.currentPath
        if not folder:
            self._say(_("Choose a folder first."))
            return
        result = self.study.result

        def work(progress):
            from ScarSegECGLib.export.write import write_result
            from ScarSegECGLib.view.pictures import pictures

            progress(0.1, "pictures")
            painted = pictures(result)
            progress(0.6, "files")
            return write_result(result, painted, Path(folder), overwrite=True)

        self._begin(work, lambda out: _("Written to {folder}: open report.html first.").format(folder=out))

    def onDicom(self) -> None:
        db = database()
        if db is None:
            self._say(_("Slicer's DICOM database is not open: open the DICOM module once."))
            return

        def stored(files: list[Path]) -> str:
            from DICOMLib import DICOMUtils

            DICOMUtils.importDicom(str(files[0].parent), db, copyFiles=True)  # these are removed at once
            return _("{count} objects were added to the DICOM database, beside the images: {names}.").format(
                count=len(files), names=", ".join(file.name for file in files)
            )

        self._objects(stored)

    def onWeb(self) -> None:
        url = self.ui.webEdit.text.strip()
        if not url:
            self._say(_("Give the server's DICOMweb address, beginning with https://."))
            return
        if not self.panel.packages.ready(DICOMWEB):
            return
        from ScarSegECGLib.pacs.connection import check_address

        try:
            check_address(url)
        except InputError as error:
            self._say(str(error))
            return
        if not slicer.util.confirmOkCancelDisplay(
            _(
                "The segmentation and the report, with the patient's name as in the images, will be sent to {url}."
            ).format(url=url),
            windowTitle="ScarSegECG",
        ):
            return
        self._objects(
            lambda files: _("{count} objects were sent to {url}.").format(count=len(files), url=url),
            then=lambda files: send(url, files),
        )

    def _objects(self, after, then=None) -> None:
        files = sourceFiles(self.parameters.inputVolume)
        if not files:
            self._say(_("DICOM objects need the DICOM images: load the stack from Slicer's DICOM database."))
            return
        result, folder = self.study.result, Path(slicer.util.tempDirectory("ScarSegECG"))
        self._folder = folder
        folder.chmod(0o700)

        def work(progress):
            try:
                written = writeObjects(result, files, folder, progress)
                if then:
                    progress(0.9, "sending")
                    then(written)
                progress(1.0, "")
            except BaseException:  # also a cancel, after which nobody else looks
                shutil.rmtree(folder, ignore_errors=True)
                raise
            return written

        self._begin(work, after)

    def _begin(self, work, after) -> None:
        self.run, self._after = Run(work), after
        self._say(_("Writing..."))
        self.onStudy()
        self._timer.start()

    def onTick(self) -> None:
        if self.run is None or not self.run.poll():
            return
        self._timer.stop()
        run, after, self.run = self.run, self._after, None
        try:
            self._tell(run, after)
        finally:
            self._forget()
        self.onStudy()

    def _tell(self, run: Run, after) -> None:
        if run.error is None:
            self._say(after(run.result))
        elif isinstance(run.error, InputError):
            self._say(str(run.error))
        else:
            self._say(_("The export failed: {reason}").format(reason=f"{type(run.error).__name__}: {run.error}"))

    def _forget(self) -> None:
        """Remove the copies of the patient's images and objects."""
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = None

    def _say(self, text: str) -> None:
        self.ui.exportLabel.text = text

    def release(self) -> None:
        self._timer.stop()
        if self.run:
            self.run.cancel()
        self.run = None
        self._forget()
