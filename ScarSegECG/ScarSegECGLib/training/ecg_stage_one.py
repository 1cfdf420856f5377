"""Stage one: the ECG encoder learns, from simulated scars alone, where and how large a scar is.

Some of the hearts are real (``real_hearts``), no scar is. No patient with an image takes part, so one encoder serves
every fold.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from ScarSegECGLib.network.ecg_encoder import EcgEncoder
from ScarSegECGLib.training.ecg_features import WINDOW, WINDOW_ONSET, EcgInputs, read_simulated
from ScarSegECGLib.training.ecg_simulation.simulate import drawn_bodies, simulate_beats
from ScarSegECGLib.training.fit import Steps, fit
from ScarSegECGLib.training.random_scars import random_scars
from ScarSegECGLib.training.real_hearts import RealHearts, varied

CONDUCTION_SHARES = {"normal": 0.8, "rbbb": 0.08, "lbbb": 0.06, "lafb": 0.06}  # chosen: about those of a cardiac ward
RATE_BPM = (50.0, 110.0)
SPREAD = 1.8  # people differ more than the simulator's textbook ones: see drawn_bodies (chosen)
REAL_SHARE = 0.4  # hearts that are real, where any are given (chosen)
SIMULATION = 3  # raised with every change of the simulation: kept ECGs of another one are not taken up
_CHUNK = 512


@dataclass(frozen=True)
class EncoderRecipe:
    """How many ECGs are simulated, and how the encoder learns from them."""

    ecgs: int = 30_000
    batch: int = 128
    steps: int = 3000
    token_size: int = 16
    width: int = 20
    seed: int = 1

    def network(self) -> EcgEncoder:
        """A fresh encoder."""
        return EcgEncoder(self.token_size, self.width)


@dataclass(frozen=True)
class SimulatedEcgs:
    """Inputs of simulated ECGs and the scar [N, 17] that each was computed from."""

    inputs: EcgInputs
    scar: Tensor


def drawn_conduction(n: int, rng: np.random.Generator) -> list[str]:
    """Conductions of ``n`` hearts, by :data:`CONDUCTION_SHARES`."""
    return [str(name) for name in rng.choice(list(CONDUCTION_SHARES), n, p=list(CONDUCTION_SHARES.values()))]


def simulate_inputs(
    scar: np.ndarray, noise: np.ndarray, rng: np.random.Generator, hearts: RealHearts | None = None
) -> EcgInputs:
    """One ECG for each scar [n, 17]: another person, conduction and rate each time, noise of real records.

    With ``hearts`` a part of the beats (:data:`REAL_SHARE`) are real ones, to which the simulated scar's effect is
    added: the simulated beat with it minus the one without.
    """
    n = len(scar)
    rate = rng.uniform(*RATE_BPM, n)
    conduction = drawn_conduction(n, rng)
    bodies = drawn_bodies(n, rng, SPREAD)
    real = 0 if hearts is None else round(REAL_SHARE * n)
    conduction[:real] = ["normal"] * real
    chosen = rng.integers(len(hearts.rate_bpm), size=real) if hearts is not None else None
    if hearts is not None:
        rate[:real] = hearts.rate_bpm[chosen]

    def beats(scars: np.ndarray, rows: slice) -> np.ndarray:
        people = bodies.part(rows)
        return simulate_beats(
            scars,
            conduction=conduction[rows],
            bodies=people,
            rate_bpm=rate[rows],
            onset=WINDOW_ONSET,
            samples=WINDOW,
        )

    windows = beats(scar, slice(0, n))
    if hearts is not None:
        windows[:real] += varied(hearts.millivolts[chosen], rng) - beats(np.zeros_like(scar[:real]), slice(0, real))
    return read_simulated(windows, rate, noise, rng)


def simulated_ecgs(
    count: int, noise: np.ndarray, hearts: RealHearts | None, seed: int, folder: Path, quiet: bool = False
) -> SimulatedEcgs:
    """ECGs of random scars, kept in ``folder`` chunk by chunk, so that a stopped run goes on."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for index in tqdm(range(-(-count // _CHUNK)), desc="simulated ECGs", unit=f"x{_CHUNK}", disable=quiet):
        file = folder / f"ecgs{SIMULATION}_{seed}_{index}.safetensors"
        if not file.is_file():
            rng = np.random.default_rng([seed, index])
            scar = random_scars(_CHUNK, rng)
            inputs = simulate_inputs(scar, noise, rng, hearts)
            tensors = {
                "beat": inputs.beat.half(),
                "leads": inputs.leads,
                "table": inputs.table,
                "quality": inputs.quality,
                "scar": torch.from_numpy(scar).float(),
            }
            save_file(tensors, file.with_suffix(".partial"))
            file.with_suffix(".partial").replace(file)
        parts.append(load_file(file))
    whole = {key: torch.cat([part[key] for part in parts]).float()[:count] for key in parts[0]}
    inputs = EcgInputs(whole["beat"], whole["leads"], whole["table"], whole["quality"])
    return SimulatedEcgs(inputs, whole["scar"])


def encoder_loss(network: nn.Module, ecgs: SimulatedEcgs, batch: int, rng: torch.Generator) -> Tensor:
    """Cross-entropy of the scar logits against scar fractions: the logit becomes that of the expected fraction."""
    chosen = torch.randint(len(ecgs.scar), (batch,), generator=rng)
    inputs, device = ecgs.inputs.part(chosen), next(network.parameters()).device
    # Gain of the recorder and of the body varies; the table's measurements stay.
    gain = torch.exp(torch.randn(batch, 1, 1, generator=rng) * 0.1)
    _, scar = network((inputs.beat * gain).to(device), inputs.leads.to(device), inputs.table.to(device))
    return F.binary_cross_entropy_with_logits(scar.float(), ecgs.scar[chosen].to(device))


def train_encoder(
    recipe: EncoderRecipe,
    noise: np.ndarray,
    hearts: RealHearts | None,
    folder: Path,
    *,
    device: torch.device,
    quiet: bool = False,
) -> EcgEncoder:
    """Simulate, train, keep; takes up again where ``folder`` left off."""
    finished = folder / "encoder.safetensors"
    network = recipe.network()
    if finished.is_file():
        network.load_state_dict(load_file(finished))
        return network.eval()
    ecgs = simulated_ecgs(recipe.ecgs, noise, hearts, recipe.seed, folder / "simulated", quiet)
    trained = fit(
        recipe.network,
        lambda net, rng: encoder_loss(net, ecgs, recipe.batch, rng),
        Steps(recipe.steps, seed=recipe.seed),
        folder / "encoder",
        device=device,
        title="ECG encoder",
        quiet=quiet,
    )
    save_file({key: value.contiguous() for key, value in trained.state_dict().items()}, finished)
    network.load_state_dict(trained.state_dict())
    return network.eval()
