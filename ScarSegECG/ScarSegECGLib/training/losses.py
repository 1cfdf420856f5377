"""What the networks are trained to make small."""

from __future__ import annotations

import torch
from monai.losses import DiceLoss
from torch import Tensor
from torch.nn import functional as F

from ScarSegECGLib.case import CAVITY, MYOCARDIUM, SCAR
from ScarSegECGLib.network.unet import ImageOutput

_DICE = DiceLoss(batch=True, smooth_nr=1.0, smooth_dr=1.0)


def soft_dice_loss(probability: Tensor, truth: Tensor) -> Tensor:
    """1 - Dice of the whole batch taken as one image, so that a slice without the structure has no vote of its own.

    Both [B, H, W].
    """
    return _DICE(probability[:, None], truth[:, None])


def image_loss(output: ImageOutput, labels: Tensor) -> Tensor:
    """Loss of the image network against expert labels [B, H, W] (0 background, 1 cavity, 2 myocardium, 3 scar).

    Cross-entropy and soft Dice for the anatomy; for the scar, cross-entropy where the expert sees wall (elsewhere
    "scar given wall" has no meaning) and soft Dice of the joint probability wall x scar.
    """
    wall = (labels >= MYOCARDIUM).float()
    scar = (labels == SCAR).float()
    cavity = (labels == CAVITY).float()
    anatomy = output.anatomy.float()
    scar_logit = output.scar.float().squeeze(1)
    classes = torch.clamp(labels.long(), max=MYOCARDIUM)
    probability = anatomy.softmax(dim=1)
    scar_given_wall = F.binary_cross_entropy_with_logits(scar_logit, scar, weight=wall, reduction="sum")
    return (
        F.cross_entropy(anatomy, classes)
        + 0.5 * soft_dice_loss(probability[:, CAVITY], cavity)
        + 0.5 * soft_dice_loss(probability[:, MYOCARDIUM], wall)
        + scar_given_wall / (wall.sum() + 1)
        + soft_dice_loss(probability[:, MYOCARDIUM] * scar_logit.sigmoid(), scar)
    )


def locator_loss(logit: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy and soft Dice of the whole LV (cavity or wall) against labels [B, H, W]."""
    ventricle = (labels > 0).float()
    logit = logit.float().squeeze(1)
    return F.binary_cross_entropy_with_logits(logit, ventricle) + soft_dice_loss(logit.sigmoid(), ventricle)
