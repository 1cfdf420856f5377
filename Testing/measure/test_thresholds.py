"""The intensity rules on walls whose intensities are known, and the reader's choices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_phantoms import Phantom, annulus, by_rule, divided, stack_of

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import RemoteRegion, RemoteSource
from ScarSegECGLib.measure.compare import RULES as COMPARED
from ScarSegECGLib.measure.compare import case_scores, combined
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.measure.measurements import measure
from ScarSegECGLib.measure.remote import remote_doubts, remote_myocardium
from ScarSegECGLib.measure.rules import RULES, mixture_threshold, otsu_threshold
from ScarSegECGLib.wording import all_words, words


def _image(p: Phantom, remote=50.0, scar=160.0, blood=140.0, noise=8.0, offset=0.0, seed=0):
    rng = np.random.default_rng(seed)
    image = np.full(p.cavity.shape, 90.0)
    image[p.myocardium], image[p.cavity], image[p.scar] = remote, blood, scar
    return (image + rng.normal(0, noise, image.shape) + offset).astype(np.float32)


def _dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


@pytest.mark.parametrize("method", RULES)
def test_every_rule_finds_a_clear_scar(method):
    p = annulus(depth=(0.0, 0.7), start_deg=20, stop_deg=150)
    found = by_rule(_image(p), p.cavity, p.myocardium, p.spacing, method, n_sd=4)
    assert _dice(found.mask, p.scar) > 0.9
    assert not (found.mask & ~p.myocardium).any()
    assert found.mask.dtype == bool and len(found.thresholds) == len(p.scar)
    assert all(t is not None and 50 < t < 160 for t in found.thresholds)
    assert "contrast magnitude" in found.method and "per slice" in found.method


@pytest.mark.parametrize("method", RULES)
@given(gain=st.floats(0.2, 30), seed=st.integers(0, 9))
@settings(max_examples=6, deadline=None)
def test_brightness_scale_does_not_matter(method, gain, seed):
    p = annulus(slices=2, depth=(0.0, 0.7))
    image = _image(p, seed=seed)
    one = by_rule(image, p.cavity, p.myocardium, p.spacing, method, n_sd=3).mask
    two = by_rule((image * gain).astype(np.float32), p.cavity, p.myocardium, p.spacing, method, n_sd=3).mask
    assert np.count_nonzero(one != two) <= 0.005 * np.count_nonzero(p.myocardium)


@pytest.mark.parametrize("method", RULES)
def test_an_offset_does_not_matter_in_a_psir_image(method):
    p = annulus(depth=(0.0, 0.7))
    plain = by_rule(_image(p), p.cavity, p.myocardium, p.spacing, method, n_sd=3, contrast="psir").mask
    moved = by_rule(_image(p, offset=-2000), p.cavity, p.myocardium, p.spacing, method, n_sd=3, contrast="psir")
    assert np.count_nonzero(plain != moved.mask) <= 0.005 * np.count_nonzero(p.myocardium)


def test_magnitude_and_psir_never_share_a_default():
    p = annulus()
    image = _image(p, offset=300)
    inputs = image, p.cavity, p.myocardium, p.spacing
    halves = [by_rule(*inputs, "fwhm", contrast=c) for c in ("magnitude", "psir")]
    assert halves[0].thresholds != halves[1].thresholds
    assert "half of the maximum" in halves[0].method and "half-way from remote" in halves[1].method
    assert "3 SD" in by_rule(*inputs, "n_sd", contrast="magnitude").method
    for contrast in ("psir", "unknown"):
        with pytest.raises(InputError, match="no default"):
            by_rule(*inputs, "n_sd", contrast=contrast)
        assert "4 SD" in by_rule(*inputs, "n_sd", n_sd=4, contrast=contrast).method
    with pytest.raises(InputError, match="contrast unknown"):
        by_rule(*inputs, "fwhm", contrast="unknown")


def test_n_sd_is_mean_plus_n_standard_deviations_of_the_readers_region():
    p = annulus()
    image = _image(p)
    region = p.myocardium & (p.aha == 4)
    found = by_rule(image, p.cavity, p.myocardium, p.spacing, "n_sd", n_sd=5, remote=region)
    values = image[1][region[1]].astype(float)
    assert found.thresholds[1] == pytest.approx(values.mean() + 5 * values.std(), rel=1e-6)
    assert "reader" in found.remote


def test_fwhm_of_a_region_uses_its_maximum():
    p = annulus()
    image = _image(p, noise=0)
    image[:, :, :] = np.where(p.aha == 4, 100, image)
    found = by_rule(image, p.cavity, p.myocardium, p.spacing, "fwhm", peak_region=p.aha == 4)
    assert found.thresholds[0] == pytest.approx(50)


@pytest.mark.parametrize("contrast", ["magnitude", "psir"])
@pytest.mark.parametrize("per", ["slice", "stack"])
def test_fwhm_of_a_region_in_one_slice_judges_all_slices(contrast, per):
    p = annulus(depth=(0.0, 0.7))
    image = _image(p, noise=2)
    image[2][p.scar[2]] += 20  # the region's slice is the brightest
    region = p.scar.copy()
    region[[0, 1, 3]] = False
    words = {"per": per, "contrast": contrast}
    found = by_rule(image, p.cavity, p.myocardium, p.spacing, "fwhm", peak_region=region, **words)
    foot = remote_myocardium(stack_of(image, p.spacing), p.cavity, p.myocardium, per=per).mean * (contrast == "psir")
    assert found.thresholds == pytest.approx((foot + image[region].max()) / 2)
    assert found.mask.any(axis=(1, 2)).all() and _dice(found.mask, p.scar) > 0.98
    assert ("in 1 of 4 slices (the other 3 take its pooled maximum)" in found.method) == (per == "slice")
    told = by_rule(image, p.cavity, p.myocardium, p.spacing, "fwhm", peak_region=region, **words)
    assert ("The region of FWHM lies in 1 of 4 slices" in told.warning) == (per == "slice")
    every = by_rule(image, p.cavity, p.myocardium, p.spacing, "fwhm", peak_region=p.scar, **words)
    assert every.warning == "" and "pooled" not in every.method


def test_a_few_voxels_of_a_drawn_region_are_enough_for_their_slice():
    p = annulus(depth=(0.0, 0.7))
    image = _image(p, noise=0) * np.array([1, 2, 4, 8], dtype=np.float32)[:, None, None]
    region = np.zeros_like(p.scar)
    for z in range(4):
        region[z][tuple(np.argwhere(p.scar[z])[:3].T)] = True
    found = by_rule(image, p.cavity, p.myocardium, p.spacing, "fwhm", peak_region=region)
    assert found.thresholds == pytest.approx([80, 160, 320, 640])


@pytest.mark.parametrize("where", ["cavity", "nowhere"])
def test_a_region_of_fwhm_outside_the_wall_is_refused(where):
    p = annulus()
    region = p.cavity if where == "cavity" else np.zeros_like(p.cavity)
    with pytest.raises(InputError, match="region of FWHM has no voxel"):
        by_rule(_image(p), p.cavity, p.myocardium, p.spacing, "fwhm", peak_region=region)


def test_half_of_the_maximum_of_a_magnitude_image_needs_no_remote_region():
    p = annulus()
    inputs = _image(p), p.cavity, p.myocardium, p.spacing
    named = [by_rule(*inputs, "fwhm", contrast=contrast, remote=p.aha == 4) for contrast in ("magnitude", "psir")]
    assert named[0].remote == "" and "drawn by the reader" in named[1].remote


def test_slices_without_a_remote_region_are_counted_and_warned_of():
    p = annulus(depth=(0.0, 0.7), start_deg=20, stop_deg=150)
    image = _image(p) * np.array([1, 2, 0.5, 1], dtype=np.float32)[:, None, None]
    region = p.aha == 4
    region[[0, 1, 3]] = False
    found = by_rule(image, p.cavity, p.myocardium, p.spacing, "n_sd", n_sd=3, remote=region)
    assert "in 1 of 4 slices (the other 3 take its pooled mean and SD)" in found.remote
    assert "lies in 1 of 4 slices: the other 3 are judged by its pooled mean and SD" in found.warning
    assert len(set(found.thresholds)) == 1
    whole = by_rule(image, p.cavity, p.myocardium, p.spacing, "n_sd", n_sd=3, remote=p.aha == 4)
    assert whole.warning == "" and whole.remote == "remote region drawn by the reader"
    at_once = by_rule(image, p.cavity, p.myocardium, p.spacing, "n_sd", n_sd=3, remote=region, per="stack")
    assert "of 4 slices" not in at_once.remote + at_once.warning


def test_a_remote_region_found_before_says_the_same_and_has_a_name():
    p = annulus()
    image = _image(p)
    inputs = stack_of(image, p.spacing), p.cavity, p.myocardium
    region = p.aha == 4
    region[0] = False
    named = RemoteRegion(RemoteSource.SEGMENTS, (4, 10))
    before = remote_myocardium(*inputs, region, of=named)
    assert before.region == replace(named, held=3, shown=4)
    assert words(before.region).startswith("remote region segments 4, 10, chosen by the reader, in 3 of 4 slices")
    again = remote_myocardium(*inputs, before)
    assert again.region == before.region and again.mean == pytest.approx(before.mean)
    upper = stack_of(image[1:], p.spacing), p.cavity[1:], p.myocardium[1:]
    part = remote_myocardium(*upper, region[1:], of=named)
    assert part.region.source is RemoteSource.SEGMENTS
    later = remote_myocardium(*upper, part)
    assert words(later.region) == "remote region segments 4, 10, chosen by the reader"


def test_a_remote_region_in_scar_is_doubted_and_one_in_healthy_wall_is_not():
    p = annulus(depth=(0.0, 0.5), start_deg=60, stop_deg=120)
    image = _image(p)
    inputs = stack_of(image, p.spacing), p.cavity, p.myocardium
    for segment, doubted in ((1, True), (3, False), (4, False), (6, False)):
        named = RemoteRegion(RemoteSource.SEGMENTS, (segment,))
        chosen = remote_myocardium(*inputs, p.aha == segment, of=named)
        said = all_words(remote_doubts(*inputs, chosen, drawn_scar=p.scar))
        assert any("does not look like healthy myocardium" in sentence for sentence in said) == doubted
        assert any("is scar: what rests on it" in sentence for sentence in said) == doubted
        assert all(f"(segments {segment}, chosen" in sentence for sentence in said)
    found = by_rule(image, p.cavity, p.myocardium, p.spacing, "n_sd", n_sd=5, remote=p.aha == 1)
    assert "does not look like healthy" in found.warning and found.mask.sum() < 0.1 * p.scar.sum()
    automatic = remote_myocardium(*inputs)
    assert remote_doubts(*inputs, automatic, drawn_scar=p.scar) == ()
    (doubt,) = remote_doubts(*inputs, automatic, drawn_scar=automatic.mask)
    assert "automatically" in words(doubt)


def test_one_threshold_for_the_stack_against_one_per_slice():
    p = annulus(depth=(0.0, 0.7))
    image = _image(p) * np.array([1, 2, 4, 8], dtype=np.float32)[:, None, None]
    each = by_rule(image, p.cavity, p.myocardium, p.spacing, "otsu")
    one = by_rule(image, p.cavity, p.myocardium, p.spacing, "otsu", per="stack")
    assert len(set(one.thresholds)) == 1
    assert _dice(each.mask, p.scar) > 0.95 > _dice(one.mask, p.scar)


def test_the_automatic_remote_region_keeps_off_the_scar_and_is_one_sixth_of_the_wall():
    p = annulus(start_deg=100, stop_deg=340, depth=(0.0, 1.01))
    remote = remote_myocardium(stack_of(_image(p), p.spacing), p.cavity, p.myocardium)
    assert not (remote.mask & p.scar).any()
    assert remote.mask.sum() == pytest.approx(p.myocardium.sum() / 6, rel=0.1)
    assert remote.mean == pytest.approx(np.full(4, 50), abs=1.5)


def test_slices_without_wall_have_no_threshold_and_no_scar():
    p = annulus()
    wall, cavity = p.myocardium.copy(), p.cavity.copy()
    wall[0] = cavity[0] = False
    for method in RULES:
        found = by_rule(_image(p), cavity, wall, p.spacing, method, n_sd=3)
        assert found.thresholds[0] is None and found.thresholds[1] is not None
        assert not found.mask[0].any()


def test_a_wall_without_any_cavity_still_works():
    p = annulus(inner=0.0, outer=12.0, depth=(0.0, 1.01))
    for method in RULES:
        found = by_rule(_image(p), p.cavity, p.myocardium, p.spacing, method, n_sd=3)
        assert not (found.mask & ~p.myocardium).any()
        assert all(level is not None and np.isfinite(level) for level in found.thresholds)


def test_bad_requests_are_refused_in_one_line():
    p = annulus(slices=1)
    image = _image(p)
    for asked in (
        {"source": "magic"},
        {"source": "n_sd", "n_sd": 9},
        {"source": "otsu", "per": "patient"},
        {"source": "n_sd", "remote": p.cavity},
        {"source": "n_sd", "remote": p.cavity[:, :-1]},
    ):
        with pytest.raises(InputError) as caught:
            by_rule(image, p.cavity, p.myocardium, p.spacing, **asked)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no myocardium"):
        by_rule(image, p.cavity, p.cavity & False, p.spacing, "otsu")


def test_otsu_and_mixture_split_two_known_populations():
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.normal(50, 6, 4000), rng.normal(120, 15, 1000)])
    assert 70 < otsu_threshold(values) < 100
    # 0.8 N(50, 6) = 0.2 N(120, 15) at 74.3
    assert mixture_threshold(values) == pytest.approx(74.3, abs=2)
    assert otsu_threshold(np.full(20, 7.0)) == mixture_threshold(np.full(20, 7.0)) == 7.0


def test_ewa_counts_the_dark_core_and_ignores_blood_in_the_border():
    p = annulus(slices=5, depth=(0.0, 0.8), start_deg=20, stop_deg=150)
    image = _image(p)
    core = annulus(slices=5, depth=(0.0, 0.4), start_deg=60, stop_deg=110).scar
    image[core] = 55
    rim = p.myocardium & np.roll(p.cavity, 1, axis=2)
    image[rim & ~p.scar] = 110
    ours = by_rule(image, p.cavity, p.myocardium, p.spacing, "ewa")
    simple = by_rule(image, p.cavity, p.myocardium, p.spacing, "n_sd", n_sd=3)
    assert _dice(ours.mask, p.scar) > 0.9
    assert 2 * (ours.mask & ~p.scar).sum() < (simple.mask & ~p.scar).sum()
    assert ours.mask[core].mean() > 0.95


def _case(p, image) -> ExpertCase:
    return ExpertCase("", stack_of(image, p.spacing), (p.cavity + 2 * p.myocardium + p.scar).astype(np.uint8))


def test_comparison_orders_the_rules_and_pairs_them_by_case():
    cases = []
    for seed in range(4):
        p = annulus(slices=2, depth=(0.0, 0.7), start_deg=30 * seed, stop_deg=30 * seed + 90)
        cases.append(_case(p, _image(p, seed=seed, noise=20)))
    p = annulus(slices=2)
    cases.append(_case(replace(p, scar=p.scar & False), _image(p)))
    scores = combined([case_scores(case) for case in cases])
    means = [s.mean_dice for s in scores]
    assert means == sorted(means, reverse=True)
    assert scores[0].behind_best == (0.0, 0.0, 0.0)
    assert all(s.behind_best[1] <= s.behind_best[0] <= s.behind_best[2] for s in scores)
    assert all(len(s.dice) == len(s.bias_percent_lv) == 5 for s in scores)
    best = scores[0]
    assert best.mean_dice == pytest.approx(np.mean([d for d in best.dice[:4] if d is not None]))
    assert best.scarred == 4 and best.false_scar > 0
    assert all(s.mean_bias == pytest.approx(np.mean(s.bias_percent_lv[:4])) for s in scores)
    assert all("contrast magnitude" in words(s.method) for s in scores)
    assert "3 SD" in next(words(s.method) for s in scores if s.name == "3 SD")
    assert combined([]) == ()


def test_the_comparison_measures_what_measure_measures():
    """One patient's scar by a rule is the same number held against an expert and told of the patient."""
    p = annulus(depth=(0.0, 0.7), start_deg=20, stop_deg=150)
    image = _image(p, noise=14)
    image[annulus(depth=(0.2, 0.5), start_deg=60, stop_deg=100).scar] = 50  # dark and enclosed
    case = _case(p, image)
    anatomy = divided(case.cavity, case.myocardium, None, p.spacing, insertions_deg=np.array([120.0, 240.0]))
    for score in combined([case_scores(case)]):
        measured = measure(case.stack, anatomy, COMPARED[score.name])
        assert measured.method == score.method
        expert = 100 * case.scar.sum() / case.myocardium.sum()
        assert score.bias_percent_lv == pytest.approx((measured.scar.percent_of_lv - expert,))
        assert score.dice == pytest.approx((_dice(measured.mask, case.scar),))
