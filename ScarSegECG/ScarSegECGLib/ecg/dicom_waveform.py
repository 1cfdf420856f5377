"""Read a DICOM ECG waveform object (12-Lead ECG, General ECG and their kin)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.waveforms import multiplex_array

from ScarSegECGLib.case import LEADS
from ScarSegECGLib.ecg.leads import Channel, check_rate, lead_name
from ScarSegECGLib.ecg.recording import LONGEST_S, PACING, Part, Recording, calibrated, plausible_measures
from ScarSegECGLib.ecg.subject import subject_of_dicom
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.dicom_files import bounded
from ScarSegECGLib.lge.dicom_frames import dates_trusted, moment_of, text_of
from ScarSegECGLib.lge.files import StudyFile

# 12-Lead, General, Ambulatory and General 32-bit ECG Waveform Storage.
ECG_CLASSES = {f"1.2.840.10008.5.1.4.1.1.9.1.{n}" for n in (1, 2, 3, 4)}
MOST_GROUPS = 64

# The last number of a lead code is the same in SCP-ECG (5.6.3-9-n) and MDC (2:n); 65 is -aVR.
_LEAD_NUMBERS = dict(zip((*LEADS, "-aVR"), (1, 2, 61, 62, 63, 64, 3, 4, 5, 6, 7, 8, 65), strict=True))
_LEAD_CODES = {("SCPECG", f"5.6.3-9-{number}"): lead for lead, number in _LEAD_NUMBERS.items()}
_LEAD_CODES |= {("MDC", f"2:{number}"): lead for lead, number in _LEAD_NUMBERS.items()}
_MEDIAN_WORDS = ("MEDIAN", "AVERAGE", "REPRESENTATIVE", "TEMPLATE")
_MEASURES = {
    "qrs": {"qrs duration", "5.13.5-9", "2:16156"},
    "pr": {"pr interval", "5.13.5-7", "2:15872"},
    "qt": {"qt interval", "5.13.5-11", "2:16160"},
    "qtc": {"qtc interval", "5.10.2.5-5", "2:15876"},
    "axis": {"qrs axis", "5.10.3-13", "2:16132"},
}


def read_dicom_ecg(path: Path) -> Recording:
    """Read the rhythm recording of one DICOM ECG; a median beat stored beside it is left alone.

    ``acquired`` is AcquisitionDateTime as stored, without its time zone. InputError for what is not an ECG, truncated
    or without a calibrated lead.
    """
    with bounded(StudyFile(path)) as stream:  # no length is believed, nothing is inflated unseen
        dataset = pydicom.dcmread(stream, force=True)
    kind = str(dataset.get("SOPClassUID", ""))
    groups = list(dataset.get("WaveformSequence") or [])
    if kind not in ECG_CLASSES:
        name = pydicom.uid.UID(kind).name
        known = name if kind and name != kind else "another kind of file"
        raise InputError(f"The file is not an ECG but {known}: choose the ECG file.")
    if not groups or len(groups) > MOST_GROUPS:
        raise InputError("The ECG file holds no waveform: export the ECG with its signals.")
    labels = [str(group.get("MultiplexGroupLabel") or "").upper() for group in groups]
    rhythm = [k for k, label in enumerate(labels) if not any(word in label for word in _MEDIAN_WORDS)]
    notes = dataset.get("WaveformAnnotationSequence") or []
    return Recording(
        parts=[_part(dataset, k) for k in rhythm or range(len(groups))],
        format="DICOM ECG waveform",
        acquired=moment_of(text_of(dataset, "AcquisitionDateTime")),
        date_trusted=dates_trusted(dataset),
        device_ms=_device_measurements(notes),
        stated_paced=any(PACING.search(str(note.get("UnformattedTextValue") or "")) for note in notes),
        subject=subject_of_dicom(dataset),
    )


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
        padding = np.frombuffer(padding, values.dtype.newbyteorder("<" if little else ">"), count=1)[0]
    if isinstance(padding, (int, np.integer)):
        values = np.where(values == padding, np.nan, values)
    offset = group.get("MultiplexGroupTimeOffset")
    channels = tuple(_channel(channel, values[:, k], rate) for k, channel in enumerate(group.ChannelDefinitionSequence))
    return Part(channels, rate, None if offset is None else float(offset) / 1000)


def _channel(channel: Dataset, values: NDArray, rate: float) -> Channel:
    gain = channel.get("ChannelSensitivity")
    units = channel.get("ChannelSensitivityUnitsSequence") or [Dataset()]
    correction = channel.get("ChannelSensitivityCorrectionFactor")
    return calibrated(
        channel_label(channel),
        values,
        None if gain is None or not units[0] else float(gain) * (1.0 if correction is None else float(correction)),
        str(units[0].get("CodeValue") or ""),
        baseline=float(channel.get("ChannelBaseline") or 0.0),
        start_s=float(channel.get("ChannelTimeSkew") or 0.0) or float(channel.get("ChannelSampleSkew") or 0.0) / rate,
    )


def channel_label(channel: Dataset) -> str:
    """What a channel's source code (SCP-ECG or MDC), the code's meaning and the channel's label call it.

    Where they name different leads it is none of them; a meaning or label with a minus turns what a code leaves plain.
    """
    coded, texts = [], []
    for source in channel.get("ChannelSourceSequence") or []:
        scheme, value = str(source.get("CodingSchemeDesignator") or ""), str(source.get("CodeValue") or "")
        coded.append(_LEAD_CODES.get((scheme.upper(), value.strip())))
        texts += [str(source.get("CodeMeaning") or ""), value]
    texts.append(str(channel.get("ChannelLabel") or ""))
    leads = {lead for lead in (*coded, *map(lead_name, texts)) if lead is not None}
    names = sorted({lead.lstrip("-") for lead in leads})
    if len(names) != 1:
        return " or ".join(names) or next((text for text in texts if text), "")
    return max(leads, key=len)


def _device_measurements(notes: list[Dataset]) -> dict[str, float]:
    """The device's global measurements, ms and degrees; values no heart has (0 for "not measured") are left out."""
    found: dict[str, float] = {}
    for note in notes:
        for concept in note.get("ConceptNameCodeSequence") or []:
            told = {str(concept.get(key) or "").strip().lower() for key in ("CodeValue", "CodeMeaning")}
            for name in (name for name, known in _MEASURES.items() if told & known and name not in found):
                value = np.ravel(note.get("NumericValue"))[0]
                found |= plausible_measures({name: None if value is None else float(value)})
    return found
