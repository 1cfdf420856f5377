"""Stage one and stage two on small made-up data: they learn, they resume, and they stay within the contract."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ScarSegECGLib.network.ecg_encoder import TABLE_SIZE, EcgEncoder
from ScarSegECGLib.network.taff import LOGIT_DOWN, LOGIT_UP
from ScarSegECGLib.network.wall_view import level_shapes, view_wall
from ScarSegECGLib.training.cross_validate import Run, _ecg_branches
from ScarSegECGLib.training.ecg_features import EcgInputs
from ScarSegECGLib.training.ecg_stage_one import SimulatedEcgs, encoder_loss
from ScarSegECGLib.training.ecg_training import (
    GuideData,
    GuideRecipe,
    GuideTrainer,
    embed,
    guide_loss,
    my_share,
    train_guide,
)
from ScarSegECGLib.training.evidence import SliceBank
from ScarSegECGLib.training.fit import Steps, fit
from ScarSegECGLib.training.pairs import Pairs
from ScarSegECGLib.training.recipe import Recipe

CHANNELS = (4, 4, 6, 6, 6)
WIDTH, TOKEN, SIZE, PATIENTS, ECGS = 4, 6, 32, 6, 4
CPU = torch.device("cpu")


def made_up() -> GuideData:
    """Patients with scar in segment 1 or in segment 4; the image cannot tell, the embedded ECG can."""
    rng = torch.Generator().manual_seed(0)
    count = PATIENTS * 2
    patient = torch.arange(count) // 2
    prior = torch.zeros(count, 17, SIZE, SIZE)
    prior[:, 0, : SIZE // 2] = 1
    prior[:, 3, SIZE // 2 :] = 1
    truth = torch.ones(count, SIZE, SIZE, dtype=torch.uint8)
    upper = patient % 2 == 0
    truth[upper, : SIZE // 2] = 2
    truth[~upper, SIZE // 2 :] = 2
    flat = prior.permute(0, 2, 3, 1).flatten(0, 2)
    slices = SliceBank(
        [torch.randn(count, c, SIZE // s, SIZE // s, generator=rng).half() for c, s in ((6, 4), (6, 8), (6, 16))],
        (torch.randn(count, SIZE, SIZE, generator=rng) * 0.3).half(),
        torch.ones(count, SIZE, SIZE).half(),
        torch.arange(len(flat)),
        flat.half(),
        torch.arange(count + 1) * SIZE * SIZE,
        truth,
        patient,
        torch.zeros(count, dtype=torch.uint8),
    )
    ecgs = PATIENTS * ECGS
    owner = torch.arange(ecgs) // ECGS
    inputs = EcgInputs(
        torch.zeros(ecgs, 12, 300), torch.ones(ecgs, 12), torch.zeros(ecgs, TABLE_SIZE), torch.ones(ecgs)
    )
    embedded = torch.randn(ecgs, 4 * WIDTH, generator=rng) * 0.1
    embedded[:, 0] += torch.where(owner % 2 == 0, 2.0, -2.0)
    return GuideData(slices, Pairs(inputs, owner, torch.zeros(ecgs), torch.zeros(ecgs, 17)), embedded)


@pytest.fixture(scope="module")
def data() -> GuideData:
    return made_up()


@pytest.fixture(scope="module")
def encoder() -> EcgEncoder:
    torch.manual_seed(0)
    return EcgEncoder(TOKEN, WIDTH).eval()


def trained(data: GuideData, encoder: EcgEncoder, kind, folder: Path, steps: int = 200, **options) -> GuideTrainer:
    recipe = GuideRecipe(steps=steps, batch=8, learning_rate=1e-2, **options)
    return train_guide(CHANNELS, encoder, WIDTH, data, recipe, kind, folder, device=CPU, title=kind, quiet=True)


def movement(trainer: GuideTrainer, data: GuideData, ecg: int, days: float = 0.0) -> torch.Tensor:
    """Of the first slice, [H, W]."""
    one = torch.ones(1)
    features = [level[:1].float() for level in data.slices.features]
    prior, logit = data.slices.dense_prior(torch.tensor([0])), data.slices.scar_logit[:1, None].float()
    with torch.no_grad():
        return trainer.branch(
            features,
            view_wall(prior, logit, level_shapes(features)),
            trainer.tokens(data.embedded[ecg : ecg + 1]),
            trainer.amplitude(one, days * one, one),
            days * one,
            one,
        )[0, 0]


def test_the_branch_learns_to_follow_the_ecg_where_the_image_cannot_tell(data, encoder, tmp_path) -> None:
    taff = trained(data, encoder, "taff", tmp_path / "taff")
    with_upper, with_lower = movement(taff, data, 0), movement(taff, data, ECGS)
    half = SIZE // 2
    assert float(with_upper[:half].mean()) > float(with_upper[half:].mean()) + 0.5
    assert float(with_lower[half:].mean()) > float(with_lower[:half].mean()) + 0.5
    for moved in (with_upper, with_lower):
        assert float(moved.min()) >= LOGIT_DOWN and float(moved.max()) <= LOGIT_UP
    assert float(movement(taff, data, 0, -1825.0).abs().max()) < 0.05
    frozen = {key: value for key, value in taff.branch.encoder.state_dict().items() if not key.startswith("tokens")}
    assert all(torch.equal(value, encoder.state_dict()[key]) for key, value in frozen.items())


def test_a_learned_word_per_segment_follows_the_ecg_too(data, encoder, tmp_path) -> None:
    word = trained(data, encoder, "taff", tmp_path / "word", word=True)
    assert word.branch.guide.word is not None
    with_upper, half = movement(word, data, 0), SIZE // 2
    assert float(with_upper[:half].mean()) > float(with_upper[half:].mean()) + 0.5


def test_told_the_extents_themselves_the_branch_follows_them(data, encoder, tmp_path) -> None:
    extents = torch.zeros(PATIENTS * ECGS, 17)
    upper = (data.pairs.patient % 2 == 0).float()
    extents[:, 0], extents[:, 3] = upper, 1 - upper
    told = dataclasses.replace(data, embedded=extents)
    limit = trained(told, encoder, "extent", tmp_path / "extent", mismatch=0.0)
    half = SIZE // 2
    for ecg in (0, ECGS):
        moved = movement(limit, told, ecg)
        scarred, free = (moved[:half], moved[half:]) if extents[ecg, 0] else (moved[half:], moved[:half])
        assert float(scarred.mean()) > float(free.mean()) + 0.5


def test_position_alone_cannot_tell_the_patients_apart(data, encoder, tmp_path) -> None:
    aha = trained(data, encoder, "aha", tmp_path / "aha", steps=60)
    assert torch.equal(movement(aha, data, 0), movement(aha, data, ECGS))


def test_without_time_a_long_gap_counts_as_much(data, encoder) -> None:
    one = torch.ones(1)
    plain, taff = (GuideTrainer(CHANNELS, encoder, kind, WIDTH) for kind in ("no time", "taff"))
    with torch.no_grad():
        assert float(plain.amplitude(one, -2000 * one, one)) == 1.0
        assert float(taff.amplitude(one, -2000 * one, one)) < 0.05
        assert float(taff.amplitude(one, 0 * one, 0 * one)) < 1.0, "an unknown date counts at most like a year"


def test_a_resumed_training_ends_as_an_uninterrupted_one(data, encoder, tmp_path) -> None:
    def run(folder: Path, stop: int | None) -> dict[str, torch.Tensor]:
        calls = 0

        def loss(network, rng):
            nonlocal calls
            calls += 1
            if stop is not None and calls > stop:
                raise KeyboardInterrupt
            return guide_loss(network, data, GuideRecipe(batch=4), rng)

        network = fit(
            lambda: GuideTrainer(CHANNELS, encoder, "taff", WIDTH),
            loss,
            Steps(12, warm_up=2, checkpoint_every=4),
            folder,
            device=CPU,
            title="",
            trained=lambda net: net.learning(),
            quiet=True,
        )
        return network.state_dict()

    torch.manual_seed(0)
    whole = run(tmp_path / "whole", None)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", 6)
    resumed = run(tmp_path / "broken", None)
    for key, value in whole.items():
        torch.testing.assert_close(resumed[key], value, atol=1e-5, rtol=1e-4)


def test_another_schedule_is_not_taken_up(data, encoder, tmp_path) -> None:
    def go(steps: int) -> None:
        fit(
            lambda: torch.nn.Linear(2, 1),
            lambda net, rng: net(torch.ones(1, 2)).square().sum(),
            Steps(steps),
            tmp_path,
            device=CPU,
            title="",
            quiet=True,
        )

    go(2)
    with pytest.raises(ValueError, match="another schedule"):
        go(3)


def test_stage_one_learns_from_the_table(tmp_path) -> None:
    rng = torch.Generator().manual_seed(0)
    table = torch.randn(256, TABLE_SIZE, generator=rng)
    scar = (table[:, :17] > 0).float()
    ecgs = SimulatedEcgs(EcgInputs(torch.zeros(256, 12, 300), torch.ones(256, 12), table, torch.ones(256)), scar)
    network = fit(
        lambda: EcgEncoder(TOKEN, WIDTH),
        lambda net, draw: encoder_loss(net, ecgs, 64, draw),
        Steps(150, learning_rate=1e-2, warm_up=5),
        tmp_path,
        device=CPU,
        title="",
        quiet=True,
    )
    with torch.no_grad():
        said = network(ecgs.inputs.beat, ecgs.inputs.leads, table)[1]
    assert float(((said > 0) == (scar > 0.5)).float().mean()) > 0.62, "chance is a half"


def test_weights_carry_the_names_that_the_session_reads(encoder, tmp_path: Path) -> None:
    run = Run(tmp_path, CPU, Recipe())
    for fold in range(2):
        assert _ecg_branches(run, 2) == {}  # every fold or none
        file = tmp_path / f"fold{fold}" / "ecg" / "taff0" / "branch.safetensors"
        file.parent.mkdir(parents=True)
        trainer = GuideTrainer(CHANNELS, encoder, "taff", WIDTH)
        save_file({key: value.contiguous() for key, value in trainer.state_dict().items()}, file)
    tensors = _ecg_branches(run, 2)
    assert {key.split(".")[0] for key in tensors} == {"ecg0", "ecg1"}
    assert {key.split(".")[1] for key in tensors} == {"encoder", "time", "guide"}
    assert {str(tensor.dtype) for tensor in tensors.values() if tensor.is_floating_point()} == {"torch.float16"}


def test_processes_share_the_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert my_share([0, 1, 2, 3, 4]) == [0, 1, 2, 3, 4]
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert my_share([0, 1, 2, 3, 4]) == [1, 3]


def test_an_embedded_ecg_is_what_the_encoder_says(encoder) -> None:
    rng = np.random.default_rng(0)
    inputs = EcgInputs(
        torch.from_numpy(rng.normal(size=(5, 12, 300))).float(),
        torch.ones(5, 12),
        torch.zeros(5, TABLE_SIZE),
        torch.ones(5),
    )
    with torch.no_grad():
        straight = encoder(inputs.beat, inputs.leads, inputs.table)
        tokens, scar = encoder.speak(embed(encoder, inputs, batch=2))
    torch.testing.assert_close(tokens, straight[0])
    torch.testing.assert_close(scar, straight[1])
