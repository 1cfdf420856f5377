"""Train one network on one set of patients, with checkpoints that a stopped run resumes from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from ScarSegECGLib.network.device import place
from ScarSegECGLib.training.augment import AugmentPlan, augment
from ScarSegECGLib.training.checkpoint import Checkpoint, reseed
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
    torch.manual_seed(schedule.seed)
    network = place(make_network(), device)
    average = place(make_network(), device)
    average.load_state_dict(network.state_dict())
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay, fused=True
    )
    steps_per_epoch = max(1, len(slices.images) // schedule.batch)
    steps = schedule.epochs * steps_per_epoch
    checkpoint = Checkpoint(folder, asdict(schedule), "epochs_done", network, average, optimiser)
    done, history = checkpoint.take_up(device)
    precision = fast_precision(device)
    bar = tqdm(total=schedule.epochs, initial=done, desc=title, unit="epoch", disable=quiet, mininterval=2)
    for epoch in range(done, schedule.epochs):
        rng = reseed(schedule.seed, epoch)
        network.train()
        order = torch.randperm(len(slices.images), generator=rng)[: steps_per_epoch * schedule.batch]
        total = 0.0
        for turn, chosen in enumerate(order.split(schedule.batch)):
            factor = learning_rate_factor(epoch * steps_per_epoch + turn, steps, schedule.warm_up_steps)
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
            follow(average, network, schedule.average)
            total += float(value.detach())
        history.append(round(total / steps_per_epoch, 5))
        bar.set_postfix(loss=f"{history[-1]:.3f}")
        bar.update()
        if (epoch + 1) % schedule.checkpoint_every == 0 or epoch + 1 == schedule.epochs:
            checkpoint.keep(epoch + 1, history)
    bar.close()
    return average.to("cpu").eval()
