"""The image network: a 2D U-Net that sees a slice between its two neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ScarSegECGLib.network.stack_net import StackOutput

ANATOMY_CLASSES = 3  # background, LV cavity, LV wall (with its scar)
LOCATOR_PLANES = 1, 1  # of the U-Net that finds the LV: a slice at 2.5 mm -> logit of LV, cavity or wall
DROPOUT = 0.1  # of channels, inside the two coarsest blocks of an encoder, in training only


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
    """Plain U-Net trunk: [B, in, H, W] -> [B, out, H, W].

    ``channels`` per level, fine to coarse; H and W must be multiples of ``2 ** (len(channels) - 1)``.
    """

    def __init__(self, inputs: int, outputs: int, channels: Sequence[int]) -> None:
        super().__init__()
        if len(channels) < 2:
            raise ValueError("a U-Net needs at least two levels")
        self.encoder = nn.ModuleList(
            ConvBlock(above, here, DROPOUT if level >= len(channels) - 2 else 0.0)
            for level, (above, here) in enumerate(pairwise([inputs, *channels]))
        )
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(coarse, fine, 2, stride=2)
            for coarse, fine in zip(channels[:0:-1], channels[-2::-1], strict=True)
        )
        self.decoder = nn.ModuleList(ConvBlock(2 * fine, fine) for fine in channels[-2::-1])
        self.head = nn.Conv2d(channels[0], outputs, 1)

    def forward(self, image: Tensor) -> Tensor:
        features = [self.encoder[0](image)]
        for block in self.encoder[1:]:
            features.append(block(F.max_pool2d(features[-1], 2)))
        x = features.pop()
        for up, block in zip(self.up, self.decoder, strict=True):
            x = block(torch.cat([up(x), features.pop()], dim=1))
        return self.head(x)


class ScarUNet(nn.Module):
    """Cavity, wall and scar of one slice from the slice and its two neighbours.

    Input [B, 3, H, W]: the slices k-1, k, k+1, unrolled and levelled (``network.polar_grid``). Scar is a logit *given
    wall*, so that whatever moves it can never move the heart's outline.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.trunk = UNet(3, ANATOMY_CLASSES + 1, channels)

    def forward(self, slices: Tensor) -> StackOutput:
        logits = self.trunk(slices)
        return StackOutput(logits[:, :ANATOMY_CLASSES], logits[:, ANATOMY_CLASSES:])
