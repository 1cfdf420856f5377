"""Every format: real samples against readers that share nothing with the library's, and files written by the tests."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import defusedxml.ElementTree as ElementTree
import numpy as np
import pydicom
import pytest
import scipy.io
from exported_files import (
    PATIENT,
    WHEN,
    write_aecg,
    write_cinc,
    write_csv,
    write_edf,
    write_ishne,
    write_muse,
    write_scp,
    write_sierra,
)
from synthetic_ecg import synthetic_ecg
from test_device_agreement import aecg as aecg_by_hand
from test_device_agreement import muse as muse_by_hand

from ScarSegECGLib.case import LEADS, Ecg
from ScarSegECGLib.ecg.leads import Channel, assemble, einthoven_error
from ScarSegECGLib.ecg.median_beat import median_beat
from ScarSegECGLib.ecg.read import read_ecg
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import has
from ScarSegECGLib.facts_ecg import EcgNote
from ScarSegECGLib.report.ecg import date_line, file_lines, measurement_lines

SUBJECT = {"qrs": 120, "pr": 148, "qt": 420, "qtc": 443, "axis": -61}
# File, format, date, device measurements; all have 12 leads, 10 s, 500 Hz.
MUSE = "formats_gpl3/ge_muse/example{}.xml"
SAMPLES = [
    ("formats/hl7_aecg/subject1_0.xml", "HL7 aECG", datetime(2002, 11, 22, 9, 10), SUBJECT),
    ("formats/hl7_aecg/subject1_1.xml", "HL7 aECG", datetime(2002, 11, 22, 10, 10), SUBJECT),
    ("formats/hl7_aecg/subject2_0.xml", "HL7 aECG", datetime(2002, 11, 22, 9, 10), SUBJECT),
    ("formats/hl7_aecg/subject2_1.xml", "HL7 aECG", datetime(2002, 11, 22, 10, 10), SUBJECT),
    ("formats_gpl3/scp_ecg/Example.scp", "SCP-ECG", datetime(2002, 11, 22, 9, 10), SUBJECT),
    (MUSE.format(1), "GE MUSE XML", None, {"qrs": 96, "pr": 138, "qt": 452, "qtc": 403, "axis": 20}),
    (MUSE.format(2), "GE MUSE XML", None, {"qrs": 100, "pr": 184, "qt": 420, "qtc": 437, "axis": -2}),
    (
        "formats/philips_sierra/2020-5-18_15-48-11.xml",
        "Philips Sierra XML 1.04.01",
        datetime(2020, 5, 18, 15, 48, 11),
        {"qrs": 102, "pr": 164, "qt": 399, "qtc": 412, "axis": 22},
    ),
    (
        "formats/philips_sierra/3191723_ZZDEMOPTONLY_1-04_orig.xml",
        "Philips Sierra XML 1.04",
        datetime(2010, 1, 19, 15, 19, 22),
        {"qrs": 84, "pr": 144, "qt": 352, "qtc": 417, "axis": 78},
    ),
    (
        "formats/philips_sierra/ad4d3d80-d165_1-04_orig.xml",
        "Philips Sierra XML 1.04",
        datetime(2008, 12, 23, 19, 44, 46),
        {"qrs": 102, "pr": 144, "qt": 564, "qtc": 466, "axis": 85},
    ),
]  # fmt: skip


def sierra_by_hand(path: Path) -> dict[str, np.ndarray]:
    """The leads of a packed Philips file, mV: LZW of 10 bits, high and low bytes apart, twice differenced."""
    root = ElementTree.fromstring(path.read_bytes())
    node = next(element for element in root.iter() if element.tag.endswith("parsedwaveforms"))
    packed, rows = base64.b64decode(node.text), []
    while packed and len(rows) < 12:
        size, first = int.from_bytes(packed[:4], "little"), int.from_bytes(packed[6:8], "little", signed=True)
        bits = "".join(f"{byte:08b}" for byte in packed[8 : 8 + size])
        table, before, unpacked = {k: bytes([k]) for k in range(256)}, b"", b""
        for start in range(0, len(bits) - 9, 10):
            code = int(bits[start : start + 10], 2)
            if code == 1023:
                break
            entry = table.get(code, before + before[:1])
            if before and len(table) < 1023:
                table[len(table)] = before + entry[:1]
            unpacked, before = unpacked + entry, entry
        half = len(unpacked) // 2
        steps = np.frombuffer(unpacked[:half], "i1").astype(int) * 256 + np.frombuffer(unpacked[half : 2 * half], "u1")
        values = list(steps[:2])
        for k in range(2, len(steps)):
            values.append(2 * values[-1] - values[-2] - (first if k == 2 else steps[k - 1] - 64))
        rows.append(np.array(values))
        packed = packed[8 + size :]
    one, two = rows[0], rows[1]
    rows[2] = two - one - rows[2]
    rows[3] = -rows[3] - (one + two) // 2
    rows[4] = (one - rows[2]) // 2 - rows[4]
    rows[5] = (two + rows[2]) // 2 - rows[5]
    return {lead: row * 0.005 for lead, row in zip(LEADS, rows, strict=True)}


@pytest.mark.parametrize(("name", "kind", "acquired", "device"), SAMPLES)
def test_samples(shared_data, name, kind, acquired, device):
    """Leads, mV, rate, length, date and measurements; the signals against readers written by hand for this test."""
    path = shared_data / "ecg" / name
    ecg = read_ecg(path)
    assert ecg.format == kind and ecg.acquired == acquired and ecg.date_trusted
    assert ecg.lead_mask.all() and ecg.millivolts.shape == (12, 5000) and ecg.rate == 500.0
    assert ecg.device_ms == device
    assert einthoven_error(ecg.millivolts, ecg.lead_mask) < 0.05
    if "Sierra" in kind:
        signals = sierra_by_hand(path)
    elif "MUSE" in kind:
        signals = muse_by_hand(path)[0]
    else:  # the SCP-ECG sample is the recording of the aECG ones
        signals = aecg_by_hand(shared_data / "ecg" / "formats" / "hl7_aecg" / "subject1_0.xml")[0]
    expected = assemble(Channel(lead, row[:5000]) for lead, row in signals.items())[0]
    np.testing.assert_allclose(ecg.millivolts, expected, atol=0.006 if "SCP" in kind else 1e-6)
    features = median_beat(ecg).features
    assert features.qrs_ms == device["qrs"] and set(features.from_device) == set(device)


def test_dicom_against_its_own_bytes(shared_data):
    path = shared_data / "ecg" / "formats" / "dicom" / "waveform_ecg.dcm"
    group = pydicom.dcmread(path).WaveformSequence[0]
    stored = np.frombuffer(group.WaveformData, "<i2").reshape(-1, group.NumberOfWaveformChannels)
    scales = [float(channel.ChannelSensitivity) / 1000 for channel in group.ChannelDefinitionSequence]
    np.testing.assert_allclose(read_ecg(path).millivolts, (stored * scales).T, atol=1e-6)


@pytest.mark.parametrize("record", ["E07500", "HR06001", "JS20005"])
def test_cinc_matrix_against_scipy(shared_data, record):
    path = shared_data / "ecg" / "cinc2021" / f"{record}.mat"
    np.testing.assert_allclose(read_ecg(path).millivolts, scipy.io.loadmat(path)["val"] / 1000, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("philips_sierra/invalid-doc-type.xml", "not read"),
        ("philips_sierra/invalid-doc-version.xml", "not read"),
        ("hl7_aecg/empty.xml", "damaged, truncated or incomplete"),
        ("hl7_aecg/minimum_aecg.xml", "1 of the 12 standard leads"),
    ],
)
def test_invalid_samples_are_refused(shared_data, name, words):
    with pytest.raises(InputError, match=words) as caught:
        read_ecg(shared_data / "ecg" / "formats" / name)
    assert "\n" not in str(caught.value) and str(shared_data) not in str(caught.value)


@pytest.fixture(scope="module")
def ecg(request) -> Ecg:
    """Ten seconds of a PTB record where it is at hand; otherwise synthetic."""
    try:
        path = request.getfixturevalue("shared_data") / "ecg" / "ptb" / "s0010_re.hea"
    except pytest.skip.Exception:
        return synthetic_ecg(seconds=10.0)[0]
    record = read_ecg(path)
    return Ecg(np.ascontiguousarray(record.millivolts[:, 4000:14000]), record.lead_mask, record.rate)


WRITERS = [
    (write_muse, "GE MUSE XML", WHEN, 0.008),
    (write_aecg, "HL7 aECG", WHEN, 0.0013),
    (write_sierra, "Philips Sierra XML 1.03", WHEN, 0.0026),
    (write_scp, "SCP-ECG", WHEN, 0.0013),
    (write_edf, "EDF+", WHEN, 0.0002),
    (write_ishne, "ISHNE", WHEN, 0.0006),
    (write_csv, "CSV table", None, 1e-5),
]


@pytest.mark.parametrize(("write", "kind", "when", "step"), WRITERS)
def test_written_files_come_back(tmp_path, ecg, write, kind, when, step):
    """Whatever the file is called, its content says what it is; nobody's name is in what is said."""
    read = read_ecg(write(tmp_path / "recording.bin", ecg))
    assert read.format == kind and read.acquired == when
    assert read.lead_mask.all() and read.rate == ecg.rate
    np.testing.assert_allclose(read.millivolts, ecg.millivolts, atol=step)
    assert PATIENT not in repr((read.notes, read.device_ms, file_lines(read)))


def test_cinc_record_by_its_matrix(tmp_path, ecg):
    read = read_ecg(write_cinc(tmp_path, ecg))
    assert read.format == "WFDB"
    np.testing.assert_allclose(read.millivolts, ecg.millivolts, atol=6e-4)
    (tmp_path / "A0001.hea").unlink()
    with pytest.raises(InputError, match=r"header \(\.hea\) is missing"):
        read_ecg(tmp_path / "A0001.mat")


def test_device_values_and_paced_statement_of_muse(tmp_path, ecg):
    features = median_beat(read_ecg(write_muse(tmp_path / "a", ecg))).features
    assert (features.qrs_ms, features.pr_ms, features.qtc_ms, features.axis_deg) == (98, 160, 410, -20)
    assert features.conduction == "paced"
    assert any("98 ms (device)" in line for line in measurement_lines(features))


def test_scp_intervals_are_those_between_the_devices_marks(tmp_path, ecg):
    assert read_ecg(write_scp(tmp_path / "a", ecg)).device_ms == {"qrs": 96, "pr": 160, "qt": 400, "axis": -20}


@pytest.mark.parametrize(
    ("write", "options", "expected"),
    [
        (write_muse, {"date": "03-05-2021", "time": ""}, datetime(2021, 3, 5)),
        (write_muse, {"date": "", "time": ""}, None),
        (write_aecg, {"when": "20210305"}, datetime(2021, 3, 5)),
        (write_aecg, {"when": "2021"}, None),
        (write_scp, {"day": False}, None),
        (write_edf, {"when": None}, None),
    ],
)
def test_dates_only_where_they_are_stored(tmp_path, ecg, write, options, expected):
    read = read_ecg(write(tmp_path / "a", ecg, **options))
    assert read.acquired == expected
    assert expected is not None or "none stored" in date_line(read)


@pytest.mark.parametrize("day", [date(1985, 1, 1), date(1900, 1, 1), date(1970, 1, 1)])
def test_a_placeholder_for_a_date_is_not_trusted(tmp_path, ecg, day):
    path = write_muse(tmp_path / "a", ecg, date=f"{day:%m-%d-%Y}")
    read = read_ecg(path)
    assert not read.date_trusted and "gap to the MRI is unknown" in date_line(read)
    assert str(day) in date_line(read) and has(read.notes, EcgNote.DATE_PLACEHOLDER)


def test_calibration_pulse(tmp_path, ecg):
    with_pulse = read_ecg(write_sierra(tmp_path / "a", ecg))
    without = read_ecg(write_sierra(tmp_path / "b", ecg, pulse=False))
    np.testing.assert_array_equal(with_pulse.millivolts, without.millivolts)
    assert has(with_pulse.notes, EcgNote.PULSE_CUT) and not has(with_pulse.notes, EcgNote.PULSE_UNUSUAL)
    assert not has(without.notes, EcgNote.PULSE_CUT)


def test_calibration_pulse_of_wrong_height_before_the_recording(tmp_path, ecg):
    head = np.zeros((12, int(ecg.rate)), dtype=np.float32)
    head[:, 300:500] = 1.3
    later = replace(ecg, millivolts=np.hstack([head, ecg.millivolts]))
    read = read_ecg(write_csv(tmp_path / "a.csv", later))
    np.testing.assert_allclose(read.millivolts, ecg.millivolts[:, : read.millivolts.shape[1]], atol=1e-5)
    (pulse,) = (note for note in read.notes if has((note,), EcgNote.PULSE_UNUSUAL))
    assert pulse["mv"] == pytest.approx(1.3, abs=1e-4)


# EDF


def test_edf_in_other_units_and_by_an_independent_reader(tmp_path, ecg):
    path = write_edf(tmp_path / "a", ecg, unit="mV", labels="EKG {}")
    data = path.read_bytes()
    signals, records = int(data[252:256]), int(data[236:244])
    field = lambda start, width: [data[256 + start * signals + k * width :][:width] for k in range(signals)]  # noqa: E731
    labels = [text.decode().strip() for text in field(0, 16)]
    low, high, below, above = (np.array([float(text) for text in field(start, 8)]) for start in (104, 112, 120, 128))
    per_record = [int(text) for text in field(216, 8)]
    blocks = np.frombuffer(data[256 * (signals + 1) :], "<i2").reshape(records, -1)
    read = read_ecg(path)
    for k, lead in enumerate(f"EKG {lead}" for lead in LEADS):
        place = labels.index(lead)
        start = sum(per_record[:place])
        digital = blocks[:, start : start + per_record[place]].ravel()
        gain = (high - low)[place] / (above - below)[place]
        np.testing.assert_allclose(read.millivolts[k], (digital - below[place]) * gain + low[place], atol=1e-5)


def test_edf_is_refused(tmp_path, ecg):
    with pytest.raises(InputError, match="not a voltage"):
        read_ecg(write_edf(tmp_path / "a", ecg, unit="mmHg"))
    path = write_edf(tmp_path / "b", ecg)
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(InputError, match="truncated"):
        read_ecg(path)
    with pytest.raises(InputError, match="no standard ECG lead"):
        read_ecg(write_edf(tmp_path / "c", ecg, labels="EEG {}x"))


@pytest.mark.parametrize("plus", [True, False])
def test_edf_and_edf_plus(tmp_path, ecg, plus):
    assert read_ecg(write_edf(tmp_path / "a", ecg, plus=plus)).format == ("EDF+" if plus else "EDF")


# Tables


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        ((), "does not state its sampling rate"),
        (("# rate_hz: {rate:g}",), "does not state its unit"),
        (("# unit: mV",), "does not state its sampling rate"),
        (("# rate_hz: fast", "# unit: mV"), "as a number"),
        (("# rate_hz: {rate:g}", "# unit: counts"), "not a voltage"),
        (("# rate_hz: 250", "# unit: mV"), "contradict"),
        (("# rate_hz: {rate:g}", "# unit: uV"), "implausible"),
        (("# rate_hz: {rate:g}", "# unit: mV", "# date: 03/04/2024"), "no date|not understood"),
    ],
)
def test_tables_state_rate_and_unit_or_are_refused(tmp_path, ecg, statements, words):
    with pytest.raises(InputError, match=words):
        read_ecg(write_csv(tmp_path / "a.csv", ecg, statements=statements, times=True))


def test_table_with_sidecar_semicolons_and_date(tmp_path, ecg):
    path = write_csv(tmp_path / "a.csv", ecg, statements=(), delimiter=";", decimal=",")
    (tmp_path / "a.json").write_text(f'{{"rate_hz": {ecg.rate:g}, "unit": "mV", "date": "2024-03-01T10:15"}}')
    read = read_ecg(path)
    np.testing.assert_allclose(read.millivolts, ecg.millivolts, atol=1e-5)
    assert read.acquired == datetime(2024, 3, 1, 10, 15)


def test_table_with_gaps_or_words(tmp_path, ecg):
    path = write_csv(tmp_path / "a.csv", ecg)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:50], re.sub("^[^,]*", "", lines[50]), *lines[51:]]))
    with pytest.raises(InputError, match="missing values"):
        read_ecg(path)
    path.write_text("\n".join([*lines[:50], "x" + lines[50], *lines[51:]]))
    with pytest.raises(InputError, match="no number"):
        read_ecg(path)


# What is none of these


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 200, "an image"),
        (b"PK\x03\x04" + b"\0" * 200, "unpack it first"),
        (b"\x1f\x8b\x08" + b"\0" * 200, "nii.gz"),
        (b"NRRD0005\n" + b"\0" * 200, "an image"),
        (b"\xffBIOSEMI" + b" " * 300, "BDF"),
        (b"<html><body>ECG</body></html>", "no HL7 aECG, GE MUSE or Philips"),
        (b"<AnnotatedECG", "damaged, truncated or incomplete"),
        (b"%PDF-1.7 " + b"x" * 300, "a PDF, from which no ECG is read: .*DICOM 12-lead ECG, HL7 aECG"),
        (b"0       " + b" " * 300, "no known ECG format"),
        (b"just words", "no known ECG format"),
    ],
)
def test_other_files_are_named(tmp_path, content, words):
    (tmp_path / "file.bin").write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_ecg(tmp_path / "file.bin")


def test_leads_of_unequal_length_are_refused(tmp_path, ecg):
    text = write_aecg(tmp_path / "a.xml", ecg).read_text()
    first = re.search(r"<digits>([^<]*)</digits>", text).group(1)
    (tmp_path / "a.xml").write_text(text.replace(first, " ".join(first.split()[:-7])))
    with pytest.raises(InputError, match="different lengths"):
        read_ecg(tmp_path / "a.xml")


@pytest.mark.parametrize(
    "declared",
    [
        '<!ENTITY a "x"><!ENTITY b "&a;&a;">',
        '<!ENTITY a SYSTEM "file:///etc/passwd">',
        '<!ENTITY % p SYSTEM "http://example.org/x.dtd"> %p;',
    ],
)
def test_xml_with_entities_is_refused(tmp_path, ecg, declared):
    text = write_muse(tmp_path / "a.xml", ecg).read_text()
    (tmp_path / "a.xml").write_text(text.replace('SYSTEM "restecg.dtd"', f"[{declared}]"))
    with pytest.raises(InputError, match="entities"):
        read_ecg(tmp_path / "a.xml")
