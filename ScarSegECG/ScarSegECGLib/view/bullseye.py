"""The AHA bullseye: one value per segment, and beside it what the ECG alone says, never in the image's colours.

What the ECG's estimate is above the normal limit (``measure.agreement``) is a narrow white rim with grey-blue strokes,
the denser the more; the verdicts are signs beside the segments' numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from matplotlib.path import Path
from numpy.typing import NDArray

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts_ecg import Agreement
from ScarSegECGLib.report import captions
from ScarSegECGLib.view import disc, palette
from ScarSegECGLib.view.palette import INK, WHITE, Colour, colour_of, text_on
from ScarSegECGLib.view.shapes import Drawing, Label, Mark, Shape, Stroke, around, hatch, rectangle, text_width
from ScarSegECGLib.view.sheet import Key
from ScarSegECGLib.wording import words

RIM = 1.5
"""Depth of the rim, mm."""
RIM_STEPS = (("0", 0.0, 0.0), ("1-25", 25.0, 3.0), ("26-50", 50.0, 1.5), ("51-75", 75.0, 0.9), ("76-100", 100.0, 0.55))
"""Words, upper limit (%) and distance of the strokes (mm; 0 = none) of each step."""
SIGNS = {Agreement.AGREE: "✔", Agreement.DISAGREE: "⨂", Agreement.CANNOT_TELL: "?"}
"""A verdict's sign behind the segment's number, told apart in grey by how black they are."""
_NUMBER, _VALUE = 2.9, 3.9
_BORDER, _HATCH, _HAIR = Stroke(WHITE, 0.45), Stroke(palette.HATCH, 0.22), Stroke(palette.RULE, 0.22)
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
    eye.append(disc.circle(disc.RADIUS))
    if len(segments) == 16:
        eye.append(disc.circle(disc.EDGES[0], fill=WHITE))
    if territories:
        eye += disc.territory_marks(len(segments) == 17)
    if selected is not None and 1 <= selected <= len(segments):
        eye.append(Mark(disc.segment_wedge(selected).path, stroke=Stroke(palette.SELECTED, 0.9)))

    judged = [verdict for verdict in Agreement if verdict in {one.agreement for one in seen}]
    keys = [Key((), -1.0, agreement_title)] if judged and agreement_title else []
    signs = "".join(one.sign for one in seen if one.value is not None)
    shown = [(SIGNS[verdict], words(verdict)) for verdict in judged]
    shown += [(sign, told) for sign, told in captions.SIGN_WORDS if sign in signs]
    keys += [Key((Label(0.0, 0.0, sign, 3.4, INK, bold=True),), 3.0, told) for sign, told in shown]
    if len(seen) < len(segments):
        lines = (Mark(Path([(x - 0.9, -1.2), (x + 0.9, 1.2)]), stroke=_HATCH) for x in (-0.9, 0.1, 1.0))
        keys.append(disc.swatch("not imaged", palette.NOT_IMAGED, *lines))
    if any(one.value is None or (rim and one.ecg is None) for one in seen):
        keys.append(disc.NO_VALUE_KEY)
    if territories:
        keys.append(Key((Mark(Path([(-1.8, 0.0), (1.8, 0.0)]), stroke=Stroke(INK, 0.75)),), 4.0, "usual territory"))
    steps = [(told, _colour(limit, bins)) for told, limit in bins]
    legend = [*(_rim_keys() if rim else ()), keys]
    return disc.disc_sheet(eye, legend, steps, title=title, subtitle=subtitle, caption=axis)


def _colour(value: float | None, bins: Bins) -> Colour:
    if value is None:
        return palette.NO_VALUE
    if not bins:
        return colour_of(value, 0.0, 100.0)
    last = len(bins) - 1
    return colour_of(next((step for step, (_, limit) in enumerate(bins) if value <= limit), last), 0.0, last)


@cache
def _place(number: int, lines: tuple[str, str], rim: float) -> tuple[float, float, float]:
    """Where a segment's two lines stand from the disc's centre, and the lower one's largest size that fits (mm)."""
    wedge = disc.segment_wedge(number)
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
    path = disc.segment_wedge(number).path
    x, y, _ = _place(number, (str(number), "0"), 0.0)
    label = Label(x, y, str(number), _NUMBER, palette.MUTED, halo=palette.NOT_IMAGED)
    return Mark(path, palette.NOT_IMAGED, key=number), hatch(path, 1.6, _HATCH), Mark(path, stroke=_BORDER), label


def _segment(number: int, one: SegmentValue, rim: bool, bins: Bins) -> Iterator[Shape]:
    wedge, fill = disc.segment_wedge(number), _colour(one.value, bins)
    ink = text_on(fill)
    yield Mark(wedge.path, fill, stroke=_BORDER, key=number)
    if rim:
        band, middle = _rim(number)
        yield Mark(band, palette.NO_VALUE if one.ecg is None else WHITE, stroke=_HAIR, key=number)
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
    wedge = disc.segment_wedge(number)
    band = replace(wedge, inner=wedge.outer - RIM)
    return band.path, Path(band.arc(band.outer - RIM / 2))


def _rim_strokes(middle: Path, percent: float) -> Iterator[Mark]:
    """Strokes across the rim, as dense as an estimate of 0..100 % asks."""
    pitch = next((pitch for _, top, pitch in RIM_STEPS if round(percent) <= top), RIM_STEPS[-1][2])
    if pitch:
        dashes = _RIM_STROKE, pitch - _RIM_STROKE
        yield Mark(middle, stroke=Stroke(palette.ECG_STROKE, RIM - 0.3, dashes=dashes))


def _rim_keys() -> tuple[list[Key], list[Key]]:
    """Two lines of the legend: what the rim is, and its steps as they are painted."""

    def band(percent: float) -> tuple[Mark, ...]:
        ground = Mark(rectangle(-2.2, -RIM / 2, 2.2, RIM / 2), WHITE, stroke=_HAIR)
        return ground, *_rim_strokes(Path([(-2.2, 0.0), (2.2, 0.0)]), percent)

    return [Key((), -1.0, captions.RIM)], [Key(band(top), 4.4, told) for told, top, _ in RIM_STEPS]
