"""What is trained on whom, for how long, and where it is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.network.weights import Weights


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
    """``folds`` of held-out names; the networks of a *group* have not seen those of one fold, or, the last, nobody's.

    ``start``: trained weights to go on from, if any.
    """

    cases: Sequence[ExpertCase]
    folds: Sequence[Sequence[str]]
    run: Path
    device: torch.device
    recipe: Recipe = Recipe()
    start: Weights | None = None
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
        """Stage 2 ("stack.") or the ECG's branch ("ecg.") of the start weights; nothing where they hold none that fits.

        That they have seen no held-out patient was found with stage 1.
        """
        if self.start is None or self.start.settings.get("stack_channels") != self.recipe.stack_channels:
            return {}
        return self.start.part(prefix)
