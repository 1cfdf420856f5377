"""Read label maps, contours and masks that lie on the grid of a stack, whatever their axes' order and extent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import LabelArray, LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Fact, LgeNote, has
from ScarSegECGLib.lge.label_meaning import LabelMap, meaning_of
from ScarSegECGLib.lge.read import read_volume
from ScarSegECGLib.lge.volume_file import Volume

_MAX_LAYERS = 32
_LARGEST_LABEL = 65535
_SAME_PLACE_MM = 0.5


def read_labels(path: Path, stack: LgeStack) -> LabelArray:
    """Label values (0 to 255) of a NIfTI or NRRD file as they are, in the stack's canonical storage.

    Raises
    ------
    InputError
        Missing or unreadable file, another grid than the stack's, or values that are no labels.
    """
    layers, _ = _on_the_grid(path, stack)
    if len(layers) > 1:
        raise InputError("The label file holds segments that overlap: save them as one label map.")
    _check_values(layers, 255)
    return layers[0].astype(np.uint8)


def read_mask(path: Path, stack: LgeStack) -> tuple[NDArray[np.bool_], tuple[Fact, ...]]:
    """Where a label file holds anything, canonical storage, and what was noticed; refused as by :func:`read_labels`."""
    layers, volume = _on_the_grid(path, stack)
    return np.asarray(layers.any(axis=0)), volume.notes


def read_contours(
    path: Path, stack: LgeStack, label_map: LabelMap | None = None
) -> tuple[LabelArray, tuple[Fact, ...]]:
    """The LV's contours: 0 background, 1 cavity, 2 myocardium, 3 scar, 4 MVO; and what the reader should know of them.

    The values mean what ``label_map`` says; without it, what the names of a Slicer segmentation's segments tell;
    without these they are taken as above and held against anatomy.

    Raises
    ------
    InputError
        As :func:`read_labels`; values that mean nothing here, or that no heart has: the message names the label set
        that would fit.
    """
    layers, volume = _on_the_grid(path, stack)
    labels, notes = meaning_of(layers, volume.segments, label_map)
    return labels, (*volume.notes, *notes)


def _on_the_grid(path: Path, stack: LgeStack) -> tuple[NDArray[np.int32], Volume]:
    """Values of each layer, shape (layer, slice, row, column), and the file that holds them."""
    if not path.is_file():
        raise InputError("The label file was not found: check the path.")
    expected = tuple(int(n) for n in np.array(stack.voxels.shape)[np.argsort(stack.storage.axes)])

    def fits(shape: tuple[int, ...]) -> None:
        small = all(n <= m for n, m in zip(sorted(shape[:3]), sorted(expected), strict=True))
        if not small or shape[3:] > (_MAX_LAYERS,):
            raise InputError(f"The labels have {shape} voxels, the image {expected}: give labels on the image's grid.")

    try:
        volume = read_volume(path, fits, detached=False)
    except OSError:
        raise InputError("The label file cannot be read: check that you may open it.") from None
    layers = volume.voxels if volume.voxels.ndim == 4 else volume.voxels[None]
    _check_values(layers, _LARGEST_LABEL)
    whole = layers if layers.dtype.kind in "iu" else np.rint(layers)
    placed = _placed(whole.astype(np.int32), expected, volume, stack)
    return np.stack([stack.storage.to_canonical(layer) for layer in placed]), volume


def _check_values(layers: NDArray, most: int) -> None:
    whole = layers.dtype.kind in "iu" or np.allclose(np.rint(layers), layers, atol=1e-3)
    if not whole or layers.min() < -0.5 or layers.max() > most + 0.5:
        raise InputError(f"The label file does not hold whole numbers from 0 to {most}: give a label map.")


def _placed(layers: NDArray, expected: tuple[int, ...], volume: Volume, stack: LgeStack) -> NDArray:
    """Layers turned by whole axes and set into the image's own grid, in which they may cover a part alone."""
    step = np.linalg.inv(stack.stored_ijk_to_ras) @ volume.ijk_to_ras  # (column, row, slice) of labels to image
    near = np.rint(step)
    corners = np.array([(*corner, 1) for corner in np.ndindex(2, 2, 2)]).T * [
        [n - 1] for n in (*layers.shape[:0:-1], 2)
    ]
    off = float(np.abs(stack.stored_ijk_to_ras @ (step - near) @ corners).max())
    first, last = np.sort((near @ corners)[:3, [0, -1]].astype(int).T, axis=0)[:, ::-1]  # as arrays index, slice first
    whole_axes = (np.abs(near[:3, :3]).sum(axis=1) == 1).all()
    if off > _SAME_PLACE_MM or not whole_axes or first.min() < 0 or (last >= expected).any():
        off = max(off, float(np.abs((volume.ijk_to_ras - stack.stored_ijk_to_ras) @ corners).max()))
        one = "" if volume.orientation_known == stack.orientation_known else " (one without orientation)"
        mend = ": mend its sform or qform" if has(volume.notes, LgeNote.FORMS_DISAGREE) else ""
        raise InputError(
            f"The labels lie up to {off:.1f} mm off the image{one}: give labels on the image's grid{mend}."
        )
    turn = near[2::-1, 2::-1]  # from the labels' axes to the image's, slice first
    axes, flips = np.abs(turn).argmax(axis=1), turn.sum(axis=1) < 0
    placed = np.zeros((len(layers), *expected), layers.dtype)
    there = (slice(None), *map(slice, first, last + 1))
    placed[there] = np.flip(layers.transpose(0, *(1 + axes)), tuple((1 + np.flatnonzero(flips)).tolist()))
    return placed
