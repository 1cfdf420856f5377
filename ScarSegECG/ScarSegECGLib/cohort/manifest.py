"""The list of a cohort's cases, one a line, as a person keeps it in a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from ScarSegECGLib.cohort.cells import guarded, unguarded
from ScarSegECGLib.ecg.gap import impossible, parse_date
from ScarSegECGLib.ecg.wfdb_record import header_of
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import write_text
from ScarSegECGLib.facts import Contrast
from ScarSegECGLib.wording import words

COLUMNS = (
    *("case", "lge", "contrast", "ecg", "mri_date", "ecg_date", "event_between"),
    *("sex", "age", "expert", "remark"),
)
NEEDED = ("case", "lge")
MOST_BYTES, MOST_CASES, MOST_SHOWN = 32 * 2**20, 100_000, 50
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # no folder may be so called on Windows
_DAY_FIRST = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[ T](\d{1,2}:\d{2})(?::\d{2})?)?")
_TRUE = {"yes", "true", "1", "x", "y", "wahr", "vrai", "ja", "oui"}
_FALSE = {"", "no", "false", "0", "n", "falsch", "faux", "nein", "non"}
_FEMALE, _MALE = {"female", "f", "w", "woman", "weiblich"}, {"male", "m", "man", "männlich"}
T = TypeVar("T")


@dataclass(frozen=True)
class CohortCase:
    """One line of the manifest, checked: paths are absolute and inside the folders that the user named.

    ``expert`` is a label map on the LGE's grid; ``female``, ``age`` (years), ``contrast``: ``None`` where not given.
    """

    name: str
    lge: Path
    ecg: Path | None = None
    mri_date: datetime | None = None
    ecg_date: datetime | None = None
    event_between: bool = False
    female: bool | None = None
    age: float | None = None
    expert: Path | None = None
    contrast: Contrast | None = None


class ManifestError(InputError):
    """Everything that is wrong with a manifest, a line each."""

    def __init__(self, name: str, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        count = f"{len(mistakes)} mistake{'s' * (len(mistakes) > 1)}"
        more = [f"  ... and {len(mistakes) - MOST_SHOWN} more"] if len(mistakes) > MOST_SHOWN else []
        shown = [f"  {mistake}" for mistake in mistakes[:MOST_SHOWN]]
        self.lines = (f"{name}: {count}, nothing was started", *shown, *more)
        super().__init__("\n".join(self.lines))


def read_manifest(path: Path, roots: Iterable[Path] = (), *, now: datetime) -> tuple[CohortCase, ...]:
    """Read and check a manifest: comma, semicolon or tab; with or without BOM; decimal point or comma.

    Parameters
    ----------
    path : Path
        CSV with the columns :data:`COLUMNS` in any order; ``case`` and ``lge`` are needed. Relative paths start at the
        manifest's folder.
    roots : paths
        Folders that may hold the data beside the manifest's own.
    now : datetime
        What a date in the future is told by.

    Raises
    ------
    ManifestError
        Every mistake with its line; nothing has been looked at but names.
    InputError
        No such file, or no table.
    """
    rows = _rows(path)
    header = [unguarded(cell).strip().lower() for cell in rows[0][1]]
    mistakes = _header_mistakes(header)
    if mistakes:
        raise ManifestError(path.name, mistakes)
    folders = [folder.resolve() for folder in (path.absolute().parent, *roots)]
    reader = _Reader(path.absolute().parent, folders, now)
    cases: list[CohortCase] = []
    for line, cells in rows[1:]:
        if len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
            mistakes.append(
                f"line {line}: {len(cells)} cells under {len(header)} columns; quote a cell that holds the separator"
            )
            continue
        row = dict(zip(header, (unguarded(cell).strip() for cell in cells), strict=False))
        found, wrong = reader.case({name: row.get(name, "") for name in COLUMNS})
        mistakes += [f"line {line}, {column}: {what}" for column, what in wrong]
        if found is not None:
            cases.append(found)
        if (name := row.get("case", "").casefold()) in reader.lines and name:
            mistakes.append(
                f"line {line}, case: '{row['case'][:64]}' stands in line {reader.lines[name]} too; list a case once"
            )
        reader.lines.setdefault(name, line)
    if not rows[1:]:
        mistakes.append("line 2: no case is listed")
    if mistakes:
        raise ManifestError(path.name, mistakes)
    return tuple(cases)


def write_manifest(path: Path, rows: Iterable[dict[str, str]]) -> None:
    """Write a manifest whole or not at all; no cell is a formula for a spreadsheet.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([guarded(row.get(name, "")) for name in COLUMNS] for row in rows)
    write_text(path, table.getvalue())


def case_name_mistake(name: str) -> str:
    """What keeps a name from being a case's and its folder's; "" where nothing does."""
    if not _NAME.fullmatch(name) or name.endswith(".") or _RESERVED.fullmatch(name):
        return "use up to 64 letters, digits, '.', '_' and '-', beginning with a letter or digit"
    return ""


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Number and cells of every line that holds something, the header first."""
    try:
        if not path.is_file():
            raise InputError(f"{path.name}: no such file; `scarsegecg cohort init` makes one")
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path.name}: larger than {MOST_BYTES // 2**20} MB, which no manifest is")
        text = _decoded(path.read_bytes())
    except OSError:
        raise InputError(f"{path.name}: cannot be read; check that you may open it") from None
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        rows = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error:
        raise InputError(f"{path.name}: no table (line {reader.line_num}); save it as CSV") from None
    if not rows or "\0" in text:
        raise InputError(f"{path.name}: no table; save it as CSV with the columns {', '.join(COLUMNS)}")
    if len(rows) > MOST_CASES:
        raise InputError(f"{path.name}: more than {MOST_CASES} lines; divide it")
    return rows


def _decoded(content: bytes) -> str:
    """UTF-8 with or without BOM, UTF-16 with one (a spreadsheet's "Unicode text"), else Windows' Latin."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _header_mistakes(header: Sequence[str]) -> list[str]:
    mistakes = [f"line 1: the column '{name}' is missing" for name in NEEDED if name not in header]
    for place, name in enumerate(header):
        if name and header.index(name) != place:
            mistakes.append(f"line 1: the column '{name}' stands twice")
        if name and name not in COLUMNS:
            near = get_close_matches(name, COLUMNS, 1)
            meant = f"; is '{near[0]}' meant?" if near else f"; known are {', '.join(COLUMNS)}"
            mistakes.append(f"line 1: the column '{name[:40]}' is not known{meant}")
    return mistakes


class _Reader:
    """Turns the cells of one line into a case, and gathers what is wrong with them."""

    def __init__(self, base: Path, folders: Sequence[Path], now: datetime) -> None:
        self.base, self.folders, self.now = base, folders, now
        self.lines: dict[str, int] = {}

    def case(self, row: dict[str, str]) -> tuple[CohortCase | None, list[tuple[str, str]]]:
        wrong: list[tuple[str, str]] = []

        def take(column: str, read: Callable[[str], T], otherwise: T) -> T:
            try:
                return read(row[column])
            except InputError as error:
                wrong.append((column, str(error)))
                return otherwise

        name = row["case"]
        if mistake := case_name_mistake(name):
            wrong.append(("case", f"'{name[:64]}' cannot be a case's name: {mistake}"))
        lge = take("lge", self._path, None)
        if not row["lge"]:
            wrong.append(("lge", "the path of the images is missing"))
        ecg, expert = take("ecg", self._path, None), take("expert", self._path, None)
        mri, recorded = take("mri_date", _date, None), take("ecg_date", _date, None)
        if cannot_be := impossible(recorded, mri, now=self.now):
            wrong.append(("mri_date and ecg_date", f"the dates cannot be right: {words(cannot_be)}"))
        for column, given in (("ecg_date", recorded), ("event_between", row["event_between"].casefold() in _TRUE)):
            if given and not row["ecg"]:
                wrong.append((column, "has no effect without an ECG"))
        event, female = take("event_between", _yes, False), take("sex", _female, None)
        age, contrast = take("age", _age, None), take("contrast", _contrast, None)
        if wrong or lge is None:
            return None, wrong
        return CohortCase(name, lge, ecg, mri, recorded, event, female, age, expert, contrast), []

    def _path(self, text: str) -> Path | None:
        if not text:
            return None
        if "\0" in text:
            raise InputError("not a path")
        path = self.base / text
        try:
            real = path.resolve()
            there = path.exists() or header_of(path) is not None
        except (OSError, RuntimeError, ValueError):
            raise InputError("the path cannot be followed") from None
        if not any(real.is_relative_to(folder) for folder in self.folders):
            raise InputError("lies outside the manifest's folder; name the data's folder with --root to allow it")
        if not there:
            raise InputError("there is no such file or folder")
        return path


def _date(text: str) -> datetime | None:
    """ISO, or as a German spreadsheet rewrites it; with slashes day and month could be either, so it is refused."""
    if not text:
        return None
    if found := _DAY_FIRST.fullmatch(text):
        day, month, year, time = found.groups()
        clock = f"T{time:0>5}" if time else ""
        text = f"{year}-{int(month):02d}-{int(day):02d}{clock}"
    return parse_date(text)


def _yes(text: str) -> bool:
    if text.casefold() in _TRUE | _FALSE:
        return text.casefold() in _TRUE
    raise InputError(f"'{text[:20]}' is neither yes nor no")


def _female(text: str) -> bool | None:
    if text.casefold() in _FEMALE | _MALE:
        return text.casefold() in _FEMALE
    if text:
        raise InputError(f"'{text[:20]}' is neither female nor male")
    return None


def _contrast(text: str) -> Contrast | None:
    try:
        return Contrast(text.casefold()) if text.casefold() not in ("", Contrast.UNKNOWN) else None
    except ValueError:
        raise InputError(f"'{text[:20]}' is neither magnitude nor psir") from None


def _age(text: str) -> float | None:
    if not text:
        return None
    try:
        years = float(text.replace(",", "."))
    except ValueError:
        raise InputError(f"'{text[:20]}' is no number of years") from None
    if not 0 <= years <= 120:
        raise InputError(f"'{text[:20]}' is no age: give years from 0 to 120")
    return years
