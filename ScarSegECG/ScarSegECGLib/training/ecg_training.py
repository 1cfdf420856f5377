"""Stage two: TAFF and its time weight learn, on what a frozen image network says, how far to follow the ECG.

The image network is never run here: its features for clean and degraded versions of every slice are computed once
(``evidence``), so that a step costs milliseconds on a CPU. Under ``torchrun`` each process takes its share of the
folds and members.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from ScarSegECGLib.network.amplitude import UNKNOWN_DATE_COUNTS_AS_DAYS
from ScarSegECGLib.network.ecg_branch import EcgBranch
from ScarSegECGLib.network.ecg_encoder import SEGMENTS, EcgEncoder
from ScarSegECGLib.network.time_weight import TimeWeight
from ScarSegECGLib.network.wall_view import level_shapes, view_wall
from ScarSegECGLib.training.ecg_features import EcgInputs
from ScarSegECGLib.training.evidence import SliceBank
from ScarSegECGLib.training.fit import Steps, fit
from ScarSegECGLib.training.pairs import Pairs

Kind = Literal["taff", "no time", "aha", "extent"]
Task = TypeVar("Task")

ECG_DROPOUT, PRIOR_DROPOUT = 0.3, 0.2
UNKNOWN_DATE = 0.15
MISMATCH = 0.1  # pairs with another patient's ECG: mixed-up files, and what a simulation does not know (chosen)
HURT = 1.0  # weight of "the ECG must not hurt"
TIME_PRIOR = 0.1  # how firmly the time weight is held to the published rates it starts from
# A network is surer of the patients it has learned from than of new ones. Their logits are therefore shrunk, and
# shifted segment by segment as errors on new patients are (ranges chosen).
SHRINK, DOUBT = (0.5, 1.0), 1.0


class GuideTrainer(nn.Module):
    """A branch as one row of the ablation trains it.

    "taff": the whole; "no time": amplitude and features know nothing of the gap; "aha": no ECG at all, every segment
    has a token of its own, the same for all patients (position alone); "extent": no ECG either, the tokens are made of
    the expert's own extent of scar per segment, which no ECG can surpass.
    """

    def __init__(
        self, channels: Sequence[int], encoder: EcgEncoder, kind: Kind, width: int, *, word: bool = False
    ) -> None:
        super().__init__()
        self.branch = EcgBranch(channels, encoder.token_size, width, word=word)
        self.branch.encoder.load_state_dict(encoder.state_dict())
        self.kind = kind
        self.constant = nn.Parameter(torch.zeros(SEGMENTS, encoder.token_size))
        self.extent = nn.Linear(1, encoder.token_size) if kind == "extent" else None

    def learning(self) -> list[nn.Parameter]:
        """Parameters of stage two: the encoder stays, but for the layer that makes its tokens."""
        chosen = list(self.branch.guide.parameters())
        if self.kind == "aha":
            return [*chosen, self.constant]
        if self.extent is not None:
            return [*chosen, *self.extent.parameters()]
        chosen += list(self.branch.encoder.tokens.parameters())
        return chosen + (list(self.branch.time.parameters()) if self.kind == "taff" else [])

    def tokens(self, embedded: Tensor) -> Tensor:
        """Tokens [B, 17, D] of embedded ECGs [B, E]; for "extent" of the scar's extents [B, 17]."""
        if self.kind == "aha":
            return self.constant.expand(len(embedded), -1, -1)
        if self.extent is not None:
            return self.extent(embedded[:, :, None])
        return self.branch.encoder.speak(embedded)[0]

    def amplitude(self, quality: Tensor, gap_days: Tensor, known: Tensor) -> Tensor:
        """Amplitude [B] as ``network.amplitude.decide`` gives it, but for its lower limit."""
        if self.kind in ("aha", "extent"):
            return torch.ones_like(quality)
        if self.kind == "no time":
            return quality
        year = torch.full_like(gap_days, UNKNOWN_DATE_COUNTS_AS_DAYS)
        unknown = torch.minimum(self.branch.time(year), self.branch.time(-year))
        return quality * torch.where(known > 0, self.branch.time(gap_days), unknown)


@torch.no_grad()
def embed(encoder: EcgEncoder, inputs: EcgInputs, batch: int = 256) -> Tensor:
    """Embedded ECGs [N, E]: the encoder is frozen in stage two and reads each ECG once."""
    rows = range(0, len(inputs.beat), batch)
    parts = [inputs.part(slice(i, i + batch)) for i in rows]
    return torch.cat([encoder.embed(p.beat, p.leads, p.table) for p in parts])


@dataclass(frozen=True)
class GuideRecipe:
    """How stage two learns.

    ``word``: with :class:`SegmentWord`; ``doubt``: from doubted logits; ``mismatch``: share of another patient's ECGs.
    """

    steps: int = 800
    batch: int = 12
    learning_rate: float = 2e-3
    seed: int = 2
    degraded_versions: int = 3
    word: bool = False
    doubt: bool = True
    mismatch: float = MISMATCH


@dataclass(frozen=True)
class GuideData:
    """Slices, ECG pairs of the same patients (numbered alike), and the embedded ECGs."""

    slices: SliceBank
    pairs: Pairs
    embedded: Tensor
    area: Tensor | None = None


def _choose(data: GuideData, recipe: GuideRecipe, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Slices and their ECGs. The frozen image network *is* the case without ECG or prior, so that dropping either only
    thins the batch."""
    chosen = torch.randint(len(data.slices.truth), (recipe.batch,), generator=rng)
    kept = torch.rand(recipe.batch, generator=rng) > ECG_DROPOUT
    kept &= torch.rand(recipe.batch, generator=rng) > PRIOR_DROPOUT
    kept[0] = True
    chosen = chosen[kept]
    per_patient = len(data.pairs.patient) // (int(data.pairs.patient.max()) + 1)
    number = torch.randint(per_patient, (len(chosen),), generator=rng)
    ecg = data.slices.patient[chosen] * per_patient + number
    wrong = torch.rand(len(chosen), generator=rng) < recipe.mismatch
    other = torch.randint(len(data.pairs.patient), (len(chosen),), generator=rng)
    return chosen, torch.where(wrong, other, ecg)


def doubted(logit: Tensor, prior: Tensor, rng: torch.Generator) -> Tensor:
    """Logits [B, H, W] as unsure as they would be of a new patient."""
    count = len(logit)
    shrink = torch.rand(count, 1, 1, generator=rng) * (SHRINK[1] - SHRINK[0]) + SHRINK[0]
    size = torch.rand(count, 1, generator=rng) * DOUBT
    shift = torch.einsum("bkhw,bk->bhw", prior, torch.randn(count, prior.shape[1], generator=rng) * size)
    return logit * shrink + shift


def _per_slice(logit: Tensor, scar: Tensor, weight: Tensor) -> Tensor:
    """Mean cross-entropy of each slice [B] over the expert's wall."""
    loss = F.binary_cross_entropy_with_logits(logit, scar, reduction="none") * weight
    return loss.sum(dim=(1, 2)) / weight.sum(dim=(1, 2)).clamp(min=1.0)


def guide_loss(trainer: GuideTrainer, data: GuideData, recipe: GuideRecipe, rng: torch.Generator) -> Tensor:
    """Cross-entropy and Dice of scar with the moved logit, what the ECG made worse, and the time weight's prior."""
    device = trainer.constant.device
    chosen, ecg = _choose(data, recipe, rng)
    slices = data.slices
    prior = slices.dense_prior(chosen)
    alone = slices.scar_logit[chosen].float()
    alone = (doubted(alone, prior, rng) if recipe.doubt else alone).to(device)
    truth = slices.truth[chosen].to(device)
    gap = data.pairs.gap_days[ecg].to(device)
    known = (torch.rand(len(ecg), generator=rng) > UNKNOWN_DATE).float().to(device)
    if trainer.kind != "taff":
        known = torch.zeros_like(known)
    features = [level[chosen].float().to(device) for level in slices.features]
    moved = trainer.branch(
        features,
        view_wall(prior.to(device), alone[:, None], level_shapes(features)),
        trainer.tokens(data.embedded[ecg].to(device)),
        trainer.amplitude(data.pairs.inputs.quality[ecg].to(device), gap, known),
        gap,
        known,
    )[:, 0]
    together = alone + moved.float()
    scar = (truth == 2).float()
    area = torch.ones(()) if data.area is None else data.area
    weight = (truth >= 1).float() * area.to(device)
    before, after = _per_slice(alone, scar, weight), _per_slice(together, scar, weight)
    entropy = (F.binary_cross_entropy_with_logits(together, scar, reduction="none") * weight).sum() / weight.sum()
    joint = slices.wall[chosen].float().to(device) * together.sigmoid()
    shared, both = (joint * scar * area.to(device)).sum(), ((joint + scar) * area.to(device)).sum()
    value = entropy + 1 - (2 * shared + 1) / (both + 1) + HURT * (after - before).clamp(min=0).mean()
    if trainer.kind == "taff":
        start = TimeWeight().to(device)
        drift = (trainer.branch.time.rates - start.rates).square().sum() + (trainer.branch.time.c - start.c).square()
        value = value + TIME_PRIOR * drift
    return value


def train_guide(
    channels: Sequence[int],
    encoder: EcgEncoder,
    width: int,
    data: GuideData,
    recipe: GuideRecipe,
    kind: Kind,
    folder: Path,
    *,
    device: torch.device,
    title: str,
    quiet: bool = False,
) -> GuideTrainer:
    """Train one branch, or take it up again; ``folder/branch.safetensors`` is it when it is done."""
    finished = folder / "branch.safetensors"

    def make() -> GuideTrainer:
        return GuideTrainer(channels, encoder, kind, width, word=recipe.word)

    trainer = make()
    if finished.is_file():
        trainer.load_state_dict(load_file(finished))
        return trainer.eval()
    trained = fit(
        make,
        lambda network, rng: guide_loss(network, data, recipe, rng),
        Steps(recipe.steps, learning_rate=recipe.learning_rate, seed=recipe.seed),
        folder,
        device=device,
        title=title,
        trained=lambda network: network.learning(),
        quiet=quiet,
    )
    trainer.load_state_dict(trained.state_dict())
    save_file({key: value.contiguous() for key, value in trainer.state_dict().items()}, finished)
    return trainer.eval()


def my_share(tasks: Sequence[Task]) -> list[Task]:
    """The tasks of this process under ``torchrun``; all of them otherwise."""
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    return list(tasks)[rank::world]
