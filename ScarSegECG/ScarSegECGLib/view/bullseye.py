"""The AHA bullseye: one value per segment, and what the ECG says beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from ScarSegECGLib.case import Agreement
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.view.aha_plot import hatch, orientation_words, segment_wedge, territory_marks
from ScarSegECGLib.view.ecg_rim import RIM, mark, mark_keys, rim_band, rim_keys, rim_lines
from ScarSegECGLib.view.legend import (
    AXIS_LEADING,
    PURPOSE_ROOM,
    Key,
    axis_lines,
    colour_bar,
    flow,
    key_rows,
    purpose_line,
    stepped_bar,
)
from ScarSegECGLib.view.palette import (
    HATCH,
    INK,
    MUTED,
    NO_VALUE,
    NOT_IMAGED,
    RULE,
    SELECTED,
    WHITE,
    Colour,
    colour_of,
    text_on,
)
from ScarSegECGLib.view.shapes import (
    Drawing,
    Label,
    Polyline,
    Shape,
    Stroke,
    Wedge,
    box_polygon,
    key_at,
    label_box,
    moved,
    points,
    text_width,
    wrap,
    wrapped,
)

WIDTH = 90.0
RADIUS = 36.0
_X = WIDTH / 2
_EDGES = (RADIUS * 0.2, RADIUS * 0.465, RADIUS * 0.735, RADIUS)
_NUMBER, _VALUE, _TITLE, _SUBTITLE = 2.9, 3.9, 3.9, 3.2
_HALF_MARK = 1.6
_BORDER = Stroke(WHITE, 0.45)
_EDGE = Stroke(RULE, 0.25)


@dataclass(frozen=True)
class Bins:
    """Steps in place of a smooth scale: a value falls in the first bin whose ``upper`` it does not exceed."""

    upper: tuple[float, ...]
    words: tuple[str, ...]


@dataclass(frozen=True)
class _Scale:
    vmin: float
    vmax: float
    bins: Bins | None

    def colour(self, value: float) -> Colour:
        if self.bins is None:
            return colour_of(value, self.vmin, self.vmax)
        return self.step(min(int(np.searchsorted(self.bins.upper, value)), len(self.bins.upper) - 1))

    def step(self, index: int) -> Colour:
        assert self.bins is not None
        return colour_of(float(index), 0.0, len(self.bins.upper) - 1.0)


def bullseye(
    values: Sequence[float | None],
    *,
    title: str = "",
    subtitle: str = "",
    unit: str = "%",
    axis: str = "",
    vmin: float = 0.0,
    vmax: float = 100.0,
    imaged: Sequence[bool] | None = None,
    outer_ring: Sequence[float | None] | None = None,
    outer_ring_title: str = "rim: ECG estimate, no finding, %",
    agreement: Sequence[Agreement | None] | None = None,
    agreement_title: str = "ECG against image:",
    signs: Sequence[str] | None = None,
    sign_words: Sequence[tuple[str, str]] = (),
    territories: bool = False,
    bins: Bins | None = None,
    selected: int | None = None,
) -> Drawing:
    """Lay out the AHA bullseye.

    Parameters
    ----------
    values : sequence of 17 or 16 numbers or None
        Segment 1 first; ``None`` or NaN where nothing is known. 16 leave the apical cap out.
    title : str
    subtitle : str
        Smaller, below the title: how the values were found; each of its lines is wrapped.
    unit : str
        Printed beside the colour bar; "" for none.
    axis : str
        Below the colour bar: of what the values are a part.
    vmin, vmax : float
        Ends of the colour scale.
    imaged : sequence of bool, optional
        ``False`` hatches a segment and says "not imaged".
    outer_ring : sequence of numbers or None, optional
        The ECG's estimate per segment, 0..100 %, drawn as a rim along the outer edge of the segment's own wedge, so
        that no segment is left out. It has strokes instead of the colours of the scale: it is no finding.
    outer_ring_title : str
        What the rim is.
    agreement : sequence of {"agree", "disagree", "ecg cannot tell"} or None, optional
        Marked beside each segment's number.
    agreement_title : str
        What the marks judge; stands before them in the legend.
    signs : sequence of str, optional
        A sign or two printed after each segment's value; "" for none.
    sign_words : sequence of (sign, words)
        The legend of the signs; those that do not occur are left out.
    territories : bool
        Outline and name the usual coronary territories.
    bins : Bins, optional
        Steps in place of the smooth scale.
    selected : int, optional
        Segment to outline.

    Returns
    -------
    Drawing
        90 mm wide; ``hit_kind`` "segment".

    Raises
    ------
    InputError
        When the sequences do not fit each other or the scale is empty.
    """
    count = len(values)
    _check(count, imaged, outer_ring, agreement, signs, vmin, vmax)
    reached = [True] * count if imaged is None else list(imaged)[:count]
    known = [_number(v) if ok else None for v, ok in zip(values, reached, strict=True)]
    rim = None if outer_ring is None else [_number(v) for v in outer_ring]
    marks: list[Agreement | None] = [None] * count if agreement is None else list(agreement)
    behind = [""] * count if signs is None else [s if v is not None else "" for s, v in zip(signs, known, strict=True)]
    scale = _Scale(vmin, vmax, bins)

    rows = [] if rim is None else list(rim_keys(outer_ring_title))
    rows += flow(
        [
            *mark_keys({m for m, ok in zip(marks, reached, strict=True) if ok}, agreement_title),
            *(
                Key((Label(0.0, 0.0, sign, 3.4, INK, bold=True),), 2.4, f"{words}")
                for sign, words in sign_words
                if any(sign in shown for shown in behind)
            ),
            *_keys(known, reached, rim, territories),
        ],
        WIDTH - 6.0,
    )
    lines = [Label(_X, 0.0, text, _TITLE, INK, bold=True) for text in wrap(title, WIDTH - 6.0, _TITLE, bold=True)]
    lines += [Label(_X, 0.0, text, _SUBTITLE, MUTED) for text in wrapped(subtitle, WIDTH - 6.0, _SUBTITLE)]
    below = axis_lines(axis, WIDTH - 6.0)
    bar_y = 7.6 + PURPOSE_ROOM + 4.8 * len(rows) + AXIS_LEADING * len(below)
    y = bar_y + 10.5 + RADIUS
    height = y + RADIUS + 6.8 + (1.2 + 5.0 * len(lines) if lines else 0.0)

    shapes: list[Shape] = []
    for number in range(1, count + 1):
        wedge = segment_wedge(number, _X, y, _EDGES)
        i = number - 1
        if not reached[i]:
            shapes += _not_imaged(wedge)
        else:
            shapes += _segment(wedge, known[i], None if rim is None else (rim[i],), marks[i], behind[i], scale)
    if rim is not None:
        seen = [i for i in range(count) if reached[i]]
        shapes += rim_lines([segment_wedge(i + 1, _X, y, _EDGES) for i in seen], [rim[i] for i in seen])
    shapes.append(Wedge(_X, y, 0.0, RADIUS, 0.0, 360.0, stroke=_EDGE))
    if count == 16:
        shapes.append(Wedge(_X, y, 0.0, _EDGES[0], 0.0, 360.0, WHITE, stroke=_EDGE))
    if territories:
        shapes += territory_marks(count, _X, y, _EDGES)
    if selected is not None and 1 <= selected <= count:
        shapes.append(replace(segment_wedge(selected, _X, y, _EDGES), stroke=Stroke(SELECTED, 0.9), key=0))
    shapes += orientation_words(_X, y, RADIUS)
    shapes += [replace(line, y=height - 3.8 - 5.0 * i) for i, line in enumerate(lines)]
    if bins is None:
        ticks = [vmin + (vmax - vmin) * k / 4 for k in range(5)]
        shapes += colour_bar((16.0, bar_y, WIDTH - 16.0, bar_y + 3.2), ticks, vmin, vmax, unit)
    else:
        fills = [scale.step(i) for i in range(len(bins.upper))]
        shapes += stepped_bar((11.0, bar_y, WIDTH - 11.0, bar_y + 3.2), fills, bins.words, unit)
    shapes += [replace(line, x=_X, y=bar_y - 7.0 - AXIS_LEADING * i) for i, line in enumerate(below)]
    shapes += key_rows(rows, _X, bar_y - 7.4 - AXIS_LEADING * len(below))
    shapes.append(purpose_line(_X))
    return Drawing(
        WIDTH,
        height,
        tuple(shapes),
        "segment",
        ", ".join(filter(None, (title, *subtitle.split("\n")))) or "AHA bullseye",
    )


def segment_at(x: float, y: float, drawing: Drawing) -> int | None:
    """AHA segment drawn at a point (mm from the lower left), ``None`` outside the disc."""
    return key_at(x, y, drawing) if drawing.hit_kind == "segment" else None


def _check(
    count: int,
    imaged: Sequence[bool] | None,
    rim: Sequence[float | None] | None,
    marks: Sequence[Agreement | None] | None,
    signs: Sequence[str] | None,
    vmin: float,
    vmax: float,
) -> None:
    if count not in (16, 17):
        raise InputError(f"A bullseye needs 16 or 17 values, one per AHA segment, not {count}")
    if imaged is not None and len(imaged) not in (count, 17):
        raise InputError(f"'imaged' has {len(imaged)} entries for {count} segments: give one per segment")
    for name, given in (("outer_ring", rim), ("agreement", marks), ("signs", signs)):
        if given is not None and len(given) != count:
            raise InputError(f"'{name}' has {len(given)} entries for {count} segments: give one per segment")
    if not vmax > vmin:
        raise InputError(f"The colour scale runs from {vmin:g} to {vmax:g}: its upper end must be the greater one")


def _number(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


@cache
def _place(number: int, digits: int, rim: float, marked: bool) -> tuple[float, float, float]:
    """Where a segment's number and value stand from the disc's centre, and the value's largest size that fits (mm)."""
    wedge = segment_wedge(number, 0.0, 0.0, _EDGES)
    room = replace(wedge, inner=wedge.inner and wedge.inner + 0.2, outer=wedge.outer - rim - 0.2)
    middle, turn = ((room.inner + room.outer) / 2 if wedge.inner else 0.0), (wedge.start + wedge.end) / 2
    # A long number is printed small rather than not at all; three figures always fit at 2.8 mm.
    for size in np.arange(_VALUE, 0.5, -0.1):
        lines = _lines(float(size), digits, number, marked)
        corners = np.array([(side, level) for left, right, level in lines for side in (left, right)])
        for aside in sorted(range(-24, 25, 3), key=abs):
            for shift in (0.0, -0.4, 0.4, -0.8, 0.8, -1.2, 1.2):
                way = np.radians(turn + aside)
                at = (middle + shift) * np.array([np.cos(way), np.sin(way)])
                if bool(room.contains(corners + at).all()):
                    return float(at[0]), float(at[1]), float(size)
    return middle * float(np.cos(np.radians(turn))), middle * float(np.sin(np.radians(turn))), 1.0


def _lines(size: float, digits: int, number: int, marked: bool) -> tuple[tuple[float, float, float], ...]:
    """Left, right and outer edge (mm) of the two lines of text in a wedge, figures being 0.73 em high."""
    half = text_width("0" * digits, size, bold=True) / 2
    upper = text_width(str(number), _NUMBER) / 2
    right = upper - _HALF_MARK + 3.2 if marked else upper
    top = _number_y(size) + 0.365 * _NUMBER
    low = _value_y() - 0.365 * size
    return (-half, half, low), (-half, half, low + 0.73 * size), (-upper - (_HALF_MARK if marked else 0.0), right, top)


def _number_y(size: float) -> float:
    return 0.48 * size


def _value_y() -> float:
    return -0.48 * _NUMBER


def _not_imaged(wedge: Wedge) -> list[Shape]:
    x, y, _ = _place(wedge.key, 1, 0.0, False)
    x, y = wedge.x + x, wedge.y + y
    label = Label(x, y, str(wedge.key), _NUMBER, MUTED)
    left, bottom, right, top = label_box(label)
    around = (left - 0.5, bottom - 0.2, right + 0.5, top + 0.2)
    lines = hatch(wedge, 1.6, (around,), Stroke(HATCH, 0.22))
    return [replace(wedge, fill=NOT_IMAGED), lines, replace(wedge, stroke=_BORDER, key=0), label]


def _segment(
    wedge: Wedge,
    value: float | None,
    rim: tuple[float | None] | None,
    verdict: Agreement | None,
    sign: str,
    scale: _Scale,
) -> list[Shape]:
    fill = NO_VALUE if value is None else scale.colour(value)
    ink = text_on(fill)
    shapes: list[Shape] = [replace(wedge, fill=fill, stroke=_BORDER)]
    depth = 0.0
    if rim is not None:
        depth = RIM
        shapes.append(rim_band(wedge, rim[0], _BORDER))
    text = "–" if value is None else f"{value:.0f}{sign}"
    x, y, size = _place(wedge.key, len(text), depth, verdict is not None)
    x, y = wedge.x + x, wedge.y + y
    shapes.append(Label(x, y + _value_y(), text, size, ink, bold=True))
    number = Label(x, y + _number_y(size), str(wedge.key), _NUMBER, ink)
    if verdict is not None:
        # Number and mark share the upper line, centred together.
        number = replace(number, x=x - _HALF_MARK)
        width = text_width(number.text, _NUMBER)
        shapes += [moved(s, number.x + width / 2 + 1.8, number.y) for s in mark(verdict, ink, fill)]
    return [*shapes, number]


def _keys(
    known: Sequence[float | None],
    reached: Sequence[bool],
    rim: Sequence[float | None] | None,
    territories: bool,
) -> list[Key]:
    keys: list[Key] = []
    swatch = (-1.9, -1.3, 1.9, 1.3)
    if not all(reached):
        square = box_polygon(swatch, fill=NOT_IMAGED, stroke=_EDGE)
        lines = [Polyline(points([(x - 0.9, -1.2), (x + 0.9, 1.2)]), Stroke(HATCH, 0.22)) for x in (-0.9, 0.1, 1.0)]
        keys.append(Key((square, *lines), 4.0, "not imaged"))
    unknown = [v is None and ok for v, ok in zip(known, reached, strict=True)]
    if any(unknown) or (rim is not None and None in rim):
        keys.append(Key((box_polygon(swatch, fill=NO_VALUE, stroke=_EDGE),), 4.0, "no value"))
    if territories:
        keys.append(Key((Polyline(points([(-1.8, 0.0), (1.8, 0.0)]), Stroke(INK, 0.75)),), 4.0, "usual territory"))
    return keys
