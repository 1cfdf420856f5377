"""Whether what was read from a JSON file is as its schema says."""

from __future__ import annotations

import re
import sys
from typing import Any

# Rounding may carry a per cent past 100.
_ROUNDING = 1e-6
_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "number": (int, float),
    "integer": int,
    "boolean": bool,
    "null": type(None),
}


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a JSON value fits a schema; fields that the schema does not name are let through.

    Parameters
    ----------
    value
        As :mod:`json` reads it; NaN, infinities and numbers beyond a double never fit.
    schema : dict
        JSON Schema, as far as :func:`ScarSegECGLib.export.result_json.result_schema` needs it: ``type``, ``const``,
        ``enum``, ``pattern``, ``minimum``, ``exclusiveMinimum``, ``maximum``, ``required``, ``properties``,
        ``additionalProperties`` as a schema, ``items``, ``minItems`` and ``maxItems``.
    """
    if "type" in schema and not any(_is(value, kind) for kind in _listed(schema["type"])):
        return False
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        return False
    if isinstance(value, str):
        return re.search(schema.get("pattern", ""), value) is not None
    if isinstance(value, dict):
        return _object_fits(value, schema)
    if isinstance(value, list):
        few, many = schema.get("minItems", 0), schema.get("maxItems", len(value))
        return few <= len(value) <= many and all(fits(item, schema.get("items", {})) for item in value)
    return not isinstance(value, int | float) or _number_fits(value, schema)


def _object_fits(value: dict[str, Any], schema: dict[str, Any]) -> bool:
    named, others = schema.get("properties", {}), schema.get("additionalProperties") or {}
    there = all(key in value for key in schema.get("required", ()))
    return there and all(fits(inner, named.get(key, others)) for key, inner in value.items())


def _number_fits(value: float, schema: dict[str, Any]) -> bool:
    low, high = schema.get("minimum", -sys.float_info.max), schema.get("maximum", sys.float_info.max)
    return low <= value <= high + _ROUNDING and value > schema.get("exclusiveMinimum", -sys.float_info.max)


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _listed(kinds: str | list[str]) -> list[str]:
    return [kinds] if isinstance(kinds, str) else kinds
