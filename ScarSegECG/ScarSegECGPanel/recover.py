"""What a crash left behind, offered once, and the folder it lies in."""

from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from ScarSegECGPanel.apply import Pieces
from ScarSegECGPanel.journal import Recovered, leftBehind
from ScarSegECGPanel.run import Run
from ScarSegECGPanel.section import Section
from ScarSegECGPanel.study import Study


def journalFolder() -> Path:
    """Beside Slicer's own settings, which are the user's alone."""
    return Path(slicer.app.slicerUserSettingsFilePath).parent / "ScarSegECG"


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
        logic, panel, count = self.panel.logic, self.panel, len(self._found.moves)
        logic.takeStudy(study, self.parameters)
        yield
        yield from logic.writeCase(self.parameters)
        panel.views.showWhenEntered()
        yield
        yield from panel.apply.show()
        self.onDiscard()
        panel.say(_("Restored: {count} steps, which can be undone.").format(count=count))

    def _fail(self, run: Run) -> None:
        """Whatever a file may hold."""
        self.panel.say("")
        self.ui.recoverLabel.text = _("The corrections are of another LGE stack than the chosen one.")

    def onDiscard(self) -> None:
        if self._found:
            self._found.path.unlink(missing_ok=True)
        self.look()
