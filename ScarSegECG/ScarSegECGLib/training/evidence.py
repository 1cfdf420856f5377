"""What the image networks say about a patient's slices, computed once, for training the ECG branch on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from ScarSegECGLib.anatomy.aha import partition
from ScarSegECGLib.anatomy.lv import clean, is_left_ventricle
from ScarSegECGLib.anatomy.soft import soft_prior
from ScarSegECGLib.case import MYOCARDIUM, SCAR, Anatomy, FloatArray, LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.measure.ecg_extent import MARGIN, movement_to_extent
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.measure.scar_probability import bright_wall, scar_probability
from ScarSegECGLib.network.locate import NOT_FOUND
from ScarSegECGLib.network.session import ImageEvidence, Session
from ScarSegECGLib.network.wall_view import level_shapes, view_wall
from ScarSegECGLib.training.degrade import degrade
from ScarSegECGLib.training.evidence_grid import off_grid, on_grid

ROTATE_DEG, SHIFT_SLICES = 15.0, 1  # how far the prior is jittered


@dataclass(frozen=True)
class Seen:
    """One stack as the networks see it: their evidence, the anatomy predicted from it, and where EWA sees scar."""

    stack: LgeStack
    evidence: ImageEvidence
    anatomy: Anatomy
    bright: NDArray[np.bool_]

    @property
    def alone(self) -> FloatArray:
        """Scar probability by the image alone, [slice, row, column]."""
        wall = self.evidence.anatomy[:, 2]
        return scar_probability(self.evidence.scar_logit, wall, self.bright, self.anatomy.myocardium)


def see(stack: LgeStack, session: Session) -> Seen:
    """Run the image networks and divide the predicted myocardium, as the pipeline does.

    Raises
    ------
    InputError : no left ventricle found.
    """
    evidence = session.see(stack)
    classes = evidence.anatomy.argmax(axis=1)
    cavity, wall = clean(classes == 1, classes == 2)
    if not is_left_ventricle(cavity, wall, stack.spacing):
        raise InputError(NOT_FOUND)
    anatomy = partition(cavity, wall, stack.voxels, stack.spacing, orientation_known=stack.orientation_known)
    return Seen(stack, evidence, anatomy, bright_wall(stack.voxels, cavity, wall, stack.spacing))


@dataclass(frozen=True)
class SliceBank:
    """Slices of many stacks on the grid of the image networks.

    ``features`` per level half [N, C, h, w]; ``scar_logit``, ``wall`` half [N, H, W]; ``prior`` half [N, 17, H, W] is
    kept as the values at the points ``inside`` [M] (flat index into N x H x W) [M, 17]; ``truth`` uint8 [N, H, W]: 0
    no wall, 1 wall, 2 scar, by the expert; ``patient`` and ``degraded`` [N].
    """

    features: list[Tensor]
    scar_logit: Tensor
    wall: Tensor
    inside: Tensor
    prior: Tensor
    starts: Tensor
    truth: Tensor
    patient: Tensor
    degraded: Tensor

    def dense_prior(self, chosen: Tensor) -> Tensor:
        """Prior of some slices, float [B, 17, H, W]."""
        height, width = self.truth.shape[1:]
        out = torch.zeros(len(chosen), height * width, self.prior.shape[1])
        for row, index in enumerate(chosen.tolist()):
            here = slice(int(self.starts[index]), int(self.starts[index + 1]))
            out[row, self.inside[here] - index * height * width] = self.prior[here].float()
        return out.permute(0, 2, 1).reshape(len(chosen), -1, height, width)


def slices_of(seen: Seen, labels: np.ndarray, prior: FloatArray, member: int) -> dict[str, Tensor]:
    """Tensors of one stack's slices that show a predicted wall with a known geometry."""
    centres = seen.evidence.centres_mm
    truth = np.where(labels >= SCAR, 2, labels >= MYOCARDIUM).astype(np.float32)
    native = np.stack([seen.evidence.scar_logit, seen.evidence.anatomy[:, 2], truth == 2, truth >= 1], axis=1)
    grid = on_grid(native.astype(np.float32), seen.stack, centres)
    carried = on_grid(prior, seen.stack, centres)
    useful = carried.sum(dim=(1, 2, 3)) > 1
    # A wall's or a scar's border lies where half of the voxel's weight does.
    expert = (grid[:, 3] > 0.5).to(torch.uint8) * (1 + (grid[:, 2] > 0.5).to(torch.uint8))
    out = {f"features{i}": level.cpu()[useful].half() for i, level in enumerate(seen.evidence.features[member])}
    out |= {"scar_logit": grid[useful, 0].clamp(-12, 12).half(), "wall": grid[useful, 1].half()}
    return out | {"prior": carried[useful].half(), "truth": expert[useful]}


def jittered_prior(seen: Seen, rng: np.random.Generator) -> FloatArray:
    """The soft partition, turned by up to 15 degrees and moved by up to a slice: the real one is never exact."""
    return soft_prior(
        seen.anatomy,
        seen.stack.spacing,
        rotate_deg=float(rng.uniform(-ROTATE_DEG, ROTATE_DEG)),
        shift_slices=int(rng.integers(-SHIFT_SLICES, SHIFT_SLICES + 1)),
    )


def bank_of(
    cases: Sequence[ExpertCase], session: Session, folder: Path, *, member: int = 0, degraded: int = 3, quiet=False
) -> SliceBank:
    """See every case once as it is and ``degraded`` times degraded; kept in ``folder``, case by case.

    Degraded versions in which no ventricle is found are left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts: list[dict[str, Tensor]] = []
    for number, case in enumerate(tqdm(cases, desc="image evidence", unit="case", disable=quiet)):
        file = folder / f"{case.name}_m{member}_d{degraded}.safetensors"
        if not file.is_file():
            versions = []
            for version in range(degraded + 1):
                rng = np.random.default_rng([number, version, 5])
                stack = case.stack if version == 0 else degrade(case.stack, 1000 * number + version)
                try:
                    seen = see(stack, session)
                except InputError:
                    continue
                tensors = slices_of(seen, case.labels, jittered_prior(seen, rng), member)
                tensors["degraded"] = torch.full((len(tensors["truth"]),), int(version > 0), dtype=torch.uint8)
                versions.append(tensors)
            joined = {key: torch.cat([v[key] for v in versions]).contiguous() for key in versions[0]}
            save_file(_sparse(joined), file)
        part = load_file(file)
        part["patient"] = torch.full((len(part["truth"]),), number)
        parts.append(part)
    return _join(parts)


def _sparse(part: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keep the prior only where there is any."""
    prior = part.pop("prior")
    flat = prior.permute(0, 2, 3, 1).flatten(0, 2)
    inside = torch.nonzero(flat.float().sum(dim=1) > 1e-3)[:, 0]
    return part | {"inside": inside, "prior": flat[inside].contiguous()}


def _join(parts: Sequence[dict[str, Tensor]]) -> SliceBank:
    levels = sum(key.startswith("features") for key in parts[0])
    size = int(parts[0]["truth"][0].numel())
    before, inside = 0, []
    for part in parts:
        inside.append(part["inside"] + before * size)
        before += len(part["truth"])
    where = torch.cat(inside)

    def whole(key: str) -> Tensor:
        return torch.cat([part[key] for part in parts])

    return SliceBank(
        [whole(f"features{i}") for i in range(levels)],
        whole("scar_logit"),
        whole("wall"),
        where,
        whole("prior"),
        torch.searchsorted(where, torch.arange(before + 1) * size),
        whole("truth"),
        whole("patient"),
        whole("degraded"),
    )


def movement_of(
    branch, seen: Seen, tokens: Tensor, amplitude: float, gap_days: float | None, member: int = 0
) -> FloatArray:
    """Movement of the scar logit [K, R, C] that a branch asks for, on the stack's own grid; exact prior."""
    centres = seen.evidence.centres_mm
    prior = on_grid(soft_prior(seen.anatomy, seen.stack.spacing), seen.stack, centres)
    logit = on_grid(seen.evidence.scar_logit[:, None], seen.stack, centres)
    features = [level.cpu().float() for level in seen.evidence.features[member]]
    count = torch.ones(len(prior))
    with torch.inference_mode():
        moved = branch(
            features,
            view_wall(prior, logit, level_shapes(features)),
            tokens.expand(len(prior), -1, -1),
            count * amplitude,
            count * (gap_days or 0.0),
            count * float(gap_days is not None),
        )
    return off_grid(moved, seen.stack, centres)[:, 0]


def toward(seen: Seen, extents: NDArray[np.floating], margin: float = MARGIN) -> FloatArray:
    """Movement of the scar logit [K, R, C] towards extents of scar (17,), as the pipeline does it."""
    prior = soft_prior(seen.anatomy, seen.stack.spacing)
    wall = seen.evidence.anatomy[:, 2]
    return movement_to_extent(seen.evidence.scar_logit, wall, seen.bright, seen.anatomy.aha, prior, extents, margin)
