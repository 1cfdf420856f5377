"""The sizes and schedules the shipped weights were made with."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ScarSegECGLib.network.unet import LocatorUNet, ScarUNet
from ScarSegECGLib.training.augment import AugmentPlan
from ScarSegECGLib.training.train import Schedule


@dataclass(frozen=True)
class Recipe:
    """One recipe for all folds, chosen before the folds were looked at."""

    scar_channels: tuple[int, ...] = (24, 48, 80, 112, 144)
    scar_epochs: int = 300
    locator_channels: tuple[int, ...] = (8, 16, 32, 48, 64)
    locator_epochs: int = 50
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
            f"{self.scar_epochs} epochs for each scar network and {self.locator_epochs} for each locator. "
            "Geometry and intensities were varied at random, and simulated scars painted into the real walls."
        )

    @property
    def scar_plan(self) -> AugmentPlan:
        """80 pixels (100 mm) of the field, the LV up to 10 mm off the centre."""
        return AugmentPlan(size=80, shift=8)

    @property
    def locator_plan(self) -> AugmentPlan:
        """320 mm of the whole slice, the LV up to 100 mm off the centre: the training images have it in the middle."""
        return AugmentPlan(size=128, shift=40, neighbour_shift=0)

    @property
    def scar_schedule(self) -> Schedule:
        """Of the scar network."""
        return Schedule(epochs=self.scar_epochs, batch=self.batch, average=0.998)

    @property
    def locator_schedule(self) -> Schedule:
        """Of the locator."""
        return Schedule(epochs=self.locator_epochs, batch=self.batch, average=0.99)


def training_device(wish: torch.device) -> torch.device:
    """Allow the fastest convolutions where the device has a choice."""
    if wish.type == "cuda":
        torch.backends.cudnn.benchmark = True
    return wish
