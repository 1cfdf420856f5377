"""The Python packages beyond Slicer's own: what is missing, installed after asking, and failures by their names."""

import importlib.metadata
import importlib.util
import platform
import shutil
import sys
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from ScarSegECGLib.errors import InputError
from ScarSegECGPanel.section import Section, confirmed

INFERENCE, DICOMWEB = "requirements.txt", "requirements-dicomweb.txt"
SLICERS_OWN = ("numpy", "scipy", "simpleitk", "vtk", "pydicom", "requests", "dicomweb-client")
DECLINED = "user declined package installation"  # what slicer.packaging's RuntimeError says
LONGEST_WINDOWS_PATH = 120  # of Slicer's own folder; PyTorch's files lie up to 140 characters deeper
NO_SPACE = ("no space left", "disk full")
NO_NETWORK = ("getaddrinfo", "connection", "temporary failure in name", "max retries", "proxy", "timed out", "network")
NO_PERMISSION = ("permission", "access is denied")
TOO_LONG = ("filename or extension is too long", "no such file or directory: 'c:", "path too long", "winerror 206")


def installed() -> dict[str, str]:
    """The versions of all Python packages, by name in small letters."""
    found = ((one.metadata["Name"], one.version) for one in importlib.metadata.distributions())
    return {name.lower().replace("_", "-"): version for name, version in found if name}


def brokenTorch() -> str:
    """A sentence where PyTorch is there by half, "" otherwise."""
    if (importlib.util.find_spec("torch") is not None) == ("torch" in installed()):
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


def named(error: BaseException, otherwise: str = "") -> str:
    """The library's own words, or what an installation or import error means and what to do, where that is known."""
    if isinstance(error, InputError):
        return str(error)
    text = f"{error} {getattr(error, 'output', '') or ''}".lower()

    def says(words: tuple[str, ...]) -> bool:
        return any(word in text for word in words)

    if isinstance(error, RuntimeError) and DECLINED in text:
        return _("The packages were not installed, as you chose. Without them nothing can be segmented.")
    if sys.platform == "win32" and (len(sys.prefix) > LONGEST_WINDOWS_PATH or says(TOO_LONG)):
        return _("Slicer's folder has too long a path for Windows: install Slicer into a short one such as C:/Slicer.")
    if isinstance(error, MemoryError) or says(NO_SPACE):
        return _("There is no space left: PyTorch needs about 3 GB on the disk of Slicer's folder.")
    if says(NO_NETWORK):
        return _(
            "The package index cannot be reached. On a computer without internet give a folder with the wheels under "
            "Advanced."
        )
    if says(NO_PERMISSION):
        return _("Slicer's folder cannot be written: install Slicer where you may write, or ask who installed it.")
    if isinstance(error, (ImportError, OSError)) and "torch" in text:
        return _("PyTorch does not load: restart Slicer; if that does not help, remove torch and install it again.")
    if isinstance(error, ImportError):
        return _("A Python package does not load ({name}): press Check and install under Advanced.").format(
            name=getattr(error, "name", None) or "unknown"
        )
    if "out of memory" in text:
        return _("The GPU has too little memory: choose cpu under Compute on, Advanced.")
    return otherwise


def ensure(requirements: str, wheels: str = "") -> None:
    """See to it that the packages of a requirements file are there, asking before anything is installed.

    Nothing that is there is replaced: all of it is handed to pip as constraints. PyTorch comes through the extension
    PyTorch where there is one, which takes the build that fits the GPU. ``wheels`` is a folder of wheels for computers
    without internet. RuntimeError where it cannot be or the user declined; and whatever pip raises.
    """
    try:
        from slicer.packaging import load_requirements, pip_check, pip_ensure, pip_install
    except ImportError:
        raise RuntimeError(_("ScarSegECG needs Slicer 5.12 or newer.")) from None
    wanted, present = [one for one in load_requirements(requirements) if not pip_check(one)], installed()
    old = [one.name for one in wanted if one.name.lower() in SLICERS_OWN and one.name.lower() in present]
    torch = next((one for one in wanted if one.name == "torch"), None)
    if old:
        refusal = _("This Slicer's own {names} is too old: update Slicer.").format(names=", ".join(old))
    elif torch and sys.platform == "darwin" and platform.machine() == "x86_64":
        refusal = _(
            "PyTorch is no longer built for Intel Macs. On a Mac with Apple silicon install the Slicer for Apple "
            "silicon; else use Windows or Linux."
        )
    elif wheels and not Path(wheels).is_dir():
        refusal = _("The offline folder was not found.")
    else:
        refusal = brokenTorch()
    if refusal:
        raise RuntimeError(refusal)
    if torch and not wheels and _torchByExtension(torch):
        wanted.remove(torch)
    if not wanted:
        return
    changed = {one.name.lower() for one in wanted}
    kept = sorted(f"{name}=={version}" for name, version in present.items() if name not in changed)
    constraints = Path(slicer.util.tempDirectory("ScarSegECG")) / "constraints.txt"
    constraints.write_text("\n".join(kept), encoding="utf-8")
    if not wheels:
        pip_ensure(wanted, constraints=constraints, requester="ScarSegECG")
        return
    names = [str(one) for one in wanted]
    question = _("{count} Python packages will be installed from the offline folder.").format(count=len(names))
    if not confirmed(question, detailedText="\n".join(names)):
        raise RuntimeError(DECLINED)
    pip_install(["--no-index", "-f", wheels, *names], constraints=constraints, requester="ScarSegECG")


def _torchByExtension(torch) -> bool:
    try:
        from PyTorchUtils import PyTorchUtilsLogic
    except ImportError:
        return False
    if PyTorchUtilsLogic().installTorch(askConfirmation=True, torchVersionRequirement=str(torch.specifier)) is None:
        raise RuntimeError(DECLINED)
    return True


class PackagesSection(Section):
    """Checks before the first use of the library, once."""

    def __init__(self, panel) -> None:
        super().__init__(panel, {"packagesButton": self.onCheck})
        self._checked: set[str] = set()

    def ready(self, requirements: str = INFERENCE) -> bool:
        """Whether the packages are there; asks and installs them if not."""
        if requirements in self._checked:
            return True
        try:
            ensure(self.panel.resourcePath(requirements), self.ui.wheelPathEdit.currentPath)
        except Exception as error:  # declined, offline or failed: pip's own log has been shown
            reason = named(error, str(error))
            self.ui.packagesLabel.text = reason
            self.ui.advancedCollapsibleButton.collapsed = False
            self.panel.say(_("The Python packages ScarSegECG needs are missing: {reason}").format(reason=reason))
            return False
        self._checked.add(requirements)
        return True

    def onCheck(self) -> None:
        self._checked.clear()
        if self.ready():
            lines = [_("All packages are there."), brokenTorch(), unusedGpu()]
            self.ui.packagesLabel.text = "\n".join(line for line in lines if line)
