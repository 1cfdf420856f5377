"""Networks loaded once, used for many cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ScarSegECGLib.anatomy.aha import SoftPrior
from ScarSegECGLib.case import FloatArray, LabelArray, LgeStack, MedianBeat
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.network import field, polar_grid, stack_net
from ScarSegECGLib.network.device import Network, choose_device, leave_no_holes, place
from ScarSegECGLib.network.ecg_encoder import feature_table
from ScarSegECGLib.network.taff import SITES, EcgBranch, EcgWord
from ScarSegECGLib.network.unet import LOCATOR_PLANES, ScarUNet, UNet
from ScarSegECGLib.network.weights import FOREIGN, SHIPPED, SHIPPED_SHA256, Weights, read_weights

MOST_MEMBERS = 16
MOST_MOVES = 3
CLOSE_MM = 1.5
LEAST_LV_MM2 = 100.0  # a slice in which less is seen has its centre from its neighbours


@dataclass(frozen=True)
class ImageEvidence:
    """What the networks see in the images.

    On the stack's own grid: ``classes`` uint8 [K, R, C], the likeliest of 0 background, 1 cavity, 2 wall. Of the
    ``box`` of rows and columns beyond which nothing is looked at, [K, r, c]: ``wall``, its probability; ``scar_logit``
    of scar given wall; ``disagreement``, by how much the networks' views differ on the probability of scar.
    ``centres_mm`` [K, 2] are the LV's centres (row, column), about which the slices were unrolled. Unrolled, for the
    ECG: what stage 2 read (``seen``), its ``features`` before TAFF and its ``output``.
    """

    classes: LabelArray
    box: tuple[slice, slice]
    wall: FloatArray
    scar_logit: FloatArray
    disagreement: FloatArray
    centres_mm: NDArray[np.float64]
    seen: Tensor
    features: Tensor
    output: stack_net.StackOutput


def fold_batch_norm(network: Network) -> Network:
    """Merge every batch norm into the convolution before it: same function, a fifth less time."""
    for block in list(network.modules()):
        for (name, convolution), (name_of_norm, norm) in pairwise(list(block.named_children())):
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(block, name, fuse_conv_bn_eval(convolution, norm))
                setattr(block, name_of_norm, nn.Identity())
    return network


def _ready(weights: Weights, device: torch.device, prefix: str, kind: Callable[..., Network], *sizes: Any) -> Network:
    with torch.device("meta"):  # its own first weights are never made
        network = kind(*sizes)
    network.load_state_dict(weights.part(prefix), assign=True)
    return place(fold_batch_norm(network.eval()), device)


class Session:
    """The locator, stage 1, stage 2 and the ECG's branch, on one device.

    >>> session = Session.load(device="cpu")            # doctest: +SKIP
    >>> evidence = session.see(stack)                   # doctest: +SKIP
    """

    def __init__(self, weights: Weights, device: torch.device) -> None:
        self.settings = known = weights.settings
        self.weights_sha256 = weights.sha256
        self.device = device
        ready = partial(_ready, weights, device)
        self._locator = ready("locator.trunk.", UNet, *LOCATOR_PLANES, known["locator_channels"])
        self._members = [ready(f"member{index}.", ScarUNet, known["channels"]) for index in range(known["members"])]
        channels = known.get("stack_channels", 0)
        self._stack = ready("stack.", stack_net.StackNet, channels) if channels else None
        self._ecg: EcgBranch | None = None
        if self.ecg_trained:
            self._ecg = ready("ecg.", EcgBranch, channels, known["token_size"], known["encoder_width"])

    @classmethod
    def load(cls, weights: Path | None = None, device: str = "auto") -> Session:
        """Read the shipped weights, or one's own; InputError: missing, damaged or foreign, or no such device."""
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
        """Where the locator sees the LV's centre in every slice, coarsely: [K, 2] (row, column) mm.

        NoLeftVentricle where it sees none.
        """
        spacing = stack.spacing[1:]
        whole = field.whole_slices(torch.from_numpy(stack.voxels), spacing)
        logit = self._run(self._locator, polar_grid.levelled(whole[:, None]))
        offsets = field.offsets_of_lv(logit.sigmoid()[:, 0].cpu().numpy(), field.LOCATOR_PIXEL_MM, stack.spacing[0])
        middle = (np.array(stack.voxels.shape[1:]) - 1) / 2 * np.array(spacing)
        return middle + offsets

    def _run(self, network: nn.Module, slices: Tensor) -> Tensor:
        """Logits [K, C, H, W] of many slices, some at a time: memory stays that of a small stack."""
        parts = (part.to(self.device) for part in slices.split(stack_net.SLICES_AT_ONCE))
        return torch.cat([network(part.contiguous(memory_format=torch.channels_last)) for part in parts])

    def _say(self, member: ScarUNet, slices: Tensor) -> Tensor:
        """Probabilities of background, cavity and wall, and the logit of scar, [K, 4, ROWS, RADII]."""
        logits = self._run(member.trunk, slices)
        return torch.cat([logits[:, :3].softmax(dim=1), logits[:, 3:]], dim=1)

    def _centred(self, stack: LgeStack) -> tuple[NDArray[np.float64], Tensor, Tensor]:
        """Centres in the middle of the LV that the first member sees, the slices unrolled about them, what it says."""
        centres = self.locate(stack)
        for moves in range(MOST_MOVES + 1):
            slices = self._unrolled(stack, centres)
            said = self._say(self._members[0], slices)
            offsets, seen_mm2 = polar_grid.centres_of_mass(1 - said[:, 0].cpu())
            moved = field.follow_neighbours(centres + offsets.numpy(), seen_mm2.numpy() > LEAST_LV_MM2, centres)
            if moves == MOST_MOVES or np.abs(moved - centres).max() < CLOSE_MM:
                break
            centres = moved
        return centres, slices, said

    def _unrolled(self, stack: LgeStack, centres: NDArray[np.float64], mirror: bool = False) -> Tensor:
        """What the scar networks look at: [K, 3, ROWS, RADII], every slice between its neighbours, normalised."""
        middle = centres.mean(axis=0)
        cut = field.cut_field(torch.from_numpy(stack.voxels), stack.spacing[1:], middle[None], outside="border")
        in_field, pixels = centres - middle + (field.FIELD_PIXELS - 1) / 2 * field.PIXEL_MM, (field.PIXEL_MM,) * 2
        polar = polar_grid.cut_polar(field.with_neighbours(cut), pixels, in_field, mirror=mirror)
        return polar_grid.levelled(polar, polar_grid.heart_disc())

    @torch.inference_mode()
    def first_look(
        self, stack: LgeStack, progress: Callable[[float], None] = lambda _: None
    ) -> tuple[NDArray[np.float64], Tensor, Tensor]:
        """The LV's centres [K, 2] mm, what stage 2 is to read [K, CHANNELS, A, R], and by how much stage 1's views
        differ on the probability of scar [K, 1, A, R]. NoLeftVentricle where none is found.
        """
        centres, slices, said = self._centred(stack)
        views = [said, *(self._say(member, slices) for member in self._members[1:])]
        progress(0.5)
        if self.settings.get("mirror", True):
            mirrored = self._unrolled(stack, centres, mirror=True)
            views += [polar_grid.unmirror(self._say(member, mirrored)) for member in self._members]
        progress(1.0)
        both = stack_net.without_wrap(torch.stack(views))
        mean = both.mean(dim=0)
        scar = both[:, :, 2:3] * both[:, :, 3:].sigmoid()
        image = stack_net.without_wrap(slices[:, 1]).to(mean.device)
        return centres, stack_net.stack_input(image, mean[:, :3], mean[:, 3]), scar.std(dim=0, correction=0)

    @torch.inference_mode()
    def see(self, stack: LgeStack, progress: Callable[[float], None] = lambda _: None) -> ImageEvidence:
        """Run the networks on the images alone; NoLeftVentricle where none is found."""
        if len(stack.voxels) > stack_net.SLICES_AT_ONCE:
            leave_no_holes()
        return self.second_look(stack, *self.first_look(stack, progress))

    @torch.inference_mode()
    def second_look(
        self, stack: LgeStack, centres: NDArray[np.float64], seen: Tensor, spread: Tensor | None = None
    ) -> ImageEvidence:
        """Stage 2 on what :meth:`first_look` saw; ``spread`` is by how much stage 1's views differ, if it is known."""
        seen = seen.to(self.device).float().contiguous(memory_format=torch.channels_last)
        spread = torch.zeros_like(seen[:, :1]) if spread is None else spread
        if self._stack is None:  # weights of a training that is not through yet
            output, features = stack_net.stage_one_output(seen), seen[:, :0]
        else:
            net, site = self._stack, SITES[0]
            features = stack_net.some_slices_at_a_time(lambda seen: net.features(seen, site), site, seen)
            logits = stack_net.some_slices_at_a_time(
                lambda x, seen: torch.cat(net.finish(x, seen, site), dim=1), len(net.blocks) - site, features, seen
            )
            output = stack_net.StackOutput(logits[:, :3], logits[:, 3:])
        cavity, wall = output.anatomy.softmax(dim=1)[:, 1:].unbind(dim=1)
        shape = (stack.voxels.shape[1], stack.voxels.shape[2])
        box = polar_grid.circles_box(shape, stack.spacing[1:], centres)
        maps = torch.stack([cavity, wall, output.scar[:, 0], spread[:, 0]], dim=1)
        blood, muscle, scar, differ = self._native(maps, box, stack, centres).transpose(1, 0, 2, 3)
        classes = np.zeros((len(maps), *shape), np.uint8)
        classes[:, box[0], box[1]] = np.where(1 - blood - muscle >= np.maximum(blood, muscle), 0, 1 + (muscle > blood))
        return ImageEvidence(classes, box, muscle, scar, differ, centres, seen, features, output)

    @staticmethod
    def _native(
        unrolled: Tensor, box: tuple[slice, slice], stack: LgeStack, centres: NDArray[np.float64]
    ) -> FloatArray:
        """Unrolled maps [K, C, A, R] in a box of the stack's own grid, [K, C, r, c]; 0 beyond the radii."""
        parts = []
        for first in range(0, len(unrolled), stack_net.SLICES_AT_ONCE):
            some = slice(first, first + stack_net.SLICES_AT_ONCE)
            parts.append(polar_grid.put_back_polar(unrolled[some].float().cpu(), box, stack.spacing[1:], centres[some]))
        return torch.cat(parts).numpy()

    @property
    def _branch(self) -> EcgBranch:
        """The ECG's branch; ValueError where these weights hold none."""
        if self._ecg is None:
            raise ValueError("these weights hold no ECG branch")
        return self._ecg

    @torch.inference_mode()
    def time_weight(self, gap_days: float) -> float:
        """The learned weight of an ECG taken ``gap_days`` from the image (signed), in (0, 1]."""
        return float(self._branch.time(torch.tensor([gap_days], dtype=torch.float32, device=self.device)))

    def listen(self, beat: MedianBeat) -> EcgWord:
        """What the ECG says by itself: tokens, and its estimate of every segment's scar."""
        arrays = (beat.millivolts, beat.lead_mask, feature_table(beat.features))
        return self.listen_to(*(torch.from_numpy(array) for array in arrays))

    @torch.inference_mode()
    def listen_to(self, beat: Tensor, leads: Tensor, table: Tensor) -> EcgWord:
        """The same of ``beat`` [12, 300] mV, ``leads`` [12] and ``table`` (``ecg_encoder.feature_table``)."""
        tokens, scar = self._branch.encoder(*(part[None].to(self.device) for part in (beat, leads, table)))
        return EcgWord(tokens[0], scar[0].sigmoid())

    @torch.inference_mode()
    def fuse(
        self, stack: LgeStack, evidence: ImageEvidence, word: EcgWord, prior: SoftPrior, amplitude: float
    ) -> FloatArray:
        """By how much the ECG moves the scar logit in the evidence's box, [K, r, c].

        ``prior`` is that of the myocardium that was predicted; ``amplitude`` 0 to 1, ``network.amplitude.decide``.
        """
        values, centres, spacing = torch.from_numpy(prior.values), evidence.centres_mm, stack.spacing[1:]
        carried = stack_net.without_wrap(polar_grid.cut_polar(values, spacing, centres, corner=prior.corner)).to(
            self.device
        )
        moved = self._branch.taff(self._stack, evidence.seen, evidence.features, evidence.output, word, carried)
        return self._native(amplitude * moved[:, None], evidence.box, stack, centres)[:, 0]
