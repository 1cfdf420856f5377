"""The text header of a NRRD file, read as ITK reads it, so that both mean the same data file."""

from __future__ import annotations

import re
from pathlib import Path

from ScarSegECGLib.errors import InputError

NRRD_MAGIC = b"NRRD000"
_HEADER_LIMIT = 2**16
# A line ends at LF or CR LF and nowhere else; what other readers may take for an end of line or text is not allowed.
_DOUBTFUL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_DAMAGED = "The NRRD header is damaged, too long or has no end: save the stack as one .nrrd file again."


def nrrd_fields(path: Path) -> dict[str, str]:
    """Fields of the header, names in lower case; free "key:=value" lines are left out.

    Raises
    ------
    InputError
        The header does not end within 64 kB, holds control characters, or names its data twice.
    """
    with path.open("rb") as stream:
        start = stream.read(_HEADER_LIMIT + 1)
    text, blank_line, _ = start.replace(b"\r\n", b"\n").partition(b"\n\n")
    if (not blank_line and len(start) > _HEADER_LIMIT) or _DOUBTFUL.search(text):
        raise InputError(_DAMAGED)
    fields: dict[str, str] = {}
    for line in text.decode("latin-1").split("\n")[1:]:
        name, colon, value = line.partition(":")
        if not colon or line.startswith("#") or value.startswith("="):
            continue
        key = re.sub(r"\s+", " ", name.strip(" \t").lower())
        key = "data file" if key == "datafile" else key
        if key == "data file" and key in fields:
            raise InputError(_DAMAGED)
        fields[key] = value.strip(" \t")
    return fields


def data_file(path: Path, fields: dict[str, str]) -> Path | None:
    """The one detached data file, which must lie in the header's folder, links followed; None where there is none.

    Raises
    ------
    InputError
        Several data files, one elsewhere, or one that is missing.
    """
    name = fields.get("data file")
    if name is None:
        return None
    if name.startswith("LIST") or "%" in name:
        raise InputError("The NRRD header names several data files: save the stack as one .nrrd file.")
    folder = path.resolve().parent
    data = (folder / name).resolve()
    if data.parent != folder:
        raise InputError("The NRRD header points to a data file outside its own folder: save it as one .nrrd file.")
    if not data.is_file():
        raise InputError("The data file named in the NRRD header is missing: put it beside the header.")
    return data
