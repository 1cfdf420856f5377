"""Weights on disk: safetensors whose hash is known beforehand. No pickle is loaded, nothing is downloaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors
import torch
from safetensors.torch import save as serialise
from torch import Tensor

from ScarSegECGLib.errors import InputError

FOLDER = Path(__file__).resolve().parent.parent / "weights"
SHIPPED = FOLDER / "scarseg.safetensors"
SHIPPED_SHA256 = "989d4f9ef2d4f1c73bc369d0ef2225bce5c49fc4f9765d823174869eee6e039e"
FOREIGN = "{name}: not weights of ScarSegECG; use a file made by scarsegecg train"
_SETTINGS_KEY = "scarsegecg"


@dataclass(frozen=True)
class Weights:
    """Tensors by name, and the settings stored beside them (channels, members, data, licence, figures)."""

    tensors: dict[str, Tensor]
    settings: dict
    sha256: str

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Tensors of one network, its prefix taken off."""
        return {key[len(prefix) :]: value for key, value in self.tensors.items() if key.startswith(prefix)}


def write_weights(path: Path, tensors: Mapping[str, Tensor], settings: dict) -> str:
    """Write weights and their hash (``PATH.sha256``) beside them; returns the hash.

    Floating point becomes 16 bit, so that five networks fit 25 MB.
    """
    small = {key: (value.half() if value.is_floating_point() else value).contiguous() for key, value in tensors.items()}
    content = serialise(small, metadata={_SETTINGS_KEY: json.dumps(settings, sort_keys=True)})
    digest = hashlib.sha256(content).hexdigest()
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    partial.replace(path)
    path.with_name(path.name + ".sha256").write_text(f"{digest}  {path.name}\n")
    return digest


def read_weights(path: Path | None = None) -> Weights:
    """Read weights after checking their SHA-256 against the pinned one (shipped) or ``PATH.sha256`` (one's own).

    InputError: missing file, another hash, or not weights of this program.
    """
    path = path or SHIPPED
    noted = path.with_name(path.name + ".sha256")
    if not path.is_file():
        raise InputError(f"{path.name}: weights not found; reinstall ScarSegECG or give --weights a file made by train")
    if path != SHIPPED and not noted.is_file():
        raise InputError(f"{path.name}: its hash file {noted.name} is missing; without it weights are not loaded")
    known = SHIPPED_SHA256 if path == SHIPPED else noted.read_text(errors="replace")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if known.split()[:1] != [digest]:
        raise InputError(f"{path.name}: hash does not match, the file is damaged or was changed; install it again")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            settings = json.loads(file.metadata()[_SETTINGS_KEY])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(FOREIGN.format(name=path.name)) from error
    if not isinstance(settings, dict) or not all(bool(torch.isfinite(value).all()) for value in tensors.values()):
        raise InputError(FOREIGN.format(name=path.name))
    full = {key: value.float() if value.dtype == torch.float16 else value for key, value in tensors.items()}
    return Weights(full, settings, digest)
