"""Situations that were reported of other tools, each with the right value or the true reason, in every format."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from ecg_files import code, dicom_ecg, multiplex_group, save, write_wfdb
from exported_files import write_aecg, write_csv, write_edf, write_ishne, write_muse, write_scp, write_sierra
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian
from synthetic_ecg import synthetic_ecg

from ScarSegECGLib.case import LEADS, Ecg
from ScarSegECGLib.ecg.leads import Channel, assemble, lead_name, not_understood
from ScarSegECGLib.ecg.read import read_ecg
from ScarSegECGLib.ecg.recording import NOT_TOGETHER, stored_date
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Fact, has
from ScarSegECGLib.facts_ecg import EcgNote

TOGETHER = re.escape(NOT_TOGETHER)


@pytest.fixture(scope="module")
def ecg() -> Ecg:
    return synthetic_ecg(seconds=10.0, bpm=73.0)[0]


def like(read: Ecg, ecg: Ecg, atol: float = 0.01) -> None:
    assert read.lead_mask.all()
    np.testing.assert_allclose(read.millivolts, ecg.millivolts[:, : read.millivolts.shape[1]], atol=atol)


# The files handed over


@pytest.mark.parametrize("name", ["rec.hea", "all.hea"])
def test_04_a_gain_of_zero_is_no_calibration(shared_data, name):
    with pytest.raises(InputError, match="Lead (V3|I) has no calibration"):
        read_ecg(shared_data / "field_cases" / "04-wfdb-gain-zero" / name)


@pytest.mark.parametrize("name", ["cabrera.edf", "cabrera.dcm"])
def test_05_an_inverted_avr_is_turned(shared_data, name):
    ecg = read_ecg(shared_data / "field_cases" / "05-inverted-avr" / name)
    one, two, _, right = ecg.millivolts[:4]
    assert np.corrcoef(right, -(one + two) / 2)[0, 1] > 0.99
    assert Fact(EcgNote.TURNED, leads=("aVR",)) in ecg.notes


def test_06_the_group_with_most_leads_is_the_ecg(shared_data):
    ecg = read_ecg(shared_data / "field_cases" / "06-dicom-ecg-rhythm-strip" / "ecg.dcm")
    assert ecg.lead_mask.all() and ecg.millivolts.shape == (12, 2500)


@pytest.mark.parametrize("name", ["four_groups.dcm", "zero_filled.dcm", "padded.dcm"])
def test_07_leads_one_after_the_other(shared_data, name):
    with pytest.raises(InputError, match=TOGETHER):
        read_ecg(shared_data / "field_cases" / "07-dicom-ecg-3x4" / name)


@pytest.mark.parametrize(
    ("name", "when"),
    [
        ("iso", datetime(2024, 3, 15, 10, 20, 30)),
        ("iso_after_time", datetime(2024, 3, 15, 10, 20, 30)),
        ("year_only", None),
    ],
)
def test_10_dates_of_the_record_line(shared_data, name, when):
    ecg = read_ecg(shared_data / "field_cases" / "10-wfdb-date" / f"{name}.hea")
    assert ecg.acquired == when and ecg.lead_mask.all()
    assert (when is None) is has(ecg.notes, EcgNote.DATE_UNREADABLE)


@pytest.mark.parametrize("name", ["rec.hea", "de_brackets.csv"])
def test_12_lead_names_of_other_languages(shared_data, name):
    ecg = read_ecg(shared_data / "field_cases" / "12-lead-names-di" / name)
    assert ecg.lead_mask.all() and not ecg.notes


# The names of leads


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("DI", "I"), ("DII", "II"), ("ECG-I", "I"), ("EKG-V1", "V1"), ("Lead-aVF", "aVF"), ("MDC-ECG-LEAD-II", "II"),
         ("D III", "III"), ("D1", "I"), ("D3", "III"), ("I [mV]", "I"), ("II(mV)", "II"),
        ("V1 / mV", "V1"), ("V6, uV", "V6"), ("aVL_mV", "aVL"), ("Ableitung I", "I"), ("Abl. aVR", "aVR"),
        ("I-Ref", "I"),
        ("EKG V2-Ref", "V2"), ("ECG I-Ref", "I"), ("Dérivation II", "II"), ("Derivación aVF", "aVF"),
        ("Derivação DI", "I"),
        ("Ⅱ", "II"), ("Ⅲ誘導", "III"), ("aVL导联", "aVL"), ("1: I", "I"), ("CH3 III", "III"), ("II_2", "II"),
        ("V_1", "V1"),
        ("V01", "V1"), ("I - Ref", "I"), ("V1 - WCT", "V1"), ("DII longo", "II"),
         ("LA-RA", "I"), ("LL - LA", "III"), ("II rhythm", "II"), ("Отведение I", "I"),
        ("V5 filtered", "V5"),
        ("MINDRAY_ECG_LEAD_V3", None), ("I-II", None), ("II-I", None), ("V1-V2", None), ("I II", None), ("", None),
        ("aVR II", None), ("V1V2", None), ("1", None), ("Iv", None), ("-", None), ("EEG C3-A2", None), ("mV", None),
    ],
)  # fmt: skip
def test_labels(label, name):
    assert lead_name(label) == (name or None)


@pytest.mark.parametrize(
    "label",
    [
        "-aVR", "ECG -aVR", "Lead -aVR", "aVR-", "aVR(-)", "(-)aVR", "aVR (-)", "−aVR", "–aVR", "- aVR", "minus aVR",
        "aVR neg", "neg. aVR", "avr-neg", "neg-aVR", "aVR_neg", "aVRneg",
         "aVR negative", "inverted aVR", "aVR inv", "aVR (inverted)",
        "aVR [invertiert]", "-aVR [mV]",
        "MDC_ECG_LEAD_AVRNEG", "MDC_ECG_LEAD_-aVR", "-1*aVR", "Ableitung -aVR",
    ],
)  # fmt: skip
def test_inverted_labels(label):
    assert lead_name(label) == "-aVR"


def test_labels_that_are_not_understood_are_told_but_no_name_of_a_person():
    labels = ("DI", "IX", "ECG I-II", "V3R", "Müller", "Zzpatient", "Resp", "V1-V2", "vx", "1950-02-01")
    assert not_understood(labels) == ("IX", "ECG I-II", "V1-V2")


def limbs(ecg: Ecg) -> dict[str, np.ndarray]:
    return {lead: ecg.millivolts[k].astype(float) for k, lead in enumerate(LEADS)}


@pytest.mark.parametrize("kept", [("aVL", "aVF"), ("aVR", "aVL"), ("I", "aVF"), ("III", "aVR"), ("aVR", "aVF")])
def test_any_two_limb_leads_give_the_others(ecg, kept):
    leads = {name: signal for name, signal in limbs(ecg).items() if name in kept or name.startswith("V")}
    millivolts, mask, notes = assemble(Channel(name, signal) for name, signal in leads.items())
    assert mask.all() and has(notes, EcgNote.DERIVED)
    np.testing.assert_allclose(millivolts, ecg.millivolts, atol=1e-5)


def test_a_mislabelled_avr_is_found_by_the_other_leads(ecg):
    """Cabrera without a minus in the label: what I and II say counts."""
    leads = limbs(ecg) | {"aVR": -limbs(ecg)["aVR"]}
    millivolts, mask, notes = assemble(Channel(name, signal) for name, signal in leads.items())
    np.testing.assert_allclose(millivolts, ecg.millivolts, atol=1e-5)
    assert mask.all() and notes == (Fact(EcgNote.MIRRORED, leads=("aVR",)),)


def test_a_label_that_stands_twice(ecg):
    same = [*limbs(ecg).items(), ("II", limbs(ecg)["II"] + 0.001)]
    millivolts, mask, notes = assemble(Channel(*each) for each in same)
    np.testing.assert_allclose(millivolts, ecg.millivolts, atol=1e-5)
    assert mask.all() and notes == (Fact(EcgNote.TWICE, leads=("II",)),)
    other = [*limbs(ecg).items(), ("V2", limbs(ecg)["V3"])]
    millivolts, mask, notes = assemble(Channel(*each) for each in other)
    assert not mask[LEADS.index("V2")] and mask.sum() == 11
    assert notes == (Fact(EcgNote.TWICE_UNLIKE, leads=("V2",)),)


RENAMED = {"aVR": "-aVR"}


def inverted_file(kind: str, folder: Path, ecg: Ecg) -> Path:
    """An ECG whose aVR is stored inverted and labelled so."""
    turned = replace(ecg, millivolts=ecg.millivolts * np.where(np.array(LEADS) == "aVR", -1, 1)[:, None])
    labels = tuple(RENAMED.get(lead, lead) for lead in LEADS)
    if kind == "wfdb":
        return write_wfdb(folder, turned, labels=labels)
    if kind == "csv":
        path = write_csv(folder / "a.csv", turned)
        path.write_text(path.read_text().replace(",aVR,", ",aVR(-),"))
        return path
    if kind == "aecg":
        path = write_aecg(folder / "a.xml", turned)
        path.write_text(path.read_text().replace("MDC_ECG_LEAD_AVR", "MDC_ECG_LEAD_AVRNEG"))
        return path
    if kind == "scp":
        path = write_scp(folder / "a.scp", turned)
        samples = ecg.millivolts.shape[1]
        at = np.array([1, samples], "<u4").tobytes()
        path.write_bytes(path.read_bytes().replace(at + bytes([62]), at + bytes([65])))
        return path
    path = write_edf(folder / "a.edf", turned)
    path.write_bytes(path.read_bytes().replace(b"ECG aVR ", b"ECG-aVR ") if kind == "edf prefix" else
                     path.read_bytes().replace(b"ECG aVR  ", b"ECG -aVR "))  # fmt: skip
    return path


@pytest.mark.parametrize("kind", ["wfdb", "csv", "aecg", "scp", "edf"])
def test_inverted_avr_in_every_format(tmp_path, ecg, kind):
    read = read_ecg(inverted_file(kind, tmp_path, ecg))
    like(read, ecg)
    assert has(read.notes, EcgNote.TURNED)


# Gains that calibrate nothing


@pytest.mark.parametrize("gain", ["0/mV", "0(0)/mV", "0.0/mV", "0e3"])
def test_wfdb_gains(tmp_path, ecg, gain):
    with pytest.raises(InputError, match="no calibration"):
        read_ecg(write_wfdb(tmp_path, ecg, gain=gain))


def test_a_negative_gain_turns_the_signal(tmp_path, ecg):
    turned = replace(ecg, millivolts=-ecg.millivolts)
    like(read_ecg(write_wfdb(tmp_path, turned, gain="-1000(0)/mV")), ecg)
    group = multiplex_group(turned)
    for channel in group.ChannelDefinitionSequence:
        channel.ChannelSensitivity = "-2.5"
    like(read_ecg(save(dicom_ecg(group), tmp_path / "a.dcm")), ecg)


@pytest.mark.parametrize("kind", ["dicom", "dicom correction", "aecg", "muse", "sierra", "scp", "edf", "ishne"])
def test_a_gain_of_zero_in_every_format(tmp_path, ecg, kind):
    if kind.startswith("dicom"):
        group = multiplex_group(ecg)
        channel = group.ChannelDefinitionSequence[3]
        if kind == "dicom":
            channel.ChannelSensitivity = "0"
        else:
            channel.ChannelSensitivityCorrectionFactor = "0"
        path = save(dicom_ecg(group), tmp_path / "a")
    elif kind == "aecg":
        path = _replaced(write_aecg(tmp_path / "a", ecg), b'scale value="2.5"', b'scale value="0.0"')
    elif kind == "muse":
        path = _replaced(write_muse(tmp_path / "a", ecg), b"PerBit>4.88<", b"PerBit>0<")
    elif kind == "sierra":
        path = write_sierra(tmp_path / "a", ecg)
        text = path.read_bytes().decode("utf-16").replace("<resolution>5<", "<resolution>0<")
        path.write_bytes(text.encode("utf-16"))
    elif kind == "scp":
        step = np.array([2500, round(1e6 / ecg.rate)], "<u2").tobytes()
        path = _replaced(write_scp(tmp_path / "a", ecg), step, bytes(2) + step[2:])
    elif kind == "edf":
        path = write_edf(tmp_path / "a", ecg)
        data = bytearray(path.read_bytes())
        signals = int(data[252:256])
        start = 256 + 104 * signals
        data[start + 8 * signals : start + 16 * signals] = data[start : start + 8 * signals]
        path.write_bytes(data)
    else:
        path = write_ishne(tmp_path / "a", ecg, resolution_nv=1000)
        _replaced(path, np.full(12, 1000, "<i2").tobytes(), np.zeros(12, "<i2").tobytes())
    with pytest.raises(InputError, match="no calibration|damaged"):
        read_ecg(path)


def _replaced(path: Path, old: bytes, new: bytes) -> Path:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))
    return path


# Several parts in one file


def strip(ecg: Ecg, leads: tuple[str, ...], **kept) -> Dataset:
    """A multiplex group of some leads."""
    group = multiplex_group(ecg, **kept)
    rows = [LEADS.index(lead) for lead in leads]
    stored = np.frombuffer(group.WaveformData, "<i2").reshape(-1, 12)[:, rows]
    group.WaveformData = np.ascontiguousarray(stored).tobytes()
    group.NumberOfWaveformChannels = len(rows)
    group.ChannelDefinitionSequence = [group.ChannelDefinitionSequence[row] for row in rows]
    return group


@pytest.mark.parametrize("offset", [None, 0.0])
def test_simultaneous_groups_are_joined(tmp_path, ecg, offset):
    groups = [strip(ecg, ("I", "II")), strip(ecg, ("V1", "V2", "V3")), strip(ecg, ("V4", "V5", "V6"))]
    for group in groups:
        if offset is not None:
            group.MultiplexGroupTimeOffset = str(offset)
    like(read_ecg(save(dicom_ecg(*groups), tmp_path / "a")), ecg)


def test_groups_of_other_times_are_not_joined(tmp_path, ecg):
    groups = [strip(ecg, ("I", "II", "V1")), strip(ecg, ("V2", "V3", "V4", "V5", "V6"))]
    groups[0].MultiplexGroupTimeOffset, groups[1].MultiplexGroupTimeOffset = "0", "10000"
    with pytest.raises(InputError, match=TOGETHER):
        read_ecg(save(dicom_ecg(*groups), tmp_path / "a"))
    later = synthetic_ecg(seconds=10.0, bpm=73.0, first_onset_s=0.3)[0]
    groups = [strip(ecg, ("I", "II", "V1")), strip(later, ("V2", "V3", "V4", "V5", "V6"))]
    with pytest.raises(InputError, match=TOGETHER):
        read_ecg(save(dicom_ecg(*groups), tmp_path / "a"))


def three_by_four(ecg: Ecg, fill: float, rhythm: bool = False) -> Ecg:
    """Every lead in its own quarter of the time, the rest filled."""
    millivolts = np.full_like(ecg.millivolts, fill)
    quarter = ecg.millivolts.shape[1] // 4
    for k in range(12):
        part = slice((k // 3) * quarter, (k // 3 + 1) * quarter)
        millivolts[k, part] = ecg.millivolts[k, part]
    if rhythm:
        millivolts[1] = ecg.millivolts[1]
    return replace(ecg, millivolts=millivolts)


WRITERS = {
    "aecg": lambda path, ecg: write_aecg(path, ecg),
    "sierra": lambda path, ecg: write_sierra(path, ecg, pulse=False),
    "scp": lambda path, ecg: write_scp(path, ecg),
    "edf": lambda path, ecg: write_edf(path, ecg),
    "ishne": lambda path, ecg: write_ishne(path, ecg),
    "csv": lambda path, ecg: write_csv(path, ecg),
    "wfdb": lambda path, ecg: write_wfdb(path.parent, ecg),
    "dicom": lambda path, ecg: save(dicom_ecg(multiplex_group(ecg)), path),
}


@pytest.mark.parametrize("rhythm", [False, True])
@pytest.mark.parametrize("kind", [*WRITERS])
def test_zero_filled_layouts_in_every_format(tmp_path, ecg, kind, rhythm):
    with pytest.raises(InputError, match=TOGETHER):
        read_ecg(WRITERS[kind](tmp_path / "a.csv", three_by_four(ecg, 0.0, rhythm)))


def test_muse_waveforms_and_time_offsets(tmp_path, ecg):
    path = write_muse(tmp_path / "a", ecg)
    text = path.read_text(encoding="latin-1")
    early = text.replace("<LeadSampleSize>", "<LeadTimeOffset>0</LeadTimeOffset><LeadSampleSize>")
    path.write_text(early, encoding="latin-1")
    like(read_ecg(path), ecg)
    for lead in ("V4", "V5", "V6"):
        early = early.replace(
            f"<LeadID>{lead}</LeadID><LeadTimeOffset>0<", f"<LeadID>{lead}</LeadID><LeadTimeOffset>2500<"
        )
    path.write_text(early, encoding="latin-1")
    with pytest.raises(InputError, match=TOGETHER):
        read_ecg(path)
    # a rhythm strip before the twelve leads
    start = text.index("<Waveform><WaveformType>Rhythm")
    rhythm = text[start : text.index("</RestingECG>")]
    one = rhythm[: rhythm.index("<LeadData>")] + rhythm[rhythm.index("<LeadData>") : rhythm.index("</LeadData>")]
    path.write_text(text[:start] + one + "</LeadData></Waveform>" + text[start:], encoding="latin-1")
    like(read_ecg(path), ecg)


def test_all_series_and_sets_of_an_aecg_are_looked_at(tmp_path, ecg):
    path = write_aecg(tmp_path / "a.xml", ecg)
    text = path.read_text()
    series = text[text.index("<component><series>") : text.index("</AnnotatedECG>")]
    sequences = re.findall(r"<component><sequence>.*?</sequence></component>", series)
    short = series.replace("".join(sequences[3:]), "")  # time, I, II
    path.write_text(text.replace(series, short + series))
    like(read_ecg(path), ecg)
    sets = [
        f"<component><sequenceSet>{sequences[0]}{''.join(sequences[first:last])}</sequenceSet></component>"
        for first, last in ((1, 3), (3, 9), (9, 13))  # I and II, the chest leads, III to aVF
    ]
    whole = f"<component><sequenceSet>{''.join(sequences)}</sequenceSet></component>"
    path.write_text(text.replace(whole, "".join(sets)))
    like(read_ecg(path), ecg)
    sets[1] = sets[1].replace("20210305102030", "20210305102040")
    path.write_text(text.replace(whole, "".join(sets)))
    with pytest.raises(InputError, match=TOGETHER):
        read_ecg(path)


def test_scp_leads_of_other_times(tmp_path, ecg):
    path = write_scp(tmp_path / "a", ecg)
    samples = ecg.millivolts.shape[1]
    for number in (6, 7, 8):
        old = np.array([1, samples], "<u4").tobytes() + bytes([number])
        _replaced(path, old, np.array([samples + 1, 2 * samples], "<u4").tobytes() + bytes([number]))
    with pytest.raises(InputError, match=TOGETHER):
        read_ecg(path)


def test_padding_at_the_end_of_all_leads_is_cut(tmp_path, ecg):
    group = multiplex_group(ecg)
    stored = np.frombuffer(group.WaveformData, "<i2").reshape(-1, 12).copy()
    stored[4000:] = -32768
    group.WaveformData, group.WaveformPaddingValue = stored.tobytes(), b"\x00\x80"
    read = read_ecg(save(dicom_ecg(group), tmp_path / "a"))
    assert read.millivolts.shape == (12, 4000)
    like(read, ecg)


def test_ishne_samples_that_were_not_taken(tmp_path, ecg):
    cut = replace(ecg, millivolts=ecg.millivolts.copy())
    cut.millivolts[:, 4500:] = -32.768
    assert read_ecg(write_ishne(tmp_path / "a", cut)).millivolts.shape == (12, 4500)


# DICOM


def test_a_lead_by_its_label_where_the_code_says_unspecified(tmp_path, ecg):
    group = multiplex_group(ecg)
    for lead, channel in zip(LEADS, group.ChannelDefinitionSequence, strict=True):
        channel.ChannelSourceSequence = [code("5.6.3-9-0", "SCPECG", "Unspecified lead")]
        channel.ChannelLabel = lead
    like(read_ecg(save(dicom_ecg(group), tmp_path / "a")), ecg)


def test_a_code_and_a_label_that_name_two_leads(tmp_path, ecg):
    group = multiplex_group(ecg)
    group.ChannelDefinitionSequence[6].ChannelLabel = "V2"
    read = read_ecg(save(dicom_ecg(group), tmp_path / "a"))
    assert not read.lead_mask[6] and read.lead_mask.sum() == 11
    group.ChannelDefinitionSequence[3].ChannelSourceSequence = [code("5.6.3-9-65", "SCPECG", "Lead -aVR")]
    stored = np.frombuffer(group.WaveformData, "<i2").reshape(-1, 12).copy()
    stored[:, 3] *= -1
    group.WaveformData = stored.tobytes()
    read = read_ecg(save(dicom_ecg(group), tmp_path / "a"))
    np.testing.assert_allclose(read.millivolts[3], ecg.millivolts[3], atol=0.01)


def test_big_endian_dicom(tmp_path, ecg):
    group = multiplex_group(ecg)
    group.WaveformData = np.frombuffer(group.WaveformData, "<i2").astype(">i2").tobytes()
    dataset = dicom_ecg(group)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    like(read_ecg(save(dataset, tmp_path / "a")), ecg)


def test_small_skews_are_taken_out_and_large_ones_refused(tmp_path, ecg):
    group = multiplex_group(ecg)
    stored = np.frombuffer(group.WaveformData, "<i2").reshape(-1, 12)
    group.WaveformData = np.concatenate(
        [stored[2:, :6], stored[:-2, 6:]], axis=1).tobytes()  # the chest leads 4 ms later  # fmt: skip
    group.NumberOfWaveformSamples = len(stored) - 2
    for k, channel in enumerate(group.ChannelDefinitionSequence):
        channel.ChannelTimeSkew = "0.004" if k < 6 else "0"
    read = read_ecg(save(dicom_ecg(group), tmp_path / "a"))
    np.testing.assert_allclose(read.millivolts, ecg.millivolts[:, 2 : 2 + read.millivolts.shape[1]], atol=0.01)
    for k, channel in enumerate(group.ChannelDefinitionSequence):
        channel.ChannelTimeSkew = "0" if k < 6 else "2.5"
    with pytest.raises(InputError, match=TOGETHER):
        read_ecg(save(dicom_ecg(group), tmp_path / "a"))


# WFDB and EDF headers


def test_signal_skew_of_wfdb(tmp_path, ecg):
    late = replace(ecg, millivolts=ecg.millivolts.copy())
    late.millivolts[6:] = np.roll(ecg.millivolts[6:], 5, axis=1)
    header = write_wfdb(tmp_path, late)
    lines = header.read_text().splitlines()
    lines[7:] = [line.replace(" 16 ", " 16:5 ", 1) for line in lines[7:]]
    header.write_text("\n".join(lines) + "\n")
    read = read_ecg(header)
    assert ecg.millivolts.shape[1] - 10 <= read.millivolts.shape[1] < ecg.millivolts.shape[1]
    like(read, ecg)


@pytest.mark.parametrize(
    ("written", "when"),
    [
        ("2024-03-15 10:20:30", datetime(2024, 3, 15, 10, 20, 30)),
        ("10:20:30 2024-03-15", datetime(2024, 3, 15, 10, 20, 30)),
        ("2024-03-15T10:20:30", datetime(2024, 3, 15, 10, 20, 30)),
        ("15.03.2024 10:20", datetime(2024, 3, 15, 10, 20)),
        ("10:20:30 05/03/2024", datetime(2024, 3, 5, 10, 20, 30)),
        ("05-Mar-2024 11:39:16", datetime(2024, 3, 5, 11, 39, 16)),
        ("10:20:30 2006", None),
        ("10:20:30", None),
    ],
)
def test_dates_of_a_record_line(tmp_path, ecg, written, when):
    read = read_ecg(write_wfdb(tmp_path, ecg, date=written))
    assert read.acquired == when
    like(read, ecg)


@pytest.mark.parametrize(
    ("text", "month_first", "found"),
    [
        ("15.03.2021", None, datetime(2021, 3, 15)),
        ("03/04/2021", None, None),
        ("03/04/2021", True, datetime(2021, 3, 4)),
        ("03/04/2021", False, datetime(2021, 4, 3)),
        ("15-03-2021", True, datetime(2021, 3, 15)),
        ("04/04/2021", None, datetime(2021, 4, 4)),
        ("31.02.2021", None, None),
        ("", None, None),
    ],
)
def test_stored_dates(text, month_first, found):
    assert stored_date(text, month_first=month_first) == found


@pytest.mark.parametrize(
    ("date", "when"),
    [
        ("15.03.2021", datetime(2021, 3, 15, 10, 20, 30)),
        ("05.03.2021", datetime(2021, 3, 5, 10, 20, 30)),
        ("15-03-2021", datetime(2021, 3, 15, 10, 20, 30)),
        ("2021-03-15", datetime(2021, 3, 15, 10, 20, 30)),
    ],
)
def test_dates_of_muse(tmp_path, ecg, date, when):
    assert read_ecg(write_muse(tmp_path / "a", ecg, date=date)).acquired == when


def test_edf_headers_that_are_not_ascii(tmp_path, ecg):
    path = write_edf(tmp_path / "a.edf", ecg)
    data = path.read_bytes().replace(b"Zzpatient", "Zzpatiênt".encode("latin-1"))
    data = data.replace(b"uV      ", "µV      ".encode("latin-1"))
    path.write_bytes(data)
    like(read_ecg(path), ecg)
    path.write_bytes(data.replace("µV      ".encode("latin-1"), "µV     ".encode()))
    like(read_ecg(path), ecg)


# What XML declares


@pytest.mark.parametrize("count", ["999999999", "1e300", "inf", "-1e12", "9" * 300])
@pytest.mark.parametrize(
    ("write", "old"),
    [
        (write_sierra, "<numberchannelsvalid>12<"),
        (write_sierra, "<numberchannelsallocated>12<"),
        (write_muse, "<SampleExponent>0<"),
        (write_muse, "<LeadSampleSize>2<"),
    ],
)
def test_counts_in_xml_are_bounded(tmp_path, ecg, write, old, count):
    path = write(tmp_path / "a.xml", ecg)
    encoding = "utf-16" if write is write_sierra else "latin-1"
    text = path.read_bytes().decode(encoding)
    assert old in text
    path.write_bytes(text.replace(old, old[: old.index(">") + 1] + count + "<").encode(encoding))
    with pytest.raises(InputError, match="count that no ECG has|damaged"):
        read_ecg(path)


def test_05_of_the_hostile_files(shared_data):
    with pytest.raises(InputError, match="count that no ECG has"):
        read_ecg(shared_data / "field_cases" / "hostile" / "05-sierra-channels-hang" / "sierra.xml")


@pytest.mark.parametrize(
    ("comments", "female", "age"),
    [
        (("Age: 61", "Sex: Female"), True, 61.0),
        (("age: 61", "sex: male"), False, 61.0),
        (("Age: NaN", "Sex: Unknown"), None, None),
        (("Age: 300",), None, None),  # what de-identified records have for the very old
        (("Passage: 44", "the sex: male"), None, None),
    ],
)
def test_sex_and_age_of_a_wfdb_header(tmp_path, ecg, comments, female, age) -> None:
    said = read_ecg(write_wfdb(tmp_path, ecg, comments=comments)).subject
    assert (said.female, said.age) == (female, age)
