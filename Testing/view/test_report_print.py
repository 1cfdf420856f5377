"""The HTML report as a browser prints it: the finding and its bullseye stand on page 1."""

from __future__ import annotations

import shutil
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import pytest
from test_view_montage import result

from ScarSegECGLib.export.report import report_html
from ScarSegECGLib.view.pictures import pictures

NOW = datetime(2031, 2, 3, 4, 5, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report as Chromium prints it on A4."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None or shutil.which("pdftotext") is None or shutil.which("pdfimages") is None:
        pytest.skip("needs chromium and poppler-utils")
    folder = tmp_path_factory.mktemp("print")
    case = result()
    (folder / "report.html").write_text(report_html(case, pictures(case), NOW), encoding="utf-8")
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


def said(pdf: Path, *options: str) -> str:
    return subprocess.run(["pdftotext", *options, str(pdf), "-"], capture_output=True, text=True, check=True).stdout


def test_page_1_holds_the_burden_what_was_used_and_the_bullseye(printed: Path) -> None:
    first = said(printed, "-f", "1", "-l", "1")
    assert all(words in first for words in ("Scar burden", "What was used", "Bullseye"))
    listed = subprocess.run(["pdfimages", "-list", str(printed)], capture_output=True, text=True, check=True).stdout
    images = [line.split() for line in listed.splitlines()[2:]]
    assert [line[0] for line in images if line[2] == "image"][0] == "1", "the bullseye is not on page 1"


def test_a_page_begins_only_where_the_one_before_is_full(printed: Path) -> None:
    pages = said(printed).rstrip("\f").split("\f")
    assert 2 <= len(pages) <= 4
