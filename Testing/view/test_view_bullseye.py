"""The bullseye: every wedge in its place, every word readable, every click answered."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_boxes import contrast, label_box, labels_of
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from ScarSegECGLib.anatomy.segments import USUAL_TERRITORIES
from ScarSegECGLib.case import SegmentRow
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts_ecg import Agreement
from ScarSegECGLib.measure.transmurality import TRANSMURALITY_BINS, transmurality_bin
from ScarSegECGLib.report.captions import MVO_SIGN, SIGN_WORDS, SMALL_SIGN
from ScarSegECGLib.view.bullseye import EDGES, RADIUS, RIM, RIM_STEPS, SIGNS, WIDTH, SegmentValue, segment_wedge
from ScarSegECGLib.view.bullseye import bullseye as lay_out
from ScarSegECGLib.view.paint import FORMATS, draw, save, to_pixels, to_png
from ScarSegECGLib.view.palette import BLACK, ECG_STROKE, NO_VALUE, NOT_IMAGED, WHITE, colour_of
from ScarSegECGLib.view.pictures import transmurality_bullseye
from ScarSegECGLib.view.shapes import Drawing, Label, Mark
from ScarSegECGLib.wording import RESEARCH_USE

VALUES = [0, 12, 45, 78, 100, 3, 8, 33, 64, 91, 55, 0, 2, 25, 70, 18, 100]
MARKS = [*list(Agreement) * 5, Agreement.AGREE, None]


def bullseye(values, imaged=None, outer_ring=None, agreement=None, signs=None, **style) -> Drawing:
    """The bullseye from one list per quantity."""
    lists = [
        [filler] * len(values) if given is None else list(given)[: len(values)]
        for given, filler in ((imaged, True), (outer_ring, None), (agreement, None), (signs, ""))
    ]
    return lay_out([SegmentValue(*one) for one in zip(values, *lists, strict=True)], **style)


def full(values: list[float | None] = VALUES) -> Drawing:
    return bullseye(
        values,
        title="Scar per segment and what the ECG says of it",
        imaged=[True] * 16 + [False],
        outer_ring=values[::-1],
        agreement=MARKS,
        territories=True,
        selected=9,
    )


def centre(drawing: Drawing) -> tuple[float, float]:
    at = np.concatenate([w.path.vertices for w in wedges(drawing)])
    x, y = (at.min(axis=0) + at.max(axis=0)) / 2
    return float(x), float(y)


def wedges(drawing: Drawing) -> list[Mark]:
    """What a click on means a segment, segment by segment; its rim comes after it."""
    return [s for s in drawing.shapes if isinstance(s, Mark) and s.key]


def contains(mark: Mark, at) -> np.ndarray:
    return mark.path.contains_points(np.reshape(at, (-1, 2)))


def lines_of(mark: Mark) -> list[np.ndarray]:
    """The lines of a path, each from where its pen is set down."""
    return mark.path.to_polygons(closed_only=False)


def dashed(drawing: Drawing) -> list[Mark]:
    return [s for s in drawing.shapes if isinstance(s, Mark) and s.stroke and s.stroke.dashes]


def at(drawing: Drawing, degrees: float, share: float) -> int | None:
    x, y = centre(drawing)
    turn = np.radians(degrees)
    return drawing.segment_at(x + share * RADIUS * np.cos(turn), y + share * RADIUS * np.sin(turn))


def overlaps(drawing: Drawing) -> list[tuple[str, str]]:
    boxes = [(label.text, np.array(label_box(label))) for label in labels_of(drawing)]
    shrink = np.array([0.1, 0.35, -0.1, -0.35])  # ascenders and descenders of two lines may share a hair
    return [
        (one, other)
        for (one, a), (other, b) in itertools.combinations([(t, box + shrink) for t, box in boxes], 2)
        if (a[:2] < b[2:]).all() and (b[:2] < a[2:]).all()
    ]


# Cerqueira 2002: anterior up, septum left; (angle, share of the radius) of every segment's middle.
PLACES = {1: (90, 0.9), 2: (150, 0.9), 3: (210, 0.9), 4: (270, 0.9), 5: (330, 0.9), 6: (30, 0.9),
          7: (90, 0.6), 8: (150, 0.6), 9: (210, 0.6), 10: (270, 0.6), 11: (330, 0.6), 12: (30, 0.6),
          13: (90, 0.35), 14: (180, 0.35), 15: (270, 0.35), 16: (0, 0.35), 17: (0, 0.0)}  # fmt: skip


@pytest.mark.parametrize("number", range(1, 18))
def test_click_finds_every_segment(number: int) -> None:
    assert at(full(), *PLACES[number]) == number


def test_wedges_cover_the_disc_once() -> None:
    drawing = bullseye(VALUES)
    x, y = centre(drawing)
    spots = np.random.default_rng(1).uniform(-RADIUS, RADIUS, (4000, 2))
    spots = spots[np.hypot(*spots.T) < RADIUS - 0.02]  # an arc is drawn in chords
    inside = [contains(w, spots + (x, y)) for w in wedges(drawing)]
    assert (np.sum(inside, axis=0) == 1).all()
    assert len(wedges(drawing)) == 17


def test_outside_and_sixteen_segments() -> None:
    drawing = bullseye(VALUES[:16])
    assert at(drawing, 0, 0.0) is None
    assert at(drawing, 0, 1.05) is None
    assert sorted({w.key for w in wedges(drawing)}) == list(range(1, 17))


@settings(deadline=None, max_examples=25)
@given(st.lists(st.sampled_from([None, 0.0, 7.0, 50.0, 99.6, 100.0]), min_size=17, max_size=17))
def test_labels_stay_in_their_wedge_and_never_meet(values: list[float | None]) -> None:
    drawing = full(values)
    assert overlaps(drawing) == []
    for label in labels_of(drawing):
        left, bottom, right, top = label_box(label)
        assert left >= 0
        assert right <= drawing.width
        assert bottom >= 0
        assert top <= drawing.height
    x, y = centre(drawing)
    inner = [
        label
        for label in labels_of(drawing)
        if np.hypot(label.x - x, label.y - y) < RADIUS and label.text[0] in "0123456789–"
    ]
    assert len(inner) == 17 + 16
    for number in range(1, 18):
        wedge = next(w for w in wedges(drawing) if w.key == number)
        mine = [label for label in inner if contains(wedge, (label.x, label.y)).all()]
        assert len(mine) == (1 if number == 17 else 2)
        for label in mine:
            left, bottom, right, top = label_box(label)
            ink = 0.13 * label.size  # figures are 0.73 em high
            corners = [(cx, cy) for cx in (left, right) for cy in (bottom + ink, top - ink)]
            assert contains(wedge, corners).all(), (number, label.text)


def test_words_say_what_is_not_there() -> None:
    texts = {label.text for label in labels_of(full())}
    assert {
        "not imaged",
        "rim: ECG above normal limit, no finding, %",
        "agree",
        "disagree",
        "ECG cannot tell",
        "usual territory",
    } <= texts
    assert {"anterior", "inferior", "septal", "lateral", "%", "LAD", "RCA", "LCX"} <= texts
    assert "not imaged" not in {label.text for label in labels_of(bullseye(VALUES))}
    assert "no value" in {label.text for label in labels_of(bullseye([None, *VALUES[1:]]))}


def test_segment_not_imaged_is_hatched_and_has_no_value() -> None:
    drawing = bullseye([55.0] * 17, imaged=[number != 8 for number in range(1, 18)])
    wedge = next(w for w in wedges(drawing) if w.key == 8)
    assert wedge.fill == NOT_IMAGED
    assert sum(label.text == "55" for label in labels_of(drawing)) == 16
    (hatch,) = [s for s in drawing.shapes if isinstance(s, Mark) and len(lines_of(s)) > 2]
    assert hatch.clip is not None and np.allclose(hatch.clip.vertices, wedge.path.vertices)


def test_bins_follow_their_upper_limits() -> None:
    values = [0, 1, 25, 26, 50, 51, 75, 76, 100, *[0] * 8]
    drawing = bullseye(values, bins=TRANSMURALITY_BINS)
    steps = [colour_of(i, 0, 4) for i in (0, 1, 1, 2, 2, 3, 3, 4, 4)]
    assert [w.fill for w in wedges(drawing)][:9] == steps
    assert {name for name, _ in TRANSMURALITY_BINS} <= {label.text for label in labels_of(drawing)}


def on_the_disc(drawing: Drawing, mark: Mark) -> bool:
    """Whether it is painted on the disc and not in the legend."""
    return bool((np.hypot(*(mark.path.vertices - centre(drawing)).T) < RADIUS).all())


def test_the_rim_is_white_with_the_more_strokes_the_more_scar_the_ecg_speaks_of() -> None:
    said = [0.0, 20.0, 45.0, 70.0, 100.0, None, *[0.0] * 11]
    drawing = bullseye([50.0] * 17, outer_ring=said)
    rims = dict(zip(range(1, 18), wedges(drawing)[1::2], strict=True))
    assert [rim.key for rim in rims.values()] == list(rims)
    for key, rim in rims.items():
        away = np.hypot(*(rim.path.vertices - centre(drawing)).T)
        assert np.ptp(away) == pytest.approx(RIM), key
    assert {rims[key].fill for key in rims if key != 6} == {WHITE}
    assert rims[6].fill == NO_VALUE
    strokes = [s for s in dashed(drawing) if on_the_disc(drawing, s)]
    assert [key for key in rims if any(contains(rims[key], s.path.vertices[2]) for s in strokes)] == [2, 3, 4, 5]
    assert [sum(s.stroke.dashes) for s in strokes] == pytest.approx([pitch for _, _, pitch in RIM_STEPS[1:]])
    assert {s.stroke.colour for s in strokes} == {ECG_STROKE}


def test_no_estimate_of_the_ecg_looks_like_a_finding_of_the_image() -> None:
    """However sure the ECG is, a heart without scar on the image shows no colour of the scar's scale, nor in grey."""
    drawing = bullseye([0.0] * 17, outer_ring=[100.0] * 17)
    x, y = centre(drawing)
    scale = 900 / WIDTH
    pixels = np.asarray(Image.open(io.BytesIO(to_png(drawing, width_px=900))).convert("RGB")) / 255
    across, up = np.meshgrid((np.arange(900) + 0.5) / scale, drawing.height - (np.arange(len(pixels)) + 0.5) / scale)
    away = np.hypot(across - x, up - y)
    rim = pixels[(away > RADIUS - RIM + 0.2) & (away < RADIUS - 0.3)]
    assert (rim[:, 0] <= rim[:, 2] + 0.03).all(), "redder than blue: the scar's hue"
    assert rim.mean() > 0.6, "as dark as half a segment of scar"


def test_the_rims_legend_is_what_is_painted() -> None:
    drawing = bullseye([0.0] * 17, outer_ring=[0.0, 20.0, 45.0, 70.0, 100.0, *[0.0] * 12])
    _, y = centre(drawing)
    painted = [s.stroke for s in dashed(drawing) if on_the_disc(drawing, s)]
    for number, (words, _, pitch) in enumerate(RIM_STEPS):
        label = next(one for one in labels_of(drawing) if one.text == words and one.y < y - RADIUS)
        near = [
            s.stroke for s in dashed(drawing)
            if abs(s.path.vertices[:, 1].mean() - label.y) < 1 and 0 < label.x - s.path.vertices[:, 0].max() < 3.5
        ]  # fmt: skip
        assert near == ([painted[number - 1]] if pitch else []), words


def test_the_marks_say_what_they_judge_and_do_not_look_alike() -> None:
    texts = {label.text for label in labels_of(bullseye(VALUES, agreement=MARKS, agreement_title="ECG against X:"))}
    assert {"ECG against X:", "agree", "disagree", "ECG cannot tell"} <= texts
    assert "ECG against X:" not in {
        label.text for label in labels_of(bullseye(VALUES, agreement_title="ECG against X:"))
    }
    dark = {}
    for verdict in (Agreement.AGREE, Agreement.DISAGREE):
        sign = Label(2.0, 2.0, SIGNS[verdict], 2.9, BLACK)
        png = to_png(Drawing(4.0, 4.0, (sign,)), width_px=round(4 * 300 / WIDTH))
        dark[verdict] = 1 - np.asarray(Image.open(io.BytesIO(png)).convert("L")) / 255.0
    # At 300 pixels for a bullseye, in grey: the cross is much blacker than the tick.
    assert dark[Agreement.DISAGREE].sum() > 1.6 * dark[Agreement.AGREE].sum()
    assert np.abs(dark[Agreement.DISAGREE] - dark[Agreement.AGREE]).mean() > 0.15


def test_signs_stand_behind_the_value_and_in_the_legend() -> None:
    drawing = bullseye([7.0, None, *[1.0] * 15], signs=[SMALL_SIGN, SMALL_SIGN, *[""] * 15])
    texts = [label.text for label in labels_of(drawing)]
    assert "7*" in texts and "–" in texts and "–*" not in texts
    words = dict(SIGN_WORDS)
    assert words[SMALL_SIGN] in texts and words[MVO_SIGN] not in texts


def row(number: int, mean: float | None, most: float | None, scar_ml: float) -> SegmentRow:
    return SegmentRow(number, "", "", number < 17, 9.0, scar_ml, 100 * scar_ml / 9, None, mean, most, "")


def test_the_transmurality_bullseye_has_the_bins_of_the_table_and_marks_what_rests_on_little() -> None:
    rows = [row(n, 3.2 * n, min(100.0, 6.1 * n), 0.4 if n == 15 else 1.0) for n in range(1, 18)]
    rows[7] = row(8, 25.4, 50.3, 1.0)  # printed as 25 and 50: the bins' own upper limits
    for maximum in (False, True):
        drawing = transmurality_bullseye(rows, "by hand", maximum=maximum)
        texts = {label.text for label in labels_of(drawing)}
        names = [name for name, _ in TRANSMURALITY_BINS]
        for one in rows[:16]:
            value = one.transmurality_max_percent if maximum else one.transmurality_mean_percent
            assert value is not None
            wedge = next(w for w in wedges(drawing) if w.key == one.number)
            assert wedge.fill == colour_of(names.index(transmurality_bin(value)), 0, 4)
        assert {"LAD", "RCA", "LCX", "by hand", *names} <= texts
        assert ("92*" in texts) is maximum
        said = " ".join(label.text for label in labels_of(drawing))
        assert "% of the wall's thickness" in said
        assert ("rests on less than" in said) is maximum
        assert overlaps(drawing) == []
    sixteen = transmurality_bullseye(rows[:16], "")
    assert {w.key for w in wedges(sixteen)} == set(range(1, 17))


@pytest.mark.parametrize("territories", [False, True])
def test_caption_axis_and_legend_are_wrapped_and_never_meet(territories: bool) -> None:
    words = "remote mean + 5 SD, one threshold per slice, contrast psir, enclosed MVO counted in, islands out\n" * 2
    axis = "% of the wall's thickness, mean over the whole segment, wall without scar included"
    signs = ["▪*"] * 17
    drawing = bullseye(
        [100.0] * 17, title="Scar " * 12, subtitle=words, axis=axis, outer_ring=VALUES, agreement=MARKS,
        agreement_title="ECG against the image-only scar:", signs=signs, territories=territories,
    )  # fmt: skip
    assert overlaps(drawing) == []
    for label in labels_of(drawing):
        left, bottom, right, top = label_box(label)
        assert left >= 0 and right <= drawing.width and bottom >= 0 and top <= drawing.height
    assert min(label.size for label in labels_of(drawing) if "100" not in label.text) * 300 / WIDTH >= 9.0


def test_territories_can_be_seen_between_dark_segments() -> None:
    drawing = bullseye([100.0] * 17, territories=True)
    light, dark = [s for s in drawing.shapes if isinstance(s, Mark) and len(lines_of(s)) > 2]
    assert contrast(light.stroke.colour, colour_of(100, 0, 100)) > 4.5
    assert light.stroke.width > dark.stroke.width + 0.5
    assert np.array_equal(light.path.vertices, dark.path.vertices)


def test_wedges_and_territories_hold_each_segment_once() -> None:
    assert sorted(n for numbers in USUAL_TERRITORIES.values() for n in numbers) == list(range(1, 18))
    for outer, width in ((EDGES[3], 60), (EDGES[2], 60), (EDGES[1], 90)):
        ring = [wedge for wedge in map(segment_wedge, range(1, 18)) if wedge.outer == outer]
        assert {wedge.end - wedge.start for wedge in ring} == {width}
        assert sum(wedge.end - wedge.start for wedge in ring) == 360
    with pytest.raises(ValueError, match="1 to 17"):
        segment_wedge(18)


@pytest.mark.parametrize("count", [16, 17])
def test_borders_run_where_neighbours_belong_to_different_territories(count: int) -> None:
    drawing = bullseye([0.0] * count, territories=True)
    border = next(s for s in drawing.shapes if isinstance(s, Mark) and s.stroke and s.stroke.width == 1.5)
    lines = [line - centre(drawing) for line in lines_of(border)]
    drawn = np.concatenate([np.linspace(a, b, 60) for line in lines for a, b in itertools.pairwise(line)])

    def artery(degrees: float, radius: float) -> str | None:
        number = at(drawing, degrees, radius / RADIUS)
        return next((name for name, numbers in USUAL_TERRITORIES.items() if number in numbers), None)

    def is_drawn(degrees: float, radius: float) -> bool:
        turn = np.radians(degrees)
        spot = radius * np.array([np.cos(turn), np.sin(turn)])
        return bool(np.hypot(*(drawn - spot).T).min() < 0.3)

    edges = (0.0, *EDGES)
    for inner, outer in itertools.pairwise(edges):
        for degrees in range(0, 360, 15):
            radius = (inner + outer) / 2
            if inner:
                sides = {artery(degrees - 3, radius), artery(degrees + 3, radius)}
                assert is_drawn(degrees, radius) == (len(sides) == 2), (degrees, radius)
                sides = {artery(degrees + 7, inner - 0.2), artery(degrees + 7, inner + 0.2)}
                assert is_drawn(degrees + 7, inner) == (len(sides) == 2 and None not in sides), (degrees, inner)


@pytest.mark.parametrize("count", [0, 15, 18])
def test_another_number_of_segments_is_named(count: int) -> None:
    with pytest.raises(InputError, match=f"not {count}"):
        bullseye([1.0] * count)


def test_png_has_its_size_and_the_right_colours_in_place() -> None:
    drawing = bullseye([100.0, *[0.0] * 16])
    picture = Image.open(io.BytesIO(to_png(drawing, width_px=300))).convert("RGB")
    assert picture.size == (300, int(300 * drawing.height / WIDTH))
    assert to_pixels(drawing, 300).shape == (*picture.size[::-1], 3)
    x, y = centre(drawing)
    scale = 300 / WIDTH

    def pixel(degrees: float, share: float) -> np.ndarray:
        turn = np.radians(degrees)
        dx, dy = share * RADIUS * np.cos(turn), share * RADIUS * np.sin(turn)
        return np.array(picture.getpixel((round((x + dx) * scale), round((drawing.height - y - dy) * scale)))) / 255

    assert pixel(70, 0.9) == pytest.approx(colour_of(100, 0, 100), abs=0.02)
    assert pixel(290, 0.9) == pytest.approx(colour_of(0, 0, 100), abs=0.02)


def test_same_drawing_gives_the_same_bytes(tmp_path: Path) -> None:
    for kind in FORMATS:
        one, other = (save(full(), tmp_path / f"{name}.{kind}").read_bytes() for name in "ab")
        assert one == other
        assert one.count(b"<text") == 0


def test_in_axes_of_any_size_it_is_the_same_picture() -> None:
    """Drawn into half of a figure, letters and lines are as large beside the disc as in the file."""
    drawing = full()
    figure = Figure(figsize=(8, 4), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.5, 0.0, 0.5, 1.0))
    draw(drawing, axes)
    canvas.draw()
    high = 400
    wide = high * drawing.width / drawing.height
    left = round(400 + (400 - wide) / 2)
    part = Image.fromarray(np.asarray(canvas.buffer_rgba())[:, left : left + round(wide), :3])
    alone = to_pixels(drawing, 4 * round(wide))
    seen, meant = (
        np.asarray(picture.convert("L").resize((120, 160), Image.Resampling.BOX), float)
        for picture in (part, Image.fromarray(alone))
    )
    assert np.corrcoef(seen.ravel(), meant.ravel())[0, 1] > 0.97
    assert abs(seen.mean() - meant.mean()) < 3.0


def test_every_label_is_text_of_a_legible_size() -> None:
    """At 300 pixels across, figures stay at 9 pixels or more."""
    assert min(label.size for label in labels_of(full())) * 300 / WIDTH >= 9.0
    assert all(isinstance(label, Label) and label.text for label in labels_of(full()))


def test_the_rule_stands_below_the_title_and_does_not_break_it() -> None:
    plain = bullseye(VALUES, title="Scar per segment")
    drawing = bullseye(VALUES, title="Scar per segment", subtitle="network, p > 0.5")
    title, rule = (next(label for label in labels_of(drawing) if label.text.startswith(w)) for w in ("Scar", "network"))
    assert title.text == "Scar per segment" and rule.text == "network, p > 0.5"
    assert title.y - rule.y == pytest.approx(5.0) and rule.size < title.size
    assert drawing.height == pytest.approx(plain.height + 5.0)
    assert overlaps(bullseye(VALUES, title="Scar per segment", subtitle="a rule in many words, " * 6)) == []


@pytest.mark.parametrize("drawing", [full(), bullseye(VALUES)])
def test_says_what_it_is_for_in_its_last_line(drawing: Drawing) -> None:
    (line,) = [label for label in labels_of(drawing) if label.text == RESEARCH_USE]
    assert overlaps(drawing) == []
    assert line.y < min(label.y for label in labels_of(drawing) if label is not line)
    left, bottom, right, _ = label_box(line)
    assert left >= 0
    assert right <= drawing.width
    assert bottom >= 0
    assert line.size * 300 / drawing.width >= 9  # px of a letter's em where the picture is 300 px wide
