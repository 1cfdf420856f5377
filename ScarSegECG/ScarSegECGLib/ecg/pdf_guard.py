"""Open a PDF within bounds: what its streams unpack to, how many operators are followed, for how much computing."""

from __future__ import annotations

import logging
import re
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pdfplumber
from pdfminer.pdfinterp import PDFPageInterpreter
from pdfplumber.page import Page, PDFPageAggregatorWithMarkedContent

from ScarSegECGLib.ecg.recording import require_size
from ScarSegECGLib.errors import InputError

LARGEST_PDF = 8_000_000
LARGEST_UNPACKED = 24_000_000
MOST_PAGES = 20
LONGEST_S = 3.0  # of this thread's own computing
MOST_STEPS = 600_000
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


@contextmanager
def bounded_pages(path: Path) -> Iterator[list[Page]]:
    """Yield a PDF's pages, whose drawings are read within bounds.

    Raises
    ------
    InputError
        Too large or too complicated, packed in unusual ways, locked with a password, or damaged.
    """
    require_size(path, LARGEST_PDF, "the PDF")
    too_much = InputError(f"{path.name} is too complicated for the PDF of one ECG: export DICOM or XML instead.")
    if _unpacks_too_much(path.read_bytes()):
        raise too_much
    log = logging.getLogger("pdfminer")
    kept, log_level = log.disabled, log.level
    log.setLevel(logging.CRITICAL)  # its warnings quote the file
    interpreter = type("Interpreter", (_BoundedInterpreter,), {"deadline": time.thread_time() + LONGEST_S})
    try:
        with pdfplumber.open(path) as pdf:
            pages = pdf.pages
            if len(pages) > MOST_PAGES:
                raise InputError(f"{path.name} has {len(pages)} pages: export the ECG's page alone.")
            for page in pages:
                device = PDFPageAggregatorWithMarkedContent(pdf.rsrcmgr, pageno=page.page_number, laparams=None)
                interpreter(pdf.rsrcmgr, device).process_page(page.page_obj)
                page._layout = device.get_result()
            yield pages
    except InputError:
        raise
    except _TooMuch:
        raise too_much from None
    except Exception as error:  # pdfminer raises many kinds on damaged files
        if "Password" in f"{type(error).__name__} {error!r}":
            raise InputError(f"{path.name} is locked with a password: save it without one.") from None
        raise InputError(f"{path.name} is a damaged PDF, or none: export it again.") from None
    finally:
        log.disabled = kept
        log.setLevel(log_level)


def _unpacks_too_much(data: bytes) -> bool:
    """Whether the streams unpack to more than :data:`LARGEST_UNPACKED` bytes, or by filters that cannot be told."""
    left = LARGEST_UNPACKED
    for match in _STREAM.finditer(data):
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
            left -= len(unpacker.decompress(data[match.end() :], left + 1))
        except zlib.error:
            continue
        if left < 0:
            return True
    return False
