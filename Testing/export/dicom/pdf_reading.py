"""What a PDF shows, by another program than the one that wrote it (PDFium)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pypdfium2
from pydicom.dataset import Dataset
from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE

Box = tuple[float, float, float, float]
"""Left, bottom, right, top; points."""


def document(wrapped: Dataset) -> bytes:
    """The PDF inside a DICOM object, without the byte that makes its length even."""
    return bytes(wrapped.EncapsulatedDocument)[: int(wrapped.EncapsulatedDocumentLength)]


@dataclass(frozen=True)
class Sheet:
    """One page: its size, its text as written, the boxes of its letters, its pictures' boxes and sizes in pixels."""

    width: float
    height: float
    text: str
    letters: tuple[tuple[str, Box], ...]
    images: tuple[tuple[Box, tuple[int, int]], ...]

    @property
    def words(self) -> str:
        """The text on one line."""
        return " ".join(self.text.split())


@contextmanager
def opened(pdf: bytes) -> Iterator[tuple[Sheet, ...]]:
    """The pages of a PDF."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        yield tuple(_sheet(page) for page in document)
    finally:
        document.close()


def text_of(pdf: bytes) -> str:
    """All text on one line."""
    with opened(pdf) as pages:
        return " ".join(page.words for page in pages)


def _sheet(page: pypdfium2.PdfPage) -> Sheet:
    texts = page.get_textpage()
    text = texts.get_text_range()
    count = texts.count_chars()
    letters = tuple((texts.get_text_range(i, 1), texts.get_charbox(i)) for i in range(count))
    images = tuple((image.get_bounds(), image.get_px_size()) for image in page.get_objects(filter=[FPDF_PAGEOBJ_IMAGE]))
    return Sheet(*page.get_size(), text, letters, images)
