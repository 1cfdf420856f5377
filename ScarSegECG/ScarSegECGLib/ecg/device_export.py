"""Read what ECG carts and archives export (HL7 aECG, GE MUSE, Philips Sierra, SCP-ECG, ISHNE), through ecgdatakit.

Files are bounded before the parser sees them: their size, the samples they declare, and what they would unpack to. All
recordings of an HL7 aECG or GE MUSE file are read here, of which the parser finds the first alone.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
from defusedxml import DefusedXmlException, ElementTree
from ecgdatakit.exceptions import UnsupportedFormatError
from ecgdatakit.models import ECGRecord
from ecgdatakit.parsing import FileParser
from ecgdatakit.parsing.codecs.lzw import LzwDecoder

from ScarSegECGLib.ecg.leads import Channel, lead_name
from ScarSegECGLib.ecg.recording import PACING, Part, Recording, calibrated, plausible_measures, stored_date
from ScarSegECGLib.ecg.subject import subject, years_between
from ScarSegECGLib.errors import InputError

# What a resting ECG can hold: SCP-ECG declares samples and beats as numbers of up to 4 billion, and Philips' XLI
# compression turns one byte into up to 600.
MOST_LEADS, MOST_SAMPLES, MOST_BEATS = 32, 60 * 4000, 600
MOST_ELEMENTS, DEEPEST = 200_000, 64
# Numbers that say how much there is, by the names of elements and attributes; a parser may believe them.
_COUNT = re.compile(r"number|count|channels|leads|samples|duration|rate|size|length|total", re.IGNORECASE)
_CHANNELS = re.compile(r"(number|num|count)(of)?_?(channels|leads)", re.IGNORECASE)
LARGEST_COUNT, MOST_CHANNELS = 10_000_000.0, 256.0
_NUMBER = re.compile(r"\s*(\d{2,3}(?:\.\d+)?)\b")
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}
_STAMP = re.compile(r"(\d{14})(?:\.(\d{1,6})\d*)?")


def read_scp(path: Path) -> Recording:
    _require_scp_bounds(path)
    return _read(path, "scp_ecg", "SCP-ECG")


def read_ishne(path: Path) -> Recording:
    return _read(path, "ishne_holter", "ISHNE")


def read_xml(path: Path) -> Recording:
    """Read an HL7 aECG, GE MUSE or Philips Sierra file."""
    root = read_bounded_xml(path)
    if root.tag == "annotatedecg":
        return _read(path, "hl7_aecg", "HL7 aECG", _aecg_parts(root))
    if root.tag == "restingecg":
        return _read(path, "ge_muse_xml", "GE MUSE XML", _muse_parts(root))
    if root.tag == "restingecgdata":
        _require_xli_bounds(root)
        return _read(path, "sierra_xml", "Philips Sierra XML")
    raise InputError("The ECG file is XML but no HL7 aECG, GE MUSE or Philips Sierra ECG: export one of these.")


def _read(path: Path, parser: str, name: str, recordings: Iterator[Part] | None = None) -> Recording:
    """The rhythm recordings; a median beat stored beside them is left alone.

    ``parser`` is the parser's name of the format, ``name`` the usual one; ``recordings`` are all of a file of which the
    parser finds the first alone. InputError for an unknown version, no calibration, and leads of unequal rate.
    """
    try:
        record = FileParser.parse(path)
    except UnsupportedFormatError:
        raise InputError(f"The ECG file is of a version or kind of {name} that is not read: export it anew.") from None
    if record.source_format != parser:
        raise ValueError("a file of another format")
    parts = list(_parts(record) if recordings is None else recordings)
    acquired, whose, version = _acquired(record), record.patient, record.file_format.version
    age = years_between(whose.birth_date, acquired) if whose.age is None else whose.age
    statements = [left for left, _right in record.interpretation.statements]
    statements.append(str(record.annotations.get("machine_interpretation") or ""))
    if parser == "sierra_xml" and re.fullmatch(r"[\d.]{1,10}", version):  # short and harmless enough to be shown
        name = f"{name} {version}"
    return Recording(
        parts=parts,
        format=name,
        acquired=acquired,
        device_ms=_device_measurements(record),
        stated_paced=any(map(PACING.search, statements)),
        subject=subject(whose.patient_id, whose.sex, age),
    )


def _parts(record: ECGRecord) -> Iterator[Part]:
    """The one recording of a format that holds no more, if it has leads."""
    if not record.leads:
        return
    interval_us = record.raw_metadata.get("rhythm_sample_interval_us")
    rate = float(1e6 / interval_us if interval_us else record.leads[0].sampling_rate)
    channels: list[Channel] = []
    for stored in record.leads:
        start = (float(stored.annotations.get("start_sample", 1)) - 1) / rate
        gain = None if stored.is_raw else 1.0
        channel = calibrated(stored.label, stored.samples, gain, stored.units or "mV", start_s=start)
        if channel.lead is not None:
            if abs(stored.sampling_rate - rate) > 1:
                raise InputError("The leads have different sampling rates: export all leads at one rate.")
            if record.source_format == "ishne_holter":  # the format's mark for a sample that was not taken
                channel.millivolts[np.isclose(channel.millivolts, -32768 * stored.adc_resolution * 1e-6)] = np.nan
        channels.append(channel)
    yield Part(tuple(channels), rate)


def _acquired(record: ECGRecord) -> datetime | None:
    """The recording's date and time as stored, without time zone; midnight where the file has a day but no time."""
    if record.recording.date is not None:
        return record.recording.date.replace(tzinfo=None)
    meta = record.raw_metadata
    # MUSE writes the month first, where a dot does not say otherwise.
    found = stored_date(str(meta.get("acquisition_date") or ""), month_first=True)
    return found or stored_date(str(meta.get("effective_time") or "")[:8])


def _device_measurements(record: ECGRecord) -> dict[str, float]:
    """The device's global measurements; QRS from its own onset and offset where only these are stored (SCP-ECG)."""
    measured = record.measurements

    def noted(name: str) -> float:  # NaN where it is not
        match = _NUMBER.match(str(record.annotations.get(name) or ""))
        return float(match[1]) if match else np.nan

    marks = ("p_onset", "qrs_onset", "qrs_offset", "t_offset")
    p_onset, qrs_onset, qrs_end, t_end = (noted(f"median_{mark}_ms") for mark in marks)
    qtc = (noted(name) for name in ("QTCorrected", "MDC_ECG_TIME_PD_QTc", "qtc"))
    return plausible_measures(
        {
            "qrs": measured.qrs_duration or qrs_end - qrs_onset,
            "pr": measured.pr_interval or qrs_onset - p_onset,
            "qt": measured.qt_interval or t_end - qrs_onset,
            "qtc": measured.qtc_bazett or next((value for value in qtc if value > 0), None),
            "axis": measured.qrs_axis,
        }
    )


def _require_scp_bounds(path: Path) -> None:
    """Raise InputError where an SCP-ECG file declares more leads, samples or beats than a resting ECG has.

    Section 3 (EN 1064) has the number of leads, then first and last sample of each; section 4 the number of beats.
    """
    data = path.read_bytes()
    length = min(struct.unpack_from("<I", data, 10)[0], len(data))
    for position in range(22, 6 + length - 9, 10):
        section, size, index = struct.unpack_from("<HII", data, position)
        body = data[index + 15 : index - 1 + size] if index and size else b""
        leads = body[0] if section == 3 and body else 0
        spans = (struct.unpack_from("<II", body, 2 + 9 * k) for k in range(leads))
        beats = struct.unpack_from("<H", body, 4)[0] if section == 4 and len(body) >= 6 else 0
        if leads > MOST_LEADS or beats > MOST_BEATS or any(last - first >= MOST_SAMPLES for first, last in spans):
            raise InputError("The ECG file declares more than a resting ECG has: export it again.")


def _require_xli_bounds(root: Element) -> None:
    """Raise InputError where the waveforms of a Philips XML file would unpack to more than a resting ECG has.

    An XLI block is a number of chunks, one per lead: 4 bytes of length, 4 others, and codes of 10 bits (LZW) for
    bytes, two of which make a sample.
    """
    for element in root.iter("parsedwaveforms"):
        if not any(value.strip().upper() == "XLI" for value in element.attrib.values()):
            continue
        text = "".join([element.text or "", *(child.tail or "" for child in element)])
        packed, chunks = base64.b64decode("".join(text.split()), validate=True), 0
        while 0 < (size := int.from_bytes(packed[:4], "little", signed=True)) <= len(packed) - 8:
            chunks += 1
            unpacked = iter(LzwDecoder(packed[8 : 8 + size], bits=10).read, -1)
            if chunks > MOST_LEADS or next(islice(unpacked, 2 * MOST_SAMPLES, None), None) is not None:
                raise InputError("The ECG file would unpack to more than a resting ECG: refused.")
            packed = packed[8 + size :]


def read_bounded_xml(path: Path) -> Element:
    """The root of an XML file; elements bear their names without namespace, in lower case.

    A document type may be named (GE MUSE does), but nothing may be declared in it. InputError for what declares counts
    that no ECG has, has entities or outside references, or is nested or split beyond any ECG.
    """
    try:
        with path.open("rb") as stream:
            return _counted(ElementTree.iterparse(stream, ("start", "end")))
    except DefusedXmlException:
        raise InputError("The ECG file declares XML entities or outside references, which is refused.") from None


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
    if not _COUNT.search(name):
        return False
    try:
        return not abs(float(text)) <= (MOST_CHANNELS if _CHANNELS.search(name) else LARGEST_COUNT)
    except ValueError:
        return False


def _aecg_parts(root: Element) -> Iterator[Part]:
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
    if lead_name(label) is None:
        return Channel(label, digits)
    gain, unit = _attribute(value, "scale", "value"), _attribute(value, "scale", "unit")
    origin, its_unit = _attribute(value, "origin", "value"), _attribute(value, "origin", "unit")
    offset = calibrated(label, np.array(float(origin or 0)), 1.0, its_unit or unit)
    signal = calibrated(label, digits, float(gain or 0), unit)
    return Channel(label, signal.millivolts + offset.millivolts)


def _muse_parts(root: Element) -> Iterator[Part]:
    """The rhythm recordings of a GE MUSE file; errors as those of :func:`_aecg_parts`."""
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
    unit = _text(data, "leadamplitudeunits")
    return calibrated(label, stored, _number(data, "leadamplitudeunitsperbit", 0.0), unit, start_s=start)


def _attribute(element: Element, child: str, name: str) -> str:
    found = element.find(child)
    return "" if found is None else (found.get(name) or "").strip()


def _text(element: Element, child: str) -> str:
    return (element.findtext(child) or "").strip()


def _number(element: Element, child: str, default: float) -> float:
    text = _text(element, child).replace(",", ".")
    return float(text) if text else default
