"""Folds, augmentation, losses, and a training that is stopped and taken up again."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from ScarSegECGLib.network.field import PIXEL_MM
from ScarSegECGLib.network.polar_grid import RADII, RADIUS_STEP_MM, polar_offsets_mm, turn_of_rows
from ScarSegECGLib.network.stack_net import StackOutput
from ScarSegECGLib.network.unet import LOCATOR_PLANES, ScarUNet, UNet
from ScarSegECGLib.training.augment import AugmentPlan, augment, find_walls, paint, square_offsets
from ScarSegECGLib.training.dataset import Slices
from ScarSegECGLib.training.evaluate import patient_folds
from ScarSegECGLib.training.fit import Schedule, fit
from ScarSegECGLib.training.stages import batches, image_loss, locator_loss, loss_on


@settings(max_examples=50, deadline=None)
@given(st.integers(5, 80), st.integers(2, 5), st.integers(0, 3))
def test_every_patient_is_held_out_once_and_folds_are_alike(count: int, folds: int, seed: int) -> None:
    names = [f"Case_{i:03d}" for i in range(count)]
    volumes = np.random.default_rng(seed).gamma(1.0, 10.0, count)
    groups = patient_folds(names, list(volumes), folds, seed)
    assert sorted(name for group in groups for name in group) == names
    assert max(map(len, groups)) - min(map(len, groups)) <= 1
    assert groups == patient_folds(names, list(volumes), folds, seed)


def test_more_folds_than_patients_is_refused() -> None:
    with pytest.raises(ValueError, match="3 patients"):
        patient_folds(["a", "b", "c"], [0, 1, 2], 5)


def _disc_slices(count: int = 8, size: int = 64, channels: int = 3) -> Slices:
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    radius = torch.hypot(rows - size / 2 + 0.5, columns - size / 2 + 0.5)
    labels = torch.zeros(size, size, dtype=torch.uint8)
    labels[radius < 14] = 2
    labels[(radius < 14) & (columns > size // 2)] = 3
    labels[radius < 8] = 1
    image = torch.tensor([-0.2, 0.3, -0.4, 0.5])[labels.long()]
    images = image.expand(count, channels, size, size).clone()
    patient = torch.arange(count) // 4
    return Slices(images, labels.expand(count, size, size).clone(), patient, torch.zeros(count, 2))


def test_augmentation_moves_image_and_labels_together() -> None:
    slices = _disc_slices()
    plan = AugmentPlan(square_offsets(48), shift=2, far_shift=2, neighbour_shift=0)
    images, labels = augment(slices.images, slices.labels, slices.centres, plan, torch.Generator().manual_seed(0))
    assert images.shape == (8, 3, 48, 48)
    assert labels.shape == (8, 48, 48)
    assert set(labels.unique().tolist()) == {0, 1, 2, 3}
    for image, label in zip(images, labels, strict=True):
        order = [float(image[1][label == value].mean()) for value in (2, 0, 1, 3)]
        assert order == sorted(order)  # wall darkest, then background, blood, scar: as drawn


def test_augmentation_is_repeatable_and_changes_things() -> None:
    slices = _disc_slices()
    plan = AugmentPlan(square_offsets(48), shift=2, far_shift=4)

    def draw(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        return augment(slices.images, slices.labels, slices.centres, plan, torch.Generator().manual_seed(seed))

    first, again, other = draw(3), draw(3), draw(4)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[1], other[1])


def test_augmentation_unrolls_the_ventricle_about_its_centre() -> None:
    slices = _disc_slices(size=96)
    moved = dataclasses.replace(
        slices,
        images=slices.images.roll((5, -7), (2, 3)),
        labels=slices.labels.roll((5, -7), (1, 2)),
        centres=torch.tensor([5.0, -7.0]).expand(8, 2),
    )
    still = AugmentPlan(
        polar_offsets_mm() / PIXEL_MM, 0, 0, rotate=0, scale=1, stretch=1, bend=0, neighbour_shift=0, mirror=False
    )
    _, labels = augment(moved.images, moved.labels, moved.centres, still, torch.Generator().manual_seed(0))
    radius_px = (torch.arange(RADII) + 0.5) * (RADIUS_STEP_MM / PIXEL_MM)
    assert bool((labels[:, :, radius_px < 7] == 1).all())
    assert bool((labels[:, :, (radius_px > 9) & (radius_px < 13)] >= 2).all())
    assert bool((labels[:, :, radius_px > 15] == 0).all())
    wall = labels[0, :, int(11 * PIXEL_MM / RADIUS_STEP_MM)]
    turn = turn_of_rows()
    assert bool((wall[turn.cos() > 0.2] == 3).all())
    assert bool((wall[turn.cos() < -0.2] == 2).all())


def test_painted_scar_lies_in_the_wall_and_is_bright() -> None:
    slices = _disc_slices()
    labels = slices.labels.clone()
    labels[labels == 3] = 2
    images = torch.tensor([-0.2, 0.3, -0.4])[labels.long()][:, None].expand(-1, 3, -1, -1).clone()
    walls = find_walls(dataclasses.replace(slices, images=images, labels=labels))
    always = dataclasses.replace(walls, chance=torch.ones(8))
    painted, painted_labels = paint(images, labels, torch.arange(8), always, torch.Generator().manual_seed(0))
    new = painted_labels == 3
    assert bool(new.flatten(1).any(dim=1).all())
    assert bool((labels[new] == 2).all())
    assert torch.equal(painted_labels[~new], labels[~new])
    assert float(painted[:, 1][new].mean()) > float(images[:, 1][new].mean()) + 0.2
    far = torch.nn.functional.max_pool2d((labels[:1] == 2).float(), 9, 1, 4)[0] == 0
    assert torch.equal(painted[:, :, far], images[:, :, far])
    never = dataclasses.replace(walls, chance=torch.zeros(8))
    untouched, same = paint(images, labels, torch.arange(8), never, torch.Generator().manual_seed(0))
    assert torch.equal(untouched, images)
    assert torch.equal(same, labels)


def test_neighbours_never_come_from_another_patient() -> None:
    slices = _disc_slices()
    walls = find_walls(slices)
    assert walls.neighbours.tolist() == [
        [0, 0, 1],
        [0, 1, 2],
        [1, 2, 3],
        [2, 3, 3],
        [4, 4, 5],
        [4, 5, 6],
        [5, 6, 7],
        [6, 7, 7],
    ]
    assert (walls.chance > 0.3).all()


def _even(labels: torch.Tensor) -> torch.Tensor:
    return torch.ones(labels.shape[1:])


def _perfect(labels: torch.Tensor, sure: float) -> StackOutput:
    anatomy = torch.nn.functional.one_hot(labels.long().clamp(max=2), 3).permute(0, 3, 1, 2).float()
    scar = (labels == 3).float()[:, None] * 2 - 1
    return StackOutput((anatomy * 2 - 1) * sure, scar * sure)


def test_loss_falls_as_the_answer_gets_better() -> None:
    labels = _disc_slices().labels
    losses = [float(image_loss(_perfect(labels, sure), labels, _even(labels))) for sure in (-4.0, 0.0, 4.0, 12.0)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.02
    ventricle = (labels > 0).float()[:, None] * 2 - 1
    assert float(locator_loss(ventricle * 12, labels)) < 0.01 < float(locator_loss(-ventricle, labels))


def test_scar_loss_does_not_look_outside_the_wall() -> None:
    labels = _disc_slices().labels
    good = _perfect(labels, 8.0)
    elsewhere = good.scar.clone()
    elsewhere[(labels < 2)[:, None]] = 9.0
    changed = float(image_loss(good._replace(scar=elsewhere), labels, _even(labels)))
    assert changed == pytest.approx(float(image_loss(good, labels, _even(labels))), abs=0.02)


def test_nothing_is_learned_where_the_area_is_nought() -> None:
    labels = _disc_slices().labels
    area = _even(labels)
    area[:20] = 0
    good = _perfect(labels, 8.0)
    wrong = good.anatomy.clone()
    wrong[:, :, :20] = wrong[:, :, :20].flip(1)
    assert float(image_loss(good._replace(anatomy=wrong), labels, area)) == float(image_loss(good, labels, area))
    assert float(image_loss(good._replace(anatomy=wrong), labels, _even(labels))) > float(
        image_loss(good, labels, _even(labels))
    )


@pytest.fixture(autouse=True)
def batches_of_4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ScarSegECGLib.training.stages.BATCH", 4)


def _train(folder: Path, epochs: int, total: int) -> torch.nn.Module:
    slices, cpu = _disc_slices(), torch.device("cpu")
    epoch = batches(slices)
    schedule = Schedule(total * epoch, warm_up=2, average=0.5, checkpoint_every=epoch)

    def loss(output: StackOutput, labels: torch.Tensor) -> torch.Tensor:
        if loss.calls >= epochs * epoch:
            raise KeyboardInterrupt
        loss.calls += 1
        return image_loss(output, labels, _even(labels))

    loss.calls = 0
    plan = AugmentPlan(square_offsets(32), shift=1, far_shift=2)
    return fit(lambda: ScarUNet((4, 8)), loss_on(slices, plan, loss, cpu), schedule, folder, cpu, quiet=True)


def test_a_stopped_training_goes_on_where_it_was(tmp_path: Path) -> None:
    whole = _train(tmp_path / "whole", 4, 4)
    with pytest.raises(KeyboardInterrupt):
        _train(tmp_path / "parts", 2, 4)
    resumed = _train(tmp_path / "parts", 2, 4)
    for one, other in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.allclose(one.float(), other.float(), atol=1e-6)


def test_another_schedule_does_not_take_over_a_run(tmp_path: Path) -> None:
    _train(tmp_path, 1, 1)
    with pytest.raises(ValueError, match="another schedule"):
        _train(tmp_path, 2, 2)


def test_training_learns(tmp_path: Path) -> None:
    _train(tmp_path, 30, 30)
    with safe_open(tmp_path / "checkpoint.safetensors", framework="pt") as file:
        history = json.loads(file.metadata()["progress"])["loss"]
    assert history[-1] < 0.85 * history[0]


def test_networks_keep_the_size() -> None:
    output = ScarUNet((4, 8, 8))(torch.zeros(2, 3, 32, 32))
    assert output.anatomy.shape == (2, 3, 32, 32)
    assert output.scar.shape == (2, 1, 32, 32)
    assert UNet(*LOCATOR_PLANES, (4, 8))(torch.zeros(1, 1, 32, 32)).shape == (1, 1, 32, 32)
    with pytest.raises(ValueError, match="two levels"):
        ScarUNet((4,))
