"""A4 pages that fill from the top: text that wraps, tables and pictures, painted by matplotlib as PDF."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path
from numpy.typing import NDArray

WIDTH, HEIGHT = 210.0, 297.0
MARGIN = 15.0
_MM_PER_POINT = 25.4 / 72.0
_FONT = "DejaVu Sans"
_LEADING = 1.42
_MUTED = "0.35"


class Pages:
    """Pages in the making; lengths are mm, text sizes points."""

    def __init__(self, footer: str) -> None:
        self._footer = footer
        self._figures: list[Figure] = []
        self._notes: dict[int, str] = {}
        self.new_page()

    @property
    def room(self) -> float:
        """Height that is left on the page."""
        return self._y - MARGIN - 6.0

    def new_page(self) -> None:
        """Go on at the top of another page."""
        self._figures.append(Figure(figsize=(WIDTH / 25.4, HEIGHT / 25.4)))
        self._y = HEIGHT - MARGIN

    def space(self, height: float) -> None:
        """Leave a gap."""
        self._y -= height

    def heading(self, text: str, size: float = 12.0, keep: float = 20.0) -> None:
        """A bold line that does not stand alone at the foot of a page."""
        if self.room < keep + size * _MM_PER_POINT:
            self.new_page()
        elif len(self._figures) > 1 or self._y < HEIGHT - MARGIN:
            self.space(3.0)
        self.text(text, size, bold=True)
        self.space(1.0)

    def text(self, text: str, size: float = 9.0, *, bold: bool = False, indent: float = 0.0) -> None:
        """One paragraph, wrapped at the margin."""
        for line in wrapped(text, WIDTH - 2 * MARGIN - indent, size, bold):
            self._line([(MARGIN + indent, line, "left")], size, bold)

    def items(self, sentences: Iterable[str], size: float = 9.0) -> None:
        """A list with bullets."""
        for sentence in sentences:
            for number, line in enumerate(wrapped(sentence, WIDTH - 2 * MARGIN - 4.0, size)):
                cells = [(MARGIN + 4.0, line, "left")]
                self._line(cells if number else [(MARGIN, "•", "left"), *cells], size)

    def table(
        self, rows: Sequence[Sequence[str]], widths: Sequence[float], size: float = 8.0, align: str = "", bold: int = 1
    ) -> None:
        """Rows of cells; ``align`` has l or r per column, the first ``bold`` rows are the head.

        A cell that is too long for its column wraps.
        """
        align = align or "l" * len(widths)
        self.space(1.5)
        scale = (WIDTH - 2 * MARGIN) / sum(widths)
        edges = [MARGIN + scale * sum(widths[:column]) for column in range(len(widths) + 1)]
        for number, row in enumerate(rows):
            cells = [
                wrapped(cell, edges[column + 1] - edges[column] - 2.0, size, number < bold)
                for column, cell in enumerate(row)
            ]
            height = max(map(len, cells)) * size * _MM_PER_POINT * _LEADING
            if self.room < height:
                self.new_page()
            top = self._y
            lowest = top
            for column, lines in enumerate(cells):
                self._y = top
                right = align[column] == "r"
                at = edges[column + 1] - 2.0 if right else edges[column]
                for line in lines:
                    self._line([(at, line, "right" if right else "left")], size, number < bold)
                lowest = min(lowest, self._y)
            self._y = lowest - 0.7
            self._rule("black" if number == bold - 1 else "0.75")
            self._y -= 0.7

    def picture(self, pixels: NDArray, most: float, width: float | None = None) -> float:
        """A picture in the middle, its proportions kept, at most ``most`` high; on a new page if it must.

        Returns its width.
        """
        rows, columns = pixels.shape[:2]
        across = width or WIDTH - 2 * MARGIN
        height = min(across * rows / columns, most)
        if self.room < min(height, 60.0):
            self.new_page()
        height = min(height, self.room)
        across = height * columns / rows
        left = (WIDTH - across) / 2
        box = (left / WIDTH, (self._y - height) / HEIGHT, across / WIDTH, height / HEIGHT)
        axes = self._figures[-1].add_axes(box)
        axes.imshow(pixels, interpolation="none", aspect="auto")  # kept as it is: the printer scales it
        axes.set_axis_off()
        self._y -= height + 2.0
        return across

    def sheet(self, pixels: NDArray, width: float) -> float:
        """A picture of ``width`` mm alone on a page laid on its side, at its true size where it fits.

        The picture brings its own margins, 10 mm at the sides, so it may fill the sheet. What follows begins another
        page.

        Returns the share of its true size.
        """
        rows, columns = pixels.shape[:2]
        height = width * rows / columns
        # Half a millimetre is what rounding to whole pixels may add to a picture of the sheet's own size.
        fits = width <= HEIGHT + 0.5 and height <= WIDTH + 0.5
        share = 1.0 if fits else min(HEIGHT / width, WIDTH / height)
        width, height = share * width, share * height
        figure = Figure(figsize=(HEIGHT / 25.4, WIDTH / 25.4))
        left, bottom = (HEIGHT - width) / 2, (WIDTH - height) / 2
        axes = figure.add_axes((left / HEIGHT, bottom / WIDTH, width / HEIGHT, height / WIDTH))
        axes.imshow(pixels, interpolation="none", aspect="auto")
        axes.set_axis_off()
        self._figures.append(figure)
        self._y = 0.0
        return share

    def note(self, text: str) -> None:
        """Said beside the footer of the sheet just made."""
        self._notes[len(self._figures)] = text

    def pdf(self, title: str) -> bytes:
        """The finished file; nothing in it says when or where it was made."""
        buffer = io.BytesIO()
        metadata = {"Title": title, "Creator": "ScarSegECG", "Producer": "ScarSegECG", "CreationDate": None}
        with (
            matplotlib.rc_context({"pdf.fonttype": 42, "image.composite_image": False}),
            PdfPages(buffer, metadata=metadata) as file,
        ):
            for number, figure in enumerate(self._figures, 1):
                foot = f"{self._footer}   page {number} of {len(self._figures)}"
                put: dict[str, Any] = {"size": 7, "color": _MUTED, "family": _FONT}
                across, up = 25.4 * figure.get_size_inches()
                if across > up:  # a sheet's picture leaves room at its sides alone
                    upward: dict[str, Any] = {"rotation": "vertical", "horizontalalignment": "right"}
                    edge, note = 1 - 6.0 / across, self._notes.get(number, "")
                    figure.text(edge, 11.0 / up, foot, verticalalignment="bottom", **upward, **put)
                    figure.text(edge, 1 - 9.0 / up, note, verticalalignment="top", size=8, family=_FONT, **upward)
                else:
                    figure.text(MARGIN / across, (MARGIN - 4.0) / up, foot, **put)
                file.savefig(figure, dpi=200)
        return buffer.getvalue()

    def _line(self, cells: Iterable[tuple[float, str, str]], size: float, bold: bool = False) -> None:
        height = size * _MM_PER_POINT * _LEADING
        if self.room < height:
            self.new_page()
        self._y -= height
        weight = "bold" if bold else "normal"
        for x, text, side in cells:
            y = (self._y + 0.25 * height) / HEIGHT
            put: dict[str, Any] = {"size": size, "weight": weight, "family": _FONT, "parse_math": False}
            self._figures[-1].text(x / WIDTH, y, text, horizontalalignment=side, **put)

    def _rule(self, colour: str) -> None:
        ends = [MARGIN / WIDTH, 1 - MARGIN / WIDTH], [self._y / HEIGHT] * 2
        self._figures[-1].add_artist(Line2D(*ends, color=colour, linewidth=0.5))


def wrapped(text: str, width: float, size: float, bold: bool = False) -> list[str]:
    """Lines no wider than ``width`` mm; a word that is too long is broken."""
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if _width(longer, size, bold) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        while _width(word, size, bold) > width and len(word) > 1:
            fits = next(n for n in range(len(word) - 1, 0, -1) if n == 1 or _width(word[:n], size, bold) <= width)
            lines.append(word[:fits])
            word = word[fits:]
        line = word
    return [*lines, line]


def _width(text: str, size: float, bold: bool) -> float:
    font = FontProperties(family=_FONT, weight="bold" if bold else "normal", size=size)
    return text_to_path.get_text_width_height_descent(text, font, False)[0] * _MM_PER_POINT
