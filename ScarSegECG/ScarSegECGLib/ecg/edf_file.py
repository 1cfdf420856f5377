"""Read an EDF or EDF+ file, through edfio, from the disk piece by piece."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from pathlib import Path

import edfio
import numpy as np
from edfio import AnonymizedDateError

from ScarSegECGLib.ecg.leads import Channel, lead_name
from ScarSegECGLib.ecg.recording import LONGEST_S, Recording, calibrated, check_rate, require_size, told_as
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import EcgNote

MOST_SIGNALS = 128
LARGEST_FILE, LARGEST_IN_MEMORY = 512_000_000, 128_000_000


def looks_like_edf(start: bytes) -> bool:
    """Whether a file's first bytes are EDF's: version 0, and a header length that fits its number of signals."""
    if start[:8] != b"0       " or len(start) < 256:
        return False
    length, signals = start[184:192].strip(), start[252:256].strip()
    return length.isdigit() and signals.isdigit() and int(length) == 256 * (int(signals) + 1)


def read_edf(path: Path) -> Recording:
    """Read the standard leads; ``acquired`` is the start, None where EDF+ says "Startdate X".

    InputError for what is damaged, truncated or interrupted (EDF+D with gaps), leads of unequal rate or without a
    voltage as unit.
    """
    require_size(path, LARGEST_FILE, "the EDF file")
    with path.open("rb") as stream:
        header = stream.read(256)
    with told_as(InputError("The EDF file is damaged: copy or export it again.")):
        signals, records = int(header[252:256]), int(header[236:244])
        if not 0 < signals <= MOST_SIGNALS:
            raise InputError(f"The ECG file has {signals} signals: this is no 12-lead ECG.")
        edf = edfio.read_edf(_plain(path, 256 * (signals + 1)), lazy_load_data=True)
        if records > edf.num_data_records:
            raise InputError("The ECG file is truncated: copy or export it again.")
        if edf.reserved.startswith("EDF+D") and not edf.is_continuous:
            raise InputError("The ECG file is interrupted (EDF+D): export one uninterrupted recording.")
        rate, channels = _channels(edf)
        acquired, trusted, notes = _acquired(edf, header[168:176])
        plus = edf.reserved.startswith("EDF+")
    return Recording(channels, rate, acquired, trusted, notes=notes, format="EDF+" if plus else "EDF")


def _plain(path: Path, header: int) -> Path | bytes:
    """The file, or a copy in memory whose header is ASCII: many write umlauts and the micro sign into it."""
    with path.open("rb") as stream:
        head = stream.read(header)
        if head.isascii():
            return path
        require_size(path, LARGEST_IN_MEMORY, "the EDF file, whose header is not ASCII,")
        text = re.sub(r"Âµ|Î¼|Âμ", "u\0", head.decode("latin-1")).replace("µ", "u")
        # Letters keep their base, so that each stays one byte; a unit stays at its field's beginning.
        text = "".join(unicodedata.normalize("NFD", letter)[0] for letter in text)
        text = re.sub(r"u\0(V *)", r"u\1 ", text).replace("\0", " ")
        return text.encode("ascii", "replace") + stream.read()


def _channels(edf: edfio.Edf) -> tuple[float, tuple[Channel, ...]]:
    """Rate and all channels of the standard leads' rate; others without samples, for their names."""
    leads = [signal for signal in edf.signals if lead_name(signal.label) is not None]
    rates = {float(signal.sampling_frequency) for signal in leads}
    if len(rates) > 1:
        raise InputError("The leads have different sampling rates: export all leads at one rate.")
    if not rates:
        raise InputError("The EDF file holds no standard ECG lead: its labels must say I, II, V1 and so on.")
    rate = rates.pop()
    check_rate(rate)
    seconds = min(LONGEST_S + 1, edf.duration)
    found = []
    for signal in leads:
        low, high = signal.physical_range
        flat = low == high or len(set(signal.digital_range)) < 2 or not np.isfinite([low, high]).all()
        values = np.zeros(0) if flat else signal.get_data_slice(0, seconds)
        found.append(calibrated(signal.label, values, 0.0 if flat else 1.0, signal.physical_dimension))
    others = (Channel(signal.label, np.zeros(0)) for signal in edf.signals if lead_name(signal.label) is None)
    return rate, (*found, *others)


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
