"""What is trained on whom and where it is kept, and one loop for every network.

The loop keeps a running average of the weights, and checkpoints from which a stopped run is taken up.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.network.device import Network
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.network.weights import Weights

WEIGHT_DECAY = 1e-2
TUNED = 0.3  # of the learning rate, from trained weights


@dataclass(frozen=True)
class Recipe:
    """Sizes and lengths of the shipped weights: one recipe for all folds, chosen before these were looked at."""

    scar_channels: tuple[int, ...] = (20, 40, 72, 104, 136)
    locator_channels: tuple[int, ...] = (8, 16, 32, 48, 64)
    stack_channels: int = 24
    scar_epochs: int = 130
    tuning_epochs: int = 14
    locator_epochs: int = 45
    stack_steps: int = 300
    taff_steps: int = 200

    @property
    def history(self) -> str:
        """How networks of this recipe were trained, in words for the model card."""
        return (
            f"Locator {self.locator_epochs} epochs; stage 1 {self.scar_epochs} epochs from nothing, or "
            f"{self.tuning_epochs} from trained weights that had not seen the held-out patients; all folds alike. "
            "Geometry, intensity curve, noise, pixel size and field of view were varied at random, and simulated scars "
            "painted into the real walls."
        )


@dataclass(frozen=True)
class Unseen:
    """A patient by its ``number`` among all, its ``fold``, and the networks that have not seen it."""

    number: int
    fold: int
    case: ExpertCase
    session: Session


@dataclass(frozen=True)
class Plan:
    """The networks of a *group* have not seen the patients of one fold, or, the last, have seen everybody."""

    cases: Sequence[ExpertCase]
    folds: Sequence[Sequence[str]]  # of held-out names
    run: Path
    device: torch.device
    recipe: Recipe = Recipe()
    start: Weights | None = None  # to go on from
    quiet: bool = False

    @property
    def groups(self) -> list[Sequence[str]]:
        """Who is held out, group by group; nobody in the last."""
        return [*self.folds, []]

    def folder(self, group: int) -> Path:
        """Where a group's networks are kept."""
        return self.run / ("all" if group == len(self.folds) else f"fold{group}")

    def seen_by(self, group: int) -> dict[int, ExpertCase]:
        """The patients a group trains on, by their number among all."""
        return {number: case for number, case in enumerate(self.cases) if case.name not in self.groups[group]}

    def held_out(self, weights: str, title: str) -> Iterator[Unseen]:
        """Every patient, fold by fold; ``weights`` is a file of each fold's folder, ``title`` the progress bar's."""
        with tqdm(total=len(self.cases), desc=title, unit="patient", disable=self.quiet) as bar:
            for fold, names in enumerate(self.folds):
                session = Session.load(self.folder(fold) / weights, str(self.device))
                for number, case in enumerate(self.cases):
                    if case.name in names:
                        yield Unseen(number, fold, case, session)
                        bar.update()

    def trained(self, prefix: str) -> dict[str, Tensor]:
        """Stage 2 ("stack.") or the ECG's branch ("ecg.") of the start weights; nothing where none there fits."""
        # That they have seen no held-out patient was found with stage 1.
        if self.start is None or self.start.settings.get("stack_channels") != self.recipe.stack_channels:
            return {}
        return self.start.part(prefix)


@dataclass(frozen=True)
class Schedule:
    """How many batches are drawn, and how fast is learned; ``average``: decay per step of the weights' average."""

    steps: int
    learning_rate: float = 2e-3
    average: float = 0.99
    warm_up: int = 50
    seed: int = 0
    checkpoint_every: int = 250

    def rate(self, step: int) -> float:
        """Linear warm-up, then half a cosine to zero."""
        if step < self.warm_up:
            return self.learning_rate * ((step + 1) / self.warm_up)
        done = (step - self.warm_up) / (self.steps - self.warm_up)
        return self.learning_rate * (0.5 * (1 + math.cos(math.pi * done)))


def mixed(device: torch.device) -> torch.autocast:
    """bfloat16 where the device multiplies it in hardware, else float32."""
    able = torch.cpu.get_capabilities()
    on_cpu = bool(able.get("amx_bf16") or able.get("avx512_bf16"))
    fast = torch.cuda.is_bf16_supported() if device.type == "cuda" else on_cpu
    return torch.autocast(device.type, torch.bfloat16, enabled=fast)


def fit(
    make: Callable[[], Network],
    loss: Callable[[Network, torch.Generator], Tensor],
    schedule: Schedule,
    folder: Path,
    device: torch.device,
    *,
    quiet: bool = False,
    known: Mapping[str, Tensor] | None = None,
) -> Network:
    """Train, or take up again where the folder left off; returns the averaged network, in evaluation mode, on the CPU.

    ``loss(network, rng)`` draws a batch and returns what is to be made small. ``known`` weights are gone on from.
    Parameters that ``make`` has frozen stay as they are. InputError: the folder holds a run with another schedule.
    """
    torch.backends.cudnn.benchmark = True  # the fastest convolutions, where the device has a choice
    torch.manual_seed(schedule.seed)
    network = make().to(device)
    if known:
        network.load_state_dict(known)
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(schedule.average), use_buffers=True)
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(learning, weight_decay=WEIGHT_DECAY)
    file, both = folder / "checkpoint.safetensors", nn.ModuleDict({"network": network, "average": average})
    done, losses = _take_up(file, schedule, both, optimiser)
    title = f"{folder.parent.name}, {folder.name}"
    bar = tqdm(total=schedule.steps, initial=done, desc=title, unit="step", disable=quiet, mininterval=2)
    while done < schedule.steps:
        rng, total = reseed(schedule.seed, done), 0.0
        network.train()
        first, done = done, min(done + schedule.checkpoint_every, schedule.steps)
        for step in range(first, done):
            value = loss(network, rng)
            for group in optimiser.param_groups:
                group["lr"] = schedule.rate(step)
            optimiser.zero_grad(set_to_none=True)
            value.backward()
            nn.utils.clip_grad_norm_(learning, 5.0)
            optimiser.step()
            average.update_parameters(network)
            total += float(value.detach())
            bar.update()
        losses.append(round(total / (done - first), 5))
        bar.set_postfix(loss=f"{losses[-1]:.3f}")
        progress = {"done": done, "loss": losses, "schedule": asdict(schedule)}
        moments = optimiser.state_dict()["state"].items()
        held = {f"{index}.{name}": value for index, entry in moments for name, value in entry.items()}
        keep(file, both.state_dict() | held, {"progress": json.dumps(progress)})
    bar.close()
    network.load_state_dict(average.module.state_dict())
    return network.to("cpu").eval()


def reseed(seed: int, turn: int) -> torch.Generator:
    """Seed anew at every turn a run can be taken up from, so that it then sees what an uninterrupted one would see."""
    torch.manual_seed(seed * 100_003 + turn)
    return torch.Generator().manual_seed(seed * 100_003 + turn)


def once(file: Path, make: Callable[..., Mapping[str, Tensor]], *given: object) -> dict[str, Tensor]:
    """Tensors from their file, made of what is given and kept there first where they are not."""
    if not file.is_file():
        keep(file, make(*given))
    return load_file(file)


def keep(file: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write tensors as safetensors, never a pickle; a run killed meanwhile still finds the file before."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    save_file({key: value.contiguous() for key, value in tensors.items()}, partial, metadata)
    partial.replace(file)


def _take_up(
    file: Path, schedule: Schedule, networks: nn.Module, optimiser: torch.optim.Optimizer
) -> tuple[int, list[float]]:
    """Put networks and optimiser where the run left off; how many steps are done and the losses so far."""
    if not file.is_file():
        return 0, []
    with safe_open(file, framework="pt") as opened:
        progress = json.loads((opened.metadata() or {}).get("progress", "{}"))
    if progress.get("schedule") != asdict(schedule):
        raise InputError(f"{file.parent.name}: holds a run with another schedule; remove it or give another folder")
    held = load_file(file)
    if networks.state_dict().keys() - held.keys():  # a network of an earlier version: it starts anew
        return 0, []
    networks.load_state_dict({key: held.pop(key) for key in networks.state_dict()})
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in held.items():
        index, name = key.split(".")
        moments.setdefault(int(index), {})[name] = value
    optimiser.load_state_dict({"state": moments, "param_groups": optimiser.state_dict()["param_groups"]})
    return progress["done"], progress["loss"]
