"""Read any supported ECG file; what it is, its content says, not its name."""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import date
from os import PathLike
from pathlib import Path

from ScarSegECGLib.case import Ecg
from ScarSegECGLib.ecg.csv_table import looks_like_table, read_csv
from ScarSegECGLib.ecg.device_export import read_ishne, read_scp, read_xml
from ScarSegECGLib.ecg.dicom_waveform import read_dicom_ecg
from ScarSegECGLib.ecg.edf_file import looks_like_edf, read_edf
from ScarSegECGLib.ecg.leads import assemble, check_signals
from ScarSegECGLib.ecg.recording import Recording, recorded_together, require_size, the_ecg, without_pulse
from ScarSegECGLib.ecg.wfdb_record import LARGEST_SIGNAL_FILE, header_of, looks_like_header, read_wfdb
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import EcgNote
from ScarSegECGLib.lge.files import intact, sha256_of_file

START = 4096
READABLE = "DICOM, WFDB, HL7 aECG, MUSE or Philips XML, SCP-ECG, EDF, ISHNE or CSV"
# Days that stand for "no date": EDF's for anonymous files, zero of clocks and of data bases.
_PLACEHOLDERS = {date(1900, 1, 1), date(1970, 1, 1), date(1980, 1, 1), date(1985, 1, 1), date(9999, 12, 31)}
# What else users have, so that the message can name it.
_OTHERS = (
    ((b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"GIF8"), "an image, from which no ECG is read"),
    ((b"PK\x03\x04", b"7z\xbc\xaf", b"Rar!"), "an archive: unpack it first"),
    ((b"\x1f\x8b",), "a packed file: unpack it first, unless it is an image (.nii.gz) in the ECG's place"),
    ((b"NRRD00",), "an image (NRRD), not an ECG"),
    ((b"\xffBIOSEMI",), "a BDF file, which is not read: export EDF+"),
    ((b"MATLAB 5.0", b"\x89HDF"), "a MATLAB 5 or HDF5 file, which is not read: export WFDB or CSV"),
    ((b"ISHNEANN",), "an ISHNE annotation file: choose the recording"),
    ((b"MFER", b"@  MFR"), "an MFER file, which is not read: export DICOM or HL7 aECG"),
)
_PDF = (
    "a PDF, from which no ECG is read: let the cart or its archive export the signals (DICOM 12-lead ECG, HL7 aECG, "
    "MUSE or Philips XML, SCP-ECG)"
)


def _looks_like_xml(start: bytes) -> bool:
    return start.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe\t\n\r ").startswith(b"<")


def _looks_like_scp(start: bytes) -> bool:
    """Section 0 first, whose list of sections begins with itself at byte 7 (EN 1064)."""
    if len(start) < 32:
        return False
    section, length, pointer, index = struct.unpack_from("<HI8xH4xI", start, 8)
    return section == 0 and length >= 26 and (length - 16) % 10 == 0 and pointer == 0 and index == 7


Reader = Callable[[Path], Recording]
# How a format is known, what reads it, and the most bytes that a resting ECG has in it.
FORMATS: tuple[tuple[Callable[[bytes], bool], Reader, int], ...] = (
    (lambda start: start[128:132] == b"DICM", read_dicom_ecg, 128_000_000),
    (looks_like_edf, read_edf, 512_000_000),
    (lambda start: start.startswith(b"ISHNE1.0"), read_ishne, 32_000_000),
    (_looks_like_scp, read_scp, 2_000_000),
    (_looks_like_xml, read_xml, 10_000_000),
    (looks_like_header, read_wfdb, LARGEST_SIGNAL_FILE),
    (looks_like_table, read_csv, 16_000_000),
    (lambda start: start.startswith((b"\x08\0", b"\x02\0")), read_dicom_ecg, 128_000_000),  # without a preamble
)


def told_by_content(start: bytes) -> Reader | None:
    """What reads a file, by its first 4096 bytes; None for anything else than an ECG or a DICOM file."""
    return next((read for seen_in, read, _ in FORMATS if seen_in(start)), None)


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
    try:
        with intact("The ECG file is damaged, truncated or incomplete: copy or export it again."):
            recording = _read_recording(Path(path))
    except (OSError, MemoryError):
        raise InputError("The ECG file cannot be read: check its name, its permissions and the disk.") from None
    acquired = recording.acquired
    placeholder = acquired is not None and (acquired.year < 1900 or acquired.date() in _PLACEHOLDERS)
    dated = (Fact(EcgNote.DATE_PLACEHOLDER, date=f"{acquired:%Y-%m-%d}"),) if placeholder else ()
    part, chosen = the_ecg(recording.parts)
    channels, pulse = without_pulse(part.channels, part.rate)
    channels, window = recorded_together(channels, part.rate)
    millivolts, mask, found = assemble(channels)
    millivolts, mask, remarks = check_signals(millivolts, mask, part.rate, noticed=found)
    return Ecg(
        millivolts=millivolts,
        lead_mask=mask,
        rate=part.rate,
        acquired=acquired,
        date_trusted=recording.date_trusted and not placeholder,
        device_ms=recording.device_ms,
        sha256=sha256_of_file(*(recording.files or (Path(path),))),
        notes=(*recording.notes, *chosen, *dated, *pulse, *window, *found, *remarks),
        subject=recording.subject,
        stated_paced=recording.stated_paced,
        format=recording.format,
    )


def _read_recording(path: Path) -> Recording:
    header, ending = header_of(path), path.suffix.lower()
    if header is not None and not path.exists():
        return read_wfdb(header)
    if path.is_dir():
        raise InputError("The path is a folder: choose one ECG file.")
    if not path.is_file():
        raise InputError("The ECG file was not found: check the path.")
    with path.open("rb") as stream:
        start = stream.read(START)
    if not start:
        raise InputError("The ECG file is empty: copy it again from its source.")
    read = told_by_content(start)
    if read is read_wfdb and ending != ".hea":
        raise InputError("The file is a WFDB header under another name: let it end in .hea.")
    if read is not read_wfdb and ending == ".hea":
        raise InputError("The .hea file is not a WFDB header: copy the record again.")
    if read is None or (read is read_dicom_ecg and start[128:132] != b"DICM"):  # as signals may begin
        if header is not None:
            return read_wfdb(header)
        if ending in {".dat", ".mat"}:
            raise InputError("The WFDB header (.hea) is missing: put it beside the signal file.")
    if read is None:
        others = (words for starts, words in _OTHERS if start.startswith(starts))
        words = next(others, f"of no known ECG format: export the ECG as {READABLE}")
        raise InputError(f"The ECG file is {_PDF if b'%PDF-' in start[:1024] else words}.")
    require_size(path, next(largest for _, reader, largest in FORMATS if reader is read))
    return read(path)
