"""The ablation as a table, in CSV and Markdown, and as a plot: what was measured, with its uncertainty."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ScarSegECGLib.measure.scar_probability import scar_probability
from ScarSegECGLib.training.ablation import IMAGE_ONLY, Outcome
from ScarSegECGLib.training.baseline import NAME as BASELINE
from ScarSegECGLib.training.calibration import Reliability, fit_temperature, reliability

RESAMPLES = 2000
CAPTION = (
    "Semi-synthetic: real EMIDEC images and expert scars, ECGs simulated from those scars. Patients held out "
    "fold by fold; anatomy predicted. Scar figures over patients with an infarct; 95 % bootstrap CI over patients. "
    "ECE is of the probability that the tool shows (networks and EWA rule), in the predicted myocardium."
)
_OVERLAPS = ("dice", "precision", "sensitivity", "volume_error_ml", "hd95_mm")


@dataclass(frozen=True)
class Estimate:
    """A mean over patients with its 95 % bootstrap interval; NaN where there is none."""

    mean: float
    low: float
    high: float

    def text(self, digits: int = 3, sign: str = "") -> str:
        """``0.512 [0.431, 0.590]``, or with sign "+" as a difference; a dash where there is no figure."""
        if not np.isfinite(self.mean):
            return "-"
        # Rounded first, and 0 added: what rounds to nothing is printed without a minus.
        rounded = (round(value, digits) + 0.0 for value in (self.mean, self.low, self.high))
        mean, low, high = (f"{value:{sign}.{digits}f}" for value in rounded)
        return f"{mean} [{low}, {high}]"


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    row: str
    images: str
    patients: int
    figures: dict[str, Estimate]
    difference: Estimate
    pooled: tuple[float, float, float]
    ece: float
    ece_calibrated: float
    temperature: float
    false_scar_ml: float


def bootstrap(values: NDArray[np.float64], seed: int = 0) -> Estimate:
    """Mean and 95 % interval of the mean by resampling patients (percentile method, 2000 resamples)."""
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    if not known.size:
        return Estimate(float("nan"), float("nan"), float("nan"))
    drawn = np.random.default_rng(seed).integers(0, known.size, (RESAMPLES, known.size))
    low, high = np.percentile(known[drawn].mean(axis=1), [2.5, 97.5])
    return Estimate(float(known.mean()), float(low), float(high))


def _per_patient(outcomes: Sequence[Outcome], value: Callable[[Outcome], float | None]) -> dict[str, float]:
    """Mean over a patient's ECGs, by patient; figures without meaning stay out."""
    gathered: dict[str, list[float]] = {}
    for item in outcomes:
        figure = value(item)
        if figure is not None:
            gathered.setdefault(item.case, []).append(float(figure))
    return {case: float(np.mean(figures)) for case, figures in gathered.items()}


def _figure(metric: str) -> Callable[[Outcome], float | None]:
    return lambda item: getattr(item.overlap, metric)


def _pooled(outcomes: Sequence[Outcome]) -> tuple[float, float, float]:
    """Dice, precision and sensitivity over all voxels of the pathological patients."""
    both, found, real = np.sum([o.voxels for o in outcomes if o.pathological] or [(0, 0, 0)], axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return tuple(float(v) for v in np.divide([2.0 * both, both, both], [found + real, found, real]))  # type: ignore


def calibrated(outcomes: Sequence[Outcome]) -> tuple[NDArray, NDArray, NDArray, float]:
    """Probabilities without and with temperature, truth, and the mean temperature.

    Each fold's temperature is fitted on the other folds; with one fold alone it is fitted on half of the patients for
    the other half.
    """
    folds = sorted({o.fold for o in outcomes})
    cases = sorted({o.case for o in outcomes})
    group = {o.case: o.fold if len(folds) > 1 else cases.index(o.case) % 2 for o in outcomes}
    plain, warm, truth, used = [], [], [], []
    for here in sorted(set(group.values())):
        others = [o for o in outcomes if group[o.case] != here]
        mine = [o for o in outcomes if group[o.case] == here]
        if not others or not sum(o.logit.size for o in others):
            temperature = 1.0
        else:
            temperature = fit_temperature(*(np.concatenate([getattr(o, k) for o in others]) for k in _VOXELS))
        logit, wall, bright, real = (np.concatenate([getattr(o, k) for o in mine]) for k in _VOXELS)
        inside = np.ones_like(real)
        plain.append(scar_probability(logit, wall, bright, inside))
        warm.append(scar_probability(logit / temperature, wall, bright, inside))
        truth.append(real)
        used.append(temperature)
    return np.concatenate(plain), np.concatenate(warm), np.concatenate(truth), float(np.mean(used))


_VOXELS = ("logit", "wall", "bright", "truth")


def line(name: str, images: str, outcomes: Sequence[Outcome], alone: Sequence[Outcome]) -> Line:
    """One line from the outcomes of a row and of image only, both on the same images."""
    sick = [o for o in outcomes if o.pathological]
    figures = {metric: bootstrap(np.array(list(_per_patient(sick, _figure(metric)).values()))) for metric in _OVERLAPS}
    mine = _per_patient(sick, lambda o: o.overlap.dice)
    theirs = _per_patient([o for o in alone if o.pathological], lambda o: o.overlap.dice)
    shared = sorted(set(mine) & set(theirs))
    difference = bootstrap(np.array([mine[case] - theirs[case] for case in shared]))
    plain, warm, truth, temperature = calibrated(outcomes)
    healthy = _per_patient([o for o in outcomes if not o.pathological], lambda o: o.scar_ml)
    return Line(
        name,
        images,
        len(mine),
        figures,
        difference,
        _pooled(outcomes),
        reliability(plain, truth).error,
        reliability(warm, truth).error,
        temperature,
        float(np.mean(list(healthy.values()))) if healthy else float("nan"),
    )


def table(outcomes: Sequence[Outcome]) -> list[Line]:
    """Lines in the order in which the rows appear, first on clean, then on degraded images."""
    names = list(dict.fromkeys(o.row for o in outcomes))
    lines = []
    for degraded, images in ((False, "clean"), (True, "degraded")):
        here = [o for o in outcomes if o.degraded == degraded]
        alone = [o for o in here if o.row == IMAGE_ONLY]
        lines += [line(name, images, [o for o in here if o.row == name], alone) for name in names if here]
    return lines


def _flat(item: Line) -> dict[str, object]:
    row: dict[str, object] = {"row": item.row, "images": item.images, "patients": item.patients}
    for name, value in [*item.figures.items(), ("dice_minus_image_only", item.difference)]:
        row |= {name: value.mean, f"{name}_low": value.low, f"{name}_high": value.high}
    row |= dict(zip(("pooled_dice", "pooled_precision", "pooled_sensitivity"), item.pooled, strict=True))
    row |= {"ece": item.ece, "ece_with_temperature": item.ece_calibrated, "temperature": item.temperature}
    row["false_scar_ml_in_normals"] = item.false_scar_ml
    return row  # to the last digit: what is rounded is rounded once, where it is printed


def as_csv(lines: Sequence[Line]) -> str:
    """The whole table; its first column says that it is semi-synthetic."""
    rows = [{"data": "semi-synthetic pairs", **_flat(item)} for item in lines]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_markdown(lines: Sequence[Line], notes: Sequence[str] = ()) -> str:
    """Two tables, clean and degraded, under the caption."""
    head = (
        "| row | Dice | difference to image only | precision | sensitivity | pooled Dice / precision / sensitivity "
        "| volume error, ml | HD95, mm | ECE (with temperature) | false scar in normals, ml |"
    )
    parts = [CAPTION, *notes]
    for images in dict.fromkeys(item.images for item in lines):
        rows = [item for item in lines if item.images == images]
        parts.append(f"### {images.capitalize()} images, {rows[0].patients} patients with an infarct (semi-synthetic)")
        body = [head, "|---" * 10 + "|"]
        for item in rows:
            same = item.row == IMAGE_ONLY
            cells = [
                item.row,
                item.figures["dice"].text(),
                "" if same else item.difference.text(sign="+"),
                item.figures["precision"].text(),
                item.figures["sensitivity"].text(),
                " / ".join(f"{value:.3f}" for value in item.pooled),
                item.figures["volume_error_ml"].text(1),
                item.figures["hd95_mm"].text(1),
                f"{item.ece:.3f} ({item.ece_calibrated:.3f})" if np.isfinite(item.ece) else "-",
                f"{item.false_scar_ml:.2f}",
            ]
            body.append("| " + " | ".join(cells) + " |")
        parts.append("\n".join(body))
    return "\n\n".join(parts) + "\n"


def plot(lines: Sequence[Line]) -> Figure:
    """Difference in Dice to image only, with its interval, on clean and on degraded images.

    The baseline, another network altogether, is in the table alone: it would squeeze the others' scale.
    """
    figure = Figure(figsize=(8.0, 4.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True, sharex=True)
    for panel, images in zip(panels, ("clean", "degraded"), strict=True):
        rows = [item for item in lines if item.images == images]
        alone = next((item for item in rows if item.row == IMAGE_ONLY), None)
        shown = [item for item in rows if item.row not in (IMAGE_ONLY, BASELINE)]
        panel.axvline(0.0, color="0.5", linewidth=1)
        for place, item in enumerate(shown):
            mean, low, high = item.difference.mean, item.difference.low, item.difference.high
            panel.errorbar(mean, place, xerr=[[mean - low], [high - mean]], fmt="o", color="C0", capsize=3)
        panel.set_yticks(range(len(shown)), [item.row for item in shown])
        panel.set_ylim(len(shown) - 0.5, -0.5)
        first = "" if alone is None else f"\nimage only {alone.figures['dice'].mean:.3f}"
        panel.set_title(f"{images} images{first}", fontsize=10)
        panel.set_xlabel("Dice minus image only's")
        panel.xaxis.set_major_locator(MaxNLocator(4))
        panel.grid(axis="x", color="0.9")
    figure.suptitle("Semi-synthetic pairs: real images, ECGs simulated from the expert's scar (95 % CI)", fontsize=10)
    return figure


def reliabilities(outcomes: Sequence[Outcome], degraded: bool) -> list[tuple[str, Reliability]]:
    """Image only and + TAFF, without and with temperature, for the reliability diagram."""
    rows = []
    for name in (IMAGE_ONLY, "+ TAFF"):
        here = [o for o in outcomes if o.degraded == degraded and o.row == name]
        if here:
            plain, warm, truth, _ = calibrated(here)
            rows += [(name, reliability(plain, truth)), (f"{name}, temperature", reliability(warm, truth))]
    return rows
