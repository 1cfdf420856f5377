"""Stage 2 and what it reads: begins as stage 1's answer, knows the circle, and never mixes two stacks."""

from __future__ import annotations

import torch

from ScarSegECGLib.network.polar_grid import ANGLES, RADII, with_wrap
from ScarSegECGLib.network.session import fold_batch_norm
from ScarSegECGLib.network.stack_net import (
    CHANNELS,
    SLICES_AT_ONCE,
    StackNet,
    beside,
    contrast,
    some_slices_at_a_time,
    stack_input,
    stage_one_output,
    without_wrap,
)


def _stage_one(slices: int = 4, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    image = torch.randn(slices, ANGLES, RADII, generator=rng) * 0.1
    anatomy = torch.full((slices, 3, ANGLES, RADII), 0.05)
    anatomy[:, 1, :, :20] = anatomy[:, 2, :, 20:30] = anatomy[:, 0, :, 30:] = 0.9
    image[:, :, :20] += 0.4
    image[:, :, 20:30] -= 0.3
    return image, anatomy, torch.randn(slices, ANGLES, RADII, generator=rng)


def _awake(channels: int = 6) -> StackNet:
    torch.manual_seed(1)
    network = StackNet(channels).eval()
    torch.nn.init.normal_(network.head.weight, std=0.5)
    return network


def test_an_untrained_stage_two_says_what_stage_one_said() -> None:
    image, anatomy, scar = _stage_one()
    seen = stack_input(image, anatomy, scar)
    assert seen.shape == (4, CHANNELS, ANGLES, RADII)
    out = StackNet(6).eval()(seen, torch.arange(4) == 0)
    assert torch.allclose(out.anatomy.softmax(dim=1), anatomy, atol=1e-5)
    assert torch.allclose(out.scar[:, 0], scar, atol=1e-5)
    assert torch.equal(out.scar, stage_one_output(seen).scar)


def test_contrast_is_nought_in_dark_wall_and_one_in_blood() -> None:
    image, anatomy, _ = _stage_one()
    scale = contrast(image, anatomy)
    assert abs(float(scale[:, :, :20].median()) - 1) < 0.05
    assert abs(float(scale[:, :, 20:30].quantile(0.25))) < 0.05
    brighter = contrast(2 * image + 0.1, anatomy)
    assert torch.allclose(brighter, scale, atol=1e-4)


def test_turning_the_stack_turns_the_answer() -> None:
    seen, network = stack_input(*_stage_one()), _awake()
    with torch.no_grad():
        straight, turned = network(seen), network(seen.roll(17, dims=2))
    assert torch.allclose(straight.scar.roll(17, dims=2), turned.scar, atol=1e-4)
    assert torch.allclose(straight.anatomy.roll(17, dims=2), turned.anatomy, atol=1e-4)


def test_stacks_in_one_batch_do_not_see_each_other() -> None:
    one, other = stack_input(*_stage_one(3, 1)), stack_input(*_stage_one(4, 2))
    network = _awake()
    first = torch.tensor([True, False, False, True, False, False, False])
    with torch.no_grad():
        together = network(torch.cat([one, other]), first)
        alone = network(other)
    assert torch.allclose(together.scar[3:], alone.scar, atol=1e-4)
    below, above = beside(first)
    assert below.tolist() == [0, 0, 1, 3, 3, 4, 5]
    assert above.tolist() == [1, 2, 2, 4, 5, 6, 6]


def test_folded_batch_norms_change_nothing() -> None:
    torch.manual_seed(2)
    network = _awake()
    seen = stack_input(*_stage_one())
    for block in network.blocks:
        for norm in (block.norm, block.norm_across):
            torch.nn.init.normal_(norm.weight)
            norm.running_mean.normal_()
    with torch.no_grad():
        before = network(seen)
        after = fold_batch_norm(network)(seen)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
    assert torch.allclose(before.scar, after.scar, atol=1e-3)


def test_the_repeated_angles_come_and_go() -> None:
    core = torch.randn(2, 1, ANGLES, RADII)
    assert torch.equal(without_wrap(with_wrap(core)), core)
    assert torch.equal(with_wrap(core)[:, :, 0], core[:, :, -16])


def test_a_long_stack_in_parts_gives_what_the_whole_gives() -> None:
    count = 2 * SLICES_AT_ONCE + 3
    seen, network = stack_input(*_stage_one(count)), _awake()
    with torch.no_grad():
        whole = network(seen).scar
        parts = some_slices_at_a_time(lambda part: network(part).scar, len(network.blocks), seen)
    assert torch.allclose(parts, whole, atol=1e-5)
    with torch.no_grad():
        too_few = some_slices_at_a_time(lambda part: network(part).scar, 1, seen)
    assert not torch.allclose(too_few, whole, atol=1e-5)
