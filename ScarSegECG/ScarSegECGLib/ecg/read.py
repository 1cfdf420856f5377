"""Read any supported ECG file; what it is, its content says, not its name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from ScarSegECGLib.case import Ecg
from ScarSegECGLib.ecg.checks import check_signals, require_file
from ScarSegECGLib.ecg.dicom_waveform import read_dicom_ecg
from ScarSegECGLib.ecg.leads import assemble
from ScarSegECGLib.ecg.recording import Recording
from ScarSegECGLib.ecg.wfdb_record import header_of, looks_like_header, read_wfdb
from ScarSegECGLib.errors import InputError

# What else users have, told by its first bytes, so that the message can name it.
_OTHERS = (
    ((b"%PDF",), "a PDF"),
    ((b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*"), "an image"),
    ((b"PK\x03\x04", b"\x1f\x8b"), "an archive"),
    ((b"<?xml", b"\xef\xbb\xbf<?xml", b"\xff\xfe<\0", b"\xfe\xff\0<", b"<"), "an XML ECG (aECG, MUSE, Sierra)"),
    ((b"0       ",), "an EDF file"),
)


def read_ecg(path: str | PathLike[str]) -> Ecg:
    """Read an ECG and apply every gate.

    Parameters
    ----------
    path : path
        A DICOM ECG, or a WFDB record by its header, any signal file or its bare name.

    Returns
    -------
    Ecg
        Leads in canonical order, mV; its SHA-256 is that of the file, or of a WFDB header followed by its signals.

    Raises
    ------
    InputError
        The file is missing, of another kind, damaged, or no usable ECG; one line that says what to do.
    """
    path = Path(path)
    recording, files = _read_recording(path)
    millivolts, mask, derived = assemble(recording.signals)
    millivolts, mask, remarks = check_signals(millivolts, mask, recording.rate)
    return Ecg(
        millivolts=millivolts,
        lead_mask=mask,
        rate=recording.rate,
        acquired=recording.acquired,
        date_trusted=recording.date_trusted,
        device_ms=recording.device_ms,
        sha256=sha256_of(files),
        notes=(*recording.notes, *derived, *remarks),
    )


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
        start = stream.read(4096)
    if start[128:132] == b"DICM":
        return read_dicom_ecg(path), (path,)
    if looks_like_header(start):
        if path.suffix.lower() != ".hea":
            raise InputError(f"{path.name} is a WFDB header under another name: let it end in .hea.")
        return read_wfdb(path)
    if path.suffix.lower() == ".hea":
        raise InputError(f"{path.name} is not a WFDB header: copy the record again.")
    if header is not None:
        return read_wfdb(header)
    if path.suffix.lower() in {".dat", ".mat"}:
        raise InputError(f"The WFDB header {path.stem}.hea is missing: put it beside {path.name}.")
    for starts, name in _OTHERS:
        if start.startswith(starts):
            raise InputError(f"{path.name} is {name}, which is not read: export the ECG as DICOM or WFDB.")
    if start[:2] in (b"\x08\0", b"\x02\0"):
        return read_dicom_ecg(path), (path,)
    raise InputError(f"{path.name} is of no known ECG format: export the ECG as DICOM or WFDB.")
