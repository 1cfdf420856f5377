"""Small results built by hand, for the tests of the written files."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import (
    CAVITY,
    MYOCARDIAL_DENSITY_G_PER_ML,
    MYOCARDIUM,
    SCAR,
    Anatomy,
    Burden,
    Ecg,
    EcgUse,
    LgeStack,
    ScarResult,
    SegmentRow,
    Storage,
    TimeGap,
)
from ScarSegECGLib.facts import Contrast, Division, Doubt, Fact, LgeNote, Method
from ScarSegECGLib.facts_ecg import Agreement, AgreementReason, EcgReason, GapProblem

SHAPE = (5, 18, 22)
SPACING_COLUMN_ROW_SLICE = (1.25, 1.5, 8.0)
WALLS = ("anterior", "anteroseptal", "inferoseptal", "inferior", "inferolateral", "anterolateral")
NAMES = (
    *(f"basal {wall}" for wall in WALLS),
    *(f"mid {wall}" for wall in WALLS),
    *(f"apical {wall}" for wall in ("anterior", "septal", "inferior", "lateral")),
    "apex",
)
TERRITORIES = ("LAD", "LAD", "RCA", "RCA", "LCX", "LCX", "LAD", "LAD", "RCA", "RCA", "LCX", "LCX", "LAD", "LAD", "RCA")


def png(width: int = 2, height: int = 2) -> bytes:
    """A grey PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\x80" * width for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


PICTURES = {"bullseye.png": png(), "ecg.png": png(), "montage.png": png()}


def pose(rotation: NDArray | None = None, origin: tuple[float, float, float] = (10.5, -32.25, 71.0)) -> NDArray:
    """Canonical (column, row, slice) to RAS, mm, oblique unless ``rotation`` says otherwise."""
    if rotation is None:
        rotation, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * np.array(SPACING_COLUMN_ROW_SLICE)
    matrix[:3, 3] = origin
    return matrix


def stored_pose(canonical: NDArray, storage: Storage, shape: tuple[int, ...] = SHAPE) -> NDArray:
    """The file's own matrix for a canonical one: index by index, straight from the meaning of ``Storage``."""
    to_canonical = np.zeros((4, 4))  # (column, row, slice, 1) of the file's array -> of the canonical one
    to_canonical[3, 3] = 1
    for axis in range(3):
        flip = storage.flips[axis]
        to_canonical[2 - axis, 2 - storage.axes[axis]] = -1 if flip else 1
        to_canonical[2 - axis, 3] = shape[axis] - 1 if flip else 0
    return canonical @ to_canonical


def world_points(mask: NDArray, ijk_to_ras: NDArray) -> NDArray:
    """RAS positions, shape (n, 3), of a mask's voxels [slice, row, column], in a fixed order."""
    indices = np.argwhere(mask)[:, ::-1]
    points = np.c_[indices, np.ones(len(indices))] @ ijk_to_ras.T
    return points[np.lexsort(points[:, :3].round(2).T), :3]


def labels_example(scar: bool = True) -> NDArray[np.uint8]:
    """A ring with a scar in one quadrant, lopsided so that no flip or turn leaves it unchanged."""
    _, row, column = np.indices(SHAPE)
    distance = np.hypot(row - 8, (column - 9) * 0.9)
    labels = np.zeros(SHAPE, np.uint8)
    labels[distance < 6] = MYOCARDIUM
    labels[distance < 3] = CAVITY
    if scar:
        labels[1:3][(labels[1:3] == MYOCARDIUM) & (row[1:3] < 8) & (column[1:3] < 10)] = SCAR
    labels[4] = 0
    return labels


def make_result(
    storage: Storage | None = None,
    rotation: NDArray | None = None,
    scar: bool = True,
    with_ecg: bool = True,
    amplitude: float = 0.83,
    **changes: Any,
) -> ScarResult:
    """A result whose images are consistent; its numbers are made up."""
    storage = storage or Storage()
    labels = labels_example(scar)
    canonical = pose(rotation)
    random = np.random.default_rng(1)
    stack = LgeStack(
        voxels=random.random(SHAPE, dtype=np.float32),
        ijk_to_ras=canonical,
        storage=storage,
        stored_ijk_to_ras=stored_pose(canonical, storage),
        contrast=Contrast.PSIR,
        sha256="a1" * 32,
        notes=(Fact(LgeNote.SLICE_AXIS_UNCLEAR),),
    )
    wall = labels >= MYOCARDIUM
    anatomy = Anatomy(
        cavity=labels == CAVITY,
        myocardium=wall,
        aha=np.where(wall, 1 + np.indices(SHAPE)[2] % 17, 0).astype(np.uint8),
        centres_mm=np.full((SHAPE[0], 2), 12.0),
        insertions_deg=np.full((SHAPE[0], 2), np.nan),
        insertion_confidence=np.zeros(SHAPE[0]),
        division=Division(),
        imaged=(True,) * 16 + (False,),
    )
    ml = float((labels == SCAR).sum()) * stack.voxel_ml
    myocardium_ml = float(wall.sum()) * stack.voxel_ml
    burden = Burden(ml, ml * MYOCARDIAL_DENSITY_G_PER_ML, 100 * ml / myocardium_ml)
    gap = TimeGap(-41.0) if with_ecg else TimeGap(None, problem=GapProblem.NO_ECG_DATE)
    result = ScarResult(
        stack=stack,
        ecg=Ecg(np.zeros((12, 5000), np.float32), np.ones(12, bool), 500.0, sha256="b2" * 32) if with_ecg else None,
        ecg_use=EcgUse(
            amplitude if with_ecg else 0.0,
            (Fact(EcgReason.USED, days=-41.0, weight=amplitude),)
            if with_ecg and amplitude
            else (Fact(EcgReason.NOT_GIVEN),),
            gap,
        ),
        anatomy=anatomy,
        labels=labels,
        scar_probability=np.where(wall, random.random(SHAPE), 0).astype(np.float32),
        scar_probability_image_only=np.where(wall, random.random(SHAPE), 0).astype(np.float32),
        cavity_ml=float((labels == CAVITY).sum()) * stack.voxel_ml,
        myocardium_ml=myocardium_ml,
        scar=burden,
        scar_image_only=replace(burden, percent_of_lv=burden.percent_of_lv * 0.9),
        segments=tuple(segment_row(number, scar, with_ecg) for number in range(1, 18)),
        method=Method(),
        weights_sha256="c3" * 32,
        warnings=(Fact(Doubt.WIDER_APEX),),
        timings={"anatomy": 1.25, "network": 3.5},
    )
    return replace(result, **changes)


def segment_row(number: int, scar: bool = True, with_ecg: bool = True) -> SegmentRow:
    """One line of the table; segment 17 is not imaged."""
    imaged = number != 17
    share = 12.5 * (number % 5) if scar and imaged else 0.0
    return SegmentRow(
        number=number,
        name=NAMES[number - 1],
        territory=(*TERRITORIES, "LCX", "LAD")[number - 1],
        imaged=imaged,
        myocardium_ml=5.5 if imaged else 0.0,
        scar_ml=0.055 * share,
        scar_percent=share if imaged else None,
        scar_percent_image_only=share * 0.9 if imaged else None,
        transmurality_mean_percent=share if imaged else None,
        transmurality_max_percent=min(100.0, 1.5 * share) if imaged else None,
        transmurality_bin=("0", "1-25", "26-50", "26-50", "51-75")[number % 5] if imaged else "",
        wall_thickness_mm=8.4 if imaged else None,
        ecg_percent=8.0 if with_ecg else None,
        agreement=tuple(Agreement)[number % 3] if with_ecg else None,
        agreement_reason=Fact(AgreementReason.POOR_WALL) if with_ecg and number % 3 == 2 else None,
    )
