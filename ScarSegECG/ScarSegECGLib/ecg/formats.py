"""Which ECG format a file has, by its first bytes; names and endings are not asked."""

from __future__ import annotations

import struct

from ScarSegECGLib.ecg.csv_table import looks_like_table
from ScarSegECGLib.ecg.edf_file import looks_like_edf
from ScarSegECGLib.ecg.wfdb_record import looks_like_header

START = 4096

_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
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


def told_by_content(start: bytes) -> str:
    """The format by a file's first 4096 bytes, or "" where they say nothing.

    Returns
    -------
    str
        "dicom", "edf", "ishne_holter", "scp_ecg", "xml", "wfdb header", "csv", "old dicom" (without its
        preamble) or "".
    """
    if start[128:132] == b"DICM":
        return "dicom"
    if looks_like_edf(start):
        return "edf"
    if start.startswith(b"ISHNE1.0"):
        return "ishne_holter"
    if _looks_like_scp(start):
        return "scp_ecg"
    if _looks_like_xml(start):
        return "xml"
    if looks_like_header(start):
        return "wfdb header"
    if looks_like_table(start):
        return "csv"
    return "old dicom" if start[:2] in (b"\x08\0", b"\x02\0") else ""


def other_kind(start: bytes) -> str:
    """What a file is that is not read, in words; "" where that is unknown."""
    if b"%PDF-" in start[:1024]:
        return (
            "a PDF, from which no ECG is read: let the cart or its archive export the signals (DICOM 12-lead ECG, HL7 "
            "aECG, MUSE or Philips XML, SCP-ECG)"
        )
    return next((words for starts, words in _OTHERS if start.startswith(starts)), "")


def _looks_like_xml(start: bytes) -> bool:
    for mark in _BYTE_ORDER_MARKS:
        start = start.removeprefix(mark)
    return start.replace(b"\0", b"").lstrip().startswith(b"<")


def _looks_like_scp(start: bytes) -> bool:
    """Section 0 first, whose list of sections begins with itself at byte 7 (EN 1064)."""
    if len(start) < 32:
        return False
    section, length = struct.unpack_from("<HI", start, 8)
    pointer, index = struct.unpack_from("<H", start, 22)[0], struct.unpack_from("<I", start, 28)[0]
    return section == 0 and length >= 26 and (length - 16) % 10 == 0 and pointer == 0 and index == 7
