"""The AHA bullseye: one value per segment, and beside it what the ECG alone says, never in the image's colours.

What the ECG's estimate is above the normal limit (``measure.agreement``) is a narrow white rim with grey-blue strokes,
the denser the more; the verdicts are signs beside the segments' numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts_ecg import Agreement
from ScarSegECGLib.report import captions
from ScarSegECGLib.view import disc, palette, shapes
from ScarSegECGLib.view.palette import Colour, colour_of, text_on
from ScarSegECGLib.view.shapes import Drawing, Label, Lines, Polygon, Polyline, Shape, Stroke, Wedge, points
from ScarSegECGLib.view.sheet import Key
from ScarSegECGLib.view.text import text_width
from ScarSegECGLib.wording import words

RIM = 1.5
"""Depth of the rim, mm."""
RIM_STEPS = (("0", 0.0, 0.0), ("1-25", 25.0, 3.0), ("26-50", 50.0, 1.5), ("51-75", 75.0, 0.9), ("76-100", 100.0, 0.55))
"""Words, upper limit (%) and distance of the strokes (mm; 0 = none) of each step."""
_NUMBER, _VALUE = 2.9, 3.9
_HALF_MARK, _RIM_SWATCH = 1.6, 4.4
_BORDER, _HATCH = Stroke(palette.WHITE, 0.45), Stroke(palette.HATCH, 0.22)
_STROKE, _HAIR = Stroke(palette.ECG_STROKE, 0.26), Stroke(palette.RULE, 0.22)
Bins = Sequence[tuple[str, float]]


@dataclass(frozen=True)
class SegmentValue:
    """What a bullseye shows of one AHA segment.

    ``value`` and ``ecg``, the ECG's estimate, are 0..100, ``None`` or NaN where nothing is known. A segment that is not
    ``imaged`` is hatched. ``agreement`` is marked beside the segment's number, ``sign`` stands after its value.
    """

    value: float | None
    imaged: bool = True
    ecg: float | None = None
    agreement: Agreement | None = None
    sign: str = ""


def bullseye(
    segments: Sequence[SegmentValue],
    *,
    title: str = "",
    subtitle: str = "",
    axis: str = "%",
    agreement_title: str = "ECG against image:",
    sign_words: Sequence[tuple[str, str]] = (),
    bins: Bins = (),
    territories: bool = False,
    selected: int | None = None,
) -> Drawing:
    """Lay out the AHA bullseye, 90 mm wide; :meth:`Drawing.segment_at` says what is clicked.

    Parameters
    ----------
    segments : sequence of 17 or 16 SegmentValue
        Segment 1 first; 16 leave the apical cap out.
    title, subtitle, axis, agreement_title : str
        Said round it: how the values were found, of what they are a part, what the marks judge.
    sign_words : sequence of (sign, words)
        For the legend, which leaves out what does not occur.
    bins : sequence of (words, upper limit)
        Steps in place of the smooth scale from 0 to 100.
    territories, selected
        Outline and name the usual coronary territories; outline this segment.

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
        wedges = [disc.segment_wedge(number, x, y) for number in range(1, len(segments) + 1)]
        for wedge, one in zip(wedges, segments, strict=True):
            yield from _segment(wedge, one, rim, bins) if one.imaged else _not_imaged(wedge)
        if rim:
            yield from _rim_lines([(wedge, one.ecg) for wedge, one in zip(wedges, segments, strict=True) if one.imaged])
        yield disc.circle(x, y, disc.RADIUS)
        if len(segments) == 16:
            yield disc.circle(x, y, disc.EDGES[0], fill=palette.WHITE)
        if territories:
            yield from disc.territory_marks(len(segments), x, y)
        if selected is not None and 1 <= selected <= len(segments):
            yield replace(wedges[selected - 1], stroke=Stroke(palette.SELECTED, 0.9), key=0)

    seen = [one for one in segments if one.imaged]
    keys = _mark_keys({one.agreement for one in seen}, agreement_title)
    signs = "".join(one.sign for one in seen if one.value is not None)
    keys += [_sign_key(sign, told) for sign, told in sign_words if sign in signs]
    if len(seen) < len(segments):
        lines = (Polyline(points([(x - 0.9, -1.2), (x + 0.9, 1.2)]), _HATCH) for x in (-0.9, 0.1, 1.0))
        keys.append(disc.swatch("not imaged", palette.NOT_IMAGED, *lines))
    if any(one.value is None or (rim and one.ecg is None) for one in seen):
        keys.append(disc.NO_VALUE_KEY)
    if territories:
        border = Polyline(points([(-1.8, 0.0), (1.8, 0.0)]), Stroke(palette.INK, 0.75))
        keys.append(Key((border,), 4.0, "usual territory"))
    steps = [(told, _colour(limit, bins)) for told, limit in bins]
    legend = [*(_rim_keys() if rim else ()), keys]
    return disc.disc_sheet(paint, legend, title=title, subtitle=subtitle, axis=axis, steps=steps)


def _known(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def _colour(value: float | None, bins: Bins) -> Colour:
    if value is None:
        return palette.NO_VALUE
    if not bins:
        return colour_of(value, 0.0, 100.0)
    last = len(bins) - 1
    return colour_of(min(int(np.searchsorted([limit for _, limit in bins], value)), last), 0.0, last)


@cache
def _place(number: int, text: str, rim: float, marked: bool) -> tuple[float, float, float]:
    """Where a segment's number and value stand from the disc's centre, and the value's largest size that fits (mm)."""
    wedge = disc.segment_wedge(number, 0.0, 0.0)
    room = replace(wedge, inner=wedge.inner and wedge.inner + 0.2, outer=wedge.outer - rim - 0.2)
    radii = ((room.inner + room.outer) / 2 if wedge.inner else 0.0) + np.array([0.0, -0.4, 0.4, -0.8, 0.8, -1.2, 1.2])
    turns = (wedge.start + wedge.end) / 2 + np.array(sorted(range(-24, 25, 3), key=abs))
    spots = shapes.around(radii, turns[:, None]).reshape(-1, 2)
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
    yield replace(wedge, fill=palette.NOT_IMAGED)
    yield shapes.hatch(wedge, 1.6, _HATCH)
    yield replace(wedge, stroke=_BORDER, key=0)
    yield Label(wedge.x + x, wedge.y + y, str(wedge.key), _NUMBER, palette.MUTED, halo=palette.NOT_IMAGED)


def _segment(wedge: Wedge, one: SegmentValue, rim: bool, bins: Bins) -> Iterator[Shape]:
    fill = _colour(one.value, bins)
    ink = text_on(fill)
    yield replace(wedge, fill=fill, stroke=_BORDER)
    if rim:
        yield _rim_band(wedge, one.ecg)
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
        yield from (shapes.moved(shape, beside, number.y) for shape in mark(one.agreement, ink, fill))
    yield number


def _sign_key(sign: str, told: str) -> Key:
    return Key((Label(0.0, 0.0, sign, 3.4, palette.INK, bold=True),), 2.4, told)


def rim_pitch(percent: float) -> float:
    """Distance of the rim's strokes for an estimate of 0..100 %, mm; 0 is none."""
    return next((pitch for _, top, pitch in RIM_STEPS if round(percent) <= top), RIM_STEPS[-1][2])


def _rim_band(wedge: Wedge, percent: float | None) -> Wedge:
    """The rim's ground along a segment's outer edge; grey where the ECG says nothing of the segment."""
    return replace(
        wedge, inner=wedge.outer - RIM, fill=palette.NO_VALUE if percent is None else palette.WHITE, stroke=_BORDER
    )


def _rim_lines(rims: Sequence[tuple[Wedge, float | None]]) -> Iterator[Lines]:
    """The hairlines that part the rims from their segments, and the strokes: one shape each, quickly painted."""
    arcs = [wedge.arc(wedge.outer - RIM) for wedge, _ in rims]
    hairs = [np.stack([arc[:-1], arc[1:]], axis=1) for arc in arcs]
    strokes = [_strokes(wedge, rim_pitch(percent)) for wedge, percent in rims if percent is not None]
    for ends, stroke in ((hairs, _HAIR), (strokes, _STROKE)):
        if any(map(len, ends)):
            yield Lines(np.concatenate(ends), stroke)


def _strokes(wedge: Wedge, pitch: float) -> NDArray[np.float64]:
    """Ends of short radial lines, evenly over the wedge."""
    span = wedge.end - wedge.start
    count = max(1, round(np.radians(span) * wedge.outer / pitch)) if pitch else 0
    turns = wedge.start + (np.arange(count) + 0.5) * span / max(count, 1)
    return np.stack(
        [shapes.around(r, turns, wedge.x, wedge.y) for r in (wedge.outer - RIM + 0.15, wedge.outer - 0.25)], axis=1
    )


def _rim_keys() -> tuple[list[Key], list[Key]]:
    """Two lines of the legend: what the rim is, and its steps as they are painted."""
    arc = Wedge(0.0, -6.0, 4.4, 7.4, 72.0, 108.0, palette.NO_VALUE)
    sample: tuple[Shape, ...] = (arc, _rim_band(arc, 60.0), *_rim_lines([(arc, 60.0)]))
    far = 1000.0  # so that a piece of the rim is straight
    half = float(np.degrees(_RIM_SWATCH / 2 / far))
    flat = Wedge(0.0, RIM / 2 - far, far - RIM, far, 90 - half, 90 + half, palette.WHITE, stroke=_HAIR)
    steps = [Key((flat, *_rim_lines([(flat, top)])), _RIM_SWATCH, told) for told, top, _ in RIM_STEPS]
    return [Key(sample, 4.6, captions.RIM)], steps


def mark(verdict: Agreement, ink: Colour, paper: Colour) -> tuple[Shape, ...]:
    """A verdict's sign round (0, 0), 2.4 mm wide: a tick; a cross in a dark disc; a question mark."""
    if verdict == Agreement.AGREE:
        return (Polyline(points([(-1.1, -0.05), (-0.4, -0.85), (1.1, 1.05)]), Stroke(ink, 0.5)),)
    if verdict == Agreement.DISAGREE:
        ground = Polygon((points(shapes.around(1.3, np.arange(0, 360, 15))),), ink)
        strokes = [(-0.6, -0.6), (0.6, 0.6)], [(-0.6, 0.6), (0.6, -0.6)]
        return (ground, *(Polyline(points(line), Stroke(paper, 0.42)) for line in strokes))
    return (Label(0.0, 0.0, "?", 2.9, ink),)


def _mark_keys(verdicts: set[Agreement | None], title: str) -> list[Key]:
    """The legend of the signs that occur, after the words that say what was held against what."""
    keys = [
        Key(mark(verdict, palette.INK, palette.WHITE), 2.6, words(verdict))
        for verdict in Agreement
        if verdict in verdicts
    ]
    return [Key((), -1.0, title), *keys] if keys and title else keys
