"""Which ECG format a file has, by its first bytes; names and endings are not asked."""

from __future__ import annotations

import struct
from enum import Enum

from ScarSegECGLib.ecg.csv_table import looks_like_table
from ScarSegECGLib.ecg.edf_file import looks_like_edf
from ScarSegECGLib.ecg.wfdb_record import looks_like_header

START = 4096

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


class Kind(Enum):
    """What a file's content says it is; OLD_DICOM has no preamble, UNKNOWN is anything else."""

    DICOM = "dicom"
    OLD_DICOM = "old_dicom"
    WFDB_HEADER = "wfdb_header"
    EDF = "edf"
    ISHNE = "ishne_holter"
    SCP = "scp_ecg"
    XML = "xml"
    CSV = "csv"
    UNKNOWN = ""

    def __bool__(self) -> bool:
        return self is not Kind.UNKNOWN


def told_by_content(start: bytes) -> Kind:
    """The format by a file's first 4096 bytes."""
    signs = {
        Kind.DICOM: start[128:132] == b"DICM",
        Kind.EDF: looks_like_edf(start),
        Kind.ISHNE: start.startswith(b"ISHNE1.0"),
        Kind.SCP: _looks_like_scp(start),
        Kind.XML: _looks_like_xml(start),
        Kind.WFDB_HEADER: looks_like_header(start),
        Kind.CSV: looks_like_table(start),
        Kind.OLD_DICOM: start[:2] in (b"\x08\0", b"\x02\0"),
    }
    return next((kind for kind, seen in signs.items() if seen), Kind.UNKNOWN)


def other_kind(start: bytes) -> str:
    """What a file is that is not read, in words; "" where that is unknown."""
    if b"%PDF-" in start[:1024]:
        return (
            "a PDF, from which no ECG is read: let the cart or its archive export the signals (DICOM 12-lead ECG, HL7 "
            "aECG, MUSE or Philips XML, SCP-ECG)"
        )
    return next((words for starts, words in _OTHERS if start.startswith(starts)), "")


def _looks_like_xml(start: bytes) -> bool:
    for byte_order_mark in (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"):
        start = start.removeprefix(byte_order_mark)
    return start.replace(b"\0", b"").lstrip().startswith(b"<")


def _looks_like_scp(start: bytes) -> bool:
    """Section 0 first, whose list of sections begins with itself at byte 7 (EN 1064)."""
    if len(start) < 32:
        return False
    section, length = struct.unpack_from("<HI", start, 8)
    pointer, index = struct.unpack_from("<H", start, 22)[0], struct.unpack_from("<I", start, 28)[0]
    return section == 0 and length >= 26 and (length - 16) % 10 == 0 and pointer == 0 and index == 7
