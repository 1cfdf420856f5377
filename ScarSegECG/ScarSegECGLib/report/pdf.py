"""A report printed on A4 pages (PDF), the ECG to scale on a sheet laid on its side, and the pixels that go into it."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from functools import cache, partial
from html import escape
from pathlib import Path

from matplotlib import get_data_path
from matplotlib.font_manager import findSystemFonts, get_font
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont, features
from reportlab import platypus, rl_config
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.report.blocks import Block, Items, Pairs, Picture, Report, Section, Table, Text

rl_config.useA85 = 0  # pictures as bytes: as text they are larger and take a second
_MARGIN = 15 * mm
_WIDTH = A4[0] - 2 * _MARGIN
_SHEET = landscape(A4)
_TRUE_SIZE = "True to scale when printed at 100 %, without fitting to the page."
_SCALED = "25 mm/s and 10 mm/mV drawn at {percent:.0f} %: count squares, 0.04 s and 0.1 mV each."
# Largest width and height of a section's picture.
_BESIDE = 88 * mm
_ROOM = {"bullseye": (_BESIDE - 4 * mm, 125 * mm), "transmurality": (100 * mm, 110 * mm), "montage": (_WIDTH, 245 * mm)}
_NO_LETTERS = "name not printed: no font on this computer has its letters; see the DICOM header"
_IN_ONE_PIECE = ("table", "transmurality", "montage", "limits", "versions")
_SIZES = {"title": 16.0, "heading": 12.0, "lead": 12.0, "large": 10.0, "plain": 9.0, "strong": 9.0, "cell": 8.0,
          "small": 7.5, "fine": 6.5}  # fmt: skip
_MOST_PIXELS = 2**25
_DPI, _POINTS = 300, 10
_LONGEST = 200
# Hebrew, Arabic, and the scripts of India and south-east Asia.
_JOINING = ((0x0590, 0x08FF), (0x0900, 0x109F), (0x1780, 0x17FF))


def as_pdf(report: Report) -> bytes:
    """The pages; nothing in the file says when or where it was made.

    Raises
    ------
    InputError
        A picture is damaged.
    """
    _register_fonts()
    buffer = io.BytesIO()
    document = platypus.BaseDocTemplate(buffer, pagesize=A4, title=report.title, author="ScarSegECG",
                                        creator="ScarSegECG", producer="ScarSegECG", invariant=1)  # fmt: skip
    frame = platypus.Frame(_MARGIN, _MARGIN, _WIDTH, A4[1] - 2 * _MARGIN, 0, 0, 0, 0)
    pages = [platypus.PageTemplate("upright", [frame])]
    (*_, ecg) = (block for section in report.sections if section.key == "ecg" for block in section.blocks)
    if isinstance(ecg, Picture) and ecg.png is not None:
        draw = partial(_ecg_sheet, on_white(ecg.png))
        pages.append(platypus.PageTemplate("sheet", [frame], onPage=draw, pagesize=_SHEET))
    document.addPageTemplates(pages)
    document.build([*_story(report, has_sheet=len(pages) > 1)], canvasmaker=_numbered(report.purpose))
    return buffer.getvalue()


def _story(report: Report, has_sheet: bool) -> Iterator[Flowable]:
    yield _text(report.title, "title")
    yield _text(report.purpose, "strong")
    yield platypus.Spacer(0, 2 * mm)
    yield from _patient(report)
    yield _text(_signature(report.signed_by))
    beside = {one.key: one for one in report.sections if one.key == "used" or (one.key == "warnings" and _short(one))}
    left = [flowable for section in beside.values() for flowable in _shown(section)]
    for section in report.sections:
        if section.key == "bullseye":
            style = platypus.TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0)])
            yield platypus.Table([[left, _shown(section)]], [_WIDTH - _BESIDE, _BESIDE], style=style)
        elif section.key == "ecg" and has_sheet:
            for template in ("sheet", "upright"):
                yield from (platypus.NextPageTemplate(template), platypus.PageBreak())
        elif section.key in _IN_ONE_PIECE:
            yield platypus.KeepTogether(_shown(section))
        elif section.key not in beside:
            yield platypus.CondPageBreak(45 * mm)
            yield from _shown(section)


def _short(section: Section) -> bool:
    """Whether a section's sentences fit beside the bullseye, where no page can break them."""
    return sum(len(text) + 40 for block in section.blocks if isinstance(block, Items) for text in block.sentences) < 800


def _shown(section: Section) -> list[Flowable]:
    shown: list[Flowable] = [_text(section.title, "heading")]
    return shown + [flowable for block in section.blocks for flowable in _flowables(block, section)]


def _patient(report: Report) -> Iterator[Flowable]:
    """Who the patient is; a name in letters that the print's font lacks is drawn as a picture."""
    if report.patient is None:
        yield _text("Patient: as in the DICOM header of this document.")
        return
    name = report.patient.name
    if all(ord(letter) in pdfmetrics.getFont("Plain").face.charToGlyph for letter in name) and not _joins(name):
        yield _text(report.patient.line())
        return
    drawn = _name_picture(name)
    yield _text(report.patient.line(_NO_LETTERS if drawn is None else "see below"))
    if drawn is not None:
        yield _image(drawn, 72 / drawn.info["dpi"][0], hAlign="LEFT")


def _signature(signed_by: str | None) -> str:
    if signed_by is None:
        return "Preliminary: not verified by a reader."
    family, _, given = signed_by.partition("^")
    return f"Verified by {' '.join(f'{given} {family}'.replace('^', ' ').split())}."


def _ecg_sheet(image: Pillow.Image, canvas: Canvas, document: object) -> None:
    """The ECG alone on a sheet laid on its side, at its true size where it fits, and a note along the right edge."""
    dots = image.info.get("dpi", (150.0, 150.0))[0] or 150.0
    width, height = image.width / dots * 72, image.height / dots * 72
    across, up = _SHEET
    # Half a millimetre is what rounding to whole pixels may add to a picture of the sheet's own size.
    fits = width <= across + 0.5 * mm and height <= up + 0.5 * mm
    share = 1.0 if fits else min(across / width, up / height)
    width, height = share * width, share * height
    canvas.drawImage(ImageReader(image), (across - width) / 2, (up - height) / 2, width, height)
    canvas.saveState()
    canvas.translate(across - 6 * mm, up - 9 * mm)
    canvas.rotate(90)
    canvas.setFont("Plain", 8)
    canvas.drawRightString(0, 0, _TRUE_SIZE if fits else _SCALED.format(percent=100 * share))
    canvas.restoreState()


def _flowables(block: Block, section: Section) -> Iterator[Flowable]:
    match block:
        case Text():
            yield _text(block.text, block.kind)
        case Items():
            kind = "small" if block.small else "plain"
            if block.sentences:
                yield platypus.ListFlowable(
                    [_text(sentence, kind) for sentence in block.sentences],
                    bulletType="bullet", start="•", bulletFontName="Plain", bulletFontSize=_SIZES[kind],
                    leftIndent=4 * mm,
                )  # fmt: skip
        case Pairs():
            rows = [[_text(text, "small") for text in pair] for pair in block.pairs]
            yield platypus.Table(rows, [38 * mm, _WIDTH - 38 * mm], style=_lines())
        case Picture():
            if block.png is None:
                yield _text(f"{block.description}: no picture was made.")
            else:
                image = on_white(block.png)
                width, height = _ROOM.get(section.key, (_WIDTH, 120 * mm))
                yield _image(image, min(width / image.width, height / image.height))
        case Table():
            yield from _table(block)


def _image(image: Pillow.Image, share: float, **options: str) -> platypus.Image:
    held = io.BytesIO()
    image.save(held, "PNG", compress_level=1)
    held.seek(0)
    return platypus.Image(held, share * image.width, share * image.height, **options)


def _table(table: Table) -> Iterator[Flowable]:
    """A table whose head stands on every page it runs over."""
    size = "cell" if len(table.columns) < 9 else "fine"
    if table.large:
        size = "large"
    if table.caption:
        yield _text(table.caption, "small")
    head = [column.heading for column in table.columns]

    def cells(texts: Iterable[str], bold: bool) -> list[Paragraph]:
        pairs = zip(texts, table.columns, strict=True)
        return [_text(text, size, right=column.right, bold=bold) for text, column in pairs]

    rows = [cells(row, bold=table.large and number == 0) for number, row in enumerate(table.rows)]
    parts = sum(column.width for column in table.columns)
    widths = [_WIDTH * column.width / parts for column in table.columns]
    heavy = ("LINEBELOW", (0, 0), (-1, 0), 0.8, colors.black)
    yield platypus.Table([cells(head, bold=True), *rows], widths, style=_lines(heavy), repeatRows=1,
                         spaceBefore=1.5 * mm, spaceAfter=2 * mm)  # fmt: skip


def _lines(*more: tuple) -> platypus.TableStyle:
    """A hairline below each row, and little room."""
    every = (0, 0), (-1, -1)
    return platypus.TableStyle([
        ("VALIGN", *every, "TOP"),
        ("LINEBELOW", *every, 0.4, colors.Color(0.75, 0.75, 0.75)),
        ("LEFTPADDING", *every, 1),
        ("RIGHTPADDING", *every, 3),
        ("TOPPADDING", *every, 1.5),
        ("BOTTOMPADDING", *every, 1.5),
        *more,
    ])  # fmt: skip


def _text(text: str, kind: str = "plain", *, right: bool = False, bold: bool = False) -> Paragraph:
    return Paragraph(escape(text), _style(kind, right, bold or kind in ("title", "heading", "lead", "strong")))


@cache
def _style(kind: str, right: bool, bold: bool) -> ParagraphStyle:
    return ParagraphStyle(
        kind,
        fontName="Bold" if bold else "Plain",
        fontSize=_SIZES[kind],
        leading=1.32 * _SIZES[kind],
        alignment=2 if right else 0,
        spaceBefore=4 * mm if kind == "heading" else 0,
        spaceAfter=1.2 * mm if kind not in ("cell", "fine", "large") else 0,
        keepWithNext=kind == "heading",
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
                if self._pagesize == _SHEET:  # its picture leaves room at its sides alone
                    self.translate(_SHEET[0] - 6 * mm, 11 * mm)
                    self.rotate(90)
                else:
                    self.translate(_MARGIN, _MARGIN - 6 * mm)
                self.drawString(0, 0, f"{foot}   page {number} of {len(self._pages)}")
                super().showPage()
            super().save()

    return Numbered


def on_white(png: bytes) -> Pillow.Image:
    """A PNG as RGB, transparency laid on white; ``info`` keeps its dots per inch.

    Raises
    ------
    InputError
        Damaged, or of more than 32 million pixels.
    """
    try:
        with Pillow.open(io.BytesIO(png), formats=["PNG"]) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise InputError("A picture of the result is too large to be one: segment the case again.")
            over = Pillow.new("RGBA", image.size, "white")
            over.alpha_composite(image.convert("RGBA"))
            flat = over.convert("RGB")
            flat.info = dict(image.info)
            return flat
    except (OSError, SyntaxError, ValueError, Pillow.DecompressionBombError):
        raise InputError("A picture of the result is damaged: segment the case again.") from None


def _name_picture(text: str) -> Pillow.Image | None:
    """The text in black on white, 10 points high, ``info["dpi"]`` set.

    ``None`` where no font of this computer has all letters, or where Pillow cannot join them as the script asks.
    """
    text = " ".join(text.split())[:_LONGEST]
    path = _font_for(text)
    if path is None or (_joins(text) and not features.check("raqm")):
        return None
    font = ImageFont.truetype(str(path), round(_POINTS * _DPI / 72))
    left, top, right, bottom = font.getbbox(text)
    picture = Pillow.new("RGB", (round(right - left) + 8, round(bottom - top) + 8), "white")
    ImageDraw.Draw(picture).text((4 - left, 4 - top), text, "black", font)
    picture.info["dpi"] = (_DPI, _DPI)
    return picture


def _joins(text: str) -> bool:
    """Whether letters join or run from the right."""
    return any(first <= ord(letter) <= last for letter in text for first, last in _JOINING)


def _font_for(text: str) -> Path | None:
    """A font file that has every letter; fonts that stand for all scripts with boxes (LastResort) are left out."""
    wanted = {ord(letter) for letter in text if not letter.isspace()}
    for name in sorted(name for name in findSystemFonts() if "LastResort" not in name):
        try:
            if wanted <= get_font(name).get_charmap().keys():
                return Path(name)
        except (OSError, RuntimeError):  # a font that FreeType does not read
            continue
    return None
