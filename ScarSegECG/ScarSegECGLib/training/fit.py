"""One loop for the small networks: steps, running average, checkpoints that a stopped run takes up again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn
from tqdm import tqdm

from ScarSegECGLib.training.checkpoint import Checkpoint, reseed
from ScarSegECGLib.training.train import fast_precision, follow, learning_rate_factor

Network = TypeVar("Network", bound=nn.Module)
TUNED = 0.3  # of the learning rate, from trained weights


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

    def tuned(self) -> Steps:
        """The same from trained weights: smaller steps."""
        return replace(self, learning_rate=TUNED * self.learning_rate)


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
    checkpoint = Checkpoint(folder, asdict(schedule), "steps_done", network, average, optimiser)
    done, history = checkpoint.take_up(device)
    precision = fast_precision(device)
    bar = tqdm(total=schedule.steps, initial=done, desc=title, unit="step", disable=quiet, mininterval=2)
    rng, total = reseed(schedule.seed, done), 0.0
    network.train()
    for step in range(done, schedule.steps):
        for group in optimiser.param_groups:
            group["lr"] = schedule.learning_rate * learning_rate_factor(step, schedule.steps, schedule.warm_up)
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            value = loss(network, rng)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(learning, 5.0)
        optimiser.step()
        follow(average, network, schedule.average)
        total += float(value.detach())
        bar.update()
        if (step + 1) % schedule.checkpoint_every == 0 or step + 1 == schedule.steps:
            history.append(round(total / schedule.checkpoint_every, 5))
            bar.set_postfix(loss=f"{history[-1]:.3f}")
            checkpoint.keep(step + 1, history)
            rng, total = reseed(schedule.seed, step + 1), 0.0
    bar.close()
    return average.to("cpu").eval()
