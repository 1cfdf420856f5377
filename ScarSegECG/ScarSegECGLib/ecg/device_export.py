"""Read what ECG carts and archives export (HL7 aECG, GE MUSE, Philips Sierra, SCP-ECG, ISHNE), through ecgdatakit.

Files are bounded before the parser sees them: their size, the samples they declare, and what they unpack to.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
from ecgdatakit.exceptions import UnsupportedFormatError
from ecgdatakit.models import ECGRecord
from ecgdatakit.parsing import FileParser

from ScarSegECGLib.case import Subject
from ScarSegECGLib.ecg.checks import check_rate
from ScarSegECGLib.ecg.leads import lead_name
from ScarSegECGLib.ecg.packed_sizes import require_scp_bounds, require_sierra_bounds
from ScarSegECGLib.ecg.parts import Part, the_ecg
from ScarSegECGLib.ecg.recording import (
    Channel,
    Recording,
    plausible_measures,
    require_size,
    scaled,
    states_pacing,
    stored_date,
)
from ScarSegECGLib.ecg.subject import subject, years_between
from ScarSegECGLib.ecg.xml_parts import xml_parts
from ScarSegECGLib.errors import InputError

# By the parser's name for each format: the usual name and, for those that are not XML, the most bytes.
NAMES = {
    "hl7_aecg": "HL7 aECG",
    "ge_muse_xml": "GE MUSE XML",
    "sierra_xml": "Philips Sierra XML",
    "scp_ecg": "SCP-ECG",
    "ishne_holter": "ISHNE",
}
_LARGEST = {"scp_ecg": 2_000_000, "ishne_holter": 32_000_000}
_NUMBER = re.compile(r"\s*(\d{2,3}(?:\.\d+)?)\b")


def read_device_export(path: Path, kind: str) -> Recording:
    """Read the rhythm recording of one exported file; a median beat stored beside it is left alone.

    Parameters
    ----------
    path : Path
        For XML, one that :func:`ScarSegECGLib.ecg.xml_guard.xml_root_name` let through.
    kind : str
        A key of :data:`NAMES`: what the content is.

    Returns
    -------
    Recording
        ``acquired`` without time zone; midnight where the file has a day but no time.

    Raises
    ------
    InputError
        Damaged, of an unknown version, without signals or calibration, leads of unequal length or rate.
    """
    name = NAMES[kind]
    if kind in _LARGEST:
        require_size(path, _LARGEST[kind], name)
    if kind == "scp_ecg":
        require_scp_bounds(path)
    if kind == "sierra_xml":
        require_sierra_bounds(path)
    # The parser's warnings and errors quote values, which may be a patient's.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            record = FileParser.parse(path)
            parts = xml_parts(path, kind) if kind in ("hl7_aecg", "ge_muse_xml") else [_part(record)]
        except UnsupportedFormatError:
            raise InputError(
                f"The ECG file is of a version or kind of {name} that is not read: export it anew."
            ) from None
        except InputError:
            raise
        except Exception:
            raise InputError(f"The ECG file is damaged or incomplete for {name}: export the ECG again.") from None
    if record.source_format != kind:
        raise InputError(f"The ECG file is damaged or incomplete for {name}: export the ECG again.")
    for part in parts:
        check_rate(part.rate)
    ecg, notes = the_ecg(parts)
    return Recording(
        channels=ecg.channels,
        rate=ecg.rate,
        acquired=_acquired(record),
        device_ms=_device_measurements(record),
        stated_paced=any(states_pacing(text) for text in _statements(record)),
        notes=notes,
        format=f"{name} {version}" if (version := _version(record)) else name,
        subject=_subject(record),
    )


def _subject(record: ECGRecord) -> Subject:
    """Whose it is; the age as stated, else from the dates of birth and recording."""
    whose, when = record.patient, _acquired(record)
    born = whose.birth_date.date() if whose.birth_date else None
    age = years_between(born, when.date() if when else None) if whose.age is None else float(whose.age)
    return subject(whose.patient_id, whose.sex, age)


def _part(record: ECGRecord) -> Part:
    """The channels of a format that holds one recording, mV."""
    if not record.leads:
        raise InputError("The file holds no ECG leads: export the ECG with its signals.")
    interval_us = record.raw_metadata.get("rhythm_sample_interval_us")
    rate = float(1e6 / interval_us if interval_us else record.leads[0].sampling_rate)
    channels = []
    for stored in record.leads:
        lead = lead_name(stored.label)
        samples = np.asarray(stored.samples, dtype=np.float64)
        start = (float(stored.annotations.get("start_sample", 1)) - 1) / rate
        if lead is not None:
            if abs(stored.sampling_rate - rate) > 1:
                raise InputError("The leads have different sampling rates: export all leads at one rate.")
            samples = scaled(lead.name, samples, None if stored.is_raw else 1.0, stored.units or "mV")
            if record.source_format == "ishne_holter":  # the format's mark for a sample that was not taken
                samples[np.isclose(samples, -32768 * stored.adc_resolution * 1e-6)] = np.nan
        channels.append(Channel(stored.label, samples, start))
    return Part(tuple(channels), rate)


def _acquired(record: ECGRecord) -> datetime | None:
    """The recording's date and time as stored; the day alone where the parser kept it for want of a time."""
    if record.recording.date is not None:
        return record.recording.date.replace(tzinfo=None)
    meta = record.raw_metadata
    # MUSE writes the month first, where a dot does not say otherwise.
    found, _ = stored_date(str(meta.get("acquisition_date") or ""), month_first=True)
    return found or stored_date(str(meta.get("effective_time") or "")[:8])[0]


def _device_measurements(record: ECGRecord) -> dict[str, float]:
    """The device's global measurements; QRS from its own onset and offset where only these are stored (SCP-ECG)."""
    measured, noted = record.measurements, record.annotations
    marks = {
        name: _number(noted.get(f"median_{name}_ms")) for name in ("p_onset", "qrs_onset", "qrs_offset", "t_offset")
    }
    qtc = next(
        (
            value
            for value in (
                measured.qtc_bazett,
                _number(noted.get("QTCorrected")),
                _number(noted.get("MDC_ECG_TIME_PD_QTc")),
                _number(noted.get("qtc")),
            )
            if value
        ),
        None,
    )
    return plausible_measures(
        {
            "qrs": measured.qrs_duration or _between(marks["qrs_onset"], marks["qrs_offset"]),
            "pr": measured.pr_interval or _between(marks["p_onset"], marks["qrs_onset"]),
            "qt": measured.qt_interval or _between(marks["qrs_onset"], marks["t_offset"]),
            "qtc": qtc,
            "axis": measured.qrs_axis,
        }
    )


def _number(text: object) -> float | None:
    match = _NUMBER.match(str(text or ""))
    return float(match.group(1)) if match else None


def _between(first: float | None, last: float | None) -> float | None:
    return None if first is None or last is None else last - first


def _statements(record: ECGRecord) -> Iterator[str]:
    for left, _right in record.interpretation.statements:
        yield left
    yield str(record.annotations.get("machine_interpretation") or "")


def _version(record: ECGRecord) -> str:
    """The format's version where it is short and harmless enough to be shown."""
    text = record.file_format.version
    return text if record.source_format == "sierra_xml" and re.fullmatch(r"[\d.]{1,10}", text) else ""
