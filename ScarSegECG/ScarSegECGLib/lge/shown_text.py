"""Text of headers: plain, to be looked through, and as it may be shown, without the patient's own words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_UID = re.compile(r"[0-9.]{1,64}")
_SPELT_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "oe", "å": "aa", "æ": "ae"})
_HIDDEN = "***"


def printable(text: str) -> str:
    """Without control characters, which a terminal would obey; blanks are single."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def plain(text: str) -> str:
    """Capitals and digits without accents, anything else but ``*`` a single blank: to look for words in."""
    flat = unicodedata.normalize("NFKD", text[:500]).encode("ascii", "ignore").decode().upper()
    return " ".join(re.sub(r"[^A-Z0-9*]+", " ", flat).split())


def some_of(values: Sequence[object], most: int) -> str:
    """The first values of a list, with dots where there are more."""
    return ", ".join(map(str, values[:most])) + (" ..." if len(values) > most else "")


def shown_uid(uid: str) -> str:
    return uid if _UID.fullmatch(uid) else "(no valid UID)"


def without_patient(text: str, name: str, identifier: str, birth_date: str) -> str:
    """Printable text with the patient's name, identifier and date of birth taken out, as far as they are spelt alike.

    ``name`` is as DICOM has it, its parts between ``^``, ``=`` or blanks. Parts of two letters count as whole words,
    longer ones wherever they occur, also without their accents and with ae, oe, ue, ss spelt out. ``birth_date`` is
    YYYYMMDD, or "".
    """
    text = unicodedata.normalize("NFC", printable(text))
    for part in re.split(r"[\^=\s,]+", unicodedata.normalize("NFC", f"{name} {identifier}")):
        for spelling in sorted(_spellings(part), key=len, reverse=True):
            if len(spelling) >= 2:
                edge = r"\b" if len(spelling) == 2 else ""
                text = re.sub(f"{edge}{re.escape(spelling)}{edge}", _HIDDEN, text, flags=re.IGNORECASE)
    found = re.fullmatch(r"(\d\d)(\d\d)(\d\d)(\d\d)", birth_date.strip())
    return text if found is None else re.sub(_dates(*found.groups()), _HIDDEN, text)


def _spellings(part: str) -> set[str]:
    lower = part.lower()
    spelt_out = lower.translate(_SPELT_OUT)
    short = re.sub(r"([aou])e", lambda found: {"a": "ä", "o": "ö", "u": "ü"}[found.group(1)], lower)
    return {lower, spelt_out, _without_accents(lower), short, _without_accents(short), lower.replace("ss", "ß")}


def _without_accents(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


def _dates(century: str, year: str, month: str, day: str) -> str:
    """A pattern of the usual spellings of a date: year first, or last and perhaps of two digits."""
    years, months, days = f"(?:{century})?{year}", f"0?{int(month)}", f"0?{int(day)}"
    parted = ((years, months, days), (days, months, years), (months, days, years))
    packed = ((years, month, day), (day, month, years), (month, day, years))
    spellings = (*map(r"[ ./_-]".join, parted), *map("".join, packed))
    return rf"(?<!\d)(?:{'|'.join(spellings)})(?!\d)"
