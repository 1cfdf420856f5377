"""A result as a dict for JSON, for a scene's text node and for the journal, and back; what is read follows the types.

The images themselves are not in it: they are the volume node's. What the scar is made of is measured again from
them. Nothing in it names a patient. Arrays are compressed and base64, and are unpacked only where their headers say
what a case's arrays can be.
"""

import base64
import dataclasses
import hashlib
import io
import types
import typing
import zipfile
import zlib
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import LEADS, SCAR, EcgFeatures, ScarResult, Subject
from ScarSegECGLib.facts import Code, Confidence, Division, Fact, Method, PartsRule, Word
from ScarSegECGLib.facts_json import from_plain, to_plain

VERSION = 3
FACTS = (Word, Code, Fact, Method, Division, PartsRule, Confidence)
# The images are the scene's, whose they are is nobody's business, and what the scar is made of follows from it.
LEFT_OUT = {"voxels": None, "sources": (), "subject": Subject(), "parts": None, "patterns": ()}
IMAGES = ("labels", "scar_probability", "scar_probability_image_only", "cavity", "myocardium", "aha")
_MOST = 64  # arrays
_LARGEST_OTHER = 12 * 60 * 4000  # values: twelve leads, as long as an ECG is read, at the highest rate
_HEADER = 1024


def toDict(result: ScarResult) -> dict[str, Any]:
    """Everything but the images."""
    arrays: dict[str, NDArray] = {}
    content = _plain(result, arrays)
    return {"version": VERSION, "image": _digest(result.stack.voxels), "result": content, "arrays": packed(arrays)}


def fromDict(saved: dict[str, Any], storedVoxels: NDArray) -> ScarResult:
    """The result, of the volume node's voxels in the file's own order.

    ValueError for another version, another image than the one that was segmented, and what is no result.
    """
    from ScarSegECGLib.measure.islands import island_patterns
    from ScarSegECGLib.measure.parts import scar_parts

    if not isinstance(saved, dict) or saved.get("version") != VERSION:
        raise ValueError("saved by another version")
    arrays = unpacked(saved["arrays"], np.shape(storedVoxels))
    try:
        result: ScarResult = _made(ScarResult, saved["result"], arrays)
        stack, anatomy = result.stack, result.anatomy
        voxels = stack.storage.to_canonical(np.asarray(storedVoxels, np.float32))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("not a result as it is saved") from error
    if _digest(voxels) != saved["image"]:
        raise ValueError("the images are not the ones that were segmented")
    for owner in (result, anatomy):
        if any(getattr(owner, name, voxels).shape != voxels.shape for name in IMAGES):
            raise ValueError("masks of another shape than the images")
    stack, scar = dataclasses.replace(stack, voxels=voxels), result.labels == SCAR
    return dataclasses.replace(
        result,
        stack=stack,
        parts=scar_parts(stack, anatomy.cavity, anatomy.myocardium, scar),
        patterns=island_patterns(scar, anatomy.cavity, anatomy.myocardium, stack.spacing),
    )


def _digest(voxels: NDArray) -> str:
    return hashlib.sha256(np.ascontiguousarray(voxels, np.float32).tobytes()).hexdigest()


def _plain(value: Any, arrays: dict[str, NDArray]) -> Any:
    if isinstance(value, FACTS):
        return to_plain(value)
    if isinstance(value, np.ndarray):
        name = f"array{len(arrays)}"
        arrays[name] = value
        return name
    if isinstance(value, datetime):
        return value.isoformat()
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value) if field.name not in LEFT_OUT]
        return {name: _plain(getattr(value, name), arrays) for name in names}
    if isinstance(value, (tuple, list)):
        return [_plain(held, arrays) for held in value]
    return value.item() if isinstance(value, np.generic) else value


def _made(kind: Any, saved: Any, arrays: dict[str, NDArray]) -> Any:
    """A value of that type from what :func:`_plain` made of it; ValueError, KeyError or TypeError where it is none."""
    origin, of = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if saved is None and type(None) in of:
            return None
        (kind,) = [one for one in of if one is not type(None)]
        return _made(kind, saved, arrays)
    if origin is np.ndarray:
        return arrays[saved].astype(typing.get_args(of[1])[0], copy=False)
    if origin is tuple:
        kinds = of[:1] * len(saved) if of[1:] == (...,) else of
        return tuple(_made(one, held, arrays) for one, held in zip(kinds, saved, strict=True))
    if origin is dict:
        return {str(name): _made(of[1], held, arrays) for name, held in saved.items()}
    if issubclass(kind, FACTS):
        made = from_plain(saved)
    elif dataclasses.is_dataclass(kind):
        made = _dataclass(kind, saved, arrays)
    elif kind is datetime:
        made = datetime.fromisoformat(saved)
    else:
        made = float(saved) if kind is float and type(saved) is int else saved
    if not isinstance(made, kind):
        raise ValueError(f"{made!r} is no {kind.__name__}")
    return made


def _dataclass(kind: Any, saved: dict[str, Any], arrays: dict[str, NDArray]) -> Any:
    hints = typing.get_type_hints(kind)
    if set(saved) != set(hints) - set(LEFT_OUT):
        raise ValueError(f"not a {kind.__name__} of this version")
    left_out = {name: LEFT_OUT[name] for name in set(hints) & set(LEFT_OUT)}
    made = kind(**{name: _made(hints[name], held, arrays) for name, held in saved.items()}, **left_out)
    waves = [value for value in vars(made).values() if isinstance(value, np.ndarray)]
    if kind is EcgFeatures and any(wave.shape != (len(LEADS),) for wave in waves):
        raise ValueError("the ECG's waves are not those of 12 leads")
    return made


def packed(arrays: dict[str, NDArray]) -> str:
    """Arrays by name as text."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return base64.b64encode(buffer.getvalue()).decode()


def unpacked(text: str, shape: tuple[int, ...]) -> dict[str, NDArray]:
    """Arrays by name, each of as many values as the images, whose shape is given, or no larger than an ECG.

    ValueError for no arrays, too many, or others in type or size than a case's; none of them was unpacked then.
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
