"""Read a WFDB record: PhysioNet's header (.hea) with its signal files (.dat, .mat), from the disk only."""

from __future__ import annotations

import re
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

import wfdb

from ScarSegECGLib.ecg.leads import check_rate
from ScarSegECGLib.ecg.recording import LONGEST_S, Part, Recording, calibrated, require_size, stored_date
from ScarSegECGLib.ecg.subject import subject
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
_ECG_DATE = re.compile(r"^[ \t]*#[ \t#]*ECG date:[ \t]*(\d{1,2}/\d{1,2}/\d{4})[ \t]*$", re.IGNORECASE | re.MULTILINE)
_SAID = r"^[ \t]*#[ \t#]*%s[ \t]*:[ \t]*(%s)"
_GAIN = re.compile(r"\S+\s+\S+\s+([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)", re.IGNORECASE)
_BYTES_PER_SAMPLE = {"80": 1, "16": 2, "61": 2, "160": 2, "212": 1.5, "310": 4 / 3, "311": 4 / 3, "24": 3, "32": 4}
# What may follow the number of samples, as wfdb reads it: time, then day/month/year.
_WFDB_TIME = re.compile(r"\d{1,2}(:\d{1,2}){0,2}(\.\d+)?([ \t]+\d{1,2}/\d{1,2}/\d{4})?")

PACED = frozenset({"10370003", "251266004"})  # SNOMED CT
_DIAGNOSES = re.compile(r"^[ \t]*#[ \t#]*dx:(.*)", re.IGNORECASE | re.MULTILINE)


def looks_like_header(start: bytes) -> bool:
    """Whether a file's first bytes are those of a WFDB header: a record line after any comments."""
    lines = start.decode("utf-8", errors="replace").splitlines()
    first = next((line.strip() for line in lines if line.strip() and not line.startswith("#")), "")
    return b"\0" not in start and _RECORD_LINE.match(first) is not None


def header_of(path: Path) -> Path | None:
    """The header of a header or signal file or, where there is no such file, a bare record name; None without one."""
    beside = path if path.suffix.lower() == ".hea" else path.with_suffix(".hea")
    header = beside if path.exists() else path.with_name(path.name + ".hea")
    return header if header.is_file() else None


def read_wfdb(header: Path) -> Recording:
    """Read one record, whose signal files must lie beside its .hea file.

    InputError for a signal file that is missing, elsewhere or shorter than the header says, and for an unknown unit.
    """
    with header.open("rb") as stream:
        text = "\n".join(stream.read(LARGEST_HEADER + 1).decode("utf-8", errors="replace").splitlines())
    lines = [line for line in map(str.strip, text.split("\n")) if line and not line.startswith("#")]
    # What parses a line takes the square of its length.
    if header.stat().st_size > LARGEST_HEADER or max(map(len, lines), default=0) > LONGEST_LINE:
        raise InputError("The WFDB header is too large for that of an ECG: copy the record again.")
    place = header.resolve()
    if "::" in str(place):
        raise InputError("The folder of the WFDB record has '::' in its name, which cannot be read: move the record.")
    first, *signal_lines = lines or [""]
    written = "".join(first.split(maxsplit=4)[4:])
    # The record line's own date, or the one in PTB's remark; both have the day first.
    remark = _ECG_DATE.search(text)
    acquired = stored_date(written or (remark[1] if remark else ""), month_first=False)
    unreadable = acquired is None and re.search(r"\d{4}|/", written) is not None
    with ExitStack() as stack:
        stem = place.with_suffix("")
        if written and not _WFDB_TIME.fullmatch(written):  # a copy whose record line wfdb can read
            stem = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scarsegecg-"))) / "record"
            plain = re.sub(r"^[^\s/]+", "record", first.removesuffix(written))
            stem.with_suffix(".hea").write_text("\n".join([plain.rstrip(), *signal_lines, ""]), encoding="utf-8")
        fields = _fields(stem)
        signals = _signal_files(place.parent, fields)
        if stem.parent != place.parent:
            for path in signals:
                shutil.copyfile(path, stem.parent / path.name)
        most = round(LONGEST_S * float(fields.fs)) + 1
        record = wfdb.rdrecord(str(stem), sampto=most if (fields.sig_len or 0) > most else None, pn_dir=None)
    sex, age = (re.search(_SAID % one, text, re.I | re.M) for one in (("sex", r"\w"), ("age", r"\d{1,3}\b")))
    gains = (_GAIN.match(line) for line in signal_lines)
    channels = tuple(
        # The signal is in mV already, but where there is no gain wfdb silently takes 200.
        calibrated(label or "", signal, 1.0 if gain and float(gain[1]) else None, str(unit or "mV"))
        for label, signal, unit, gain in zip(record.sig_name, record.p_signal.T, record.units, gains, strict=True)
    )
    return Recording(
        parts=[Part(channels, float(record.fs))],
        format="WFDB",
        acquired=acquired,
        stated_paced=bool(diagnoses(text) & PACED),
        subject=subject(sex=sex[1] if sex else "", age=float(age[1]) if age else None),
        notes=(Fact(EcgNote.DATE_UNREADABLE),) if unreadable else (),
        files=(header, *signals),
    )


def diagnoses(header: str) -> frozenset[str]:
    """SNOMED CT codes in a header's remarks, as the CinC Challenge writes them ("# Dx: 426783006,10370003")."""
    return frozenset(code.strip() for line in _DIAGNOSES.findall(header) for code in line.split(",")) - {""}


def _fields(stem: Path) -> wfdb.Record:
    """The header's fields; InputError where they cannot be those of one ECG recording."""
    fields = wfdb.rdheader(str(stem))
    if isinstance(fields, wfdb.MultiRecord):
        raise InputError("The WFDB header joins several segments: give one segment's own header.")
    check_rate(float(fields.fs or 0))
    if not fields.file_name or not 0 < fields.n_sig <= LARGEST_RECORD_LEADS:
        raise InputError("The WFDB header names no signals, or more than an ECG has: give the record with the ECG.")
    return fields


def _signal_files(folder: Path, fields: wfdb.Record) -> tuple[Path, ...]:
    """The signal files beside the header; any other place is refused before a byte is read.

    InputError also where one is shorter than the header says, or of a length that it does not say.
    """
    if any(abs(int(samples or 0)) > fields.fs for samples in fields.skew or ()):  # what is between would be made up
        raise InputError("The WFDB header shifts the leads by over a second: give a record of simultaneous leads.")
    names = [str(name) for name in fields.file_name]
    files = {name: folder / name for name in names}
    for name, path in files.items():
        if _PLAIN_NAME.fullmatch(name) is None or path.resolve().parent != folder:
            raise InputError("The WFDB header names a signal file that is or links outside its own folder: refused.")
        if not path.is_file():
            raise InputError("A signal file that the WFDB header names is missing: put the whole record in one folder.")
        require_size(path, LARGEST_SIGNAL_FILE)
        rows = [row for row, other in enumerate(names) if other == name]
        per_frame = sum(int(fields.samps_per_frame[row] or 1) for row in rows)
        size = per_frame * _BYTES_PER_SAMPLE.get(str(fields.fmt[rows[0]]), 0)
        stored, needed = path.stat().st_size, int(fields.byte_offset[rows[0]] or 0) + (fields.sig_len or 0) * size
        if stored < needed:
            raise InputError(f"A signal file is truncated ({stored} of {needed:.0f} bytes): copy the record again.")
    if fields.sig_len is None and sum(path.stat().st_size for path in files.values()) > LARGEST_UNCOUNTED:
        raise InputError("The WFDB header does not say how many samples there are: copy the record again.")
    return tuple(files.values())
