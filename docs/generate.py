"""Pages that are made from the code, so that they cannot say anything else: verbs, DICOM codes, AHA segments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pydicom.sr.coding import Code

from ScarSegECGLib.anatomy.segments import SEGMENT_NAMES, USUAL_TERRITORIES
from ScarSegECGLib.cli import VERBS
from ScarSegECGLib.export.dicom import codes


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def verbs() -> str:
    """One section per verb, its options told by the parser itself."""
    options = ":module: ScarSegECGLib.cli\n:func: build_parser\n:prog: scarsegecg\n:path: "
    sections = [f"## {name}\n\n```{{argparse}}\n{options}{name}\n```\n" for name in VERBS]
    return "\n".join(sections)


def coded() -> dict[str, Code]:
    """Every code that a result may be written with, by its name in the code."""
    named = {name: value for name, value in vars(codes).items() if isinstance(value, Code)}
    of_tables = {"PATTERN": codes.PATTERNS, "VERDICT": codes.VERDICTS, "PART": codes.PARTS_OF_LV}
    return named | {f"{kind} {name}": value for kind, table in of_tables.items() for name, value in table.items()}


def private_codes() -> str:
    """The private scheme."""
    rows = [(f"`{c.value}`", c.meaning) for c in coded().values() if c.scheme_designator == codes.PRIVATE_SCHEME]
    return _table(("code", "meaning"), rows)


def standard_codes() -> str:
    """Codes of SNOMED CT, DICOM and UCUM."""
    rows = [(f"`{c.value}`", c.scheme_designator, c.meaning) for c in coded().values()]
    return _table(("code", "scheme", "meaning"), (row for row in rows if row[1] != codes.PRIVATE_SCHEME))


def aha_segments() -> str:
    """Number, name, code of CID 3717 and usual territory of the 17 segments."""
    usual = {number: name for name, numbers in USUAL_TERRITORIES.items() for number in numbers}
    rows = [
        (number, name, f"`{codes.AHA_SEGMENTS[number - 1].kind.value}`", usual[number])
        for number, name in enumerate(SEGMENT_NAMES, 1)
    ]
    return _table(("segment", "name", "SNOMED CT", "usual territory"), rows)


PAGES = {
    "verbs.md": verbs,
    "private-codes.md": private_codes,
    "standard-codes.md": standard_codes,
    "aha-segments.md": aha_segments,
}


def write_pages(folder: Path) -> None:
    """Write every page that has changed; Sphinx makes anew what is younger."""
    folder.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        text, page = make(), folder / name
        if not page.is_file() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")
