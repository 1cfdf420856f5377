"""What the networks are trained to make small."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ScarSegECGLib.case import CAVITY, MYOCARDIUM, SCAR
from ScarSegECGLib.network.unet import ImageOutput


def soft_dice_loss(probability: Tensor, truth: Tensor, area: Tensor) -> Tensor:
    """1 - Dice of the whole batch taken as one image, so that a slice without the structure has no vote of its own.

    ``probability`` and ``truth`` [B, H, W]; ``area`` [H, W] that each pixel stands for (MONAI's DiceLoss knows no
    pixel that counts more than another).
    """
    shared = (probability * truth * area).sum()
    both = ((probability + truth) * area).sum()
    return 1 - (2 * shared + 1) / (both + 1)


def image_loss(output: ImageOutput, labels: Tensor, area: Tensor) -> Tensor:
    """Loss of the image network against expert labels [B, H, W] (0 background, 1 cavity, 2 myocardium, 3 scar).

    Cross-entropy and soft Dice for the anatomy; for the scar, cross-entropy where the expert sees wall (elsewhere
    "scar given wall" has no meaning) and soft Dice of the joint probability wall x scar. ``area`` [H, W] makes pixels
    of an unrolled image count as what they cover; where it is 0 nothing is learned.
    """
    area = area.to(labels.device)
    wall = (labels >= MYOCARDIUM).float()
    scar = (labels == SCAR).float()
    cavity = (labels == CAVITY).float()
    anatomy = output.anatomy.float()
    scar_logit = output.scar.float().squeeze(1)
    classes = torch.clamp(labels.long(), max=MYOCARDIUM)
    probability = anatomy.softmax(dim=1)
    anatomy_entropy = (F.cross_entropy(anatomy, classes, reduction="none") * area).sum() / (area.sum() * len(labels))
    scar_entropy = F.binary_cross_entropy_with_logits(scar_logit, scar, weight=wall * area, reduction="sum")
    return (
        anatomy_entropy
        + 0.5 * soft_dice_loss(probability[:, CAVITY], cavity, area)
        + 0.5 * soft_dice_loss(probability[:, MYOCARDIUM], wall, area)
        + scar_entropy / ((wall * area).sum() + 1)
        + soft_dice_loss(probability[:, MYOCARDIUM] * scar_logit.sigmoid(), scar, area)
    )


def locator_loss(logit: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy and soft Dice of the whole LV (cavity or wall) against labels [B, H, W]."""
    ventricle = (labels > 0).float()
    logit = logit.float().squeeze(1)
    even = torch.ones_like(logit[0])
    entropy = F.binary_cross_entropy_with_logits(logit, ventricle)
    return entropy + soft_dice_loss(logit.sigmoid(), ventricle, even)
