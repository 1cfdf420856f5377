"""The Python packages beyond Slicer's own: what is missing, installed after asking, and failures by their names."""

import importlib.metadata
import importlib.util
import shutil
import sys
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from ScarSegECGPanel.section import Section

LONGEST_WINDOWS_PATH = 120  # of Slicer's own folder; PyTorch's files lie up to 140 characters deeper
NO_NETWORK = ("getaddrinfo", "connection", "temporary failure in name", "max retries", "proxy", "timed out", "network")
TOO_LONG = ("filename or extension is too long", "no such file or directory: 'c:", "path too long", "winerror 206")


def missing(requirements: str) -> list[str]:
    """Requirements that are not met, by slicer.packaging."""
    from slicer.packaging import load_requirements, pip_check

    return [str(one) for one in load_requirements(requirements) if not pip_check(one)]


def brokenTorch() -> str:
    """A sentence where PyTorch is there by half, "" otherwise."""
    found = importlib.util.find_spec("torch") is not None
    try:
        importlib.metadata.version("torch")
        recorded = True
    except importlib.metadata.PackageNotFoundError:
        recorded = False
    if found == recorded:
        return ""
    return _(
        "PyTorch is installed by half. Close every Slicer, delete the folder 'torch' in Slicer's Lib/site-packages and "
        "press Check and install again."
    )


def unusedGpu() -> str:
    """A sentence where there is an NVIDIA GPU that PyTorch cannot use; asks only a PyTorch that is loaded."""
    torch = sys.modules.get("torch")
    if torch is None or torch.cuda.is_available() or shutil.which("nvidia-smi") is None:
        return ""
    return _(
        "There is an NVIDIA GPU that this PyTorch cannot use: install the CUDA build with the extension PyTorch Utils, "
        "or update the driver. Without it the networks run on the CPU."
    )


def named(error: BaseException) -> str:
    """What an installation or import error means and what to do; "" where it is none that is known."""
    text = f"{error} {getattr(error, 'output', '') or ''}".lower()
    if isinstance(error, RuntimeError) and "declined" in text:
        return _("The packages were not installed, as you chose. Without them nothing can be segmented.")
    if sys.platform == "win32" and (len(sys.prefix) > LONGEST_WINDOWS_PATH or any(w in text for w in TOO_LONG)):
        return _("Slicer's folder has too long a path for Windows: install Slicer into a short one such as C:/Slicer.")
    if isinstance(error, MemoryError) or "no space left" in text or "disk full" in text:
        return _("There is no space left: PyTorch needs about 3 GB on the disk of Slicer's folder.")
    if any(word in text for word in NO_NETWORK):
        return _(
            "The package index cannot be reached. On a computer without internet give a folder with the wheels under "
            "Python packages."
        )
    if "permission" in text or "access is denied" in text:
        return _("Slicer's folder cannot be written: install Slicer where you may write, or ask who installed it.")
    if isinstance(error, (ImportError, OSError)) and "torch" in text:
        return _("PyTorch does not load: restart Slicer; if that does not help, remove torch and install it again.")
    if isinstance(error, ImportError):
        return _("A Python package does not load ({name}): open Python packages and press Check and install.").format(
            name=getattr(error, "name", None) or "unknown"
        )
    if "out of memory" in text:
        return _("The GPU has too little memory: choose cpu under Compute on.")
    return ""


class PackagesSection(Section):
    """Checks before the first use of the library, once."""

    def __init__(self, panel) -> None:
        super().__init__(panel)
        self._checked = False
        self.whenClicked(self.ui.packagesButton, self.onCheck)

    def ready(self) -> bool:
        """Whether the packages are there; asks and installs them if not."""
        if self._checked:
            return True
        try:
            self._ensure()
        except Exception as error:  # declined, offline or failed: pip's own log has been shown
            reason = named(error) or str(error)
            self.ui.packagesLabel.text = reason
            self.ui.packagesCollapsibleButton.collapsed = False
            self.panel.say(_("The Python packages ScarSegECG needs are missing: {reason}").format(reason=reason))
            return False
        self._checked = True
        return True

    def onCheck(self) -> None:
        self._checked = False
        if self.ready():
            lines = [_("All packages are there."), brokenTorch(), unusedGpu()]
            self.ui.packagesLabel.text = "\n".join(line for line in lines if line)

    def explain(self, error: BaseException) -> str:
        """A failed run in words, where it is the packages' fault."""
        return named(error)

    def _ensure(self) -> None:
        try:
            from slicer.packaging import load_requirements, pip_ensure, pip_install
        except ImportError:
            raise RuntimeError(_("ScarSegECG needs Slicer 5.12 or newer.")) from None
        half = brokenTorch()
        if half:
            raise RuntimeError(half)
        requirements = self.panel.resourcePath("requirements.txt")
        folder = self.ui.wheelPathEdit.currentPath
        if not folder:
            pip_ensure(load_requirements(requirements), requester="ScarSegECG")
            return
        if not Path(folder).is_dir():
            raise RuntimeError(_("The offline folder was not found."))
        wanted = missing(requirements)
        if wanted and slicer.util.confirmOkCancelDisplay(
            _("{count} Python packages will be installed from the offline folder.").format(count=len(wanted)),
            windowTitle="ScarSegECG",
            detailedText="\n".join(wanted),
        ):
            pip_install(["--no-index", "-f", folder, *wanted], requester="ScarSegECG")
        elif wanted:
            raise RuntimeError("User declined package installation")
