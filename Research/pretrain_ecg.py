"""Pre-train the ECG's encoder from nothing: where and how large a scar is, from simulated scars alone.

    python Research/pretrain_ecg.py --run RUN --ecgs DIR
    scarsegecg train --out RUN ...

``train`` takes the shipped encoder unless its folder ``RUN`` holds the one that this script leaves there. No patient
with an image takes part, so one encoder serves every fold. Some of the hearts are real, no scar is: a model with one
heart shape knows too little of how people differ, and an encoder that has seen only its beats takes a healthy person's
real ECG for a scarred one. So a part of the ECGs are real beats (of WFDB records in ``DIR``, e.g. the CinC Challenge
2021's), to which what a scar changes in a *simulated* beat is added. The records by which the encoder is checked
afterwards (sinus rhythm and nothing else) are left out here.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diagnosis_codes import BLOCK, INFARCT, SINUS_ONLY
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from ScarSegECGLib.case import LEADS
from ScarSegECGLib.ecg.median_beat import representative_beat
from ScarSegECGLib.ecg.read import read_ecg
from ScarSegECGLib.ecg.wfdb_record import diagnoses
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.network.device import choose_device
from ScarSegECGLib.network.ecg_encoder import EcgEncoder
from ScarSegECGLib.training.ecg_simulation.simulate import WINDOW, WINDOW_ONSET, noise_bank, simulate_beats
from ScarSegECGLib.training.fit import Schedule, fit, mixed, once
from ScarSegECGLib.training.pairs import EcgInputs, drawn_people, read_simulated

REAL_SHARE = 0.4  # hearts that are real (chosen)
ECGS, BATCH, STEPS, SEED = 30_000, 128, 3000, 1
TOKEN_SIZE, WIDTH = 16, 20
SIMULATION = 4  # raised with every change of the simulation: kept ECGs of another one are not taken up
_CHUNK = 512
# Records that cannot stand for a heart without scar.
LEFT_OUT = INFARCT | BLOCK | {"10370003"}
# How one person is made several (chosen): gain, turn in the frontal plane, chest electrodes off their places.
GAIN, TURN_DEG, MISPLACED = 0.15, 15.0, 0.3
_CHEST = slice(LEADS.index("V1"), LEADS.index("V6") + 1)

NO_SCAR = 0.35  # share of hearts without scar
SECOND_SCAR = 0.15
# Plot angle (degrees) and level (0 basal .. 3 apex) of each segment's middle; DESIGN of the AHA plot.
ANGLE_DEG = np.array([90, 150, 210, 270, 330, 30, 90, 150, 210, 270, 330, 30, 90, 180, 270, 0, 0], dtype=float)
LEVEL = np.array([0] * 6 + [1] * 6 + [2] * 4 + [3], dtype=float)
# The apex borders every wall: it counts as this far from any scar's centre, whatever its angle, and centres reach
# somewhat beyond the base; so apex and base are scarred nearly as often as the middle (both chosen).
APEX_AWAY_DEG = 40.0
CENTRE_LEVEL = (-0.7, 2.9)
REACH_DEG, REACH_LEVEL = (30.0, 140.0), (0.6, 3.2)
# Shares of the LV. In 45 patients of EMIDEC (Lalande et al., Data 2020;5:89) infarcts take up 4 to 52 % of it, in all
# but one less than 45 %.
SMALLEST, LARGEST = 0.01, 0.5


def random_scars(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Scar fraction of every segment of ``n`` hearts, shape (n, 17), 0..1.

    A scar is a bump on the bullseye: a centre anywhere, a reach in angle and along the axis, a depth into the wall, and
    ragged edges. Scars take up 1 to 50 % of the LV (mean of the 17 fractions), half of them less than 12 %: below 1 %
    the heart counts as free of scar, above 50 % every fraction is lowered in proportion.
    """
    fraction = np.zeros((n, 17))
    for share in (1.0 - NO_SCAR, SECOND_SCAR):
        here = rng.random(n) < share
        angle, level = rng.uniform(0.0, 360.0, n), rng.uniform(*CENTRE_LEVEL, n)
        reach_deg, reach_level = rng.uniform(*REACH_DEG, n), rng.uniform(*REACH_LEVEL, n)
        away = np.abs((ANGLE_DEG - angle[:, None] + 180.0) % 360.0 - 180.0)
        away = np.where(LEVEL == 3.0, APEX_AWAY_DEG, away) / reach_deg[:, None]
        along = np.abs(LEVEL - level[:, None]) / reach_level[:, None]
        ragged = rng.normal(0.0, 0.25, (n, 17))
        bump = np.clip(2.0 * (1.0 - np.hypot(away, along)) + ragged, 0.0, 1.0)
        depth = rng.uniform(0.2, 1.0, n)
        fraction = np.maximum(fraction, here[:, None] * depth[:, None] * bump)
    size = fraction.mean(axis=1, keepdims=True)
    return np.where(size < SMALLEST, 0.0, fraction * np.minimum(1.0, LARGEST / np.maximum(size, SMALLEST)))


@dataclass(frozen=True)
class RealHearts:
    """Beats ``millivolts`` [R, 12, WINDOW], QRS onset at WINDOW_ONSET, and their ``rate_bpm`` [R]."""

    millivolts: NDArray[np.float64]
    rate_bpm: NDArray[np.float64]


def real_hearts(folder: Path) -> RealHearts:
    """Beats of the WFDB records of ``folder`` that may serve, read when asked and never stored.

    Raises
    ------
    InputError : No record can serve.
    """
    beats, rates = [], []
    for header in sorted(folder.glob("*.hea")):
        codes = diagnoses(header.read_text("latin-1"))
        if not codes or codes <= SINUS_ONLY or codes & LEFT_OUT:
            continue
        try:
            beat = representative_beat(read_ecg(header))
        except InputError:
            continue
        if beat.rr_s is None or not beat.lead_mask.all():
            continue
        ahead = WINDOW_ONSET - beat.marks.qrs_onset
        padded = np.pad(beat.millivolts, ((0, 0), (WINDOW, WINDOW)), mode="edge")
        beats.append(padded[:, WINDOW - ahead : 2 * WINDOW - ahead])
        rates.append(60.0 / beat.rr_s)
    if not beats:
        raise InputError(f"{folder.name}: no 12-lead record without infarct or block that could serve as a real heart.")
    return RealHearts(np.stack(beats), np.array(rates))


def varied(beats: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """The same hearts in other bodies: beats [n, 12, samples] with another gain, axis and chest electrodes."""
    n = len(beats)
    turn = np.radians(rng.uniform(-TURN_DEG, TURN_DEG, n))[:, None]
    # Einthoven's triangle: I along x, aVF along y; 2 / sqrt(3) makes the augmented lead as long as I.
    x, y = beats[:, LEADS.index("I")], beats[:, LEADS.index("aVF")] * 2 / np.sqrt(3)
    one, foot = x * np.cos(turn) - y * np.sin(turn), (x * np.sin(turn) + y * np.cos(turn)) * np.sqrt(3) / 2
    two = foot + one / 2  # aVF = II - I / 2
    limbs = [one, two, two - one, -(one + two) / 2, one - two / 2, foot]
    chest = beats[:, _CHEST]
    shift = rng.uniform(-MISPLACED, MISPLACED, (n, chest.shape[1], 1))
    before, after = np.roll(chest, 1, axis=1), np.roll(chest, -1, axis=1)
    before[:, 0], after[:, -1] = chest[:, 0], chest[:, -1]
    moved = chest + np.maximum(shift, 0) * (after - chest) + np.maximum(-shift, 0) * (before - chest)
    gain = np.exp(rng.normal(0.0, GAIN, (n, 1, 1)))
    return gain * np.concatenate([np.stack(limbs, axis=1), moved], axis=1)


def inputs_on_real_hearts(scar: NDArray, noise: NDArray, rng: np.random.Generator, hearts: RealHearts) -> EcgInputs:
    """As ``pairs.make_pairs`` simulates ECGs, but that a part of the beats (:data:`REAL_SHARE`) are real ones.

    To these the simulated scar's effect is added: the simulated beat with it minus the one without, of the same
    simulated person.
    """
    rate, conduction, bodies = drawn_people(len(scar), rng)
    real = round(REAL_SHARE * len(scar))
    conduction[:real] = ["normal"] * real
    chosen = rng.integers(len(hearts.rate_bpm), size=real)
    rate[:real] = hearts.rate_bpm[chosen]
    windows = simulate_beats(scar, bodies, conduction, rate)
    free = simulate_beats(np.zeros((real, 17)), bodies.part(slice(real)), conduction[:real], rate[:real])
    windows[:real] += varied(hearts.millivolts[chosen], rng) - free
    return read_simulated(windows, rate, noise, rng)


def simulated_ecgs(noise: NDArray, hearts: RealHearts, folder: Path, quiet: bool) -> tuple[EcgInputs, Tensor]:
    """ECGs of random scars and the scars [N, 17], kept in ``folder`` chunk by chunk, so that a stopped run goes on."""

    def chunk(index: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([SEED, index])
        scar = random_scars(_CHUNK, rng)
        return vars(inputs_on_real_hearts(scar, noise, rng, hearts)) | {"scar": torch.from_numpy(scar).float()}

    bar = tqdm(range(-(-ECGS // _CHUNK)), desc="simulated ECGs", unit=f"x{_CHUNK}", disable=quiet)
    parts = [once(folder / f"ecgs{SIMULATION}_{SEED}_{index}.safetensors", chunk, index) for index in bar]
    whole = {key: torch.cat([part[key] for part in parts])[:ECGS] for key in parts[0]}
    scar = whole.pop("scar")
    return EcgInputs(**whole), scar


def train_encoder(
    noise: NDArray, hearts: RealHearts, folder: Path, *, device: torch.device, quiet: bool = False
) -> dict[str, Tensor]:
    """Simulate and train; takes up again where ``folder`` left off."""
    inputs, scar = simulated_ecgs(noise, hearts, folder / "simulated", quiet)

    def loss(network: EcgEncoder, rng: torch.Generator) -> Tensor:
        """Cross-entropy of scar logits against fractions: the logit becomes that of the expected fraction."""
        chosen = torch.randint(len(scar), (BATCH,), generator=rng)
        beat, leads, table, _ = (part[chosen] for part in vars(inputs).values())
        # Gain of the recorder and of the body varies; the table's measurements stay.
        gain = torch.exp(torch.randn(BATCH, 1, 1, generator=rng) * 0.1)
        with mixed(device):
            _, said = network((beat * gain).to(device), leads.to(device), table.to(device))
        return F.binary_cross_entropy_with_logits(said.float(), scar[chosen].to(device))

    schedule = Schedule(STEPS, seed=SEED)
    network = fit(lambda: EcgEncoder(TOKEN_SIZE, WIDTH), loss, schedule, folder / "encoder", device, quiet=quiet)
    return network.state_dict()


def main() -> None:
    """Pre-train and leave the encoder where ``scarsegecg train`` looks for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", required=True, type=Path, help="folder of scarsegecg train")
    parser.add_argument("--ecgs", required=True, type=Path, metavar="DIR", help="WFDB records with their diagnoses")
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    folder, device = args.run / "encoder", choose_device(args.device)
    hearts = real_hearts(args.ecgs)
    once(folder / "encoder.safetensors", lambda: train_encoder(noise_bank(args.ecgs), hearts, folder, device=device))


if __name__ == "__main__":
    main()
