"""Train one network on one set of patients, with checkpoints that a stopped run resumes from."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm import tqdm

from ScarSegECGLib.network.device import place
from ScarSegECGLib.training.augment import AugmentPlan, augment
from ScarSegECGLib.training.dataset import Slices

Loss = Callable[..., Tensor]
Change = Callable[[Tensor, Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    ``average`` is the decay per step of the running average of the weights, which is what is kept in the end.
    """

    epochs: int
    batch: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warm_up_steps: int = 100
    average: float = 0.995
    seed: int = 0
    checkpoint_every: int = 10


def fast_precision(device: torch.device) -> torch.dtype:
    """bfloat16 where the machine multiplies it in hardware, else float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    able = torch.cpu.get_capabilities()
    return torch.bfloat16 if able.get("amx_bf16") or able.get("avx512_bf16") else torch.float32


def _learning_rate_factor(step: int, steps: int, warm_up: int) -> float:
    """Linear warm-up, then half a cosine to zero."""
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm_up) / max(1, steps - warm_up))))


def _flat_state(network: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Everything a resumed run needs, as named tensors: a checkpoint is safetensors, never a pickle."""
    state = {f"network.{key}": value for key, value in network.state_dict().items()}
    state |= {f"average.{key}": value for key, value in average.state_dict().items()}
    for index, entry in optimiser.state_dict()["state"].items():
        state |= {f"optimiser.{index}.{key}": value for key, value in entry.items()}
    return {key: value.detach().contiguous().clone() for key, value in state.items()}


def _restore(
    state: dict[str, Tensor], network: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer
) -> None:
    def part(prefix: str) -> dict[str, Tensor]:
        return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}

    network.load_state_dict(part("network."))
    average.load_state_dict(part("average."))
    parameters = list(network.parameters())
    entries: dict[int, dict[str, Tensor]] = {}
    for key, value in part("optimiser.").items():
        index, name = key.split(".", 1)
        like = parameters[int(index)]
        # The fused optimiser walks parameter and moments in memory order, so their layouts must be the same.
        moment = torch.empty_like(like).copy_(value) if value.shape == like.shape else value
        entries.setdefault(int(index), {})[name] = moment
    optimiser.load_state_dict({"state": entries, "param_groups": optimiser.state_dict()["param_groups"]})


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the average a little towards the network; counters and other integers are copied."""
    for slow, fast in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if slow.is_floating_point():
            slow.lerp_(fast, 1 - decay)
        else:
            slow.copy_(fast)


def train_network(
    make_network: Callable[[], nn.Module],
    loss: Loss,
    slices: Slices,
    plan: AugmentPlan,
    schedule: Schedule,
    folder: Path,
    *,
    device: torch.device,
    title: str,
    quiet: bool = False,
    change: Change | None = None,
) -> nn.Module:
    """Train, or take up again where ``folder`` left off.

    Parameters
    ----------
    make_network : returns a fresh network
    loss : ``loss(network_output, labels)``
    slices : training slices of all patients but the held-out ones
    folder : holds ``checkpoint.safetensors`` and ``progress.json`` while training
    title : shown beside the progress bar
    change : ``change(images, labels, chosen, rng)`` alters a batch before it is augmented

    Returns
    -------
    The averaged network, in evaluation mode, on the CPU.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint, progress_file = folder / "checkpoint.safetensors", folder / "progress.json"
    torch.manual_seed(schedule.seed)
    network = place(make_network(), device)
    average = place(make_network(), device)
    average.load_state_dict(network.state_dict())
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay, fused=True
    )
    steps_per_epoch = max(1, len(slices.images) // schedule.batch)
    steps = schedule.epochs * steps_per_epoch
    done, history = 0, []
    if checkpoint.is_file() and progress_file.is_file():
        progress = json.loads(progress_file.read_text())
        if progress["schedule"] != asdict(schedule):
            raise ValueError(f"{folder} holds a run with another schedule; remove it or give another folder")
        _restore(load_file(checkpoint, device=str(device)), network, average, optimiser)
        done, history = progress["epochs_done"], progress["loss"]

    precision = fast_precision(device)
    bar = tqdm(total=schedule.epochs, initial=done, desc=title, unit="epoch", disable=quiet, mininterval=2)
    for epoch in range(done, schedule.epochs):
        # Seeded per epoch, so that a resumed run sees what an uninterrupted one would have seen.
        rng = torch.Generator().manual_seed(schedule.seed * 100_003 + epoch)
        torch.manual_seed(schedule.seed * 100_003 + epoch)
        network.train()
        order = torch.randperm(len(slices.images), generator=rng)[: steps_per_epoch * schedule.batch]
        total = 0.0
        for turn, chosen in enumerate(order.split(schedule.batch)):
            factor = _learning_rate_factor(epoch * steps_per_epoch + turn, steps, schedule.warm_up_steps)
            for group in optimiser.param_groups:
                group["lr"] = schedule.learning_rate * factor
            images, labels = slices.images[chosen].float(), slices.labels[chosen]
            if change is not None:
                images, labels = change(images, labels, chosen, rng)
            images, labels = augment(images, labels, slices.centres[chosen], plan, rng)
            images = images.to(device, memory_format=torch.channels_last)
            with torch.autocast(device.type, precision, enabled=precision != torch.float32):
                output = network(images)
            value = loss(output, labels.to(device))
            optimiser.zero_grad(set_to_none=True)
            value.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            _follow(average, network, schedule.average)
            total += float(value.detach())
        history.append(round(total / steps_per_epoch, 5))
        bar.set_postfix(loss=f"{history[-1]:.3f}")
        bar.update()
        if (epoch + 1) % schedule.checkpoint_every == 0 or epoch + 1 == schedule.epochs:
            partial = checkpoint.with_suffix(".partial")
            save_file(_flat_state(network, average, optimiser), partial)
            partial.replace(checkpoint)
            progress_file.write_text(
                json.dumps({"epochs_done": epoch + 1, "schedule": asdict(schedule), "loss": history})
            )
    bar.close()
    return average.to("cpu").eval()
