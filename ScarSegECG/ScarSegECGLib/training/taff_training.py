"""TAFF and its time weight learn, on stage 2's features of stage 1's out-of-fold maps, how far to follow the ECG.

Stage 2 stays as it is: the image-only result is the same with and without this training. The pairs are semi-synthetic
where patients have no ECG of their own, and real where they have one (``pairs``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ScarSegECGLib.case import SCAR, FloatArray
from ScarSegECGLib.network.amplitude import UNKNOWN_DATE_COUNTS_AS_DAYS
from ScarSegECGLib.network.ecg_encoder import EcgEncoder
from ScarSegECGLib.network.polar_grid import polar_area
from ScarSegECGLib.network.stack_net import StackNet, without_wrap
from ScarSegECGLib.network.taff import SITES, EcgBranch, EcgWord
from ScarSegECGLib.network.time_weight import TimeWeight
from ScarSegECGLib.training.ecg_features import EcgInputs
from ScarSegECGLib.training.fit import Steps, fit
from ScarSegECGLib.training.pairs import Pairs
from ScarSegECGLib.training.stack_bank import SeenStack

UNKNOWN_DATE = 0.15
MISMATCH = 0.1  # pairs with another patient's ECG: mixed-up files, and what a simulation does not know (chosen)
TOLD = 0.25  # pairs in which the expert's own extents speak in the ECG's place, and no token does
HURT = 1.0  # weight of "the ECG must not hurt"
TIME_PRIOR = 0.1  # how firmly the time weight is held to the published rates it starts from
PRIOR_SCALE = 255.0


@dataclass(frozen=True)
class TaffRecipe:
    """How TAFF learns: ``stacks`` patients a step."""

    steps: int = 200
    stacks: int = 2
    learning_rate: float = 3e-3
    seed: int = 2


@dataclass(frozen=True)
class FusedStack:
    """A stack as TAFF learns on it: what stage 2 sees, the AHA ``prior`` uint8 [K, 17, A, R] of 255, the patient's
    number among the pairs, and the ``expert`` extents [17]."""

    stack: SeenStack
    prior: Tensor
    patient: int
    expert: Tensor


def unpacked_prior(prior: Tensor) -> Tensor:
    """Float [K, 17, A, R] from what :class:`FusedStack` keeps."""
    return prior.float() / PRIOR_SCALE


@torch.no_grad()
def embed(encoder: EcgEncoder, inputs: EcgInputs, batch: int = 256) -> Tensor:
    """Embedded ECGs [N, E]: the encoder is frozen here and reads each ECG once."""
    rows = range(0, len(inputs.beat), batch)
    parts = [inputs.part(slice(i, i + batch)) for i in rows]
    return torch.cat([encoder.embed(p.beat, p.leads, p.table) for p in parts])


def amplitude(time: TimeWeight, quality: Tensor, gap_days: Tensor, known: Tensor) -> Tensor:
    """Amplitude [B] as ``network.amplitude.decide`` gives it, but for its lower limit."""
    year = torch.full_like(gap_days, UNKNOWN_DATE_COUNTS_AS_DAYS)
    unknown = torch.minimum(time(year), time(-year))
    return quality * torch.where(known > 0, time(gap_days), unknown)


def word_of(branch: EcgBranch, embedded: Tensor) -> EcgWord:
    """The word of one embedded ECG [E]."""
    tokens, scar = branch.encoder.speak(embedded[None])
    return EcgWord(tokens[0], scar[0].sigmoid().detach())


def told(branch: EcgBranch, expert: Tensor) -> EcgWord:
    """The expert's own extents [17] in an ECG's place: more than any ECG can know."""
    return EcgWord(expert.new_zeros(len(expert), branch.encoder.token_size), expert)


def movement(branch: EcgBranch, stage_two: StackNet, one: FusedStack, word: EcgWord) -> tuple[Tensor, Tensor, Tensor]:
    """Movement at full amplitude [K, A, R], stage 2's own scar logit and its probability of wall, same shape."""
    seen = one.stack.seen.float().contiguous(memory_format=torch.channels_last)
    first = torch.arange(len(seen)) == 0
    prior = unpacked_prior(one.prior)
    with torch.no_grad():
        features = stage_two.features(seen, first, SITES[0])
        output = stage_two.finish(features, seen, first, SITES[0])
    moved = branch.taff(stage_two, seen, first, features, output, word, prior)
    return moved, output.scar[:, 0], output.anatomy.softmax(dim=1)[:, 2]


def scar_loss(logit: Tensor, alone: Tensor, wall: Tensor, truth: Tensor, area: Tensor) -> Tensor:
    """Cross-entropy and Dice of scar with the moved logit, and what the ECG made worse; all [K, A, R]."""
    scar, weight = (truth == SCAR).float(), (truth >= SCAR - 1).float() * area

    def entropy(of: Tensor) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(of, scar, reduction="none") * weight
        return loss.sum(dim=(1, 2)) / weight.sum(dim=(1, 2)).clamp(min=1.0)

    after = entropy(logit)
    joint = wall * logit.sigmoid()
    shared, both = (joint * scar * area).sum(), ((joint + scar) * area).sum()
    return after.mean() + 1 - (2 * shared + 1) / (both + 1) + HURT * (after - entropy(alone)).clamp(min=0).mean()


def train_taff(
    stage_two: StackNet,
    encoder: EcgEncoder,
    stacks: Mapping[str, Sequence[FusedStack]],
    names: Sequence[str],
    pairs: Pairs,
    recipe: TaffRecipe,
    folder: Path,
    *,
    device: torch.device,
    title: str,
    start: Mapping[str, Tensor] | None = None,
    quiet: bool = False,
) -> EcgBranch:
    """Train the branch for one stage 2 on these patients, from ``start`` if given, or take it up where it was left."""
    stage_two = stage_two.eval().requires_grad_(False)
    embedded = embed(encoder, pairs.inputs)
    area = without_wrap(polar_area())

    def make() -> EcgBranch:
        branch = EcgBranch(stage_two.head.in_channels, encoder.token_size, encoder.width)
        branch.encoder.load_state_dict(encoder.state_dict())
        if start:
            branch.load_state_dict(start)
        return branch

    def loss(branch: EcgBranch, rng: torch.Generator) -> Tensor:
        branch.encoder.eval()
        value = torch.zeros(())
        for index in torch.randint(len(names), (recipe.stacks,), generator=rng).tolist():
            versions = stacks[names[index]]
            version, other, expert, unknown = torch.rand(4, generator=rng).tolist()
            one = versions[int(version * len(versions))]
            own = pairs.of(one.patient)
            ecg = own[torch.randint(len(own), (1,), generator=rng)]
            if other < MISMATCH:
                ecg = torch.randint(len(embedded), (1,), generator=rng)
            gap, quality = pairs.gap_days[ecg], pairs.inputs.quality[ecg]
            weight = amplitude(branch.time, quality, gap, torch.tensor([float(unknown > UNKNOWN_DATE)]))
            word = word_of(branch, embedded[ecg[0]])
            if expert < TOLD:
                word, weight = told(branch, one.expert), torch.ones(1)
            moved, alone, wall = movement(branch, stage_two, one, word)
            value = value + scar_loss(alone + weight * moved, alone, wall, one.stack.truth, area) / recipe.stacks
        published = TimeWeight()
        drift = (branch.time.rates - published.rates).square().sum() + (branch.time.c - published.c).square()
        return value + TIME_PRIOR * drift

    def learning(branch: EcgBranch) -> list[torch.nn.Parameter]:
        return [*branch.taff.parameters(), *branch.time.parameters(), *branch.encoder.tokens.parameters()]

    schedule = Steps(recipe.steps, recipe.learning_rate, average=0.98, seed=recipe.seed, checkpoint_every=50)
    return fit(
        make,
        loss,
        schedule.tuned() if start else schedule,
        folder,
        device=device,
        title=title,
        trained=learning,
        quiet=quiet,
    )


def packed_prior(prior: FloatArray) -> np.ndarray:
    """Prior as it is kept, uint8 of 255."""
    return np.rint(np.asarray(prior) * PRIOR_SCALE).astype(np.uint8)
