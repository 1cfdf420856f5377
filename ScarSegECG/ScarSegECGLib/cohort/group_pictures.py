"""Pictures of the whole cohort: scar per segment, scar against ECG per wall, and agreement with experts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ScarSegECGLib import __version__
from ScarSegECGLib.cohort.agreement import SCARRED_FROM_PERCENT, bland_altman
from ScarSegECGLib.cohort.tables import Patient
from ScarSegECGLib.export.atomic import whole_file, write_text
from ScarSegECGLib.view.bullseye import SegmentValue, bullseye
from ScarSegECGLib.view.paint import to_png

FOLDER = "group"
MADE_FROM = ".made_from"  # hash of the figures that the pictures show
NAMES = ("scar_mean", "scar_frequency", "scar_against_ecg", "expert_scatter", "expert_bland_altman")
WALLS = {
    "anterior": (1, 7, 13),
    "septal": (2, 3, 8, 9, 14),
    "inferior": (4, 10, 15),
    "lateral": (5, 6, 11, 12, 16),
}
_INK, _POINT, _LIMIT = "#20262c", "#ac4a31", "#59636d"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class GroupPicture:
    """One picture's file name, and the key of its caption in ``page/words.json``."""

    file: str
    caption: str


def write_group_pictures(out: Path, patients: Sequence[Patient]) -> tuple[GroupPicture, ...]:
    """Write what can be drawn of the cases with a result into the folder ``group``; what is drawn of them stays."""
    done = [patient for patient in patients if patient.result is not None]
    folder = out / FOLDER
    if not done:
        for name in (MADE_FROM, *(f"{name}.png" for name in NAMES)):
            (folder / name).unlink(missing_ok=True)
        return ()
    folder.mkdir(exist_ok=True)
    scar, ecg = _table(done, "scar_percent_image_only"), _table(done, "ecg_scar_percent")
    experts = [patient.record.expert for patient in done if patient.record and patient.record.expert]
    ours, theirs = (np.array([one[key] for one in experts]) for key in ("scar_ml", "true_scar_ml"))
    shown = (__version__, *(figures.tolist() for figures in (scar, ecg, ours, theirs)))
    made_from = hashlib.sha256(repr(shown).encode()).hexdigest()
    draw: dict[str, Callable[[], bytes]] = {
        "scar_mean": lambda: _bullseye(np.nanmean, scar, "mean_scar"),
        "scar_frequency": lambda: _bullseye(_share, scar, "frequency"),
    }
    if np.isfinite(ecg).any():
        draw["scar_against_ecg"] = lambda: _walls(scar, ecg)
    if len(experts) >= 3:
        draw["expert_scatter"] = lambda: _scatter(ours, theirs)
        draw["expert_bland_altman"] = lambda: _bland_altman(ours, theirs)
    if {picture.caption for picture in drawn(out)} == set(draw) and _text(folder / MADE_FROM) == made_from:
        return drawn(out)
    (folder / MADE_FROM).unlink(missing_ok=True)  # first: of a run that is killed now nothing is taken for current
    for name in NAMES:
        if name not in draw:
            (folder / f"{name}.png").unlink(missing_ok=True)
            continue
        with whole_file(folder / f"{name}.png") as partial:
            partial.write_bytes(draw[name]())
    write_text(folder / MADE_FROM, made_from)
    return drawn(out)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def drawn(out: Path) -> tuple[GroupPicture, ...]:
    """The pictures that are there."""
    return tuple(
        GroupPicture(f"{FOLDER}/{name}.png", name) for name in NAMES if (out / FOLDER / f"{name}.png").exists()
    )


def _table(patients: Sequence[Patient], key: str) -> Floats:
    """A value of every patient (rows) and segment 1..17; NaN where it is not known."""
    rows = np.full((len(patients), 17), np.nan)
    for row, patient in zip(rows, patients, strict=True):
        for segment in (patient.result or {})["segments"]:
            value = segment[key]
            row[segment["aha_segment"] - 1] = np.nan if value is None else value
    return rows


def _share(column: Floats) -> float:
    known = column[np.isfinite(column)]
    return 100 * float(np.mean(known >= SCARRED_FROM_PERCENT))


_TITLES = {"mean_scar": "Mean scar", "frequency": "Scar frequency"}
_AXES = {
    "mean_scar": "% of segment volume",
    "frequency": f"% of patients with {SCARRED_FROM_PERCENT:g} % or more",
}


def _bullseye(figure: Callable[[Floats], float], scar: Floats, which: str) -> bytes:
    values = [float(figure(column)) if np.isfinite(column).any() else None for column in scar.T]
    segments = [SegmentValue(value, value is not None) for value in values]
    patients = f"Images alone, {len(scar)} patients"
    return to_png(bullseye(segments, title=_TITLES[which], subtitle=patients, axis=_AXES[which]), width_px=720)


def _walls(scar: Floats, ecg: Floats) -> bytes:
    """One panel a wall: the ECG's estimate against the images' scar, both averaged over the wall's segments."""
    figure = _figure(9.0, 9.4)
    for place, (name, numbers) in enumerate(WALLS.items(), 1):
        index = np.array(numbers) - 1
        pairs = np.array([(_mean(image[index]), _mean(said[index])) for image, said in zip(scar, ecg, strict=True)])
        pairs = pairs[np.isfinite(pairs).all(axis=1)]
        axes = figure.add_subplot(2, 2, place)
        axes.plot([0, 100], [0, 100], color=_LIMIT, linewidth=0.8, linestyle="--")
        axes.scatter(pairs[:, 0], pairs[:, 1], s=22, color=_POINT, edgecolor=_INK, linewidth=0.4, alpha=0.8)
        axes.set(xlim=(-2, 102), ylim=(-2, 102), xlabel="images alone, % of wall", ylabel="ECG alone, % of wall")
        axes.set_title(f"{name} (n = {len(pairs)})", fontsize=12)
    return _png(figure)


def _scatter(ours: Floats, theirs: Floats) -> bytes:
    figure = _figure(5.6, 5.4)
    axes = figure.add_subplot()
    end = 1.05 * max(float(ours.max()), float(theirs.max()), 1.0)
    axes.plot([0, end], [0, end], color=_LIMIT, linewidth=0.8, linestyle="--")
    axes.scatter(theirs, ours, s=24, color=_POINT, edgecolor=_INK, linewidth=0.4, alpha=0.8)
    axes.set(xlim=(0, end), ylim=(0, end), xlabel="expert, ml", ylabel="ScarSegECG, images alone, ml")
    axes.set_title(f"Scar volume, n = {len(ours)}", fontsize=12)
    return _png(figure)


def _bland_altman(ours: Floats, theirs: Floats) -> bytes:
    found = bland_altman(ours, theirs)
    assert found is not None
    figure = _figure(7.2, 5.0)
    axes = figure.add_subplot()
    axes.scatter((ours + theirs) / 2, ours - theirs, s=24, color=_POINT, edgecolor=_INK, linewidth=0.4, alpha=0.8)
    for value, words, line in (
        (found.upper, "+1.96 SD", "--"),
        (found.bias, "bias", "-"),
        (found.lower, "-1.96 SD", "--"),
    ):
        axes.axhline(value, color=_LIMIT, linewidth=0.9, linestyle=line)
        axes.annotate(
            f"{words}\n{value:+.1f}", (1.01, value), xycoords=("axes fraction", "data"), va="center", fontsize=9
        )
    axes.set(xlabel="mean of both, ml", ylabel="images alone - expert, ml")
    axes.set_title(f"Scar volume, n = {found.count}", fontsize=12)
    figure.subplots_adjust(right=0.86)
    return _png(figure, tight=False)


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), dpi=110, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Figure, tight: bool = True) -> bytes:
    import io

    if tight:
        figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
