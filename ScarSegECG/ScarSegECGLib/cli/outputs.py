"""The files that a verb is asked for, looked at before any work is done, and each written whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import whole_file, write_text
from ScarSegECGLib.report.measured import as_markdown
from ScarSegECGLib.view.paint import FORMATS, save
from ScarSegECGLib.view.shapes import Drawing


def check_files(*paths: Path | None, pictures: Sequence[Path | None] = (), table: Path | None = None) -> None:
    """InputError for a file that cannot be written, is asked for twice, or whose suffix is no picture's or table's."""
    for path in pictures:
        if path is not None and path.suffix.lower().lstrip(".") not in FORMATS:
            raise InputError(f"A picture cannot be written as '{path.suffix}': use .png, .svg or .pdf")
    if table is not None and table.suffix.lower() not in (".csv", ".md"):
        raise InputError(f"A table cannot be written as '{table.suffix}': use .csv or .md")
    asked: set[Path] = set()
    for path in filter(None, (*paths, table, *pictures)):
        folder = path.absolute().parent
        if not path.name or (path.exists() and not path.is_file()):
            raise InputError(f"{path.name or path}: is a folder, a pipe or a device; give a file's name")
        if not (folder.is_dir() and os.access(folder, os.W_OK)):
            raise InputError(f"{path.name}: its folder does not exist or is not yours to write; choose another one")
        if path.resolve() in asked:
            raise InputError(f"{path.name}: is asked for twice; give each output a file of its own")
        asked.add(path.resolve())


def write_table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write CSV (UTF-8, decimal point) or Markdown, by the suffix."""
    if path.suffix.lower() == ".md":
        write_text(path, as_markdown(columns, rows))
        return
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    write_text(path, text.getvalue())


def write_json(path: Path, told: dict[str, Any]) -> None:
    """Write what was found for a program; no number that JSON does not have."""
    write_text(path, json.dumps(told, indent=1, allow_nan=False) + "\n")


def save_picture(drawing: Drawing, path: Path) -> None:
    """Write a picture; an earlier one of that name is replaced."""
    with whole_file(path) as partial:
        save(drawing, partial)
