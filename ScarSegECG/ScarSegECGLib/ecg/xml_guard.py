"""Whether an XML file may be handed to a parser at all: no entities, no bombs, no towers of elements."""

from __future__ import annotations

from pathlib import Path

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from ScarSegECGLib.ecg.recording import require_size
from ScarSegECGLib.errors import InputError

LARGEST_XML = 10_000_000
MOST_ELEMENTS, DEEPEST = 200_000, 64


class _TooMuch(Exception):
    pass


class _Counter:
    """A parser's target that counts and keeps nothing but the root's name."""

    def __init__(self) -> None:
        self.root = ""
        self.elements = self.depth = 0

    def start(self, tag: str, _attributes: dict) -> None:
        self.root = self.root or tag.rpartition("}")[2]
        self.elements += 1
        self.depth += 1
        if self.elements > MOST_ELEMENTS or self.depth > DEEPEST:
            raise _TooMuch

    def end(self, _tag: str) -> None:
        self.depth -= 1

    def data(self, _text: str) -> None:
        pass

    def close(self) -> str:
        return self.root


def xml_root_name(path: Path) -> str:
    """Read an XML file once, building nothing, and say what its root element is called, without its namespace.

    A document type may be named (GE MUSE does), but nothing may be declared in it.

    Raises
    ------
    InputError
        Too large, not well-formed, with entities or external references, or nested or split beyond any ECG.
    """
    require_size(path, LARGEST_XML, "the XML")
    parser = DefusedXMLParser(target=_Counter(), forbid_dtd=False, forbid_entities=True, forbid_external=True)
    try:
        parser.feed(path.read_bytes())
        return str(parser.close())
    except DefusedXmlException:
        raise InputError("The ECG file declares XML entities or outside references, which is refused.") from None
    except _TooMuch:
        raise InputError("The ECG file has more XML elements than an ECG can have: refused.") from None
    except Exception:  # the parser's own, and what a codec named in the file raises
        raise InputError("The ECG file is no well-formed XML: export the ECG again.") from None
