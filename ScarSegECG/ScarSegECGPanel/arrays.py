"""Arrays as compressed base64, unpacked only where their headers say what a case's arrays can be."""

import base64
import io
import zipfile
import zlib

import numpy as np
from numpy.typing import NDArray

_MOST = 64  # arrays
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
        Of the images, in any order of the axes: an array is of as many values, or no larger than an ECG.

    Raises
    ------
    ValueError
        No arrays, too many, or of another type or size than a case's; none of them was unpacked then.
    """
    try:
        content = io.BytesIO(base64.b64decode(text))
        with zipfile.ZipFile(content) as archive:
            entries = archive.infolist()
            names = [entry.filename.removesuffix(".npy") for entry in entries]
            if len(set(names)) != len(names) or len(names) > _MOST:
                raise ValueError("other arrays than a case's")
            for entry in entries:
                _check(archive, entry, int(np.prod(shape, dtype=object)))
        content.seek(0)
        with np.load(content, allow_pickle=False) as stored:
            return {name: stored[name] for name in names}
    except (
        zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, KeyError, TypeError, zlib.error
    ) as error:  # fmt: skip
        raise ValueError("the arrays are damaged") from error


def _check(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, image: int) -> None:
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others can ask for gigabytes to unpack
        raise ValueError("packed in another way")
    with archive.open(entry) as stream:
        start = io.BytesIO(stream.read(_HEADER))
    if np.lib.format.read_magic(start) != (1, 0):
        raise ValueError("not an array")
    found, _, dtype = np.lib.format.read_array_header_1_0(start)
    size = int(np.prod(found, dtype=object))
    if dtype.kind not in "biuf" or not (size == image or 0 <= size <= _LARGEST_OTHER):
        raise ValueError("an array of another type or shape")
    if entry.file_size > _HEADER + size * dtype.itemsize:
        raise ValueError("an array with more than its values")
