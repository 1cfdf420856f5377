"""How a cohort is segmented: the same for every case."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

from ScarSegECGLib.cohort.manifest import CohortCase
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import AhaMode, Contrast, ScarSource
from ScarSegECGLib.lge.files import sha256_of_file


@dataclass(frozen=True)
class CohortOptions:
    """Options of ``segment`` that hold for all.

    ``contrast`` is of images whose line in the manifest does not say it; ``dicom`` also writes DICOM objects where the
    images are DICOM; ``label_map`` says what the values of experts' masks mean where they are not the usual ones.
    """

    method: ScarSource = ScarSource.NETWORK
    n_sd: float | None = None
    aha: AhaMode = AhaMode.FIXED
    segments: Literal[16, 17] = 17
    correct_shifts: bool = False
    use_ecg: bool = True
    dicom: bool = False
    contrast: Contrast | None = None
    label_map: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Networks:
    """Which weights on which device; ``sha256`` is what the weights must be, wherever they are read."""

    weights: Path | None = None
    device: str = "auto"
    sha256: str = ""


@dataclass(frozen=True)
class Task:
    """A case with all that a worker has to know of it; ``options_digest`` and weights name what it is made from."""

    case: CohortCase
    options: CohortOptions
    options_digest: str
    networks: Networks
    out: Path


def weights_sha256(weights: Path | None) -> str:
    """Hash of a weights' file, or of those shipped; what they are worth is found out where they are loaded.

    Raises
    ------
    InputError
        It cannot be read.
    """
    path = weights or Path(str(resources.files("ScarSegECGLib") / "weights" / "scarseg.safetensors"))
    try:
        return sha256_of_file(path)
    except OSError:
        raise InputError(f"{path.name}: weights not found or not to be read; check the path") from None


def digest(case: CohortCase, options: CohortOptions) -> str:
    """A hash of everything a result depends on beside files and weights."""
    told = {
        "mri_date": case.mri_date.isoformat() if case.mri_date else None,
        "ecg_date": case.ecg_date.isoformat() if case.ecg_date else None,
        "event_between": case.event_between,
        "female": case.female,
        "age": case.age,
        "contrast": case.contrast,
        "options": asdict(options),
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
