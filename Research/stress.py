"""Held-out patients as other hospitals would send them.

    python Research/stress.py --cases DIR --run RUN --folds-file CSV --out CSV

Every fold's held-out patients, changed, through the networks of that fold, which never saw them: real images, changed
on purpose. Scar Dice over infarct patients; differences to the unchanged images are paired.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from held_out import cases_of, folds_of, options, tell
from numpy.typing import NDArray
from scipy import ndimage
from tqdm import tqdm

from ScarSegECGLib.case import LgeStack
from ScarSegECGLib.lge.checks import LEAST_FIELD_MM
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.training.ablation import bootstrap
from ScarSegECGLib.training.dataset import near_heart
from ScarSegECGLib.training.degrade import degrade, every_second_slice
from ScarSegECGLib.training.evaluate import CaseFigures, evaluate_case

Change = Callable[[ExpertCase, int], ExpertCase]


def _centre(case: ExpertCase) -> NDArray[np.float64]:
    """The LV's centre, index (row, column)."""
    return np.argwhere(case.labels > 0)[:, 1:].mean(axis=0)


def median_at(level: float) -> Change:
    """A gamma per slice that brings the median of the heart to ``level`` of the 1-99 % range."""

    def change(case: ExpertCase, _: int) -> ExpertCase:
        near = near_heart(case.labels.shape[1:], case.stack.spacing[1:], _centre(case))
        out = np.zeros(case.stack.voxels.shape, np.float32)
        for k, plane in enumerate(case.stack.voxels):
            low, high = np.percentile(plane[near & (plane != 0)] if (plane[near] != 0).any() else plane, (1, 99))
            unit = np.clip((plane - low) / max(high - low, 1e-6), 0, 1.5)
            middle = np.clip(np.median(unit[near]), 0.02, 0.98)
            out[k] = np.where(plane != 0, 1000 * unit ** (np.log(level) / np.log(middle)), 0)
        return replace(case, stack=replace(case.stack, voxels=out, sha256=""))

    return change


def cropped_to(mm: float) -> Change:
    """A square of ``mm`` about the LV, off its centre by up to 10 mm."""

    def change(case: ExpertCase, seed: int) -> ExpertCase:
        off = np.random.default_rng(seed).uniform(-10, 10, 2)
        centre = _centre(case)
        step = np.array(case.stack.spacing[1:])
        low = np.maximum(0, np.round(centre + (off - mm / 2) / step)).astype(int)
        high = np.minimum(case.labels.shape[1:], np.round(centre + (off + mm / 2) / step)).astype(int)
        box = (slice(None), slice(low[0], high[0]), slice(low[1], high[1]))
        affine = case.stack.ijk_to_ras.copy()
        affine[:3, 3] += affine[:3, 0] * low[1] + affine[:3, 1] * low[0]
        return ExpertCase(case.name, _with(case.stack, case.stack.voxels[box], affine), case.labels[box].copy())

    return change


def resampled_to(mm: float) -> Change:
    """Pixels of ``mm`` in the slice."""

    def change(case: ExpertCase, _: int) -> ExpertCase:
        step = np.array(case.stack.spacing[1:])
        zoom = (1.0, *(step / mm))
        blur = (0.0, *(0.4 * np.maximum(0, mm / step - 1)))
        voxels = ndimage.zoom(
            ndimage.gaussian_filter(case.stack.voxels, blur), zoom, order=1, grid_mode=True, mode="grid-constant"
        )
        labels = ndimage.zoom(case.labels, zoom, order=0, grid_mode=True, mode="grid-constant")
        affine = case.stack.ijk_to_ras.copy()
        real = step * np.array(case.labels.shape[1:]) / np.array(labels.shape[1:])
        affine[:3, 0] *= real[1] / step[1]
        affine[:3, 1] *= real[0] / step[0]
        return ExpertCase(case.name, _with(case.stack, voxels.astype(np.float32), affine), labels)

    return change


def _with(stack: LgeStack, voxels: NDArray, affine: NDArray) -> LgeStack:
    return replace(stack, voxels=np.ascontiguousarray(voxels), ijk_to_ras=affine, stored_ijk_to_ras=affine, sha256="")


CHANGES: dict[str, Change] = {
    "as they are": lambda case, _: case,
    "median at 0.15": median_at(0.15),
    "median at 0.25": median_at(0.25),
    "median at 0.70": median_at(0.70),
    f"cropped to {LEAST_FIELD_MM:.0f} mm": cropped_to(LEAST_FIELD_MM),
    "cropped to 130 mm": cropped_to(130),
    "cropped to 150 mm": cropped_to(150),
    "pixels of 0.7 mm": resampled_to(0.7),
    "pixels of 2 mm": resampled_to(2.0),
    "every second slice": lambda case, seed: every_second_slice(case, seed % 2),
    "degraded": lambda case, seed: replace(case, stack=degrade(case.stack, 77_000 + seed)),
}


def line(name: str, figures: list[CaseFigures], plain: list[CaseFigures]) -> dict[str, str]:
    """One line of the table."""
    scar = {row.case: row.scar.dice or 0.0 for row in figures if row.pathological}
    base = {row.case: row.scar.dice or 0.0 for row in plain if row.pathological}
    paired = bootstrap(np.array([scar[case] - base[case] for case in scar if case in base]))

    def mean(structure: str) -> str:
        return f"{np.mean([getattr(row, structure).dice or 0.0 for row in figures]):.3f}"

    return {
        "images": name,
        "patients": str(len(figures)),
        "lv_missed": str(sum(row.use is None for row in figures)),
        "cavity": mean("cavity"),
        "myocardium": mean("myocardium"),
        "scar_infarct": f"{np.mean(list(scar.values())):.3f}",
        "difference": paired.text(sign="+"),
        "normals_under_2_ml": f"{np.mean([row.scar_ml < 2 for row in figures if not row.pathological]):.2f}",
    }


def main() -> None:
    """Try every change on every held-out patient and write the table."""
    parser = options(__doc__)
    parser.add_argument("--weights", default="full.safetensors", help="of each fold")
    parser.add_argument("--only", nargs="*", default=list(CHANGES), choices=list(CHANGES))
    args = parser.parse_args()
    cases = cases_of(args)
    found: dict[str, list[CaseFigures]] = {name: [] for name in args.only}
    bar = tqdm(total=len(cases) * len(args.only), unit="stack")
    for fold in folds_of(args, cases, args.weights):
        for number, case in fold.held_out.items():
            for name in args.only:
                found[name].append(evaluate_case(CHANGES[name](case, number), fold.session))
                bar.update()
    bar.close()
    tell(args.out, [line(name, rows, found[args.only[0]]) for name, rows in found.items()])


if __name__ == "__main__":
    main()
