"""The sizes and schedules the shipped weights were made with."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ScarSegECGLib.lge.checks import LEAST_FIELD_MM
from ScarSegECGLib.network.field import LOCATOR_PIXEL_MM, PIXEL_MM
from ScarSegECGLib.network.intensity import heart_disc
from ScarSegECGLib.network.polar_grid import polar_offsets_mm
from ScarSegECGLib.network.unet import LocatorUNet, ScarUNet
from ScarSegECGLib.training.augment import AugmentPlan, square_offsets
from ScarSegECGLib.training.train import Schedule


@dataclass(frozen=True)
class Recipe:
    """One recipe for all folds, chosen before the folds were looked at."""

    scar_channels: tuple[int, ...] = (20, 40, 72, 104, 136)
    scar_epochs: int = 130
    tuning_epochs: int = 14
    locator_channels: tuple[int, ...] = (8, 16, 32, 48, 64)
    locator_epochs: int = 45
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
            f"Locator {self.locator_epochs} epochs; stage 1 {self.scar_epochs} epochs from nothing, or "
            f"{self.tuning_epochs} from trained weights that had not seen the held-out patients; all folds alike. "
            "Geometry, intensity curve, noise, pixel size and field of view were varied at random, and simulated scars "
            "painted into the real walls."
        )

    @property
    def scar_plan(self) -> AugmentPlan:
        """The slice unrolled about a centre that is some millimetres off the LV's, now and then far off."""
        return AugmentPlan(polar_offsets_mm() / PIXEL_MM, shift=2.0, far_shift=5.0, levelled_where=heart_disc())

    @property
    def locator_plan(self) -> AugmentPlan:
        """320 mm of the whole slice, the LV anywhere in it: the training images have it in the middle."""
        return AugmentPlan(
            square_offsets(128),
            shift=20.0,
            far_shift=25.0,
            scale=1.3,
            stretch=1.1,
            neighbour_shift=0.0,
            crop_pixels=(LEAST_FIELD_MM / LOCATOR_PIXEL_MM, 260 / LOCATOR_PIXEL_MM),
        )

    def scar_schedule(self, tuned: bool) -> Schedule:
        """Of the scar network; ``tuned``: it starts from trained weights."""
        if tuned:
            return Schedule(self.tuning_epochs, self.batch, learning_rate=1e-3, average=0.995, checkpoint_every=1)
        return Schedule(epochs=self.scar_epochs, batch=self.batch, average=0.998)

    def locator_schedule(self, tuned: bool) -> Schedule:
        """Of the locator; ``tuned``: it starts from trained weights."""
        if tuned:
            return Schedule(self.tuning_epochs, self.batch, learning_rate=5e-4, average=0.99, checkpoint_every=2)
        return Schedule(epochs=self.locator_epochs, batch=self.batch, average=0.99, checkpoint_every=2)


def training_device(wish: torch.device) -> torch.device:
    """Allow the fastest convolutions where the device has a choice."""
    if wish.type == "cuda":
        torch.backends.cudnn.benchmark = True
    return wish
