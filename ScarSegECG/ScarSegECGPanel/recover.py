"""What a crash left behind, offered once, and the folder it lies in."""

from pathlib import Path

import slicer
from slicer.i18n import tr as _

from ScarSegECGPanel.journal import Recovered, leftBehind
from ScarSegECGPanel.section import Section
from ScarSegECGPanel.study import Study


def journalFolder() -> Path:
    """Beside Slicer's own settings, which are the user's alone."""
    return Path(slicer.app.slicerUserSettingsFilePath).parent / "ScarSegECG"


class RecoverSection(Section):
    """A frame on top of the panel, shown only where there is something to restore."""

    def __init__(self, panel) -> None:
        super().__init__(panel)
        self._found: Recovered | None = None
        self.whenClicked(self.ui.recoverButton, self.onRecover)
        self.whenClicked(self.ui.discardButton, self.onDiscard)
        self.look()

    def look(self) -> None:
        folder = journalFolder()
        found = leftBehind(folder) if folder.is_dir() else []
        self._found = found[0] if found else None
        self.ui.recoverFrame.visible = self._found is not None
        if self._found:
            self.ui.recoverLabel.text = _(
                "Slicer ended before the corrections begun at {when} were saved: {count} steps. Load the same LGE "
                "stack, choose it below and press Restore."
            ).format(when=self._found.begun, count=len(self._found.steps))

    def onRecover(self) -> None:
        volume = self.parameters.inputVolume if self.parameters else None
        if not self._found or volume is None or not self.panel.packages.ready():
            return
        try:
            study = Study.fromJournal(self._found, slicer.util.arrayFromVolume(volume))
        except Exception:  # whatever a file may hold
            self.ui.recoverLabel.text = _("The corrections are of another LGE stack than the chosen one.")
            return
        self.panel.takeStudy(study)
        self.panel.say(_("Restored: {count} steps, which can be undone.").format(count=len(self._found.steps)))
        self.onDiscard()

    def onDiscard(self) -> None:
        if self._found:
            self._found.path.unlink(missing_ok=True)
        self.look()
