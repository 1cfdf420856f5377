"""ECG files of the formats that carts and archives export, written by the tests from any recording.

Each is written from the format's published layout, independently of the readers. Where a format has room for a
patient's name and identifier, :data:`PATIENT` stands there, so that a test can look for it in what is said.
"""

from __future__ import annotations

import base64
import binascii
import struct
from datetime import datetime
from pathlib import Path

import edfio
import numpy as np

from ScarSegECGLib.case import LEADS, Ecg

PATIENT = "Zzpatient"
WHEN = datetime(2021, 3, 5, 10, 20, 30)
EIGHT = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")


def counts(ecg: Ecg, lead: str, microvolts: float) -> np.ndarray:
    """One lead as 16-bit counts."""
    return np.round(np.asarray(ecg.millivolts[LEADS.index(lead)], dtype=float) * 1000 / microvolts).astype("<i2")


def write_muse(path: Path, ecg: Ecg, *, date: str = "03-05-2021", time: str = "10:20:30") -> Path:
    """GE MUSE: eight leads at 4.88 uV per count, a median beat before the rhythm, a named document type."""

    def waveform(kind: str, of: Ecg) -> str:
        leads = ""
        for lead in EIGHT:
            data = counts(of, lead, 4.88).tobytes()
            leads += (
                f"<LeadData><LeadByteCountTotal>{len(data)}</LeadByteCountTotal>"
                f"<LeadSampleCountTotal>{len(data) // 2}</LeadSampleCountTotal>"
                "<LeadAmplitudeUnitsPerBit>4.88</LeadAmplitudeUnitsPerBit>"
                f"<LeadAmplitudeUnits>MICROVOLTS</LeadAmplitudeUnits><LeadID>{lead}</LeadID>"
                f"<LeadSampleSize>2</LeadSampleSize><WaveFormData>{base64.b64encode(data).decode()}</WaveFormData>"
                "</LeadData>"
            )
        return (
            f"<Waveform><WaveformType>{kind}</WaveformType><SampleBase>{of.rate:g}</SampleBase>"
            f"<SampleExponent>0</SampleExponent>{leads}</Waveform>"
        )

    beat = Ecg(ecg.millivolts[:, : int(0.8 * ecg.rate)] * 2, ecg.lead_mask, ecg.rate)
    path.write_text(
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<!DOCTYPE RestingECG SYSTEM "restecg.dtd">\n<RestingECG>'
        f"<PatientDemographics><PatientID>{PATIENT}</PatientID><PatientLastName>{PATIENT}</PatientLastName>"
        f"</PatientDemographics><TestDemographics><AcquisitionDate>{date}</AcquisitionDate>"
        f"<AcquisitionTime>{time}</AcquisitionTime></TestDemographics>"
        "<RestingECGMeasurements><PRInterval>160</PRInterval><QRSDuration>98</QRSDuration>"
        "<QTInterval>400</QTInterval><QTCorrected>410</QTCorrected><RAxis>-20</RAxis></RestingECGMeasurements>"
        "<Diagnosis><DiagnosisStatement><StmtText>Ventricular-paced rhythm</StmtText></DiagnosisStatement></Diagnosis>"
        f"{waveform('Median', beat)}{waveform('Rhythm', ecg)}</RestingECG>\n",
        encoding="latin-1",
    )
    return path


def write_aecg(path: Path, ecg: Ecg, *, when: str = "20210305102030.000+0100") -> Path:
    """HL7 aECG: 2.5 uV per count, the chest leads before III."""
    order = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6", "III", "aVR", "aVL", "aVF")
    sequences = (
        '<component><sequence><code code="TIME_ABSOLUTE"/><value xsi:type="GLIST_TS">'
        f'<head value="{when}"/><increment value="{1 / ecg.rate:.9g}" unit="s"/></value></sequence></component>'
    )
    for lead in order:
        digits = " ".join(map(str, counts(ecg, lead, 2.5)))
        sequences += (
            f'<component><sequence><code code="MDC_ECG_LEAD_{lead.upper()}"/><value xsi:type="SLIST_PQ">'
            f'<origin value="0" unit="uV"/><scale value="2.5" unit="uV"/><digits>{digits}</digits></value>'
            "</sequence></component>"
        )
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<AnnotatedECG xmlns="urn:hl7-org:v3" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><id root="1.2.3"/>'
        f'<effectiveTime><low value="{when}"/></effectiveTime><componentOf><timepointEvent><componentOf>'
        f"<subjectAssignment><subject><trialSubject><id extension='{PATIENT}'/><subjectDemographicPerson>"
        f"<name>{PATIENT}</name></subjectDemographicPerson></trialSubject></subject></subjectAssignment>"
        '</componentOf></timepointEvent></componentOf><component><series><code code="RHYTHM"/>'
        f'<effectiveTime><low value="{when}"/></effectiveTime>'
        f"<component><sequenceSet>{sequences}</sequenceSet></component></series></component></AnnotatedECG>\n"
    )
    return path


def write_sierra(path: Path, ecg: Ecg, *, version: str = "1.03", pulse: bool = True) -> Path:
    """Philips Sierra, not compressed, 5 uV per count; with a second of tail that holds a 1 mV pulse."""
    tail = np.zeros(int(ecg.rate), dtype="<i2")
    tail[int(0.7 * ecg.rate) : int(0.9 * ecg.rate)] = 200
    rows = [np.concatenate([counts(ecg, lead, 5.0), tail if pulse else tail[:0]]) for lead in LEADS]
    data = base64.b64encode(np.concatenate(rows).astype("<i2").tobytes()).decode()
    kind = "SierraECG" if version == "1.03" else "PhilipsECG"
    path.write_bytes(
        (
            '<?xml version="1.0" encoding="UTF-16"?>\n<restingecgdata xmlns="http://www3.medical.philips.com">'
            f"<documentinfo><documenttype>{kind}</documenttype><documentversion>{version}</documentversion>"
            '</documentinfo><dataacquisition date="2021-03-05" time="10:20:30"><signalcharacteristics>'
            f"<samplingrate>{ecg.rate:g}</samplingrate><resolution>5</resolution><signaloffset>0</signaloffset>"
            "<signalsigned>True</signalsigned><numberchannelsvalid>12</numberchannelsvalid>"
            "<numberchannelsallocated>12</numberchannelsallocated><acquisitiontype>STD-12</acquisitiontype>"
            f"</signalcharacteristics></dataacquisition><patient><generalpatientdata><patientid>{PATIENT}</patientid>"
            f"<name><lastname>{PATIENT}</lastname></name></generalpatientdata></patient><waveforms>"
            f'<parsedwaveforms dataencoding="Base64" durationperchannel="{rows[0].size / ecg.rate * 1000:g}">{data}'
            "</parsedwaveforms></waveforms></restingecgdata>\n"
        ).encode("utf-16")
    )
    return path


def write_scp(path: Path, ecg: Ecg, *, day: bool = True) -> Path:
    """SCP-ECG (EN 1064): sections 0, 1, 3, 6 and 7, not compressed, 2.5 uV per count."""
    scp_codes = dict(zip(LEADS, (1, 2, 61, 62, 63, 64, 3, 4, 5, 6, 7, 8), strict=True))
    samples = ecg.millivolts.shape[1]
    name = PATIENT.encode() + b"\0"
    tags = struct.pack("<BH", 0, len(name)) + name + struct.pack("<BH", 2, len(name)) + name
    if day:
        tags += struct.pack("<BHHBB", 25, 4, 2021, 3, 5) + struct.pack("<BHBBB", 26, 3, 10, 20, 30)
    tags += struct.pack("<BH", 255, 0)
    leads = struct.pack("<BB", 12, 0x04 | (12 << 3) & 0xFF) + b"".join(
        struct.pack("<IIB", 1, samples, scp_codes[lead]) for lead in LEADS
    )
    rhythm = struct.pack("<HHBB", 2500, round(1e6 / ecg.rate), 0, 0) + struct.pack("<12H", *[2 * samples] * 12)
    rhythm += b"".join(counts(ecg, lead, 2.5).tobytes() for lead in LEADS)
    measured = struct.pack("<BBHH", 1, 0, 900, 900) + struct.pack("<5H3h", 240, 350, 400, 496, 800, 40, -20, 50)
    bodies = {1: tags, 3: leads, 6: rhythm, 7: measured}

    def section(number: int, body: bytes) -> bytes:
        body += b"\0" * (len(body) % 2)
        head = struct.pack("<HIBB6s", number, len(body) + 16, 20, 20, b"SCPECG" if number == 0 else b"\0" * 6)
        return struct.pack("<H", binascii.crc_hqx(head + body, 0xFFFF)) + head + body

    sections = {number: section(number, body) for number, body in bodies.items()}
    length = 16 + 10 * (1 + len(sections))
    pointers, index = struct.pack("<HII", 0, length, 7), 7 + length
    for number, written in sections.items():
        pointers += struct.pack("<HII", number, len(written), index)
        index += len(written)
    whole = section(0, pointers) + b"".join(sections.values())
    sized = struct.pack("<I", len(whole) + 6) + whole
    path.write_bytes(struct.pack("<H", binascii.crc_hqx(sized, 0xFFFF)) + sized)
    return path


def write_edf(
    path: Path,
    ecg: Ecg,
    *,
    unit: str = "uV",
    when: datetime | None = WHEN,
    labels: str = "ECG {}",
    plus: bool = True,
) -> Path:
    """EDF, or EDF+ with an annotation: all leads and one channel that is none, in whole seconds."""
    scale = {"uV": 1000.0, "mV": 1.0, "mmHg": 1.0}[unit]
    samples = int(ecg.millivolts.shape[1] // ecg.rate * ecg.rate)
    signals = []
    for lead in LEADS:
        values = np.asarray(ecg.millivolts[LEADS.index(lead), :samples], dtype=float) * scale
        signals.append(
            edfio.EdfSignal(
                values,
                ecg.rate,
                label=labels.format(lead),
                physical_dimension=unit,
                physical_range=(-10 * scale, 10 * scale),
            )
        )
    signals.append(edfio.EdfSignal(np.sin(np.arange(samples)), ecg.rate, label="Resp", physical_dimension="mmHg"))
    recording = edfio.Recording(startdate=None if when is None else when.date())
    clock = {} if when is None else {"starttime": when.time()}
    notes = [edfio.EdfAnnotation(0.0, None, PATIENT)] if plus else None
    patient = edfio.Patient(name=PATIENT, code=PATIENT)
    edfio.Edf(signals, patient=patient, recording=recording, annotations=notes, **clock).write(path)
    return path


def write_ishne(path: Path, ecg: Ecg, *, resolution_nv: int = 1000) -> Path:
    """ISHNE 1.0 with twelve leads and a comment."""
    comment = b"by the tests\0\0"
    head = bytearray(512)
    struct.pack_into("<iiiih", head, 0, len(comment), ecg.millivolts.shape[1], 522, 522 + len(comment), 1)
    for place, size in ((18, 40), (58, 40), (98, 20)):
        head[place : place + size] = PATIENT.encode().ljust(size, b"\0")
    struct.pack_into("<2h3h3h3h3h", head, 118, 1, 1, 9, 9, 1950, 5, 3, 2021, 5, 3, 2021, 10, 20, 30)
    struct.pack_into("<h", head, 146, 12)
    struct.pack_into("<12h", head, 148, *range(5, 17))
    struct.pack_into("<12h", head, 172, *[1] * 12)
    struct.pack_into("<12h", head, 196, *[resolution_nv] * 12)
    struct.pack_into("<h", head, 220, 0)
    struct.pack_into("<h", head, 262, round(ecg.rate))
    frames = np.stack([counts(ecg, lead, resolution_nv / 1000) for lead in LEADS], axis=1)
    block = bytes(head) + comment
    checksum = struct.pack("<H", binascii.crc_hqx(block, 0xFFFF))
    path.write_bytes(b"ISHNE1.0" + checksum + block + frames.astype("<i2").tobytes())
    return path


def write_csv(
    path: Path, ecg: Ecg, *, statements: tuple[str, ...] = ("# rate_hz: {rate:g}", "# unit: mV"), delimiter: str = ",",
    times: bool = False, decimal: str = "."
) -> Path:  # fmt: skip
    """A table with one column per lead, and one of times if asked for."""
    table = np.asarray(ecg.millivolts, dtype=float).T
    names = list(LEADS)
    if times:
        table = np.column_stack([np.arange(len(table)) / ecg.rate, table])
        names = ["time (s)", *names]
    rows = [delimiter.join(f"{value:.5f}".replace(".", decimal) for value in row) for row in table]
    lines = [text.format(rate=ecg.rate) for text in statements] + [delimiter.join(names)] + rows
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_cinc(folder: Path, ecg: Ecg, *, name: str = "A0001") -> Path:
    """A record as the CinC challenges have them: a MATLAB 4 matrix of 16-bit counts, 1000 per mV, and its header."""
    values = np.stack([counts(ecg, lead, 1.0) for lead in LEADS])
    head = struct.pack("<5i", 30, 12, values.shape[1], 0, 4) + b"val\0"
    (folder / f"{name}.mat").write_bytes(head + values.T.astype("<i2").tobytes())
    lines = [f"{name} 12 {ecg.rate:g} {values.shape[1]}"]
    lines += [f"{name}.mat 16+24 1000/mV 16 0 {values[k, 0]} 0 0 {lead}" for k, lead in enumerate(LEADS)]
    (folder / f"{name}.hea").write_text("\n".join(lines) + "\n# Age: 60\n# Dx: 426783006\n")
    return folder / f"{name}.mat"
