"""The image-only baseline: nnU-Net's 2D plan as a DynUNet (``pip install .[train]`` brings MONAI).

    python Research/baseline.py --cases DIR --run RUN --folds-file CSV

nnU-Net chooses its network from the data by published rules (Isensee et al., Nat Methods 2021;18:203). What stands in
for it is MONAI's DynUNet with the plan that those rules give and nnU-Net's optimiser, trained for as many seconds as
asked; the table says so. nnU-Net itself (extra ``benchmark``) wants a GPU and a data folder of its own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from held_out import cases_of, folds_of, options
from monai.networks.nets import DynUNet
from numpy.typing import NDArray
from safetensors.torch import load_model, save_model
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from ScarSegECGLib.case import SCAR, LgeStack
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.measure.islands import SMALLEST_ISLAND_ML, drop_small_islands
from ScarSegECGLib.measure.overlap import overlap
from ScarSegECGLib.network.device import place
from ScarSegECGLib.network.field import FIELD_PIXELS, PIXEL_MM, cut_field
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.training.augment import AugmentPlan, augment, square_offsets
from ScarSegECGLib.training.dataset import HEART_OF_FIELD, fine_slices, normalise
from ScarSegECGLib.training.fit import mixed

NAME = "DynUNet with nnU-Net's 2D plan"
CLASSES = 4
PATCH = 96
FEWEST_FILTERS, MOST_FILTERS, SMALLEST_MAP = 32, 512, 4


def network() -> DynUNet:
    """nnU-Net's 2D plan of a square patch: halved until the map is about 4 pixels wide; 32 filters, doubled at every
    level, at most 512; 3x3 kernels, instance norm, leaky ReLU, deep supervision, one slice at a time."""
    levels = 1 + int(math.log2(PATCH / SMALLEST_MAP))
    strides = [1] + [2] * (levels - 1)
    return DynUNet(
        spatial_dims=2,
        in_channels=1,
        out_channels=CLASSES,
        kernel_size=[3] * levels,
        strides=strides,
        upsample_kernel_size=strides[1:],
        filters=[min(MOST_FILTERS, FEWEST_FILTERS * 2**level) for level in range(levels)],
        norm_name="instance",
        deep_supervision=True,
        deep_supr_num=max(1, levels - 3),
    )


def dice_and_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """nnU-Net's loss of one head: batch Dice over the foreground classes plus cross-entropy."""
    onehot = F.one_hot(labels.long(), CLASSES).permute(0, 3, 1, 2).float()[:, 1:]
    probability = logits.softmax(dim=1)[:, 1:]
    shared, both = (probability * onehot).sum(dim=(0, 2, 3)), (probability + onehot).sum(dim=(0, 2, 3))
    return F.cross_entropy(logits, labels.long()) - ((2 * shared + 1e-5) / (both + 1e-5)).mean()


def deep_loss(heads: Tensor, labels: Tensor) -> Tensor:
    """Weighted 1, 1/2, 1/4 ... over the heads [B, heads, C, H, W]."""
    weights = [0.5**index for index in range(heads.shape[1])]
    terms = [weight * dice_and_entropy(heads[:, index], labels) for index, weight in enumerate(weights)]
    return torch.stack(terms).sum() / sum(weights)


def train_baseline(
    cases: Sequence[ExpertCase], seconds: float, file: Path, *, device: torch.device, seed: int = 0, quiet: bool = False
) -> nn.Module:
    """Train for so many seconds with nnU-Net's optimiser (SGD, Nesterov 0.99, polynomial decay); kept in ``file``.

    On a CPU these are seconds of processor time, all cores together, so that a busy machine takes nothing away; on a
    GPU seconds of the clock. The precision is the one that our own networks are trained in.
    """
    torch.manual_seed(seed)
    net = network()
    if file.is_file():
        load_model(net, file)
        return net.eval()
    slices = fine_slices(cases)
    middle = slices.images[:, 1:2] if slices.images.shape[1] > 1 else slices.images
    net = place(net, device).train()
    clock = time.process_time if device.type == "cpu" else time.monotonic
    optimiser = torch.optim.SGD(net.parameters(), lr=1e-2, momentum=0.99, nesterov=True, weight_decay=3e-5)
    rng = torch.Generator().manual_seed(seed)
    plan = AugmentPlan(square_offsets(PATCH), shift=4, far_shift=8, neighbour_shift=0)
    middle_of_stack = torch.zeros(12, 2)
    start = clock()
    bar = tqdm(total=round(seconds), desc="baseline", unit="s", disable=quiet)
    while (gone := clock() - start) < seconds:
        for group in optimiser.param_groups:
            group["lr"] = 1e-2 * (1 - gone / seconds) ** 0.9
        chosen = torch.randint(len(middle), (12,), generator=rng)
        images, labels = augment(middle[chosen].float(), slices.labels[chosen], middle_of_stack, plan, rng)
        with mixed(device):
            heads = net(images.to(device, memory_format=torch.channels_last))
        value = deep_loss(heads.float(), labels.to(device))
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 12.0)
        optimiser.step()
        bar.n = round(gone)
        bar.refresh()
    bar.close()
    net = net.cpu().eval()
    net.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    save_model(net, str(partial))  # DynUNet names some of its layers twice
    partial.replace(file)
    return net


@torch.inference_mode()
def segment_baseline(net: nn.Module, stack: LgeStack, session: Session) -> NDArray[np.bool_]:
    """Scar of one stack, about the centre that the fold's own locator finds; InputError where it finds none."""
    spacing = stack.spacing[1:]
    centres = np.tile(session.locate(stack).mean(axis=0), (len(stack.voxels), 1))
    field = cut_field(torch.from_numpy(stack.voxels), spacing, centres)
    normal = normalise(field, HEART_OF_FIELD)[:, None]
    margin = (FIELD_PIXELS - PATCH) // 2
    inner = normal[:, :, margin : margin + PATCH, margin : margin + PATCH]
    probability = net(inner).softmax(dim=1)[:, SCAR]
    whole = F.pad(probability, (margin,) * 4)
    found = _native(whole, stack, centres) > 0.5
    return drop_small_islands(found, stack.spacing, minimum_ml=SMALLEST_ISLAND_ML)


def _native(field: Tensor, stack: LgeStack, centres: NDArray[np.float64]) -> NDArray[np.float32]:
    """A field [K, S, S] read back onto the stack's grid, linear."""
    row_mm, column_mm = stack.spacing[1:]
    rows, columns = torch.meshgrid(
        torch.arange(stack.voxels.shape[1]) * row_mm, torch.arange(stack.voxels.shape[2]) * column_mm, indexing="ij"
    )
    places = torch.stack([columns, rows], dim=-1)[None] - torch.as_tensor(centres).flip(-1).view(-1, 1, 1, 2)
    grid = (places / (FIELD_PIXELS * PIXEL_MM / 2)).float()
    return F.grid_sample(field[:, None], grid, align_corners=False)[:, 0].numpy()


def main() -> None:
    """Train fold by fold, segment the held-out patients, print the mean Dice of scar over infarct patients."""
    parser = options(__doc__, table=False)
    parser.add_argument("--seconds", type=float, default=900, help="of training per fold")
    args = parser.parse_args()
    dice = []
    for fold in folds_of(args, cases_of(args), "weights.safetensors"):  # whose locators find the LV
        file = args.run / f"fold{fold.number}" / "baseline.safetensors"
        net = train_baseline(fold.seen, args.seconds, file, device=torch.device("cpu"))
        for case in fold.held_out.values():
            if case.scar.any():
                found = segment_baseline(net, case.stack, fold.session)
                dice.append(overlap(found, case.scar, case.stack.spacing, distance=False).dice or 0.0)
    print(f"{NAME}: scar Dice {np.mean(dice):.3f} over {len(dice)} infarct patients")


if __name__ == "__main__":
    main()
