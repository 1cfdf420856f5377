"""Read label maps, contours and masks that lie on the grid of a stack, whatever their axes' order and extent.

What the values of contours mean is told by their names, by a map the reader gives, or by number and then held against
what anatomy allows. Where another label set would make a heart of them, it is named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import permutations, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ScarSegECGLib.case import BACKGROUND, CAVITY, MVO, MYOCARDIUM, SCAR, LabelArray, LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Fact, LgeNote, NoHeart, has
from ScarSegECGLib.lge.shown_text import plain, some_of
from ScarSegECGLib.lge.volume_file import Volume, read_volume

_USUAL = "1 cavity, 2 myocardium, 3 scar, 4 MVO"
_MAX_LAYERS = 32
_LARGEST_LABEL = 65535
_SAME_PLACE_MM = 0.5
LabelMap = Mapping[int, int]
CLASSES = {"none": BACKGROUND, "cavity": CAVITY, "myocardium": MYOCARDIUM, "scar": SCAR, "mvo": MVO}
_CALLED = {value: name for name, value in CLASSES.items()}
# Label sets of public challenges, as their pages give them; the right ventricle is none of ours, oedema is wall.
_CHALLENGES: dict[str, LabelMap] = {
    "MyoPS": {200: MYOCARDIUM, 500: CAVITY, 600: BACKGROUND, 1220: MYOCARDIUM, 2221: SCAR},
    "ACDC": {1: BACKGROUND, 2: MYOCARDIUM, 3: CAVITY},
    "M&Ms": {1: CAVITY, 2: MYOCARDIUM, 3: BACKGROUND},
}
# Patterns of names, the first that fits counts: a "myocardial scar" is scar, an "RV cavity" is none of ours.
_NAMES = (
    (BACKGROUND, r"\bRV\b|\bR V\b|RIGHT|ATRI|\bLA\b|AORT|PERICARD|BACKGROUND|\bLUNG|\bFAT\b|PAPILLAR|INSERTION"),
    (MVO, r"\bMVO\b|NO ?REFLOW|MICROVASC"),
    (MYOCARDIUM, r"\b(NO|NON|WITHOUT|HEALTHY|NORMAL|REMOTE|VIABLE)\b.*(MYO|WALL|SCAR|INFARCT)|O?EDEMA"),
    (SCAR, r"SCAR|INFARCT|\bMI\b|\bD?LGE\b|ENHANC|FIBROS|NECRO|NARBE|CICATRI"),
    (CAVITY, r"CAVIT|BLOOD|LUMEN|\bLVC?BP\b|\bENDO|\bLVC\b|\bCHAMBER"),
    (MYOCARDIUM, r"MYO|MUSCLE|\bWALL\b|\bEPI"),
    (CAVITY, r"^LV$|^LEFT VENTRICLE$"),
)
_PAINTED = (BACKGROUND, MYOCARDIUM, CAVITY, SCAR, MVO)  # where layers overlap, the later wins
_LARGEST_SCAR = 0.65  # of the wall; of 67 expert readings of EMIDEC with an infarct the largest is 0.52
_BESIDE_WALL = 0.6  # of the cavity's border
_CENTRE_IS_CAVITY = 0.7  # of the LV's area, slice by slice
_AWAY_PIXELS, _TOUCHES = 3.0, 0.02
_IN_PLANE = ndimage.generate_binary_structure(2, 1)[None]


def parse_label_map(text: str) -> LabelMap:
    """``"1=scar,2=myocardium,3=cavity"`` as a map, or an :class:`InputError`; classes are those of ``CLASSES``."""
    found: dict[int, int] = {}
    for part in text.split(","):
        value, equals, name = (piece.strip().lower() for piece in part.partition("="))
        if not re.fullmatch(r"\d{1,5}", value, re.ASCII) or name not in CLASSES or int(value) in found:
            example = f"1=scar,2=myocardium,3=cavity ({', '.join(CLASSES)})"
            raise InputError(f"--label-map: give each value once, such as {example}")
        found[int(value)] = CLASSES[name]
    return found


def read_labels(path: Path, stack: LgeStack) -> LabelArray:
    """Label values (0 to 255) of a NIfTI or NRRD file as they are, in the stack's canonical storage.

    A file that cannot be read, another grid than the stack's, or values that are no labels: an :class:`InputError`.
    """
    layers, _ = _on_the_grid(path, stack, most=255)
    if len(layers) > 1:
        raise InputError("The label file holds segments that overlap: save them as one label map.")
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

    Refused by an :class:`InputError`: what :func:`read_labels` refuses, and values that mean nothing here, or that no
    heart has; the message names the label set that would fit.
    """
    layers, volume = _on_the_grid(path, stack)
    present = [(layer, int(value)) for layer in range(len(layers)) for value in np.unique(layers[layer]) if value]
    values = sorted({value for _, value in present})
    if label_map is not None:
        unnamed = [value for value in values if value not in label_map]
        if unnamed:
            raise InputError(
                f"--label-map does not say what {some_of(unnamed, 6)} is: add it, such as {unnamed[0]}=none."
            )
        labels = _painted(layers, {(layer, value): label_map[value] for layer, value in present})
        odd = _no_heart(labels)
        return labels, (*volume.notes, Fact(LgeNote.LABELS_ODD, why=odd)) if odd else volume.notes
    by_name = {key: meant for key in present if (meant := _meant_by(volume.segments.get(key, ""))) is not None}
    if by_name:
        if len(by_name) < len(present) or not {CAVITY, MYOCARDIUM} <= set(by_name.values()):
            asked = f"rename them, or give --label-map for the values {some_of(values, 6)}"
            raise InputError(f"The segments' names do not tell LV cavity, myocardium and scar: {asked}.")
        told = Fact(LgeNote.LABELS_BY_NAME, meant=tuple((key[1], _CALLED[by_name[key]]) for key in present))
        usual = all(value == meant for (_, value), meant in by_name.items())
        return _painted(layers, by_name), volume.notes if usual else (*volume.notes, told)
    if len(layers) > 1:
        raise InputError("The segments overlap and their names do not say what they are: rename them in 3D Slicer.")
    labels, notes = _numbered(layers, values)
    return labels, (*volume.notes, *notes)


def _on_the_grid(path: Path, stack: LgeStack, most: int = _LARGEST_LABEL) -> tuple[NDArray[np.int32], Volume]:
    """Values of each layer, canonical, shape (layer, slice, row, column), and the file that holds them."""
    if not path.is_file():
        raise InputError("The label file was not found: check the path.")
    grid = np.transpose(stack.voxels, np.argsort(stack.storage.axes)).shape

    def fits(shape: tuple[int, ...]) -> None:
        small = all(n <= m for n, m in zip(sorted(shape[:3]), sorted(grid), strict=True))
        if not small or shape[3:] > (_MAX_LAYERS,):
            raise InputError(f"The labels have {shape} voxels, the image {grid}: give labels on the image's grid.")

    try:
        volume = read_volume(path, fits, detached=False)
    except OSError:
        raise InputError("The label file cannot be read: check that you may open it.") from None
    layers = volume.voxels if volume.voxels.ndim == 4 else volume.voxels[None]
    whole = layers if layers.dtype.kind in "iu" else np.rint(layers)
    if (whole is not layers and not np.allclose(whole, layers, atol=1e-3)) or whole.min() < 0 or whole.max() > most:
        raise InputError(f"The label file does not hold whole numbers from 0 to {most}: give a label map.")
    found = placed(whole.astype(np.int32), volume.ijk_to_ras, stack, _SAME_PLACE_MM / np.array(stack.spacing[::-1]))
    if found is None:
        apart = (volume.ijk_to_ras - stack.stored_ijk_to_ras) @ _corners(layers.shape[1:])
        one = "" if volume.orientation_known == stack.orientation_known else " (one without orientation)"
        mend = ": mend its sform or qform" if has(volume.notes, LgeNote.FORMS_DISAGREE) else ""
        off = f"{np.linalg.norm(apart[:3], axis=0).max():.1f} mm off the image{one}"
        raise InputError(f"The labels lie up to {off}: give labels on its grid{mend}.")
    return found, volume


def placed(layers: NDArray, ijk_to_ras: NDArray, stack: LgeStack, most: float | NDArray) -> NDArray | None:
    """Layers turned by whole axes and set into the stack's grid, in which they may cover a part alone.

    ``layers``, shape (layer, slice, row, column), lie as ``ijk_to_ras`` says. ``None``: not on the grid, or off it by
    over ``most`` of its voxels, along (column, row, slice).
    """
    step = np.linalg.inv(stack.ijk_to_ras) @ ijk_to_ras  # (column, row, slice, 1) of the layers to the stack's
    near, corners = np.rint(step), _corners(layers.shape[1:])
    off = np.abs((step - near) @ corners)[:3].max(axis=1)
    slice_first = (near @ corners)[2::-1].T
    whole_axes = (np.abs(near[:3, :3]).sum(axis=1) == 1).all()
    if (off > most).any() or not whole_axes or slice_first.min() < 0 or (slice_first >= stack.voxels.shape).any():
        return None
    back = np.rint(np.linalg.inv(near))[2::-1]
    turn = {"matrix": back[:, 2::-1], "offset": back[:, 3], "output_shape": stack.voxels.shape}
    return np.stack([ndimage.affine_transform(layer, **turn, order=0) for layer in layers])


def _corners(shape: tuple[int, ...]) -> NDArray:
    """(column, row, slice, 1) of each corner of an array (slice, row, column), shape (4, 8)."""
    return np.array(list(product(*((0, n - 1) for n in shape[::-1]), (1,)))).T


def _numbered(layers: NDArray[np.int32], values: Sequence[int]) -> tuple[LabelArray, tuple[Fact, ...]]:
    """Labels taken by their numbers, after a look at what anatomy allows."""
    ours = all(value <= MVO for value in values)
    labels = layers[0].astype(np.uint8) if ours else np.zeros(layers.shape[1:], np.uint8)
    wrong = _no_heart(labels)
    if ours and wrong is None:
        return labels, ()
    for name, candidate in _candidates(values):
        found = _painted(layers, {(0, value): candidate[value] for value in values})
        if (found >= SCAR).sum() <= (found == MYOCARDIUM).sum() and not _no_heart(found):
            said = ",".join(f"{value}={_CALLED[candidate[value]]}" for value in values)
            like = f" (as in {name})" if name else ""
            raise InputError(
                f"The labels, read as {_USUAL}, are no left ventricle. What would fit{like}: --label-map {said}"
            )
    if not ours:
        raise InputError(f"The labels hold {some_of(values, 6)}: give {_USUAL}, or say what they mean by --label-map.")
    return labels, (Fact(LgeNote.LABELS_ODD, why=wrong),)


def _candidates(values: Sequence[int]) -> list[tuple[str, LabelMap]]:
    """Label sets that give every value a meaning: our classes in any order, and challenges', large numbers first."""
    challenges = [(name, label_map) for name, label_map in _CHALLENGES.items() if set(values) <= set(label_map)]
    kinds = {2: "12", 3: "123", 4: "1234 1230"}.get(len(values), "")
    orders = (order for classes in kinds.split() for order in permutations(map(int, classes)))
    ours = [("", dict(zip(values, order, strict=True))) for order in orders]
    return [*challenges, *ours] if max(values, default=0) > MVO else [*ours, *challenges]


def _no_heart(labels: LabelArray) -> Fact | None:
    """Why the labels are not those of a left ventricle in short axis, ``None`` where they may be.

    The cavity is the middle of each slice's ventricle and is walled in; scar is a part of the wall and not most of it.
    """
    cavity, myocardium, scar = labels == CAVITY, labels == MYOCARDIUM, labels >= SCAR
    wall = myocardium | scar
    if not (cavity.any() and myocardium.any()):
        return Fact(NoHeart.NO_RING)
    if scar.sum() > _LARGEST_SCAR * wall.sum():
        return Fact(NoHeart.MOSTLY_SCAR)
    beside = ndimage.binary_dilation(cavity, _IN_PLANE) & ~cavity
    if (beside & wall).sum() < _BESIDE_WALL * beside.sum():
        return Fact(NoHeart.OPEN_CAVITY)
    areas = middle = 0
    for here in labels[(cavity | scar).any(axis=(1, 2))]:
        filled = ndimage.binary_fill_holes(here)
        depth = ndimage.distance_transform_edt(np.pad(filled, 1))[1:-1, 1:-1]
        areas += filled.sum()
        middle += filled.sum() if here.flat[depth.argmax()] == CAVITY else 0
    if middle < _CENTRE_IS_CAVITY * areas:
        return Fact(NoHeart.MIDDLE_NOT_CAVITY)
    if scar.any():
        touching = (ndimage.binary_dilation(cavity, _IN_PLANE) & scar).sum() / scar.sum()
        away = ndimage.distance_transform_edt(~(cavity | myocardium), sampling=(1e3, 1, 1))[scar]
        if touching < _TOUCHES and np.median(away) > _AWAY_PIXELS:
            return Fact(NoHeart.SCAR_OUTSIDE)
    return None


def _meant_by(name: str) -> int | None:
    """The class that a segment's name tells, ``None`` where it tells none."""
    flat = plain(re.sub(r"([a-z])([A-Z])", r"\1 \2", name))
    return next((meant for meant, pattern in _NAMES if re.search(pattern, flat)), None)


def _painted(layers: NDArray[np.int32], meaning: Mapping[tuple[int, int], int]) -> LabelArray:
    """Layers' values as classes, by what each (layer, value) means."""
    out = np.zeros(layers.shape[1:], np.uint8)
    for layer, value in sorted(meaning, key=lambda key: _PAINTED.index(meaning[key])):
        out[layers[layer] == value] = meaning[layer, value]
    return out
