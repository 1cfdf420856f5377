"""Own measurements against those of the recording devices, and classes against the labels, on real ECGs.

Four different recordings of three makers with a stated QRS duration (75 to 120 ms) are read here; the four aECG files
hold one recording, and the Philips files are compressed. None of the shared records is labelled LBBB, LAFB or paced,
and the two labelled complete RBBB are one recording: wide QRS is therefore measured on synthetic beats
(test_median_beat.py).
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import defusedxml.ElementTree as ElementTree
import numpy as np
import pytest
import wfdb

from ScarSegECGLib.case import Ecg
from ScarSegECGLib.ecg.leads import Channel, assemble, check_signals
from ScarSegECGLib.ecg.median_beat import median_beat, representative_beat
from ScarSegECGLib.ecg.read import read_ecg


def aecg(path: Path) -> tuple[dict[str, np.ndarray], float, float]:
    """Signals (mV), rate and stated QRS duration (ms) of an HL7 annotated ECG's rhythm series."""
    root = ElementTree.parse(path).getroot()
    hl7 = "{urn:hl7-org:v3}"
    signals: dict[str, np.ndarray] = {}
    for sequence in root.iter(f"{hl7}sequence"):
        code, value = sequence.find(f"{hl7}code"), sequence.find(f"{hl7}value")
        digits = None if value is None else value.find(f"{hl7}digits")
        name = "" if code is None else code.get("code", "")
        if name.startswith("MDC_ECG_LEAD") and name not in signals and digits is not None:
            scale = value.find(f"{hl7}scale")
            factor = float(scale.get("value")) * {"uV": 1e-3, "mV": 1.0}[scale.get("unit")]
            signals[name] = np.array(digits.text.split(), dtype=float) * factor
    step = next(node for node in root.iter(f"{hl7}increment") if node.get("unit") == "s")
    qrs = None
    for node in root.iter(f"{hl7}annotation"):
        if (code := node.find(f"{hl7}code")) is not None and code.get("code") == "MDC_ECG_TIME_PD_QRS":
            qrs = float(node.find(f"{hl7}value").get("value"))
    assert qrs is not None
    return signals, 1.0 / float(step.get("value")), qrs


def muse(path: Path) -> tuple[dict[str, np.ndarray], float, float]:
    """The same of a GE MUSE file; its eight leads are little-endian 16-bit counts in base 64."""
    root = ElementTree.parse(path, forbid_dtd=False).getroot()
    rhythm = next(w for w in root.iter("Waveform") if w.findtext("WaveformType") == "Rhythm")
    signals = {}
    for lead in rhythm.iter("LeadData"):
        counts = np.frombuffer(base64.b64decode(lead.findtext("WaveFormData")), dtype="<i2")
        signals[lead.findtext("LeadID")] = counts * float(lead.findtext("LeadAmplitudeUnitsPerBit")) / 1000
    return signals, float(rhythm.findtext("SampleBase")), float(root.findtext(".//RestingECGMeasurements/QRSDuration"))


FILES: list[tuple[str, Callable[[Path], tuple[dict[str, np.ndarray], float, float]]]] = [
    ("formats/hl7_aecg/subject1_0.xml", aecg),
    ("formats_gpl3/ge_muse/example1.xml", muse),
    ("formats_gpl3/ge_muse/example2.xml", muse),
]


@pytest.fixture(scope="module")
def with_device(shared_data) -> dict[str, tuple[Ecg, float]]:
    """Recordings without the device's measurements, and the QRS duration that the device stated."""
    found = {}
    for name, parse in FILES:
        signals, rate, qrs = parse(shared_data / "ecg" / name)
        millivolts, mask, _ = check_signals(*assemble(Channel(*each) for each in signals.items())[:2], rate)
        found[name] = (Ecg(millivolts, mask, rate), qrs)
    dicom = read_ecg(shared_data / "ecg" / "formats" / "dicom" / "waveform_ecg.dcm")
    found["dicom"] = (replace(dicom, device_ms={}), dicom.device_ms["qrs"])
    return found


def test_qrs_duration_agrees_with_the_devices(with_device):
    errors = {name: median_beat(ecg).features.qrs_ms - qrs for name, (ecg, qrs) in with_device.items()}
    size = np.abs(list(errors.values()))
    assert len(size) == 4
    assert size.mean() <= 15 and size.max() <= 35, errors


def test_dicom_qrs_onset_and_offset_where_the_device_marked_them(shared_data):
    """The device marked every beat, ms from the start; the median beat's marks must lie on them."""
    ecg = read_ecg(shared_data / "ecg" / "formats" / "dicom" / "waveform_ecg.dcm")
    beat = representative_beat(ecg)
    assert 2 * (beat.marks.qrs_offset - beat.marks.qrs_onset) == pytest.approx(75, abs=10)
    assert 2 * (beat.marks.qrs_onset - beat.marks.p_onset) == pytest.approx(161, abs=20)
    assert 2 * (beat.marks.t_end - beat.marks.qrs_onset) == pytest.approx(368, abs=25)


def dx(header: Path) -> set[str]:
    comments = wfdb.rdheader(str(header.with_suffix(""))).comments
    return {code.strip() for line in comments if line.startswith("Dx:") for code in line[3:].split(",")}


RBBB = {"713427006", "59118001"}
SINUS_ONLY = {"426783006", "427084000", "426177001"}


def test_labelled_records_are_classified(shared_data):
    headers = sorted((shared_data / "ecg" / "cinc2021").glob("*.hea"))
    classes = {header.stem: median_beat(read_ecg(header)).features.conduction for header in headers}
    labelled = {header.stem for header in headers if dx(header) & RBBB}
    assert len(labelled) == 2
    assert {name for name, kind in classes.items() if kind == "rbbb"} == labelled
    assert not {name for name, kind in classes.items() if kind in ("lbbb", "paced", "lafb")}
    sinus = [header.stem for header in headers if dx(header) <= SINUS_ONLY]
    assert len(sinus) >= 15
    assert all(classes[name] in ("normal", "lvh") for name in sinus)


def test_every_real_record_gives_a_plausible_median_beat(shared_data):
    headers = sorted((shared_data / "ecg").glob("*/*.hea"))
    assert headers
    for header in headers:
        beat = median_beat(read_ecg(header))
        assert np.isfinite(beat.millivolts).all()
        assert 60 <= beat.features.qrs_ms <= 160, header.name
        assert 35 <= beat.features.rate_bpm <= 160, header.name
        peak = np.argmax(np.sqrt(np.mean(beat.millivolts.astype(float) ** 2, axis=0))[90:200]) + 90
        assert 100 <= peak <= 180, header.name
