"""A result as a dict for JSON, for a scene's text node and for the journal, and back; what is read follows the types.

The images themselves are not in it: they are the volume node's. What the scar is made of is measured again from
them. Nothing in it names a patient. Arrays are compressed and base64, and are unpacked only where they are what a
case's arrays can be.
"""

import base64
import dataclasses
import hashlib
import math
import types
import typing
import zlib
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import LEADS, SCAR, EcgFeatures, ScarResult, Subject
from ScarSegECGLib.facts import Code, Confidence, Division, Fact, Method, PartsRule, Word
from ScarSegECGLib.facts_json import from_plain, to_plain
from ScarSegECGPanel.masks import inflated

VERSION = 4
FACTS = (Word, Code, Fact, Method, Division, PartsRule, Confidence)
# The images are the scene's, whose they are is nobody's business, and what the scar is made of follows from it.
LEFT_OUT = {"voxels": None, "sources": (), "subject": Subject(), "parts": None, "patterns": ()}
IMAGES = ("labels", "scar_probability", "scar_probability_image_only", "cavity", "myocardium", "aha")
_TYPES = ("|b1", "|u1", "<i4", "<i8", "<f4", "<f8")
_LARGEST_OTHER = 12 * 60 * 4000  # values: twelve leads, as long as an ECG is read, at the highest rate


def toDict(result: ScarResult) -> dict[str, Any]:
    """Everything but the images."""
    return {"version": VERSION, "image": _digest(result.stack.voxels), "result": _plain(result)}


def fromDict(saved: dict[str, Any], storedVoxels: NDArray) -> ScarResult:
    """The result, of the volume node's voxels in the file's own order.

    ValueError for another version, another image than the one that was segmented, and what is no result.
    """
    from ScarSegECGLib.measure.islands import island_patterns
    from ScarSegECGLib.measure.parts import scar_parts

    if not isinstance(saved, dict) or saved.get("version") != VERSION:
        raise ValueError("saved by another version")
    try:
        result: ScarResult = _made(ScarResult, saved["result"], np.size(storedVoxels))
        stack, anatomy = result.stack, result.anatomy
        voxels = stack.storage.to_canonical(np.asarray(storedVoxels, np.float32))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("not a result as it is saved") from error
    if _digest(voxels) != saved.get("image"):
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


def _plain(value: Any) -> Any:
    if isinstance(value, FACTS):
        return to_plain(value)
    if isinstance(value, np.ndarray):
        return packed(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value) if field.name not in LEFT_OUT]
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, (tuple, list)):
        return [_plain(held) for held in value]
    return value.item() if isinstance(value, np.generic) else value


def _made(kind: Any, saved: Any, image: int) -> Any:
    """A value of that type from what :func:`_plain` made of it; ValueError, KeyError or TypeError where it is none."""
    origin, of = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        (other,) = (one for one in of if one is not type(None))
        return None if saved is None else _made(other, saved, image)
    if origin is np.ndarray:
        return unpacked(saved, image).astype(typing.get_args(of[1])[0], copy=False)
    if origin is tuple:
        kinds = of[:1] * len(saved) if of[1:] == (...,) else of
        return tuple(_made(one, held, image) for one, held in zip(kinds, saved, strict=True))
    if origin is dict:
        return {str(name): _made(of[1], held, image) for name, held in saved.items()}
    if issubclass(kind, FACTS):
        made = from_plain(saved)
    elif dataclasses.is_dataclass(kind):
        made = _dataclass(kind, saved, image)
    elif kind is datetime:
        made = datetime.fromisoformat(saved)
    else:
        made = float(saved) if kind is float and type(saved) is int else saved
    if not isinstance(made, kind):
        raise ValueError(f"{made!r} is no {kind.__name__}")
    return made


def _dataclass(kind: Any, saved: dict[str, Any], image: int) -> Any:
    hints = typing.get_type_hints(kind)
    if set(saved) != set(hints) - set(LEFT_OUT):
        raise ValueError(f"not a {kind.__name__} of this version")
    left_out = {name: LEFT_OUT[name] for name in set(hints) & set(LEFT_OUT)}
    made = kind(**{name: _made(hints[name], held, image) for name, held in saved.items()}, **left_out)
    waves = [value for value in vars(made).values() if isinstance(value, np.ndarray)]
    if kind is EcgFeatures and any(wave.shape != (len(LEADS),) for wave in waves):
        raise ValueError("the ECG's waves are not those of 12 leads")
    return made


def packed(array: NDArray) -> list:
    """Type, shape and compressed values for JSON."""
    return [array.dtype.str, list(array.shape), base64.b64encode(zlib.compress(array.tobytes())).decode()]


def unpacked(saved: list, image: int) -> NDArray:
    """The array, of as many values as the images have or of no more than an ECG.

    ValueError for any other, and for what is no array of numbers; nothing larger was unpacked then.
    """
    try:
        name, shape, values = saved
        size = math.prod(map(int, shape))
        if name not in _TYPES or not (size == image or 0 <= size <= _LARGEST_OTHER):
            raise ValueError("an array of another type or shape")
        content = inflated(base64.b64decode(values), size * np.dtype(name).itemsize)
        return np.frombuffer(content, name).reshape(shape).copy()
    except (TypeError, OverflowError) as error:
        raise ValueError("no array") from error
