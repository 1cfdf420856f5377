"""One loop for every network: a running average of the weights, and checkpoints that a stopped run is taken up from."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm import tqdm

Network = TypeVar("Network", bound=nn.Module)
TUNED = 0.3  # of the learning rate, from trained weights


@dataclass(frozen=True)
class Epochs:
    """How often all slices are seen, and how fast is learned; ``average``: decay per step of the weights' average."""

    epochs: int
    batch: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warm_up_steps: int = 100
    average: float = 0.995
    seed: int = 0
    checkpoint_every: int = 10


@dataclass(frozen=True)
class Steps:
    """How many batches are drawn, and how fast is learned; ``average`` as in :class:`Epochs`."""

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


@dataclass(frozen=True)
class Place:
    """Where a network is trained: the folder of its checkpoints, what its progress bar is called, the device."""

    folder: Path
    title: str
    device: torch.device
    quiet: bool = False


def mixed(device: torch.device) -> torch.autocast:
    """bfloat16 where the device multiplies it in hardware, else float32."""
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported()
    else:
        able = torch.cpu.get_capabilities()
        fast = bool(able.get("amx_bf16") or able.get("avx512_bf16"))
    return torch.autocast(device.type, torch.bfloat16, enabled=fast)


def fit(
    make: Callable[[], Network],
    loss: Callable[[Network, torch.Generator], Tensor],
    schedule: Epochs | Steps,
    place: Place,
    *,
    steps_each: int = 1,
    trained: Callable[[Network], Iterable[nn.Parameter]] = lambda network: network.parameters(),
) -> Network:
    """Train, or take up again where the folder left off; returns the averaged network, in evaluation mode, on the CPU.

    ``loss(network, rng)`` draws a batch and returns what is to be made small; an epoch has ``steps_each``. ``trained``
    are the network's parameters that learn; the others stay as ``make`` gave them. Errors: :meth:`Checkpoint.take_up`.
    """
    if isinstance(schedule, Epochs):
        unit, length, warm_up, at_once = "epoch", schedule.epochs, schedule.warm_up_steps, 1
    else:
        unit, length, warm_up, at_once = "step", schedule.steps, schedule.warm_up, schedule.checkpoint_every
    torch.backends.cudnn.benchmark = True  # the fastest convolutions, where the device has a choice
    torch.manual_seed(schedule.seed)
    network, average = make().to(place.device), make().to(place.device)
    average.load_state_dict(network.state_dict())
    learning = list(trained(network))
    chosen = {id(parameter) for parameter in learning}
    for parameter in network.parameters():
        parameter.requires_grad_(id(parameter) in chosen)
    # All parameters, though the optimiser passes over those without a gradient: a checkpoint numbers them so.
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay, fused=True
    )
    checkpoint = Checkpoint(place.folder, asdict(schedule), f"{unit}s_done", network, average, optimiser)
    done, history = checkpoint.take_up(place.device)
    bar = tqdm(total=length, initial=done, desc=place.title, unit=unit, disable=place.quiet, mininterval=2)
    while done < length:
        rng, total = reseed(schedule.seed, done), 0.0
        network.train()
        first, done = done * steps_each, min(done + at_once, length)
        for step in range(first, done * steps_each):
            value = loss(network, rng)
            for group in optimiser.param_groups:
                group["lr"] = schedule.learning_rate * learning_rate_factor(step, length * steps_each, warm_up)
            optimiser.zero_grad(set_to_none=True)
            value.backward()
            nn.utils.clip_grad_norm_(learning, 5.0)
            optimiser.step()
            follow(average, network, schedule.average)
            total += float(value.detach())
            bar.update((step + 1) % steps_each == 0)
        history.append(round(total / (done * steps_each - first), 5))
        bar.set_postfix(loss=f"{history[-1]:.3f}")
        if done % schedule.checkpoint_every == 0 or done == length:
            checkpoint.keep(done, history)
    bar.close()
    return average.to("cpu").eval()


def started(network: Network, known: Mapping[str, Tensor]) -> Network:
    """The network with weights that are known, where there are such."""
    if known:
        network.load_state_dict(known)
    return network


def halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors as they are shipped: floating point in 16 bit."""
    return {key: value.half() if value.is_floating_point() else value for key, value in tensors.items()}


def learning_rate_factor(step: int, steps: int, warm_up: int) -> float:
    """Linear warm-up, then half a cosine to zero."""
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm_up) / max(1, steps - warm_up))))


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the average a little towards the network; counters and other integers are copied."""
    for slow, fast in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if slow.is_floating_point():
            slow.lerp_(fast, 1 - decay)
        else:
            slow.copy_(fast)


def reseed(seed: int, turn: int) -> torch.Generator:
    """Seed anew at every turn a run can be taken up from, so that it then sees what an uninterrupted one would see."""
    torch.manual_seed(seed * 100_003 + turn)
    return torch.Generator().manual_seed(seed * 100_003 + turn)


def once(file: Path, make: Callable[..., Mapping[str, Tensor]], *given: object) -> dict[str, Tensor]:
    """Tensors from their file, made of what is given and kept there first where they are not."""
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".partial")
        save_file({key: value.contiguous() for key, value in make(*given).items()}, partial)
        partial.replace(file)
    return load_file(file)


@dataclass(frozen=True)
class Checkpoint:
    """One run in its folder: networks and optimiser as safetensors, never a pickle, and ``progress.json``.

    ``counted`` is what that counts. ``network.parameters()`` number the optimiser's entries in the file.
    """

    folder: Path
    schedule: Mapping[str, object]
    counted: str
    network: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer

    def take_up(self, device: torch.device) -> tuple[int, list[float]]:
        """Put networks and optimiser where the run left off; how much is done and the losses so far.

        Raises
        ------
        ValueError : the folder holds a run with another schedule.
        """
        state, progress = self._files
        if not (state.is_file() and progress.is_file()):
            return 0, []
        told = json.loads(progress.read_text())
        if told["schedule"] != self.schedule:
            raise ValueError(f"{self.folder} holds a run with another schedule; remove it or give another folder")
        held = load_file(state, device=str(device))
        self.network.load_state_dict(_part(held, "network."))
        self.average.load_state_dict(_part(held, "average."))
        parameters = list(self.network.parameters())
        entries: dict[int, dict[str, Tensor]] = {}
        for key, value in _part(held, "optimiser.").items():
            index, name = key.split(".", 1)
            like = parameters[int(index)]
            # The fused optimiser walks parameter and moments in memory order, so their layouts must be the same.
            moment = torch.empty_like(like).copy_(value) if value.shape == like.shape else value
            entries.setdefault(int(index), {})[name] = moment
        self.optimiser.load_state_dict({"state": entries, "param_groups": self.optimiser.state_dict()["param_groups"]})
        return told[self.counted], told["loss"]

    def keep(self, done: int, losses: list[float]) -> None:
        """Write the present state; a run killed meanwhile still finds the one before."""
        state, progress = self._files
        held = {f"network.{key}": value for key, value in self.network.state_dict().items()}
        held |= {f"average.{key}": value for key, value in self.average.state_dict().items()}
        for index, entry in self.optimiser.state_dict()["state"].items():
            held |= {f"optimiser.{index}.{key}": value for key, value in entry.items()}
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = state.with_suffix(".partial")
        save_file({key: value.detach().contiguous().clone() for key, value in held.items()}, partial)
        partial.replace(state)
        progress.write_text(json.dumps({self.counted: done, "schedule": self.schedule, "loss": losses}))

    @property
    def _files(self) -> tuple[Path, Path]:
        return self.folder / "checkpoint.safetensors", self.folder / "progress.json"


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
