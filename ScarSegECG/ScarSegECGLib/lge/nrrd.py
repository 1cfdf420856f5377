"""Read a NRRD file (.nrrd, .seg.nrrd, or .nhdr with one data file beside it).

The text header is read strictly and bounded, as other readers take more for an end of line or a number than the format
allows; voxels are raw or gzip and are read by numpy, so that no native parser sees the file.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.checks import check_three_dimensional
from ScarSegECGLib.lge.volume_file import COLOUR, FORMAT, Accept, Volume, damaged, voxels_in

NRRD_MAGIC = b"NRRD000"
_HEADER_LIMIT = 2**16
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
_MM = {"": 1.0, "mm": 1.0, "millimeter": 1.0, "millimeters": 1.0, "cm": 10.0, "m": 1000.0, "um": 0.001}
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
_COLOUR_KINDS = ("color", "vector", "complex", "matrix", "quaternion", "normal", "gradient")


def read_nrrd(path: Path, accept: Accept | None = None, *, detached: bool = True) -> Volume:
    """Read one NRRD file with the data inside, or (``detached``) a header that names one data file in its own folder.

    ``accept`` is as :func:`voxels_in` has it; with it, layers of segments are read too. A damaged file, or one with
    numbers that cannot be true, is refused by an :class:`InputError`.
    """
    fields, end = _header(path)
    shape, axes = _axes(fields, layers=accept is not None)
    dtype, packed = _stored(fields)
    data = _data_file(path, fields)
    if data is not None and not detached:
        raise InputError("The NRRD file keeps its voxels in another file: save it as one .nrrd file.")
    matrix, known = _matrix(fields, axes)
    voxels = voxels_in(data or path, shape, dtype, accept, packed=packed, start=0 if data else end)
    if len(shape) == 4:
        voxels = np.moveaxis(voxels, -1, 0)
        voxels = voxels[0] if len(voxels) == 1 else voxels
    return Volume(voxels, matrix, known, segments=_segments(fields), files=(path, data) if data else (path,))


def _header(path: Path) -> tuple[dict[str, str], int]:
    """Fields, names in lower case, free "key:=value" pairs as "key:=", and where the data after the header begin."""
    with path.open("rb") as stream:
        start = stream.read(_HEADER_LIMIT + 1)
    found = re.search(rb"\r?\n\r?\n", start)
    text = start[: found.start() if found else None].replace(b"\r\n", b"\n")
    if (found is None and len(start) > _HEADER_LIMIT) or _DOUBTFUL.search(text):
        raise damaged("NRRD", "too long, without an end, or with characters that are no text")
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
            raise damaged("NRRD", "a field stands in it twice")
        fields[key] = value.strip(" \t")
    return fields, found.end() if found else len(start)


def _axes(fields: dict[str, str], *, layers: bool) -> tuple[tuple[int, ...], NDArray[np.float64]]:
    """The array's shape, slowest axis first, and the three axes' vectors as columns, fastest first.

    A fourth, fastest axis without a direction holds layers of segments; of an image it may have one entry alone.
    """
    dimension, sizes = fields.get("dimension", ""), fields.get("sizes", "").split()
    if not re.fullmatch(r"\d{1,2}", dimension, re.ASCII):
        raise damaged("NRRD", "no dimension")
    if len(sizes) != int(dimension) or not all(_WHOLE.fullmatch(size) and int(size) > 0 for size in sizes):
        raise damaged("NRRD", "its sizes make no sense")
    shape = tuple(map(int, sizes))
    if any(word in fields.get("kinds", "").lower() for word in _COLOUR_KINDS) and not layers:
        raise InputError(COLOUR)
    directed = "space directions" in fields
    if directed:
        vectors = _vectors(fields["space directions"])
    else:
        spacings = fields.get("spacings", "").split() or ["1"] * len(shape)
        if not all(_NUMBER.fullmatch(size) for size in spacings if size.lower() != "nan"):
            raise damaged("NRRD", "a voxel size is not a number")
        vectors = [None if size.lower() == "nan" else [float(size)] for size in spacings]
    if (directed and "spacings" in fields) or len(vectors) != len(shape):
        raise damaged("NRRD", "it does not say once how far apart the voxels are")
    if len(shape) == 4 and vectors[0] is None and (layers or shape[0] == 1):
        vectors = vectors[1:]
        shape = shape if layers else shape[1:]
    else:
        check_three_dimensional(shape)
    if None in vectors:
        raise damaged("NRRD", "an axis without a length")
    axes = np.array(vectors, np.float64)
    return shape[::-1], axes.T if directed else np.diag(axes.ravel())


def _vectors(text: str) -> list[list[float] | None]:
    """Points or directions as three numbers each, ``None`` for "none"."""
    if _VECTOR.sub("", text).strip():
        raise damaged("NRRD", "a position or direction is not three numbers")
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
        raise InputError(FORMAT)
    endian = fields.get("endian", "").lower()
    if endian not in ("little", "big") and not (kind[1] == "1" and not endian):
        raise damaged("NRRD", "it does not say its byte order")
    return np.dtype((">" if endian == "big" else "<") + kind), encoding != "raw"


def _matrix(fields: dict[str, str], axes: NDArray[np.float64]) -> tuple[NDArray[np.float64], bool]:
    """Index to RAS, mm, and whether the header says how the voxels lie in the patient."""
    space = fields.get("space", "").lower()
    origin = _vectors(fields.get("space origin", "(0,0,0)"))
    if len(origin) != 1 or origin[0] is None:
        raise damaged("NRRD", "its origin is not a point")
    units = {unit.strip().lower() for unit in re.findall(r'"([^"]*)"', fields.get("space units", ""))} or {""}
    if len(units) != 1 or not units <= set(_MM):
        raise damaged("NRRD", "its unit of length is not one that is known")
    matrix = np.eye(4)
    matrix[:3] = np.column_stack([axes, origin[0]]) * _MM[units.pop()]
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
    """What Slicer calls each segment, by layer and value."""
    found: dict[tuple[int, int], str] = {}
    for k in range(_MAX_SEGMENTS):
        name, value = fields.get(f"Segment{k}_Name:="), fields.get(f"Segment{k}_LabelValue:=", "")
        layer = fields.get(f"Segment{k}_Layer:=", "0")
        if name is None and not value:
            continue
        if not _WHOLE.fullmatch(value) or not _WHOLE.fullmatch(layer):
            raise damaged("NRRD", "a segment without a value")
        if (int(layer), int(value)) in found:
            raise damaged("NRRD", "two segments with one value")
        found[int(layer), int(value)] = name or ""
    return found
