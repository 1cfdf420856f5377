"""Weights are loaded only when they are what they should be."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.network.device import choose_device
from ScarSegECGLib.network.weights import read_weights, write_weights


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "own.safetensors"
    write_weights(path, {"a.b": torch.tensor([1.0, 2.0]).half()}, {"members": 1})
    return path


def test_round_trip(file: Path) -> None:
    weights = read_weights(file)
    assert weights.part("a.")["b"].tolist() == [1.0, 2.0]
    assert weights.part("a.")["b"].dtype == torch.float32
    assert weights.settings == {"members": 1}


def test_changed_file_is_refused(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(InputError, match="hash does not match"):
        read_weights(file)


def test_missing_hash_file_is_refused(file: Path) -> None:
    file.with_name(file.name + ".sha256").unlink()
    with pytest.raises(InputError, match="hash file"):
        read_weights(file)


def test_missing_weights(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="weights not found"):
        read_weights(tmp_path / "none.safetensors")


def test_foreign_content_is_refused(tmp_path: Path) -> None:
    import hashlib

    path = tmp_path / "foreign.safetensors"
    path.write_bytes(b"not tensors at all")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(path.name + ".sha256").write_text(f"{digest}  {path.name}\n")
    with pytest.raises(InputError, match="not weights of ScarSegECG"):
        read_weights(path)


@pytest.mark.parametrize("wish", ["gpu", "cuda:", "cuda:x", "cpu:0", "cuda:00", "cuda:200", "cuda:99999999999"])
def test_unknown_devices(wish: str) -> None:
    with pytest.raises(InputError, match="not known"):
        choose_device(wish)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_cuda_where_there_is_none() -> None:
    with pytest.raises(InputError, match="no CUDA device"):
        choose_device("cuda")
