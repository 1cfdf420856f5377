"""Read a WFDB record: PhysioNet's header (.hea) with its signal files (.dat, .mat), from the disk only."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import numpy as np
import wfdb

from ScarSegECGLib.ecg.checks import check_rate, require_file
from ScarSegECGLib.ecg.leads import lead_name
from ScarSegECGLib.ecg.recording import LONGEST_S, Channel, Recording, require_size, scaled, stored_date
from ScarSegECGLib.ecg.snomed import PACED, codes_in
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import EcgNote

LARGEST_HEADER, LONGEST_LINE = 64_000, 1000
LARGEST_SIGNAL_FILE = 512_000_000
LARGEST_UNCOUNTED = 8_000_000  # where the header does not say how many samples there are, all are read
LARGEST_RECORD_LEADS = 64

_RECORD_LINE = re.compile(r"^\S+[ \t]+\d+([ \t]+[\d.]+(e[+-]?\d+)?(/\S+)?([ \t]+\d+.*)?)?$", re.IGNORECASE)
# What a header may name: a file beside it. No folder, URL, drive or chained file system.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,199}")
_ECG_DATE = re.compile(r"ECG date:\s*(\d{1,2}/\d{1,2}/\d{4})\s*$", re.IGNORECASE)
_BYTES_PER_SAMPLE = {"80": 1, "16": 2, "61": 2, "160": 2, "212": 1.5, "310": 4 / 3, "311": 4 / 3, "24": 3, "32": 4}
# What may follow the number of samples, as wfdb reads it: time, then day/month/year.
_WFDB_TIME = re.compile(r"\d{1,2}(:\d{1,2}){0,2}(\.\d+)?([ \t]+\d{1,2}/\d{1,2}/\d{4})?")


def looks_like_header(start: bytes) -> bool:
    """Whether a file's first bytes are those of a WFDB header: a record line after any comments."""
    if b"\0" in start:
        return False
    for line in start.decode("utf-8", errors="replace").splitlines():
        if line.strip() and not line.startswith("#"):
            return _RECORD_LINE.match(line.strip()) is not None
    return False


def header_of(path: Path) -> Path | None:
    """The header that belongs to a header, signal file or bare record name; None where there is none."""
    beside = path if path.suffix.lower() == ".hea" else path.with_suffix(".hea")
    bare = path.with_name(path.name + ".hea")
    return next((candidate for candidate in (beside, bare) if candidate.is_file()), None)


def read_wfdb(header: Path) -> tuple[Recording, tuple[Path, ...]]:
    """Read one record, at most its first 60 s.

    Parameters
    ----------
    header : Path
        The .hea file; its signal files must lie beside it.

    Returns
    -------
    recording : Recording
    files : tuple of Path
        The header and the signal files it names, each once, in order.

    Raises
    ------
    InputError
        Damaged header, signal file missing, elsewhere or shorter than the header says, or unknown unit.
    """
    require_file(header)
    if header.stat().st_size > LARGEST_HEADER or _has_long_line(header):
        raise InputError("The WFDB header is too large for that of an ECG: copy the record again.")
    if "::" in str(header.resolve()):
        raise InputError("The folder of the WFDB record has '::' in its name, which cannot be read: move the record.")
    lines, comments = _lines(header)
    acquired, notes = _date(lines[0].split(maxsplit=4) if lines else [], comments)
    with _readable(header, lines) as stem:
        fields = _fields(stem)
        signals = _signal_files(header, fields.file_name)
        _require_calibrated(lines[1:], fields)
        _require_whole(fields, signals)
        length, most = fields.sig_len, round(LONGEST_S * float(fields.fs))
        if stem.parent != header.resolve().parent:
            for path in dict.fromkeys(signals):
                shutil.copyfile(path, stem.parent / path.name)
        try:
            with np.errstate(all="ignore"):
                record = wfdb.rdrecord(str(stem), sampto=most if length and length > most else None, pn_dir=None)
        except Exception as error:
            raise InputError("The signals of the WFDB record cannot be read: copy the record again.") from error
    if record.p_signal is None or not len(record.p_signal):
        raise InputError("The signals of the WFDB record are empty: copy the record again.")
    if length and length > most:
        notes = (*notes, Fact(EcgNote.CUT, seconds=LONGEST_S))
    recording = Recording(
        channels=tuple(
            Channel(label or "", _millivolts(label or "", record.p_signal[:most, k], unit or "mV"))
            for k, (label, unit) in enumerate(zip(record.sig_name, record.units, strict=True))
        ),
        rate=float(record.fs),
        acquired=acquired,
        stated_paced=bool(codes_in(comments) & PACED),
        notes=notes,
        format="WFDB",
    )
    return recording, (header, *dict.fromkeys(signals))


def _lines(header: Path) -> tuple[list[str], list[str]]:
    """The header's lines and its remarks."""
    lines = [line.strip() for line in header.read_bytes().decode("utf-8", errors="replace").splitlines()]
    remarks = [line.strip(" \t#") for line in lines if line.startswith("#")]
    return [line for line in lines if line and not line.startswith("#")], remarks


@contextmanager
def _readable(header: Path, lines: list[str]) -> Iterator[Path]:
    """The record's path without ending; of a copy without date and remarks where wfdb cannot read the record line."""
    tokens = lines[0].split(maxsplit=4) if lines else []
    if len(tokens) < 5 or _WFDB_TIME.fullmatch(tokens[4]):
        yield header.resolve().with_suffix("")
        return
    with tempfile.TemporaryDirectory(prefix="scarsegecg-") as folder:
        stem = Path(folder) / "record"
        first = " ".join(["record" + "".join(tokens[0].partition("/")[1:]), *tokens[1:4]])
        stem.with_suffix(".hea").write_text("\n".join([first, *lines[1:]]) + "\n", encoding="utf-8")
        yield stem


def _fields(stem: Path) -> wfdb.Record:
    """The header's fields; InputError where they cannot be those of one ECG recording."""
    try:
        fields = wfdb.rdheader(str(stem))
    except Exception as error:  # wfdb raises whatever its parser stumbles on
        raise InputError("The WFDB header cannot be read: copy the record again.") from error
    if isinstance(fields, wfdb.MultiRecord):
        raise InputError("The WFDB header joins several segments: give one segment's own header.")
    check_rate(float(fields.fs or 0))
    if not fields.n_sig or not fields.file_name:
        raise InputError("The WFDB header names no signals: give the record that holds the ECG.")
    if fields.n_sig > LARGEST_RECORD_LEADS:
        raise InputError(f"The WFDB header names {fields.n_sig} signals: this is no 12-lead ECG.")
    return fields


def _require_calibrated(lines: list[str], fields: wfdb.Record) -> None:
    """Raise InputError for a lead without a gain or with one of 0, for which wfdb silently takes 200 per unit."""
    for line, label in zip(lines, fields.sig_name, strict=False):
        lead = lead_name(label or "")
        tokens = line.split()
        gain = re.match(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", tokens[2], re.IGNORECASE) if len(tokens) > 2 else None
        if lead is not None:
            scaled(lead.name, np.zeros(0), float(gain.group()) if gain else None, "mV")


def _has_long_line(header: Path) -> bool:
    """Whether a line, remarks apart, is longer than any record's: what parses them takes the square of their length."""
    lines = header.read_bytes().decode("utf-8", errors="replace").splitlines()
    return any(len(line) > LONGEST_LINE and not line.lstrip().startswith("#") for line in lines)


def _signal_files(header: Path, names: list[str]) -> list[Path]:
    """The signal files as paths beside the header; refuses any other place before a byte of them is read."""
    folder = header.resolve().parent
    files = []
    for name in names:
        if _PLAIN_NAME.fullmatch(str(name)) is None:
            raise InputError("The WFDB header names a signal file outside its own folder: refused.")
        path = folder / name
        if path.resolve().parent != folder:
            raise InputError("The WFDB header names a signal file that links outside its folder: refused.")
        if not path.is_file():
            raise InputError("A signal file that the WFDB header names is missing: put the whole record in one folder.")
        require_file(path)
        require_size(path, LARGEST_SIGNAL_FILE, "a signal file")
        files.append(path)
    return files


def _require_whole(fields: wfdb.Record, files: list[Path]) -> None:
    """Raise InputError where a signal file is shorter than its header says, or of a length that it does not say."""
    if fields.sig_len is None:
        if sum(path.stat().st_size for path in set(files)) > LARGEST_UNCOUNTED:
            raise InputError("The WFDB header does not say how many samples there are: copy the record again.")
        return
    for path in dict.fromkeys(files):
        rows = [k for k, other in enumerate(files) if other == path]
        size = _BYTES_PER_SAMPLE.get(str(fields.fmt[rows[0]]))
        if size is None:
            continue
        per_frame = sum(int(fields.samps_per_frame[k] or 1) for k in rows)
        needed = int(fields.byte_offset[rows[0]] or 0) + fields.sig_len * per_frame * size
        if path.stat().st_size < int(needed):
            raise InputError(
                f"A signal file of the WFDB record is truncated ({path.stat().st_size} of {int(needed)} bytes): "
                "copy the record again."
            )


def _millivolts(label: str, values: np.ndarray, unit: str) -> np.ndarray:
    """A lead's signal, mV; another channel's (Frank leads, pressures) as it is."""
    lead = lead_name(label)
    return values if lead is None else scaled(lead.name, values, 1.0, str(unit))


def _date(tokens: list[str], comments: list[str]) -> tuple[datetime | None, tuple[Fact, ...]]:
    """The record line's own date, or the one in PTB's remark, which has the day first; never today's."""
    written = tokens[4] if len(tokens) > 4 else ""
    remark = next((match for comment in comments if (match := _ECG_DATE.match(comment))), None)
    found, _ = stored_date(written or (remark.group(1) if remark else ""), month_first=False)
    if found is None and re.search(r"\d{4}|/", written):
        return None, (Fact(EcgNote.DATE_UNREADABLE),)
    return found, ()
