"""The HTML report as a browser prints it: the finding and its bullseye stand on page 1."""

from __future__ import annotations

import shutil
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import pypdfium2
import pytest
from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE
from test_view_montage import result

from ScarSegECGLib.report.html import as_html
from ScarSegECGLib.report.present import present
from ScarSegECGLib.view.pictures import pictures

NOW = datetime(2031, 2, 3, 4, 5, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report as Chromium prints it on A4."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("needs chromium")
    folder = tmp_path_factory.mktemp("print")
    case = result()
    (folder / "report.html").write_text(as_html(present(case, pictures(case), NOW)), encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    subprocess.run(
        [*command, "--no-pdf-header-footer", f"--print-to-pdf={folder / 'report.pdf'}", str(folder / "report.html")],
        capture_output=True,
        timeout=120,
        check=False,
    )
    if not (folder / "report.pdf").is_file():
        pytest.skip("chromium does not print here")
    return folder / "report.pdf"


@pytest.fixture(scope="module")
def pages(printed: Path) -> list[str]:
    document = pypdfium2.PdfDocument(printed)
    return [page.get_textpage().get_text_range() for page in document]


def test_page_1_holds_the_burden_what_was_used_and_the_bullseye(printed: Path, pages: list[str]) -> None:
    assert all(words in pages[0] for words in ("Scar burden", "What was used", "Bullseye"))
    first = pypdfium2.PdfDocument(printed)[0]
    assert list(first.get_objects(filter=[FPDF_PAGEOBJ_IMAGE])), "the bullseye is not on page 1"


def test_a_page_begins_only_where_the_one_before_is_full(pages: list[str]) -> None:
    assert 2 <= len(pages) <= 4
