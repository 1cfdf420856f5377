"""One scale for every scanner: gain, offset and gamma of an image make no difference."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ScarSegECGLib.network.polar_grid import RADII, ROWS, WRAP, heart_disc, levelled


def _images(seed: int = 0) -> torch.Tensor:
    return torch.rand(2, 3, ROWS, RADII, generator=torch.Generator().manual_seed(seed)) + 0.05


@settings(max_examples=25)
@given(st.floats(0.01, 1000), st.floats(-500, 500), st.booleans())
def test_gain_and_offset_make_no_difference(gain: float, offset: float, everywhere: bool) -> None:
    where = None if everywhere else heart_disc()
    images = _images().double()
    assert torch.allclose(levelled(images, where), levelled(images * gain + offset, where), atol=1e-3)


@settings(max_examples=15)
@given(st.floats(0.6, 1.8))
def test_the_median_lies_at_nought_whatever_the_gamma(gamma: float) -> None:
    level = levelled(_images() ** gamma, heart_disc())
    medians = level.flatten(2)[..., heart_disc()].median(dim=-1).values
    assert float(medians.abs().max()) < 0.01


def test_padding_is_not_counted() -> None:
    images = _images()
    half = images.clone()
    half[..., : RADII // 4] = 0
    shown = torch.arange(ROWS * RADII).view(ROWS, RADII)[:, RADII // 4 :].flatten()
    assert torch.allclose(levelled(half)[..., RADII // 4 :], levelled(images, shown)[..., RADII // 4 :], atol=1e-5)


def test_a_constant_image_is_finite() -> None:
    for value in (0.0, 7.0, -3.0):
        level = levelled(torch.full((1, 1, ROWS, RADII), value), heart_disc())
        assert bool(level.isfinite().all())


def test_the_disc_covers_area_evenly_within_45_mm() -> None:
    where = heart_disc()
    rows, rings = where // RADII, where % RADII
    assert int(rings.max()) == 46 and int(rows.min()) >= WRAP and int(rows.max()) < ROWS - WRAP
    count = torch.bincount(rings).float()
    density = count / (torch.arange(len(count)) + 0.5)
    assert float(density[5:].max() / density[5:].min()) < 1.2
