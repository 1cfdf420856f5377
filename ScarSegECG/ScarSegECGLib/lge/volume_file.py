"""Read a NIfTI file (.nii, .nii.gz): every number of the header is weighed before voxels are read.

A header may say twice how the image lies in the patient, by the sform and by the qform, and its voxel size twice.
Where two statements differ the reader is told which was used: the sform, as most tools do, with pixdim's sizes.
What NIfTI and NRRD files have in common, of which no native code sees an unchecked one, stands here too.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Fact, LgeNote
from ScarSegECGLib.lge.checks import check_geometry, check_three_dimensional
from ScarSegECGLib.lge.files import intact, too_tight

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Header

CUT_OFF = "The image file is cut off or damaged: copy or export it again."
COLOUR = "The image is in colour or holds vectors: export the LGE stack as grey values."
FORMAT = "The file's number format is not supported: save it as 16-bit integers or floats."
_GZIP_MAGIC = b"\x1f\x8b"
_BLOCK = 2**22
Accept = Callable[[tuple[int, ...]], None]
_SECOND_BYTES = 540
_SAME_SIZE, _SAME_AXES_DEG, _SAME_PLACE_MM = 0.02, 1.0, 1.0
_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # unknown, metre, mm, micron
_LAST_CODE = 5


def damaged(what: str, wrong: str) -> InputError:
    """That the NIfTI or NRRD header (``what``) cannot be true, and what is ``wrong`` in it."""
    return InputError(f"The {what} header is damaged ({wrong}): export the stack again.")


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


@contextmanager
def unpacked(path: Path, packed: bool | None = None, start: int = 0) -> Iterator[BinaryIO]:
    """A file from a byte on, gzip unpacked (told by its first bytes where nobody says); an InputError if damaged."""
    with path.open("rb") as file, intact(CUT_OFF):
        if packed is None:
            packed = file.read(2) == _GZIP_MAGIC
        file.seek(start)
        yield gzip.GzipFile(fileobj=file) if packed else file  # type: ignore[misc]


def voxels_in(
    path: Path,
    shape: tuple[int, ...],
    dtype: np.dtype,
    accept: Accept | None,
    *,
    packed: bool | None = None,
    start: int = 0,
    offset: int = 0,
) -> NDArray:
    """Exactly as many voxels as a header promises, from byte ``offset`` of an :func:`unpacked` file on.

    ``shape`` is the array's, slowest axis first. ``accept`` is called with it, to refuse it before any is read; what it
    lets through may be packed as tightly as it likes. Without it, voxels must be packed no more tightly than images can
    be. An :class:`InputError` also where there are fewer voxels.
    """
    check_three_dimensional(shape[-3:] if len(shape) == 4 and accept else shape)
    if accept is not None:
        accept(shape)
    elif too_tight(math.prod(shape) * dtype.itemsize, path.stat().st_size):
        raise InputError("The image file would unpack to far more than images do: it was not read.")
    voxels = np.empty(shape, dtype)
    content = voxels.reshape(-1).view(np.uint8)
    with unpacked(path, packed, start) as stream:
        stream.seek(offset, os.SEEK_CUR)
        for first in range(0, content.size, _BLOCK):
            block = content[first : first + _BLOCK]
            if stream.readinto(block.data) < block.size:  # type: ignore[attr-defined]
                raise EOFError
        stream.read(2**16)  # past the end, where gzip compares its checksum
    return voxels


def looks_like_nifti(start: bytes) -> bool:
    """Whether the first 348 bytes of the (unpacked) file are a NIfTI header, of any version, byte order or kind."""
    return start[344:348] in (b"n+1\0", b"ni1\0") or start[4:8] in (b"n+2\0", b"ni2\0")


def unpacked_start(path: Path) -> bytes:
    """A NIfTI header's bytes of a file, unpacked where it is a gzip file; a damaged one is refused by an InputError."""
    with unpacked(path) as stream:
        return stream.read(_SECOND_BYTES)


def read_nifti(path: Path, accept: Accept | None = None) -> Volume:
    """Read one NIfTI file, whatever its name; ``accept`` as :func:`voxels_in` has it. InputError: it is damaged."""
    header = _header(unpacked_start(path))
    dimensions, *sizes = map(int, header["dim"])
    shape = tuple(sizes[dimensions - 1 :: -1])  # of the array, slowest axis first
    if not 1 <= dimensions <= 7 or min(shape) < 1:
        raise damaged("NIfTI", "its sizes make no sense")
    while len(shape) > 3 and shape[0] == 1:
        shape = shape[1:]
    if len(shape) == 5 and shape[1] == 1:
        raise InputError(COLOUR)
    slope, inter = _scaling(header)
    matrix, known, notes = _matrix(header)
    voxels = voxels_in(path, shape, header.get_data_dtype(), accept, offset=int(header["vox_offset"]))
    if (slope, inter) != (1.0, 0.0):
        voxels = voxels.astype(np.float32)
        voxels *= slope
        voxels += inter
    return Volume(voxels, matrix, known, notes, files=(path,))


def _header(start: bytes) -> Nifti1Header:
    """nibabel's view of a header whose sizes, offset and number format can be true."""
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    second = start[4:8] in (b"n+2\0", b"ni2\0")
    kind = Nifti2Header if second else Nifti1Header
    length = kind.sizeof_hdr
    order = {struct.pack("<i", length): "<", struct.pack(">i", length): ">"}.get(start[:4])
    if len(start) < length and order:
        raise InputError(CUT_OFF)
    if not looks_like_nifti(start):
        raise InputError("The file is not an image that can be read (neither NIfTI nor NRRD): export it as NIfTI.")
    if (start[4:8] if second else start[344:348]).startswith(b"ni"):
        raise InputError("The image is a pair of files (.hdr and .img), which is not read: convert it to one .nii.gz.")
    if order is None:
        raise damaged("NIfTI", "it does not say its own length")
    header = kind(start[:length], endianness=order, check=False)
    offset = float(header["vox_offset"])
    if not length + 4 <= offset < 2**31 or offset % 1:
        raise damaged("NIfTI", "it does not say where the voxels begin")
    with intact(FORMAT):
        dtype = header.get_data_dtype()
    if dtype.fields:
        raise InputError(COLOUR)
    if dtype.kind == "c":
        raise InputError("The image holds complex numbers: export the magnitude or the PSIR image.")
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise InputError(FORMAT)
    if int(header["bitpix"]) not in (0, 8 * dtype.itemsize):
        raise damaged("NIfTI", "two statements of the number format that differ")
    return header


def _scaling(header: Nifti1Header) -> tuple[float, float]:
    """Slope and intercept; a slope of 0 or NaN means voxels that are not scaled, and no intercept."""
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or np.isnan(slope):
        return 1.0, 0.0
    if not (np.isfinite(slope) and np.isfinite(inter)) or max(abs(slope), abs(inter)) > 1e12 or abs(slope) < 1e-12:
        raise damaged("NIfTI", "its intensity scale is not a number of use")
    return slope, inter


def _matrix(header: Nifti1Header) -> tuple[NDArray[np.float64], bool, tuple[Fact, ...]]:
    """Index to RAS, mm; whether the file says so; and what of its statements does not agree."""
    unit = _MM.get(int(header["xyzt_units"]) & 7)
    sizes = np.array(header["pixdim"][1:4], np.float64)
    has_sform, has_qform = int(header["sform_code"]), int(header["qform_code"])
    if not (0 <= has_sform <= _LAST_CODE and 0 <= has_qform <= _LAST_CODE):
        raise damaged("NIfTI", "a code of its orientation is not known")
    if unit is None or not np.isfinite(sizes).all() or sizes.min() < 0 or (sizes.min() == 0 and not has_sform):
        raise damaged("NIfTI", "its voxel size is missing or not a number")
    forms = [np.array(header.get_sform(), np.float64)] if has_sform else []
    if has_qform and sizes.all():
        header["pixdim"][0] = header["pixdim"][0] or 1  # most tools take 0 for 1, nibabel refuses it
        with intact("The NIfTI header's qform is no rotation: export the stack again."):
            forms.append(np.asarray_chkfinite(header.get_qform()))
    for form in forms:  # also a second one that is not used
        check_geometry(form)
    matrix = forms[0] if forms else np.diag([-sizes[0], -sizes[1], sizes[2], 1.0])
    notes = []
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    if has_sform and sizes.all() and np.any(np.abs(lengths - sizes) > _SAME_SIZE * sizes):
        matrix[:3, :3] *= sizes / lengths
        notes.append(Fact(LgeNote.SCALE_DIFFERS))
    if len(forms) == 2:
        first, second = (form[:3, :3] / np.linalg.norm(form[:3, :3], axis=0) for form in forms)
        axes = float(np.degrees(np.arccos(np.clip((first * second).sum(axis=0).min(), -1, 1))))
        offset = float(np.linalg.norm(forms[0][:3, 3] - forms[1][:3, 3])) * unit
        if axes > _SAME_AXES_DEG or offset > _SAME_PLACE_MM:
            notes.append(Fact(LgeNote.FORMS_DISAGREE, axes=axes, offset=offset))
    matrix[:3] *= unit
    return matrix, bool(forms), tuple(notes)
