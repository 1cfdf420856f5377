"""A report printed on A4 pages (PDF), the ECG to scale on a sheet laid on its side, and the pixels that go into it."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from functools import cache
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
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.report.blocks import Block, Items, Patient, Picture, Report, Section, Table, Text

rl_config.useA85 = 0  # pictures as bytes: as text they are larger and take a second
_MARGIN = 15 * mm
_WIDTH = A4[0] - 2 * _MARGIN
_SHEET = landscape(A4)
_BESIDE = ("used", "warnings")  # stand beside the bullseye
# Largest width and height of a section's picture.
_ROOM = {"bullseye": (84 * mm, 125 * mm), "transmurality": (100 * mm, 110 * mm), "montage": (_WIDTH, 245 * mm)}
_SIZES = {"title": 16.0, "heading": 12.0, "lead": 12.0, "large": 10.0, "plain": 9.0, "strong": 9.0,
          "absent": 9.0, "cell": 8.0, "small": 7.5, "fine": 6.5}  # fmt: skip
_MOST_PIXELS = 2**25
_DPI, _POINTS = 300, 10
_LONGEST = 200
# Hebrew, Arabic, and the scripts of India and south-east Asia: letters join or run from the right.
_JOINING = re.compile("[\u0590-\u109f\u1780-\u17ff]")


def as_pdf(report: Report) -> bytes:
    """The pages; nothing in the file says when or where it was made. InputError where a picture is damaged."""
    _register_fonts()
    ecg, *_ = (block for section in report.sections if section.key == "ecg" for block in section.blocks)
    paper, scale = _to_scale(on_white(ecg.png)) if isinstance(ecg, Picture) else (None, "")
    pages = 0

    def note(canvas: Canvas, document: platypus.BaseDocTemplate) -> None:
        canvas.saveState()
        canvas.setFont("Plain", 7.0)
        canvas.setFillGray(0.35)
        said = f"{report.purpose}   page {document.page} of {pages}"
        if document.pageTemplate.id == "sheet":  # the picture leaves room at its sides alone
            canvas.translate(_SHEET[0] - 6 * mm, 11 * mm)
            canvas.rotate(90)
            canvas.drawString(0, 0, f"{said}   {scale}")
        else:
            canvas.drawString(_MARGIN, _MARGIN - 6 * mm, said)
        canvas.restoreState()

    upright = platypus.Frame(_MARGIN, _MARGIN, _WIDTH, A4[1] - 2 * _MARGIN, 0, 0, 0, 0)
    sheet = platypus.Frame(-mm, -mm, _SHEET[0] + 2 * mm, _SHEET[1] + 2 * mm, 0, 0, 0, mm)
    for _ in range(2):  # first to count the pages, then to say on each how many there are
        buffer = io.BytesIO()
        document = platypus.BaseDocTemplate(buffer, pagesize=A4, title=report.title, author="ScarSegECG",
                                            creator="ScarSegECG", producer="ScarSegECG", invariant=1)  # fmt: skip
        document.addPageTemplates([
            platypus.PageTemplate("upright", [upright], onPageEnd=note, pagesize=A4),
            platypus.PageTemplate("sheet", [sheet], onPageEnd=note, pagesize=_SHEET),
        ])  # fmt: skip
        document.build([*_story(report, paper)])
        pages = document.page
    return buffer.getvalue()


def _to_scale(paper: Pillow.Image) -> tuple[platypus.Image, str]:
    """The ECG at its true size where it fits the sheet, and a sentence that says to which scale it is."""
    dots = paper.info.get("dpi", (150.0, 150.0))[0] or 150.0
    width, height = paper.width / dots * 72, paper.height / dots * 72
    share = min(_SHEET[0] / width, _SHEET[1] / height)
    said = f"25 mm/s and 10 mm/mV drawn at {100 * share:.0f} %: count squares, 0.04 s and 0.1 mV each."
    if share > 0.998:  # rounding to whole pixels may add a little to a picture of the sheet's own size
        share, said = 1.0, "True to scale when printed at 100 %, without fitting to the page."
    return _image(paper, share * 72 / dots), said


def _story(report: Report, paper: platypus.Image | None) -> Iterator[Flowable]:
    yield _text(report.title, "title")
    yield _text(report.purpose, "strong")
    yield platypus.Spacer(0, 2 * mm)
    yield from _patient(report.patient)
    if report.signed_by is None:
        yield _text("Preliminary: not verified by a reader.")
    else:
        family, _, given = report.signed_by.partition("^")
        yield _text(f"Verified by {' '.join(f'{given} {family}'.replace('^', ' ').split())}.")
    beside = [flowable for section in report.sections if section.key in _BESIDE for flowable in _shown(section)]
    for section in report.sections:
        shown = _shown(section)
        if section.key == "bullseye":
            *_, picture = shown
            drawn = isinstance(picture, platypus.Image)
            yield from [platypus.ImageAndFlowables(picture, beside, 4 * mm)] if drawn else (*beside, *shown)
        elif section.key == "ecg" and paper is not None:
            yield from (platypus.NextPageTemplate("sheet"), platypus.PageBreak(), paper)
            yield from (platypus.NextPageTemplate("upright"), platypus.PageBreak())
        elif section.key not in _BESIDE:
            yield platypus.KeepTogether(shown)


def _shown(section: Section) -> list[Flowable]:
    shown: list[Flowable] = [_text(section.title, "heading")]
    return shown + [flowable for block in section.blocks for flowable in _flowables(block, section)]


def _patient(patient: Patient | None) -> Iterator[Flowable]:
    """Who the patient is; a name in letters that the print's font lacks is drawn as a picture."""
    if patient is None:
        yield _text("Patient: as in the DICOM header of this document.")
        return
    name = " ".join(patient.name.split())[:_LONGEST]
    joining = bool(_JOINING.search(name))
    known = pdfmetrics.getFont("Plain").face.charToGlyph
    if all(ord(letter) in known for letter in patient.name) and not joining:
        yield _text(patient.line())
        return
    path = _font_for(name) if not joining or features.check("raqm") else None  # raqm joins them as the script asks
    if path is None:
        yield _text(patient.line("name not printed: no font on this computer has its letters; see the DICOM header"))
        return
    font = ImageFont.truetype(str(path), round(_POINTS * _DPI / 72))
    left, top, right, bottom = font.getbbox(name)
    picture = Pillow.new("RGB", (round(right - left) + 8, round(bottom - top) + 8), "white")
    ImageDraw.Draw(picture).text((4 - left, 4 - top), name, "black", font)
    yield _text(patient.line("see below"))
    yield _image(picture, 72 / _DPI, hAlign="LEFT")


def _flowables(block: Block, section: Section) -> Iterator[Flowable]:
    match block:
        case Text():
            yield _text(block.text, block.kind)
        case Items():
            yield from (_text(one, "small" if block.small else "plain", bullet="•") for one in block.sentences)
        case Picture():
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
    """A table whose head stands on every page it runs over, a hairline below each row."""
    size = "large" if table.large else "cell" if len(table.headings) < 9 else "fine"
    if table.caption:
        yield _text(table.caption, "small")

    def cells(texts: Iterable[str], bold: bool) -> list[Paragraph]:
        return [_text(text, size, right=right, bold=bold) for text, right in zip(texts, table.figures, strict=True)]

    def room(heading: Paragraph, texts: Iterable[str]) -> float:
        """What the longest word of a heading and the longest cell ask for; a sentence stands in several lines."""
        longest = max(pdfmetrics.stringWidth(text, "Bold", _SIZES[size]) for text in texts)
        return float(max(heading.minWidth(), min(longest, 45 * mm)) + 2 * mm)

    head = cells(table.headings, bold=True)
    rows = [cells(row, bold=table.large and number == 0) for number, row in enumerate(table.rows)]
    asked = [room(*column) for column in zip(head, zip(*table.rows, strict=True), strict=True)]
    widths = [width + (_WIDTH - sum(asked)) / len(asked) for width in asked]
    every = (0, 0), (-1, -1)
    style = platypus.TableStyle([
        ("VALIGN", *every, "TOP"),
        ("LINEBELOW", *every, 0.4, colors.Color(0.75, 0.75, 0.75)),
        ("LEFTPADDING", *every, 1),
        ("RIGHTPADDING", *every, 3),
        ("TOPPADDING", *every, 1.5),
        ("BOTTOMPADDING", *every, 1.5),
        ("LINEBELOW", (0, 0), (-1, 0), 0.8, colors.black),
    ])  # fmt: skip
    yield platypus.Table([head, *rows], widths, style=style, repeatRows=1, spaceBefore=1.5 * mm, spaceAfter=2 * mm)


def _text(text: str, kind: str = "plain", *, right: bool = False, bold: bool = False, bullet: str = "") -> Paragraph:
    style = ParagraphStyle(
        kind,
        fontName="Bold" if bold or kind in ("title", "heading", "lead", "strong") else "Plain",
        fontSize=_SIZES[kind],
        leading=1.32 * _SIZES[kind],
        alignment=2 if right else 0,
        spaceBefore=4 * mm if kind == "heading" else 0,
        spaceAfter=1.2 * mm if kind not in ("cell", "fine", "large") else 0,
        keepWithNext=kind == "heading",
        leftIndent=4 * mm if bullet else 0,
        bulletFontName="Plain",
        bulletFontSize=_SIZES[kind],
    )
    return Paragraph(escape(text), style, bulletText=bullet or None)


@cache
def _register_fonts() -> None:
    folder = Path(get_data_path()) / "fonts" / "ttf"
    for name, file in (("Plain", "DejaVuSans.ttf"), ("Bold", "DejaVuSans-Bold.ttf")):
        pdfmetrics.registerFont(TTFont(name, str(folder / file)))


def on_white(png: bytes) -> Pillow.Image:
    """A PNG as RGB on white, with its own ``info``; InputError where it is damaged or over 32 million pixels."""
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
