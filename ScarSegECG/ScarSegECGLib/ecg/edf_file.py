"""Read an EDF or EDF+ file, through edfio, from the disk piece by piece."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import edfio
import numpy as np
from edfio import AnonymizedDateError

from ScarSegECGLib.ecg.leads import Channel, lead_name
from ScarSegECGLib.ecg.recording import LONGEST_S, Part, Recording, calibrated
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import EcgNote

MOST_SIGNALS = 128


def looks_like_edf(start: bytes) -> bool:
    """Whether a file's first bytes are EDF's: version 0, and a header length that fits its number of signals."""
    length, signals = start[184:192].strip(), start[252:256].strip()
    fit = length.isdigit() and signals.isdigit() and int(length) == 256 * (int(signals) + 1)
    return fit and start.startswith(b"0       ")


def read_edf(path: Path) -> Recording:
    """Read the standard leads; ``acquired`` is the start, None where EDF+ says "Startdate X".

    InputError for what is truncated or interrupted (EDF+D with gaps), leads of unequal rate or without a voltage as
    unit.
    """
    with path.open("rb") as stream:
        header = stream.read(256)
    signals, records = int(header[252:256]), int(header[236:244])
    if not 0 < signals <= MOST_SIGNALS:
        raise InputError(f"The ECG file has {signals} signals: this is no 12-lead ECG.")
    edf = edfio.read_edf(path, lazy_load_data=True, header_encoding="latin-1")
    if records > edf.num_data_records:
        raise InputError("The ECG file is truncated: copy or export it again.")
    if edf.reserved.startswith("EDF+D") and not edf.is_continuous:
        raise InputError("The ECG file is interrupted (EDF+D): export one uninterrupted recording.")
    acquired, trusted, notes = _acquired(edf, header[168:176])
    name = "EDF+" if edf.reserved.startswith("EDF+") else "EDF"
    return Recording([_part(edf)], name, acquired, trusted, notes=notes)


def _part(edf: edfio.Edf) -> Part:
    """The standard leads, which must be of one rate; other channels without samples, for their names."""
    labels = {signal: _decoded(signal.label) for signal in edf.signals}
    leads = [signal for signal, label in labels.items() if lead_name(label) is not None]
    rates = {float(signal.sampling_frequency) for signal in leads}
    if len(rates) > 1:
        raise InputError("The leads have different sampling rates: export all leads at one rate.")
    if not rates:
        raise InputError("The EDF file holds no standard ECG lead: its labels must say I, II, V1 and so on.")
    channels = [Channel(label, np.zeros(0)) for signal, label in labels.items() if signal not in leads]
    for signal in leads:
        low, high = signal.physical_range
        flat = low == high or len(set(signal.digital_range)) < 2 or not np.isfinite([low, high]).all()
        values = np.zeros(0) if flat else signal.get_data_slice(0, min(LONGEST_S + 1, edf.duration))
        channels.append(calibrated(labels[signal], values, 0.0 if flat else 1.0, _decoded(signal.physical_dimension)))
    return Part(tuple(channels), rates.pop())


def _decoded(text: str) -> str:
    """Text of a header, which should be ASCII: many write umlauts and the micro sign into it, as Latin-1 or UTF-8."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return text


def _acquired(edf: edfio.Edf, stored: bytes) -> tuple[datetime | None, bool, tuple[Fact, ...]]:
    """The start, and whether it can be trusted: not where EDF+'s own field and the header name different days."""
    try:
        found = edf.startdatetime.replace(microsecond=0)
    except AnonymizedDateError:
        return None, True, ()
    except ValueError:
        return None, True, (Fact(EcgNote.DATE_UNREADABLE),)
    own = stored.decode("latin-1")
    if own != "01.01.85" and re.fullmatch(r"\d\d\.\d\d\.\d\d", own) and own != f"{found:%d.%m.%y}":
        return found, False, (Fact(EcgNote.DATES_DIFFER),)
    return found, True, ()
