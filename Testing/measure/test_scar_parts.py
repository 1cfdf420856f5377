"""What a scar is made of: core, grey zone, MVO and the rest, which add up to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_phantoms import annulus
from numpy.typing import NDArray

from ScarSegECGLib.case import PART_CORE, PART_GREY, PART_MVO, PART_REST, LgeStack, ScarParts, Storage
from ScarSegECGLib.facts import Contrast, Fact, PartsRemark
from ScarSegECGLib.measure.parts import scar_parts
from ScarSegECGLib.wording import words

P = annulus(slices=6)


def stack(contrast="magnitude", seed: int = 0, scar_level: float = 100.0) -> LgeStack:
    """Bright scar, half of it paler, with a dark middle and a dark corner that nothing encloses."""
    image = np.random.default_rng(seed).normal(0, 4, P.scar.shape) + 40 * P.myocardium + 100 * P.cavity
    z, row, column = np.nonzero(P.scar)
    image[z, row, column] += np.where(column < np.median(column), scar_level, 0.35 * scar_level)
    matrix = np.diag([*P.spacing[::-1], 1.0])
    return LgeStack(image.astype(np.float32), matrix, Storage(), matrix, contrast=Contrast(contrast))


def ml(parts: ScarParts, kind: int) -> float:
    return float((parts.labels == kind).sum()) * stack().voxel_ml


@given(st.integers(0, 50), st.sampled_from(["magnitude", "psir"]), st.floats(20, 200))
@settings(max_examples=15, deadline=None)
def test_the_parts_add_up_to_the_scar_and_fill_it(seed, contrast, level) -> None:
    image = stack(contrast, seed, level)
    got = scar_parts(image, P.cavity, P.myocardium, P.scar)
    assert np.array_equal(got.labels > 0, P.scar)
    assert got.core and got.rest
    together = got.core.ml + got.rest.ml + got.mvo.ml + (got.grey.ml if got.grey else 0.0)
    assert together == pytest.approx(P.scar.sum() * image.voxel_ml)
    burdens = {PART_CORE: got.core, PART_GREY: got.grey, PART_REST: got.rest, PART_MVO: got.mvo}
    for kind, burden in burdens.items():
        assert ml(got, kind) == pytest.approx(burden.ml if burden else 0.0)
        if burden:
            assert burden.grams == pytest.approx(1.05 * burden.ml)
            assert burden.percent_of_lv == pytest.approx(100 * (got.labels == kind).sum() / P.myocardium.sum())
    assert "remote region found automatically" in words(got.rule) and contrast in words(got.rule)
    assert (got.grey is None) == (got.remark is not None and got.remark["lost"] == 6)
    assert got.grey is not None or not (got.labels == PART_GREY).any()


def test_dark_within_bright_scar_is_mvo_and_a_speck_is_not() -> None:
    at = np.indices(P.scar.shape)
    middle = [int(np.median(index[P.scar])) for index in at]  # of the scar, four voxels deep
    hole = P.scar & (at[0] < 3) & ((at[1] - middle[1]) // 2 == 0) & ((at[2] - middle[2]) // 2 == 0)
    speck = P.scar & (at[0] == 5) & (at[1] == middle[1]) & (at[2] == middle[2])
    assert hole.sum() == 12 and speck.sum() == 1  # 0.19 and 0.02 ml

    def found(level: float) -> NDArray[np.bool_]:
        voxels = np.where(P.scar, np.float32(140), stack().voxels)
        image = replace(stack(), voxels=np.where(hole | speck, np.float32(level), voxels))
        return scar_parts(image, P.cavity, P.myocardium, P.scar).labels == PART_MVO

    assert np.array_equal(found(38), hole)
    assert np.array_equal(found(70), hole)  # 30 of the 100 from remote to scar
    assert not found(90).any()


def test_drawn_mvo_counts_and_only_in_the_scar() -> None:
    drawn = P.cavity | (P.scar & (np.arange(len(P.scar)) == 2)[:, None, None])
    got = scar_parts(stack(), P.cavity, P.myocardium, P.scar, mvo=drawn)
    assert np.array_equal((got.labels == PART_MVO)[2], P.scar[2]) and not got.labels[P.cavity].any()


def test_unknown_contrast_is_said_and_mvo_still_found() -> None:
    got = scar_parts(stack("unknown"), P.cavity, P.myocardium, P.scar)
    assert (got.core, got.grey, got.rest, got.rule) == (None, None, None, None)
    assert got.remark == Fact(PartsRemark.CONTRAST_UNKNOWN)
    assert set(np.unique(got.labels)) <= {0, PART_MVO} and got.mvo.ml == pytest.approx(ml(got, PART_MVO))


@pytest.mark.parametrize("wall", [P.myocardium, P.myocardium & False], ids=["no scar", "no wall"])
def test_no_scar_is_nought_and_no_riddle(wall) -> None:
    got = scar_parts(stack(), P.cavity, wall, P.scar & False)
    assert not got.labels.any() and got.remark is None
    assert got.core and got.grey and got.rest and got.core.ml == got.grey.ml == got.rest.ml == got.mvo.ml == 0


def test_a_grey_zone_without_room_is_not_nought() -> None:
    """Scar so pale that half its maximum lies below remote + 2 SD."""
    image = stack(scar_level=12.0)
    got = scar_parts(image, P.cavity, P.myocardium, P.scar)
    assert got.grey is None and "not determinable" in words(got.remark) and got.rest and got.rest.ml > 0
