"""One rule, wherever it is asked for: MVO counted in, and a warning where the limit lies in healthy myocardium."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from measure_phantoms import annulus, by_rule, divided, stack_of

from ScarSegECGLib.case import PART_CORE, PART_GREY, PART_MVO
from ScarSegECGLib.facts import Contrast
from ScarSegECGLib.measure.measurements import measure
from ScarSegECGLib.measure.parts import enclosed_dark, scar_parts
from ScarSegECGLib.measure.rules import ThresholdRule, find_scar


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
    found = by_rule(image, p.cavity, p.myocardium, p.spacing, "n_sd", n_sd=5)
    assert (found.mask & core).sum() > 0.95 * core.sum()
    assert found.mask[p.scar].mean() > 0.98
    assert "enclosed MVO counted in" in found.method and "darkest" in found.remote
    assert found.warning == ""


def _anatomy(p):
    return divided(p.cavity, p.myocardium, None, p.spacing, insertions_deg=np.array([120.0, 240.0]))


def _mvo(stack, p, scar):
    return scar_parts(stack, p.cavity, p.myocardium, scar).labels == PART_MVO


def _parts_ml(measured):
    parts = measured.parts
    return tuple(part and part.ml for part in (parts.core, parts.grey, parts.rest, parts.mvo))


def test_measure_and_the_rule_give_one_number(infarct) -> None:
    p, _, image = infarct
    stack = stack_of(image, p.spacing)
    rule = ThresholdRule("n_sd", n_sd=5)
    measured, found = measure(stack, _anatomy(p), rule), find_scar(stack, p.cavity, p.myocardium, rule)
    assert np.array_equal(found.mask, measured.mask)
    assert found.method == measured.method
    assert measure(stack, _anatomy(p), found).scar == measured.scar
    dark = _mvo(stack, p, found.mask)
    assert measured.parts.mvo.ml == pytest.approx(dark.sum() * stack.voxel_ml) and measured.parts.mvo.ml > 0
    assert sum(_parts_ml(measured)) == pytest.approx(measured.scar.ml)


def test_a_limit_in_healthy_myocardium_is_warned_of(infarct) -> None:
    p, _, image = infarct
    signed = image + 1000  # a PSIR-like offset, read as magnitude: half of the maximum lies below all of the wall
    found = by_rule(signed, p.cavity, p.myocardium, p.spacing, "fwhm", contrast="magnitude")
    assert found.mask.sum() == p.myocardium.sum()
    assert "100 % of the LV" in found.warning and "remote" in found.warning and "contrast" in found.warning
    right = by_rule(signed, p.cavity, p.myocardium, p.spacing, "fwhm", contrast="psir")
    assert right.warning == ""


def test_mvo_of_a_scar_from_anywhere(infarct) -> None:
    p, core, image = infarct
    stack = stack_of(image, p.spacing)
    found = _mvo(stack, p, p.scar)
    assert (found & core).sum() > 0.95 * core.sum() and not (found & ~p.scar).any()
    assert not _mvo(stack, p, p.scar & ~core)[core].any()
    assert not _mvo(stack, p, p.scar & False).any()
    # What the DICOM objects call MVO: dark scar that core and grey zone enclose.
    parts = scar_parts(stack, p.cavity, p.myocardium, p.scar).labels
    bright = np.isin(parts, (PART_CORE, PART_GREY))
    assert np.array_equal(found, enclosed_dark(bright, p.myocardium, p.cavity, p.spacing) & p.scar)


def test_a_grey_zone_without_room_is_unknown_not_zero(infarct) -> None:
    p, _, image = infarct
    noisy = image.copy()
    noisy[p.myocardium & ~p.scar] = np.random.default_rng(1).normal(100, 30, (p.myocardium & ~p.scar).sum())
    noisy[p.scar] = 170  # half of it lies below remote + 2 SD
    stack, manual = stack_of(noisy, p.spacing), p.scar & False
    measured = measure(stack, _anatomy(p), p.scar, manual)
    assert measured.parts.grey is None and measured.parts.core is not None
    lost = int(p.scar.any(axis=(1, 2)).sum())
    assert measured.parts.remark is not None and (measured.parts.remark["lost"], measured.parts.remark["among"]) == (
        lost,
        lost,
    )
    known = measure(replace(stack, voxels=image), _anatomy(p), p.scar, manual)
    assert known.parts.grey is not None and known.parts.remark is None


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
    found = by_rule(image, p.cavity, p.myocardium, p.spacing, "n_sd", smallest_island_ml=0.5, **words)
    assert found.mask.sum() * voxel_ml == pytest.approx(whole_ml) and found.mask[core].all()
    above = by_rule(image, p.cavity, p.myocardium, p.spacing, "n_sd", smallest_island_ml=whole_ml + 0.01, **words)
    assert not above.mask.any()


def test_specks_do_not_become_an_island_by_the_gap_between_them() -> None:
    p, _, _, image = ring_with_core()
    image = np.where(p.cavity, 120, 20 + np.random.default_rng(1).normal(0, 2, image.shape)).astype(np.float32)
    _, rows, columns = image.shape
    for column in (24, 26):
        image[1, rows // 2 : rows // 2 + 3, columns // 2 + column] = 200
    found = by_rule(image, p.cavity, p.myocardium, p.spacing, "n_sd", n_sd=6, contrast="magnitude")
    assert found.mask.sum() > 6
    least = float(np.prod(p.spacing)) / 1000 * 3.5  # more than one speck, less than the two together
    alone = by_rule(
        *(image, p.cavity, p.myocardium, p.spacing, "n_sd"), n_sd=6, contrast="magnitude", smallest_island_ml=least
    )
    assert not alone.mask.any()


def test_without_scar_its_parts_are_none_of_it(infarct) -> None:
    p, _, image = infarct
    stack, nothing = stack_of(image, p.spacing), p.scar & False
    measured = measure(stack, _anatomy(p), nothing)
    assert _parts_ml(measured) == (0, 0, 0, 0)
    assert measured.parts.rule is not None and measured.parts.remark is None
    unknown = measure(replace(stack, contrast=Contrast.UNKNOWN), _anatomy(p), nothing)
    assert _parts_ml(unknown) == (None, None, None, 0)
