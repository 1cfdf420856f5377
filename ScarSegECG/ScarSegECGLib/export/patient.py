"""Who the patient is, for the pages that were asked to show it, and for nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

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
        parts = [" ".join(part.split()) for part in str(image.get("PatientName") or "").split("=")[0].split("^")]
        family, given = parts[0], " ".join(part for part in parts[1:] if part)
        return cls(
            name=", ".join(part for part in (family, given) if part),
            identifier=str(image.get("PatientID") or "").strip(),
            birth_date=_day(image.get("PatientBirthDate")),
            study_date=_day(image.get("StudyDate")),
        )

    def line(self) -> str:
        """One line for the head of a page."""
        words = {"Patient": self.name, "ID": self.identifier, "born": self.birth_date, "MRI": self.study_date}
        return "; ".join(f"{word} {value or 'not stated'}" for word, value in words.items())


def _day(date: object) -> str:
    text = str(date or "").strip()
    try:
        return datetime.strptime(text, "%Y%m%d").strftime("%Y-%m-%d")
    except ValueError:
        return text
