"""Read any supported ECG file; what it is, its content says, not its name."""

from __future__ import annotations

import hashlib
from os import PathLike
from pathlib import Path

from ScarSegECGLib.case import Ecg
from ScarSegECGLib.ecg.checks import check_signals
from ScarSegECGLib.ecg.csv_table import read_csv
from ScarSegECGLib.ecg.device_export import read_ishne, read_scp, read_xml
from ScarSegECGLib.ecg.dicom_waveform import read_dicom_ecg
from ScarSegECGLib.ecg.edf_file import read_edf
from ScarSegECGLib.ecg.formats import START, Kind, other_kind, told_by_content
from ScarSegECGLib.ecg.leads import assemble
from ScarSegECGLib.ecg.parts import longest_read, recorded_together, without_pulse
from ScarSegECGLib.ecg.recording import Recording, is_placeholder, require_file
from ScarSegECGLib.ecg.wfdb_record import header_of, read_wfdb
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import EcgNote

READABLE = "DICOM, WFDB, HL7 aECG, MUSE or Philips XML, SCP-ECG, EDF, ISHNE or CSV"
# Of a format that is one file.
_READERS = {
    Kind.DICOM: read_dicom_ecg,
    Kind.OLD_DICOM: read_dicom_ecg,
    Kind.EDF: read_edf,
    Kind.ISHNE: read_ishne,
    Kind.SCP: read_scp,
    Kind.XML: read_xml,
    Kind.CSV: read_csv,
}


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
    rate, acquired = recording.rate, recording.acquired
    placeholder = acquired is not None and is_placeholder(acquired)
    dated = (Fact(EcgNote.DATE_PLACEHOLDER, date=f"{acquired:%Y-%m-%d}"),) if placeholder else ()
    channels, cut = longest_read(recording.channels, rate)
    channels, pulse = without_pulse(channels, rate)
    channels, window = recorded_together(channels, rate)
    millivolts, mask, found = assemble(channels)
    millivolts, mask, remarks = check_signals(millivolts, mask, rate, noticed=found)
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(2**20):
                digest.update(block)
    ecg = Ecg(
        millivolts=millivolts,
        lead_mask=mask,
        rate=rate,
        acquired=acquired,
        date_trusted=recording.date_trusted and not placeholder,
        device_ms=recording.device_ms,
        sha256=digest.hexdigest(),
        notes=(*recording.notes, *cut, *dated, *pulse, *window, *found, *remarks),
        subject=recording.subject,
        stated_paced=recording.stated_paced,
    )
    return ecg, recording.format


def _read_recording(path: Path) -> tuple[Recording, tuple[Path, ...]]:
    """The recording and the files it came from."""
    header, ending = header_of(path), path.suffix.lower()
    if header is not None and not path.exists():
        return read_wfdb(header)
    require_file(path)
    with path.open("rb") as stream:
        start = stream.read(START)
    kind = told_by_content(start)
    if kind is Kind.WFDB_HEADER:
        if ending != ".hea":
            raise InputError("The file is a WFDB header under another name: let it end in .hea.")
        return read_wfdb(path)
    if ending == ".hea":
        raise InputError("The .hea file is not a WFDB header: copy the record again.")
    if kind in (Kind.OLD_DICOM, Kind.UNKNOWN):  # as signals may begin
        if header is not None:
            return read_wfdb(header)
        if ending in {".dat", ".mat"}:
            raise InputError("The WFDB header (.hea) is missing: put it beside the signal file.")
    if kind is Kind.UNKNOWN:
        words = other_kind(start) or f"of no known ECG format: export the ECG as {READABLE}"
        raise InputError(f"The ECG file is {words}.")
    return _READERS[kind](path), (path,)
