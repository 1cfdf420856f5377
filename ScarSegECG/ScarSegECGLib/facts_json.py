"""Facts as what JSON holds, and back."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

from ScarSegECGLib import facts_ecg  # noqa: F401 - its words and codes are known by being there
from ScarSegECGLib.facts import Code, Confidence, Division, Fact, Method, PartsRule, RemoteRegion, Word

_WORDS = {cls.__name__: cls for cls in (*Word.__subclasses__(), *Code.__subclasses__())}
_RECORDS = {cls.__name__: cls for cls in (Fact, RemoteRegion, Method, Division, PartsRule, Confidence)}


def to_plain(value: Any) -> Any:
    """A fact, or a tuple of facts, as what JSON holds."""
    if isinstance(value, (Word, Code)):
        return {"word": type(value).__name__, "is": value.value}
    if isinstance(value, Fact):
        return {"record": "Fact", "code": to_plain(value.code), "of": {k: to_plain(v) for k, v in value.parameters}}
    if is_dataclass(value):
        of = {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
        return {"record": type(value).__name__, "of": of}
    if isinstance(value, (tuple, list)):
        return [to_plain(entry) for entry in value]
    return value.item() if hasattr(value, "item") else value


def from_plain(kept: Any) -> Any:
    """What :func:`to_plain` wrote, lists as tuples; ValueError for a word or record that is not known here."""
    if isinstance(kept, list):
        return tuple(from_plain(entry) for entry in kept)
    if not isinstance(kept, dict):
        return kept
    try:
        if "word" in kept:
            return _WORDS[kept["word"]](kept["is"])
        of = {name: from_plain(value) for name, value in kept["of"].items()}
        return Fact(from_plain(kept["code"]), **of) if kept["record"] == "Fact" else _RECORDS[kept["record"]](**of)
    except (KeyError, TypeError, AttributeError, ValueError):
        raise ValueError("facts of another version") from None
