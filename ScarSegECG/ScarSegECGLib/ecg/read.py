"""Read any supported ECG file; what it is, its content says, not its name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from ScarSegECGLib.case import Ecg
from ScarSegECGLib.ecg.calibration import trim_calibration
from ScarSegECGLib.ecg.checks import check_signals, require_file
from ScarSegECGLib.ecg.csv_table import read_csv
from ScarSegECGLib.ecg.device_export import read_device_export
from ScarSegECGLib.ecg.dicom_waveform import read_dicom_ecg
from ScarSegECGLib.ecg.edf_file import read_edf
from ScarSegECGLib.ecg.formats import START, Kind, other_kind, told_by_content
from ScarSegECGLib.ecg.leads import assemble
from ScarSegECGLib.ecg.parts import recorded_together
from ScarSegECGLib.ecg.recording import Recording, is_placeholder
from ScarSegECGLib.ecg.wfdb_record import header_of, read_wfdb
from ScarSegECGLib.ecg.xml_guard import xml_root_name
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import EcgNote

READABLE = "DICOM, WFDB, HL7 aECG, MUSE or Philips XML, SCP-ECG, EDF, ISHNE or CSV"
_XML_ROOTS = {"annotatedecg": "hl7_aecg", "restingecg": "ge_muse_xml", "restingecgdata": "sierra_xml"}


def read_ecg(path: str | PathLike[str]) -> Ecg:
    """Read an ECG and apply every gate.

    Parameters
    ----------
    path : path
        A WFDB record (by its header, any signal file or its bare name), DICOM ECG, HL7 aECG, GE MUSE or Philips
        Sierra XML, SCP-ECG, EDF, ISHNE, or a CSV table that states its rate and unit.

    Returns
    -------
    Ecg
        Leads in canonical order, mV; its SHA-256 is that of the file, or of a WFDB header followed by its signals.

    Raises
    ------
    InputError
        The file is missing, of another kind, damaged, or no usable ECG; one line that says what to do.
    """
    return read_ecg_and_format(path)[0]


def read_ecg_and_format(path: str | PathLike[str]) -> tuple[Ecg, str]:
    """As :func:`read_ecg`, with the usual name of the format that was found."""
    try:
        recording, files = _read_recording(Path(path))
    except OSError:
        raise InputError("The ECG file cannot be read: check its name, its permissions and the disk.") from None
    channels, pulse = trim_calibration(recording.channels, recording.rate)
    channels, window = recorded_together(channels, recording.rate)
    millivolts, mask, found = assemble(channels)
    millivolts, mask, remarks = check_signals(millivolts, mask, recording.rate, noticed=found)
    placeholder = recording.acquired is not None and is_placeholder(recording.acquired)
    dated = (Fact(EcgNote.DATE_PLACEHOLDER, date=f"{recording.acquired:%Y-%m-%d}"),) if placeholder else ()
    ecg = Ecg(
        millivolts=millivolts,
        lead_mask=mask,
        rate=recording.rate,
        acquired=recording.acquired,
        date_trusted=recording.date_trusted and not placeholder,
        device_ms=recording.device_ms,
        sha256=sha256_of(files),
        notes=(*recording.notes, *dated, *pulse, *window, *found, *remarks),
        subject=recording.subject,
        stated_paced=recording.stated_paced,
    )
    return ecg, recording.format


def sha256_of(paths: Iterable[Path]) -> str:
    """Hash of the files' bytes one after the other, hexadecimal, read in pieces."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            while block := stream.read(2**20):
                digest.update(block)
    return digest.hexdigest()


def _read_recording(path: Path) -> tuple[Recording, tuple[Path, ...]]:
    """The recording and the files it came from."""
    header = header_of(path)
    if not path.exists() and header is not None:
        return read_wfdb(header)
    require_file(path)
    with path.open("rb") as stream:
        start = stream.read(START)
    kind = told_by_content(start)
    if kind is Kind.WFDB_HEADER and path.suffix.lower() != ".hea":
        raise InputError("The file is a WFDB header under another name: let it end in .hea.")
    if kind is Kind.WFDB_HEADER:
        return read_wfdb(path)
    if path.suffix.lower() == ".hea":
        raise InputError("The .hea file is not a WFDB header: copy the record again.")
    if kind not in (Kind.WFDB_HEADER, Kind.OLD_DICOM, Kind.UNKNOWN):
        return _read_one(path, kind), (path,)
    if header is not None:
        return read_wfdb(header)
    if path.suffix.lower() in {".dat", ".mat"}:
        raise InputError("The WFDB header (.hea) is missing: put it beside the signal file.")
    if kind is Kind.OLD_DICOM:
        return _read_one(path, kind), (path,)
    words = other_kind(start)
    if words:
        raise InputError(f"The ECG file is {words}.")
    raise InputError(f"The ECG file is of no known ECG format: export the ECG as {READABLE}.")


def _read_one(path: Path, kind: Kind) -> Recording:
    """The recording of a format that is one file."""
    if kind in (Kind.DICOM, Kind.OLD_DICOM):
        return read_dicom_ecg(path)
    if kind is Kind.EDF:
        return read_edf(path)
    if kind is Kind.CSV:
        return read_csv(path)
    if kind is not Kind.XML:
        return read_device_export(path, kind.value)
    root = _XML_ROOTS.get(xml_root_name(path).lower())
    if root is None:
        raise InputError("The ECG file is XML but no HL7 aECG, GE MUSE or Philips Sierra ECG: export one of these.")
    return read_device_export(path, root)
