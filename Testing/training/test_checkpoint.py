"""What a run leaves in its folder, and how it is taken up from there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from ScarSegECGLib.training.fit import Schedule, fit, reseed

CPU = torch.device("cpu")
SCHEDULE = Schedule(4, checkpoint_every=2)


def _fit(folder: Path, stop: int = 4) -> torch.nn.Module:
    """Fit a line, or be interrupted once so many batches have been asked for."""
    asked = []

    def loss(network: torch.nn.Module, rng: torch.Generator) -> torch.Tensor:
        if len(asked) >= stop:
            raise KeyboardInterrupt
        asked.append(True)
        return network(torch.rand(3, 2, generator=rng)).square().sum()

    return fit(lambda: torch.nn.Linear(2, 1), loss, SCHEDULE, folder, CPU, quiet=True)


def _progress(folder: Path) -> dict:
    with safe_open(folder / "checkpoint.safetensors", framework="pt") as file:
        return json.loads(file.metadata()["progress"])


def test_one_file_holds_the_networks_the_optimiser_and_how_far_it_is(tmp_path: Path) -> None:
    _fit(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.safetensors"]
    moments = {f"{index}.{name}" for index in (0, 1) for name in ("step", "exp_avg", "exp_avg_sq")}
    weights = {f"{part}.{name}" for part in ("network", "average.module") for name in ("weight", "bias")}
    assert set(load_file(tmp_path / "checkpoint.safetensors")) == moments | weights | {"average.n_averaged"}
    progress = _progress(tmp_path)
    assert progress["done"] == 4 and len(progress["loss"]) == 2 and progress["schedule"]["steps"] == 4


def test_what_was_kept_is_taken_up(tmp_path: Path) -> None:
    whole = _fit(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        _fit(tmp_path / "parts", 3)  # in the second half
    assert _progress(tmp_path / "parts")["done"] == 2
    resumed = _fit(tmp_path / "parts", 2)
    assert torch.equal(whole.weight, resumed.weight) and torch.equal(whole.bias, resumed.bias)
    again = _fit(tmp_path / "parts", 0)
    assert torch.equal(whole.weight, again.weight)


def test_a_run_killed_while_it_writes_keeps_the_state_before(tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(KeyboardInterrupt):
        _fit(tmp_path, 2)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()

    def killed(state, path, metadata) -> None:
        save_file(state, path, metadata)
        raise KeyboardInterrupt

    monkeypatch.setattr("ScarSegECGLib.training.fit.save_file", killed)
    with pytest.raises(KeyboardInterrupt):
        _fit(tmp_path)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before
    assert _progress(tmp_path)["done"] == 2


def test_every_turn_has_its_own_seed() -> None:
    first = reseed(3, 7)
    drawn, own = torch.rand(2), torch.rand(2, generator=first)
    assert torch.equal(torch.rand(2, generator=reseed(3, 7)), own)
    assert torch.equal(torch.rand(2), drawn)
    assert not torch.equal(torch.rand(2, generator=reseed(3, 8)), own)


def test_a_checkpoint_of_other_tensors_starts_anew(tmp_path: Path) -> None:
    """As one of an earlier version, whose network was called otherwise, holds."""
    made, file = _fit(tmp_path), tmp_path / "checkpoint.safetensors"
    with safe_open(file, framework="pt") as opened:
        metadata = opened.metadata()
    renamed = {name.replace("network.", "network.trunk."): tensor for name, tensor in load_file(file).items()}
    save_file(renamed, file, metadata)
    assert torch.equal(made.weight, _fit(tmp_path).weight)
