"""What a stopped training is taken up from: networks and optimiser as safetensors, progress as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


@dataclass(frozen=True)
class Checkpoint:
    """One run in its folder, as ``checkpoint.safetensors`` and ``progress.json``.

    Attributes
    ----------
    folder : Path
    schedule : mapping
        The schedule's fields; a run with others is not taken up.
    counted : str
        What is counted, as ``progress.json`` names it: "epochs_done" or "steps_done".
    network, average : Module
        The network that learns and its running average.
    optimiser : Optimizer
        Made with ``network.parameters()``, which number its entries in the file.
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
        ValueError
            The folder holds a run with another schedule.
        """
        if not (self._state.is_file() and self._progress.is_file()):
            return 0, []
        progress = json.loads(self._progress.read_text())
        if progress["schedule"] != self.schedule:
            raise ValueError(f"{self.folder} holds a run with another schedule; remove it or give another folder")
        self._restore(load_file(self._state, device=str(device)))
        return progress[self.counted], progress["loss"]

    def keep(self, done: int, losses: list[float]) -> None:
        """Write the present state; a run killed meanwhile still finds the one before."""
        partial = self._state.with_suffix(".partial")
        save_file(self._flat(), partial)
        partial.replace(self._state)
        self._progress.write_text(json.dumps({self.counted: done, "schedule": self.schedule, "loss": losses}))

    @property
    def _state(self) -> Path:
        return self.folder / "checkpoint.safetensors"

    @property
    def _progress(self) -> Path:
        return self.folder / "progress.json"

    def _flat(self) -> dict[str, Tensor]:
        """Everything a resumed run needs, as named tensors: a checkpoint is safetensors, never a pickle."""
        state = {f"network.{key}": value for key, value in self.network.state_dict().items()}
        state |= {f"average.{key}": value for key, value in self.average.state_dict().items()}
        for index, entry in self.optimiser.state_dict()["state"].items():
            state |= {f"optimiser.{index}.{key}": value for key, value in entry.items()}
        return {key: value.detach().contiguous().clone() for key, value in state.items()}

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        def part(prefix: str) -> dict[str, Tensor]:
            return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}

        self.network.load_state_dict(part("network."))
        self.average.load_state_dict(part("average."))
        parameters = list(self.network.parameters())
        entries: dict[int, dict[str, Tensor]] = {}
        for key, value in part("optimiser.").items():
            index, name = key.split(".", 1)
            like = parameters[int(index)]
            # The fused optimiser walks parameter and moments in memory order, so their layouts must be the same.
            moment = torch.empty_like(like).copy_(value) if value.shape == like.shape else value
            entries.setdefault(int(index), {})[name] = moment
        self.optimiser.load_state_dict({"state": entries, "param_groups": self.optimiser.state_dict()["param_groups"]})


def reseed(seed: int, turn: int) -> torch.Generator:
    """Seed anew at every turn a run can be taken up from, so that it then sees what an uninterrupted one would see."""
    torch.manual_seed(seed * 100_003 + turn)
    return torch.Generator().manual_seed(seed * 100_003 + turn)
