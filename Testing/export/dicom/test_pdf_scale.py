"""The ECG in the PDF report: 25 mm/s and 10 mm/mV on paper, or the scale that was used instead."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import numpy as np
import pdfplumber
import pytest

from ScarSegECGLib.case import Ecg
from ScarSegECGLib.export.dicom.report_pdf import report_pdf
from ScarSegECGLib.view.ecg_paper import ecg_paper
from ScarSegECGLib.view.paint_matplotlib import to_png
from ScarSegECGLib.view.shapes import Drawing

MM = 72 / 25.4
RATE = 500.0


def spikes(height_mv: float) -> Ecg:
    """Spikes upwards and downwards by turns, one a second, in every lead."""
    mv = np.zeros((12, int(10 * RATE)), np.float32)
    mv[:, 250::500] = height_mv
    mv[:, 500::1000] = -height_mv
    return Ecg(mv, np.ones(12, bool), RATE)


def pdf_with(case, drawing: Drawing) -> pdfplumber.PDF:
    findings = replace(case.findings, pictures={**case.findings.pictures, "ecg.png": to_png(drawing, dpi=150)})
    return pdfplumber.open(io.BytesIO(report_pdf(findings)))


def sheet_of(pdf: pdfplumber.PDF) -> pdfplumber.page.Page:
    (sheet,) = (page for page in pdf.pages if page.width > page.height)
    return sheet


def text_of(page: pdfplumber.page.Page) -> str:
    """In the order it was written: a sheet's footer runs upwards."""
    return "".join(char["text"] for char in page.chars)


def test_the_ecg_is_true_to_scale_on_a_sheet_of_its_own(case) -> None:
    drawing = ecg_paper(spikes(1.0))
    with pdf_with(case, drawing) as pdf:
        sheet = sheet_of(pdf)
        assert (sheet.width / MM, sheet.height / MM) == (pytest.approx(297, abs=0.1), pytest.approx(210, abs=0.1))
        (image,) = sheet.images
        pixels_per_mm = 150 / 25.4
        assert image["width"] / MM == pytest.approx(image["srcsize"][0] / pixels_per_mm, rel=1e-3)
        assert image["height"] / MM == pytest.approx(image["srcsize"][1] / pixels_per_mm, rel=1e-3)
        assert image["width"] / MM == pytest.approx(drawing.width, abs=0.3)
        assert image["height"] / MM == pytest.approx(drawing.height, abs=0.3)
        text = text_of(sheet)
        assert "True to scale when printed at 100 %" in text
        assert "drawn at" not in text
        assert "For research use" in text


def test_an_ecg_that_is_too_tall_says_the_scale_it_is_drawn_at(case) -> None:
    drawing = ecg_paper(spikes(4.0))
    assert drawing.height > 210
    with pdf_with(case, drawing) as pdf:
        sheet = sheet_of(pdf)
        (image,) = sheet.images
        share = image["width"] / MM / drawing.width
        assert image["height"] / MM / drawing.height == pytest.approx(share, rel=2e-3)
        said = re.search(r"drawn at (\d+) %", text_of(sheet))
        assert said is not None
        assert int(said.group(1)) == pytest.approx(100 * share, abs=0.6)
        assert image["x0"] >= -0.1 and image["x1"] <= sheet.width + 0.1
        assert image["top"] >= -0.1 and image["bottom"] <= sheet.height + 0.1


@pytest.mark.parametrize("height_mv", [1.0, 4.0])
def test_nothing_is_written_over_the_ecg(case, height_mv: float) -> None:
    with pdf_with(case, ecg_paper(spikes(height_mv))) as pdf:
        sheet = sheet_of(pdf)
        (image,) = sheet.images
        grid_ends = image["x0"] + 286.0 / 297.0 * image["width"]
        assert sheet.chars
        for char in sheet.chars:
            assert char["x0"] > grid_ends and char["x1"] < sheet.width - 4.2 * MM
            assert char["top"] > 4.2 * MM and char["bottom"] < sheet.height - 4.2 * MM
        lines = sorted({(round(char["x0"], 1), char["top"]) for char in sheet.chars})
        assert len(lines) == len(sheet.chars), "footer and note run into each other"


def test_what_follows_the_sheet_stands_on_pages_that_stand(case) -> None:
    with pdf_with(case, ecg_paper(spikes(1.0))) as pdf:
        at = pdf.pages.index(sheet_of(pdf))
        assert "AHA segments" in pdf.pages[at + 1].extract_text()
        assert all(page.height > page.width for page in pdf.pages if page is not pdf.pages[at])
        for number, page in enumerate(pdf.pages, 1):
            assert f"page {number} of {len(pdf.pages)}" in text_of(page)
