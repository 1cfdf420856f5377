"""Read a DICOM ECG waveform object (12-Lead ECG, General ECG and their kin)."""

from __future__ import annotations

import re
import warnings
from datetime import datetime
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.valuerep import DT
from pydicom.waveforms import multiplex_array

from ScarSegECGLib.case import LEADS
from ScarSegECGLib.ecg.checks import check_rate
from ScarSegECGLib.ecg.leads import canonical_name
from ScarSegECGLib.ecg.recording import (
    LONGEST_S,
    MILLIVOLTS,
    PACED_STATEMENT,
    Recording,
    plausible_measures,
    require_size,
    states_pacing,
)
from ScarSegECGLib.ecg.subject import subject_of_dicom
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.dicom_files import DicomFile
from ScarSegECGLib.lge.dicom_tags import dates_trusted

# 12-Lead, General, Ambulatory and General 32-bit ECG Waveform Storage.
ECG_CLASSES = {f"1.2.840.10008.5.1.4.1.1.9.1.{n}" for n in (1, 2, 3, 4)}
LARGEST_FILE = 128_000_000
# Deflated Explicit VR Little Endian: a megabyte can unpack to a gigabyte, and pydicom sets no bound.
_DEFLATED = b"1.2.840.10008.1.2.1.99"

# The last number of a lead code is the same in SCP-ECG (5.6.3-9-n) and MDC (2:n).
_LEAD_NUMBERS = dict(zip((1, 2, 61, 62, 63, 64, 3, 4, 5, 6, 7, 8), LEADS, strict=True))
_LEAD_CODES = {"SCPECG": re.compile(r"5\.6\.3-9-(\d+)"), "MDC": re.compile(r"2:(\d+)")}
_MEASURES = {
    "qrs duration": "qrs",
    "pr interval": "pr",
    "qt interval": "qt",
    "qtc interval": "qtc",
    "qrs axis": "axis",
}
_MEASURE_CODES = {
    "5.13.5-9": "qrs duration",
    "5.13.5-7": "pr interval",
    "5.13.5-11": "qt interval",
    "5.10.2.5-5": "qtc interval",
    "5.10.3-13": "qrs axis",
    "2:16156": "qrs duration",
    "2:15872": "pr interval",
    "2:16160": "qt interval",
    "2:15876": "qtc interval",
    "2:16132": "qrs axis",
}


def read_dicom_ecg(path: Path) -> Recording:
    """Read the rhythm recording of one DICOM ECG; a median beat stored beside it is left alone.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Recording
        ``acquired`` is AcquisitionDateTime as stored, without its time zone.

    Raises
    ------
    InputError
        Not DICOM, not an ECG, truncated, or without a calibrated lead.
    """
    require_size(path, LARGEST_FILE, "the DICOM file")
    with path.open("rb") as stream:
        if _DEFLATED in stream.read(4096):
            raise InputError("The file is a deflated DICOM file, which is not read: export it uncompressed.")
    # pydicom's warnings quote the values that they are about, which may be a patient's name.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _recording(path)
        except (InputError, OSError, MemoryError):
            raise
        except Exception:  # annotations and codes are read one by one, and pydicom raises many kinds on broken ones
            raise InputError("The ECG file cannot be read as DICOM: copy it again from its source.") from None


def _recording(path: Path) -> Recording:
    try:
        with DicomFile(path).open() as stream:  # bounded: no length is believed, nothing is inflated unseen
            dataset = pydicom.dcmread(stream, force=True)
        kind = str(dataset.get("SOPClassUID", ""))
        groups = list(dataset.get("WaveformSequence") or [])
    except InputError:
        raise
    except Exception as error:  # pydicom raises many kinds on damaged files
        raise InputError("The ECG file cannot be read as DICOM: copy it again from its source.") from error
    if kind not in ECG_CLASSES:
        name = pydicom.uid.UID(kind).name
        known = name if kind and name != kind else "another kind of file"
        raise InputError(f"The file is not an ECG but {known}: choose the ECG file.")
    if not groups:
        raise InputError("The ECG file holds no waveform: export the ECG with its signals.")
    try:
        index = max(range(len(groups)), key=lambda k: _rhythm_rank(groups[k]))
        group = groups[index]
        rate = float(group.get("SamplingFrequency") or 0)
        check_rate(rate)
        signals = _signals(dataset, index, rate)
    except InputError:
        raise
    except Exception as error:
        raise InputError("The waveform of the ECG file is damaged or truncated: copy it again.") from error
    notes = [PACED_STATEMENT] if _states_pacing(dataset) else []
    if float(group.NumberOfWaveformSamples) > LONGEST_S * rate:
        notes.append(f"Only the first {LONGEST_S:g} s were read.")
    return Recording(
        signals=signals,
        rate=rate,
        acquired=_acquired(dataset),
        date_trusted=dates_trusted(dataset),
        device_ms=_device_measurements(dataset),
        notes=tuple(notes),
        format="DICOM ECG waveform",
        subject=subject_of_dicom(dataset),
    )


def _rhythm_rank(group: Dataset) -> tuple[bool, bool, float]:
    """Order of multiplex groups: no median beat, original, longest."""
    label = str(group.get("MultiplexGroupLabel") or "").upper()
    seconds = float(group.get("NumberOfWaveformSamples") or 0) / max(float(group.get("SamplingFrequency") or 0), 1e-9)
    median = any(word in label for word in ("MEDIAN", "AVERAGE", "REPRESENTATIVE", "TEMPLATE"))
    return not median, str(group.get("WaveformOriginality") or "").upper() == "ORIGINAL", seconds


def _signals(dataset: Dataset, index: int, rate: float) -> dict[str, np.ndarray]:
    """Calibrated standard leads of one multiplex group, mV. Channels without a sensitivity cannot be used."""
    group = dataset.WaveformSequence[index]
    stored = (
        int(group.NumberOfWaveformSamples) * int(group.NumberOfWaveformChannels) * int(group.WaveformBitsAllocated) // 8
    )
    if len(group.WaveformData) < stored:
        raise ValueError("waveform data are shorter than stated")
    values = multiplex_array(dataset, index, as_raw=False)[: round(LONGEST_S * rate)]
    signals: dict[str, np.ndarray] = {}
    for column, channel in enumerate(group.ChannelDefinitionSequence):
        name = lead_name(channel)
        if name is None or name in signals:
            continue
        if channel.get("ChannelSensitivity") is None or not channel.get("ChannelSensitivityUnitsSequence"):
            raise InputError(f"Lead {name} has no calibration: export the ECG with its channel sensitivity.")
        unit = str(channel.ChannelSensitivityUnitsSequence[0].get("CodeValue") or "").strip().lower()
        if unit not in MILLIVOLTS:
            raise InputError(f"The unit of lead {name} is not a voltage: this is not a calibrated ECG.")
        signals[name] = np.asarray(values[:, column], dtype=np.float64) * MILLIVOLTS[unit]
    return signals


def lead_name(channel: Dataset) -> str | None:
    """A channel's lead by its source code (SCP-ECG or MDC), else by the code's meaning or the channel's label."""
    for source in channel.get("ChannelSourceSequence") or []:
        pattern = _LEAD_CODES.get(str(source.get("CodingSchemeDesignator") or "").upper())
        match = pattern.fullmatch(str(source.get("CodeValue") or "").strip()) if pattern else None
        if match is not None:
            return _LEAD_NUMBERS.get(int(match.group(1)))
        name = canonical_name(str(source.get("CodeMeaning") or "")) or canonical_name(
            str(source.get("CodeValue") or "")
        )
        if name is not None:
            return name
    return canonical_name(str(channel.get("ChannelLabel") or ""))


def _acquired(dataset: Dataset) -> datetime | None:
    try:
        value = DT(str(dataset.get("AcquisitionDateTime") or ""))
        return None if value is None else datetime(*value.timetuple()[:6])
    except (ValueError, TypeError, OverflowError):
        return None


def _device_measurements(dataset: Dataset) -> dict[str, float]:
    """The device's global measurements, ms and degrees; values no heart has (0 for "not measured") are left out."""
    found: dict[str, float] = {}
    for note in dataset.get("WaveformAnnotationSequence") or []:
        for concept in note.get("ConceptNameCodeSequence") or []:
            code = str(concept.get("CodeValue") or "").strip()
            meaning = _MEASURE_CODES.get(code, str(concept.get("CodeMeaning") or "").strip().lower())
            name = _MEASURES.get(meaning, "")
            value = note.get("NumericValue")
            if not name or name in found or value is None:
                continue
            number = float(value[0] if isinstance(value, (list, pydicom.multival.MultiValue)) else value)
            found |= plausible_measures({name: number})
    return found


def _states_pacing(dataset: Dataset) -> bool:
    notes = dataset.get("WaveformAnnotationSequence") or []
    return any(states_pacing(str(note.get("UnformattedTextValue") or "")) for note in notes)
