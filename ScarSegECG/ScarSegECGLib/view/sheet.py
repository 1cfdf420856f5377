"""What stands round every picture: title, caption, legend, and the line that says what it is for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ScarSegECGLib.view.palette import INK, MUTED, Colour
from ScarSegECGLib.view.shapes import Box, Drawing, Label, Shape, moved, rows_that_fit, text_width, wrap
from ScarSegECGLib.wording import RESEARCH_USE

TITLE, SUBTITLE, SMALL = 3.9, 3.2, 3.0
_MARGIN, _GAP = 3.0, 4.0
_WALLS = (("anterior", 0, 1, 0.0), ("inferior", 0, -1, 0.0), ("septal", -1, 0, 90.0), ("lateral", 1, 0, -90.0))
_HEAD, _CAPTION, _LEGEND = 5.0, 4.4, 4.8  # from line to line


@dataclass(frozen=True, eq=False)
class Key:
    """One entry of a legend: a sample drawn round (0, 0), its width (mm) and its words."""

    sample: tuple[Shape, ...]
    width: float
    words: str

    @property
    def room(self) -> float:
        """Width of sample and words, mm."""
        return self.width + 1.0 + text_width(self.words, SMALL)


Legend = Sequence[Sequence[Key]]


def sheet(body: Iterable[Shape], box: Box, *, title: str, subtitle: str, caption: str, legend: Legend = ()) -> Drawing:
    """Set a picture between its title and its caption and legend.

    ``body`` are the picture's shapes, laid out in ``box`` wherever that lies. The subtitle says how the values were
    found, the caption of what they are a part; all are wrapped. Each group of the legend begins a line.
    """
    left, low, right, high = box
    width, middle, room = right - left, (right - left) / 2, right - left - 2 * _MARGIN
    head = [(line, TITLE, INK, True) for line in wrap(title, room, TITLE, bold=True)]
    head += [(line, SUBTITLE, MUTED, False) for line in wrap(subtitle, room, SUBTITLE)]
    below = wrap(caption, room, SMALL)
    rows = [row for group in legend for row in rows_that_fit(group, room, _GAP, lambda key: key.room)]
    bottom = 6.2 + _CAPTION * len(below) + _LEGEND * len(rows)
    height = round(bottom + high - low + (1.2 + _HEAD * len(head) if head else 0.0), 6)
    shapes = [moved(shape, -left, bottom - low) for shape in body]
    for i, (line, em, colour, bold) in enumerate(head):
        shapes.append(Label(middle, height - 3.8 - _HEAD * i, line, em, colour, bold=bold))
    shapes += [Label(middle, bottom - 2.6 - _CAPTION * i, line, SMALL) for i, line in enumerate(below)]
    for i, row in enumerate(rows):
        x = middle - (sum(key.room + _GAP for key in row) - _GAP) / 2
        y = bottom - 3.0 - _CAPTION * len(below) - _LEGEND * i
        for key in row:
            shapes += (moved(shape, x + key.width / 2, y) for shape in key.sample)
            shapes.append(Label(x + key.width + 1.0, y, key.words, SMALL, MUTED, "left"))
            x += key.room + _GAP
    shapes.append(Label(middle, 2.4, RESEARCH_USE, SMALL, MUTED))  # a picture travels without its report
    said = ", ".join(filter(None, (title, *subtitle.split("\n"))))
    return Drawing(width, height, tuple(shapes), said)


def wall_names(
    x: float, y: float, off: float, size: float, colour: Colour, halo: Colour | None = None
) -> Iterator[Label]:
    """The names of the four walls, ``off`` mm from the middle of a short axis."""
    for name, across, up, turn in _WALLS:
        yield Label(x + across * off, y + up * off, name, size, colour, turn=turn, halo=halo)
