from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lv_phantom import lv_phantom
from rv_label import insertions_from_rv

from ScarSegECGLib.anatomy.aha import UNSURE
from ScarSegECGLib.anatomy.insertion import HALF_DEG, insertion_points, join_slices, neighbour_spread_deg
from ScarSegECGLib.anatomy.polar import slice_centres, trace_border, wrap


def geometry(p):
    centres = slice_centres(p.cavity, p.myocardium, p.spacing)
    return trace_border(p.myocardium, centres, p.spacing), centres


@settings(max_examples=12, deadline=None)
@given(st.floats(75, 160), st.floats(95, 130), st.floats(1.2, 1.9))
def test_the_image_shows_the_insertions_wherever_they_are(anterior, arc, pixel):
    p = lv_phantom(anterior_deg=anterior, inferior_deg=anterior + arc, spacing=(10.0, 1.5, pixel))
    border, centres = geometry(p)
    points = insertion_points(p.image, p.cavity, border, centres, p.spacing)
    assert np.abs(wrap(points.raw[1:] - (anterior, anterior + arc))).max() <= 12
    # hearts turn along their axis and are joined so, the phantom does not
    assert np.abs(wrap(points.degrees[1:] - (anterior, anterior + arc))).max() <= 14
    # a septum much narrower than the 112 +- 14 degrees read by hand is believed less
    assert points.confidence[1:].min() > (0.8 if arc >= 110 else 0.3)


def test_an_even_image_gives_the_standard_place_nearly_without_confidence():
    p = lv_phantom()
    border, centres = geometry(p)
    noise = np.random.default_rng(1).normal(size=p.image.shape)
    assert insertion_points(noise, p.cavity, border, centres, p.spacing).confidence.max() < 0.2
    blind = insertion_points(0 * p.image, p.cavity, border, centres, p.spacing)
    assert (blind.degrees == (120, 240)).all() and not blind.confidence.any() and np.isnan(blind.raw).all()


def test_what_the_reader_gives_stays_and_pulls_its_unsure_neighbours():
    p = lv_phantom()
    border, centres = geometry(p)
    one = np.full((9, 2), np.nan)
    one[4] = (150, 260)
    got = insertion_points(p.image, p.cavity, border, centres, p.spacing, one)
    free = insertion_points(p.image, p.cavity, border, centres, p.spacing)
    assert got.degrees[4] == pytest.approx((150, 260)) and got.confidence[4] == 1
    assert got.degrees[8] == pytest.approx(free.degrees[8], abs=2)
    stack = insertion_points(p.image, p.cavity, border, centres, p.spacing, np.array([100.0, 230.0]))
    assert np.allclose(stack.degrees, (100, 230)) and (stack.confidence == 1).all()
    blank = p.image.copy()
    blank[5] = 0.5  # shows nothing: its neighbours place it
    got, free = (insertion_points(blank, p.cavity, border, centres, p.spacing, g) for g in (one, np.nan))
    assert got.degrees[5, 0] > free.degrees[5, 0] + 4 and np.isnan(got.raw[5]).all()
    assert got.confidence[5] < 0.5 < got.confidence[7]


@pytest.mark.parametrize(
    "entries", [{4: (20, 140)}, {4: (300, 60)}, {1: (20, 140), 8: (240, 350)}, {4: (20, np.nan)}, {4: (70, 240)}]
)
def test_an_entry_far_from_what_the_image_shows_does_not_turn_the_others(entries):
    p = lv_phantom(anterior_deg=125.0, inferior_deg=235.0)
    border, centres = geometry(p)
    free = insertion_points(p.image, p.cavity, border, centres, p.spacing)
    rows = np.full((9, 2), np.nan)
    for k, pair in entries.items():
        rows[k] = pair
    got = insertion_points(p.image, p.cavity, border, centres, p.spacing, rows)
    typed = np.isfinite(rows)
    assert (got.degrees[typed] == rows[typed]).all()
    others = ~typed.any(axis=1)
    assert np.abs(wrap(got.degrees - free.degrees))[others].max() < 3
    assert np.abs(got.confidence - free.confidence)[others].max() < 0.1
    assert (got.disputed == (typed & (np.abs(wrap(rows - free.degrees)) > 45))).all() and got.disputed.any()
    assert not free.disputed.any()


def test_an_entry_turns_a_stack_that_shows_nothing():
    p = lv_phantom()
    border, centres = geometry(p)
    rows = np.full((9, 2), np.nan)
    rows[4] = (30, 140)
    noise = np.random.default_rng(1).normal(size=p.image.shape)
    for image in (noise, 0 * noise):
        got = insertion_points(image, p.cavity, border, centres, p.spacing, rows)
        assert not got.disputed.any() and np.abs(wrap(got.degrees - (30, 140))).max() < 45


def test_one_given_insertion_is_used_and_the_other_found():
    p = lv_phantom()
    border, centres = geometry(p)
    half = np.full((9, 2), np.nan)
    half[3, 0], half[6, 1] = 131.0, 252.0
    got = insertion_points(p.image, p.cavity, border, centres, p.spacing, half)
    assert got.degrees[3, 0] == 131 and got.degrees[6, 1] == 252
    assert np.abs(wrap(got.degrees[[3, 6], [1, 0]] - (240, 120))).max() <= 12
    assert (got.confidence[[3, 6]] < 1).all()
    half[3, 0] = 290.0  # far from where the others have theirs
    got = insertion_points(p.image, p.cavity, border, centres, p.spacing, half)
    assert got.degrees[3] == pytest.approx((290, 40)) and got.confidence[3] == 0
    alone = insertion_points(0 * p.image, p.cavity, border, centres, p.spacing, np.array([150.0, np.nan]))
    assert (alone.degrees[:, 0] == 150).all() and np.abs(wrap(alone.degrees[:, 1] - 260)).max() <= 10


def test_one_wild_slice_does_not_carry_the_stack():
    half = HALF_DEG
    evidence = np.tile(-0.5 * ((half - 55.0) / 6.0) ** 2, (8, 2, 1))
    evidence[3] = -0.5 * ((half - np.array([[100.0], [20.0]])) / 6.0) ** 2
    joined, _ = join_slices(evidence, np.arange(8) * 10.0)
    assert np.abs(joined - 55).max() < 15


def test_slices_without_lv_have_no_insertions():
    p = lv_phantom()
    p.cavity[-1], p.myocardium[-1] = False, False
    border, centres = geometry(p)
    got = insertion_points(p.image, p.cavity, border, centres, p.spacing)
    assert np.isnan(got.degrees[-1]).all() and got.confidence[-1] == 0 and np.isfinite(got.degrees[:-1]).all()


@settings(max_examples=15, deadline=None)
@given(st.floats(0, 359), st.floats(80, 150))
def test_an_rv_label_gives_the_ends_of_its_arc(anterior, arc):
    p = lv_phantom(anterior_deg=anterior, inferior_deg=anterior + arc)
    border, centres = geometry(p)
    found = insertions_from_rv(p.myocardium, p.rv, centres, border, p.spacing)
    assert np.abs(wrap(found[1:] - (anterior, anterior + arc))).max() <= 8
    assert np.isnan(insertions_from_rv(p.myocardium, p.rv & False, centres, border, p.spacing)).all()


def test_liver_as_bright_as_blood_lowers_the_confidence():
    p = lv_phantom()
    below = (np.indices(p.image.shape)[1] * p.spacing[1] - 96 > 5) & ~(p.cavity | p.myocardium)
    border, centres = geometry(p)
    image = np.where(below, 1.0, p.image)
    got, free = (insertion_points(i, p.cavity, border, centres, p.spacing).confidence for i in (image, p.image))
    assert got[2:].max() < 0.5 < free[2:].min()


def test_the_step_from_slice_to_slice_is_the_mean_turn():
    degrees = np.array([[10.0, 200.0], [np.nan, np.nan], [350.0, 210.0], [0.0, 190.0]])
    assert neighbour_spread_deg(degrees) == pytest.approx((15.0, 15.0))
    assert np.isnan(neighbour_spread_deg(degrees[:2])).all()


def points_of(folder, nibabel):
    image, seg = (nibabel.load(next(folder.glob(f"*_{kind}.nii.gz"))) for kind in ("img", "seg"))
    labels = np.asarray(seg.dataobj).T
    spacing = tuple(float(z) for z in seg.header.get_zooms()[::-1])
    cavity, myocardium = labels == 1, labels >= 2
    centres = slice_centres(cavity, myocardium, spacing)
    border = trace_border(myocardium, centres, spacing)
    return insertion_points(np.asarray(image.dataobj).T, cavity, border, centres, spacing)


def test_real_slices_agree_with_their_stack(shared_data):
    """Mid slices of the 67 restored patients, against the straight line through the stack's findings.

    No proof, which the hand readings are. Along the heart the insertions turn; the line goes through the middle slice.
    """
    nibabel = pytest.importorskip("nibabel")
    alone, combined, plain, step_alone, step_combined = [], [], [], [], []
    for folder in sorted((shared_data / "emidec" / "cases").glob("Case_*")):
        points = points_of(folder, nibabel)
        septum = points.degrees[:, 0] + (np.diff(points.degrees, axis=1)[:, 0] % 360) / 2
        assert (np.abs(wrap(septum - 180)) < 90).all()  # on the image left in every slice
        n = len(points.degrees)
        mid = slice(n // 3, n - n // 3)
        for degrees, off in ((points.raw, alone), (points.degrees, combined)):
            about = wrap(degrees - degrees[n // 2])
            plain.append(np.abs(about - np.median(about, axis=0))[mid])
            away = np.arange(n) - n // 2
            slope = np.median(about[away != 0] / away[away != 0, None], axis=0)
            about = about - away[:, None] * slope
            off.append(np.abs(about - np.median(about, axis=0))[mid])
        step_alone.append(neighbour_spread_deg(points.raw))
        step_combined.append(neighbour_spread_deg(points.degrees))
    from_median = np.concatenate(plain)  # of both: the turn along the heart counts as an error here
    alone, combined = (np.concatenate(part) for part in (alone, combined))
    assert (from_median <= 20).mean() >= 0.94 and (np.concatenate(plain[1::2]) <= 20).all(axis=1).mean() >= 0.9
    assert len(alone) == 207
    assert (alone <= 20).mean() >= 0.94 and (alone <= 20).all(axis=1).mean() >= 0.9
    assert (combined <= 20).all(axis=1).mean() >= 0.98
    assert np.mean(step_alone) < 11 and np.mean(step_combined) < 5


def test_hand_readings(shared_data):
    """The reporting half: 32 slices of 16 patients, experts' contours, no figure of the finder set on them.

    Absolute error (anterior, inferior): median 6.4 and 7.7, mean 11.6 and 7.9, 90th percentile 28 and 14 degrees;
    within 20 degrees 84 and 97 %, both in 81 %. All six slices with an error above 20 degrees are among the 17 of
    confidence below 0.5.
    """
    nibabel = pytest.importorskip("nibabel")
    with (Path(__file__).parent / "insertions_read_by_hand.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["half"] == "reporting"]
    off, sure, found = [], [], {}
    for row in rows:
        case, k = row["case"], int(row["slice"])
        if case not in found:
            found[case] = points_of(shared_data / "emidec" / "cases" / f"Case_{case}", nibabel)
        read = (float(row["anterior_deg"]), float(row["inferior_deg"]))
        off.append(np.abs(wrap(found[case].degrees[k] - read)))
        sure.append(found[case].confidence[k])
    error, confidence = np.array(off), np.array(sure)
    assert error.shape == (32, 2)
    assert (np.median(error, axis=0) <= (7.0, 8.5)).all() and (error.mean(axis=0) <= (12.0, 8.5)).all()
    assert ((error <= 20).mean(axis=0) >= (0.84, 0.96)).all() and (error <= 20).all(axis=1).mean() >= 0.8
    doubted = confidence < UNSURE
    assert doubted[error.max(axis=1) > 20].all() and doubted.sum() <= 18
