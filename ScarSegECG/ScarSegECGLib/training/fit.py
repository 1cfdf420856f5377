"""One loop for the small networks: steps, running average, checkpoints that a stopped run takes up again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm import tqdm

from ScarSegECGLib.training.train import _flat_state, _follow, _learning_rate_factor, _restore, fast_precision

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Steps:
    """How many steps, and how fast. ``average`` is the decay per step of the running average that is kept."""

    steps: int
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warm_up: int = 50
    average: float = 0.99
    seed: int = 0
    checkpoint_every: int = 250


def _reseed(schedule: Steps, step: int) -> torch.Generator:
    """Seeded anew at every checkpoint, so that a resumed run sees what an uninterrupted one would have seen."""
    torch.manual_seed(schedule.seed * 100_003 + step)
    return torch.Generator().manual_seed(schedule.seed * 100_003 + step)


def fit(
    make: Callable[[], Network],
    loss: Callable[[Network, torch.Generator], Tensor],
    schedule: Steps,
    folder: Path,
    *,
    device: torch.device,
    title: str,
    trained: Callable[[Network], Iterable[nn.Parameter]] = lambda network: network.parameters(),
    quiet: bool = False,
) -> Network:
    """Train, or take up again where ``folder`` left off.

    Parameters
    ----------
    make : returns a fresh network
    loss : ``loss(network, rng)`` draws a batch and returns what is to be made small; run in mixed precision on CUDA
    folder : holds ``checkpoint.safetensors`` and ``progress.json`` while training
    trained : which of the network's parameters learn; the others stay as ``make`` gave them

    Returns
    -------
    The averaged network, in evaluation mode, on the CPU.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint, progress_file = folder / "checkpoint.safetensors", folder / "progress.json"
    torch.manual_seed(schedule.seed)
    network = make().to(device)
    average = make().to(device)
    average.load_state_dict(network.state_dict())
    learning = list(trained(network))
    chosen = {id(parameter) for parameter in learning}
    for parameter in network.parameters():
        parameter.requires_grad_(id(parameter) in chosen)
    # All parameters, though the optimiser passes over those without a gradient: a checkpoint numbers them so.
    optimiser = torch.optim.AdamW(network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    done, history = 0, []
    if checkpoint.is_file() and progress_file.is_file():
        progress = json.loads(progress_file.read_text())
        if progress["schedule"] != asdict(schedule):
            raise ValueError(f"{folder} holds a run with another schedule; remove it or give another folder")
        _restore(load_file(checkpoint, device=str(device)), network, average, optimiser)
        done, history = progress["steps_done"], progress["loss"]
    precision = fast_precision(device) if device.type == "cuda" else torch.float32
    bar = tqdm(total=schedule.steps, initial=done, desc=title, unit="step", disable=quiet, mininterval=2)
    rng, total = _reseed(schedule, done), 0.0
    network.train()
    for step in range(done, schedule.steps):
        for group in optimiser.param_groups:
            group["lr"] = schedule.learning_rate * _learning_rate_factor(step, schedule.steps, schedule.warm_up)
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            value = loss(network, rng)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(learning, 5.0)
        optimiser.step()
        _follow(average, network, schedule.average)
        total += float(value.detach())
        bar.update()
        if (step + 1) % schedule.checkpoint_every == 0 or step + 1 == schedule.steps:
            history.append(round(total / schedule.checkpoint_every, 5))
            bar.set_postfix(loss=f"{history[-1]:.3f}")
            partial = checkpoint.with_suffix(".partial")
            save_file(_flat_state(network, average, optimiser), partial)
            partial.replace(checkpoint)
            progress_file.write_text(
                json.dumps({"steps_done": step + 1, "schedule": asdict(schedule), "loss": history})
            )
            rng, total = _reseed(schedule, step + 1), 0.0
    bar.close()
    return average.to("cpu").eval()
