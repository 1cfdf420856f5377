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
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.normalise import heart_disc, normalise
from ScarSegECGLib.network.device import Network, choose_device, place
from ScarSegECGLib.network.ecg_branch import EcgBranch, deep, new_branch
from ScarSegECGLib.network.ecg_encoder import feature_table
from ScarSegECGLib.network.field import (
    FIELD_PIXELS,
    LOCATOR_PIXEL_MM,
    PIXEL_MM,
    cut_field,
    whole_slices,
    with_neighbours,
)
from ScarSegECGLib.network.locate import follow_neighbours, offsets_of_lv
from ScarSegECGLib.network.polar_grid import centres_of_mass, cut_polar, put_back_polar, unmirror
from ScarSegECGLib.network.unet import ConvBlock, LocatorUNet, ScarUNet
from ScarSegECGLib.network.wall_view import level_shapes, view_wall
from ScarSegECGLib.network.weights import FOREIGN, SHIPPED, SHIPPED_SHA256, Weights, read_weights

MOST_MEMBERS = 16
MOST_MOVES = 3
CLOSE_MM = 1.5
LEAST_LV_MM2 = 100.0  # a slice in which less is seen has its centre from its neighbours
# Beyond the unrolled grid: surely background, and a scar logit that no wall multiplies.
_OUTSIDE = torch.tensor([0.0, 0.0, 0.0])


@dataclass(frozen=True)
class ImageEvidence:
    """What the networks see in the images, on the stack's own grid.

    ``anatomy`` are probabilities [K, 3, R, C] of background, cavity, wall; ``scar_logit`` [K, R, C] is the logit of
    scar given wall; ``centres_mm`` [K, 2] are the LV's centres (row, column), mm, about which the slices were unrolled.
    ``features`` are every member's deep features of the unrolled slices, for the ECG branch.
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
    network.load_state_dict(weights.part(prefix), assign=True)
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
        self._locator = _ready(locator, weights, "locator.", device)
        self._members = [_ready(member, weights, f"member{index}.", device) for index, member in enumerate(members)]
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
        read, chosen = read_weights(weights), choose_device(device)
        # A tensor that is missing or of another shape, settings that are missing or of another type.
        try:
            if not 1 <= read.settings["members"] <= MOST_MEMBERS:
                raise ValueError
            return cls(read, chosen)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, RuntimeError) as error:
            if read.sha256 == SHIPPED_SHA256:
                raise  # these fit: it is the device's fault
            raise InputError(FOREIGN.format(name=weights.name if weights else SHIPPED.name)) from error

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
        """Move each slice's centre into the middle of the LV that the first member sees: the locator is coarse."""
        for _ in range(MOST_MOVES):
            anatomy = self._members[0](self._unrolled(stack, centres)).anatomy
            ventricle = 1 - anatomy.float().softmax(dim=1)[:, 0].cpu()
            offsets, seen_mm2 = centres_of_mass(ventricle)
            moved = follow_neighbours(centres + offsets.numpy(), seen_mm2.numpy() > LEAST_LV_MM2, centres)
            furthest = np.abs(moved - centres).max()
            centres = moved
            if furthest < CLOSE_MM:
                break
        return centres

    def _unrolled(self, stack: LgeStack, centres: NDArray[np.float64], mirror: bool = False) -> Tensor:
        """What the scar networks look at: [K, 3, ROWS, RADII], every slice between its neighbours, normalised."""
        middle = centres.mean(axis=0)
        field = cut_field(torch.from_numpy(stack.voxels), stack.spacing[1:], np.tile(middle, (len(centres), 1)))
        slices = with_neighbours(torch.from_numpy(normalise(field.numpy(), heart_disc(FIELD_PIXELS, PIXEL_MM))))
        in_field = centres - middle + (FIELD_PIXELS - 1) / 2 * PIXEL_MM
        polar = cut_polar(slices, (PIXEL_MM, PIXEL_MM), in_field, mirror=mirror)
        return polar.to(self.device).contiguous(memory_format=torch.channels_last)

    def _ensemble(
        self, stack: LgeStack, centres: NDArray[np.float64], progress: Callable[[float], None]
    ) -> tuple[Tensor, Tensor, tuple[list[Tensor], ...]]:
        """Mean anatomy probabilities and mean scar logit over the members, each seeing the slices and their mirror."""
        anatomy, scar, features = [], [], []
        views = (False, True) if self.settings.get("mirror", True) else (False,)
        for turn, mirror in enumerate(views):
            slices = self._unrolled(stack, centres, mirror)
            for index, member in enumerate(self._members):
                output = member(slices)
                both = torch.cat([output.anatomy.softmax(dim=1), output.scar], dim=1)
                both = unmirror(both) if mirror else both
                anatomy.append(both[:, :3])
                scar.append(both[:, 3:])
                if not mirror:
                    features.append(deep(output.features))
                progress((turn * len(self._members) + index + 1) / (len(views) * len(self._members)))
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
        anatomy, scar, features = self._ensemble(stack, centres, progress)
        both = torch.cat([anatomy[:, 1:], scar], dim=1).cpu()
        native = put_back_polar(both, shape, spacing, centres, _OUTSIDE).numpy()
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
        unrolled = cut_polar(torch.from_numpy(prior), spacing, evidence.centres_mm).to(self.device)
        logit = cut_polar(torch.from_numpy(evidence.scar_logit[:, None]), spacing, evidence.centres_mm).to(self.device)
        signal = torch.from_numpy(beat.millivolts)[None].to(self.device)
        leads = torch.from_numpy(beat.lead_mask)[None].to(self.device)
        table = torch.from_numpy(feature_table(beat.features))[None].to(self.device)
        view = view_wall(unrolled, logit, level_shapes(evidence.features[0]))
        count = torch.ones(len(unrolled), device=self.device)
        gap = count * (use.gap.days or 0.0)
        known = count * float(use.gap.days is not None)
        movements, percents = [], []
        for branch, features in zip(self._branches, evidence.features, strict=True):
            tokens, scar = branch.encoder(signal, leads, table)
            tokens = tokens.expand(len(unrolled), -1, -1)
            movements.append(branch(features, view, tokens, count * use.amplitude, gap, known))
            percents.append(100 * scar[0].sigmoid())
        movement = torch.stack(movements).mean(dim=0).cpu()
        native = put_back_polar(movement, shape, spacing, evidence.centres_mm, torch.zeros(1))[:, 0]
        return EcgEvidence(native.numpy(), torch.stack(percents).mean(dim=0).cpu().numpy())
