"""TAFF and its time weight learn, on stage 2's features of stage 1's out-of-fold maps, how far to follow the ECG.

Stage 2 stays as it is: the image-only result is the same with and without this training. The pairs are semi-synthetic
where patients have no ECG of their own, and real where they have one (``pairs``).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ScarSegECGLib.anatomy.aha import soft_prior
from ScarSegECGLib.case import MYOCARDIUM, SCAR
from ScarSegECGLib.errors import InputError, NoLeftVentricle
from ScarSegECGLib.network.amplitude import UNKNOWN_DATE_COUNTS_AS_DAYS, TimeWeight
from ScarSegECGLib.network.ecg_encoder import EcgEncoder
from ScarSegECGLib.network.polar_grid import cut_polar
from ScarSegECGLib.network.stack_net import StackNet, without_wrap
from ScarSegECGLib.network.taff import SITES, EcgBranch, EcgWord
from ScarSegECGLib.network.weights import read_weights, write_weights
from ScarSegECGLib.pipeline import predicted_anatomy
from ScarSegECGLib.training.fit import TUNED, Plan, Schedule, Unseen, fit, mixed, once
from ScarSegECGLib.training.pairs import Pairs
from ScarSegECGLib.training.stages import AREA, CLEAN, DEGRADED, Bank, SeenStack, soft_dice_loss, version_of

FUSED_VERSIONS = (CLEAN, DEGRADED)
STACKS_A_STEP = 2
UNKNOWN_DATE = 0.15  # pairs of unknown date: the lesser weight of a year's gap either way, as at inference
A_YEAR = torch.tensor([UNKNOWN_DATE_COUNTS_AS_DAYS, -UNKNOWN_DATE_COUNTS_AS_DAYS])
MISMATCH = 0.1  # pairs with another patient's ECG: mixed-up files, and what a simulation does not know (chosen)
TOLD = 0.25  # pairs in which the expert's own extents speak in the ECG's place, and no token does
HURT = 1.0  # weight of "the ECG must not hurt"
TIME_PRIOR = 0.1  # how firmly the time weight is held to the published rates it starts from
PRIOR_SCALE = 255.0
ROTATE_DEG, SHIFT_SLICES = 15.0, 1  # how far the AHA prior is jittered: the real one is never exact
EMBEDDED_AT_ONCE = 256
CPU = torch.device("cpu")  # some hundred steps on two stacks each

Fused = dict[int, list[tuple[SeenStack, Tensor]]]  # by patient: stacks, each with its AHA prior (see _prior)


def stack_loss(
    branch: EcgBranch, stage_two: StackNet, stack: SeenStack, prior: Tensor, word: EcgWord, weight: Tensor
) -> Tensor:
    """Cross-entropy and Dice of scar, stage 2's logit moved by ``weight`` (amplitude [1]), and what that made worse."""
    seen = stack.seen.float().contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        features = stage_two.features(seen, SITES[0])
        output = stage_two.finish(features, seen, SITES[0])
    alone, wall = output.scar[:, 0], output.anatomy.softmax(dim=1)[:, 2]
    moved = branch.taff(stage_two, seen, features, output, word, prior.float() / PRIOR_SCALE)
    scar, counts = (stack.truth == SCAR).float(), (stack.truth >= MYOCARDIUM).float() * AREA

    def entropy(logit: Tensor) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(logit, scar, reduction="none") * counts
        return loss.sum(dim=(1, 2)) / counts.sum(dim=(1, 2)).clamp(min=1.0)

    together = alone + weight * moved
    after = entropy(together)
    worse = (after - entropy(alone)).clamp(min=0).mean()
    return after.mean() + soft_dice_loss(wall * together.sigmoid(), scar, AREA) + HURT * worse


def _prior(of: Unseen, version: int, look: SeenStack) -> dict[str, Tensor]:
    """AHA prior uint8 [K, 17, A, R] of 255, jittered, on the anatomy that stage 2 predicts; none where it sees none."""
    stack, centres = version_of(of.case, of.number, version).stack, look.centres_mm.numpy()
    try:
        anatomy = predicted_anatomy(stack, of.session.second_look(stack, centres, look.seen))
    except NoLeftVentricle:
        return {}
    rng = np.random.default_rng([of.number, version, 5])
    turn, shift = rng.uniform(-ROTATE_DEG, ROTATE_DEG), int(rng.integers(-SHIFT_SLICES, SHIFT_SLICES + 1))
    prior = soft_prior(anatomy, stack.spacing, rotate_deg=turn, shift_slices=shift)
    unrolled = cut_polar(torch.from_numpy(prior.values), stack.spacing[1:], centres, corner=prior.corner)
    return {"prior": (without_wrap(unrolled) * PRIOR_SCALE).round().to(torch.uint8)}


def fuse_held_out(plan: Plan, bank: Bank) -> Fused:
    """Stacks with AHA priors on the anatomy that held-out networks predicted; kept stack by stack.

    InputError: a ventricle was found in too few patients.
    """
    found: Fused = {}
    for of in plan.held_out("image.safetensors", "AHA priors"):
        for version, look in bank[of.number].items():
            if version in FUSED_VERSIONS:
                file = plan.run / "aha_priors" / f"{of.case.name}.{version}.safetensors"
                for prior in once(file, _prior, of, version, look).values():
                    found.setdefault(of.number, []).append((look, prior))
    if len(found) < len(plan.folds):
        raise InputError(f"a left ventricle was found in {len(found)} of {len(plan.cases)} patients; train for longer")
    return found


def train_taff(
    plan: Plan, group: int, fused: Fused, encoder: EcgEncoder, pairs: Pairs, fractions: NDArray[np.float64]
) -> None:
    """Train the ECG's branch of one group; its ``full.safetensors`` holds it and the image networks.

    ``fractions`` [patient, 17]: the experts' own extents of scar.
    """
    folder, channels = plan.folder(group), plan.recipe.stack_channels
    if (folder / "full.safetensors").is_file():
        return
    image, known = read_weights(folder / "image.safetensors"), plan.trained("ecg.")
    stage_two = StackNet(channels).eval().requires_grad_(False)
    stage_two.load_state_dict(image.part("stack."))
    patients = [number for number in plan.seen_by(group) if number in fused]
    with torch.no_grad():  # the encoder is frozen here and reads each ECG once
        parts = zip(*(whole.split(EMBEDDED_AT_ONCE) for whole in (pairs.beat, pairs.leads, pairs.table)), strict=True)
        embedded = torch.cat([encoder.embed(*part) for part in parts])

    def make() -> EcgBranch:
        branch = EcgBranch(channels, encoder.token_size, encoder.width)
        branch.encoder.load_state_dict(encoder.state_dict())
        branch.encoder.requires_grad_(False).tokens.requires_grad_(True)
        return branch

    def loss_of_stack(branch: EcgBranch, patient: int, rng: torch.Generator) -> Tensor:
        version, other, expert, unknown = torch.rand(4, generator=rng).tolist()
        stack, prior = fused[patient][int(version * len(fused[patient]))]
        own = pairs.of(patient)
        ecg = own[torch.randint(len(own), (1,), generator=rng)]
        if other < MISMATCH:
            ecg = torch.randint(len(embedded), (1,), generator=rng)
        if expert < TOLD:  # more than any ECG can know
            extents = torch.from_numpy(fractions[patient]).float()
            word, weight = EcgWord(extents.new_zeros(len(extents), encoder.token_size), extents), torch.ones(1)
        else:
            tokens, scar = branch.encoder.speak(embedded[ecg])
            word = EcgWord(tokens[0], scar[0].sigmoid().detach())
            gaps = pairs.gap_days[ecg] if unknown > UNKNOWN_DATE else A_YEAR
            weight = pairs.quality[ecg] * branch.time(gaps).amin(dim=0, keepdim=True)
        return stack_loss(branch, stage_two, stack, prior, word, weight)

    def loss(branch: EcgBranch, rng: torch.Generator) -> Tensor:
        branch.encoder.eval()
        chosen = torch.randint(len(patients), (STACKS_A_STEP,), generator=rng).tolist()
        with mixed(CPU):
            value = sum(loss_of_stack(branch, patients[index], rng) for index in chosen) / STACKS_A_STEP
        published = TimeWeight()
        drift = (branch.time.rates - published.rates).square().sum() + (branch.time.c - published.c).square()
        return value + TIME_PRIOR * drift

    learning_rate = 3e-3 * (TUNED if known else 1)
    schedule = Schedule(plan.recipe.taff_steps, learning_rate, average=0.98, seed=2, checkpoint_every=50)
    branch = fit(make, loss, schedule, folder / "taff", CPU, quiet=plan.quiet, known=known)
    settings = {"ecg_trained": True, "token_size": encoder.token_size, "encoder_width": encoder.width}
    tensors = image.tensors | branch.state_dict(prefix="ecg.")
    write_weights(folder / "full.safetensors", tensors, image.settings | settings)
