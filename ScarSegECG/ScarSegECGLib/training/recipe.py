"""The sizes and schedules the shipped weights were made with."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ScarSegECGLib.network.field import PIXEL_MM
from ScarSegECGLib.network.polar_grid import polar_offsets_mm
from ScarSegECGLib.network.unet import LocatorUNet, ScarUNet
from ScarSegECGLib.training.augment import AugmentPlan, square_offsets
from ScarSegECGLib.training.train import Schedule


@dataclass(frozen=True)
class Recipe:
    """One recipe for all folds, chosen before the folds were looked at."""

    scar_channels: tuple[int, ...] = (20, 40, 72, 104, 136)
    scar_epochs: int = 130
    members: int = 1
    locator_channels: tuple[int, ...] = (8, 16, 32, 48, 64)
    locator_epochs: int = 40
    batch: int = 16

    def scar_network(self) -> ScarUNet:
        """A fresh network for cavity, wall and scar."""
        return ScarUNet(self.scar_channels)

    def locator_network(self) -> LocatorUNet:
        """A fresh locator."""
        return LocatorUNet(self.locator_channels)

    @property
    def history(self) -> str:
        """How networks of this recipe were trained, in words for the model card."""
        return (
            f"For every fold {self.members} scar network(s) of {self.scar_epochs} epochs and a locator of "
            f"{self.locator_epochs}; all folds alike. Geometry and intensities were varied at random, and simulated "
            "scars painted into the real walls."
        )

    @property
    def scar_plan(self) -> AugmentPlan:
        """The slice unrolled about a centre that is some millimetres off the LV's, now and then far off."""
        return AugmentPlan(polar_offsets_mm() / PIXEL_MM, shift=2.0, far_shift=5.0)

    @property
    def locator_plan(self) -> AugmentPlan:
        """320 mm of the whole slice, the LV anywhere in it: the training images have it in the middle."""
        return AugmentPlan(square_offsets(128), shift=25.0, far_shift=25.0, scale=1.2, stretch=1.1, neighbour_shift=0.0)

    def scar_schedule(self, member: int) -> Schedule:
        """Of one of a fold's scar networks."""
        return Schedule(epochs=self.scar_epochs, batch=self.batch, average=0.998, seed=member)

    @property
    def locator_schedule(self) -> Schedule:
        """Of the locator."""
        return Schedule(epochs=self.locator_epochs, batch=self.batch, average=0.99)


def training_device(wish: torch.device) -> torch.device:
    """Allow the fastest convolutions where the device has a choice."""
    if wish.type == "cuda":
        torch.backends.cudnn.benchmark = True
    return wish
