"""What a NIfTI-1 file's bytes promise and hold.

SimpleITK fills the missing part of a truncated file with zeros, turns NaN and infinity into zeros, and says nothing:
so the bytes are first looked through once.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.checks import check_three_dimensional

GZIP_MAGIC = b"\x1f\x8b"
HEADER_BYTES = 348
_GREY = {
    **{2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8"},
    **{256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"},
}
_COLOUR = frozenset({128, 2304})
_COMPLEX = frozenset({32, 1792, 2048})
_CUT_OFF = "The NIfTI file is cut off or damaged: copy or export it again."


@dataclass(frozen=True)
class NiftiHeader:
    """The part of a NIfTI-1 header that says how large the file must be and what it holds."""

    compressed: bool
    size: tuple[int, ...]
    dtype: np.dtype
    data_offset: int

    @property
    def data_bytes(self) -> int:
        """What the voxels take, unpacked."""
        return math.prod(self.size) * self.dtype.itemsize


def looks_like_nifti(start: bytes) -> bool:
    """Whether the first 348 bytes of the (decompressed) file are a NIfTI header, of any version, byte order or kind."""
    return start[344:348] in (b"n+1\0", b"ni1\0") or start[4:8] in (b"n+2\0", b"ni2\0")


def nifti_header(path: Path) -> NiftiHeader:
    """Read the header of a NIfTI-1 file, compressed or not.

    Raises
    ------
    InputError
        Damaged, of another version, not grey, complex, not three-dimensional or too large.
    """
    with path.open("rb") as stream:
        start = stream.read(HEADER_BYTES)
    compressed = start.startswith(GZIP_MAGIC)
    if compressed:
        try:
            with gzip.open(path, "rb") as unpacked:
                start = unpacked.read(HEADER_BYTES)
        except (EOFError, OSError, zlib.error):
            raise InputError(_CUT_OFF) from None
    return _parse(start, compressed)


def check_nifti_data(path: Path, header: NiftiHeader) -> None:
    """Refuse a file that holds less than its header promises, and values that are not numbers.

    Raises
    ------
    InputError
    """
    opener = gzip.open if header.compressed else open
    try:
        with opener(path, "rb") as stream:
            stream.seek(header.data_offset)
            left = header.data_bytes
            while left and (block := stream.read(min(left, 2**20))):
                left -= len(block)
                values = np.frombuffer(block[: len(block) // 8 * 8], header.dtype)
                if not np.isfinite(values).all():
                    raise InputError("The image holds values that are not numbers (NaN or infinity): export it again.")
            stream.read(2**16)  # past the end, where gzip compares its checksum
    except (EOFError, OSError, zlib.error):
        raise InputError(_CUT_OFF) from None
    if left:
        raise InputError(_CUT_OFF)


def _parse(start: bytes, compressed: bool) -> NiftiHeader:
    if len(start) < HEADER_BYTES:
        raise InputError(_CUT_OFF)
    if not looks_like_nifti(start):
        raise InputError("The file is neither NIfTI nor NRRD: export it as one of these.")
    if start[4:8] in (b"n+2\0", b"ni2\0"):
        raise InputError("The file is NIfTI-2, which is not read: convert it to NIfTI-1 (.nii.gz).")
    if start[344:348] == b"ni1\0":
        raise InputError("The image is a pair of files (.hdr and .img), which is not read: convert it to one .nii.gz.")
    order = "<" if struct.unpack_from("<i", start, 0)[0] == HEADER_BYTES else ">"
    dimensions, *sizes = struct.unpack_from(f"{order}8h", start, 40)
    (datatype,) = struct.unpack_from(f"{order}h", start, 70)
    (offset,) = struct.unpack_from(f"{order}f", start, 108)
    if not 1 <= dimensions <= 7 or min(sizes[:dimensions]) < 1 or not 0 <= offset < 2**31:
        raise InputError("The NIfTI header is damaged (its sizes make no sense): export the stack again.")
    size = tuple(sizes[:dimensions])
    while len(size) > 3 and size[-1] == 1:
        size = size[:-1]
    if datatype in _COLOUR or (len(size) == 5 and size[3] == 1):
        raise InputError("The image is in colour or holds vectors: export the LGE stack as grey values.")
    check_three_dimensional(size)
    if datatype in _COMPLEX:
        raise InputError("The image holds complex numbers: export the magnitude or the PSIR image.")
    if datatype not in _GREY:
        raise InputError("The NIfTI file's number format is not supported: save it as 16-bit integers or floats.")
    return NiftiHeader(compressed, size, np.dtype(order + _GREY[datatype]), int(offset))
