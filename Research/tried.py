"""What was tried for borders and scar, one thing at a time, on patients the networks had not seen.

    python Research/tried.py --cases DIR --run RUN --former FILE --shorter RUN --folds-file CSV --out CSV

``FILE`` holds the networks that the run started from, with ``member_trained_on`` beside them; ``--shorter`` is a run
that tuned stage 1 for 14 epochs only. Every row is on the same
patients; differences are to the tuned stage 1 with its mirror image, paired, with a 95 % bootstrap interval.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from held_out import cases_of, folds_of, options, tell
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from ScarSegECGLib.anatomy.lv import clean
from ScarSegECGLib.case import LgeStack
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.measure.overlap import overlap
from ScarSegECGLib.measure.trust import scar_probability
from ScarSegECGLib.network.polar_grid import put_back_polar, unmirror
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.network.stack_net import StackOutput, without_wrap
from ScarSegECGLib.network.unet import ScarUNet
from ScarSegECGLib.network.weights import read_weights
from ScarSegECGLib.training.ablation import bootstrap
from ScarSegECGLib.training.stages import unseen_member

BASE = "stage 1 tuned for any scanner, with its mirror image"
WAVES, SOFT_STEPS = 6, 0.25  # around the circle; width of a border, radius steps (chosen)
JITTER_MM = ((3.0, 0.0), (-3.0, 0.0), (0.0, 3.0), (0.0, -3.0))


@dataclass(frozen=True)
class Looks:
    """Maps [K, 3, R, C] (cavity, wall, wall x scar) of one stack by every way of looking at it."""

    plain: NDArray
    mirrored: NDArray
    jittered: NDArray
    former: NDArray
    shorter: NDArray
    stack: NDArray
    curves: NDArray


@torch.inference_mode()
def look(session: Session, network: torch.nn.Module, stack: LgeStack, centres: NDArray, mirror: bool) -> NDArray:
    """One network's maps about these centres."""
    said = session._say(network, session._unrolled(stack, centres, mirror))
    said = without_wrap(unmirror(said) if mirror else said)
    return put_back(torch.cat([said[:, 1:3], said[:, 2:3] * said[:, 3:].sigmoid()], dim=1), stack, centres)


def put_back(maps: Tensor, stack: LgeStack, centres: NDArray) -> NDArray:
    """Unrolled maps [K, 3, A, R] on the stack's own grid."""
    shape = (stack.voxels.shape[1], stack.voxels.shape[2])
    box = (slice(0, shape[0]), slice(0, shape[1]))
    return put_back_polar(maps, box, stack.spacing[1:], centres).numpy()


def as_curves(output: StackOutput) -> Tensor:
    """Unrolled maps [K, 3, A, R] whose borders are smooth closed curves: each angle's expected radius of endocardium
    and epicardium, its waves around the circle beyond the sixth left out."""
    cavity, wall = output.anatomy.softmax(dim=1)[:, 1:].unbind(dim=1)
    radii = torch.stack([cavity.sum(dim=-1), (cavity + wall).sum(dim=-1)])
    waves = torch.fft.rfft(radii, dim=-1)
    waves[..., WAVES + 1 :] = 0
    inner, outer = torch.fft.irfft(waves, n=radii.shape[-1], dim=-1)[..., None]
    radius = torch.arange(wall.shape[-1]) + 0.5
    blood = ((inner - radius) / SOFT_STEPS).sigmoid()
    muscle = (((outer - radius) / SOFT_STEPS).sigmoid() - blood).clamp(min=0)
    return torch.stack([blood, muscle, muscle * output.scar[:, 0].sigmoid()], dim=1)


def looks(case: ExpertCase, session: Session, former: torch.nn.Module, shorter: torch.nn.Module) -> Looks:
    """Every way of looking at one stack."""
    stack = case.stack
    with torch.inference_mode():
        centres, _, _ = session._centred(stack)
    mine = session._members[0]
    jittered = [look(session, mine, stack, centres + np.array(off), n % 2 == 1) for n, off in enumerate(JITTER_MM)]
    evidence = session.see(stack)
    scar = scar_probability(evidence.scar_logit, evidence.wall, evidence.classes == 2, evidence.box)
    both, short = (
        np.mean([look(session, network, stack, centres, mirror) for mirror in (False, True)], axis=0)
        for network in (former, shorter)
    )
    maps = np.stack([evidence.classes == 1, evidence.classes == 2, scar], axis=1).astype(np.float32)
    return Looks(
        look(session, mine, stack, centres, False),
        look(session, mine, stack, centres, True),
        np.mean(jittered, axis=0),
        both,
        short,
        maps,
        put_back(as_curves(evidence.output), stack, evidence.centres_mm),
    )


ROWS: dict[str, Callable[[Looks], NDArray]] = {
    "former networks (one member of the fold, with its mirror image)": lambda of: of.former,
    "stage 1 tuned for any scanner for 14 epochs instead of 60": lambda of: of.shorter,
    "stage 1 tuned, one look": lambda of: of.plain,
    BASE: lambda of: (of.plain + of.mirrored) / 2,
    "+ four looks about shifted centres": lambda of: (of.plain + of.mirrored + 4 * of.jittered) / 6,
    "+ the former network as a second member": lambda of: (of.plain + of.mirrored + 2 * of.former) / 4,
    "+ stage 2 over the stack": lambda of: of.stack,
    "+ its borders as smooth closed curves": lambda of: of.curves,
}


def figures(maps: NDArray, case: ExpertCase) -> tuple[float, float, float | None, float]:
    """Dice of cavity, wall and scar, and the scar found, ml."""
    cavity, wall = maps[:, 0], maps[:, 1]
    classes = np.where(wall > cavity, 2, 1)
    classes[1 - cavity - wall >= np.maximum(cavity, wall)] = 0
    blood, muscle = clean(classes == 1, classes == 2)
    scar = muscle & (maps[:, 2] > 0.5)
    dice = [
        overlap(found, truth, case.stack.spacing, distance=False).dice
        for found, truth in ((blood, case.cavity), (muscle, case.myocardium), (scar, case.scar))
    ]
    return dice[0] or 0.0, dice[1] or 0.0, dice[2], float(scar.sum()) * case.stack.voxel_ml


def main() -> None:
    """Look at every held-out patient in every way, and write the table."""
    parser = options(__doc__)
    parser.add_argument("--former", required=True, type=Path, help="weights the run started from")
    parser.add_argument("--shorter", required=True, type=Path, help="run of a shorter tuning")
    args = parser.parse_args()
    cases, former = cases_of(args), read_weights(args.former)
    found: dict[str, dict[str, tuple]] = {row: {} for row in ROWS}
    bar = tqdm(total=len(cases), unit="patient")
    for fold in folds_of(args, cases, "full.safetensors"):
        member = ScarUNet(former.settings["channels"])
        unseen = unseen_member(former, [case.name for case in fold.held_out.values()])
        member.load_state_dict(former.part(f"member{unseen}."))
        shorter = Session.load(args.shorter / f"fold{fold.number}" / "weights.safetensors", "cpu")._members[0]
        for case in fold.held_out.values():
            seen = looks(case, fold.session, member.eval(), shorter)
            for row, maps in ROWS.items():
                found[row][case.name] = figures(maps(seen), case)
            bar.update()
    bar.close()
    scarred = [case.name for case in cases if case.scar.any()]
    normal = [case.name for case in cases if not case.scar.any()]
    lines = []
    for row, of in found.items():
        difference = bootstrap(np.array([of[name][2] - found[BASE][name][2] for name in scarred]))
        lines.append(
            {
                "tried": row,
                "cavity": f"{np.mean([v[0] for v in of.values()]):.3f}",
                "myocardium": f"{np.mean([v[1] for v in of.values()]):.3f}",
                "scar_infarct": f"{np.mean([of[name][2] for name in scarred]):.3f}",
                "difference": "" if row == BASE else difference.text(sign="+"),
                "false_scar_ml": f"{np.mean([of[name][3] for name in normal]):.2f}",
            }
        )
    tell(args.out, lines)


if __name__ == "__main__":
    main()
