"""Everything that is measured inside contours, in one go."""

from __future__ import annotations

import numpy as np
import pytest
from measure_phantoms import annulus

from ScarSegECGLib.anatomy.aha import partition
from ScarSegECGLib.case import LgeStack, Storage
from ScarSegECGLib.measure import remote
from ScarSegECGLib.measure.contours import METHODS, measure_contours

INSERTIONS = np.array([120.0, 240.0])


def _patient(slices=10, pad=82, contrast="magnitude"):
    """Ten slices of 256 x 256 or so: bright blood and scar, noisy wall."""
    p = annulus(pixel=0.9, slices=slices, inner=22, outer=32, depth=(0.0, 0.7))
    p = type(p)(
        *(np.pad(a, [(0, 0), (pad, pad), (pad, pad)]) for a in (p.cavity, p.myocardium, p.scar, p.aha)), p.spacing
    )
    image = 60.0 + 40.0 * p.myocardium + 100.0 * p.cavity + 90.0 * p.scar
    image += np.random.default_rng(0).normal(0, 8, image.shape)
    matrix = np.diag([p.spacing[2], p.spacing[1], p.spacing[0], 1.0])
    stack = LgeStack(image.astype(np.float32), matrix, Storage(), matrix, contrast=contrast)
    return stack, (p.cavity + 2 * p.myocardium + p.scar).astype(np.uint8), p


def test_every_rule_says_what_it_did_and_stays_in_the_wall():
    stack, labels, p = _patient(3)
    anatomy = partition(p.cavity, p.myocardium, stack.voxels, stack.spacing, insertions_deg=INSERTIONS)
    drawn = anatomy.aha == 5
    for method in METHODS:
        got = measure_contours(stack, labels, anatomy, method, remote=drawn, per="stack", fwhm_region=p.scar)
        assert got.aha_mode == "fixed 60 degrees, 17 segments" and got.contrast == "magnitude"
        assert not (got.mask & ~p.myocardium).any() and got.mask.shape == labels.shape
        assert got.scar.ml == pytest.approx(got.mask.sum() * stack.voxel_ml)
        assert got.core_rule and got.core_ml + (got.grey_ml or 0.0) + got.rest_ml <= got.scar.ml + 1e-9
        assert (got.grey_ml is None) == ("in 3 of 3 slices" in got.grey_remark)
        if method == "manual":
            assert (got.per, got.thresholds, got.n_sd, got.remote) == ("", (), None, "not used")
            continue
        assert got.per == "stack" and "per stack" in got.method and len(got.thresholds) == len(labels)
        assert ("drawn by the reader" in got.remote) == (method in ("n_sd", "ewa"))
        assert (got.n_sd == 3) == (method == "n_sd")
        assert got.method.count("MVO counted") == 1


def test_remote_found_once_serves_every_rule(monkeypatch):
    stack, labels, p = _patient(3)
    anatomy = partition(p.cavity, p.myocardium, stack.voxels, stack.spacing, insertions_deg=INSERTIONS)
    alone = {method: measure_contours(stack, labels, anatomy, method) for method in METHODS}
    found = remote.remote_myocardium(stack.voxels, p.cavity, p.myocardium, stack.spacing)

    def refuse(*_):
        raise AssertionError("remote myocardium was looked for again")

    monkeypatch.setattr(remote, "_darkest_sectors", refuse)
    for method, before in alone.items():
        again = measure_contours(stack, labels, anatomy, method, remote=found)
        assert np.array_equal(again.mask, before.mask) and again.remote_mean == before.remote_mean
        assert (again.scar, again.core_rule, again.remote) == (before.scar, before.core_rule, before.remote)
    assert again.remote_mean == pytest.approx(found.mean) and again.remote_sd == pytest.approx(found.sd)


def test_statistics_of_remote_stand_by_their_slices():
    stack, labels, p = _patient(4)
    labels[0] = 0
    cavity, wall = labels == 1, labels >= 2
    anatomy = partition(cavity, wall, stack.voxels, stack.spacing, insertions_deg=INSERTIONS)
    got = measure_contours(stack, labels, anatomy, "n_sd", n_sd=4)
    assert got.remote_mean[0] is None and got.thresholds[0] is None
    for mean, sd, level in zip(got.remote_mean[1:], got.remote_sd[1:], got.thresholds[1:], strict=True):
        assert level == pytest.approx(mean + 4 * sd)


@pytest.mark.parametrize("segments", [16, 17])
def test_as_many_segments_as_asked_whose_parts_add_up(segments):
    stack, labels, p = _patient(6)
    labels[2][(labels[2] == 3) & (np.arange(labels.shape[2]) % 3 == 0)] = 4
    anatomy = partition(
        p.cavity, p.myocardium, stack.voxels, stack.spacing, insertions_deg=INSERTIONS, segments=segments
    )
    got = measure_contours(stack, labels, anatomy, "manual")
    assert [row.number for row in got.segments] == list(range(1, segments + 1))
    assert got.mvo_ml > 0 and np.array_equal(got.mvo, labels == 4)
    for name in ("mvo_ml", "core_ml", "grey_ml", "rest_ml"):
        assert sum(getattr(row, name) or 0.0 for row in got.segments) == pytest.approx(getattr(got, name) or 0.0)


def test_a_heart_at_the_images_edge_is_measured_alike():
    stack, labels, p = _patient(3)
    anatomy = partition(p.cavity, p.myocardium, None, stack.spacing, insertions_deg=INSERTIONS)
    whole = measure_contours(stack, labels, anatomy, "n_sd")
    rows, columns = (slice(np.flatnonzero(line)[0], np.flatnonzero(line)[-1] + 1) for line in _extent(p))
    near = LgeStack(stack.voxels[:, rows, columns], stack.ijk_to_ras, Storage(), stack.ijk_to_ras, contrast="magnitude")
    cut = [mask[:, rows, columns] for mask in (p.cavity, p.myocardium)]
    own = partition(*cut, None, stack.spacing, insertions_deg=INSERTIONS)
    tight = measure_contours(near, labels[:, rows, columns], own, "n_sd")
    assert tight.scar == whole.scar and np.array_equal(tight.mask, whole.mask[:, rows, columns])


def _extent(p):
    heart = (p.cavity | p.myocardium).any(axis=0)
    return heart.any(axis=1), heart.any(axis=0)
