"""Small ECG files written by the tests, from synthetic signals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from ScarSegECGLib.case import LEADS, Ecg

SCP_NUMBERS = dict(zip(LEADS, (1, 2, 61, 62, 63, 64, 3, 4, 5, 6, 7, 8), strict=True))


def write_wfdb(
    folder: Path,
    ecg: Ecg,
    *,
    name: str = "rec",
    labels: tuple[str, ...] = LEADS,
    signal_file: str | None = None,
    gain: str = "1000.0(0)/mV",
    rate: float | None = None,
    comments: tuple[str, ...] = (),
    date: str = "",
) -> Path:
    """Header and 16-bit signals of the first ``len(labels)`` leads; returns the header."""
    counts = np.round(np.asarray(ecg.millivolts)[: len(labels)] * 1000).astype("<i2")
    stored = signal_file or f"{name}.dat"
    (folder / f"{name}.dat").write_bytes(counts.T.tobytes())
    shown = ecg.rate if rate is None else rate
    lines = [f"{name} {len(labels)} {shown:g} {counts.shape[1]}{' ' + date if date else ''}"]
    lines += [f"{stored} 16 {gain} 16 0 {counts[k, 0]} 0 0 {label}" for k, label in enumerate(labels)]
    header = folder / f"{name}.hea"
    header.write_text("\n".join(lines + [f"# {text}" for text in comments]) + "\n")
    return header


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """A coded concept."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def multiplex_group(ecg: Ecg, *, label: str = "RHYTHM", originality: str = "ORIGINAL", unit: str = "uV") -> Dataset:
    """All leads of an ECG as a 16-bit multiplex group, 2.5 uV per count."""
    group = Dataset()
    group.MultiplexGroupLabel, group.WaveformOriginality = label, originality
    group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = ecg.millivolts.shape
    group.SamplingFrequency = str(ecg.rate)
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    counts = np.round(np.asarray(ecg.millivolts) / 0.0025).astype("<i2")
    group.WaveformData = counts.T.tobytes()
    channels = []
    for lead in LEADS:
        channel = Dataset()
        channel.ChannelSourceSequence = [code(f"5.6.3-9-{SCP_NUMBERS[lead]}", "SCPECG", f"Lead {lead}")]
        channel.ChannelSensitivity = "2.5" if unit == "uV" else "0.0025"
        channel.ChannelSensitivityUnitsSequence = [code(unit, "UCUM", unit)]
        channel.ChannelSensitivityCorrectionFactor, channel.ChannelBaseline = "1", "0"
        channel.WaveformBitsStored = 16
        channels.append(channel)
    group.ChannelDefinitionSequence = channels
    return group


def dicom_ecg(*groups: Dataset) -> Dataset:
    """A 12-lead ECG object around the groups."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.9.1.1"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.AcquisitionDateTime = "20240301101500.000+0100"
    dataset.Modality = "ECG"
    dataset.WaveformSequence = list(groups)
    return dataset


def save(dataset: Dataset, path: Path) -> Path:
    """Write a data set as a DICOM file."""
    dataset.save_as(path, enforce_file_format=True)
    return path
