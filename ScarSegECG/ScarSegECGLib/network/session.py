"""Networks loaded once, used for many cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ScarSegECGLib.case import EcgUse, FloatArray, LgeStack, MedianBeat
from ScarSegECGLib.lge.normalise import heart_disc, normalise
from ScarSegECGLib.network.device import Network, choose_device, place
from ScarSegECGLib.network.ecg_branch import EcgBranch, deep, new_branch
from ScarSegECGLib.network.ecg_encoder import feature_table
from ScarSegECGLib.network.field import (
    FIELD_PIXELS,
    LOCATOR_PIXEL_MM,
    PIXEL_MM,
    cut_field,
    put_back,
    whole_slices,
    with_neighbours,
)
from ScarSegECGLib.network.locate import offsets_of_lv
from ScarSegECGLib.network.unet import ConvBlock, LocatorUNet, ScarUNet
from ScarSegECGLib.network.weights import Weights, read_weights

MARGIN = 32  # pixels of the field that are not shown to the network: it sees 96 x 96 of 160 x 160
MOST_MOVES = 2
CLOSE_MM = 5.0
EXPECTED_WITHIN_MM = 20.0


@dataclass(frozen=True)
class ImageEvidence:
    """What the networks see in the images, on the stack's own grid.

    ``anatomy`` are probabilities [K, 3, R, C] of background, cavity, wall; ``scar_logit`` [K, R, C] is the logit of
    scar given wall; ``centres_mm`` [K, 2] are the field's centres (row, column), mm. ``features`` are every member's
    deep features of the field, for the ECG branch.
    """

    anatomy: FloatArray
    scar_logit: FloatArray
    centres_mm: NDArray[np.float64]
    features: tuple[list[Tensor], ...] = ()


@dataclass(frozen=True)
class EcgEvidence:
    """What the ECG adds: ``movement`` [K, R, C] of the scar logit, and the ECG's own ``segment_percent`` [17]."""

    movement: FloatArray
    segment_percent: FloatArray


def _fold_batch_norm(network: Network) -> Network:
    """Merge every batch norm into the convolution before it: same function, a fifth less time."""
    for block in [module for module in network.modules() if isinstance(module, ConvBlock)]:
        for index in range(len(block) - 1):
            convolution, norm = block[index], block[index + 1]
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                block[index] = fuse_conv_bn_eval(convolution, norm)
                block[index + 1] = nn.Identity()
    return network


def _ready(network: Network, weights: Weights, prefix: str, device: torch.device) -> Network:
    network.load_state_dict(weights.part(prefix))
    return place(_fold_batch_norm(network.eval()), device)


class Session:
    """The locator and the ensemble of scar networks, on one device.

    >>> session = Session.load(device="cpu")            # doctest: +SKIP
    >>> evidence = session.see(stack)                   # doctest: +SKIP
    """

    def __init__(self, weights: Weights, device: torch.device) -> None:
        self.settings = weights.settings
        self.weights_sha256 = weights.sha256
        self.device = device
        with torch.device("meta"):
            locator = LocatorUNet(self.settings["locator_channels"])
            members = [ScarUNet(self.settings["channels"]) for _ in range(self.settings["members"])]
        self._locator = _ready(locator.to_empty(device="cpu"), weights, "locator.", device)
        self._members = [
            _ready(member.to_empty(device="cpu"), weights, f"member{index}.", device)
            for index, member in enumerate(members)
        ]
        self._branches: list[EcgBranch] = []
        if self.ecg_trained:
            self._branches = [
                _ready(new_branch(self.settings["channels"], self.settings), weights, f"ecg{index}.", device)
                for index in range(self.settings["members"])
            ]

    @classmethod
    def load(cls, weights: Path | None = None, device: str = "auto") -> Session:
        """Read the shipped weights, or one's own.

        Raises
        ------
        InputError : weights missing, damaged or foreign; no such device.
        """
        return cls(read_weights(weights), choose_device(device))

    @property
    def ecg_trained(self) -> bool:
        """Whether these weights hold a trained ECG branch."""
        return bool(self.settings.get("ecg_trained", False))

    @torch.inference_mode()
    def locate(self, stack: LgeStack) -> NDArray[np.float64]:
        """LV centre of every slice, [K, 2] (row, column) mm; InputError where there is no left ventricle."""
        spacing = stack.spacing[1:]
        whole = whole_slices(torch.from_numpy(stack.voxels), spacing)
        slices = torch.from_numpy(normalise(whole.numpy()))[:, None]
        logit = self._locator(slices.to(self.device, memory_format=torch.channels_last))
        probability = logit.sigmoid()[:, 0].cpu().numpy()
        offsets = offsets_of_lv(probability, LOCATOR_PIXEL_MM, stack.spacing[0])
        middle = (np.array(stack.voxels.shape[1:]) - 1) / 2 * np.array(spacing)
        return self._centred(stack, middle + offsets)

    def _centred(self, stack: LgeStack, centres: NDArray[np.float64]) -> NDArray[np.float64]:
        """Move the field until the LV that the first member sees in it lies in the middle: the locator is coarse."""
        for _ in range(MOST_MOVES):
            near = self._field(stack, centres)[:, MARGIN // 2 : -MARGIN // 2, MARGIN // 2 : -MARGIN // 2]
            slices = with_neighbours(torch.from_numpy(near)).to(self.device)
            anatomy = self._members[0](slices.contiguous(memory_format=torch.channels_last)).anatomy
            ventricle = 1 - anatomy.softmax(dim=1)[:, 0].cpu().numpy()
            offsets = offsets_of_lv(ventricle, PIXEL_MM, stack.spacing[0], EXPECTED_WITHIN_MM)
            centres = centres + offsets
            if np.abs(offsets).max() < CLOSE_MM:
                break
        return centres

    def _field(self, stack: LgeStack, centres: NDArray[np.float64]) -> FloatArray:
        field = cut_field(torch.from_numpy(stack.voxels), stack.spacing[1:], centres)
        return normalise(field.numpy(), heart_disc(FIELD_PIXELS, PIXEL_MM))

    def _ensemble(
        self, slices: Tensor, progress: Callable[[float], None]
    ) -> tuple[Tensor, Tensor, tuple[list[Tensor], ...]]:
        """Mean anatomy probabilities and mean scar logit over the members, each seeing the slices and their mirror."""
        anatomy, scar, features = [], [], []
        views: tuple[list[int], ...] = ([], [-1]) if self.settings.get("mirror", True) else ([],)
        turns = [(member, view) for member in self._members for view in views]
        for turn, (member, view) in enumerate(turns):
            output = member(slices.flip(view).contiguous(memory_format=torch.channels_last))
            anatomy.append(output.anatomy.softmax(dim=1).flip(view))
            scar.append(output.scar.flip(view))
            if not view:
                features.append(deep(output.features))
            progress((turn + 1) / len(turns))
        return torch.stack(anatomy).mean(dim=0), torch.stack(scar).mean(dim=0), tuple(features)

    @torch.inference_mode()
    def see(self, stack: LgeStack, progress: Callable[[float], None] = lambda _: None) -> ImageEvidence:
        """Run the networks on the images alone.

        Raises
        ------
        InputError : no left ventricle found.
        """
        spacing, shape = stack.spacing[1:], stack.voxels.shape[1:]
        centres = self.locate(stack)
        inside = torch.from_numpy(self._field(stack, centres))[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
        slices = with_neighbours(inside).to(self.device)
        anatomy, scar, features = self._ensemble(slices, progress)
        both = torch.cat([anatomy[:, 1:], scar], dim=1).cpu()
        native = put_back(both, shape, spacing, centres).numpy()
        lv = native[:, :2]
        background = 1 - lv.sum(axis=1, keepdims=True)
        return ImageEvidence(np.concatenate([background, lv], axis=1), native[:, 2], centres, features)

    @torch.inference_mode()
    def time_weight(self, gap_days: float) -> float:
        """The learned weight of an ECG taken ``gap_days`` from the image (signed), in (0, 1]; mean of the members."""
        gap = torch.tensor([gap_days], dtype=torch.float32, device=self.device)
        return float(torch.stack([branch.time(gap) for branch in self._branches]).mean())

    @torch.inference_mode()
    def read_ecg(
        self, stack: LgeStack, evidence: ImageEvidence, beat: MedianBeat, prior: FloatArray, use: EcgUse
    ) -> EcgEvidence:
        """Let the ECG speak, with the amplitude that was decided.

        Parameters
        ----------
        prior : [K, 17, R, C], the soft AHA partition of the predicted myocardium
        """
        spacing, shape = stack.spacing[1:], stack.voxels.shape[1:]
        field = cut_field(torch.from_numpy(prior), spacing, evidence.centres_mm)
        field = field[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN].to(self.device)
        signal = torch.from_numpy(beat.millivolts)[None].to(self.device)
        leads = torch.from_numpy(beat.lead_mask)[None].to(self.device)
        table = torch.from_numpy(feature_table(beat.features))[None].to(self.device)
        count = torch.ones(len(field), device=self.device)
        gap = count * (use.gap.days or 0.0)
        known = count * float(use.gap.days is not None)
        movements, percents = [], []
        for branch, features in zip(self._branches, evidence.features, strict=True):
            tokens, scar = branch.encoder(signal, leads, table)
            tokens = tokens.expand(len(field), -1, -1)
            movements.append(branch(features, tokens, field, count * use.amplitude, gap, known))
            percents.append(100 * scar[0].sigmoid())
        movement = torch.stack(movements).mean(dim=0).cpu()
        native = put_back(movement, shape, spacing, evidence.centres_mm)[:, 0]
        return EcgEvidence(native.numpy(), torch.stack(percents).mean(dim=0).cpu().numpy())
