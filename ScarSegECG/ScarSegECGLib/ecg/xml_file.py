"""Read an XML file within bounds, and all recordings of an HL7 aECG or GE MUSE file, not the first alone."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
from defusedxml import DefusedXmlException, ElementTree

from ScarSegECGLib.ecg.leads import Channel, lead_name
from ScarSegECGLib.ecg.parts import Part
from ScarSegECGLib.ecg.recording import calibrated, require_size
from ScarSegECGLib.errors import InputError

LARGEST_XML = 10_000_000
MOST_ELEMENTS, DEEPEST = 200_000, 64
# Numbers that say how much there is, by the names of elements and attributes; a parser may believe them.
_COUNT = re.compile(r"number|count|channels|leads|samples|duration|rate|size|length|total", re.IGNORECASE)
_CHANNELS = re.compile(r"(number|num|count)(of)?_?(channels|leads)", re.IGNORECASE)
LARGEST_COUNT, MOST_CHANNELS = 10_000_000.0, 256.0
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}
_STAMP = re.compile(r"(\d{14})(?:\.(\d{1,6})\d*)?")
_MUSE_UNITS = {"MICROVOLT": "uV", "UV": "uV", "MILLIVOLT": "mV", "MV": "mV", "VOLT": "V", "V": "V", "NANOVOLT": "nV"}


def read_bounded_xml(path: Path) -> Element:
    """The root of an XML file; elements bear their names without namespace, in lower case.

    A document type may be named (GE MUSE does), but nothing may be declared in it. InputError for what is too large,
    not well-formed, declares counts that no ECG has, has entities or outside references, or is nested or split beyond
    any ECG.
    """
    require_size(path, LARGEST_XML, "the XML")
    try:
        with path.open("rb") as stream:
            return _counted(ElementTree.iterparse(stream, ("start", "end")))
    except InputError:
        raise
    except DefusedXmlException:
        raise InputError("The ECG file declares XML entities or outside references, which is refused.") from None
    except Exception:  # the parser's own, and what a codec named in the file raises
        raise InputError("The ECG file is no well-formed XML: export the ECG again.") from None


def _counted(events: Iterable[tuple[str, Element]]) -> Element:
    """The root that is being built, as long as it stays within bounds."""
    elements, above = 0, []
    for event, element in events:
        if event == "start":
            element.tag = str(element.tag).rpartition("}")[2].lower()
            elements += 1
            above.append(element)
            if elements > MOST_ELEMENTS or len(above) > DEEPEST:
                raise InputError("The ECG file has more XML elements than an ECG can have: refused.")
            stated = element.attrib
        else:
            root = above.pop()
            text = element[-1].tail if len(element) else element.text
            stated = {element.tag: (text or "").strip()}
        if any(_is_impossible(name, text) for name, text in stated.items()):
            raise InputError("The ECG file declares a count that no ECG has: refused.")
    return root


def _is_impossible(name: str, text: str) -> bool:
    """Whether this is a count that no ECG has: huge, infinite, or more channels than any device records."""
    if not text or len(text) > 400 or not _COUNT.search(name):
        return False
    try:
        number = float(text)
    except ValueError:
        return False
    return not abs(number) <= (MOST_CHANNELS if _CHANNELS.search(name) else LARGEST_COUNT)


def aecg_parts(root: Element) -> Iterator[Part]:
    """The rhythm recordings of an HL7 aECG file; ValueError for what is no number, InputError without calibration."""
    for series in root.findall("component/series"):
        if _attribute(series, "code", "code").upper() == "REPRESENTATIVE_BEAT":
            continue
        for group in series.findall("component/sequenceset"):
            channels, rate, start = [], 0.0, None
            for sequence in group.findall("component/sequence"):
                code, value = _attribute(sequence, "code", "code"), sequence.find("value")
                if value is None:
                    continue
                if not code.upper().startswith("TIME_"):
                    channels.append(_aecg_channel(code, value))
                elif not rate:
                    rate, start = _times(value)
            if channels:
                yield Part(tuple(channels), rate, start)


def _times(value: Element) -> tuple[float, float | None]:
    """Samples per second, and when the first was taken, s."""
    step = float(_attribute(value, "increment", "value")) * _SECONDS[_attribute(value, "increment", "unit")]
    head, unit = _attribute(value, "head", "value"), _attribute(value, "head", "unit")
    stamp = _STAMP.match(head)
    if stamp is not None and not unit:
        when = datetime.strptime(stamp[1], "%Y%m%d%H%M%S").replace(tzinfo=timezone.utc)
        return 1 / step, when.timestamp() + float(f"0.{stamp[2] or 0}")
    return 1 / step, float(head) * _SECONDS[unit] if head and unit in _SECONDS else None


def _aecg_channel(code: str, value: Element) -> Channel:
    label = code.upper().rpartition("_ECG_LEAD_")[2] if "_ECG_LEAD_" in code.upper() else code
    digits = np.array((value.findtext("digits") or "").split(), dtype=np.float64)
    gain, unit = _attribute(value, "scale", "value"), _attribute(value, "scale", "unit")
    if lead_name(label) is None:
        return Channel(label, digits)
    origin = np.array([float(_attribute(value, "origin", "value") or 0.0)])
    offset = calibrated(label, origin, 1.0, _attribute(value, "origin", "unit") or unit)
    signal = calibrated(label, digits, float(gain) if gain else None, unit)
    return Channel(label, signal.millivolts + offset.millivolts)


def muse_parts(root: Element) -> Iterator[Part]:
    """The rhythm recordings of a GE MUSE file; errors as those of :func:`aecg_parts`."""
    for waveform in root.findall("waveform"):
        if _text(waveform, "waveformtype").lower() not in ("", "rhythm"):
            continue
        rate = _number(waveform, "samplebase", 0.0) * 10 ** _number(waveform, "sampleexponent", 0.0)
        channels = tuple(_muse_channel(lead) for lead in waveform.findall("leaddata"))
        if channels:
            yield Part(channels, rate)


def _muse_channel(data: Element) -> Channel:
    size = int(_number(data, "leadsamplesize", 2))
    payload = base64.b64decode("".join(_text(data, "waveformdata").split()), validate=True)
    stored = np.frombuffer(payload, dtype={1: "<i1", 2: "<i2", 4: "<i4"}[size])
    if stored.size != int(_number(data, "leadsamplecounttotal", stored.size)):
        raise ValueError("another number of samples than stated")
    label, start = _text(data, "leadid"), _number(data, "leadtimeoffset", 0.0) / 1000  # ms
    if lead_name(label) is None:
        return Channel(label, stored.astype(np.float64), start)
    unit = _MUSE_UNITS.get(_text(data, "leadamplitudeunits").upper().removesuffix("S"), "")
    return calibrated(label, stored, _number(data, "leadamplitudeunitsperbit", 0.0), unit, start_s=start)


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
