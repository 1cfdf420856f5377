"""The ECG in the PDF report: 25 mm/s and 10 mm/mV on paper, or the scale that was used instead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone

import numpy as np
import pytest
from example_results import PICTURES, make_result
from pdf_reading import Sheet, opened

from ScarSegECGLib.case import Ecg
from ScarSegECGLib.report.pdf import as_pdf
from ScarSegECGLib.report.present import present
from ScarSegECGLib.view.ecg_paper import ecg_paper
from ScarSegECGLib.view.paint import to_png
from ScarSegECGLib.view.shapes import Drawing

MM = 72 / 25.4
RATE = 500.0


def spikes(height_mv: float) -> Ecg:
    """Spikes upwards and downwards by turns, one a second, in every lead."""
    mv = np.zeros((12, int(10 * RATE)), np.float32)
    mv[:, 250::500] = height_mv
    mv[:, 500::1000] = -height_mv
    return Ecg(mv, np.ones(12, bool), RATE)


@contextmanager
def pdf_with(drawing: Drawing) -> Iterator[tuple[Sheet, ...]]:
    pictures = {**PICTURES, "ecg.png": to_png(drawing, dpi=150)}
    with opened(as_pdf(present(make_result(), pictures, datetime.now(timezone.utc)))) as pages:
        yield pages


def sheet_of(pages: tuple[Sheet, ...]) -> Sheet:
    (sheet,) = (page for page in pages if page.width > page.height)
    return sheet


def test_the_ecg_is_true_to_scale_on_a_sheet_of_its_own() -> None:
    drawing = ecg_paper(spikes(1.0))
    with pdf_with(drawing) as pages:
        sheet = sheet_of(pages)
        assert (sheet.width / MM, sheet.height / MM) == (pytest.approx(297, abs=0.1), pytest.approx(210, abs=0.1))
        (((left, bottom, right, top), pixels),) = sheet.images
        pixels_per_mm = 150 / 25.4
        assert (right - left) / MM == pytest.approx(pixels[0] / pixels_per_mm, rel=1e-3)
        assert (top - bottom) / MM == pytest.approx(pixels[1] / pixels_per_mm, rel=1e-3)
        assert (right - left) / MM == pytest.approx(drawing.width, abs=0.3)
        assert (top - bottom) / MM == pytest.approx(drawing.height, abs=0.3)
        assert "True to scale when printed at 100 %" in sheet.words
        assert "drawn at" not in sheet.words
        assert "For research use" in sheet.words


def test_an_ecg_that_is_too_tall_says_the_scale_it_is_drawn_at() -> None:
    drawing = ecg_paper(spikes(4.0))
    assert drawing.height > 210
    with pdf_with(drawing) as pages:
        sheet = sheet_of(pages)
        (((left, bottom, right, top), _),) = sheet.images
        share = (right - left) / MM / drawing.width
        assert (top - bottom) / MM / drawing.height == pytest.approx(share, rel=2e-3)
        said = re.search(r"drawn at (\d+) %", sheet.words)
        assert said is not None
        assert int(said.group(1)) == pytest.approx(100 * share, abs=0.6)
        assert left >= -0.1 and right <= sheet.width + 0.1
        assert bottom >= -0.1 and top <= sheet.height + 0.1


@pytest.mark.parametrize("height_mv", [1.0, 4.0])
def test_nothing_is_written_over_the_ecg(height_mv: float) -> None:
    with pdf_with(ecg_paper(spikes(height_mv))) as pages:
        sheet = sheet_of(pages)
        (((left, _, right, _), _),) = sheet.images
        grid_ends = left + 286.0 / 297.0 * (right - left)
        boxes = [box for letter, box in sheet.letters if letter.strip()]
        assert boxes
        for x0, y0, x1, y1 in boxes:
            assert x0 > grid_ends and x1 < sheet.width - 4.2 * MM
            assert y0 > 4.2 * MM and y1 < sheet.height - 4.2 * MM
        along = sorted((y0, y1) for _, y0, _, y1 in boxes)
        assert all(first[1] <= second[0] + 0.8 for first, second in zip(along, along[1:], strict=False)), (
            "foot and note"
        )


def test_what_follows_the_sheet_stands_on_pages_that_stand() -> None:
    with pdf_with(ecg_paper(spikes(1.0))) as pages:
        at = pages.index(sheet_of(pages))
        assert "AHA segments" in pages[at + 1].words
        assert all(page.height > page.width for page in pages if page is not pages[at])
        for number, page in enumerate(pages, 1):
            assert f"page {number} of {len(pages)}" in page.words
