"""Who the patient is, for the pages that were asked to show it, and for nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


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


def _in_order(group: str) -> str:
    """One component group, family name first."""
    family, *given = (" ".join(part.split()) for part in group.split("^"))
    return ", ".join(filter(None, (family, " ".join(filter(None, given)))))


def _day(date: object) -> str:
    text = str(date or "").strip()
    try:
        return datetime.strptime(text, "%Y%m%d").strftime("%Y-%m-%d")
    except ValueError:
        return text
