"""The AHA bullseye: one value per segment, and what the ECG says beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from ScarSegECGLib.case import Agreement
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.view.disc import RADIUS, WIDTH, disc_drawing, hatch, segment_wedge, territory_marks
from ScarSegECGLib.view.ecg_rim import RIM, mark, mark_keys, rim_band, rim_keys, rim_lines
from ScarSegECGLib.view.legend import Key, flow, stepped_bar
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
    label_box,
    moved,
    points,
    text_width,
)

_EDGES = (RADIUS * 0.2, RADIUS * 0.465, RADIUS * 0.735, RADIUS)
_NUMBER, _VALUE = 2.9, 3.9
_HALF_MARK = 1.6
_BORDER = Stroke(WHITE, 0.45)
_EDGE = Stroke(RULE, 0.25)


@dataclass(frozen=True)
class Bins:
    """Steps in place of a smooth scale: a value falls in the first bin whose ``upper`` it does not exceed."""

    upper: tuple[float, ...]
    words: tuple[str, ...]

    def colour(self, value: float) -> Colour:
        """Colour of a value's bin."""
        return self.step(min(int(np.searchsorted(self.upper, value)), len(self.upper) - 1))

    def step(self, index: int) -> Colour:
        """Colour of a bin."""
        return colour_of(float(index), 0.0, len(self.upper) - 1.0)


@dataclass(frozen=True)
class SegmentValue:
    """What a bullseye shows of one AHA segment.

    Attributes
    ----------
    value : float or None
        0..100; ``None`` or NaN where nothing is known.
    imaged : bool
        ``False`` hatches the segment and says "not imaged".
    ecg : float or None
        The ECG's estimate, 0..100: a rim along the segment's outer edge, in strokes instead of the colours of the
        scale, for it is no finding.
    agreement : {"agree", "disagree", "ecg cannot tell"} or None
        Marked beside the segment's number.
    sign : str
        A sign or two after the value.
    """

    value: float | None
    imaged: bool = True
    ecg: float | None = None
    agreement: Agreement | None = None
    sign: str = ""


@dataclass(frozen=True)
class BullseyeStyle:
    """How a bullseye is drawn and what is said round it.

    Attributes
    ----------
    title, subtitle : str
        Wrapped; the subtitle says how the values were found.
    axis : str
        Below the colour bar: of what the values are a part.
    agreement_title : str
        What the marks judge; stands before them in the legend.
    sign_words : tuple of (sign, words)
        The legend of the signs; those that do not occur are left out.
    bins : Bins, optional
        Steps in place of the smooth scale from 0 to 100.
    territories : bool
        Outline and name the usual coronary territories.
    selected : int, optional
        Segment to outline.
    """

    title: str = ""
    subtitle: str = ""
    axis: str = "%"
    agreement_title: str = "ECG against image:"
    sign_words: tuple[tuple[str, str], ...] = ()
    bins: Bins | None = None
    territories: bool = False
    selected: int | None = None


def bullseye(segments: Sequence[SegmentValue], style: BullseyeStyle | None = None) -> Drawing:
    """Lay out the AHA bullseye.

    Parameters
    ----------
    segments : sequence of 17 or 16 SegmentValue
        Segment 1 first; 16 leave the apical cap out.
    style : BullseyeStyle, optional

    Returns
    -------
    Drawing
        90 mm wide; :meth:`Drawing.segment_at` says what is clicked.

    Raises
    ------
    InputError
        Another number of segments.
    """
    style = style or BullseyeStyle()
    if len(segments) not in (16, 17):
        raise InputError(f"A bullseye needs 16 or 17 values, one per AHA segment, not {len(segments)}")
    rim = any(_known(one.ecg) is not None for one in segments)

    def paint(x: float, y: float) -> Iterator[Shape]:
        wedges = [segment_wedge(number, x, y, _EDGES) for number in range(1, len(segments) + 1)]
        for wedge, one in zip(wedges, segments, strict=True):
            yield from _segment(wedge, one, rim, style.bins) if one.imaged else _not_imaged(wedge)
        if rim:
            seen = [(wedge, _known(one.ecg)) for wedge, one in zip(wedges, segments, strict=True) if one.imaged]
            yield from rim_lines([wedge for wedge, _ in seen], [percent for _, percent in seen])
        yield Wedge(x, y, 0.0, RADIUS, 0.0, 360.0, stroke=_EDGE)
        if len(segments) == 16:
            yield Wedge(x, y, 0.0, _EDGES[0], 0.0, 360.0, WHITE, stroke=_EDGE)
        if style.territories:
            yield from territory_marks(len(segments), x, y, _EDGES)
        if style.selected is not None and 1 <= style.selected <= len(segments):
            yield replace(wedges[style.selected - 1], stroke=Stroke(SELECTED, 0.9), key=0)

    def steps(y: float) -> tuple[Shape, ...]:
        assert style.bins is not None
        fills = [style.bins.step(i) for i in range(len(style.bins.upper))]
        return stepped_bar((11.0, y, WIDTH - 11.0, y + 3.2), fills, style.bins.words)

    return disc_drawing(
        paint,
        [*(rim_keys() if rim else ()), *flow(_keys(segments, style, rim), WIDTH - 6.0)],
        title=style.title,
        subtitle=style.subtitle,
        axis=style.axis,
        bar=steps if style.bins else None,
    )


def _known(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


@cache
def _place(number: int, text: str, rim: float, marked: bool) -> tuple[float, float, float]:
    """Where a segment's number and value stand from the disc's centre, and the value's largest size that fits (mm)."""
    wedge = segment_wedge(number, 0.0, 0.0, _EDGES)
    room = replace(wedge, inner=wedge.inner and wedge.inner + 0.2, outer=wedge.outer - rim - 0.2)
    middle, turn = ((room.inner + room.outer) / 2 if wedge.inner else 0.0), (wedge.start + wedge.end) / 2
    ways = [np.radians(turn + aside) for aside in sorted(range(-24, 25, 3), key=abs)]
    spots = np.array([
        (middle + shift) * np.array([np.cos(way), np.sin(way)])
        for way in ways for shift in (0.0, -0.4, 0.4, -0.8, 0.8, -1.2, 1.2)
    ])  # fmt: skip
    # A long number is printed small rather than not at all; three figures always fit at 2.8 mm.
    for size in np.arange(_VALUE, 0.5, -0.1):
        lines = _lines(float(size), text, number, marked)
        corners = np.array([(side, level) for left, right, level in lines for side in (left, right)])
        fits = room.contains(corners + spots[:, None]).all(axis=1)
        if fits.any():
            x, y = spots[int(fits.argmax())]
            return float(x), float(y), float(size)
    return float(spots[0][0]), float(spots[0][1]), 1.0


def _lines(size: float, text: str, number: int, marked: bool) -> tuple[tuple[float, float, float], ...]:
    """Left, right and outer edge (mm) of the two lines of text in a wedge, figures being 0.73 em high."""
    half = text_width(text, size, bold=True) / 2
    upper = text_width(str(number), _NUMBER) / 2
    right = upper - _HALF_MARK + 3.2 if marked else upper
    top = 0.48 * size + 0.365 * _NUMBER
    low = -0.48 * _NUMBER - 0.365 * size
    return (-half, half, low), (-half, half, low + 0.73 * size), (-upper - (_HALF_MARK if marked else 0.0), right, top)


def _not_imaged(wedge: Wedge) -> tuple[Shape, ...]:
    x, y, _ = _place(wedge.key, "0", 0.0, False)
    label = Label(wedge.x + x, wedge.y + y, str(wedge.key), _NUMBER, MUTED)
    left, bottom, right, top = label_box(label)
    around = (left - 0.5, bottom - 0.2, right + 0.5, top + 0.2)
    lines = hatch(wedge, 1.6, (around,), Stroke(HATCH, 0.22))
    return replace(wedge, fill=NOT_IMAGED), lines, replace(wedge, stroke=_BORDER, key=0), label


def _segment(wedge: Wedge, one: SegmentValue, rim: bool, bins: Bins | None) -> list[Shape]:
    value = _known(one.value)
    fill = NO_VALUE if value is None else bins.colour(value) if bins else colour_of(value, 0.0, 100.0)
    ink = text_on(fill)
    shapes: list[Shape] = [replace(wedge, fill=fill, stroke=_BORDER)]
    if rim:
        shapes.append(rim_band(wedge, _known(one.ecg), _BORDER))
    text = "–" if value is None else f"{value:.0f}{one.sign}"
    widest = "0" * len(f"{value or 0:.0f}") + (one.sign if value is not None else "")  # so that few places are searched
    x, y, size = _place(wedge.key, widest, RIM if rim else 0.0, one.agreement is not None)
    x, y = wedge.x + x, wedge.y + y
    shapes.append(Label(x, y - 0.48 * _NUMBER, text, size, ink, bold=True))
    number = Label(x, y + 0.48 * size, str(wedge.key), _NUMBER, ink)
    if one.agreement is not None:
        # Number and mark share the upper line, centred together.
        number = replace(number, x=x - _HALF_MARK)
        width = text_width(number.text, _NUMBER)
        shapes += [moved(s, number.x + width / 2 + 1.8, number.y) for s in mark(one.agreement, ink, fill)]
    return [*shapes, number]


def _keys(segments: Sequence[SegmentValue], style: BullseyeStyle, rim: bool) -> list[Key]:
    seen = [one for one in segments if one.imaged]
    keys = mark_keys({one.agreement for one in seen}, style.agreement_title)
    signs = "".join(one.sign for one in seen if _known(one.value) is not None)
    for sign, words in style.sign_words:
        if sign in signs:
            keys.append(Key((Label(0.0, 0.0, sign, 3.4, INK, bold=True),), 2.4, words))
    swatch = (-1.9, -1.3, 1.9, 1.3)
    if len(seen) < len(segments):
        square = box_polygon(swatch, fill=NOT_IMAGED, stroke=_EDGE)
        lines = [Polyline(points([(x - 0.9, -1.2), (x + 0.9, 1.2)]), Stroke(HATCH, 0.22)) for x in (-0.9, 0.1, 1.0)]
        keys.append(Key((square, *lines), 4.0, "not imaged"))
    if any(_known(one.value) is None or (rim and _known(one.ecg) is None) for one in seen):
        keys.append(Key((box_polygon(swatch, fill=NO_VALUE, stroke=_EDGE),), 4.0, "no value"))
    if style.territories:
        keys.append(Key((Polyline(points([(-1.8, 0.0), (1.8, 0.0)]), Stroke(INK, 0.75)),), 4.0, "usual territory"))
    return keys
