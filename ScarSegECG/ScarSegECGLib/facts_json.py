"""Facts, and results but for their arrays, as what JSON holds, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

from ScarSegECGLib import case, facts
from ScarSegECGLib.facts import Code, Fact, Word

_WORDS = {cls.__name__: cls for cls in (*Word.__subclasses__(), *Code.__subclasses__())}
_RECORDS: Mapping[str, Any] = {
    "dict": dict,
    **{name: cls for module in (facts, case) for name, cls in vars(module).items() if is_dataclass(cls)},
}
_types_of = lru_cache(get_type_hints)


def to_plain(value: Any) -> Any:
    """A fact, a result, or a tuple of such, as what JSON holds; an array, which has files of its own, is null."""
    if isinstance(value, (Word, Code)):
        return {"word": type(value).__name__, "is": value.value}
    if isinstance(value, Fact):
        return {"record": "Fact", "code": to_plain(value.code), "of": {k: to_plain(v) for k, v in value.parameters}}
    if is_dataclass(value):
        of = {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
        return {"record": type(value).__name__, "of": of}
    if isinstance(value, dict):
        return {"record": "dict", "of": {name: to_plain(held) for name, held in value.items()}}
    if isinstance(value, (tuple, list)):
        return [to_plain(entry) for entry in value]
    if isinstance(value, np.ndarray):
        return None
    return value.item() if hasattr(value, "item") else value


def from_plain(kept: Any) -> Any:
    """What :func:`to_plain` wrote, lists as tuples; ValueError for a word, record or attribute not known here."""
    if isinstance(kept, list):
        return tuple(from_plain(entry) for entry in kept)
    if not isinstance(kept, dict):
        return kept
    try:
        if "word" in kept:
            return _WORDS[kept["word"]](kept["is"])
        of = {name: from_plain(value) for name, value in kept["of"].items()}
        kind = _RECORDS[kept["record"]]
        if kind is Fact:
            return Fact(from_plain(kept["code"]), **of)
        if not all(_is(one, of[name]) for name, one in _types_of(kind).items() if name in of):
            raise ValueError("an attribute of another type")
        return kind(**of)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError):
        raise ValueError("facts of another version") from None


def _is(kind: Any, value: Any) -> bool:
    """Whether a value is what an attribute's type says; in the place of an array is nothing."""
    of = get_args(kind)
    if isinstance(kind, UnionType):
        return any(_is(one, value) for one in of)
    if get_origin(kind) is np.ndarray:
        return value is None
    if get_origin(kind) is dict:
        return isinstance(value, dict) and all(_is(of[1], held) for held in value.values())
    if get_origin(kind) is tuple:
        kinds = of[:1] * len(value) if isinstance(value, tuple) and of[-1] is ... else of
        return isinstance(value, tuple) and len(value) == len(kinds) and all(map(_is, kinds, value))
    if kind in (float, int):
        return type(value) in (int, kind) and math.isfinite(value)
    return isinstance(value, kind)
