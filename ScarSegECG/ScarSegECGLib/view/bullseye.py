"""The AHA bullseye and the polar map: discs of the LV with the apex in the middle, above a bar of their colours.

What the ECG's estimate is above the normal limit (``measure.agreement``) is a narrow white rim round the bullseye with
grey-blue strokes, the denser the more, never in the image's colours; the verdicts are signs beside the numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import pairwise

import numpy as np
from matplotlib.path import Path
from numpy.typing import ArrayLike, NDArray

from ScarSegECGLib.anatomy.segments import RING_SEGMENTS
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts_ecg import Agreement
from ScarSegECGLib.report import captions
from ScarSegECGLib.view import palette, shapes
from ScarSegECGLib.view.palette import INK, MUTED, NO_VALUE, RAMP, RULE, WHITE, Colour, colour_of, text_on
from ScarSegECGLib.view.shapes import Drawing, Label, Mark, RasterImage, Shape, Stroke, around, rectangle, text_width
from ScarSegECGLib.view.sheet import SMALL, Key, Legend, sheet, wall_names
from ScarSegECGLib.wording import words

WIDTH, RADIUS = 90.0, 36.0
EDGES = (RADIUS * 0.2, RADIUS * 0.465, RADIUS * 0.735, RADIUS)
"""Outer radii of cap, apical, mid and basal ring."""
_EDGE_LINE = Stroke(RULE, 0.25)
# Borders of the usual territories: angle, and between which of EDGES; edge, and between which angles.
_RADIAL = ((60, 1, 3), (180, 1, 3), (300, 1, 3), (45, 0, 1), (225, 0, 1), (315, 0, 1))
_ALONG = ((1, 45, 60), (1, 180, 225), (1, 300, 315), (0, 225, 405))  # round the cap last
_TERRITORY_AT = {"LAD": 132.0, "RCA": 228.0, "LCX": 312.0}
_WORD_SIZE = 3.2
_HOLE, _LEVEL_BORDER = 5.0, Stroke(INK, 0.3)  # of the polar map
_BORDERS_DEG = {"apical": range(45, 360, 90), "mid": range(0, 360, 60), "basal": range(0, 360, 60)}
RIM = 1.5
"""Depth of the rim, mm."""
RIM_STEPS = (("0", 0.0, 0.0), ("1-25", 25.0, 3.0), ("26-50", 50.0, 1.5), ("51-75", 75.0, 0.9), ("76-100", 100.0, 0.55))
"""Words, upper limit (%) and distance of the strokes (mm; 0 = none) of each step."""
SIGNS = {Agreement.AGREE: "✔", Agreement.DISAGREE: "⨂", Agreement.CANNOT_TELL: "?"}
"""A verdict's sign behind the segment's number, told apart in grey by how black they are."""
_NUMBER, _VALUE = 2.9, 3.9
_BORDER, _HATCH, _HAIR = Stroke(WHITE, 0.45), Stroke(palette.HATCH, 0.22), Stroke(RULE, 0.22)
_RIM_STROKE = 0.26
Bins = Sequence[tuple[str, float]]


@dataclass(frozen=True)
class SegmentValue:
    """What a bullseye shows of one AHA segment.

    ``value`` and ``ecg``, the ECG's estimate, are 0..100, ``None`` where nothing is known. A segment that is not
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
    bins: Bins = (),
    territories: bool = False,
    selected: int | None = None,
) -> Drawing:
    """Lay out the AHA bullseye, 90 mm wide; :meth:`Drawing.segment_at` says what is clicked.

    17 segments, or 16 without the apical cap, segment 1 first; InputError for another number. The texts say how the
    values were found, of what they are a part, and what the marks judge; the legend leaves out what does not occur.
    ``bins``, words and upper limits, are steps in place of the smooth scale from 0 to 100. ``territories`` outlines and
    names the usual coronary territories; the segment ``selected`` is outlined too.
    """
    if len(segments) not in (16, 17):
        raise InputError(f"A bullseye needs 16 or 17 values, one per AHA segment, not {len(segments)}")
    seen = [one for one in segments if one.imaged]
    rim = any(one.ecg is not None for one in segments)
    eye: list[Shape] = []
    for number, one in enumerate(segments, start=1):
        eye += _segment(number, one, rim, bins) if one.imaged else _not_imaged(number)
    eye.append(_circle(RADIUS))
    if len(segments) == 16:
        eye.append(_circle(EDGES[0]))
    if territories:
        eye += _territory_marks(len(segments) == 17)
    if selected is not None and 1 <= selected <= len(segments):
        eye.append(Mark(segment_wedge(selected).path, stroke=Stroke(palette.SELECTED, 0.9)))

    judged = [verdict for verdict in Agreement if verdict in {one.agreement for one in seen}]
    keys = [Key((), -1.0, agreement_title)] if judged and agreement_title else []
    signs = "".join(one.sign for one in seen if one.value is not None)
    shown = [(SIGNS[verdict], words(verdict)) for verdict in judged]
    shown += [(sign, told) for sign, told in captions.SIGN_WORDS if sign in signs]
    keys += [Key((Label(0.0, 0.0, sign, 3.4, INK, bold=True),), 3.0, told) for sign, told in shown]
    if len(seen) < len(segments):
        lines = (Mark(Path([(x - 0.9, -1.2), (x + 0.9, 1.2)]), stroke=_HATCH) for x in (-0.9, 0.1, 1.0))
        keys.append(_swatch("not imaged", palette.NOT_IMAGED, *lines))
    if any(one.value is None or (rim and one.ecg is None) for one in seen):
        keys.append(_swatch("no value", NO_VALUE))
    if territories:
        keys.append(Key((Mark(Path([(-1.8, 0.0), (1.8, 0.0)]), stroke=Stroke(INK, 0.75)),), 4.0, "usual territory"))
    legend = [*(_rim_keys() if rim else ()), keys]
    return _disc_sheet(eye, legend, bins, title=title, subtitle=subtitle, caption=axis)


def polar_map(
    percent: ArrayLike, levels: Sequence[str] = (), *, title: str = "", subtitle: str = "", axis: str = "%"
) -> Drawing:
    """Lay out a polar map: slices are rings of equal width, the apex inside, nothing averaged over a segment.

    ``percent``, shape (slice, angle), is 0..100, apex first, NaN where nothing is known. Angle bin ``i`` of ``n``
    begins at ``i * 360 / n`` degrees of the bullseye's frame (0 = lateral, counter-clockwise, anterior up). A slice
    whose level is "apical", "mid" or "basal" gets its AHA borders. InputError for another shape, or none.
    """
    table = np.asarray(percent, dtype=np.float64)
    if table.ndim != 2 or table.size == 0:
        raise InputError(f"A polar map needs an array of [slice, angle], not of shape {table.shape}")
    edges = np.linspace(_HOLE, RADIUS, len(table) + 1).tolist()
    turns = np.linspace(0.0, 360.0, table.shape[1] + 1).tolist()
    disc: list[Shape] = []
    for ring, values in zip(pairwise(edges), table.tolist(), strict=True):
        for span, value in zip(pairwise(turns), values, strict=True):
            colour = colour_of(value, 0.0, 100.0)
            # Its own edge covers the hair that two fills leave between them.
            disc.append(Mark(Wedge(*ring, *span).path, colour, stroke=Stroke(colour, 0.2)))
    disc += [_circle(edge, Stroke(WHITE, 0.12)) for edge in edges[1:-1]]
    disc += [_circle(RADIUS), _circle(_HOLE)]
    for i, level in enumerate(levels):
        if i and level != levels[i - 1]:
            disc.append(_circle(edges[i], _LEVEL_BORDER))
        if level in _BORDERS_DEG:
            ends = [around(radius, _BORDERS_DEG[level]) for radius in edges[i : i + 2]]
            disc.append(Mark(shapes.pieces(np.stack(ends, axis=1)), stroke=_LEVEL_BORDER))
    disc.append(Label(0.0, 0.0, "apex", 2.9))
    legend = [[_swatch("no value", NO_VALUE)]] if np.isnan(table).any() else []
    return _disc_sheet(disc, legend, title=title, subtitle=subtitle, caption=axis)


@dataclass(frozen=True)
class Wedge:
    """Part of a ring between two radii and two angles; ``end - start`` of 360 is the whole ring."""

    inner: float
    outer: float
    start: float
    end: float

    def arc(self, radius: float) -> NDArray[np.float64]:
        """Points along the wedge at one radius, from start to end, 3 degrees or less apart."""
        count = max(2, int(np.ceil((self.end - self.start) / 3.0)) + 1)
        return around(radius, np.linspace(self.start, self.end, count))

    @cached_property
    def path(self) -> Path:
        outer, inner = self.arc(self.outer), self.arc(self.inner)[::-1]
        if self.end - self.start < 360.0:
            return shapes.closed(np.vstack([outer, inner]))
        return shapes.closed(outer, inner) if self.inner else shapes.closed(outer)


@cache
def segment_wedge(number: int) -> Wedge:
    """An AHA segment's place: 0 degrees = lateral (right), counter-clockwise, anterior up (Cerqueira et al. 2002)."""
    for (inner, outer), numbers in zip(pairwise((0.0, *EDGES)), reversed(RING_SEGMENTS), strict=True):
        if number in numbers:
            width = 360.0 / len(numbers)
            start = (90.0 - width / 2 + width * numbers.index(number)) % 360.0
            return Wedge(inner, outer, start, start + width)
    raise ValueError(f"AHA segments run from 1 to 17, not {number}")


def _circle(radius: float, stroke: Stroke = _EDGE_LINE) -> Mark:
    return Mark(Path.circle((0.0, 0.0), radius), stroke=stroke)


def _swatch(words: str, fill: Colour, *marks: Shape) -> Key:
    return Key((Mark(rectangle(-1.9, -1.3, 1.9, 1.3), fill, stroke=_EDGE_LINE), *marks), 4.0, words)


def _disc_sheet(disc: Iterable[Shape], legend: Legend, bins: Bins = (), **said: str) -> Drawing:
    body = (*disc, *wall_names(0.0, 0.0, RADIUS + 3.4, _WORD_SIZE, MUTED), *_bar(bins))
    box = (-WIDTH / 2, -RADIUS - 14.9, WIDTH / 2, RADIUS + 6.8)
    return sheet(body, box, legend=legend, **said)


def _bar(bins: Bins) -> Iterator[Shape]:
    bottom, top, edge = -RADIUS - 10.5, -RADIUS - 7.3, Stroke(RULE, 0.2)
    places = np.linspace(-34.0, 34.0, len(bins) + 1).tolist()
    for (left, right), (told, limit) in zip(pairwise(places), bins, strict=True):
        yield Mark(rectangle(left, bottom, right, top), _colour(limit, bins), stroke=edge)
        yield Label((left + right) / 2, bottom - 0.85 * SMALL, told, SMALL, MUTED)
    if not bins:
        left, right = -29.0, 29.0
        yield RasterImage((left, bottom, right, top), RAMP(np.arange(RAMP.N)[None], bytes=True))
        yield Mark(rectangle(left, bottom, right, top), stroke=edge)
        for at, percent in zip(np.linspace(left, right, 5).tolist(), range(0, 101, 25), strict=True):
            yield Label(at, bottom - 0.85 * SMALL, str(percent), SMALL, MUTED)


@cache
def _territory_marks(with_cap: bool) -> tuple[Shape, ...]:
    along = _ALONG if with_cap else _ALONG[:-1]
    lines = [around([EDGES[inner], EDGES[outer]], angle) for angle, inner, outer in _RADIAL]
    lines += [Wedge(0.0, EDGES[edge], start, end).arc(EDGES[edge]) for edge, start, end in along]
    path = Path.make_compound_path(*map(Path, lines))
    light, dark = Stroke(WHITE, 1.5), Stroke(INK, 0.75)  # the border runs between dark segments too
    names = []
    for artery, angle in _TERRITORY_AT.items():
        across, up = around(1.0, angle).tolist()
        at = (RADIUS + 1.8) * across, (RADIUS + 2.6) * up
        names.append(Label(*at, artery, _WORD_SIZE, INK, "right" if across < 0 else "left", bold=True))
    return Mark(path, stroke=light), Mark(path, stroke=dark), *names


def _colour(value: float | None, bins: Bins) -> Colour:
    if value is None:
        return NO_VALUE
    if not bins:
        return colour_of(value, 0.0, 100.0)
    last = len(bins) - 1
    return colour_of(next((step for step, (_, limit) in enumerate(bins) if value <= limit), last), 0.0, last)


@cache
def _place(number: int, lines: tuple[str, str], rim: float) -> tuple[float, float, float]:
    """Where a segment's two lines stand from the disc's centre, and the lower one's largest size that fits (mm)."""
    wedge = segment_wedge(number)
    room = replace(wedge, inner=wedge.inner and wedge.inner + 0.2, outer=wedge.outer - rim - 0.2)
    radii = ((room.inner + room.outer) / 2 if wedge.inner else 0.0) + np.array([0.0, -0.4, 0.4, -0.8, 0.8, -1.2, 1.2])
    turns = (wedge.start + wedge.end) / 2 + np.array(sorted(range(-24, 25, 3), key=abs))
    spots = around(radii, turns[:, None]).reshape(-1, 2)
    # A long number is printed small rather than not at all; three figures always fit at 2.8 mm.
    for size in np.arange(_VALUE, 0.5, -0.1).tolist():
        corners = (_corners(size, *lines) + spots[:, None]).reshape(-1, 2)
        fits = room.path.contains_points(corners).reshape(len(spots), -1).all(axis=1)
        if fits.any():
            x, y = spots[int(fits.argmax())].tolist()
            return x, y, size
    return (*spots[0].tolist(), 1.0)


def _corners(size: float, upper: str, lower: str) -> NDArray[np.float64]:
    """What a wedge has to hold of its two lines of text, mm from their middle, figures being 0.73 em high."""
    value, half = text_width(lower, size, bold=True) / 2, text_width(upper, _NUMBER) / 2
    low, top = -0.48 * _NUMBER - 0.365 * size, 0.48 * size + 0.365 * _NUMBER
    over = low + 0.73 * size
    return np.array([(-value, low), (value, low), (-value, over), (value, over), (-half, top), (half, top)])


def _not_imaged(number: int) -> tuple[Shape, ...]:
    path = segment_wedge(number).path
    x, y, _ = _place(number, (str(number), "0"), 0.0)
    label = Label(x, y, str(number), _NUMBER, MUTED, halo=palette.NOT_IMAGED)
    lines = shapes.hatch(path, 1.6, _HATCH)
    return Mark(path, palette.NOT_IMAGED, key=number), lines, Mark(path, stroke=_BORDER), label


def _segment(number: int, one: SegmentValue, rim: bool, bins: Bins) -> Iterator[Shape]:
    wedge, fill = segment_wedge(number), _colour(one.value, bins)
    ink = text_on(fill)
    yield Mark(wedge.path, fill, stroke=_BORDER, key=number)
    if rim:
        band, middle = _rim(number)
        yield Mark(band, NO_VALUE if one.ecg is None else WHITE, stroke=_HAIR, key=number)
        yield from _rim_strokes(middle, one.ecg or 0.0)
    upper, lower, widest = str(number), "–", "0"
    if one.agreement is not None:
        upper += f"\u2009{SIGNS[one.agreement]}"
    if one.value is not None:
        lower = f"{one.value:.0f}{one.sign}"
        # Figures are equally wide: noughts stand for all, so that few places are searched.
        widest = "0" * len(f"{one.value:.0f}") + one.sign
    x, y, size = _place(number, (upper, widest), RIM if rim else 0.0)
    yield Label(x, y + 0.48 * size, upper, _NUMBER, ink)
    yield Label(x, y - 0.48 * _NUMBER, lower, size, ink, bold=True)


@cache
def _rim(number: int) -> tuple[Path, Path]:
    """The outline of a segment's rim, and the line along its middle."""
    wedge = segment_wedge(number)
    band = replace(wedge, inner=wedge.outer - RIM)
    return band.path, Path(band.arc(band.outer - RIM / 2))


def _rim_strokes(middle: Path, percent: float) -> Iterator[Mark]:
    """Strokes across the rim, as dense as an estimate of 0..100 % asks."""
    pitch = next((pitch for _, top, pitch in RIM_STEPS if round(percent) <= top), RIM_STEPS[-1][2])
    if pitch:
        dashes = _RIM_STROKE, pitch - _RIM_STROKE
        yield Mark(middle, stroke=Stroke(palette.ECG_STROKE, RIM - 0.3, dashes=dashes))


def _rim_keys() -> tuple[list[Key], list[Key]]:

    def band(percent: float) -> tuple[Mark, ...]:
        ground = Mark(rectangle(-2.2, -RIM / 2, 2.2, RIM / 2), WHITE, stroke=_HAIR)
        return ground, *_rim_strokes(Path([(-2.2, 0.0), (2.2, 0.0)]), percent)

    return [Key((), -1.0, captions.RIM)], [Key(band(top), 4.4, told) for told, top, _ in RIM_STEPS]
