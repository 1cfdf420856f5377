"""Export: files into a folder, DICOM objects into the database or to a server; says what was written where."""

import dataclasses
import functools
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from ScarSegECGLib.case import ScarResult
from ScarSegECGLib.errors import InputError
from ScarSegECGPanel.nodes import database, sourceFiles
from ScarSegECGPanel.packages import DICOMWEB
from ScarSegECGPanel.section import ProgressCallback, Run, Section, confirmed

CLOSE_MM = 0.5


class ExportSection(Section):
    """One export at a time, beside the panel."""

    def __init__(self, panel) -> None:
        super().__init__(panel, {"exportButton": self.onFiles, "dicomButton": self.onDicom, "webButton": self.onWeb})

    def onStudy(self) -> None:
        self.enable(self.study is not None and self.run is None, "exportButton", "dicomButton", "webButton")

    def onFiles(self) -> None:
        folder, result = self.ui.exportPathEdit.currentPath, self.study.result
        if not folder:
            self.ui.exportLabel.text = _("Choose a folder first.")
            return

        def work(progress: ProgressCallback) -> Path:
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
            self.ui.exportLabel.text = _("Slicer's DICOM database is not open: open the DICOM module once.")
            return

        passing = passingFolders()

        def stored(objects: dict[str, bytes]) -> str:
            from DICOMLib import DICOMUtils

            with passing() as folder:
                for name, content in objects.items():
                    Path(folder, name).write_bytes(content)
                DICOMUtils.importDicom(folder, db, copyFiles=True)
            return _("{count} objects were added to the DICOM database, beside the images: {names}.").format(
                count=len(objects), names=", ".join(objects)
            )

        self._objects(stored)

    def onWeb(self) -> None:
        url = self.ui.webEdit.text.strip()
        if not url:
            self.ui.exportLabel.text = _("Give the server's DICOMweb address, beginning with https://.")
            return
        if not self.panel.packages.ready(DICOMWEB):
            return
        from ScarSegECGLib.pacs.connection import check_address

        try:
            check_address(url)
        except InputError as error:
            self.ui.exportLabel.text = str(error)
            return
        question = _(
            "Segmentations, maps, reports, a picture, with the patient's name as in the images, will be sent to {url}."
        ).format(url=url)
        if confirmed(question):
            self._objects(
                lambda objects: _("{count} objects were sent to {url}.").format(count=len(objects), url=url),
                then=lambda files: send(url, files),
            )

    def _objects(self, after: Callable, then: Callable = lambda files: None) -> None:
        """Write the objects and do ``then`` with the files in the worker, ``after`` with names and contents here."""
        result, sources, passing = self.study.result, sourceFiles(self.parameters.inputVolume), passingFolders()
        if not sources:
            self.ui.exportLabel.text = _(
                "DICOM objects need the DICOM images: load the stack from Slicer's DICOM database."
            )
            return

        def work(progress: ProgressCallback) -> dict[str, bytes]:
            with passing() as folder:
                files = writeObjects(result, sources, Path(folder), progress)
                progress(0.9, "sending")
                then(files)
                return {file.name: file.read_bytes() for file in files}

        self._begin(work, after)

    def _begin(self, work: Callable, after: Callable) -> None:
        self.compute(work, lambda run: self._over(run, after))
        self.ui.exportLabel.text = _("Writing...")
        self.onStudy()

    def _over(self, run: Run, after: Callable) -> None:
        if run.error is None:
            said = after(run.result)
        elif isinstance(run.error, InputError):
            said = str(run.error)
        else:
            said = _("The export failed: {reason}").format(reason=f"{type(run.error).__name__}: {run.error}")
        self.ui.exportLabel.text = said
        self.onStudy()


def passingFolders() -> Callable:
    """Makes folders, also in a worker, where Slicer's temporary files are to lie, for what names the patient.

    Only the user can read one, and it is gone at the end, however that comes.
    """
    where = Path(slicer.app.temporaryPath)
    where.mkdir(parents=True, exist_ok=True)
    return functools.partial(tempfile.TemporaryDirectory, prefix="ScarSegECG", dir=where, ignore_cleanup_errors=True)


def writeObjects(result: ScarResult, sources: list[str], folder: Path, progress: ProgressCallback) -> list[Path]:
    """Write the DICOM objects into ``folder``; InputError where ``sources`` are not the segmented stack's files."""
    from ScarSegECGLib.export.dicom.source import read_source
    from ScarSegECGLib.export.dicom.write import write_dicom
    from ScarSegECGLib.lge.read import read_lge
    from ScarSegECGLib.view.pictures import pictures

    images, objects = folder / "images", folder / "objects"
    images.mkdir(parents=True)
    objects.mkdir()
    progress(0.1, "reading the images")
    for index, source in enumerate(sources):
        shutil.copyfile(source, images / f"{index:04d}.dcm")
    stack = read_lge(images)
    same = stack.voxels.shape == result.stack.voxels.shape
    if not same or not np.allclose(stack.ijk_to_ras, result.stack.ijk_to_ras, atol=CLOSE_MM):
        raise InputError("The DICOM images are not on the segmented volume's grid: load the series again and re-apply.")
    progress(0.3, "pictures")
    placed = dataclasses.replace(result, stack=stack)
    painted = pictures(placed)
    progress(0.6, "DICOM objects")
    return [objects / name for name in write_dicom(placed, painted, read_source(stack), objects)]


def send(url: str, files: list[Path]) -> None:
    """Store the objects on a DICOMweb server, fetch each again and compare; InputError where anything is not right."""
    from ScarSegECGLib.pacs.archive import push
    from ScarSegECGLib.pacs.connection import connect

    push(connect(url), files)
