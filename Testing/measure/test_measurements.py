"""Everything that is measured inside contours, in one go."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from measure_phantoms import annulus, divided, stack_of

from ScarSegECGLib.facts import Division, ScarSource
from ScarSegECGLib.measure import remote
from ScarSegECGLib.measure.measurements import contours_of, drawn_scar, measure
from ScarSegECGLib.measure.rules import RULES, ThresholdRule
from ScarSegECGLib.wording import words

INSERTIONS = np.array([120.0, 240.0])


def _patient(slices=10, pad=82, contrast="magnitude"):
    """Ten slices of 256 x 256 or so: bright blood and scar, noisy wall."""
    p = annulus(pixel=0.9, slices=slices, inner=22, outer=32, depth=(0.0, 0.7))
    p = type(p)(
        *(np.pad(a, [(0, 0), (pad, pad), (pad, pad)]) for a in (p.cavity, p.myocardium, p.scar, p.aha)), p.spacing
    )
    image = 60.0 + 40.0 * p.myocardium + 100.0 * p.cavity + 90.0 * p.scar
    image += np.random.default_rng(0).normal(0, 8, image.shape)
    return stack_of(image, p.spacing, contrast), (p.cavity + 2 * p.myocardium + p.scar).astype(np.uint8), p


def _ways(labels, remote=None, **rule):
    """Every scar that can be asked for, by its source, and how it is measured."""
    scar, mvo = drawn_scar(labels)
    how = {"remote": remote, "drawn": scar}
    rules = {source: ThresholdRule(source, remote=remote, smallest_island_ml=0.0, **rule) for source in RULES}
    return {ScarSource.MANUAL: partial(measure, scar=scar, mvo=mvo, **how)} | {
        source: partial(measure, scar=rule, **how) for source, rule in rules.items()
    }


def test_every_rule_says_what_it_did_and_stays_in_the_wall():
    stack, labels, p = _patient(3)
    anatomy = divided(p.cavity, p.myocardium, stack.voxels, stack.spacing, insertions_deg=INSERTIONS)
    for source, way in _ways(labels, anatomy.aha == 5, per="stack", peak_region=p.scar).items():
        got = way(stack, anatomy)
        assert got.division == Division() and got.contrast == "magnitude"
        assert not (got.mask & ~p.myocardium).any() and got.mask.shape == labels.shape
        assert got.scar.ml == pytest.approx(got.mask.sum() * stack.voxel_ml)
        parts = got.parts
        assert (
            parts.rule and parts.core.ml + (parts.grey.ml if parts.grey else 0.0) + parts.rest.ml <= got.scar.ml + 1e-9
        )
        assert (parts.grey is None) == (parts.remark is not None and parts.remark["lost"] == 3)
        assert got.method.source is source
        if source is ScarSource.MANUAL:
            assert (got.method.per, got.thresholds, got.method.n_sd, got.method.remote) == ("", (), None, None)
            continue
        assert "per stack" in words(got.method) and len(got.thresholds) == len(labels)
        assert ("drawn by the reader" in words(got.method.remote)) == (source in ("n_sd", "ewa"))
        assert (got.method.n_sd == 3) == (source == "n_sd")
        assert words(got.method).count("MVO counted") == 1


def test_remote_found_once_serves_every_rule(monkeypatch):
    stack, labels, p = _patient(3)
    anatomy = divided(p.cavity, p.myocardium, stack.voxels, stack.spacing, insertions_deg=INSERTIONS)
    alone = {source: way(stack, anatomy) for source, way in _ways(labels).items()}
    found = remote.remote_myocardium(stack, p.cavity, p.myocardium)

    def refuse(*_):
        raise AssertionError("remote myocardium was looked for again")

    monkeypatch.setattr(remote, "_darkest_sectors", refuse)
    for source, way in _ways(labels, found).items():
        again, before = way(stack, anatomy), alone[source]
        assert np.array_equal(again.mask, before.mask) and again.scar == before.scar
        assert (again.parts.rule, again.method) == (before.parts.rule, before.method)
        assert again.remote.mean == pytest.approx(found.mean) and again.remote.sd == pytest.approx(found.sd)


def test_statistics_of_remote_stand_by_their_slices():
    stack, labels, _ = _patient(4)
    labels[0] = 0
    anatomy = divided(*contours_of(labels), stack.voxels, stack.spacing, insertions_deg=INSERTIONS)
    got = measure(stack, anatomy, ThresholdRule("n_sd", n_sd=4))
    assert np.isnan(got.remote.mean[0]) and got.thresholds[0] is None
    for mean, sd, level in zip(got.remote.mean[1:], got.remote.sd[1:], got.thresholds[1:], strict=True):
        assert level == pytest.approx(mean + 4 * sd)


@pytest.mark.parametrize("segments", [16, 17])
def test_as_many_segments_as_asked_whose_parts_add_up(segments):
    stack, labels, p = _patient(6)
    labels[2][(labels[2] == 3) & (np.arange(labels.shape[2]) % 3 == 0)] = 4
    anatomy = divided(
        *(p.cavity, p.myocardium, stack.voxels, stack.spacing),
        insertions_deg=INSERTIONS,
        division=Division(segments=segments),
    )
    got = measure(stack, anatomy, *drawn_scar(labels))
    assert [row.number for row in got.segments] == list(range(1, segments + 1))
    assert got.parts.mvo.ml > 0 and np.array_equal(got.mvo, labels == 4)
    for name in ("mvo", "core", "grey", "rest"):
        whole = getattr(got.parts, name)
        parts = sum(getattr(row, f"{name}_ml") or 0.0 for row in got.segments)
        assert parts == pytest.approx(whole.ml if whole else 0.0)


def test_a_heart_at_the_images_edge_is_measured_alike():
    stack, labels, p = _patient(3)
    anatomy = divided(p.cavity, p.myocardium, None, stack.spacing, insertions_deg=INSERTIONS)
    rule = ThresholdRule("n_sd")
    whole = measure(stack, anatomy, rule)
    rows, columns = (slice(np.flatnonzero(line)[0], np.flatnonzero(line)[-1] + 1) for line in _extent(p))
    near = stack_of(stack.voxels[:, rows, columns], stack.spacing)
    own = divided(
        *(mask[:, rows, columns] for mask in (p.cavity, p.myocardium)), None, stack.spacing, insertions_deg=INSERTIONS
    )
    tight = measure(near, own, rule)
    assert tight.scar == whole.scar and np.array_equal(tight.mask, whole.mask[:, rows, columns])


def _extent(p):
    heart = (p.cavity | p.myocardium).any(axis=0)
    return heart.any(axis=1), heart.any(axis=0)
