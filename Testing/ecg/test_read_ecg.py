"""Readers: real records, and files that lie."""

from __future__ import annotations

import hashlib
import shutil
import socket
from datetime import datetime

import numpy as np
import pytest
import wfdb
from ecg_files import code, dicom_ecg, multiplex_group, save, write_wfdb
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian
from synthetic_ecg import synthetic_ecg

from ScarSegECGLib.case import LEADS, Ecg
from ScarSegECGLib.ecg.leads import einthoven_error
from ScarSegECGLib.ecg.median_beat import median_beat
from ScarSegECGLib.ecg.read import read_ecg
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import has
from ScarSegECGLib.facts_ecg import EcgNote


@pytest.fixture(scope="module")
def ecg() -> Ecg:
    return synthetic_ecg(seconds=4.0)[0]


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Any attempt to open a connection fails the test."""

    def refuse(*_args, **_kwargs):
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_every_wfdb_record_of_the_shared_data_is_read(shared_data):
    headers = sorted((shared_data / "ecg").glob("*/*.hea"))
    assert len(headers) == 54
    for header in headers:
        ecg = read_ecg(header)
        assert ecg.millivolts.shape[0] == 12 and ecg.lead_mask.sum() >= 8, header.name
        assert ecg.rate in (500.0, 1000.0)
        if ecg.lead_mask[:3].all():
            assert einthoven_error(ecg.millivolts, ecg.lead_mask) < 0.3, header.name


def test_ptb_names_units_and_date(shared_data):
    ecg = read_ecg(shared_data / "ecg" / "ptb" / "s0010_re.hea")
    assert ecg.acquired == datetime(1990, 10, 1)
    assert ecg.lead_mask.all() and ecg.millivolts.shape == (12, 30000)
    raw = wfdb.rdrecord(str(shared_data / "ecg" / "ptb" / "s0010_re"))
    np.testing.assert_allclose(
        ecg.millivolts[LEADS.index("aVL")], raw.p_signal[:, raw.sig_name.index("avl")], atol=1e-6
    )


@pytest.mark.parametrize("name", ["E07500.hea", "E07500.mat", "E07500"])
def test_a_record_by_header_signal_file_or_name(shared_data, name):
    folder = shared_data / "ecg" / "cinc2021"
    ecg = read_ecg(folder / name)
    assert ecg.acquired is None and ecg.rate == 500.0
    both = (folder / "E07500.hea").read_bytes() + (folder / "E07500.mat").read_bytes()
    assert ecg.sha256 == hashlib.sha256(both).hexdigest()
    assert 0.3 < np.ptp(ecg.millivolts[1]) < 10


def test_a_record_name_with_a_point_is_its_own(shared_data, tmp_path):
    folder = shared_data / "ecg" / "cinc2021"
    shutil.copy(folder / "E07500.mat", tmp_path)
    shutil.copy(folder / "E07500.hea", tmp_path / "p.1.hea")
    (tmp_path / "p.hea").write_text("another record's")
    assert read_ecg(tmp_path / "p.1").rate == 500.0
    with pytest.raises(InputError, match="not found"):
        read_ecg(tmp_path / "p.xml")


def test_dicom_ecg(shared_data):
    path = shared_data / "ecg" / "formats" / "dicom" / "waveform_ecg.dcm"
    ecg = read_ecg(path)
    assert ecg.millivolts.shape == (12, 10000) and ecg.rate == 1000.0
    assert ecg.acquired == datetime(2013, 1, 25, 10, 59, 19) and ecg.date_trusted
    assert ecg.device_ms == {"qrs": 75, "pr": 161, "qt": 368, "qtc": 370, "axis": 52}
    assert ecg.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert 0.5 < np.ptp(ecg.millivolts[1]) < 5
    features = median_beat(ecg).features
    assert features.qrs_ms == 75 and set(features.from_device) == {"qrs", "pr", "qt", "qtc", "axis"}


def test_wfdb_round_trip_with_foreign_leads_and_date(tmp_path, ecg):
    both = Ecg(np.vstack([ecg.millivolts, ecg.millivolts[:3]]), np.ones(15, bool), ecg.rate)
    labels = tuple(name.lower() for name in LEADS) + ("vx", "vy", "vz")
    read = read_ecg(write_wfdb(tmp_path, both, labels=labels, date="10:20:30 05/03/2021"))
    np.testing.assert_allclose(read.millivolts, ecg.millivolts, atol=6e-4)
    assert read.acquired == datetime(2021, 3, 5, 10, 20, 30)


def test_wfdb_microvolts_and_eight_leads(tmp_path, ecg):
    labels = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
    rows = [LEADS.index(name) for name in labels]
    eight = Ecg(ecg.millivolts[rows], np.ones(8, bool), ecg.rate)
    read = read_ecg(write_wfdb(tmp_path, eight, labels=labels, gain="1(0)/uV"))
    np.testing.assert_allclose(read.millivolts, ecg.millivolts, atol=3e-3)
    assert has(read.notes, EcgNote.DERIVED)


def test_paced_by_snomed_code(tmp_path, ecg):
    read = read_ecg(write_wfdb(tmp_path, ecg, comments=("Dx: 426783006,10370003",)))
    assert median_beat(read).features.conduction == "paced"


@pytest.mark.parametrize(
    "named",
    [
        "../elsewhere/rec.dat",
        "/etc/passwd",
        "http://example.org/rec.dat",
        "https://physionet.org/files/rec.dat",
        "s3://bucket/rec.dat",
        "file:///etc/passwd",
        "simplecache::http://example.org/rec.dat",
        "..",
        "sub/rec.dat",
        "C:\\rec.dat",
        "~",
        "-",
    ],
)
def test_signal_files_elsewhere_are_refused(tmp_path, ecg, named):
    header = write_wfdb(tmp_path, ecg, signal_file=named)
    with pytest.raises(InputError) as caught:
        read_ecg(header)
    assert "example" not in str(caught.value) and "passwd" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_link_out_of_the_folder_is_refused(tmp_path, ecg):
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir(), inside.mkdir()
    write_wfdb(outside, ecg, name="other")
    header = write_wfdb(inside, ecg)
    (inside / "rec.dat").unlink()
    (inside / "rec.dat").symlink_to(outside / "other.dat")
    with pytest.raises(InputError, match="links outside"):
        read_ecg(header)


def test_leads_that_are_shifted_far_against_each_other_are_refused_unread(tmp_path, ecg, at_most_mb):
    header = write_wfdb(tmp_path, ecg)
    lines = header.read_text().splitlines()
    header.write_text("\n".join([lines[0], *(line.replace(" 16", " 16:60000000", 1) for line in lines[1:])]))
    with at_most_mb(50), pytest.raises(InputError, match="shifts the leads"):
        read_ecg(header)


def test_missing_signal_file(tmp_path, ecg):
    header = write_wfdb(tmp_path, ecg)
    (tmp_path / "rec.dat").unlink()
    with pytest.raises(InputError, match="missing"):
        read_ecg(header)


@pytest.mark.parametrize("broken", ["missing", "truncated"])
def test_the_name_of_a_signal_file_is_not_told(tmp_path, ecg, broken):
    """A header may name its signals after the patient, and be named so itself."""
    header = write_wfdb(tmp_path, ecg, signal_file="Zzpatient_1950.dat")
    if broken == "truncated":
        (tmp_path / "Zzpatient_1950.dat").write_bytes((tmp_path / "rec.dat").read_bytes()[:-100])
    with pytest.raises(InputError, match=broken) as caught:
        read_ecg(header)
    assert "Zzpatient" not in str(caught.value) and "rec.hea" not in str(caught.value)


def test_missing_header(tmp_path, ecg):
    write_wfdb(tmp_path, ecg).unlink()
    with pytest.raises(InputError, match=r"header \(\.hea\) is missing"):
        read_ecg(tmp_path / "rec.dat")


@pytest.mark.parametrize("suffix", [".dat", ".mat"])
def test_truncated_signals(tmp_path, ecg, suffix):
    header = write_wfdb(tmp_path, ecg, signal_file=f"rec{suffix}")
    signals = (tmp_path / "rec.dat").read_bytes()
    (tmp_path / f"rec{suffix}").write_bytes(signals[:-100])
    with pytest.raises(InputError, match="truncated"):
        read_ecg(header)


@pytest.mark.parametrize(
    "content", [b"\0" * 200, b"rec twelve 500\n", b"# only a comment\n", b"rec 12 500 5000\nrubbish\n"]
)
def test_damaged_headers(tmp_path, content):
    (tmp_path / "rec.hea").write_bytes(content)
    with pytest.raises(InputError):
        read_ecg(tmp_path / "rec.hea")


def test_multi_segment_header(tmp_path):
    (tmp_path / "rec.hea").write_text("rec/2 12 500 5000\npart1 2500\npart2 2500\n")
    with pytest.raises(InputError):
        read_ecg(tmp_path / "rec.hea")


def test_missing_empty_folder_and_unknown(tmp_path):
    with pytest.raises(InputError, match="not found"):
        read_ecg(tmp_path / "nothing.dcm")
    (tmp_path / "other.hea").write_text("other 12 500 5000\n")
    with pytest.raises(InputError, match="not found"):  # nor is another file read in its place
        read_ecg(tmp_path / "other.xml")
    (tmp_path / "empty.dcm").touch()
    with pytest.raises(InputError, match="empty"):
        read_ecg(tmp_path / "empty.dcm")
    with pytest.raises(InputError, match="folder"):
        read_ecg(tmp_path)
    (tmp_path / "noise.bin").write_bytes(bytes(range(256)) * 4)
    with pytest.raises(InputError, match="no known ECG format"):
        read_ecg(tmp_path / "noise.bin")
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.7 " + b"x" * 300)
    with pytest.raises(InputError, match="a PDF, from which no ECG is read"):
        read_ecg(tmp_path / "report.pdf")


@pytest.mark.parametrize("unit", ["uV", "mV"])
def test_dicom_round_trip(tmp_path, ecg, unit):
    read = read_ecg(save(dicom_ecg(multiplex_group(ecg, unit=unit)), tmp_path / "ecg"))
    np.testing.assert_allclose(read.millivolts, ecg.millivolts, atol=2e-3)
    assert read.acquired == datetime(2024, 3, 1, 10, 15)


def test_dicom_that_unpacks_to_hundreds_of_times_its_size_is_refused(tmp_path, ecg):
    dataset = dicom_ecg(multiplex_group(ecg))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    with pytest.raises(InputError, match="deflated"):
        read_ecg(save(dataset, tmp_path / "ecg.dcm"))


def test_dicom_takes_the_rhythm_even_when_the_median_beat_is_first_or_longer(tmp_path, ecg):
    other = Ecg(np.tile(ecg.millivolts * 0.5, 2), ecg.lead_mask, ecg.rate)
    beat = multiplex_group(other, label="MEDIAN BEAT", originality="DERIVED")
    read = read_ecg(save(dicom_ecg(beat, multiplex_group(ecg)), tmp_path / "ecg.dcm"))
    np.testing.assert_allclose(read.millivolts, ecg.millivolts, atol=2e-3)


def test_dicom_lead_by_label_and_by_mdc_code(tmp_path, ecg):
    group = multiplex_group(ecg)
    for lead, channel in zip(LEADS, group.ChannelDefinitionSequence, strict=True):
        if lead.startswith("V"):
            channel.ChannelSourceSequence[0] = code(f"2:{int(lead[1]) + 2}", "MDC", "a chest lead")
        else:
            del channel.ChannelSourceSequence
            channel.ChannelLabel = f"Lead {lead.upper()}"
    read = read_ecg(save(dicom_ecg(group), tmp_path / "ecg.dcm"))
    np.testing.assert_allclose(read.millivolts, ecg.millivolts, atol=2e-3)


@pytest.mark.parametrize(
    ("stated", "codes", "trusted"),
    [
        ("", (), True),
        ("UNMODIFIED", (), True),
        ("REMOVED", (), False),
        ("MODIFIED", ("113106",), False),
        ("", ("113100",), False),
        ("", ("113100", "113107"), False),
        ("", ("113100", "113106"), True),
    ],
)
def test_dicom_date_trust(tmp_path, ecg, stated, codes, trusted):
    dataset = dicom_ecg(multiplex_group(ecg))
    if stated:
        dataset.LongitudinalTemporalInformationModified = stated
    if codes:
        dataset.DeidentificationMethodCodeSequence = [code(value, "DCM", value) for value in codes]
    assert read_ecg(save(dataset, tmp_path / "ecg.dcm")).date_trusted is trusted


def test_dicom_without_date(tmp_path, ecg):
    dataset = dicom_ecg(multiplex_group(ecg))
    del dataset.AcquisitionDateTime
    dataset.ContentDate, dataset.StudyDate = "20240301", "20240301"
    assert read_ecg(save(dataset, tmp_path / "ecg.dcm")).acquired is None


@pytest.mark.parametrize(
    ("text", "paced"),
    [
        ("Ventricular-paced rhythm", True),
        ("Sinus rhythm", False),
        ("Atrial-paced rhythm", False),
        ("No pacemaker rhythm", False),
    ],
)
def test_dicom_statement_of_pacing(tmp_path, ecg, text, paced):
    dataset = dicom_ecg(multiplex_group(ecg))
    note = Dataset()
    note.UnformattedTextValue, note.AnnotationGroupNumber = text, 0
    dataset.WaveformAnnotationSequence = [note]
    features = median_beat(read_ecg(save(dataset, tmp_path / "ecg.dcm"))).features
    assert (features.conduction == "paced") is paced


def damaged(kind: str, ecg: Ecg) -> Dataset:
    group = multiplex_group(ecg)
    dataset = dicom_ecg(group)
    if kind == "image":
        dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    elif kind == "no waveform":
        dataset.WaveformSequence = []
    elif kind == "truncated":
        group.WaveformData = group.WaveformData[:1000]
    elif kind == "not calibrated":
        del group.ChannelDefinitionSequence[0].ChannelSensitivity
    elif kind == "pressure":
        group.ChannelDefinitionSequence[0].ChannelSensitivityUnitsSequence[0].CodeValue = "mm[Hg]"
    elif kind == "no rate":
        group.SamplingFrequency = "0"
    return dataset


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("image", "not an ECG but MR Image Storage"),
        ("no waveform", "no waveform"),
        ("truncated", "damaged, truncated"),
        ("not calibrated", "no calibration"),
        ("pressure", "not a voltage"),
        ("no rate", "sampling rate of 0 Hz is outside"),
    ],
)
def test_damaged_dicom(tmp_path, ecg, kind, words):
    path = save(damaged(kind, ecg), tmp_path / "ecg.dcm")
    with pytest.raises(InputError, match=words):
        read_ecg(path)


def test_dicom_file_cut_off(tmp_path, ecg):
    path = save(dicom_ecg(multiplex_group(ecg)), tmp_path / "ecg.dcm")
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError):
        read_ecg(path)


@pytest.mark.parametrize("kind", ["dicom", "wfdb header", "wfdb signals"])
def test_bytes_changed_at_random_end_in_an_ecg_or_one_clear_line(tmp_path, ecg, kind):
    header = write_wfdb(tmp_path, ecg)
    path = {"dicom": tmp_path / "ecg.dcm", "wfdb header": header, "wfdb signals": tmp_path / "rec.dat"}[kind]
    if kind == "dicom":
        save(dicom_ecg(multiplex_group(ecg)), path)
    whole = path.read_bytes()
    rng = np.random.default_rng(3)
    reach = len(whole) if kind == "wfdb signals" else min(len(whole), 2500)
    for _ in range(60):
        changed = bytearray(whole)
        for at in rng.integers(0, reach, rng.integers(1, 8)):
            changed[at] = int(rng.integers(0, 256))
        path.write_bytes(bytes(changed))
        try:
            read = read_ecg(path)
        except InputError as error:
            assert "\n" not in str(error) and str(tmp_path) not in str(error)
        else:
            assert np.isfinite(read.millivolts).all() and read.lead_mask.sum() >= 8
