"""How much memory a segmentation takes, estimated before it begins."""

import slicer
from slicer.i18n import tr as _

# Rounded up from the peak of a process of its own on the CPU (5 networks): 523 MB with PyTorch and weights loaded, and
# above that 91 MB for 10 slices of 256 x 256, 255 MB for 20 of them, 321 MB for 10 slices of 512 x 512.
BASE_BYTES = 600 * 2**20
BYTES_PER_VOXEL = 160
BYTES_PER_SLICE = 12 * 2**20
BYTES_IN_A_MEGABYTE = 2**20


def neededBytes(volumeNode) -> int:
    """An estimate on the safe side."""
    columns, rows, slices = volumeNode.GetImageData().GetDimensions()
    return BASE_BYTES + BYTES_PER_VOXEL * columns * rows * slices + BYTES_PER_SLICE * slices


def availableBytes() -> int | None:
    """Memory that is free now; None where the system does not say."""
    if not hasattr(slicer, "vtkSystemInformation"):
        return None
    system = slicer.vtkSystemInformation()
    system.RunMemoryCheck()
    megabytes = system.GetAvailablePhysicalMemory()
    return megabytes * BYTES_IN_A_MEGABYTE if megabytes else None


def tooLittle(needed: int) -> str:
    """A sentence for the user where memory will not do; "" otherwise."""
    available = availableBytes()
    if available is None or needed <= available:
        return ""
    return _(
        "About {needed:.1f} GB of memory are needed and {available:.1f} GB are free. Close other programs or crop the "
        "stack to the heart (Crop Volume). Go on all the same?"
    ).format(needed=needed / 2**30, available=available / 2**30)
