"""The plain shapes: what they contain, where their boxes lie, and the colours they take."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from label_boxes import contrast, label_box

from ScarSegECGLib.view import palette
from ScarSegECGLib.view.bullseye import Wedge
from ScarSegECGLib.view.paint import to_pixels
from ScarSegECGLib.view.panels import outlines
from ScarSegECGLib.view.shapes import (
    Drawing,
    Label,
    Mark,
    Stroke,
    closed,
    hatch,
    moved,
    text_width,
    wrap,
)


@given(st.floats(0, 350), st.floats(5, 359.9) | st.just(360.0), st.floats(0, 0.999), st.floats(0.01, 0.99))
def test_a_wedge_holds_its_own_points_and_no_others(start: float, span: float, along: float, depth: float) -> None:
    wedge = Wedge(5.0, 9.0, start, start + span).path
    turn = np.radians(start + along * span * 0.998 + 0.001 * span)
    way = np.array([np.cos(turn), np.sin(turn)])
    assert wedge.contains_point((5.0 + 4.0 * depth) * way)
    assert not wedge.contains_point(9.5 * way)
    assert span >= 360 or not wedge.contains_point(4.5 * way)


def test_hatched_is_what_lies_inside_but_for_its_holes() -> None:
    ring = closed([(2, 2), (10, 2), (10, 10), (2, 10)], [(4, 4), (4, 8), (8, 8), (8, 4)])
    lines = Drawing(12, 12, (hatch(ring, 1.0, Stroke(palette.BLACK, 0.3)),))
    dark = (to_pixels(lines, 240)[..., 0] < 128)[::-1].reshape(12, 20, 12, 20).any(axis=(1, 3))
    inside = np.zeros((12, 12), bool)
    inside[2:10, 2:10], inside[4:8, 4:8] = True, False
    assert (dark == inside).all()


def test_topmost_segment_answers() -> None:
    low, high = Mark(Wedge(0, 9, 0, 360).path, key=1), Mark(Wedge(4, 9, 0, 90).path, key=2)
    drawing = Drawing(10, 10, (low, high))
    assert (drawing.segment_at(2, 2), drawing.segment_at(5, 5), drawing.segment_at(12, 2)) == (1, 2, None)


def test_moved_shifts_every_kind() -> None:
    assert moved(Mark(Wedge(1, 2, 0, 90).path), 3, 4).path.contains_point((4.0, 5.0))
    assert label_box(moved(Label(0, 0, "x"), 3, 4))[0] == pytest.approx(label_box(Label(0, 0, "x"))[0] + 3)


def test_a_limit_is_not_broken() -> None:
    for width in (10.0, 20.0, 30.0):
        lines = wrap("intensity rule, p > 0.5; with ECG", width, 3.0)
        assert len(lines) > 1 and any("p > 0.5;" in line for line in lines)


def test_wrapped_lines_fit() -> None:
    lines = wrap("a sentence that is far too long for one line of this width", 30.0, 3.0)
    assert len(lines) > 2
    assert all(text_width(line, 3.0) <= 30.0 for line in lines)
    assert wrap("", 30.0, 3.0) == []


# OKLab (Ottosson 2020): lightness and two colour axes as eyes see them.
TO_LMS = np.array([[0.4122214708, 0.5363325363, 0.0514459929],
                   [0.2119034982, 0.6806995451, 0.1073969566],
                   [0.0883024619, 0.2817188376, 0.6299787005]])  # fmt: skip
TO_LAB = np.array([[0.2104542553, 0.7936177850, -0.0040720468],
                   [1.9779984951, -2.4285922050, 0.4505937099],
                   [0.0259040371, 0.7827717662, -0.8086757660]])  # fmt: skip


def oklab(colours) -> np.ndarray:
    srgb = np.asarray(colours, float)
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return np.cbrt(linear @ TO_LMS.T) @ TO_LAB.T


def test_scar_ramp_starts_light_and_darkens_evenly() -> None:
    lightness = oklab(palette.RAMP(np.arange(256))[:, :3])[:, 0]
    assert lightness[0] > 0.96
    assert lightness[-1] < 0.30
    assert (np.diff(lightness) < 0).all()


@given(st.floats(0, 100))
def test_text_reads_on_every_value(value: float) -> None:
    fill = palette.colour_of(value, 0, 100)
    assert contrast(palette.text_on(fill), fill) >= 4.5


def test_segment_colours_differ_for_colour_blind_eyes() -> None:
    """Lightness or the blue-yellow axis (b), which red-green blindness keeps, tells the three apart."""
    lab = oklab([palette.CAVITY, palette.MYOCARDIUM, palette.SCAR])[:, [0, 2]]
    gaps = [np.linalg.norm(lab[i] - lab[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert min(gaps) > 0.08


def test_outline_keeps_area_place_and_holes() -> None:
    rows, columns = np.mgrid[:60, :60]
    distance = np.hypot(rows - 30.5, columns - 28.0)
    loops = outlines((distance < 20) & (distance >= 10))
    assert len(loops) == 2
    areas = sorted(0.5 * np.sum(a[:, 1] * np.roll(a[:, 0], -1) - np.roll(a[:, 1], -1) * a[:, 0]) for a in loops)
    assert areas[0] * areas[1] < 0
    assert sum(map(abs, areas)) == pytest.approx(np.pi * (400 + 100), rel=0.02)
    assert np.allclose(np.mean(max(loops, key=len), axis=0), (30.5, 28.0), atol=0.2)


def test_one_pixel_of_scar_is_still_outlined() -> None:
    mask = np.zeros((9, 9), bool)
    mask[4, 6] = True
    (loop,) = outlines(mask)
    assert np.ptp(loop, axis=0) == pytest.approx([1.0, 1.0])
    assert loop.mean(axis=0) == pytest.approx([4.0, 6.0])
    assert outlines(np.zeros((9, 9), bool)) == ()
