"""Read an EDF or EDF+ file, through edfio, from the disk piece by piece."""

from __future__ import annotations

import warnings
from datetime import datetime
from pathlib import Path

import edfio
import numpy as np
from edfio import AnonymizedDateError
from numpy.typing import NDArray

from ScarSegECGLib.ecg.checks import check_rate
from ScarSegECGLib.ecg.leads import canonical_name
from ScarSegECGLib.ecg.recording import LONGEST_S, MILLIVOLTS, Recording, require_size
from ScarSegECGLib.errors import InputError

MOST_SIGNALS = 128
LARGEST_FILE = 512_000_000


def looks_like_edf(start: bytes) -> bool:
    """Whether a file's first bytes are EDF's: version 0, and a header length that fits its number of signals."""
    if start[:8] != b"0       " or len(start) < 256:
        return False
    length, signals = start[184:192].strip(), start[252:256].strip()
    return length.isdigit() and signals.isdigit() and int(length) == 256 * (int(signals) + 1)


def read_edf(path: Path) -> Recording:
    """Read the standard leads, at most their first 60 s.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Recording
        ``acquired`` is the start date and time; None where EDF+ says "Startdate X".

    Raises
    ------
    InputError
        Damaged or truncated, interrupted (EDF+D with gaps), leads of unequal rate or without a voltage as unit.
    """
    require_size(path, LARGEST_FILE, "the EDF file")
    with path.open("rb") as stream:
        header = stream.read(256)
    damaged = InputError("The EDF file is damaged: copy or export it again.")
    try:
        signals, records = int(header[252:256]), int(header[236:244])
    except ValueError:
        raise damaged from None
    if not 0 < signals <= MOST_SIGNALS:
        raise InputError(f"The ECG file has {signals} signals: this is no 12-lead ECG.")
    # edfio's warnings and errors quote header fields, which may hold a patient's name.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            edf = edfio.read_edf(path, lazy_load_data=True)
            if records > edf.num_data_records:
                raise InputError("The ECG file is truncated: copy or export it again.")
            if edf.reserved.startswith("EDF+D") and not edf.is_continuous:
                raise InputError("The ECG file is interrupted (EDF+D): export one uninterrupted recording.")
            rate, found = _signals(edf)
            acquired, notes = _acquired(edf)
            longer = edf.duration > LONGEST_S
        except InputError:
            raise
        except Exception:
            raise damaged from None
    if longer:
        notes = (*notes, f"Only the first {LONGEST_S:g} s were read.")
    plus = edf.reserved.startswith("EDF+")
    return Recording(signals=found, rate=rate, acquired=acquired, notes=notes, format="EDF+" if plus else "EDF")


def _signals(edf: edfio.Edf) -> tuple[float, dict[str, NDArray[np.float64]]]:
    """Rate and standard leads in mV."""
    leads: dict[str, edfio.EdfSignal] = {}
    for signal in edf.signals:
        name = canonical_name(signal.label)
        if name is not None:
            leads.setdefault(name, signal)
    rates = {float(signal.sampling_frequency) for signal in leads.values()}
    if len(rates) > 1:
        raise InputError("The leads have different sampling rates: export all leads at one rate.")
    if not rates:
        raise InputError("The EDF file holds no standard ECG lead: its labels must say I, II, V1 and so on.")
    rate = rates.pop()
    check_rate(rate)
    seconds = min(LONGEST_S, edf.duration)
    found = {}
    for name, signal in leads.items():
        scale = MILLIVOLTS.get(signal.physical_dimension.strip().lower())
        if scale is None:
            raise InputError(f"The unit of lead {name} is not a voltage: export the ECG in mV or uV.")
        if len(set(signal.digital_range)) < 2 or len(set(signal.physical_range)) < 2:
            raise InputError(f"Lead {name} has no calibration: export the ECG again.")
        found[name] = signal.get_data_slice(0, seconds) * scale
    return rate, found


def _acquired(edf: edfio.Edf) -> tuple[datetime | None, tuple[str, ...]]:
    try:
        return edf.startdatetime.replace(microsecond=0), ()
    except AnonymizedDateError:
        return None, ()
    except ValueError:
        return None, ("The stored date is not a date.",)
