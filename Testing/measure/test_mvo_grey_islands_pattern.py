"""MVO, core and grey zone, islands, patterns."""

from __future__ import annotations

import numpy as np
import pytest
from measure_phantoms import annulus, stack_of

from ScarSegECGLib.case import PART_CORE, PART_GREY, PART_MVO
from ScarSegECGLib.facts import ScarRemark
from ScarSegECGLib.measure.islands import drop_small_islands, island_patterns, scar_islands
from ScarSegECGLib.measure.parts import enclosed_dark, scar_parts
from ScarSegECGLib.wording import words


def _sector(start, stop, low, high, **words):
    return annulus(start_deg=start, stop_deg=stop, depth=(low, high), **words)


def test_a_core_enclosed_by_scar_is_mvo():
    p = _sector(30, 150, 0.0, 1.01)
    core = _sector(70, 110, 0.35, 0.75).scar
    assert (enclosed_dark(p.scar & ~core, p.myocardium, p.cavity, p.spacing) == core).all()


def test_a_core_between_scar_and_endocardium_is_mvo():
    p = _sector(30, 150, 0.0, 1.01)
    core = _sector(70, 110, 0.0, 0.5).scar
    assert (enclosed_dark(p.scar & ~core, p.myocardium, p.cavity, p.spacing) == core).all()


def test_open_or_healthy_wall_is_not_mvo():
    for p in (_sector(30, 150, 0.0, 0.5), _sector(30, 150, 0.4, 0.7), _sector(30, 150, 0.6, 1.01)):
        mvo = enclosed_dark(p.scar, p.myocardium, p.cavity, p.spacing)
        assert mvo.sum() <= 0.06 * p.scar.sum()  # closing may round a concave corner
        assert not (mvo & p.scar).any()
    empty = p.scar & False
    assert not enclosed_dark(empty, p.myocardium, p.cavity, p.spacing).any()


def test_the_endocardial_rim_under_a_mid_wall_ring_is_spared():
    p = _sector(0, 359.99, 0.4, 0.7)
    mvo = enclosed_dark(p.scar, p.myocardium, p.cavity, p.spacing)
    assert mvo.sum() < 0.02 * p.myocardium.sum()


def _grey_image(contrast):
    p = _sector(30, 150, 0.0, 1.01)
    rim = _sector(130, 150, 0.0, 1.01).scar
    image = np.random.default_rng(0).normal(20, 2, p.cavity.shape)
    image[p.scar], image[rim] = 200, 70
    return p, rim, image - (500 if contrast == "psir" else 0)


@pytest.mark.parametrize("contrast", ["magnitude", "psir"])
def test_core_and_grey_zone_are_disjoint_and_where_they_belong(contrast):
    p, rim, image = _grey_image(contrast)
    stack, none = stack_of(image, p.spacing, contrast), p.scar & False
    got = scar_parts(stack, p.cavity, p.myocardium, p.scar, mvo=none)
    assert ((got.labels == PART_CORE) == (p.scar & ~rim)).all()
    assert ((got.labels == PART_GREY) == rim).all()
    assert contrast in words(got.rule) and "2 SD" in words(got.rule)
    drawn = scar_parts(stack, p.cavity, p.myocardium, p.scar, mvo=rim)
    assert (drawn.labels[rim] == PART_MVO).all() and not (drawn.labels == PART_GREY).any()


def test_islands_are_counted_measured_and_flagged():
    touching = _sector(30, 90, 0.0, 0.5)
    outer = _sector(200, 230, 0.6, 1.01).scar
    outer[2:] = False
    scar = touching.scar | outer
    islands = island_patterns(scar, touching.cavity, touching.myocardium, touching.spacing)
    labels = scar_islands(scar)
    assert [i.touches_endocardium for i in islands] == [True, False]
    assert islands[0].ml == pytest.approx(touching.scar.sum() * 8 * 1.4**2 / 1000)
    assert islands[1].slices == (0, 1)
    assert ((labels == 1) == touching.scar).all() and ((labels == 2) == outer).all()
    assert not scar_islands(outer & False).any()


def test_scar_in_the_cap_touches_the_cavity_above_it():
    p = _sector(0, 359.99, 0.0, 1.01)
    cavity, wall, scar = p.cavity.copy(), p.myocardium.copy(), p.scar & False
    wall[0] |= cavity[0]
    cavity[0] = False
    middle = tuple(n // 2 for n in cavity.shape[1:])
    scar[(0, *middle)] = True
    assert island_patterns(scar, cavity, wall, p.spacing)[0].touches_endocardium


def test_the_smallest_island_that_counts():
    scar = np.zeros((3, 20, 20), dtype=bool)
    scar[0, 2:4, 2:4] = True
    scar[2, 10:14, 10:14] = True
    spacing = (10.0, 1.0, 1.0)
    assert drop_small_islands(scar, spacing, minimum_ml=0.04).sum() == 20
    assert drop_small_islands(scar, spacing, minimum_ml=0.041).sum() == 16
    assert not drop_small_islands(scar & False, spacing, minimum_ml=1).any()


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 0.4, "subendocardial"),
        (0.0, 0.65, "subendocardial"),
        (0.0, 1.01, "transmural"),
        (0.33, 0.67, "mid-wall"),
        (0.67, 1.01, "epicardial"),
        (0.5, 1.01, "epicardial"),
    ],
)
def test_patterns(low, high, expected):
    p = _sector(40, 130, low, high)
    (found,) = island_patterns(p.scar, p.cavity, p.myocardium, p.spacing)
    assert found.pattern == expected
    assert bool(found.remark) == (expected in ("mid-wall", "epicardial"))
    assert found.touches_endocardium == (low == 0)


def test_two_islands_get_their_own_patterns():
    p = _sector(40, 130, 0.0, 0.4)
    other = _sector(220, 260, 0.67, 1.01).scar
    found = island_patterns(p.scar | other, p.cavity, p.myocardium, p.spacing)
    assert [f.pattern for f in found] == ["subendocardial", "epicardial"]
    assert island_patterns(p.scar & False, p.cavity, p.myocardium, p.spacing) == ()


def test_scar_fuller_outside_than_inside_is_no_ischaemic_wavefront():
    p = _sector(40, 130, 0.0, 1.01)
    spared = _sector(40, 80, 0.0, 0.3).scar  # half of the inner third
    (found,) = island_patterns(p.scar & ~spared, p.cavity, p.myocardium, p.spacing)
    assert found.pattern == "transmural" and found.coverage[2] > found.coverage[0] + 0.1
    assert found.remark is ScarRemark.FULLER_OUTSIDE
    (whole,) = island_patterns(p.scar, p.cavity, p.myocardium, p.spacing)
    assert whole.remark is None
