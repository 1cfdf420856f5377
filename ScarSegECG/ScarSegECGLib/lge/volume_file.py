"""Read a NIfTI file (.nii, .nii.gz) or a NRRD file (.nrrd, .seg.nrrd, or .nhdr with one data file beside it).

Every number of a header is weighed before voxels are read, of which no native code sees an unchecked one. A NIfTI
header may say twice how the image lies in the patient, by the sform and by the qform, and its voxel size twice. Where
two statements differ the reader is told which was used: the sform, as most tools do, with pixdim's sizes. A NRRD header
is text and read strictly, as other readers take more for an end of line or a number than the format allows.
"""

from __future__ import annotations

import gzip
import math
import os
import re
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
from ScarSegECGLib.lge.files import StudyFile, intact, too_tight

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Header

_CUT_OFF = "The image file is cut off or damaged: copy or export it again."
_COLOUR = "The image is in colour or holds vectors: export the LGE stack as grey values."
_FORMAT = "The file's number format is not supported: save it as 16-bit integers or floats."
_GZIP_MAGIC = b"\x1f\x8b"
_BLOCK = 2**22
_Accept = Callable[[tuple[int, ...]], None]
_SECOND_BYTES = 540
_SAME_SIZE, _SAME_AXES_DEG, _SAME_PLACE_MM = 0.02, 1.0, 1.0
_NIFTI_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # unknown, metre, mm, micron
_LAST_CODE = 5
NRRD_MAGIC = b"NRRD000"
_NRRD_LIMIT = 2**16
_MAX_SEGMENTS = 256
# A line ends at LF or CR LF and nowhere else; what other readers may take for an end of line or text is not allowed.
_DOUBTFUL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_NUMBER = re.compile(r"[+-]?(?:\d{1,40}\.?\d{0,40}|\.\d{1,40})(?:[eE][+-]?\d{1,3})?", re.ASCII)
_VECTOR = re.compile(r"\(\s*N\s*,\s*N\s*,\s*N\s*\)|none".replace("N", f"({_NUMBER.pattern})"), re.ASCII)
_WHOLE = re.compile(r"\d{1,12}", re.ASCII)
_SPACES = {  # to RAS; others are not those of a patient and are taken as LPS
    **dict.fromkeys(("ras", "right-anterior-superior"), (1, 1, 1)),
    **dict.fromkeys(("las", "left-anterior-superior"), (-1, 1, 1)),
    **dict.fromkeys(("lps", "left-posterior-superior"), (-1, -1, 1)),
}
_NRRD_MM = {"": 1.0, "mm": 1.0, "millimeter": 1.0, "millimeters": 1.0, "cm": 10.0, "m": 1000.0, "um": 0.001}
_TYPES = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), "i2"),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "u2"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
    **dict.fromkeys(("longlong", "long long", "long long int", "int64", "int64_t"), "i8"),
    **dict.fromkeys(("ulonglong", "unsigned long long", "uint64", "uint64_t"), "u8"),
    **{"float": "f4", "double": "f8"},
}
_MOST_CLASSES = 32
_COLOUR_KINDS = ("color", "vector", "complex", "matrix", "quaternion", "normal", "gradient")


def _damaged(what: str, wrong: str) -> InputError:
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


def read_volume(path: Path, accept: _Accept | None = None, *, detached: bool = True) -> Volume:
    """Read a NIfTI or NRRD file; the content decides which, not the name.

    ``accept`` is called with the shape of the array, slowest axis first, to refuse it before any voxel is read; what it
    lets through may be packed as tightly as it likes, and may hold layers of segments. ``detached`` says whether a NRRD
    header may name a data file, which must lie beside it. What is neither of the two, is damaged, or has numbers that
    cannot be true, is refused by an :class:`InputError`.
    """
    is_nrrd = StudyFile(path).read(len(NRRD_MAGIC)) == NRRD_MAGIC
    return _read_nrrd(path, accept, detached=detached) if is_nrrd else _read_nifti(path, accept)


@contextmanager
def unpacked(path: Path, packed: bool | None = None, start: int = 0) -> Iterator[BinaryIO]:
    """A file from a byte on, gzip unpacked (told by its first bytes where nobody says); an InputError if damaged."""
    with path.open("rb") as file, intact(_CUT_OFF):
        if packed is None:
            packed = file.read(2) == _GZIP_MAGIC
        file.seek(start)
        yield gzip.GzipFile(fileobj=file) if packed else file  # type: ignore[misc]


def _voxels_in(
    path: Path,
    shape: tuple[int, ...],
    dtype: np.dtype,
    accept: _Accept | None,
    *,
    packed: bool | None = None,
    start: int = 0,
    offset: int = 0,
) -> NDArray:
    """Exactly as many voxels as a header promises, from byte ``offset`` of an :func:`unpacked` file on."""
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


def few_whole_numbers(voxels: NDArray) -> bool:
    """Whether it holds whole numbers of few kinds, as label maps do; about eight slices are looked at."""
    few = np.unique(voxels[:: max(1, len(voxels) // 8)])
    return len(few) <= _MOST_CLASSES and bool((few == np.rint(few)).all()) and few.min() >= 0


def looks_like_labels(voxels: NDArray) -> bool:
    """Whether it is a label map: :func:`few_whole_numbers`, most of them 0 but not all."""
    return few_whole_numbers(voxels) and 0.5 < float((voxels == 0).mean()) < 1


def looks_like_nifti(start: bytes) -> bool:
    """Whether the first 348 bytes of the (unpacked) file are a NIfTI header, of any version, byte order or kind."""
    return start[344:348] in (b"n+1\0", b"ni1\0") or start[4:8] in (b"n+2\0", b"ni2\0")


def unpacked_start(path: Path) -> bytes:
    """A NIfTI header's bytes of a file, unpacked where it is a gzip file; a damaged one is refused by an InputError."""
    with unpacked(path) as stream:
        return stream.read(_SECOND_BYTES)


def _read_nifti(path: Path, accept: _Accept | None) -> Volume:
    header = _nifti_header(unpacked_start(path))
    dimensions, *sizes = map(int, header["dim"])
    shape = tuple(sizes[dimensions - 1 :: -1])  # of the array, slowest axis first
    if not 1 <= dimensions <= 7 or min(shape) < 1:
        raise _damaged("NIfTI", "its sizes make no sense")
    while len(shape) > 3 and shape[0] == 1:
        shape = shape[1:]
    if len(shape) == 5 and shape[1] == 1:
        raise InputError(_COLOUR)
    slope, inter = _scaling(header)
    matrix, known, notes = _nifti_matrix(header)
    voxels = _voxels_in(path, shape, header.get_data_dtype(), accept, offset=int(header["vox_offset"]))
    if (slope, inter) != (1.0, 0.0):
        voxels = voxels.astype(np.float32)
        voxels *= slope
        voxels += inter
    return Volume(voxels, matrix, known, notes, files=(path,))


def _nifti_header(start: bytes) -> Nifti1Header:
    """nibabel's view of a header whose sizes, offset and number format can be true."""
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    second = start[4:8] in (b"n+2\0", b"ni2\0")
    kind = Nifti2Header if second else Nifti1Header
    length = kind.sizeof_hdr
    order = {struct.pack("<i", length): "<", struct.pack(">i", length): ">"}.get(start[:4])
    if len(start) < length and order:
        raise InputError(_CUT_OFF)
    if not looks_like_nifti(start):
        raise InputError("The file is not an image that can be read (neither NIfTI nor NRRD): export it as NIfTI.")
    if (start[4:8] if second else start[344:348]).startswith(b"ni"):
        raise InputError("The image is a pair of files (.hdr and .img), which is not read: convert it to one .nii.gz.")
    if order is None:
        raise _damaged("NIfTI", "it does not say its own length")
    header = kind(start[:length], endianness=order, check=False)
    offset = float(header["vox_offset"])
    if not length + 4 <= offset < 2**31 or offset % 1:
        raise _damaged("NIfTI", "it does not say where the voxels begin")
    with intact(_FORMAT):
        dtype = header.get_data_dtype()
    if dtype.fields:
        raise InputError(_COLOUR)
    if dtype.kind == "c":
        raise InputError("The image holds complex numbers: export the magnitude or the PSIR image.")
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise InputError(_FORMAT)
    if int(header["bitpix"]) not in (0, 8 * dtype.itemsize):
        raise _damaged("NIfTI", "two statements of the number format that differ")
    return header


def _scaling(header: Nifti1Header) -> tuple[float, float]:
    """Slope and intercept; a slope of 0 or NaN means voxels that are not scaled, and no intercept."""
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or np.isnan(slope):
        return 1.0, 0.0
    if not (np.isfinite(slope) and np.isfinite(inter)) or max(abs(slope), abs(inter)) > 1e12 or abs(slope) < 1e-12:
        raise _damaged("NIfTI", "its intensity scale is not a number of use")
    return slope, inter


def _nifti_matrix(header: Nifti1Header) -> tuple[NDArray[np.float64], bool, tuple[Fact, ...]]:
    """Index to RAS, mm; whether the file says so; and what of its statements does not agree."""
    unit = _NIFTI_MM.get(int(header["xyzt_units"]) & 7)
    sizes = np.array(header["pixdim"][1:4], np.float64)
    has_sform, has_qform = int(header["sform_code"]), int(header["qform_code"])
    if not (0 <= has_sform <= _LAST_CODE and 0 <= has_qform <= _LAST_CODE):
        raise _damaged("NIfTI", "a code of its orientation is not known")
    if unit is None or not np.isfinite(sizes).all() or sizes.min() < 0 or (sizes.min() == 0 and not has_sform):
        raise _damaged("NIfTI", "its voxel size is missing or not a number")
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


def _read_nrrd(path: Path, accept: _Accept | None, *, detached: bool) -> Volume:
    """Read one NRRD file, or (``detached``) a header that names one data file in its own folder."""
    fields, end = _nrrd_fields(path)
    shape, axes = _axes(fields, layers=accept is not None)
    dtype, packed = _stored(fields)
    data = _data_file(path, fields)
    if data is not None and not detached:
        raise InputError("The NRRD file keeps its voxels in another file: save it as one .nrrd file.")
    matrix, known = _nrrd_matrix(fields, axes)
    voxels = _voxels_in(data or path, shape, dtype, accept, packed=packed, start=0 if data else end)
    if len(shape) == 4:
        voxels = np.moveaxis(voxels, -1, 0)
        voxels = voxels[0] if len(voxels) == 1 else voxels
    return Volume(voxels, matrix, known, segments=_segments(fields), files=(path, data) if data else (path,))


def _nrrd_fields(path: Path) -> tuple[dict[str, str], int]:
    """Fields, names in lower case, free "key:=value" pairs as "key:=", and where the data after the header begin."""
    start = StudyFile(path).read(_NRRD_LIMIT + 1)
    found = re.search(rb"\r?\n\r?\n", start)
    text = start[: found.start() if found else None].replace(b"\r\n", b"\n")
    if (found is None and len(start) > _NRRD_LIMIT) or _DOUBTFUL.search(text):
        raise _damaged("NRRD", "too long, without an end, or with characters that are no text")
    fields: dict[str, str] = {}
    for line in text.decode("utf-8", "replace").split("\n")[1:]:
        name, colon, value = line.partition(":")
        if not colon or line.startswith("#"):
            continue
        if value.startswith("="):
            key, value = f"{name.strip()}:=", value[1:]
        else:
            key = re.sub(r"[ \t]+", " ", name.strip(" \t").lower())
            key = {"datafile": "data file", "byteskip": "byte skip", "lineskip": "line skip"}.get(key, key)
        if key in fields:
            raise _damaged("NRRD", "a field stands in it twice")
        fields[key] = value.strip(" \t")
    return fields, found.end() if found else len(start)


def _axes(fields: dict[str, str], *, layers: bool) -> tuple[tuple[int, ...], NDArray[np.float64]]:
    """The array's shape, slowest axis first, and the three axes' vectors as columns, fastest first."""
    sizes = fields.get("sizes", "").split()
    right = all(_WHOLE.fullmatch(size) and int(size) > 0 for size in sizes)
    if not right or fields.get("dimension", "") != str(len(sizes)):
        raise _damaged("NRRD", "no dimension, or sizes that make no sense")
    shape = tuple(map(int, sizes))
    if any(word in fields.get("kinds", "").lower() for word in _COLOUR_KINDS) and not layers:
        raise InputError(_COLOUR)
    directed = "space directions" in fields
    if directed:
        vectors = _vectors(fields["space directions"])
    else:
        spacings = fields.get("spacings", "").split() or ["1"] * len(shape)
        if not all(_NUMBER.fullmatch(size) for size in spacings if size.lower() != "nan"):
            raise _damaged("NRRD", "a voxel size is not a number")
        vectors = [None if size.lower() == "nan" else [float(size)] for size in spacings]
    if (directed and "spacings" in fields) or len(vectors) != len(shape):
        raise _damaged("NRRD", "it does not say once how far apart the voxels are")
    # A fourth, fastest axis without a direction holds layers of segments; of an image it may have one entry alone.
    if len(shape) == 4 and vectors[0] is None and (layers or shape[0] == 1):
        vectors = vectors[1:]
        shape = shape if layers else shape[1:]
    else:
        check_three_dimensional(shape)
    if None in vectors:
        raise _damaged("NRRD", "an axis without a length")
    axes = np.array(vectors, np.float64)
    return shape[::-1], axes.T if directed else np.diag(axes.ravel())


def _vectors(text: str) -> list[list[float] | None]:
    """Points or directions as three numbers each, ``None`` for "none"."""
    if _VECTOR.sub("", text).strip():
        raise _damaged("NRRD", "a position or direction is not three numbers")
    return [[float(x) for x in found.groups()] if found[1] else None for found in _VECTOR.finditer(text)]


def _stored(fields: dict[str, str]) -> tuple[np.dtype, bool]:
    """Number format, and whether the data are packed by gzip."""
    encoding = fields.get("encoding", "").lower()
    if encoding not in ("raw", "gzip", "gz"):
        raise InputError("The NRRD file's voxels are neither raw nor gzip: save it again in one of these encodings.")
    if any(fields.get(key, "0") != "0" for key in ("byte skip", "line skip")):
        raise InputError("The NRRD header skips a part of the data: save the stack as one .nrrd file again.")
    kind = _TYPES.get(fields.get("type", "").lower())
    if kind is None:
        raise InputError(_FORMAT)
    endian = fields.get("endian", "").lower()
    if endian not in ("little", "big") and not (kind[1] == "1" and not endian):
        raise _damaged("NRRD", "it does not say its byte order")
    return np.dtype((">" if endian == "big" else "<") + kind), encoding != "raw"


def _nrrd_matrix(fields: dict[str, str], axes: NDArray[np.float64]) -> tuple[NDArray[np.float64], bool]:
    """Index to RAS, mm, and whether the header says how the voxels lie in the patient."""
    space = fields.get("space", "").lower()
    origin = _vectors(fields.get("space origin", "(0,0,0)"))
    if len(origin) != 1 or origin[0] is None:
        raise _damaged("NRRD", "its origin is not a point")
    units = {unit.strip().lower() for unit in re.findall(r'"([^"]*)"', fields.get("space units", ""))} or {""}
    if len(units) != 1 or not units <= set(_NRRD_MM):
        raise _damaged("NRRD", "its unit of length is not one that is known")
    matrix = np.eye(4)
    matrix[:3] = np.column_stack([axes, origin[0]]) * _NRRD_MM[units.pop()]
    matrix[:3] *= np.array(_SPACES.get(space, _SPACES["lps"]))[:, None]
    return matrix, space in _SPACES and "space directions" in fields


def _data_file(path: Path, fields: dict[str, str]) -> Path | None:
    """The one detached data file, which must lie in the header's folder, links followed; None where there is none."""
    name = fields.get("data file")
    if name is None:
        return None
    if name.startswith("LIST") or "%" in name:
        raise InputError("The NRRD header names several data files: save the stack as one .nrrd file.")
    folder = path.resolve().parent
    data = Path(os.path.realpath(folder / name))  # which, unlike resolve, bears links in a circle
    if data.parent != folder:
        raise InputError("The NRRD header points to a data file outside its own folder: save it as one .nrrd file.")
    if not os.path.isfile(data):  # noqa: PTH113  (Path.is_file raises where a name is too long)
        raise InputError("The data file named in the NRRD header is missing: put it beside the header.")
    return data


def _segments(fields: dict[str, str]) -> dict[tuple[int, int], str]:
    found: dict[tuple[int, int], str] = {}
    for k in range(_MAX_SEGMENTS):
        name, value = fields.get(f"Segment{k}_Name:="), fields.get(f"Segment{k}_LabelValue:=", "")
        layer = fields.get(f"Segment{k}_Layer:=", "0")
        if name is None and not value:
            continue
        if not _WHOLE.fullmatch(value) or not _WHOLE.fullmatch(layer):
            raise _damaged("NRRD", "a segment without a value")
        if (int(layer), int(value)) in found:
            raise _damaged("NRRD", "two segments with one value")
        found[int(layer), int(value)] = name or ""
    return found
