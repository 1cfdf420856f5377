"""What a NIfTI or NRRD file holds: voxels, matrix, names of segments. No native code sees an unchecked file."""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.lge.checks import check_geometry, check_three_dimensional
from ScarSegECGLib.lge.files import intact, too_tight

CUT_OFF = "The image file is cut off or damaged: copy or export it again."
COLOUR = "The image is in colour or holds vectors: export the LGE stack as grey values."
_GZIP_MAGIC = b"\x1f\x8b"
_BLOCK = 2**22
Accept = Callable[[tuple[int, ...]], None]


class HeaderError(InputError):
    """A NIfTI or NRRD header that cannot be true; ``wrong`` says what in it."""

    def __init__(self, what: str, wrong: str) -> None:
        super().__init__(f"The {what} header is damaged ({wrong}): export the stack again.")


@dataclass(frozen=True, eq=False)
class Volume:
    """What a file holds, with its array's axes in the file's order, slowest first."""

    voxels: NDArray  # in the file's number format, float32 where the header scales; layers are a fourth, first axis
    ijk_to_ras: NDArray[np.float64]  # shape (4, 4): (last, middle, first) of the three indices to RAS, mm
    orientation_known: bool  # whether the file says how it lies in the patient
    notes: tuple[Fact, ...] = ()
    segments: Mapping[tuple[int, int], str] = field(default_factory=dict)  # names in a .seg.nrrd by (layer, value)
    files: tuple[Path, ...] = ()  # the file, and the data file that its header names

    def __post_init__(self) -> None:
        check_geometry(self.ijk_to_ras)
        if self.voxels.dtype.kind == "f" and not np.isfinite(self.voxels).all():
            raise InputError("The image holds values that are not numbers (NaN or infinity): export it again.")


def weigh(shape: tuple[int, ...], dtype: np.dtype, path: Path, accept: Accept | None) -> None:
    """Refuse what a header promises of the voxels in ``path`` before any is read.

    ``shape`` is the array's, slowest axis first. ``accept`` is called with it, to refuse it; what it lets through may
    be packed as tightly as it likes. Without it, voxels must be packed no more tightly than images can be.
    """
    check_three_dimensional(shape[-3:] if len(shape) == 4 and accept else shape)
    if accept is not None:
        accept(shape)
    elif too_tight(math.prod(shape) * dtype.itemsize, path.stat().st_size):
        raise InputError("The image file would unpack to far more than images do: it was not read.")


@contextmanager
def unpacked(path: Path, packed: bool | None = None, start: int = 0) -> Iterator[BinaryIO]:
    """A file from a byte on, gzip unpacked while it is read (told by its first bytes where nobody says).

    Cut off or damaged, it is refused by an :class:`InputError`.
    """
    with path.open("rb") as file, intact(CUT_OFF):
        if packed is None:
            packed = file.read(2) == _GZIP_MAGIC
        file.seek(start)
        yield gzip.GzipFile(fileobj=file) if packed else file  # type: ignore[misc]


def voxels_from(stream: BinaryIO, shape: tuple[int, ...], dtype: np.dtype) -> NDArray:
    """Exactly as many voxels as were promised, from where the stream stands; an EOFError where there are fewer."""
    voxels = np.empty(shape, dtype)
    content = voxels.reshape(-1).view(np.uint8)
    for start in range(0, content.size, _BLOCK):
        block = content[start : start + _BLOCK]
        if stream.readinto(block.data) < block.size:  # type: ignore[attr-defined]
            raise EOFError
    stream.read(2**16)  # past the end, where gzip compares its checksum
    return voxels
