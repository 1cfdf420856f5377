"""What the values of a label map mean: by their names, by a map the reader gives, or by number and then held against
what anatomy allows. Where another label set would make a heart of them, it is named.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ScarSegECGLib.case import BACKGROUND, CAVITY, MYOCARDIUM, SCAR, LabelArray
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Fact, LgeNote, NoHeart
from ScarSegECGLib.lge.volume_file import NamedSegment

LabelMap = Mapping[int, int]
MVO = 4
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
            raise InputError(
                "--label-map: give each value once, such as 1=scar,2=myocardium,3=cavity (none, cavity, myocardium, "
                "scar, mvo)"
            )
        found[int(value)] = CLASSES[name]
    return found


def meaning_of(
    layers: NDArray[np.int32],
    segments: Sequence[NamedSegment],
    label_map: LabelMap | None = None,
) -> tuple[LabelArray, tuple[Fact, ...]]:
    """Values as 0 background, 1 cavity, 2 myocardium, 3 scar, 4 MVO, and what the reader should know.

    ``layers`` has shape (layer, slice, row, column). Values that mean nothing, or that no heart has, are refused by an
    :class:`InputError`.
    """
    present = [(layer, int(value)) for layer in range(len(layers)) for value in np.unique(layers[layer]) if value]
    if label_map is not None:
        unnamed = sorted({value for _, value in present} - set(label_map))
        if unnamed:
            raise InputError(f"--label-map does not say what {_listed(unnamed)} is: add it, such as {unnamed[0]}=none.")
        return _painted(layers, {(layer, value): label_map[value] for layer, value in present}), ()
    named = {(s.layer, s.value): s.name for s in segments if (s.layer, s.value) in present}
    by_name = {key: meant for key, name in named.items() if (meant := _meant_by(name)) is not None}
    if by_name:
        silent = [key for key in present if key not in by_name]
        if silent or CAVITY not in by_name.values() or MYOCARDIUM not in by_name.values():
            raise InputError(
                "The names of the segments do not say which is the LV cavity, which the myocardium and which the scar: "
                f"rename them, or give --label-map for the values {_listed(sorted({value for _, value in present}))}."
            )
        told = tuple((value, _CALLED[by_name[layer, value]]) for layer, value in present)
        usual = all(value == meant for (_, value), meant in by_name.items())
        return _painted(layers, by_name), () if usual else (Fact(LgeNote.LABELS_BY_NAME, meant=told),)
    if len(layers) > 1:
        raise InputError("The segments overlap and their names do not say what they are: rename them in 3D Slicer.")
    return _numbered(layers, present)


def _numbered(layers: NDArray[np.int32], present: Sequence[tuple[int, int]]) -> tuple[LabelArray, tuple[Fact, ...]]:
    """Labels taken by their numbers, after a look at what anatomy allows."""
    values = sorted({value for _, value in present})
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
                "The labels, read as 1 cavity, 2 myocardium, 3 scar, 4 MVO, are no left ventricle. What would fit"
                f"{like}: --label-map {said}"
            )
    if not ours:
        raise InputError(
            f"The labels hold the values {_listed(values)}: give 1 cavity, 2 myocardium, 3 scar, 4 MVO, or say what "
            "they mean by --label-map."
        )
    return labels, (Fact(LgeNote.LABELS_ODD, why=wrong),)


def _candidates(values: Sequence[int]) -> Iterator[tuple[str, LabelMap]]:
    """Label sets that have a meaning for every value: a challenge's own numbers, every order of our classes, and sets
    that leave one of the small numbers to the right ventricle.
    """
    challenges = [(name, label_map) for name, label_map in _CHALLENGES.items() if set(values) <= set(label_map)]
    yield from (told for told in challenges if max(told[1]) > MVO)
    kinds = {2: "12", 3: "123", 4: "1234 1230"}.get(len(values), "")
    for order in (order for classes in kinds.split() for order in permutations(map(int, classes))):
        yield "", dict(zip(values, order, strict=True))
    yield from (told for told in challenges if max(told[1]) <= MVO)


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
    for here, inside in zip(labels, cavity | wall, strict=True):
        filled = ndimage.binary_fill_holes(inside)
        if (here == CAVITY).any() or (here >= SCAR).any():
            depth = ndimage.distance_transform_edt(np.pad(filled, 1))[1:-1, 1:-1]
            area = int(filled.sum())
            areas += area
            middle += area if here.flat[depth.argmax()] == CAVITY else 0
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
    flat = unicodedata.normalize("NFKD", name[:200]).encode("ascii", "ignore").decode()
    flat = " ".join(re.sub(r"([a-z])([A-Z])", r"\1 \2", flat).upper().replace("_", " ").replace("-", " ").split())
    return next((meant for meant, pattern in _NAMES if re.search(pattern, flat)), None)


def _painted(layers: NDArray[np.int32], meaning: Mapping[tuple[int, int], int]) -> LabelArray:
    out = np.zeros(layers.shape[1:], np.uint8)
    for meant in _PAINTED:
        for (layer, value), its in meaning.items():
            if its == meant and meant != BACKGROUND:
                out[layers[layer] == value] = meant
    return out


def _listed(values: Sequence[int]) -> str:
    shown = ", ".join(map(str, values[:6]))
    return f"{shown} ..." if len(values) > 6 else shown
