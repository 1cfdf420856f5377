"""The most that any ECG could bring, whatever it knew, on patients the networks had not seen.

    python Research/ecg_ceiling.py --cases DIR --run RUN --folds-file CSV --out CSV

An ECG speaks of segments, may raise a scar logit by 2 at most and never takes scar away. Chosen by the expert's own
scar: for every segment the rise that serves the patient's Dice best ("best rise of every segment"), and every voxel
that may be raised and is scar ("best voxels", which no word about segments can choose). Real images and experts' scars,
no ECG.
"""

from __future__ import annotations

import numpy as np
import torch
from held_out import cases_of, folds_of, options, tell
from numpy.typing import NDArray
from tqdm import tqdm

from ScarSegECGLib.errors import NoLeftVentricle
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.measure.trust import scar_probability
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.network.taff import LOGIT_UP
from ScarSegECGLib.pipeline import predicted_anatomy
from ScarSegECGLib.training.ablation import bootstrap
from ScarSegECGLib.training.degrade import degrade

ROWS = ("image only", "best rise of every segment", "best voxels")


def dice(shared: float, found: float, real: float) -> float:
    """Of numbers of voxels."""
    return 2 * shared / (found + real)


def best_rises(needed: NDArray, scar: NDArray[np.bool_], segment: NDArray, shared: int, found: int, real: int) -> float:
    """Highest Dice when every segment takes its voxels in the order of the rise they need, up to any one of them.

    ``needed``, ``scar``, ``segment`` [N] of the voxels that may be added; ``shared`` and ``found`` scar without them.
    Exact: a Dice above d exists if and only if the segments' best 2 x shared - d x found exceed d x real (Dinkelbach).
    """
    order = [np.flatnonzero(segment == number) for number in np.unique(segment)]
    order = [voxels[np.argsort(needed[voxels])] for voxels in order]
    best = dice(shared, found, real)
    while True:
        more, taken = shared, found
        for voxels in order:
            gain = 2 * np.cumsum(scar[voxels]) - best * np.arange(1, len(voxels) + 1)
            if gain.max() > 0:
                chosen = voxels[: int(gain.argmax()) + 1]
                more, taken = more + int(scar[chosen].sum()), taken + len(chosen)
        if dice(more, taken, real) <= best:
            return best
        best = dice(more, taken, real)


def ceilings(case: ExpertCase, session: Session) -> tuple[float, float, float]:
    """Dice of the images alone, and of the best that an ECG could make of it."""
    try:
        evidence = session.see(case.stack)
        anatomy = predicted_anatomy(case.stack, evidence)
    except NoLeftVentricle:
        return 0.0, 0.0, 0.0
    real = int(case.scar.sum())
    alone = scar_probability(evidence.scar_logit, evidence.wall, anatomy.myocardium, evidence.box) > 0.5
    rows, columns = evidence.box
    wall = np.zeros(case.labels.shape, np.float32)
    logit = np.zeros_like(wall)
    wall[:, rows, columns], logit[:, rows, columns] = evidence.wall, evidence.scar_logit
    may = anatomy.myocardium & ~alone & (wall > 0.5)
    needed = torch.logit(torch.from_numpy(0.5 / wall[may]).clamp(max=1 - 1e-6)).numpy() - logit[may]
    near = needed <= LOGIT_UP
    scar, segment = case.scar[may][near], anatomy.aha[may][near]
    shared, found = int((alone & case.scar).sum()), int(alone.sum())
    rises = best_rises(needed[near], scar, segment, shared, found, real)
    missed = int(scar.sum())
    return dice(shared, found, real), rises, dice(shared + missed, found + missed, real)


def main() -> None:
    """Every held-out infarct patient, clean and degraded, and the table."""
    args = options(__doc__).parse_args()
    cases = cases_of(args)
    found: dict[str, list[tuple[float, float, float]]] = {"clean": [], "degraded": []}
    for fold in folds_of(args, cases, "full.safetensors"):
        for number, case in tqdm(fold.held_out.items(), unit="patient"):
            if case.scar.any():
                poor = ExpertCase(case.name, degrade(case.stack, 77_000 + number), case.labels)
                found["clean"].append(ceilings(case, fold.session))
                found["degraded"].append(ceilings(poor, fold.session))
    lines = []
    for row, name in enumerate(ROWS):
        line = {"most that an ECG could bring": name}
        for images, values in found.items():
            dices = np.array(values)
            difference = "" if row == 0 else f" ({bootstrap(dices[:, row] - dices[:, 0]).text(sign='+')})"
            line[images] = f"{dices[:, row].mean():.3f}{difference}"
        lines.append(line)
    tell(args.out, lines)


if __name__ == "__main__":
    main()
