"""Open a PDF within bounds: what its streams and fonts unpack to, how many operators are followed, for how long."""

from __future__ import annotations

import logging
import re
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pdfplumber
from pdfminer.cmapdb import CMapParser, FileUnicodeMap
from pdfminer.pdffont import PDFFont
from pdfminer.pdfinterp import PDFPageInterpreter, PDFResourceManager
from pdfminer.pdftypes import PDFStream, resolve1
from pdfminer.psparser import PSKeyword
from pdfminer.utils import choplist, nunpack
from pdfplumber.page import Page, PDFPageAggregatorWithMarkedContent

from ScarSegECGLib.ecg.recording import require_size
from ScarSegECGLib.ecg.time_limit import TooLong, time_limit
from ScarSegECGLib.errors import InputError

LARGEST_PDF = 8_000_000
LARGEST_UNPACKED = 24_000_000
MOST_PAGES = 20
LONGEST_S, LONGEST_DRAWING_S = 4.5, 3.0  # of this thread's own computing: the whole file, its pages' operators
MOST_STEPS = 600_000
MOST_STREAMS = 2000
MOST_CHARACTERS = 2**16  # of one font, in all its ranges
_PIECE = 2**16
_STREAM = re.compile(rb"(?<!end)stream\r?\n?")
_FILTER = re.compile(rb"/Filter\s*(\[[^\]]*\]|/[^\s/<>\[\]()]+|.{0,20})", re.DOTALL)
# Filters that do not grow what they unpack, or are never unpacked here (pictures).
_HARMLESS = {f"/{name}Decode".encode() for name in ("DCT", "JPX", "CCITTFax", "JBIG2", "ASCII85", "ASCIIHex")}


class _TooMuch(Exception):
    pass


class _BoundedInterpreter(PDFPageInterpreter):
    """Follows a page's operators within a number and a time; forms that call forms share both."""

    deadline = 0.0
    steps = 0

    def push(self, obj) -> None:
        self.count()
        super().push(obj)

    def __getattribute__(self, name: str):
        # The base class asks for do_<operator> at every operator, known or not.
        if name.startswith("do_"):
            self.count(200 if name == "do_Do" else 1)
        return super().__getattribute__(name)

    def count(self, steps: int = 1) -> None:
        cls = type(self)
        cls.steps += steps
        if cls.steps > MOST_STEPS or (cls.steps % 256 < steps and time.thread_time() > cls.deadline):
            raise _TooMuch


class _CountingCMapParser(CMapParser):
    """Counts what a font's character map unfolds to before it does."""

    characters = 0

    def do_keyword(self, pos: int, token: PSKeyword) -> None:
        if token in (self.KEYWORD_ENDBFRANGE, self.KEYWORD_ENDCIDRANGE):
            for first, last, _ in choplist(3, [found for _, found in self.curstack]):
                if isinstance(first, bytes) and isinstance(last, bytes):
                    self.characters += max(0, nunpack(last) - nunpack(first) + 1)
            if self.characters > MOST_CHARACTERS:
                raise _TooMuch
        super().do_keyword(pos, token)


class _BoundedResources(PDFResourceManager):
    """Makes fonts whose tables are no larger than a font's can be."""

    def get_font(self, objid: object, spec: Mapping[str, object]) -> PDFFont:
        if objid is None or objid not in self._cached_fonts:
            for name in ("W", "W2"):
                listed = resolve1(spec.get(name))
                numbers = [resolve1(item) for item in listed] if isinstance(listed, list) else []
                if any(isinstance(number, (int, float)) and abs(number) > MOST_CHARACTERS for number in numbers):
                    raise _TooMuch
                if len(numbers) > MOST_CHARACTERS:
                    raise _TooMuch
            for name in ("ToUnicode", "Encoding"):
                mapped = resolve1(spec.get(name))
                if isinstance(mapped, PDFStream):
                    _CountingCMapParser(FileUnicodeMap(), BytesIO(mapped.get_data())).run()
        return super().get_font(objid, spec)


@contextmanager
def bounded_pages(path: Path) -> Iterator[list[Page]]:
    """Yield a PDF's pages, whose drawings are read within bounds.

    Raises
    ------
    InputError
        Too large or too complicated, packed in unusual ways, locked with a password, or damaged.
    """
    require_size(path, LARGEST_PDF, "the PDF")
    too_much = InputError("The PDF is too complicated for that of one ECG: export DICOM or XML instead.")
    if _unpacks_too_much(path.read_bytes()):
        raise too_much
    log = logging.getLogger("pdfminer")
    kept, log_level = log.disabled, log.level
    log.setLevel(logging.CRITICAL)  # its warnings quote the file
    interpreter = type("Interpreter", (_BoundedInterpreter,), {"deadline": time.thread_time() + LONGEST_DRAWING_S})
    try:
        with time_limit(LONGEST_S), pdfplumber.open(path) as pdf:
            pdf.rsrcmgr = _BoundedResources()
            pages = pdf.pages
            if len(pages) > MOST_PAGES:
                raise InputError(f"The ECG file has {len(pages)} pages: export the ECG's page alone.")
            for page in pages:
                device = PDFPageAggregatorWithMarkedContent(pdf.rsrcmgr, pageno=page.page_number, laparams=None)
                interpreter(pdf.rsrcmgr, device).process_page(page.page_obj)
                page._layout = device.get_result()
            yield pages
    except InputError:
        raise
    except (_TooMuch, TooLong):
        raise too_much from None
    except Exception as error:  # pdfminer raises many kinds on damaged files
        if "Password" in f"{type(error).__name__} {error!r}":
            raise InputError("The ECG file is locked with a password: save it without one.") from None
        raise InputError("The ECG file is a damaged PDF: export it again.") from None
    finally:
        log.disabled = kept
        log.setLevel(log_level)


def _unpacks_too_much(data: bytes) -> bool:
    """Whether the streams unpack to more than :data:`LARGEST_UNPACKED` bytes, or by filters that cannot be told."""
    left, deadline = LARGEST_UNPACKED, time.thread_time() + LONGEST_S
    view = memoryview(data)
    for count, match in enumerate(_STREAM.finditer(data), start=1):
        if count > MOST_STREAMS:
            return True
        head = data[max(0, match.start() - 2000) : match.start()]
        head = head[head.rfind(b" obj") + 1 :]
        for stated in _FILTER.findall(head):
            names = set(re.findall(rb"/[^\s/<>\[\]()]+", stated))
            if not names or b"#" in stated or names - _HARMLESS - {b"/FlateDecode"}:
                return True
        for chain in re.findall(rb"/Filter\s*\[([^\]]*)\]", head):
            if chain.count(b"/FlateDecode") > 1 or (chain.count(b"/") > 1 and b"/Flate" in chain):
                return True
        # The same bytes are tried whatever the filter is said to be.
        unpacker = zlib.decompressobj()
        try:
            for start in range(match.end(), len(data), _PIECE):
                left -= len(unpacker.decompress(view[start : start + _PIECE], left + 1))
                if left < 0 or time.thread_time() > deadline:
                    return True
                if unpacker.eof:
                    break
        except zlib.error:
            continue
    return False
