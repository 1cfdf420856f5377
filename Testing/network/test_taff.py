"""The contract of the ECG branch: on a network whose every weight is awake, and on the shipped ones once trained."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ScarSegECGLib.network.ecg_branch import EcgBranch, deep, new_branch
from ScarSegECGLib.network.taff import LOGIT_DOWN, LOGIT_UP, bounded
from ScarSegECGLib.network.wall_view import level_shapes, view_wall
from ScarSegECGLib.network.weights import read_weights

CHANNELS = (8, 8, 12, 16, 20)
SIZE = 64


def awake_branch() -> EcgBranch:
    torch.manual_seed(0)
    branch = EcgBranch(CHANNELS, token_size=8, encoder_width=8).eval()
    for parameter in branch.guide.parameters():  # TAFF starts at zero: wake it up
        torch.nn.init.normal_(parameter, std=0.5)
    return branch


def shipped_branches() -> list[EcgBranch]:
    """The branches of the shipped weights; none while their ECG network is not trained."""
    weights = read_weights()
    branches = []
    for index in range(weights.settings["members"] if weights.settings["ecg_trained"] else 0):
        branch = new_branch(weights.settings["channels"], weights.settings)
        branch.load_state_dict(weights.part(f"ecg{index}."), assign=True)
        branches.append(branch.eval())
    return branches


BRANCHES = {"awake": awake_branch()} | {f"shipped {k}": branch for k, branch in enumerate(shipped_branches())}


@pytest.fixture(scope="module", params=sorted(BRANCHES))
def branch(request: pytest.FixtureRequest) -> EcgBranch:
    return BRANCHES[request.param]


@pytest.fixture(scope="module")
def case(branch: EcgBranch) -> dict[str, object]:
    """Two slices; two segments, 3 in the left and 9 in the right half, nothing in the lower half."""
    rng = torch.Generator().manual_seed(1)
    channels = [narrow.in_channels for narrow in branch.guide.narrow]
    features = [
        torch.randn(2, c, SIZE // s, SIZE // s, generator=rng) for c, s in zip(channels, (4, 8, 16), strict=True)
    ]
    prior = torch.zeros(2, 17, SIZE, SIZE)
    prior[:, 3, : SIZE // 2, : SIZE // 2] = 1
    prior[:, 9, : SIZE // 2, SIZE // 2 :] = 1
    tokens = torch.randn(2, 17, branch.encoder.token_size, generator=rng) * 3
    logit = torch.randn(2, 1, SIZE, SIZE, generator=rng) * 2
    return {"features": features, "tokens": tokens, "prior": prior, "logit": logit}


def move(branch: EcgBranch, case: dict, amplitude: float, days: float = 0.0, **changes) -> torch.Tensor:
    given_ = case | changes
    with torch.no_grad():
        return branch(
            given_["features"],
            view_wall(given_["prior"], given_["logit"], level_shapes(given_["features"])),
            given_["tokens"],
            torch.full((2,), amplitude),
            torch.full((2,), days),
            torch.ones(2),
        )


def test_no_amplitude_no_movement_bit_for_bit(branch: EcgBranch, case: dict) -> None:
    assert torch.equal(move(branch, case, 0.0), torch.zeros(2, 1, SIZE, SIZE))


def test_a_fresh_branch_changes_nothing(branch: EcgBranch, case: dict) -> None:
    channels = [8, 8, *(narrow.in_channels for narrow in branch.guide.narrow)]
    fresh = EcgBranch(channels, branch.encoder.token_size, encoder_width=8).eval()
    assert torch.equal(move(fresh, case, 1.0), torch.zeros(2, 1, SIZE, SIZE))


def test_no_geometry_no_movement(branch: EcgBranch, case: dict) -> None:
    nowhere = torch.zeros_like(case["prior"])
    assert torch.equal(move(branch, case, 1.0, prior=nowhere), torch.zeros(2, 1, SIZE, SIZE))


def test_nothing_moves_outside_the_myocardium(branch: EcgBranch, case: dict) -> None:
    moved = move(branch, case, 1.0)
    assert float(moved[:, :, : SIZE // 2].abs().max()) > 0.05
    assert float(moved[:, :, SIZE // 2 :].abs().max()) == 0.0


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 1), st.floats(-4000, 4000), st.integers(0, 10))
def test_movement_stays_within_its_bounds(
    branch: EcgBranch, case: dict, amplitude: float, days: float, seed: int
) -> None:
    tokens = torch.randn(2, 17, branch.encoder.token_size, generator=torch.Generator().manual_seed(seed)) * 50
    moved = move(branch, case, amplitude, days, tokens=tokens)
    assert float(moved.min()) >= LOGIT_DOWN * amplitude - 1e-6
    assert float(moved.max()) <= LOGIT_UP * amplitude + 1e-6


def test_greatest_effect_shrinks_with_the_gap(branch: EcgBranch, case: dict) -> None:
    """The bound is amplitude times (-1, 2), and the amplitude never grows with the gap."""
    days = torch.tensor([0.0, -30.0, -120.0, -365.0, -900.0])
    weights = branch.time(days)
    assert bool((weights.diff() < 0).all())


def test_permuted_segments_take_the_effect_with_them(branch: EcgBranch, case: dict) -> None:
    order = torch.randperm(17, generator=torch.Generator().manual_seed(2))
    straight = move(branch, case, 1.0)
    permuted = move(branch, case, 1.0, tokens=case["tokens"][:, order], prior=case["prior"][:, order])
    assert torch.allclose(straight, permuted, atol=1e-5)
    swapped_tokens = move(branch, case, 1.0, tokens=case["tokens"][:, order])
    assert not torch.allclose(straight, swapped_tokens, atol=1e-2)


def test_one_segments_token_moves_that_segment_most(branch: EcgBranch, case: dict) -> None:
    """Coarse features blur a border a little, and the heart's mean reaches all; the segment itself moves more."""
    changed = case["tokens"].clone()
    changed[:, 3] += 2.0
    moved = (move(branch, case, 1.0, tokens=changed) - move(branch, case, 1.0)).abs()
    half = SIZE // 2
    assert float(moved[:, :, :half, : half - 8].mean()) > float(moved[:, :, :half, half + 8 :].mean())


def test_any_grid_will_do(branch: EcgBranch, case: dict) -> None:
    """An unrolled slice of 128 angles and 64 radii, as well as a square one."""
    wide = {key: torch.cat([case[key], case[key]], dim=2) for key in ("prior", "logit")}
    wide["features"] = [torch.cat([level, level], dim=2) for level in case["features"]]
    moved = move(branch, case, 1.0, **wide)
    assert moved.shape == (2, 1, 2 * SIZE, SIZE) and float(moved.abs().max()) > 0


def test_a_branch_is_small_enough_to_ship_one_per_member() -> None:
    branch = EcgBranch((24, 48, 80, 112, 144))
    assert 2 * sum(tensor.numel() for tensor in branch.state_dict().values()) <= 600_000, "bytes in half precision"
    assert len(deep((24, 48, 80, 112, 144))) == 3


def test_squeeze_has_slope_one_at_zero_and_the_stated_limits() -> None:
    raw = torch.tensor([-100.0, -1e-3, 0.0, 1e-3, 100.0])
    squeezed = bounded(raw)
    assert squeezed.tolist() == pytest.approx([-1.0, -1e-3, 0.0, 1e-3, 2.0], abs=1e-6)
