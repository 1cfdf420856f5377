"""Weights with a right hash and a wrong content: one sentence, never a fault of the program."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.network.unet import LOCATOR_PLANES, ScarUNet, UNet
from ScarSegECGLib.network.weights import read_weights, write_weights

SETTINGS = {"channels": [4, 8], "locator_channels": [4, 8], "members": 2}


@pytest.fixture(scope="module")
def tensors() -> dict[str, torch.Tensor]:
    """Of small networks."""
    parts = UNet(*LOCATOR_PLANES, SETTINGS["locator_channels"]).state_dict(prefix="locator.trunk.")
    for index in range(SETTINGS["members"]):
        parts |= ScarUNet(SETTINGS["channels"]).state_dict(prefix=f"member{index}.")
    return parts


def written(path: Path, tensors: dict[str, torch.Tensor], settings: Any) -> Path:
    write_weights(path, tensors, settings)
    return path


def test_sound_weights(tensors: dict[str, torch.Tensor], tmp_path: Path) -> None:
    assert Session.load(written(tmp_path / "own.safetensors", tensors, SETTINGS), "cpu").settings == SETTINGS


Change = Callable[[dict[str, torch.Tensor], dict[str, Any]], Any]


def _first(tensors: dict[str, torch.Tensor]) -> str:
    return next(name for name, tensor in tensors.items() if tensor.ndim > 1)


def _shape(tensors: dict[str, torch.Tensor], settings: dict[str, Any]) -> None:
    tensors[_first(tensors)] = torch.zeros(3, 3)


def _missing(tensors: dict[str, torch.Tensor], settings: dict[str, Any]) -> None:
    del tensors[_first(tensors)]


def _not_a_number(tensors: dict[str, torch.Tensor], settings: dict[str, Any]) -> None:
    tensors[_first(tensors)] = tensors[_first(tensors)] * float("nan")


def _settings(**changed: Any) -> Change:
    return lambda tensors, settings: settings.update(changed)


CHANGES: dict[str, Change] = {
    "a tensor of another shape": _shape,
    "a tensor missing": _missing,
    "not a number": _not_a_number,
    "no settings": lambda tensors, settings: settings.clear(),
    "settings that are a list": lambda tensors, settings: [1],
    "no members": _settings(members=0),
    "too many members": _settings(members=10**6),
    "members in words": _settings(members="five"),
    "channels in words": _settings(channels="many"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_one_sentence(tensors: dict[str, torch.Tensor], tmp_path: Path, what: str) -> None:
    changed, settings = dict(tensors), dict(SETTINGS)
    settings = CHANGES[what](changed, settings) or settings
    path = written(tmp_path / "own.safetensors", changed, settings)
    with pytest.raises(InputError, match="not weights of ScarSegECG") as error:
        Session.load(path, "cpu")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("noted", ["", "\n", "  \n\n", "\xff"])
def test_an_empty_hash_file(tmp_path: Path, noted: str) -> None:
    path = tmp_path / "own.safetensors"
    write_weights(path, {"a": torch.ones(1)}, {"members": 1})
    path.with_name(path.name + ".sha256").write_bytes(noted.encode("latin-1"))
    with pytest.raises(InputError, match="hash does not match"):
        read_weights(path)
