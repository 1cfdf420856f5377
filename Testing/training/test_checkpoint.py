"""What a run leaves in its folder: the names in it are a format, since runs of earlier versions are taken up again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ScarSegECGLib.training.fit import Checkpoint, reseed

CPU = torch.device("cpu")
SCHEDULE = {"steps": 3, "seed": 0}


def _checkpoint(folder: Path, seed: int, steps: int) -> Checkpoint:
    torch.manual_seed(seed)
    network, average = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    optimiser = torch.optim.AdamW(network.parameters())
    for _ in range(steps):
        optimiser.zero_grad()
        network(torch.ones(1, 2)).square().sum().backward()
        optimiser.step()
    return Checkpoint(folder, SCHEDULE, "steps_done", network, average, optimiser)


def test_the_files_have_the_names_that_earlier_runs_have(tmp_path: Path) -> None:
    _checkpoint(tmp_path, 1, 2).keep(2, [0.5, 0.25])
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint.safetensors", "progress.json"}
    moments = {f"optimiser.{index}.{name}" for index in (0, 1) for name in ("step", "exp_avg", "exp_avg_sq")}
    weights = {f"{part}.{name}" for part in ("network", "average") for name in ("weight", "bias")}
    assert set(load_file(tmp_path / "checkpoint.safetensors")) == moments | weights
    progress = json.loads((tmp_path / "progress.json").read_text())
    assert progress == {"steps_done": 2, "schedule": SCHEDULE, "loss": [0.5, 0.25]}


def test_what_was_kept_is_taken_up(tmp_path: Path) -> None:
    kept = _checkpoint(tmp_path, 1, 2)
    kept.keep(2, [0.5, 0.25])
    taken = _checkpoint(tmp_path, 2, 0)
    assert taken.take_up(CPU) == (2, [0.5, 0.25])
    for one, other in ((kept.network, taken.network), (kept.average, taken.average)):
        assert torch.equal(one.weight, other.weight)
    assert torch.equal(
        kept.optimiser.state_dict()["state"][0]["exp_avg"], taken.optimiser.state_dict()["state"][0]["exp_avg"]
    )


def test_an_empty_folder_is_a_beginning(tmp_path: Path) -> None:
    assert _checkpoint(tmp_path, 1, 0).take_up(CPU) == (0, [])


def test_a_run_killed_while_it_writes_keeps_the_state_before(tmp_path: Path, monkeypatch) -> None:
    _checkpoint(tmp_path, 1, 1).keep(1, [0.5])
    before = (tmp_path / "checkpoint.safetensors").read_bytes()

    def killed(state, path) -> None:
        save_file(state, path)
        raise KeyboardInterrupt

    monkeypatch.setattr("ScarSegECGLib.training.fit.save_file", killed)
    with pytest.raises(KeyboardInterrupt):
        _checkpoint(tmp_path, 1, 2).keep(2, [0.5, 0.25])
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before
    assert json.loads((tmp_path / "progress.json").read_text())["steps_done"] == 1


def test_every_turn_has_its_own_seed() -> None:
    first = reseed(3, 7)
    drawn, own = torch.rand(2), torch.rand(2, generator=first)
    assert torch.equal(torch.rand(2, generator=reseed(3, 7)), own)
    assert torch.equal(torch.rand(2), drawn)
    assert not torch.equal(torch.rand(2, generator=reseed(3, 8)), own)
