"""The contract of the ECG: on a branch whose every weight is awake, and on the shipped one."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ScarSegECGLib.network.polar_grid import polar_area
from ScarSegECGLib.network.stack_net import CHANNELS, StackNet, without_wrap
from ScarSegECGLib.network.taff import (
    LOGIT_DOWN,
    LOGIT_UP,
    SITES,
    EcgBranch,
    EcgWord,
    Fusion,
    bounded,
    extents,
    needed_shift,
)
from ScarSegECGLib.network.weights import read_weights

SLICES, ANGLES, RADII = 3, 96, 64
WALL = slice(20, 30)
LEFT, RIGHT = slice(0, 48), slice(48, 96)  # angles of segment 4 and of segment 10


@dataclass(frozen=True)
class Networks:
    stage_two: StackNet
    branch: EcgBranch


def awake() -> Networks:
    torch.manual_seed(0)
    stage_two, branch = StackNet(8).eval(), EcgBranch(8, token_size=6, encoder_width=8).eval()
    for parameter in (*branch.taff.parameters(), *stage_two.head.parameters()):  # both start at zero: wake them up
        torch.nn.init.normal_(parameter, std=0.15)
    return Networks(stage_two, branch)


def shipped() -> Networks:
    weights = read_weights()
    channels = weights.settings["stack_channels"]
    stage_two = StackNet(channels)
    stage_two.load_state_dict(weights.part("stack."))
    branch = EcgBranch(channels, weights.settings["token_size"], weights.settings["encoder_width"])
    branch.load_state_dict(weights.part("ecg."))
    return Networks(stage_two.eval(), branch.eval())


NETWORKS = {"awake": awake, "shipped": shipped}


@pytest.fixture(scope="module", params=sorted(NETWORKS))
def networks(request: pytest.FixtureRequest) -> Networks:
    return NETWORKS[request.param]()


def prior_of_two_segments() -> Tensor:
    prior = torch.zeros(SLICES, 17, ANGLES, RADII)
    prior[:, 3, LEFT, WALL] = 1
    prior[:, 9, RIGHT, WALL] = 1
    return prior


def seen_stack() -> Tensor:
    """A ring of wall of middling brightness, in which stage 1 thinks scar a little unlikely."""
    torch.manual_seed(3)
    seen = torch.zeros(SLICES, CHANNELS, ANGLES, RADII)
    seen[:, 0] = torch.randn(SLICES, ANGLES, RADII) * 0.1
    likely = torch.full((SLICES, 3, ANGLES, RADII), 0.02)
    likely[:, 1, :, :20] = likely[:, 2, :, 20:30] = likely[:, 0, :, 30:] = 0.96
    seen[:, 1:4] = likely.log() / 4 + 0.5
    seen[:, 4] = -1.5 / 3
    seen[:, 5, :, :20], seen[:, 5, :, WALL] = 1.0, 0.5
    seen[:, 6, :, WALL] = torch.linspace(0.05, 0.95, 10)
    return seen


def moved(networks: Networks, word: EcgWord, prior: Tensor | None = None) -> Tensor:
    """Movement at full amplitude [K, A, R]."""
    prior = prior_of_two_segments() if prior is None else prior
    seen = seen_stack()
    with torch.no_grad():
        features = networks.stage_two.features(seen, SITES[0])
        output = networks.stage_two.finish(features, seen, SITES[0])
        return networks.branch.taff(networks.stage_two, seen, features, output, word, prior)


def word_of(networks: Networks, seed: int = 1, size: float = 1.0) -> EcgWord:
    rng = torch.Generator().manual_seed(seed)
    tokens = torch.randn(17, networks.branch.encoder.token_size, generator=rng) * size
    return EcgWord(tokens, torch.rand(17, generator=rng))


def test_a_fresh_taff_only_follows_what_the_ecg_lacks_or_has_more_than_the_image(networks: Networks) -> None:
    fresh = EcgBranch(networks.stage_two.head.in_channels, networks.branch.encoder.token_size, 8).eval()
    more = EcgWord(word_of(networks).tokens, torch.full((17,), 0.9))
    assert float(moved(Networks(networks.stage_two, fresh), more).min()) >= 0


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_needed_shift_rises_with_the_extent_and_is_nought_near_the_images_own(a: float, b: float) -> None:
    rng = torch.Generator().manual_seed(4)
    logit, wall = torch.randn(SLICES, ANGLES, RADII, generator=rng), torch.full((SLICES, ANGLES, RADII), 0.95)
    prior = prior_of_two_segments()
    low, high = (needed_shift(logit, wall, prior, torch.full((17,), e)) for e in sorted((a, b)))
    assert bool((low <= high + 1e-6).all())
    own = float((logit[:, LEFT, WALL] > torch.logit(torch.tensor(0.5 / 0.95))).float().mean())
    assert float(needed_shift(logit, wall, prior, torch.full((17,), own))[3]) == 0.0
    assert float(low[0]) == 0.0


def test_no_geometry_no_movement(networks: Networks) -> None:
    still = moved(networks, word_of(networks), torch.zeros(SLICES, 17, ANGLES, RADII))
    assert torch.equal(still, torch.zeros(SLICES, ANGLES, RADII))


def test_nothing_moves_outside_the_myocardium(networks: Networks) -> None:
    out = moved(networks, word_of(networks, size=3.0))
    assert float(out[:, :, WALL].abs().max()) > 0.02
    outside = out.clone()
    outside[:, :, WALL] = 0
    assert float(outside.abs().max()) == 0.0


@settings(max_examples=8)
@given(st.integers(0, 1000), st.floats(0.1, 50.0))
def test_movement_stays_within_its_bounds(networks: Networks, seed: int, size: float) -> None:
    out = moved(networks, word_of(networks, seed, size))
    assert float(out.min()) >= LOGIT_DOWN and float(out.max()) <= LOGIT_UP


def test_the_effect_never_grows_with_the_gap(networks: Networks) -> None:
    """The movement is the amplitude times what the ECG says, and the amplitude never grows with the gap."""
    for sign in (-1.0, 1.0):
        days = sign * torch.tensor([0.0, 7.0, 30.0, 120.0, 365.0, 900.0])
        with torch.no_grad():
            weights = networks.branch.time(days)
        assert float(weights[0]) == pytest.approx(1.0, abs=1e-6)
        assert bool((weights.diff() < 0).all())


def test_permuted_segments_take_the_effect_with_them(networks: Networks) -> None:
    order = torch.randperm(17, generator=torch.Generator().manual_seed(2))
    word, prior = word_of(networks, size=2.0), prior_of_two_segments()
    straight = moved(networks, word)
    permuted = EcgWord(word.tokens[order], word.extent[order])
    assert torch.allclose(straight, moved(networks, permuted, prior[:, order]), atol=1e-5)
    assert not torch.allclose(straight, moved(networks, permuted), atol=1e-3)


def test_more_scar_in_the_ecg_means_more_scar_there() -> None:
    """Of the shipped weights, with and without tokens: a sign error between the ECG and the pixels fails here."""
    networks = shipped()
    for tokens in (torch.zeros(17, networks.branch.encoder.token_size), word_of(networks).tokens * 0.3):
        for segment, here, elsewhere in ((3, LEFT, RIGHT), (9, RIGHT, LEFT)):
            little, much = torch.full((17,), 0.05), torch.full((17,), 0.05)
            much[segment] = 0.8
            more = moved(networks, EcgWord(tokens, much)) - moved(networks, EcgWord(tokens, little))
            assert float(more[:, here, WALL].mean()) > 0.05
            assert float(more[:, here, WALL].mean()) > 2 * float(more[:, elsewhere, WALL].mean())


def test_squeeze_has_slope_one_at_zero_and_the_stated_limits() -> None:
    squeezed = bounded(torch.tensor([-100.0, -1e-3, 0.0, 1e-3, 100.0]))
    assert squeezed.tolist() == pytest.approx([-1.0, -1e-3, 0.0, 1e-3, 2.0], abs=1e-6)


def test_extents_weigh_grid_points_by_what_they_cover() -> None:
    prior = prior_of_two_segments()
    probability = torch.zeros(SLICES, ANGLES, RADII)
    probability[:, LEFT, WALL] = 0.25
    share = extents(probability, prior, without_wrap(polar_area()))
    assert share[3] == pytest.approx(0.25) and share[9] == 0 and share[0] == 0


def on_the_wall(fusion: Fusion, features: Tensor, wall: Tensor, carried: Tensor) -> Tensor:
    inside = wall.nonzero(as_tuple=True)
    return fusion(features, inside, carried.movedim(1, -1)[inside], wall[inside][:, None])


def test_slices_without_wall_stay_as_they_are(networks: Networks) -> None:
    """Of a long stack, which is worked through in parts, one may lie beyond the heart."""
    fusion = networks.branch.taff.fuse[0]
    width = fusion.film[0].in_channels
    features = torch.randn(2, networks.stage_two.head.in_channels, ANGLES, RADII)
    with torch.no_grad():
        same = on_the_wall(fusion, features, torch.zeros(2, ANGLES, RADII), torch.randn(2, width, ANGLES, RADII))
    assert torch.equal(same, features)


def test_fusion_in_half_precision_as_in_training(networks: Networks) -> None:
    fusion, wall = networks.branch.taff.fuse[0], torch.zeros(2, ANGLES, RADII)
    wall[..., WALL] = 0.7
    features = torch.randn(2, networks.stage_two.head.in_channels, ANGLES, RADII)
    carried = torch.randn(2, fusion.film[0].in_channels, ANGLES, RADII)
    whole = on_the_wall(fusion, features, wall, carried)
    with torch.autocast("cpu", torch.bfloat16):
        halved = on_the_wall(fusion, features.bfloat16(), wall, carried.bfloat16())
    assert torch.allclose(halved.float(), whole, atol=0.1, rtol=0.05)
