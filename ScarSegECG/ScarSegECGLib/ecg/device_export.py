"""Read what ECG carts and archives export (HL7 aECG, GE MUSE, Philips Sierra, SCP-ECG, ISHNE), through ecgdatakit.

Files are bounded before the parser sees them: their size, the samples they declare, and what they would unpack to.
"""

from __future__ import annotations

import re
import struct
from base64 import b64decode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
from ecgdatakit.exceptions import UnsupportedFormatError
from ecgdatakit.models import ECGRecord
from ecgdatakit.parsing import FileParser

from ScarSegECGLib.ecg.leads import Channel
from ScarSegECGLib.ecg.parts import Part, the_ecg
from ScarSegECGLib.ecg.recording import (
    Recording,
    calibrated,
    check_rate,
    plausible_measures,
    require_size,
    states_pacing,
    stored_date,
    told_as,
)
from ScarSegECGLib.ecg.subject import subject, years_between
from ScarSegECGLib.ecg.xml_file import aecg_parts, muse_parts, read_bounded_xml
from ScarSegECGLib.errors import InputError

LARGEST_SCP, LARGEST_ISHNE = 2_000_000, 32_000_000
# What a resting ECG can hold: SCP-ECG declares samples and beats as numbers of up to 4 billion, and Philips' XLI
# compression turns one byte into up to 600.
MOST_LEADS, MOST_SAMPLES, MOST_BEATS = 32, 60 * 4000, 600
_LZW_BITS = 10
_NUMBER = re.compile(r"\s*(\d{2,3}(?:\.\d+)?)\b")


@dataclass(frozen=True)
class Export:
    """A format: the parser's and the usual name, and what finds all recordings in an XML file, not the first alone."""

    parser: str
    name: str
    parts: Callable[[Element], Iterable[Part]] | None = None


SCP, ISHNE = Export("scp_ecg", "SCP-ECG"), Export("ishne_holter", "ISHNE")
SIERRA = Export("sierra_xml", "Philips Sierra XML")
_XML_ROOTS = {
    "annotatedecg": Export("hl7_aecg", "HL7 aECG", aecg_parts),
    "restingecg": Export("ge_muse_xml", "GE MUSE XML", muse_parts),
    "restingecgdata": SIERRA,
}


def read_scp(path: Path) -> Recording:
    """Read an SCP-ECG file."""
    require_size(path, LARGEST_SCP, SCP.name)
    _require_scp_bounds(path)
    return _read(path, SCP)


def read_ishne(path: Path) -> Recording:
    """Read an ISHNE file."""
    require_size(path, LARGEST_ISHNE, ISHNE.name)
    return _read(path, ISHNE)


def read_xml(path: Path) -> Recording:
    """Read an HL7 aECG, GE MUSE or Philips Sierra file."""
    root = read_bounded_xml(path)
    export = _XML_ROOTS.get(root.tag)
    if export is None:
        raise InputError("The ECG file is XML but no HL7 aECG, GE MUSE or Philips Sierra ECG: export one of these.")
    if export is SIERRA:
        _require_sierra_bounds(root)
    return _read(path, export, root)


def _read(path: Path, export: Export, root: Element | None = None) -> Recording:
    """The rhythm recording; a median beat stored beside it is left alone.

    ``acquired`` is without time zone, and midnight where the file has a day but no time. InputError for what is
    damaged, of an unknown version, without signals or calibration, with leads of unequal length or rate.
    """
    damaged = InputError(f"The ECG file is damaged or incomplete for {export.name}: export the ECG again.")
    with told_as(damaged):
        try:
            record = FileParser.parse(path)
        except UnsupportedFormatError:
            raise InputError(
                f"The ECG file is of a version or kind of {export.name} that is not read: export it anew."
            ) from None
        parts = [_part(record)] if root is None or export.parts is None else list(export.parts(root))
    if record.source_format != export.parser:
        raise damaged
    for part in parts:
        check_rate(part.rate)
    ecg, notes = the_ecg(parts)
    acquired, whose, version = _acquired(record), record.patient, record.file_format.version
    age = None if whose.age is None else float(whose.age)
    if age is None and whose.birth_date and acquired:
        age = years_between(whose.birth_date.date(), acquired.date())
    statements = [left for left, _right in record.interpretation.statements]
    statements.append(str(record.annotations.get("machine_interpretation") or ""))
    # The version is shown where it is short and harmless enough.
    versioned = export is SIERRA and re.fullmatch(r"[\d.]{1,10}", version)
    return Recording(
        channels=ecg.channels,
        rate=ecg.rate,
        acquired=acquired,
        device_ms=_device_measurements(record),
        stated_paced=any(states_pacing(text) for text in statements),
        notes=notes,
        format=f"{export.name} {version}" if versioned else export.name,
        subject=subject(whose.patient_id, whose.sex, age),
    )


def _part(record: ECGRecord) -> Part:
    """The channels of a format that holds one recording, mV."""
    if not record.leads:
        raise InputError("The file holds no ECG leads: export the ECG with its signals.")
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
            if record.source_format == ISHNE.parser:  # the format's mark for a sample that was not taken
                channel.millivolts[np.isclose(channel.millivolts, -32768 * stored.adc_resolution * 1e-6)] = np.nan
        channels.append(channel)
    return Part(tuple(channels), rate)


def _acquired(record: ECGRecord) -> datetime | None:
    """The recording's date and time as stored; the day alone where the parser kept it for want of a time."""
    if record.recording.date is not None:
        return record.recording.date.replace(tzinfo=None)
    meta = record.raw_metadata
    # MUSE writes the month first, where a dot does not say otherwise.
    found = stored_date(str(meta.get("acquisition_date") or ""), month_first=True)
    return found or stored_date(str(meta.get("effective_time") or "")[:8])


def _device_measurements(record: ECGRecord) -> dict[str, float]:
    """The device's global measurements; QRS from its own onset and offset where only these are stored (SCP-ECG)."""
    measured, noted = record.measurements, record.annotations

    def between(first: str, last: str) -> float | None:
        begin, end = _number(noted.get(f"median_{first}_ms")), _number(noted.get(f"median_{last}_ms"))
        return None if begin is None or end is None else end - begin

    noted_qtc = (_number(noted.get(name)) for name in ("QTCorrected", "MDC_ECG_TIME_PD_QTc", "qtc"))
    return plausible_measures(
        {
            "qrs": measured.qrs_duration or between("qrs_onset", "qrs_offset"),
            "pr": measured.pr_interval or between("p_onset", "qrs_onset"),
            "qt": measured.qt_interval or between("qrs_onset", "t_offset"),
            "qtc": measured.qtc_bazett or next(filter(None, noted_qtc), None),
            "axis": measured.qrs_axis,
        }
    )


def _number(text: object) -> float | None:
    match = _NUMBER.match(str(text or ""))
    return float(match[1]) if match else None


def _require_scp_bounds(path: Path) -> None:
    """Raise InputError where an SCP-ECG file declares more leads, samples or beats than a resting ECG has.

    Section 3 (EN 1064) has the number of leads, then first and last sample of each; section 4 the number of beats.
    """
    data = path.read_bytes()
    refused = InputError("The ECG file declares more samples than a resting ECG has, or is damaged: export it again.")
    try:
        length = min(struct.unpack_from("<I", data, 10)[0], len(data))
        for position in range(22, 6 + length - 9, 10):
            section, size, index = struct.unpack_from("<HII", data, position)
            body = data[index + 15 : index - 1 + size] if index and size else b""
            if section == 3 and body:
                spans = [struct.unpack_from("<II", body, 2 + 9 * k) for k in range(body[0])]
                if len(spans) > MOST_LEADS or any(last - first >= MOST_SAMPLES for first, last in spans):
                    raise refused
            if section == 4 and len(body) >= 6 and struct.unpack_from("<H", body, 4)[0] > MOST_BEATS:
                raise refused
    except struct.error:
        raise refused from None


def _require_sierra_bounds(root: Element) -> None:
    """Raise InputError where the waveforms of a Philips XML file would unpack to more than a resting ECG has.

    An XLI block is a number of chunks, one per lead: 4 bytes of length, 4 others, and codes of 10 bits (LZW) for
    bytes, two of which make a sample.
    """
    for element in root.iter("parsedwaveforms"):
        if not any(value.strip().upper() == "XLI" for value in element.attrib.values()):
            continue
        text = "".join([element.text or "", *(child.tail or "" for child in element)])
        try:
            packed = b64decode("".join(text.split()), validate=True)
        except ValueError:
            continue  # damaged: the parser says so
        chunks = position = 0
        while position + 8 <= len(packed):
            size = int.from_bytes(packed[position : position + 4], "little", signed=True)
            position += 8
            if size <= 0 or size > len(packed) - position:
                break  # not XLI, or damaged
            chunks += 1
            if chunks > MOST_LEADS or _unpacks_beyond(packed[position : position + size], 2 * MOST_SAMPLES):
                raise InputError("The ECG file would unpack to more than a resting ECG: refused.")
            position += size


def _unpacks_beyond(packed: bytes, most: int) -> bool:
    """Whether LZW codes of 10 bits unpack to more than ``most`` bytes; only lengths are followed."""
    lengths = [1] * 256
    total = previous = 0
    for k in range(len(packed) * 8 // _LZW_BITS):
        start = k * _LZW_BITS
        word = int.from_bytes(packed[start // 8 : start // 8 + 3].ljust(3, b"\0"), "big")
        code = (word >> (24 - _LZW_BITS - start % 8)) & 0x3FF
        if code == 0x3FF:
            break
        length = lengths[code] if code < len(lengths) else previous + 1
        if previous and len(lengths) < 0x3FF:
            lengths.append(previous + 1)
        previous = length
        total += length
        if total > most:
            return True
    return False
