"""What a NIfTI or NRRD file holds: voxels, matrix, names of segments. No native code sees an unchecked file."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.lge.archive import MAX_RATIO, RATIO_MATTERS_MEMBER_BYTES
from ScarSegECGLib.lge.checks import check_geometry, check_three_dimensional

GZIP_MAGIC = b"\x1f\x8b"
CUT_OFF = "The image file is cut off or damaged: copy or export it again."
COLOUR = "The image is in colour or holds vectors: export the LGE stack as grey values."
_BLOCK = 2**22
Accept = Callable[[tuple[int, ...]], None]


class HeaderError(InputError):
    """A NIfTI or NRRD header that cannot be true; ``wrong`` says what in it."""

    def __init__(self, what: str, wrong: str) -> None:
        super().__init__(f"The {what} header is damaged ({wrong}): export the stack again.")


@dataclass(frozen=True)
class NamedSegment:
    """A segment of a Slicer segmentation: its name, and the value that marks it in one layer of the voxels."""

    name: str
    value: int
    layer: int = 0


@dataclass(frozen=True, eq=False)
class Volume:
    """What a file holds.

    Attributes
    ----------
    voxels : array, shape (third, second, first axis of the file)
        In the file's number format, or float32 where the header scales them; with layers, (layer, third, ...).
    ijk_to_ras : float64 array, shape (4, 4)
        (first, second, third) index to patient space, RAS, mm.
    orientation_known : bool
        Whether the file says how it lies in the patient.
    notes : tuple of Fact
    segments : tuple of NamedSegment
        As a ``.seg.nrrd`` names them.
    files : tuple of Path
        The file, and the data file that its header names.
    """

    voxels: NDArray
    ijk_to_ras: NDArray[np.float64]
    orientation_known: bool
    notes: tuple[Fact, ...] = ()
    segments: tuple[NamedSegment, ...] = ()
    files: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        check_geometry(self.ijk_to_ras)
        if self.voxels.dtype.kind == "f" and not np.isfinite(self.voxels).all():
            raise InputError("The image holds values that are not numbers (NaN or infinity): export it again.")


def weigh(shape: tuple[int, ...], dtype: np.dtype, path: Path, accept: Accept | None) -> None:
    """Refuse what a header promises before any voxel is read.

    Parameters
    ----------
    shape : tuple of int
        Of the array, slowest axis first.
    dtype : numpy.dtype
    path : Path
        The file that holds the voxels.
    accept : callable, optional
        Called with the shape, to refuse it; what it lets through may be packed as tightly as it likes. Without it,
        voxels must be packed no more tightly than images can be.

    Raises
    ------
    InputError
    """
    check_three_dimensional(shape[-3:] if len(shape) == 4 and accept else shape)
    size = math.prod(shape) * dtype.itemsize
    if accept is not None:
        accept(shape)
    elif size > RATIO_MATTERS_MEMBER_BYTES and size > MAX_RATIO * path.stat().st_size:
        raise InputError("The image file would unpack to far more than images do: it was not read.")


def voxels_from(stream: BinaryIO, shape: tuple[int, ...], dtype: np.dtype) -> NDArray:
    """Exactly as many voxels as were promised, from where the stream stands.

    Raises
    ------
    EOFError
        There are fewer.
    """
    content = bytearray(math.prod(shape) * dtype.itemsize)
    got, view = 0, memoryview(content)
    while got < len(content):
        count = stream.readinto(view[got : got + _BLOCK])  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        got += count
    stream.read(2**16)  # past the end, where gzip compares its checksum
    return np.frombuffer(content, dtype).reshape(shape)


@contextmanager
def intact(damaged: str) -> Iterator[None]:
    """Whatever a file that is cut off or damaged makes its reader stumble over, as the one line given."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise InputError(damaged) from None


def opened(file: BinaryIO, packed: bool) -> AbstractContextManager[BinaryIO]:
    """A file from where it stands, unpacked while it is read."""
    return gzip.GzipFile(fileobj=file) if packed else file  # type: ignore[return-value]
