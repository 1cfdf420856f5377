"""One rule, wherever it is asked for: MVO counted in, and a warning where the limit lies in healthy myocardium."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from measure_phantoms import annulus

from ScarSegECGLib.anatomy.aha import partition
from ScarSegECGLib.case import LgeStack, Storage
from ScarSegECGLib.measure.contours import measure_contours
from ScarSegECGLib.measure.grey_zone import grey_zone
from ScarSegECGLib.measure.mvo import mvo_within
from ScarSegECGLib.measure.rule import scar_by_rule


def sector(start, stop, low, high):
    return annulus(start_deg=start, stop_deg=stop, depth=(low, high))


@pytest.fixture(scope="module")
def infarct():
    """A bright transmural infarct with a dark core: phantom, core, image (magnitude)."""
    p = sector(30, 150, 0.0, 1.01)
    core = sector(70, 110, 0.35, 0.75).scar
    image = np.random.default_rng(0).normal(20, 2, p.cavity.shape)
    image[p.cavity] = 120
    image[p.scar & ~core] = 200
    return p, core, image.astype(np.float32)


def test_the_rule_counts_enclosed_mvo_in_and_says_so(infarct) -> None:
    p, core, image = infarct
    found = scar_by_rule(image, p.cavity, p.myocardium, p.spacing, "n_sd", n_sd=5)
    assert (found.mvo & core).sum() > 0.95 * core.sum()
    assert found.mask[p.scar].mean() > 0.98
    assert "enclosed MVO counted in" in found.described and "darkest" in found.described
    assert found.warning == ""


def test_measure_and_the_rule_give_one_number(infarct) -> None:
    p, _, image = infarct
    matrix = np.diag([p.spacing[2], p.spacing[1], p.spacing[0], 1.0])
    stack = LgeStack(image, matrix, Storage(), matrix, contrast="magnitude")
    labels = (p.cavity + 2 * p.myocardium).astype(np.uint8)
    anatomy = partition(p.cavity, p.myocardium, None, p.spacing, insertions_deg=(120.0, 240.0))
    measured = measure_contours(stack, labels, anatomy, "n_sd", n_sd=5, smallest_island_ml=0.1)
    found = scar_by_rule(
        stack.voxels, p.cavity, p.myocardium, p.spacing, "n_sd", n_sd=5, smallest_island_ml=0.1, contrast="magnitude"
    )
    assert np.array_equal(found.mask, measured.mask)
    assert (found.method, found.remote) == (measured.method, measured.remote)
    dark = mvo_within(stack.voxels, p.cavity, p.myocardium, p.spacing, found.mask)
    assert measured.mvo_ml == pytest.approx(dark.sum() * stack.voxel_ml) and measured.mvo_ml > 0
    parts = (measured.core_ml, measured.grey_ml, measured.mvo_ml, measured.rest_ml)
    assert sum(parts) == pytest.approx(measured.scar.ml)


def test_a_limit_in_healthy_myocardium_is_warned_of(infarct) -> None:
    p, _, image = infarct
    signed = image + 1000  # a PSIR-like offset, read as magnitude: half of the maximum lies below all of the wall
    found = scar_by_rule(signed, p.cavity, p.myocardium, p.spacing, "fwhm", contrast="magnitude")
    assert found.mask.sum() == p.myocardium.sum()
    assert "100 % of the LV" in found.warning and "remote" in found.warning and "contrast" in found.warning
    right = scar_by_rule(signed, p.cavity, p.myocardium, p.spacing, "fwhm", contrast="psir")
    assert right.warning == ""


def test_mvo_of_a_scar_from_anywhere(infarct) -> None:
    p, core, image = infarct
    found = mvo_within(image, p.cavity, p.myocardium, p.spacing, p.scar)
    assert (found & core).sum() > 0.95 * core.sum() and not (found & ~p.scar).any()
    assert not mvo_within(image, p.cavity, p.myocardium, p.spacing, p.scar & ~core)[core].any()
    assert not mvo_within(image, p.cavity, p.myocardium, p.spacing, p.scar & False).any()
    # What the DICOM objects call MVO: dark scar that core and grey zone enclose.
    zones = grey_zone(image, p.cavity, p.myocardium, p.spacing, scar=p.scar, contrast="magnitude")
    assert not (found & (zones.core | zones.grey)).any()


def test_a_grey_zone_without_room_is_unknown_not_zero(infarct) -> None:
    p, _, image = infarct
    noisy = image.copy()
    noisy[p.myocardium & ~p.scar] = np.random.default_rng(1).normal(100, 30, (p.myocardium & ~p.scar).sum())
    noisy[p.scar] = 170  # half of it lies below remote + 2 SD
    matrix = np.diag([p.spacing[2], p.spacing[1], p.spacing[0], 1.0])
    stack = LgeStack(noisy.astype(np.float32), matrix, Storage(), matrix, contrast="magnitude")
    labels = (p.cavity + 2 * p.myocardium + p.scar).astype(np.uint8)
    anatomy = partition(p.cavity, p.myocardium, None, p.spacing, insertions_deg=(120.0, 240.0))
    zones = grey_zone(stack.voxels, p.cavity, p.myocardium, p.spacing, scar=p.scar)
    assert not zones.told_apart[zones.scarred].any()
    measured = measure_contours(stack, labels, anatomy, "manual")
    assert measured.grey_ml is None and measured.core_ml is not None
    lost = int(zones.scarred.sum())
    assert f"in {lost} of {lost} slices" in measured.grey_remark
    known = measure_contours(replace(stack, voxels=image), labels, anatomy, "manual")
    assert known.grey_ml is not None and known.grey_remark == ""


def ring_with_core(radius: int = 4):
    """A wall with one bright ring in the middle of it, closed, and the dark core that the ring encloses."""
    p = annulus(pixel=1.0, slices=3, inner=15.0, outer=40.0)
    _, rows, columns = p.cavity.shape
    y, x = np.ogrid[:rows, :columns]
    away = np.hypot(y - rows // 2, x - columns // 2 - 27)
    plane = (away <= radius + 1) & (away > radius - 1)
    core = np.zeros(p.cavity.shape, bool)
    core[1] = away <= radius - 1
    image = np.random.default_rng(0).normal(20, 2, p.cavity.shape)
    image[p.cavity] = 120
    image[1][plane] = 200
    return p, core, plane, image.astype(np.float32)


def test_an_island_counts_with_the_mvo_that_it_alone_encloses() -> None:
    p, core, plane, image = ring_with_core()
    voxel_ml = float(np.prod(p.spacing)) / 1000
    ring_ml, whole_ml = plane.sum() * voxel_ml, (plane.sum() + core.sum()) * voxel_ml
    assert ring_ml < 0.5 < whole_ml
    words = {"n_sd": 6, "contrast": "magnitude"}
    found = scar_by_rule(image, p.cavity, p.myocardium, p.spacing, "n_sd", smallest_island_ml=0.5, **words)
    assert found.mask.sum() * voxel_ml == pytest.approx(whole_ml) and np.array_equal(found.mvo, core)
    above = scar_by_rule(image, p.cavity, p.myocardium, p.spacing, "n_sd", smallest_island_ml=whole_ml + 0.01, **words)
    assert not above.mask.any() and not above.mvo.any()


def test_specks_do_not_become_an_island_by_the_gap_between_them() -> None:
    p, _, _, image = ring_with_core()
    image = np.where(p.cavity, 120, 20 + np.random.default_rng(1).normal(0, 2, image.shape)).astype(np.float32)
    _, rows, columns = image.shape
    for column in (24, 26):
        image[1, rows // 2 : rows // 2 + 3, columns // 2 + column] = 200
    found = scar_by_rule(image, p.cavity, p.myocardium, p.spacing, "n_sd", n_sd=6, contrast="magnitude")
    assert found.mvo.sum() > 0 and found.mask.sum() > 6
    least = float(np.prod(p.spacing)) / 1000 * 3.5  # more than one speck, less than the two together
    alone = scar_by_rule(
        *(image, p.cavity, p.myocardium, p.spacing, "n_sd"), n_sd=6, contrast="magnitude", smallest_island_ml=least
    )
    assert not alone.mask.any()


def test_without_scar_its_parts_are_none_of_it(infarct) -> None:
    p, _, image = infarct
    matrix = np.diag([p.spacing[2], p.spacing[1], p.spacing[0], 1.0])
    stack = LgeStack(image, matrix, Storage(), matrix, contrast="magnitude")
    labels = (p.cavity + 2 * p.myocardium).astype(np.uint8)
    anatomy = partition(p.cavity, p.myocardium, None, p.spacing, insertions_deg=(120.0, 240.0))
    measured = measure_contours(stack, labels, anatomy, "manual")
    assert (measured.core_ml, measured.grey_ml, measured.rest_ml, measured.mvo_ml) == (0, 0, 0, 0)
    assert measured.core_rule and measured.grey_remark == ""
    unknown = measure_contours(replace(stack, contrast="unknown"), labels, anatomy, "manual")
    assert (unknown.core_ml, unknown.grey_ml, unknown.rest_ml, unknown.mvo_ml) == (None, None, None, 0)
