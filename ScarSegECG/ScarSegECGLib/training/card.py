"""The model card and the table of figures, written from what was measured."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ScarSegECGLib.measure.ecg_extent import MARGIN
from ScarSegECGLib.measure.islands import SMALLEST_ISLAND_ML
from ScarSegECGLib.measure.scar_probability import EWA_SHARE, SCAR_ABOVE
from ScarSegECGLib.network.polar_grid import ANGLES, RADII, RADIUS_STEP_MM
from ScarSegECGLib.training.ablation_tables import Estimate

# Each with the digits it is given to.
_METRICS = (("dice", 3), ("precision", 3), ("sensitivity", 3), ("volume_error_ml", 1), ("hd95_mm", 1))


def read_table(path: Path) -> list[dict[str, str]]:
    """The per-patient lines of ``cross_validation.csv``."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _column(rows: Sequence[Mapping[str, str]], name: str) -> np.ndarray:
    return np.array([float(row[name]) for row in rows if row[name] != ""])


def _mean_and_median(values: np.ndarray, digits: int) -> str:
    """As it stands in the table; a dash where no patient has the figure, as HD95 has none where nothing was found."""
    return f"{values.mean():.{digits}f} ({np.median(values):.{digits}f})" if values.size else "–"


def figures(rows: Sequence[Mapping[str, str]]) -> str:
    """A Markdown table of means (medians) over held-out patients, who have the figure.

    Scar counts over patients with an infarct only; normals have a line of their own.
    """
    infarct = [row for row in rows if row["pathological"] == "1"]
    normal = _column([row for row in rows if row["pathological"] == "0"], "scar_ml")
    lines = [
        "| | patients | Dice | precision | sensitivity | volume error, ml | HD95, mm |",
        "|---|---|---|---|---|---|---|",
    ]
    for structure, counted in (("cavity", rows), ("myocardium", rows), ("scar", infarct)):
        cells = [_mean_and_median(_column(counted, f"{structure}_{metric}"), digits) for metric, digits in _METRICS]
        lines.append(f"| {structure} | {len(counted)} | {' | '.join(cells)} |")
    if not normal.size:
        return "\n".join(lines)
    lines += [
        "",
        f"Normal patients: {len(normal)}; false scar {normal.mean():.2f} ml on average (median "
        f"{np.median(normal):.2f} ml), under 2 ml in {np.mean(normal < 2):.0%}.",
    ]
    return "\n".join(lines)


def ablation_figures(rows: Sequence[Mapping[str, str]]) -> str:
    """The ablation in short, from the lines of ``ablation.csv``; empty without any."""
    if not rows:
        return ""

    def cell(row: str, images: str) -> str:
        one = next(line for line in rows if line["row"] == row and line["images"] == images)
        if row == "image only":
            return f"{float(one['dice']):.3f}"
        return Estimate(*(float(one[f"dice_minus_image_only{end}"]) for end in ("", "_low", "_high"))).text(sign="+")

    names = list(dict.fromkeys(line["row"] for line in rows))
    lines = [
        f"Semi-synthetic pairs: real images, ECGs simulated from the expert's scar; {rows[0]['patients']} held-out "
        "patients with an infarct.",
        "Scar Dice of the images alone, then the difference to it, with a 95 % bootstrap interval over patients.",
        "",
        "| | clean images | degraded images |",
        "|---|---|---|",
    ]
    return "\n".join(lines + [f"| {name} | {cell(name, 'clean')} | {cell(name, 'degraded')} |" for name in names])


def _ecg_section(
    settings: Mapping, ablation: Sequence[Mapping[str, str]], remedies: Sequence[Mapping[str, str]]
) -> str:
    if not settings["ecg_trained"]:
        return ""
    return f"""## The ECG branch

Encoder: simulated scars alone, in simulated ECGs and laid on real ECGs of people without a known infarct (CinC 2021;
not those it is checked on). TAFF: semi-synthetic pairs of each fold's training patients. It has never learned from an
ECG and an image of the same person, because no such data are public: what it gains below is a gain on simulated ECGs,
and nothing is known of real pairs.

{ablation_figures(ablation)}

All columns are in `ablation.csv` and `ablation.md`; what it makes of the few real ECGs with a known infarct, and of
real ECGs without a diagnosis (where it imagines scar), is in `real_ecg_checks.md`.

What was tried, one thing at a time, and the most that any ECG could bring:

{ablation_figures(remedies)}

**Not blind either.** That the logits move to the ECG's extents was decided after this had been seen, without time and
training, on the held-out patients of all folds; so was that the ECG only ever adds scar. The margin ({MARGIN:g} of a
segment, about the estimate's mean error) was not tuned. An infarct's extent told by the expert himself (the last line)
is more than an ECG can know, and stays below the 0.03 that was hoped for on degraded images.

The branches were trained on segments whose RV insertions an earlier finder had placed (turned by up to 15 degrees at
random); simulated ECGs and all figures here are by the present one. With the earlier one every Dice was within 0.001.

"""


def model_card(
    rows: Sequence[Mapping[str, str]],
    settings: Mapping,
    sha256: str,
    ablation: Sequence[Mapping[str, str]] = (),
    remedies: Sequence[Mapping[str, str]] = (),
) -> str:
    """The whole card, Markdown; ``ablation`` and ``remedies`` are the lines of these tables where there are any."""
    channels = ", ".join(map(str, settings["channels"]))
    ecg = "trained on simulated scars (see below)" if settings["ecg_trained"] else "not trained: its amplitude is 0"
    return f"""# Model card: scarseg.safetensors

For research use; not a medical device.

| | |
|---|---|
| what it does | LV cavity, LV wall, and scar given wall, from short-axis LGE slices; a locator finds the LV first |
| networks | locator and {settings["members"]} 2D U-Nets ({channels} channels) that see a slice, unrolled about the \
LV's centre, between its neighbours; averaged over members and their mirror images |
| input | slices resampled to {settings["pixel_mm"]} mm, scaled slice by slice, then read on {ANGLES} angles and \
{RADII} radii of {RADIUS_STEP_MM} mm |
| scar | networks {1 - EWA_SHARE:.0%}, the EWA intensity rule inside the predicted wall {EWA_SHARE:.0%}; probability \
above {SCAR_ABOVE:g} |
| ECG branch | {ecg} |
| trained on | {settings["data"]}: acute infarction, one centre (Dijon), restored from 8-bit copies |
| labels | one expert's contours; microvascular obstruction counted as scar |
| licence | {settings["licence"]}: non-commercial, share alike, as the data's. The code beside it is Apache-2.0 |
| SHA-256 | `{sha256}` |

## Figures

Patient-level {settings["members"]}-fold cross-validation on the {len(rows)} patients: each was segmented by the one \
member that had not seen it, with its fold's locator; the anatomy was predicted, never given. Means, and medians in \
brackets; per patient, on the image's own grid. Every patient's line is in `cross_validation.csv`.

{figures(rows)}

The shipped ensemble of all members has seen every one of these patients, so it has no held-out figure of its own here.

{_ecg_section(settings, ablation, remedies)}## How they were trained

{settings["history"]}

**The figures are not blind.** Unrolling was chosen on the patients of folds 0 and 1, with networks trained on the
other three; the weight of the EWA rule on the held-out patients of folds 0 to 3, where 0.2 to 0.4 do alike; EWA's own
constants on 22 infarct patients of the same data. The threshold ({SCAR_ABOVE:g}) and the smallest island \
({SMALLEST_ISLAND_ML:g} ml) were
not tuned.

## Limits

- Acute infarcts of one centre, one sequence family, one expert. Chronic scar, non-ischaemic patterns, other vendors and
  devices in the field of view have not been tried.
- The training images are aligned and centred on the LV; the locator was trained with shifts of up to 100 mm, but
  breath-hold shifts between slices are only imitated.
- Small and patchy scars are the least certain; see the spread in the table and `cross_validation.csv`.
- Intensities of the training images are scaled slice by slice to 8 bit.

## Source

Lalande A, et al. Emidec: a database usable for the automatic evaluation of myocardial infarction from
delayed-enhancement cardiac MRI. Data 2020;5(4):89.
"""
