"""A patient with an expert's contours, as training, evaluation and the comparison of rules use it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from ScarSegECGLib.anatomy.polar import Mask
from ScarSegECGLib.case import CAVITY, MYOCARDIUM, SCAR, LabelArray, LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.labels import LabelMap, read_contours
from ScarSegECGLib.lge.read import read_lge


@dataclass(frozen=True)
class ExpertCase:
    """A patient with expert labels on the stack's grid: 0 background, 1 cavity, 2 myocardium, 3 infarct, 4 MVO."""

    name: str
    stack: LgeStack
    labels: LabelArray

    @property
    def cavity(self) -> Mask:
        return self.labels == CAVITY

    @property
    def myocardium(self) -> Mask:
        """The wall, infarct and MVO counted in."""
        return self.labels >= MYOCARDIUM

    @property
    def scar(self) -> Mask:
        """The infarct, MVO counted in."""
        return self.labels >= SCAR

    @property
    def scar_ml(self) -> float:
        """Infarct volume, MVO counted in, ml."""
        return float(np.count_nonzero(self.scar)) * self.stack.voxel_ml


def case_folders(*places: Path) -> list[Path]:
    """Folders ``Case_*`` of one or several places that hold ``Case_*_img.nii.gz`` and ``Case_*_seg.nii.gz``, by name.

    InputError where a place is missing or holds no case, a case lacks one of its two files, or a name stands twice.
    """
    folders: list[Path] = []
    for cases in places:
        name = cases.resolve().name  # "." has none of its own
        if not cases.is_dir():
            raise InputError(f"{name}: no such folder of cases; give a folder that holds Case_*/Case_*_img.nii.gz")
        here = [folder for folder in cases.glob("Case_*") if folder.is_dir()]
        if not here:
            raise InputError(f"{name}: holds no case; expected folders Case_* with Case_*_img.nii.gz and _seg.nii.gz")
        folders += here
    folders.sort(key=lambda folder: folder.name)
    for folder in folders:
        for kind in ("img", "seg"):
            file = f"{folder.name}_{kind}.nii.gz"
            if not (folder / file).is_file():
                raise InputError(f"{folder.name}: {file} is missing; add it or take the folder away")
    for one, other in pairwise(folders):
        if one.name == other.name:
            raise InputError(f"{one.name}: stands in two of the folders given; every patient may be there once")
    return folders


def load_case(folder: Path, label_map: LabelMap | None = None) -> ExpertCase:
    """Read the image and the expert labels of one case folder, canonical storage.

    ``label_map`` says what the labels' values mean where they are not 1 cavity, 2 myocardium, 3 infarct, 4 MVO.
    InputError for unreadable files, labels of another meaning, or on another grid than the image.
    """
    stack = read_lge(folder / f"{folder.name}_img.nii.gz")
    labels, _ = read_contours(folder / f"{folder.name}_seg.nii.gz", stack, label_map)
    return ExpertCase(folder.name, stack, labels)
