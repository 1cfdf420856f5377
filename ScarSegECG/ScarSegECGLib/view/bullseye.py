"""The AHA bullseye: one value per segment, and what the ECG says beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import Agreement
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.view.disc import (
    EDGES,
    NO_VALUE_KEY,
    RADIUS,
    circle,
    disc_sheet,
    segment_wedge,
    swatch,
    territory_marks,
)
from ScarSegECGLib.view.ecg_rim import RIM, mark, mark_keys, rim_band, rim_keys, rim_lines
from ScarSegECGLib.view.palette import (
    HATCH,
    INK,
    MUTED,
    NO_VALUE,
    NOT_IMAGED,
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
    around,
    hatch,
    moved,
    points,
    text_width,
)
from ScarSegECGLib.view.sheet import Key

_NUMBER, _VALUE = 2.9, 3.9
_HALF_MARK = 1.6
_BORDER, _HATCH = Stroke(WHITE, 0.45), Stroke(HATCH, 0.22)
Bins = tuple[tuple[str, float], ...]


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
    agreement : Agreement or None
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
    bins : tuple of (words, upper limit)
        Steps in place of the smooth scale from 0 to 100, each up to and with its limit.
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
    bins: Bins = ()
    territories: bool = False
    selected: int | None = None


def bullseye(segments: Sequence[SegmentValue], style: BullseyeStyle = BullseyeStyle()) -> Drawing:
    """Lay out the AHA bullseye, 90 mm wide; :meth:`Drawing.segment_at` says what is clicked.

    Parameters
    ----------
    segments : sequence of 17 or 16 SegmentValue
        Segment 1 first; 16 leave the apical cap out.
    style : BullseyeStyle, optional

    Raises
    ------
    InputError
        Another number of segments.
    """
    if len(segments) not in (16, 17):
        raise InputError(f"A bullseye needs 16 or 17 values, one per AHA segment, not {len(segments)}")
    segments = [replace(one, value=_known(one.value), ecg=_known(one.ecg)) for one in segments]
    rim = any(one.ecg is not None for one in segments)

    def paint(x: float, y: float) -> Iterator[Shape]:
        wedges = [segment_wedge(number, x, y) for number in range(1, len(segments) + 1)]
        for wedge, one in zip(wedges, segments, strict=True):
            yield from _segment(wedge, one, rim, style.bins) if one.imaged else _not_imaged(wedge)
        if rim:
            yield from rim_lines([(wedge, one.ecg) for wedge, one in zip(wedges, segments, strict=True) if one.imaged])
        yield circle(x, y, RADIUS)
        if len(segments) == 16:
            yield circle(x, y, EDGES[0], fill=WHITE)
        if style.territories:
            yield from territory_marks(len(segments), x, y)
        if style.selected is not None and 1 <= style.selected <= len(segments):
            yield replace(wedges[style.selected - 1], stroke=Stroke(SELECTED, 0.9), key=0)

    return disc_sheet(
        paint,
        [*(rim_keys() if rim else ()), _keys(segments, style, rim)],
        title=style.title,
        subtitle=style.subtitle,
        axis=style.axis,
        steps=[(words, _colour(limit, style.bins)) for words, limit in style.bins],
    )


def _known(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def _colour(value: float | None, bins: Bins) -> Colour:
    if value is None:
        return NO_VALUE
    if not bins:
        return colour_of(value, 0.0, 100.0)
    last = len(bins) - 1
    return colour_of(min(int(np.searchsorted([limit for _, limit in bins], value)), last), 0.0, last)


@cache
def _place(number: int, text: str, rim: float, marked: bool) -> tuple[float, float, float]:
    """Where a segment's number and value stand from the disc's centre, and the value's largest size that fits (mm)."""
    wedge = segment_wedge(number, 0.0, 0.0)
    room = replace(wedge, inner=wedge.inner and wedge.inner + 0.2, outer=wedge.outer - rim - 0.2)
    radii = ((room.inner + room.outer) / 2 if wedge.inner else 0.0) + np.array([0.0, -0.4, 0.4, -0.8, 0.8, -1.2, 1.2])
    turns = (wedge.start + wedge.end) / 2 + np.array(sorted(range(-24, 25, 3), key=abs))
    spots = around(radii, turns[:, None]).reshape(-1, 2)
    # A long number is printed small rather than not at all; three figures always fit at 2.8 mm.
    for size in np.arange(_VALUE, 0.5, -0.1).tolist():
        fits = room.contains(_corners(size, text, number, marked) + spots[:, None]).all(axis=1)
        if fits.any():
            x, y = spots[int(fits.argmax())].tolist()
            return x, y, size
    return (*spots[0].tolist(), 1.0)


def _corners(size: float, text: str, number: int, marked: bool) -> NDArray[np.float64]:
    """What a wedge has to hold of its two lines of text, mm from their middle, figures being 0.73 em high."""
    value, half = text_width(text, size, bold=True) / 2, text_width(str(number), _NUMBER) / 2
    left, right = (half + _HALF_MARK, half - _HALF_MARK + 3.2) if marked else (half, half)
    low, top = -0.48 * _NUMBER - 0.365 * size, 0.48 * size + 0.365 * _NUMBER
    over = low + 0.73 * size
    return np.array([(-value, low), (value, low), (-value, over), (value, over), (-left, top), (right, top)])


def _not_imaged(wedge: Wedge) -> Iterator[Shape]:
    x, y, _ = _place(wedge.key, "0", 0.0, False)
    yield replace(wedge, fill=NOT_IMAGED)
    yield hatch(wedge, 1.6, _HATCH)
    yield replace(wedge, stroke=_BORDER, key=0)
    yield Label(wedge.x + x, wedge.y + y, str(wedge.key), _NUMBER, MUTED, halo=NOT_IMAGED)


def _segment(wedge: Wedge, one: SegmentValue, rim: bool, bins: Bins) -> Iterator[Shape]:
    fill = _colour(one.value, bins)
    ink = text_on(fill)
    yield replace(wedge, fill=fill, stroke=_BORDER)
    if rim:
        yield rim_band(wedge, one.ecg, _BORDER)
    text, widest = "–", "0"  # figures are equally wide: noughts stand for all, so that few places are searched
    if one.value is not None:
        text = f"{one.value:.0f}{one.sign}"
        widest = "0" * len(f"{one.value:.0f}") + one.sign
    x, y, size = _place(wedge.key, widest, RIM if rim else 0.0, one.agreement is not None)
    x, y = wedge.x + x, wedge.y + y
    yield Label(x, y - 0.48 * _NUMBER, text, size, ink, bold=True)
    number = Label(x, y + 0.48 * size, str(wedge.key), _NUMBER, ink)
    if one.agreement is not None:  # number and mark share the upper line, centred together
        number = replace(number, x=x - _HALF_MARK)
        beside = number.x + text_width(number.text, _NUMBER) / 2 + 1.8
        yield from (moved(shape, beside, number.y) for shape in mark(one.agreement, ink, fill))
    yield number


def _keys(segments: Sequence[SegmentValue], style: BullseyeStyle, rim: bool) -> list[Key]:
    seen = [one for one in segments if one.imaged]
    keys = mark_keys({one.agreement for one in seen}, style.agreement_title)
    signs = "".join(one.sign for one in seen if one.value is not None)
    keys += [
        Key((Label(0.0, 0.0, sign, 3.4, INK, bold=True),), 2.4, words)
        for sign, words in style.sign_words
        if sign in signs
    ]
    if len(seen) < len(segments):
        lines = (Polyline(points([(x - 0.9, -1.2), (x + 0.9, 1.2)]), _HATCH) for x in (-0.9, 0.1, 1.0))
        keys.append(swatch("not imaged", NOT_IMAGED, *lines))
    if any(one.value is None or (rim and one.ecg is None) for one in seen):
        keys.append(NO_VALUE_KEY)
    if style.territories:
        keys.append(Key((Polyline(points([(-1.8, 0.0), (1.8, 0.0)]), Stroke(INK, 0.75)),), 4.0, "usual territory"))
    return keys
