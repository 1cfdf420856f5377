"""What stage 1 says of patients it has not learned from, on the unrolled grid: what stage 2 learns from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from scipy import ndimage
from torch import Tensor
from tqdm import tqdm

from ScarSegECGLib.case import SCAR, LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.network.polar_grid import cut_polar
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.network.stack_net import without_wrap
from ScarSegECGLib.training.degrade import degrade

CLEAN, OTHER_SCANNER, DEGRADED, HALF_THE_SLICES = 0, 1, 2, 3
VERSIONS = (CLEAN, OTHER_SCANNER, OTHER_SCANNER, DEGRADED, HALF_THE_SLICES)
FEWEST_SLICES = 6  # of a stack of which every second one may go


def other_scanner(stack: LgeStack, rng: np.random.Generator) -> LgeStack:
    """The stack through a random rising intensity curve, a little blurred, with the noise of a magnitude image."""
    curve = np.exp(0.45 * rng.standard_normal(5) + 0.45 * rng.standard_normal() * np.linspace(-1.5, 1.5, 5))
    knots = np.concatenate([[0.0], curve.cumsum() / curve.sum()])
    blur = rng.uniform(0.0, 1.2) / np.array(stack.spacing[1:])
    level = rng.uniform(0.0, 0.06)
    out = np.empty(stack.voxels.shape, np.float32)
    for k, plane in enumerate(stack.voxels):
        low, high = np.percentile(plane[plane != 0], (0.5, 99.5)) if (plane != 0).any() else (0.0, 1.0)
        unit = np.interp((plane - low) / max(high - low, 1e-6), np.linspace(0, 1, 6), knots)
        noise = level * rng.standard_normal((2, *plane.shape))
        image = np.hypot(ndimage.gaussian_filter(unit, blur) + noise[0], noise[1])
        out[k] = np.where(plane != 0, 1000 * image, 0)
    return replace(stack, voxels=out, sha256="")


def version_of(case: ExpertCase, kind: int, seed: int) -> ExpertCase:
    """A patient's stack as it is, or changed (one of :data:`VERSIONS`)."""
    rng = np.random.default_rng(seed)
    if kind == OTHER_SCANNER:
        return replace(case, stack=other_scanner(case.stack, rng))
    if kind == DEGRADED:
        return replace(case, stack=degrade(case.stack, seed))
    if kind == HALF_THE_SLICES:
        return every_second_slice(case, int(rng.integers(2)))
    return case


def every_second_slice(case: ExpertCase, start: int) -> ExpertCase:
    """The patient imaged with twice the distance between slices; short stacks stay as they are."""
    if len(case.labels) < FEWEST_SLICES:
        return case
    affine = case.stack.ijk_to_ras.copy()
    affine[:3, 3] += start * affine[:3, 2]
    affine[:3, 2] *= 2
    stack = replace(case.stack, voxels=case.stack.voxels[start::2].copy(), ijk_to_ras=affine, sha256="")
    return ExpertCase(case.name, stack, case.labels[start::2].copy())


@dataclass(frozen=True)
class SeenStack:
    """One version of one patient: ``seen`` half [K, CHANNELS, A, R] (:func:`stack_net.stack_input`), the expert's
    ``truth`` uint8 [K, A, R] (0 background to 3 scar), its index among :data:`VERSIONS` and the ``seed`` that made it,
    and the LV's ``centres_mm`` [K, 2]."""

    seen: Tensor
    truth: Tensor
    version: int
    centres_mm: NDArray[np.float64]
    seed: int

    @property
    def clean(self) -> bool:
        """Whether the images are as they were."""
        return VERSIONS[self.version] == CLEAN


def polar_labels(labels: np.ndarray, stack: LgeStack, centres_mm: np.ndarray) -> Tensor:
    """Expert labels unrolled, uint8 [K, A, R]: the class that most of the neighbourhood has."""
    classes = np.stack([np.minimum(labels, SCAR) == value for value in range(4)], axis=1).astype(np.float32)
    shares = cut_polar(torch.from_numpy(classes), stack.spacing[1:], centres_mm)
    return without_wrap(shares).argmax(dim=1).to(torch.uint8)


def _seed(number: int, version: int) -> int:
    return 1000 * number + version


def see_patients(
    cases: Sequence[ExpertCase],
    session_of: Callable[[str], Session],
    folder: Path,
    *,
    quiet: bool = False,
) -> dict[str, list[SeenStack]]:
    """Every patient through a network that has not learned from it, kept in ``folder`` patient by patient.

    Versions in which no ventricle is found are left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    bank = {}
    for number, case in enumerate(tqdm(cases, desc="stage 1 on held-out patients", unit="patient", disable=quiet)):
        file = folder / f"{case.name}.safetensors"
        if not file.is_file():
            tensors: dict[str, Tensor] = {}
            for index, kind in enumerate(VERSIONS):
                changed = version_of(case, kind, _seed(number, index))
                try:
                    centres, seen = session_of(case.name).first_look(changed.stack)
                except InputError:
                    continue
                tensors[f"{index}.seen"] = seen.half().contiguous()
                tensors[f"{index}.truth"] = polar_labels(changed.labels, changed.stack, centres)
                tensors[f"{index}.centres"] = torch.from_numpy(centres)
            save_file(tensors, file.with_suffix(".partial"))
            file.with_suffix(".partial").replace(file)
        kept = load_file(file)
        bank[case.name] = [
            SeenStack(kept[f"{i}.seen"], kept[f"{i}.truth"], i, kept[f"{i}.centres"].numpy(), _seed(number, i))
            for i in range(len(VERSIONS))
            if f"{i}.seen" in kept
        ]
    return bank
