"""A report as one HTML file that prints on A4: pictures inside, nothing fetched, all text escaped."""

from __future__ import annotations

import base64
from functools import cache
from html import escape
from importlib import resources
from string import Template

from ScarSegECGLib.report.blocks import Block, Items, Picture, Report, Table, Text

FILE_NAME = "report.html"
_LONG = 40  # letters, from which on a cell is broken into lines
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def as_html(report: Report, viewer: str = "", script: str = "") -> str:
    """The document, without a script but the one whose hash is ``script``; ``viewer`` is shown on a screen alone.

    Both are as :func:`ScarSegECGLib.view.viewer.viewer_block` makes them.
    """
    parts = []
    for section in report.sections:
        if section.key == "segments":
            parts.append(viewer)
        blocks = "\n".join(map(_block, section.blocks))
        parts.append(f'<section class="{section.key}"><h2>{escape(section.title)}</h2>\n{blocks}</section>')
    # Who the patient is where that is to be shown, else lines to fill in by hand.
    who = ("Patient:", "MRI date:") if report.patient is None else (report.patient.line(),)
    return Template(_shipped("page.html")).substitute(
        style=_shipped("page.css"),
        title=escape(report.title),
        purpose=escape(report.purpose),
        blanks="".join(f"<span>{escape(text)}</span>" for text in (*who, "Read by:")),
        script=f"script-src {script}; " if script else "",
        sections="\n".join(parts),
    )


def _block(block: Block) -> str:
    match block:
        case Text():
            return f'<p class="{block.kind}">{escape(block.text)}</p>'
        case Items():
            items = "".join(f"<li>{escape(sentence)}</li>" for sentence in block.sentences)
            return f'<ul class="small">{items}</ul>' if block.small else f"<ul>{items}</ul>"
        case Picture():
            if not block.png.startswith(_PNG_SIGNATURE):
                raise ValueError(f"{block.description}: the picture is not a PNG")
            data = base64.b64encode(block.png).decode("ascii")
            return f'<figure><img alt="{escape(block.description)}" src="data:image/png;base64,{data}"></figure>'
        case Table():
            return _table(block)


def _table(table: Table) -> str:
    def line(tag: str, row: tuple[str, ...]) -> str:
        pairs = zip(row, table.figures, strict=True)
        styles = ((text, f"{'n' * right} {'whole' * (len(text) < _LONG)}") for text, right in pairs)
        cells = (f'<{tag} class="{style}">{escape(text)}</{tag}>' for text, style in styles)
        return f"<tr>{''.join(cells)}</tr>"

    caption = f"<caption>{escape(table.caption)}</caption>" if table.caption else ""
    head = line("th", table.headings)
    body = "".join(line("td", row) for row in table.rows)
    size = "large" if table.large else "fine"
    return f'<table class="{size}">{caption}<thead>{head}</thead><tbody>{body}</tbody></table>'


@cache
def _shipped(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8")
