"""A result as a dict for JSON, for a scene's text node and for the journal, and back; what is read follows the types.

The images themselves are not in it: they are the volume node's. What the scar is made of is measured again from
them. Nothing in it names a patient.
"""

import dataclasses
import hashlib
import types
import typing
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import LEADS, SCAR, EcgFeatures, ScarResult, Subject
from ScarSegECGLib.facts import Code, Confidence, Division, Fact, Method, PartsRule, Word
from ScarSegECGLib.facts_json import from_plain, to_plain
from ScarSegECGPanel.arrays import packed, unpacked

VERSION = 3
FACTS = (Word, Code, Fact, Method, Division, PartsRule, Confidence)
# The images are the scene's, whose they are is nobody's business, and what the scar is made of follows from it.
LEFT_OUT = {"voxels": None, "sources": (), "subject": Subject(), "parts": None, "patterns": ()}
IMAGES = ("labels", "scar_probability", "scar_probability_image_only", "cavity", "myocardium", "aha")


def digestOf(voxels: NDArray) -> str:
    """What tells one image from another."""
    return hashlib.sha256(np.ascontiguousarray(voxels, np.float32).tobytes()).hexdigest()


def toDict(result: ScarResult) -> dict[str, Any]:
    """Everything but the images."""
    arrays: dict[str, NDArray] = {}
    content = _plain(result, arrays)
    return {"version": VERSION, "image": digestOf(result.stack.voxels), "result": content, "arrays": packed(arrays)}


def fromDict(saved: dict[str, Any], storedVoxels: NDArray) -> ScarResult:
    """The result.

    Parameters
    ----------
    storedVoxels : array
        The volume node's, in the file's own order.

    Raises
    ------
    ValueError
        Another version, another image than the one that was segmented, or what is no result.
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
    if digestOf(voxels) != saved["image"]:
        raise ValueError("the images are not the ones that were segmented")
    for owner in (result, anatomy):
        if any(getattr(owner, name, voxels).shape != voxels.shape for name in IMAGES):
            raise ValueError("masks of another shape than the images")
    result = dataclasses.replace(result, stack=dataclasses.replace(stack, voxels=voxels))
    scar = result.labels == SCAR
    return dataclasses.replace(
        result,
        parts=scar_parts(result.stack, anatomy.cavity, anatomy.myocardium, scar),
        patterns=island_patterns(scar, anatomy.cavity, anatomy.myocardium, stack.spacing),
    )


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
        named = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name: _plain(held, arrays) for name, held in named if name not in LEFT_OUT}
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


def _dataclass(kind: type, saved: dict[str, Any], arrays: dict[str, NDArray]) -> Any:
    hints = typing.get_type_hints(kind)
    wanted = [field.name for field in dataclasses.fields(kind) if field.name not in LEFT_OUT]
    if set(saved) != set(wanted):
        raise ValueError(f"not a {kind.__name__} of this version")
    left_out = {name: LEFT_OUT[name] for name in set(hints) & set(LEFT_OUT)}
    make: Callable[..., Any] = kind
    made = make(**{name: _made(hints[name], saved[name], arrays) for name in wanted}, **left_out)
    waves = [getattr(made, name) for name in hints if isinstance(getattr(made, name), np.ndarray)]
    if kind is EcgFeatures and any(wave.shape != (len(LEADS),) for wave in waves):
        raise ValueError("the ECG's waves are not those of 12 leads")
    return made
