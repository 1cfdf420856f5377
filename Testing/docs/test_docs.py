"""The pages of docs/: what they are made of, that they build without a warning, and that every link leads somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from ScarSegECGLib.cli import VERBS

pytest.importorskip("sphinx", reason="needs the extra docs")

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"\]\(([^)\s]+)\)")


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.names: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and name in ("href", "src"):
                self.links.append(value)
            elif value and name == "id":
                self.names.add(value)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    command = [sys.executable, "-m", "sphinx", "-q", "--fail-on-warning", "--keep-going", str(DOCS), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_built_and_reachable(built: Path) -> None:
    front = _Page((built / "index.html").read_text(encoding="utf-8"))
    for page in [*DOCS.glob("*.md"), *DOCS.glob("*.ipynb")]:
        assert (built / f"{page.stem}.html").is_file(), page.name
        assert page.stem == "index" or any(f"{page.stem}.html" in link for link in front.links), page.name


def test_every_link_of_the_built_pages_leads_somewhere(built: Path) -> None:
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in built.rglob("*.html")}
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            lost = not target.exists() or (parts.fragment and parts.fragment not in _names(target, pages))
            if lost:
                broken.append(f"{path.name}: {link}")
    assert broken == []


def _names(target: Path, pages: dict[Path, _Page]) -> set[str]:
    return pages[target].names | {""} if target in pages else {urlsplit(str(target)).fragment}


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *DOCS.glob("*.md")], ids=lambda page: page.name)
def test_every_link_to_a_file_of_the_repository_leads_somewhere(page: Path) -> None:
    links = [urlsplit(link) for link in LINK.findall(page.read_text(encoding="utf-8"))]
    own = "https://github.com/ScarSegECG/SlicerScarSegECG/blob/main/"
    paths = [page.parent / link.path for link in links if not link.scheme and link.path]
    paths += [ROOT / link.geturl().removeprefix(own) for link in links if link.geturl().startswith(own)]
    assert [str(path) for path in paths if not path.exists()] == []


def test_the_reference_has_every_verb_and_option(built: Path) -> None:
    from ScarSegECGLib.cli import build_parser

    page = (built / "reference.html").read_text(encoding="utf-8")
    text = re.sub(r"<[^>]+>", "", page)
    parser = build_parser()
    (verbs,) = (action for action in parser._actions if action.dest == "verb")
    assert set(verbs.choices) == set(VERBS)
    for name, verb in verbs.choices.items():
        options = [option for action in verb._actions for option in action.option_strings]
        assert name in text and all(option in text for option in options)


def test_the_conformance_statement_names_every_object(built: Path) -> None:
    from ScarSegECGLib.export.dicom.write import FILES

    page = (DOCS / "dicom-conformance.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in FILES)


def test_a_version_is_the_same_everywhere() -> None:
    from ScarSegECGLib import __version__

    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {__version__}\n" in citation
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None and newest.group(1) == __version__
