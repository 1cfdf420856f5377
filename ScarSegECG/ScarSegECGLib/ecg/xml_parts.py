"""The recordings in an HL7 aECG or GE MUSE XML file: all series, sequence sets and waveforms, not the first alone."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
from defusedxml import ElementTree

from ScarSegECGLib.ecg.leads import lead_name
from ScarSegECGLib.ecg.parts import Part
from ScarSegECGLib.ecg.recording import Channel, scaled

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}
_STAMP = re.compile(r"(\d{14})(?:\.(\d{1,6})\d*)?")
_MUSE_UNITS = {"MICROVOLT": "uV", "UV": "uV", "MILLIVOLT": "mV", "MV": "mV", "VOLT": "V", "V": "V", "NANOVOLT": "nV"}


def xml_parts(path: Path, kind: str) -> list[Part]:
    """The rhythm recordings of a file that :func:`ScarSegECGLib.ecg.xml_guard.xml_root_name` let through.

    Raises
    ------
    ValueError
        Numbers or signals that are none, or fewer samples than stated.
    InputError
        A lead without calibration.
    """
    root = ElementTree.fromstring(path.read_bytes())
    for element in root.iter():
        element.tag = str(element.tag).rpartition("}")[2].lower()
    return list(_of_aecg(root) if kind == "hl7_aecg" else _of_muse(root))


def _of_aecg(root: Element) -> Iterator[Part]:
    for series in root.findall("component/series"):
        if _attribute(series, "code", "code").upper() == "REPRESENTATIVE_BEAT":
            continue
        for group in series.findall("component/sequenceset"):
            channels, rate, start = [], 0.0, None
            for sequence in group.findall("component/sequence"):
                code, value = _attribute(sequence, "code", "code"), sequence.find("value")
                if value is None:
                    continue
                if code.upper().startswith("TIME_"):
                    if not rate:
                        rate, start = _times(value)
                    continue
                digits = value.findtext("digits") or ""
                channels.append(_aecg_channel(code, value, np.array(digits.split(), dtype=np.float64)))
            if channels:
                yield Part(tuple(channels), rate, start)


def _times(value: Element) -> tuple[float, float | None]:
    """Samples per second, and when the first was taken, s."""
    step = float(_attribute(value, "increment", "value")) * _SECONDS[_attribute(value, "increment", "unit")]
    head, unit = _attribute(value, "head", "value"), _attribute(value, "head", "unit")
    stamp = _STAMP.match(head)
    if stamp is not None and not unit:
        when = datetime.strptime(stamp.group(1), "%Y%m%d%H%M%S").replace(tzinfo=timezone.utc)
        return 1 / step, when.timestamp() + float(f"0.{stamp.group(2) or 0}")
    return 1 / step, float(head) * _SECONDS[unit] if head and unit in _SECONDS else None


def _aecg_channel(code: str, value: Element, digits: np.ndarray) -> Channel:
    label = code.upper().rpartition("_ECG_LEAD_")[2] if "_ECG_LEAD_" in code.upper() else code
    lead = lead_name(label)
    if lead is None:
        return Channel(label, digits)
    gain, unit = _attribute(value, "scale", "value"), _attribute(value, "scale", "unit")
    origin = float(_attribute(value, "origin", "value") or 0.0)
    offset = scaled(lead.name, np.array([origin]), 1.0, _attribute(value, "origin", "unit") or unit)
    return Channel(label, scaled(lead.name, digits, float(gain) if gain else None, unit) + offset)


def _of_muse(root: Element) -> Iterator[Part]:
    for waveform in root.findall("waveform"):
        if _text(waveform, "waveformtype").lower() not in ("", "rhythm"):
            continue
        rate = _number(waveform, "samplebase", 0.0) * 10 ** _number(waveform, "sampleexponent", 0.0)
        channels = tuple(_muse_channel(lead) for lead in waveform.findall("leaddata"))
        if channels:
            yield Part(channels, rate)


def _muse_channel(data: Element) -> Channel:
    label = _text(data, "leadid")
    size = int(_number(data, "leadsamplesize", 2))
    try:
        payload = base64.b64decode("".join(_text(data, "waveformdata").split()), validate=True)
    except binascii.Error:
        raise ValueError("not Base64") from None
    stored = np.frombuffer(payload, dtype={1: "<i1", 2: "<i2", 4: "<i4"}[size]).astype(np.float64)
    if stored.size != int(_number(data, "leadsamplecounttotal", stored.size)):
        raise ValueError("another number of samples than stated")
    start = _number(data, "leadtimeoffset", 0.0) / 1000  # ms
    lead = lead_name(label)
    if lead is None:
        return Channel(label, stored, start)
    unit = _MUSE_UNITS.get(_text(data, "leadamplitudeunits").upper().removesuffix("S"), "")
    gain = _number(data, "leadamplitudeunitsperbit", 0.0)
    return Channel(label, scaled(lead.name, stored, gain, unit), start)


def _attribute(element: Element, child: str, name: str) -> str:
    found = element.find(child)
    return "" if found is None else (found.get(name) or "").strip()


def _text(element: Element, child: str) -> str:
    found = element.find(child)
    return "" if found is None else "".join(found.itertext()).strip()


def _number(element: Element, child: str, default: float) -> float:
    text = _text(element, child)
    number = float(text.replace(",", ".")) if text else default
    if not math.isfinite(number):
        raise ValueError(f"{child} is no number")
    return number
