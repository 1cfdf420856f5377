"""Arrays as compressed base64, unpacked only where their headers say what a case's arrays can be."""

import base64
import io
import zipfile
import zlib

import numpy as np
from numpy.typing import NDArray

IMAGES = frozenset({"labels", "probability", "alone", "cavity", "myocardium", "aha"})
OTHERS = frozenset({"centres", "insertions", "raw_insertions", "confidence", "millivolts", "leads"})
_LARGEST_OTHER = 12 * 60 * 4000  # values: twelve leads, as long as an ECG is read, at the highest rate
_HEADER = 1024


def packed(arrays: dict[str, NDArray]) -> str:
    """Arrays by name as text."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return base64.b64encode(buffer.getvalue()).decode()


def unpacked(text: str, shape: tuple[int, ...]) -> dict[str, NDArray]:
    """Arrays by name.

    Parameters
    ----------
    shape : tuple of int
        Of the images' arrays.

    Raises
    ------
    ValueError
        No arrays, others than a case's, of another type or shape; none of them was unpacked then.
    """
    content = io.BytesIO(base64.b64decode(text))
    try:
        with zipfile.ZipFile(content) as archive:
            entries = archive.infolist()
            names = [entry.filename.removesuffix(".npy") for entry in entries]
            if len(set(names)) != len(names) or not set(names) <= IMAGES | OTHERS:
                raise ValueError("other arrays than a case's")
            for name, entry in zip(names, entries, strict=True):
                _check(archive, entry, shape if name in IMAGES else None)
        content.seek(0)
        with np.load(content, allow_pickle=False) as stored:
            return {name: stored[name] for name in names}
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, KeyError, zlib.error) as error:
        raise ValueError("the arrays are damaged") from error


def _check(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, shape: tuple[int, ...] | None) -> None:
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others can ask for gigabytes to unpack
        raise ValueError("packed in another way")
    with archive.open(entry) as stream:
        start = io.BytesIO(stream.read(_HEADER))
    if np.lib.format.read_magic(start) != (1, 0):
        raise ValueError("not an array")
    found, _, dtype = np.lib.format.read_array_header_1_0(start)
    size = int(np.prod(found, dtype=object))
    if dtype.kind not in "biuf" or (found != shape if shape is not None else not 0 <= size <= _LARGEST_OTHER):
        raise ValueError("an array of another type or shape")
    if entry.file_size > _HEADER + size * dtype.itemsize:
        raise ValueError("an array with more than its values")
