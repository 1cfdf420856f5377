"""What a report consists of, whoever renders it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydicom.dataset import Dataset

UNKNOWN = "–"


@dataclass(frozen=True)
class Text:
    """A paragraph; ``kind`` is "plain", "lead" (what is read first), "strong", "small" or "absent" (a picture is)."""

    text: str
    kind: str = "plain"


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    sentences: tuple[str, ...]
    small: bool = False


@dataclass(frozen=True)
class Picture:
    """A PNG, and what it shows for those who do not see it."""

    png: bytes
    description: str


@dataclass(frozen=True)
class Table:
    """Cells under headings, which have the unit and what a per cent is of; ``large`` is the one that is read first."""

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    large: bool = False

    @classmethod
    def of(cls, caption: str, lines: Iterable[Mapping[str, str]], *, large: bool = False) -> Table:
        """A table of one line or more, each with its cells by heading."""
        first, *others = lines
        return cls(caption, tuple(first), tuple(tuple(line.values()) for line in (first, *others)), large)

    @property
    def figures(self) -> tuple[bool, ...]:
        """Which columns hold figures: they stand to the right."""
        return tuple(any(cell[:1].isdigit() for cell in column) for column in zip(*self.rows, strict=True))


Block = Text | Items | Picture | Table


@dataclass(frozen=True)
class Section:
    """What stands under one heading; ``key`` names its place for a renderer."""

    key: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, repr=False)
class Patient:
    """Name, identifier and dates as printed; "" where the images do not say. Never part of a log or an error."""

    name: str
    identifier: str
    birth_date: str
    study_date: str

    @classmethod
    def of_image(cls, image: Dataset) -> Patient:
        """What a DICOM data set says."""
        groups = [_in_order(group) for group in str(image.get("PatientName") or "").split("=")]
        name = " = ".join(dict.fromkeys(filter(None, groups)))  # in Latin letters, in the name's own script, as read
        identifier = str(image.get("PatientID") or "").strip()
        return cls(name, identifier, _day(image.get("PatientBirthDate")), _day(image.get("StudyDate")))

    def line(self, name: str | None = None) -> str:
        """One line for the head of a page; ``name`` stands in the place of one that cannot be printed."""
        told = {"Patient": self.name if name is None else name, "ID": self.identifier}
        told |= {"born": self.birth_date, "MRI": self.study_date}
        return "; ".join(f"{word} {value or 'not stated'}" for word, value in told.items())


@dataclass(frozen=True)
class Report:
    """One result as it is told to people; ``signed_by`` is the reader who verified it, ``Family^Given``."""

    title: str
    purpose: str
    sections: tuple[Section, ...]
    patient: Patient | None = None
    signed_by: str | None = None


def _in_order(group: str) -> str:
    family, *given = (" ".join(part.split()) for part in group.split("^"))
    return ", ".join(filter(None, (family, " ".join(filter(None, given)))))


def _day(date: object) -> str:
    return re.sub(r"^(\d{4})(\d\d)(\d\d)$", r"\1-\2-\3", str(date or "").strip())
