"""What a report consists of, whoever renders it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ScarSegECGLib.report.patient import Patient

UNKNOWN = "–"


@dataclass(frozen=True)
class Text:
    """A paragraph; ``kind`` is "plain", "lead" (what is read first), "strong" or "small"."""

    text: str
    kind: str = "plain"


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    sentences: tuple[str, ...]
    small: bool = False


@dataclass(frozen=True)
class Pairs:
    """Names and what belongs to each."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Picture:
    """A PNG, or ``None`` where none was made; then ``description`` stands in its place."""

    png: bytes | None
    description: str
    caption: str = ""


@dataclass(frozen=True)
class Column:
    """One column: its heading with the unit and what a per cent is of, its width (parts of the whole), a row's text.

    ``measured`` says that a segment which is not imaged has none; ``whole`` that the text stays on one line.
    """

    heading: str
    width: float
    cell: Callable[[Any], str] = str
    right: bool = True
    measured: bool = True
    whole: bool = True


@dataclass(frozen=True)
class Table:
    """A table and what has to be said of it; ``large`` is the one that is read first."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    large: bool = False


Block = Text | Items | Pairs | Picture | Table


@dataclass(frozen=True)
class Section:
    """What stands under one heading; ``key`` names its place for a renderer. A boxed one has a frame."""

    key: str
    title: str
    blocks: tuple[Block, ...]
    boxed: bool = False


@dataclass(frozen=True)
class Report:
    """One result as it is told to people.

    ``patient`` is shown only where it is given, ``signed_by`` the reader who verified it, ``Family^Given``.
    """

    title: str
    purpose: str
    sections: tuple[Section, ...]
    patient: Patient | None = None
    signed_by: str | None = None


def table_of(caption: str, columns: Sequence[Column], rows: Iterable[Any]) -> Table:
    """A table with a line per row; of a segment that is not imaged the widest measured cell says so."""
    widest = max((column for column in columns if column.measured), key=lambda column: column.width)

    def cell(column: Column, row: Any) -> str:
        if getattr(row, "imaged", True) or not column.measured:
            return column.cell(row)
        return "not imaged" if column is widest else ""

    return Table(caption, tuple(columns), tuple(tuple(cell(column, row) for column in columns) for row in rows))
