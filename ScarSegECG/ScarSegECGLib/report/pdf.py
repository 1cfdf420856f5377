"""A report printed on A4 pages (PDF), the ECG to scale on a sheet laid on its side."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cache
from html import escape
from pathlib import Path

from matplotlib import get_data_path
from PIL import Image as Pillow
from reportlab import rl_config
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    CondPageBreak,
    Flowable,
    Frame,
    Image,
    KeepTogether,
    ListFlowable,
    NextPageTemplate,
    PageBreak,
    PageTemplate,
    Paragraph,
    Spacer,
    TableStyle,
)
from reportlab.platypus import Table as Grid

from ScarSegECGLib.report.blocks import Block, Items, Pairs, Picture, Report, Section, Table, Text
from ScarSegECGLib.report.images import joins, name_picture, on_white

rl_config.useA85 = 0  # pictures as bytes: as text they are larger and take a second
_MARGIN = 15 * mm
_WIDTH = A4[0] - 2 * _MARGIN
_TRUE_SIZE = "True to scale when printed at 100 %, without fitting to the page."
_SCALED = "25 mm/s and 10 mm/mV drawn at {percent:.0f} %: count squares, 0.04 s and 0.1 mV each."
# Largest width and height of a section's picture.
_BESIDE = 88 * mm
_ROOM = {"bullseye": (_BESIDE - 4 * mm, 125 * mm), "transmurality": (100 * mm, 110 * mm), "montage": (_WIDTH, 245 * mm)}
_NO_LETTERS = "name not printed: no font on this computer has its letters; see the DICOM header"


def as_pdf(report: Report) -> bytes:
    """The pages; nothing in the file says when or where it was made.

    Raises
    ------
    InputError
        A picture is damaged.
    """
    _register_fonts()
    buffer = io.BytesIO()
    document = BaseDocTemplate(buffer, pagesize=A4, title=report.title, author="ScarSegECG", creator="ScarSegECG",
                               producer="ScarSegECG", invariant=1)  # fmt: skip
    upright = Frame(_MARGIN, _MARGIN, _WIDTH, A4[1] - 2 * _MARGIN, 0, 0, 0, 0)
    sheet = landscape(A4)
    whole = Frame(0, 0, *sheet, 0, 0, 0, 0)
    document.addPageTemplates([PageTemplate("upright", [upright]), PageTemplate("sheet", [whole], pagesize=sheet)])
    document.build([*_story(report)], canvasmaker=_numbered(report.purpose))
    return buffer.getvalue()


def _story(report: Report) -> Iterator[Flowable]:
    yield Paragraph(escape(report.title), _style("title"))
    yield Paragraph(escape(report.purpose), _style("strong"))
    yield Spacer(0, 2 * mm)
    yield from _patient(report)
    yield Paragraph(escape(_signature(report.signed_by)), _style("plain"))
    keys = [section.key for section in report.sections]
    for section in report.sections:
        picture = section.blocks[0]
        if section.key == "ecg" and isinstance(picture, Picture) and picture.png is not None:
            yield from _ecg_sheet(picture.png)
        elif section.key == "used" and "bullseye" in keys:
            beside = [section, *(one for one in report.sections if one.key == "warnings" and _short(one))]
            left = [flowable for one in beside for flowable in _shown(one)]
            yield _side_by_side(left, _shown(report.section("bullseye")))
        elif section.key in ("table", "transmurality", "montage", "limits", "versions"):
            yield KeepTogether(_shown(section))
        elif section.key != "bullseye" and not (section.key == "warnings" and _short(section)):
            yield CondPageBreak(45 * mm)
            yield from _shown(section)


def _short(section: Section) -> bool:
    """Whether a section's sentences fit beside the bullseye, where no page can break them."""
    return sum(len(text) + 40 for block in section.blocks if isinstance(block, Items) for text in block.sentences) < 800


def _side_by_side(left: list[Flowable], right: list[Flowable]) -> Flowable:
    style = TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0)])
    return Grid([[left, right]], [_WIDTH - _BESIDE, _BESIDE], style=style)


def _shown(section: Section) -> list[Flowable]:
    shown: list[Flowable] = [Paragraph(escape(section.title), _style("heading"))]
    return shown + [flowable for block in section.blocks for flowable in _flowables(block, section)]


def _patient(report: Report) -> Iterator[Flowable]:
    """Who the patient is; a name in letters that the print's font lacks is drawn as a picture."""
    if report.patient is None:
        yield Paragraph("Patient: as in the DICOM header of this document.", _style("plain"))
        return
    name = report.patient.name
    if all(ord(letter) in pdfmetrics.getFont("Plain").face.charToGlyph for letter in name) and not joins(name):
        yield Paragraph(escape(report.patient.line()), _style("plain"))
        return
    drawn = name_picture(name)
    yield Paragraph(escape(report.patient.line(_NO_LETTERS if drawn is None else "see below")), _style("plain"))
    if drawn is not None:
        dots = drawn.info["dpi"][0]
        yield Image(_file(drawn), drawn.width / dots * 72, drawn.height / dots * 72, hAlign="LEFT")


def _signature(signed_by: str | None) -> str:
    if signed_by is None:
        return "Preliminary: not verified by a reader."
    family, _, given = signed_by.partition("^")
    return f"Verified by {' '.join(f'{given} {family}'.replace('^', ' ').split())}."


def _ecg_sheet(png: bytes) -> Iterator[Flowable]:
    """The ECG alone on a sheet laid on its side, at its true size where it fits; what follows begins another page."""
    image = on_white(png)
    dots = image.info.get("dpi", (150.0, 150.0))[0] or 150.0
    width, height = image.width / dots * 72, image.height / dots * 72
    across, up = landscape(A4)
    # Half a millimetre is what rounding to whole pixels may add to a picture of the sheet's own size.
    fits = width <= across + 0.5 * mm and height <= up + 0.5 * mm
    share = 1.0 if fits else min(across / width, up / height)
    yield NextPageTemplate("sheet")
    yield PageBreak()
    yield _Sheet(image, share * width, share * height, _TRUE_SIZE if fits else _SCALED.format(percent=100 * share))
    yield NextPageTemplate("upright")
    yield PageBreak()


class _Sheet(Flowable):
    """A picture in the middle of the page, and a note along its right edge."""

    def __init__(self, image: Pillow.Image, width: float, height: float, note: str) -> None:
        super().__init__()
        self._image, self._size, self._note = image, (width, height), note

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        self.width, self.height = width, height
        return width, height - 1e-3

    def draw(self) -> None:
        width, height = self._size
        left, bottom = (self.width - width) / 2, (self.height - height) / 2
        self.canv.drawImage(ImageReader(self._image), left, bottom, width, height)
        self.canv.saveState()
        self.canv.translate(self.width - 6 * mm, self.height - 9 * mm)
        self.canv.rotate(90)
        self.canv.setFont("Plain", 8)
        self.canv.drawRightString(0, 0, self._note)
        self.canv.restoreState()


def _flowables(block: Block, section: Section) -> Iterator[Flowable]:
    match block:
        case Text():
            yield Paragraph(escape(block.text), _style(block.kind))
        case Items():
            style = _style("small" if block.small else "plain")
            if block.sentences:
                yield ListFlowable(
                    [Paragraph(escape(sentence), style) for sentence in block.sentences],
                    bulletType="bullet", start="•", bulletFontName="Plain", bulletFontSize=style.fontSize,
                    leftIndent=4 * mm,
                )  # fmt: skip
        case Pairs():
            rows = [[Paragraph(escape(text), _style("small")) for text in pair] for pair in block.pairs]
            yield Grid(rows, [38 * mm, _WIDTH - 38 * mm], style=_lines(0))
        case Picture():
            if block.png is None:
                yield Paragraph(escape(f"{block.description}: no picture was made."), _style("plain"))
            else:
                yield _fitted(on_white(block.png), *_ROOM.get(section.key, (_WIDTH, 120 * mm)))
        case Table():
            yield from _grid(block)


def _fitted(image: Pillow.Image, width: float, height: float) -> Image:
    share = min(width / image.width, height / image.height)
    return Image(_file(image), share * image.width, share * image.height)


def _file(image: Pillow.Image) -> io.BytesIO:
    held = io.BytesIO()
    image.save(held, "PNG", compress_level=1)
    held.seek(0)
    return held


def _grid(table: Table) -> Iterator[Flowable]:
    """A table whose head stands on every page it runs over."""
    size = "large" if table.large else "cell" if len(table.head) < 9 else "fine"
    if table.caption:
        yield Paragraph(escape(table.caption), _style("small"))
    rows = [
        [
            Paragraph(escape(text), _style(size, right=right, bold=not number or (table.large and number == 1)))
            for text, right in zip(row, table.right, strict=True)
        ]
        for number, row in enumerate((table.head, *table.rows))
    ]
    widths = [_WIDTH * width / sum(table.widths) for width in table.widths]
    yield Grid(rows, widths, style=_lines(1), repeatRows=1, spaceBefore=1.5 * mm, spaceAfter=2 * mm)


def _lines(heads: int) -> TableStyle:
    commands = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, colors.Color(0.75, 0.75, 0.75)),
        ("LEFTPADDING", (0, 0), (-1, -1), 1),
        ("RIGHTPADDING", (0, 0), (-1, -1), 3),
        ("TOPPADDING", (0, 0), (-1, -1), 1.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5),
    ]
    if heads:
        commands.append(("LINEBELOW", (0, heads - 1), (-1, heads - 1), 0.8, colors.black))
    return TableStyle(commands)


_SIZES = {"title": 16.0, "heading": 12.0, "lead": 12.0, "large": 10.0, "plain": 9.0, "strong": 9.0, "cell": 8.0,
          "small": 7.5, "fine": 6.5}  # fmt: skip


@cache
def _style(name: str, *, right: bool = False, bold: bool = False) -> ParagraphStyle:
    size = _SIZES[name]
    bold = bold or name in ("title", "heading", "lead", "strong")
    return ParagraphStyle(
        name,
        fontName="Bold" if bold else "Plain",
        fontSize=size,
        leading=1.32 * size,
        alignment=2 if right else 0,
        spaceBefore=4 * mm if name == "heading" else 0,
        spaceAfter=1.2 * mm if name not in ("cell", "fine", "large") else 0,
        keepWithNext=name == "heading",
    )


@cache
def _register_fonts() -> None:
    folder = Path(get_data_path()) / "fonts" / "ttf"
    pdfmetrics.registerFont(TTFont("Plain", str(folder / "DejaVuSans.ttf")))
    pdfmetrics.registerFont(TTFont("Bold", str(folder / "DejaVuSans-Bold.ttf")))


def _numbered(foot: str) -> type[Canvas]:
    """A canvas that writes the foot and "page n of m" once it knows how many pages there are."""

    class Numbered(Canvas):
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, **options)
            self._pages: list[dict] = []

        def showPage(self) -> None:
            self._pages.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            for number, state in enumerate(self._pages, 1):
                self.__dict__.update(state)
                self.setFont("Plain", 7)
                self.setFillGray(0.35)
                width, height = self._pagesize
                text = f"{foot}   page {number} of {len(self._pages)}"
                if width > height:  # a sheet's picture leaves room at its sides alone
                    self.translate(width - 6 * mm, 11 * mm)
                    self.rotate(90)
                    self.drawString(0, 0, text)
                else:
                    self.drawString(_MARGIN, _MARGIN - 6 * mm, text)
                super().showPage()
            super().save()

    return Numbered
