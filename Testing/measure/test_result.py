"""A case counted anew after its scar was changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_phantoms import annulus, divided, stack_of

from ScarSegECGLib.case import SCAR, EcgUse, ScarResult, TimeGap
from ScarSegECGLib.facts import AnatomyNote, Contrast, Doubt, Fact, Method, Pattern, ScarRemark, ScarSource, Shown
from ScarSegECGLib.facts_ecg import Conduction, EcgReason
from ScarSegECGLib.lge.slice_shift import SliceShifts, native_result
from ScarSegECGLib.measure.measurements import figures, measured_again
from ScarSegECGLib.measure.rules import FoundScar
from ScarSegECGLib.measure.segments import LITTLE_SCAR_ML, rests_on_little, territory_table
from ScarSegECGLib.wording import described

NO_ECG = EcgUse(0.0, (Fact(EcgReason.NOT_GIVEN),), TimeGap(None))
MANUAL = Method(ScarSource.MANUAL)
TWO = Fact(Doubt.DIFFERENT_PATIENTS)


def _case() -> ScarResult:
    """Ten slices of 256 x 256 or so with a subendocardial infarct of a sixth of the wall, dark in its middle."""
    p = annulus(pixel=0.9, slices=10, inner=22, outer=32, depth=(0.0, 0.7))
    cavity, wall, scar = (np.pad(a, [(0, 0), (82, 82), (82, 82)]) for a in (p.cavity, p.myocardium, p.scar))
    image = 60.0 + 40.0 * wall + 100.0 * cavity + 90.0 * scar
    image += np.random.default_rng(0).normal(0, 8, image.shape)
    row, column = np.mgrid[: image.shape[1], : image.shape[2]] - 0.5 * np.array(image.shape[1:])[:, None, None]
    image[np.broadcast_to(np.hypot(row * 0.9 + 25.5, column * 0.9) < 2, image.shape)] = 100.0
    stack = stack_of(image, p.spacing)
    anatomy = divided(cavity, wall, None, stack.spacing)
    measured = figures(stack, anatomy, FoundScar(scar, MANUAL), scar, scar, NO_ECG)
    chance = scar.astype(np.float32)
    return ScarResult(
        stack, None, NO_ECG, anatomy, scar_probability=chance, scar_probability_image_only=chance, **measured
    )


CASE = _case()


def _again(case, anatomy, scar, *doubts) -> ScarResult:
    found = FoundScar(scar, MANUAL, warnings=doubts)
    return measured_again(case, anatomy, found, CASE.labels == SCAR, Conduction.UNKNOWN)


def _with(scar: np.ndarray) -> ScarResult:
    return _again(CASE, CASE.anatomy, scar)


def _edited(slice_: int, row: int, column: int, radius: int, draw: bool) -> np.ndarray:
    """The case's scar with a disc drawn or erased, whatever lies under it."""
    scar = CASE.labels == SCAR
    r, c = np.ogrid[: scar.shape[1], : scar.shape[2]]
    scar[slice_][np.hypot(r - row, c - column) <= radius] = draw
    return scar


@given(st.integers(0, 9), st.integers(82, 170), st.integers(82, 170), st.integers(1, 12), st.booleans())
@settings(max_examples=20, deadline=None)
def test_every_figure_follows_an_edit_and_none_of_it_lies_outside_the_wall(slice_, row, column, radius, draw):
    scar = _edited(slice_, row, column, radius, draw)
    got, inside = _with(scar), scar & CASE.anatomy.myocardium
    assert np.array_equal(got.labels == SCAR, inside)
    assert got.scar.ml == pytest.approx(inside.sum() * got.stack.voxel_ml)
    assert sum(line.scar_ml for line in got.segments) == pytest.approx(got.scar.ml)
    assert sum(line.myocardium_ml for line in got.segments) == pytest.approx(got.myocardium_ml)
    assert got.scar_image_only == CASE.scar_image_only and got.mvo is not None and got.mvo.ml <= got.scar.ml
    for line in got.segments:
        here = inside & (got.anatomy.aha == line.number)
        assert line.scar_ml == pytest.approx(here.sum() * got.stack.voxel_ml)
        if line.imaged:
            assert 0 <= (line.transmurality_mean_percent or 0.0) <= (line.transmurality_max_percent or 0.0) <= 100
            assert (line.transmurality_max_percent == 0) == (not here.any())


def test_the_deepest_stretch_is_never_less_deep_than_the_mean():
    """One voxel of scar at a segment's border, which no fitted line bounds."""
    rows = _with(_edited(0, 88, 99, 12, True)).segments
    seen = [row for row in rows if row.scar_ml > 0]
    assert min(row.scar_ml for row in seen) < 0.01
    assert all(0 < (row.transmurality_mean_percent or 0) <= (row.transmurality_max_percent or 0) for row in seen)


def test_the_same_scar_gives_the_same_figures_and_the_dark_middle_is_its_mvo():
    again = _with(CASE.labels == SCAR)
    assert again.segments == CASE.segments
    assert (again.scar, again.mvo, again.cavity_ml) == (CASE.scar, CASE.mvo, CASE.cavity_ml)
    assert CASE.mvo is not None and CASE.mvo.ml == pytest.approx(10 * 8 * np.pi * 4 / 1000, rel=0.15)


def test_warnings_follow_the_masks_and_keep_what_is_said_of_the_input():
    told = replace(CASE, input_warnings=(TWO,), warnings=(TWO, *CASE.warnings))
    r, c = np.ogrid[: CASE.labels.shape[1], : CASE.labels.shape[2]]
    outside = np.zeros(CASE.labels.shape, bool)
    outside[3:6] = (np.hypot(r - 126, c - 92) < 4) & (CASE.anatomy.aha[3:6] > 0) & (c < 92)
    scar = CASE.labels == SCAR

    quiet = replace(CASE.anatomy, notes=())

    def warnings(mask: np.ndarray, anatomy=quiet, *doubts: Fact) -> tuple[Fact, ...]:
        return _again(told, anatomy, mask, *doubts).warnings

    assert warnings(scar) == (TWO,)
    (island,) = warnings(scar | outside)[1:]
    assert island.code is Doubt.UNUSUAL_SCAR and island["count"] == 1
    assert (island["pattern"], island["remark"]) == (Pattern.EPICARDIAL, ScarRemark.NON_ISCHAEMIC)
    low = Fact(Doubt.THRESHOLD_LOW, scar_percent=70.0, remote_percent=0.0, low=0, slices=10)
    assert warnings(scar, quiet, low) == (TWO, low)
    unsure = replace(CASE.anatomy, notes=(Fact(AnatomyNote.INSERTIONS_UNCERTAIN, slices=(), confidence=0.05),))
    assert warnings(scar, unsure) == (TWO, *unsure.notes)
    harmless = replace(CASE.anatomy, notes=(Fact(AnatomyNote.NO_APEX),))
    assert warnings(scar, harmless) == (TWO,)
    few = replace(CASE.anatomy, notes=(Fact(AnatomyNote.FEW_SLICES, count=2),))
    assert warnings(scar, few)[1:] == few.notes


@pytest.mark.parametrize("source", [ScarSource.NETWORK, ScarSource.MANUAL])
def test_remote_myocardium_within_the_scar_is_told(source):
    told_apart = replace(CASE.stack, contrast=Contrast.MAGNITUDE)
    wall = CASE.anatomy.myocardium
    found = FoundScar(wall & (CASE.anatomy.aha % 6 != 1), Method(source))  # nearly all of it, the darkest part too
    warned = figures(told_apart, CASE.anatomy, found, wall, wall, NO_ECG)["warnings"]
    (doubt,) = [fact for fact in warned if fact.code is Doubt.REMOTE_IN_SCAR]
    assert doubt["percent"] > 50
    sound = figures(told_apart, CASE.anatomy, FoundScar(CASE.labels == SCAR, Method(source)), wall, wall, NO_ECG)
    assert not [fact for fact in sound["warnings"] if fact.code is Doubt.REMOTE_IN_SCAR]


def test_the_parts_are_measured_with_the_scar_and_per_segment():
    told_apart = replace(CASE, stack=replace(CASE.stack, contrast=Contrast.PSIR))
    scar = _edited(4, 98, 126, 8, False)
    got = _again(told_apart, CASE.anatomy, scar)
    parts = got.parts
    assert parts is not None and parts.mvo == got.mvo and parts.core and parts.grey and parts.rest
    assert np.array_equal(parts.labels > 0, got.labels == SCAR)
    for name, burden in {"mvo": parts.mvo, "core": parts.core, "grey": parts.grey, "rest": parts.rest}.items():
        told = [getattr(row, f"{name}_ml") for row in got.segments]
        assert sum(ml for ml in told if ml is not None) == pytest.approx(burden.ml), name
        assert [ml is None for ml in told] == [not row.imaged for row in got.segments]
    assert [island.number for island in got.patterns] == list(range(1, len(got.patterns) + 1))
    assert sum(island.ml for island in got.patterns) == pytest.approx(got.scar.ml)
    assert got.patterns[0].slices == (0, 9)


def test_territories_are_sums_of_their_segments():
    rows = territory_table(CASE.segments)
    assert [row.name for row in rows] == sorted({row.territory for row in CASE.segments})
    assert sum(row.scar_ml for row in rows) == pytest.approx(CASE.scar.ml)
    assert sum(row.myocardium_ml for row in rows) == pytest.approx(CASE.myocardium_ml)
    for row in rows:
        mine = [line for line in CASE.segments if line.number in row.segments]
        assert mine and {line.territory for line in mine} == {row.name} and all(line.imaged for line in mine)
        assert row.scar_percent == pytest.approx(100 * row.scar_ml / row.myocardium_ml)
        assert row.scar_percent_image_only == pytest.approx(row.scar_percent)  # the same scar
        assert row.scar_grams == pytest.approx(1.05 * row.scar_ml)
    unseen = tuple(replace(line, imaged=False) for line in CASE.segments)
    assert {(row.segments, row.scar_percent, row.scar_ml) for row in territory_table(unseen)} == {((), None, 0)}


def test_a_maximum_that_rests_on_little_scar_is_told():
    row = next(line for line in CASE.segments if line.transmurality_max_percent)
    assert rests_on_little(replace(row, scar_ml=LITTLE_SCAR_ML - 0.01))
    assert not rests_on_little(replace(row, scar_ml=LITTLE_SCAR_ML))
    assert not rests_on_little(replace(row, scar_ml=0.0, transmurality_max_percent=0.0))
    assert not rests_on_little(replace(row, scar_ml=0.0, transmurality_max_percent=None))


@pytest.mark.parametrize(
    ("method", "amplitude", "shown", "whole"),
    [
        (Method(), 0.4, Shown.WITH_ECG, "network, p > 0.5; with ECG (investigational)"),
        (Method(), 0.0, Shown.IMAGE_ONLY, "network, p > 0.5; image only"),
        (Method(image_only=True), 0.4, Shown.IMAGE_ONLY, "network, image only, p > 0.5"),
        (MANUAL, 0.4, Shown.IMAGE_ONLY, "manual contours; image only"),
        (Method(corrected=True), 0.4, Shown.BY_HAND, "network, p > 0.5, corrected by hand"),
    ],
)
def test_which_scar_it_is_is_said_once(method, amplitude, shown, whole):
    case = replace(CASE, method=method, ecg_use=replace(NO_ECG, amplitude=amplitude))
    assert case.shown is shown and described(method, case.shown) == whole
    assert len(repr(case).splitlines()) == 3 and case.table()[0]["number"] == 1


def test_the_parts_go_back_to_where_the_slices_were_acquired():
    pixels = np.zeros((10, 2), int)
    pixels[4] = (3, -5)
    shifts = SliceShifts(pixels * 0.9, np.ones(10), pixels)
    native = native_result(CASE, CASE.stack, shifts)
    assert native.parts is not None
    assert np.array_equal(native.parts.labels > 0, native.labels == SCAR)
    assert not np.array_equal(native.labels, CASE.labels)
