"""A small made-up patient as a DICOM series and a result of it, built without the network."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from lge_series import write_series
from PIL import Image

from ScarSegECGLib.anatomy.aha import divide
from ScarSegECGLib.case import (
    CAVITY,
    MYOCARDIUM,
    SCAR,
    Burden,
    Contrast,
    Ecg,
    EcgUse,
    LabelArray,
    LgeStack,
    ScarResult,
    Storage,
    TimeGap,
)
from ScarSegECGLib.export.dicom.source import Source, read_source
from ScarSegECGLib.export.result_folder import as_json
from ScarSegECGLib.export.write import write_result
from ScarSegECGLib.facts import Doubt, Fact, Method
from ScarSegECGLib.facts_ecg import Agreement, AgreementReason, EcgReason, GapProblem
from ScarSegECGLib.lge.read import read_lge
from ScarSegECGLib.measure.measurements import measure

SHAPE = (10, 96, 84)
WEIGHTS = "c3" * 32
NOW = datetime(2031, 2, 3, 4, 5, tzinfo=timezone.utc)


def picture() -> bytes:
    """A small PNG, lopsided."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, :20] = (200, 30, 30)
    pixels[:10] = (20, 120, 220)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def made_up_stack(contrast: Contrast = "magnitude") -> LgeStack:
    """Noise around a ring, apex first, in a usual short-axis pose."""
    labels = made_up_labels()
    rng = np.random.default_rng(3)
    level = np.choose(labels, [80.0, 620.0, 140.0, 520.0])
    _, row, column = np.indices(SHAPE)
    inside = (labels == SCAR) & (np.hypot(row - 44, column - 26) < 5)
    level = np.where(inside, 230.0, level)  # paler scar
    dark = (labels == SCAR) & (np.abs(row - 40) < 2) & (np.abs(column - 32) < 2)
    level = np.where(dark, 90.0, level)  # dark core
    level = np.where((labels == SCAR) & (column < 22), 150.0, level)  # as dark as remote, at the outer border
    voxels = (level + rng.normal(0, 12, SHAPE)).round()
    if contrast == "psir":
        voxels -= 300
    matrix = _short_axis_pose()
    return LgeStack(voxels.astype(np.float32), matrix, Storage(), matrix, contrast=contrast)


def made_up_labels(scar: bool = True) -> LabelArray:
    """Seven slices with a ring that widens to the base, a scar in the septum; nothing at both ends of the stack."""
    k, row, column = np.indices(SHAPE)
    distance = np.hypot(row - 48, column - 44)
    radius = 10 + 1.2 * k
    labels = np.zeros(SHAPE, np.uint8)
    labels[distance < radius + 9] = MYOCARDIUM
    labels[distance < radius] = CAVITY
    if scar:
        labels[(labels == MYOCARDIUM) & (k > 2) & (k < 7) & (column < 40) & (row < 52)] = SCAR
    labels[[0, 8, 9]] = 0
    return labels


def _short_axis_pose() -> np.ndarray:
    apex = np.array([-0.62, 0.60, -0.50]) / np.linalg.norm([-0.62, 0.60, -0.50])
    anterior = np.array([0.0, 0.0, 1.0]) - apex[2] * apex
    anterior /= np.linalg.norm(anterior)
    lateral = np.cross(anterior, apex)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([lateral * 1.4, -anterior * 1.5, -apex * 8.0], axis=1)
    matrix[:3, 3] = (12.3, -45.6, 78.9)
    return matrix


def made_up_result(
    stack: LgeStack, labels: LabelArray, *, amplitude: float = 0.83, with_ecg: bool = True
) -> ScarResult:
    """The result that a reader's contours give; ECG figures are made up."""
    wall = labels >= MYOCARDIUM
    anatomy = divide(stack, labels == CAVITY, wall)
    measured = measure(stack, anatomy, labels == SCAR)
    said = {"ecg_percent": 4.5, "agreement": Agreement.DISAGREE, "agreement_reason": Fact(AgreementReason.ECG_ALONE)}
    rows = tuple(
        replace(row, scar_percent_image_only=row.scar_percent, **(said if with_ecg else {}))
        for row in measured.segments
    )
    rng = np.random.default_rng(9)
    probability = np.where(wall, rng.random(SHAPE, dtype=np.float32), 0).astype(np.float32)
    counted = amplitude if with_ecg else 0.0
    reason = Fact(EcgReason.USED, days=-41.0, weight=counted) if counted else Fact(EcgReason.NOT_GIVEN)
    gap = TimeGap(-41.0) if with_ecg else TimeGap(None, problem=GapProblem.NO_ECG_DATE)
    wall_ml = float(wall.sum()) * stack.voxel_ml
    return ScarResult(
        stack=stack,
        ecg=Ecg(np.zeros((12, 5000), np.float32), np.ones(12, bool), 500.0, sha256="b2" * 32) if with_ecg else None,
        ecg_use=EcgUse(counted, (reason,), gap),
        anatomy=anatomy,
        labels=labels,
        scar_probability=probability,
        scar_probability_image_only=(probability * 0.9).astype(np.float32),
        cavity_ml=float((labels == CAVITY).sum()) * stack.voxel_ml,
        myocardium_ml=wall_ml,
        scar=measured.scar,
        scar_image_only=Burden(measured.scar.ml * 0.9, measured.scar.grams * 0.9, measured.scar.percent_of_lv * 0.9),
        segments=rows,
        method=Method(),
        weights_sha256=WEIGHTS,
        warnings=(Fact(Doubt.WIDER_APEX),),
        mvo=measured.parts.mvo,
        parts=measured.parts,
        patterns=measured.patterns,
    )


@dataclass(frozen=True)
class DicomCase:
    """A series, a result of it, and the folder that was written of it."""

    series: Path
    folder: Path
    stack: LgeStack
    source: Source
    result: ScarResult
    pictures: dict[str, bytes]

    @property
    def content(self) -> dict[str, Any]:
        """The result as ``result.json`` has it."""
        return as_json(self.result, NOW)


def make_case(
    root: Path,
    *,
    labels: LabelArray | None = None,
    contrast: Contrast = "magnitude",
    with_ecg: bool = True,
    **series: object,
) -> DicomCase:
    """Write series and result under ``root``."""
    written = made_up_stack(contrast)
    write_series(root / "series", written, **series)  # type: ignore[arg-type]
    stack = read_lge(root / "series")
    labels = made_up_labels() if labels is None else labels
    # The reader is free to turn the stack: the truth goes with it by place, not by index.
    result = made_up_result(stack, moved_by_place(labels, written, stack), with_ecg=with_ecg)
    pictures = {name: picture() for name in ("bullseye.png", "montage.png", *(["ecg.png"] if with_ecg else []))}
    folder = write_result(result, pictures, root / "result", overwrite=False)
    return DicomCase(root / "series", folder, stack, read_source(stack), result, pictures)


def moved_by_place(labels: LabelArray, of: LgeStack, to: LgeStack) -> LabelArray:
    """The labels on another stack's grid, voxel by voxel through patient space."""
    index = np.argwhere(np.ones(to.voxels.shape, bool))
    place = np.c_[index[:, ::-1], np.ones(len(index))] @ to.ijk_to_ras.T
    there = np.rint(np.linalg.solve(of.ijk_to_ras, place.T)[:3]).astype(int)[::-1]
    return labels[tuple(there)].reshape(to.voxels.shape)
