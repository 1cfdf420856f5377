"""Whether an XML file may be handed to a parser at all: no entities, no bombs, no towers of elements."""

from __future__ import annotations

import re
from pathlib import Path

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from ScarSegECGLib.ecg.recording import require_size
from ScarSegECGLib.errors import InputError

LARGEST_XML = 10_000_000
MOST_ELEMENTS, DEEPEST = 200_000, 64
# Numbers that say how much there is, by the names of elements and attributes; a parser may believe them.
_COUNT = re.compile(r"number|count|channels|leads|samples|duration|rate|size|length|total", re.IGNORECASE)
_CHANNELS = re.compile(r"(number|num|count)(of)?_?(channels|leads)", re.IGNORECASE)
LARGEST_COUNT, MOST_CHANNELS = 10_000_000.0, 256.0


class _TooMuch(Exception):
    pass


class _Declared(Exception):
    pass


def _require_possible(name: str, text: str) -> None:
    """Raise _Declared for a count that no ECG has: huge, infinite, or more channels than any device records."""
    if not text or len(text) > 400 or not _COUNT.search(name):
        return
    try:
        number = float(text)
    except ValueError:
        return
    if not abs(number) <= (MOST_CHANNELS if _CHANNELS.search(name) else LARGEST_COUNT):
        raise _Declared


class _Counter:
    """A parser's target that counts and keeps nothing but the root's name and a short text."""

    def __init__(self) -> None:
        self.root = self.text = ""
        self.elements = self.depth = 0

    def start(self, tag: str, attributes: dict) -> None:
        self.text = ""
        for name, value in attributes.items():
            _require_possible(name, value)
        self.root = self.root or tag.rpartition("}")[2]
        self.elements += 1
        self.depth += 1
        if self.elements > MOST_ELEMENTS or self.depth > DEEPEST:
            raise _TooMuch

    def end(self, tag: str) -> None:
        self.depth -= 1
        _require_possible(tag.rpartition("}")[2], self.text.strip())
        self.text = ""

    def data(self, text: str) -> None:
        if len(self.text) <= 400:
            self.text += text[:401]

    def close(self) -> str:
        return self.root


def xml_root_name(path: Path) -> str:
    """Read an XML file once, building nothing, and say what its root element is called, without its namespace.

    A document type may be named (GE MUSE does), but nothing may be declared in it.

    Raises
    ------
    InputError
        Too large, not well-formed, declaring counts that no ECG has, with entities or outside references, or nested
        or split beyond any ECG.
    """
    require_size(path, LARGEST_XML, "the XML")
    parser = DefusedXMLParser(target=_Counter(), forbid_dtd=False, forbid_entities=True, forbid_external=True)
    try:
        parser.feed(path.read_bytes())
        return str(parser.close())
    except DefusedXmlException:
        raise InputError("The ECG file declares XML entities or outside references, which is refused.") from None
    except _Declared:
        raise InputError("The ECG file declares a count that no ECG has: refused.") from None
    except _TooMuch:
        raise InputError("The ECG file has more XML elements than an ECG can have: refused.") from None
    except Exception:  # the parser's own, and what a codec named in the file raises
        raise InputError("The ECG file is no well-formed XML: export the ECG again.") from None
