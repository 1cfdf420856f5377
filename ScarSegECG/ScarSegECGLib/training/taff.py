"""TAFF and its time weight learn, on stage 2's features of stage 1's out-of-fold maps, how far to follow the ECG.

Stage 2 stays as it is: the image-only result is the same with and without this training. The pairs are semi-synthetic
where patients have no ECG of their own, and real where they have one (``pairs``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from ScarSegECGLib.anatomy.aha import partition, soft_prior
from ScarSegECGLib.anatomy.lv import clean, why_no_left_ventricle
from ScarSegECGLib.case import MYOCARDIUM, SCAR, Anatomy, LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.network.amplitude import UNKNOWN_DATE_COUNTS_AS_DAYS
from ScarSegECGLib.network.ecg_encoder import EcgEncoder
from ScarSegECGLib.network.polar_grid import cut_polar, polar_area
from ScarSegECGLib.network.session import ImageEvidence, Session
from ScarSegECGLib.network.stack_net import StackNet, without_wrap
from ScarSegECGLib.network.taff import SITES, EcgBranch, EcgWord
from ScarSegECGLib.network.time_weight import TimeWeight
from ScarSegECGLib.network.weights import half_precision, read_weights, write_weights
from ScarSegECGLib.training.fit import Steps, fit, halved, mixed, once, started
from ScarSegECGLib.training.pairs import Pairs
from ScarSegECGLib.training.plan import Plan
from ScarSegECGLib.training.stage_one import soft_dice_loss
from ScarSegECGLib.training.stage_two import CLEAN, DEGRADED, VERSIONS, SeenStack, version_of

FUSED_VERSIONS = (CLEAN, DEGRADED)
STACKS_A_STEP = 2
UNKNOWN_DATE = 0.15
MISMATCH = 0.1  # pairs with another patient's ECG: mixed-up files, and what a simulation does not know (chosen)
TOLD = 0.25  # pairs in which the expert's own extents speak in the ECG's place, and no token does
HURT = 1.0  # weight of "the ECG must not hurt"
TIME_PRIOR = 0.1  # how firmly the time weight is held to the published rates it starts from
PRIOR_SCALE = 255.0
ROTATE_DEG, SHIFT_SLICES = 15.0, 1  # how far the AHA prior is jittered: the real one is never exact
EMBEDDED_AT_ONCE = 256


@dataclass(frozen=True)
class FusedStack:
    """A stack as TAFF learns on it: what stage 2 sees, the AHA ``prior`` uint8 [K, 17, A, R] of 255, the patient's
    number among the pairs, and the ``expert`` extents [17]."""

    stack: SeenStack
    prior: Tensor
    patient: int
    expert: Tensor


def anatomy_of(stack: LgeStack, evidence: ImageEvidence) -> Anatomy | None:
    """The left ventricle that the networks see, divided; None where there is none."""
    cavity, wall = clean(evidence.classes == 1, evidence.classes == 2)
    if why_no_left_ventricle(cavity, wall, stack.spacing):
        return None
    return partition(cavity, wall, stack.voxels, stack.spacing, orientation_known=stack.orientation_known)


def jittered_prior(session: Session, stack: LgeStack, seen: SeenStack, rng: np.random.Generator) -> Tensor | None:
    """AHA prior uint8 [K, 17, A, R] of 255 on the anatomy that stage 2 predicts; None where it sees no ventricle."""
    anatomy = anatomy_of(stack, session.second_look(stack, seen.centres_mm, seen.seen))
    if anatomy is None:
        return None
    turn, shift = float(rng.uniform(-ROTATE_DEG, ROTATE_DEG)), int(rng.integers(-SHIFT_SLICES, SHIFT_SLICES + 1))
    prior = soft_prior(anatomy, stack.spacing, rotate_deg=turn, shift_slices=shift)
    unrolled = cut_polar(torch.from_numpy(prior.values), stack.spacing[1:], seen.centres_mm, corner=prior.corner)
    return (without_wrap(unrolled) * PRIOR_SCALE).round().to(torch.uint8)


@torch.no_grad()
def embed(encoder: EcgEncoder, pairs: Pairs) -> Tensor:
    """Embedded ECGs [N, E]: the encoder is frozen here and reads each ECG once."""
    inputs = pairs.inputs
    parts = [inputs.part(slice(i, i + EMBEDDED_AT_ONCE)) for i in range(0, len(inputs.beat), EMBEDDED_AT_ONCE)]
    return torch.cat([encoder.embed(part.beat, part.leads, part.table) for part in parts])


def amplitude(time: TimeWeight, quality: Tensor, gap_days: Tensor, date_known: bool) -> Tensor:
    """Amplitude [B] as ``network.amplitude.decide`` gives it, but for its lower limit."""
    if date_known:
        return quality * time(gap_days)
    year = torch.full_like(gap_days, UNKNOWN_DATE_COUNTS_AS_DAYS)
    return quality * torch.minimum(time(year), time(-year))


def movement(branch: EcgBranch, stage_two: StackNet, one: FusedStack, word: EcgWord) -> tuple[Tensor, Tensor, Tensor]:
    """Movement at full amplitude [K, A, R], stage 2's own scar logit and its probability of wall, same shape."""
    seen = one.stack.seen.float().contiguous(memory_format=torch.channels_last)
    first = torch.arange(len(seen)) == 0
    with torch.no_grad():
        features = stage_two.features(seen, first, SITES[0])
        output = stage_two.finish(features, seen, first, SITES[0])
    moved = branch.taff(stage_two, seen, first, features, output, word, one.prior.float() / PRIOR_SCALE)
    return moved, output.scar[:, 0], output.anatomy.softmax(dim=1)[:, 2]


def scar_loss(logit: Tensor, alone: Tensor, wall: Tensor, truth: Tensor, area: Tensor) -> Tensor:
    """Cross-entropy and Dice of scar with the moved logit, and what the ECG made worse; all [K, A, R]."""
    scar, weight = (truth == SCAR).float(), (truth >= MYOCARDIUM).float() * area

    def entropy(of: Tensor) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(of, scar, reduction="none") * weight
        return loss.sum(dim=(1, 2)) / weight.sum(dim=(1, 2)).clamp(min=1.0)

    after = entropy(logit)
    worse = (after - entropy(alone)).clamp(min=0).mean()
    return after.mean() + soft_dice_loss(wall * logit.sigmoid(), scar, area) + HURT * worse


def _priors(
    session_of: Callable[[ExpertCase], Session], case: ExpertCase, stacks: Sequence[SeenStack], number: int
) -> dict[str, Tensor]:
    """Jittered priors of a patient's versions, without those in which no ventricle is found."""
    tensors = {}
    for seen in stacks:
        kind = VERSIONS[seen.version]
        if kind in FUSED_VERSIONS:
            rng = np.random.default_rng([number, seen.version, 5])
            stack = version_of(case, kind, seen.seed).stack
            tensors[str(seen.version)] = jittered_prior(session_of(case), stack, seen, rng)
    return {key: prior for key, prior in tensors.items() if prior is not None}


def fuse_held_out(
    plan: Plan, bank: Mapping[str, Sequence[SeenStack]], fractions: NDArray[np.float64]
) -> dict[str, list[FusedStack]]:
    """AHA priors on the anatomy that held-out networks predicted; kept patient by patient.

    Raises
    ------
    InputError : a ventricle was found in too few patients.
    """
    session_of = plan.session_of("image.safetensors")
    numbers = {case.name: number for number, case in enumerate(plan.cases)}
    found = {}
    for case in tqdm(plan.by_fold(), desc="AHA priors", unit="patient", disable=plan.quiet):
        number, file = numbers[case.name], plan.run / "priors" / f"{case.name}.safetensors"
        priors = once(file, _priors, session_of, case, bank[case.name], number)
        expert = torch.from_numpy(fractions[number]).float()
        there = [seen for seen in bank[case.name] if str(seen.version) in priors]
        if there:
            found[case.name] = [FusedStack(seen, priors[str(seen.version)], number, expert) for seen in there]
    if len(found) < len(plan.folds):
        raise InputError(f"a left ventricle was found in {len(found)} of {len(plan.cases)} patients; train for longer")
    return found


def train_taff(
    plan: Plan, group: int, fused: Mapping[str, Sequence[FusedStack]], encoder: EcgEncoder, pairs: Pairs
) -> Path:
    """Train the ECG's branch of one group, put beside its image networks; returns the weights file of all."""
    path = plan.folder(group) / "full.safetensors"
    if path.is_file():
        return path
    image, known = read_weights(plan.folder(group) / "image.safetensors"), plan.trained("ecg.")
    stage_two = started(StackNet(plan.recipe.stack_channels), image.part("stack.")).eval().requires_grad_(False)
    stacks = [fused[case.name] for case in plan.seen_by(group) if case.name in fused]
    embedded, area = embed(encoder, pairs), without_wrap(polar_area())

    def make() -> EcgBranch:
        branch = EcgBranch(plan.recipe.stack_channels, encoder.token_size, encoder.width)
        branch.encoder.load_state_dict(encoder.state_dict())
        return started(branch, known)

    def loss_of_stack(branch: EcgBranch, versions: Sequence[FusedStack], rng: torch.Generator) -> Tensor:
        version, other, expert, unknown = torch.rand(4, generator=rng).tolist()
        one = versions[int(version * len(versions))]
        own = pairs.of(one.patient)
        ecg = own[torch.randint(len(own), (1,), generator=rng)]
        if other < MISMATCH:
            ecg = torch.randint(len(embedded), (1,), generator=rng)
        if expert < TOLD:  # more than any ECG can know
            silent = one.expert.new_zeros(len(one.expert), encoder.token_size)
            word, weight = EcgWord(silent, one.expert), torch.ones(1)
        else:
            tokens, scar = branch.encoder.speak(embedded[ecg])
            word = EcgWord(tokens[0], scar[0].sigmoid().detach())
            weight = amplitude(branch.time, pairs.inputs.quality[ecg], pairs.gap_days[ecg], unknown > UNKNOWN_DATE)
        moved, alone, wall = movement(branch, stage_two, one, word)
        return scar_loss(alone + weight * moved, alone, wall, one.stack.truth, area)

    def loss(branch: EcgBranch, rng: torch.Generator) -> Tensor:
        branch.encoder.eval()
        chosen = torch.randint(len(stacks), (STACKS_A_STEP,), generator=rng).tolist()
        with mixed(plan.device):
            value = sum(loss_of_stack(branch, stacks[index], rng) for index in chosen) / STACKS_A_STEP
        published = TimeWeight()
        drift = (branch.time.rates - published.rates).square().sum() + (branch.time.c - published.c).square()
        return value + TIME_PRIOR * drift

    schedule = Steps(plan.recipe.taff_steps, 3e-3, average=0.98, seed=2, checkpoint_every=50)
    branch = fit(
        make,
        loss,
        schedule.tuned() if known else schedule,
        plan.place(group, "taff", "TAFF"),
        trained=lambda net: [*net.taff.parameters(), *net.time.parameters(), *net.encoder.tokens.parameters()],
    )
    known_of_ecg = {"ecg_trained": True, "token_size": encoder.token_size, "encoder_width": encoder.width}
    write_weights(path, halved(image.tensors) | half_precision(branch, "ecg."), image.settings | known_of_ecg)
    return path
