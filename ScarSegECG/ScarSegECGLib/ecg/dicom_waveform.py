"""Read a DICOM ECG waveform object (12-Lead ECG, General ECG and their kin)."""

from __future__ import annotations

import re
import warnings
from datetime import datetime
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.valuerep import DT
from pydicom.waveforms import multiplex_array

from ScarSegECGLib.case import LEADS
from ScarSegECGLib.ecg.checks import check_rate
from ScarSegECGLib.ecg.leads import LeadName, lead_name
from ScarSegECGLib.ecg.parts import Part, the_ecg
from ScarSegECGLib.ecg.recording import (
    LONGEST_S,
    Channel,
    Recording,
    plausible_measures,
    require_size,
    scaled,
    states_pacing,
)
from ScarSegECGLib.ecg.subject import subject_of_dicom
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.dicom_files import DicomFile
from ScarSegECGLib.lge.dicom_tags import dates_trusted

# 12-Lead, General, Ambulatory and General 32-bit ECG Waveform Storage.
ECG_CLASSES = {f"1.2.840.10008.5.1.4.1.1.9.1.{n}" for n in (1, 2, 3, 4)}
LARGEST_FILE = 128_000_000
MOST_GROUPS = 64
# Deflated Explicit VR Little Endian: a megabyte can unpack to a gigabyte, and pydicom sets no bound.
_DEFLATED = b"1.2.840.10008.1.2.1.99"

# The last number of a lead code is the same in SCP-ECG (5.6.3-9-n) and MDC (2:n); 65 is -aVR.
_LEAD_NUMBERS = {n: LeadName(lead) for n, lead in zip((1, 2, 61, 62, 63, 64, 3, 4, 5, 6, 7, 8), LEADS, strict=True)}
_LEAD_NUMBERS[65] = LeadName("aVR", inverted=True)
_LEAD_CODES = {"SCPECG": re.compile(r"5\.6\.3-9-(\d+)"), "MDC": re.compile(r"2:(\d+)")}
_MEASURES = {
    "qrs": ("qrs duration", "5.13.5-9", "2:16156"),
    "pr": ("pr interval", "5.13.5-7", "2:15872"),
    "qt": ("qt interval", "5.13.5-11", "2:16160"),
    "qtc": ("qtc interval", "5.10.2.5-5", "2:15876"),
    "axis": ("qrs axis", "5.10.3-13", "2:16132"),
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
        Not DICOM, not an ECG, truncated, without a calibrated lead, or with leads of different times.
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
    with DicomFile(path).open() as stream:  # bounded: no length is believed, nothing is inflated unseen
        dataset = pydicom.dcmread(stream, force=True)
    kind = str(dataset.get("SOPClassUID", ""))
    groups = list(dataset.get("WaveformSequence") or [])
    if kind not in ECG_CLASSES:
        name = pydicom.uid.UID(kind).name
        known = name if kind and name != kind else "another kind of file"
        raise InputError(f"The file is not an ECG but {known}: choose the ECG file.")
    if not groups or len(groups) > MOST_GROUPS:
        raise InputError("The ECG file holds no waveform: export the ECG with its signals.")
    rhythm = [k for k, group in enumerate(groups) if not _is_median(group)]
    try:
        parts = [_part(dataset, k) for k in rhythm or range(len(groups))]
    except InputError:
        raise
    except Exception as error:
        raise InputError("The waveform of the ECG file is damaged or truncated: copy it again.") from error
    ecg, notes = the_ecg(parts)
    check_rate(ecg.rate)
    return Recording(
        channels=ecg.channels,
        rate=ecg.rate,
        acquired=_acquired(dataset),
        date_trusted=dates_trusted(dataset),
        device_ms=_device_measurements(dataset),
        stated_paced=_states_pacing(dataset),
        notes=notes,
        format="DICOM ECG waveform",
        subject=subject_of_dicom(dataset),
    )


def _is_median(group: Dataset) -> bool:
    label = str(group.get("MultiplexGroupLabel") or "").upper()
    return any(word in label for word in ("MEDIAN", "AVERAGE", "REPRESENTATIVE", "TEMPLATE"))


def _part(dataset: Dataset, index: int) -> Part:
    """One multiplex group: its channels, mV, with NaN where a sample is padding."""
    group = dataset.WaveformSequence[index]
    rate = float(group.get("SamplingFrequency") or 0)
    check_rate(rate)
    bits = int(group.WaveformBitsAllocated)
    stored = int(group.NumberOfWaveformSamples) * int(group.NumberOfWaveformChannels) * bits // 8
    if len(group.WaveformData) < stored:
        raise ValueError("waveform data are shorter than stated")
    values = multiplex_array(dataset, index, as_raw=True)[: round(LONGEST_S * rate) + 1]
    little = dataset.original_encoding[1] is not False
    if not little and bits > 8:  # pydicom leaves the bytes of samples as they are
        values = values.byteswap()
    padding = group.get("WaveformPaddingValue")
    if isinstance(padding, bytes) and len(padding) >= values.itemsize:
        order = "little" if little else "big"
        signed = np.issubdtype(values.dtype, np.signedinteger)
        padding = int.from_bytes(padding[: values.itemsize], order, signed=signed)  # type: ignore[arg-type]
    missing = values == padding if isinstance(padding, int) else np.zeros(values.shape, dtype=bool)
    offset = group.get("MultiplexGroupTimeOffset")
    channels = tuple(
        _channel(channel, np.asarray(values[:, k]), missing[:, k], rate)
        for k, channel in enumerate(group.ChannelDefinitionSequence)
    )
    return Part(channels, rate, None if offset is None else float(offset) / 1000)


def _channel(channel: Dataset, values: NDArray, missing: NDArray[np.bool_], rate: float) -> Channel:
    label = channel_label(channel)
    lead = lead_name(label)
    if lead is None:
        return Channel(label, np.asarray(values, dtype=np.float64))
    gain = channel.get("ChannelSensitivity")
    units = channel.get("ChannelSensitivityUnitsSequence") or [Dataset()]
    correction = channel.get("ChannelSensitivityCorrectionFactor")
    millivolts = scaled(
        lead.name,
        values,
        None if gain is None or not units[0] else float(gain) * (1.0 if correction is None else float(correction)),
        str(units[0].get("CodeValue") or ""),
        baseline=float(channel.get("ChannelBaseline") or 0.0),
    )
    skew = float(channel.get("ChannelTimeSkew") or 0.0) or float(channel.get("ChannelSampleSkew") or 0.0) / rate
    return Channel(label, np.where(missing, np.nan, millivolts), skew)


def channel_label(channel: Dataset) -> str:
    """What a channel's source code (SCP-ECG or MDC), the code's meaning and the channel's label call it.

    Where they name different leads it is none of them; a meaning or label with a minus turns what a code leaves plain.
    """
    told: list[LeadName] = []
    texts = []
    for source in channel.get("ChannelSourceSequence") or []:
        pattern = _LEAD_CODES.get(str(source.get("CodingSchemeDesignator") or "").upper())
        match = pattern.fullmatch(str(source.get("CodeValue") or "").strip()) if pattern else None
        if match is not None and (coded := _LEAD_NUMBERS.get(int(match.group(1)))) is not None:
            told.append(coded)
        texts += [str(source.get("CodeMeaning") or ""), str(source.get("CodeValue") or "")]
    texts.append(str(channel.get("ChannelLabel") or ""))
    told += [lead for text in texts if (lead := lead_name(text)) is not None]
    names = {lead.name for lead in told}
    if len(names) != 1:
        return next((text for text in texts if text), "") if not names else " or ".join(sorted(names))
    return ("-" if any(lead.inverted for lead in told) else "") + names.pop()


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
            told = {str(concept.get("CodeValue") or "").strip(), str(concept.get("CodeMeaning") or "").strip().lower()}
            name = next((name for name, known in _MEASURES.items() if told & set(known)), "")
            value = note.get("NumericValue")
            if not name or name in found or value is None:
                continue
            number = float(value[0] if isinstance(value, (list, pydicom.multival.MultiValue)) else value)
            found |= plausible_measures({name: number})
    return found


def _states_pacing(dataset: Dataset) -> bool:
    notes = dataset.get("WaveformAnnotationSequence") or []
    return any(states_pacing(str(note.get("UnformattedTextValue") or "")) for note in notes)
