"""Read a NIfTI-1 file (.nii, .nii.gz).

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

from ScarSegECGLib.case import LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.checks import check_geometry, check_three_dimensional
from ScarSegECGLib.lge.hashing import sha256_of_file
from ScarSegECGLib.lge.itk_image import contrast_of_values, load
from ScarSegECGLib.lge.orientation import canonical

GZIP_MAGIC = b"\x1f\x8b"
HEADER_BYTES = 348
_GREY = {
    **{2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8"},
    **{256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"},
}
_COLOUR = frozenset({128, 2304})
_COMPLEX = frozenset({32, 1792, 2048})
_SCALE_TOLERANCE = 0.02
_SCALE_NOTE = (
    "The voxel size in the orientation matrix (sform) differs from the one in pixdim: pixdim's was used. "
    "Check the lengths if the file came from another tool."
)
_CUT_OFF = "The NIfTI file is cut off or damaged: copy or export it again."


@dataclass(frozen=True)
class _Header:
    """The part of a NIfTI-1 header that says how large the file must be and what it holds."""

    dtype: np.dtype
    data_offset: int
    data_bytes: int


def looks_like_nifti(start: bytes) -> bool:
    """Whether the first 348 bytes of the (decompressed) file are a NIfTI header, of any version, byte order or kind."""
    return start[344:348] in (b"n+1\0", b"ni1\0") or start[4:8] in (b"n+2\0", b"ni2\0")


def read_nifti(path: Path) -> LgeStack:
    """Read one NIfTI-1 file.

    Parameters
    ----------
    path : Path
        Compressed or not, whatever its name.

    Returns
    -------
    LgeStack
        ``contrast`` is "psir" if there are negative values, else "unknown"; there is no date.

    Raises
    ------
    InputError
    """
    compressed = path.open("rb").read(2) == GZIP_MAGIC
    _check_bytes(path, compressed)
    voxels, ijk_to_ras, fields = load(path, (".nii.gz",) if compressed else (".nii",))
    notes: tuple[str, ...] = ()
    if int(fields.get("sform_code", "0")) > 0:
        sform = np.array([[float(x) for x in fields[f"srow_{row}"].split()] for row in "xyz"])
        check_geometry(np.vstack([sform, [0.0, 0.0, 0.0, 1.0]]))  # ITK falls back to the qform in silence
        pixdim = np.array([float(fields[f"pixdim[{axis}]"]) for axis in (1, 2, 3)])
        if np.any(np.abs(np.linalg.norm(sform[:, :3], axis=0) - pixdim) > _SCALE_TOLERANCE * pixdim):
            notes = (_SCALE_NOTE,)
    known = int(fields.get("sform_code", "0")) > 0 or int(fields.get("qform_code", "0")) > 0
    return canonical(
        voxels,
        ijk_to_ras,
        orientation_known=known,
        contrast=contrast_of_values(voxels),
        sha256=sha256_of_file(path),
        notes=notes,
    )


def _check_bytes(path: Path, compressed: bool) -> None:
    """Refuse a header that promises more than the file holds, and values that are not numbers."""
    opener = gzip.open if compressed else open
    try:
        with opener(path, "rb") as stream:
            header = _parse(stream.read(HEADER_BYTES))
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


def _parse(start: bytes) -> _Header:
    if len(start) < HEADER_BYTES:
        raise InputError(_CUT_OFF)
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
    dtype = np.dtype(order + _GREY[datatype])
    return _Header(dtype, int(offset), math.prod(size) * dtype.itemsize)
