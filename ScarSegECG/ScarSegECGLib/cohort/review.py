"""What a reader decided on the page: read back, kept beside the tables, and the list of cases to open in Slicer."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from ScarSegECGLib.cohort.cells import as_csv, unguarded
from ScarSegECGLib.cohort.manifest import CohortCase, ManifestError
from ScarSegECGLib.cohort.records import CASES
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import write_text

REVIEW, TO_OPEN = "review.csv", "open_in_slicer.csv"
COLUMNS = ("case", "decision", "comment", "reviewed_utc")
DECISIONS = ("accept", "correct", "reject")
MOST_BYTES, LONGEST_COMMENT = 16 * 2**20, 4000

Reviews = dict[str, dict[str, str]]


def read_review(path: Path, names: Sequence[str]) -> Reviews:
    """Decisions by case, as the page saved them.

    Parameters
    ----------
    path : Path
    names : sequence of str
        The cohort's cases.

    Raises
    ------
    InputError
        No such file, no review, or everything that is wrong with it, line by line.
    """
    try:
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path.name}: no file, or too large for a review")
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        raise InputError(f"{path.name}: cannot be read; the page's button 'Save review' makes it") from None
    first = text.partition("\n")[0]
    try:
        rows = iter(list(csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))))
    except csv.Error:
        raise InputError(f"{path.name}: no review; the page's button 'Save review' makes it") from None
    header = [cell.strip().lower() for cell in next(rows, [])]
    if not {"case", "decision"} <= set(header):
        raise InputError(f"{path.name}: no review; it has the columns {', '.join(COLUMNS)}")
    found, mistakes, known = Reviews(), [], set(names)
    for line, cells in enumerate(rows, 2):
        row = dict(zip(header, (unguarded(cell).strip() for cell in cells), strict=False))
        case, decision = row.get("case", ""), row.get("decision", "").lower()
        if not case and not decision:
            continue
        if case not in known:
            mistakes.append(f"line {line}: the cohort has no case '{case[:64]}'")
        elif case in found:
            mistakes.append(f"line {line}: '{case}' stands twice")
        elif decision and decision not in DECISIONS:
            mistakes.append(f"line {line}: '{decision[:20]}' is none of {', '.join(DECISIONS)}")
        else:
            told = {name: row.get(name, "")[:LONGEST_COMMENT] for name in COLUMNS}
            found[case] = told | {"decision": decision}
    if mistakes:
        raise ManifestError(path.name, mistakes)
    return found


def reviews_of(out: Path) -> Reviews:
    """What was brought into the cohort's folder; nothing where nobody has reviewed."""
    try:
        with (out / REVIEW).open(encoding="utf-8", newline="") as file:
            rows = [{name: unguarded(row.get(name) or "") for name in COLUMNS} for row in csv.DictReader(file)]
    except (OSError, ValueError, csv.Error):
        return {}
    return {row["case"]: row for row in rows}


def keep_reviews(out: Path, reviews: Reviews) -> None:
    """Write ``review.csv``: later decisions replace earlier ones, the others stay."""
    together = reviews_of(out) | reviews
    write_text(out / REVIEW, as_csv(COLUMNS, [[row[name] for name in COLUMNS] for row in together.values()]))


def write_cases_to_open(out: Path, reviews: Reviews, cases: Mapping[str, CohortCase]) -> int:
    """Write ``open_in_slicer.csv``, the cases to be corrected; returns how many.

    Parameters
    ----------
    cases : mapping of name to CohortCase
        Adds the paths of images and ECG, which no file of a cohort's folder holds otherwise; may be empty.
    """
    columns = ("case", "segmentation", "comment", *(("lge", "ecg") if cases else ()))
    rows = []
    for name, review in reviews.items():
        if review["decision"] == "correct":
            row = [name, f"{CASES}/{name}/segmentation.seg.nrrd", review["comment"]]
            if cases:
                case = cases.get(name)
                row += [str(path) if path else "" for path in ((case.lge, case.ecg) if case else ("", ""))]
            rows.append(row)
    write_text(out / TO_OPEN, as_csv(columns, rows))
    return len(rows)
