"""The image network: a 2D U-Net that sees a slice between its two neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ANATOMY_CLASSES = 3  # background, LV cavity, LV wall (with its scar)


class ImageOutput(NamedTuple):
    """What the image alone says.

    ``anatomy`` are logits [B, 3, H, W] for background, cavity and wall. ``scar`` is the logit [B, 1, H, W] of scar
    *given wall*, so that whatever moves it can never move the heart's outline. ``features`` are the encoder's
    outputs from fine to coarse, for TAFF.
    """

    anatomy: Tensor
    scar: Tensor
    features: list[Tensor]


class ConvBlock(nn.Sequential):
    """Two 3x3 convolutions, each with batch norm and ReLU: [B, in, H, W] -> [B, out, H, W]."""

    def __init__(self, inputs: int, outputs: int, dropout: float = 0.0) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Dropout2d(dropout),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class UNet(nn.Module):
    """Plain U-Net trunk: [B, in, H, W] -> [B, out, H, W] and the encoder's features.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    channels : sequence of int
        Feature channels per level, fine to coarse; H and W must be multiples of ``2 ** (len(channels) - 1)``.
    dropout : float
        Channel dropout inside the two coarsest blocks of the encoder, in training only.
    """

    def __init__(self, inputs: int, outputs: int, channels: Sequence[int], dropout: float = 0.0) -> None:
        super().__init__()
        if len(channels) < 2:
            raise ValueError("a U-Net needs at least two levels")
        deep = len(channels) - 2
        widths = [inputs, *channels]
        self.encoder = nn.ModuleList(
            ConvBlock(widths[i], widths[i + 1], dropout if i >= deep else 0.0) for i in range(len(channels))
        )
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(coarse, fine, 2, stride=2)
            for coarse, fine in zip(channels[:0:-1], channels[-2::-1], strict=True)
        )
        self.decoder = nn.ModuleList(ConvBlock(2 * fine, fine) for fine in channels[-2::-1])
        self.head = nn.Conv2d(channels[0], outputs, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        features: list[Tensor] = []
        x = image
        for level, block in enumerate(self.encoder):
            x = block(F.max_pool2d(x, 2) if level else x)
            features.append(x)
        for up, block, skip in zip(self.up, self.decoder, features[-2::-1], strict=True):
            x = block(torch.cat([up(x), skip], dim=1))
        return self.head(x), features


class ScarUNet(nn.Module):
    """Cavity, wall and scar of one slice from the slice and its two neighbours.

    Input [B, 3, H, W]: the slices k-1, k, k+1, unrolled and levelled (``network.intensity``).
    """

    def __init__(self, channels: Sequence[int], dropout: float = 0.1) -> None:
        super().__init__()
        self.trunk = UNet(3, ANATOMY_CLASSES + 1, channels, dropout)

    def forward(self, slices: Tensor) -> ImageOutput:
        logits, features = self.trunk(slices)
        return ImageOutput(logits[:, :ANATOMY_CLASSES], logits[:, ANATOMY_CLASSES:], features)


class LocatorUNet(nn.Module):
    """Where the left ventricle is: one slice [B, 1, H, W] at 2.5 mm -> logit [B, 1, H, W] of LV (cavity or wall)."""

    def __init__(self, channels: Sequence[int], dropout: float = 0.1) -> None:
        super().__init__()
        self.trunk = UNet(1, 1, channels, dropout)

    def forward(self, slices: Tensor) -> Tensor:
        return self.trunk(slices)[0]
