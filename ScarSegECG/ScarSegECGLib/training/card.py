"""The model card and the table of figures, written from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ScarSegECGLib.measure.islands import SMALLEST_ISLAND_ML
from ScarSegECGLib.measure.overlap import STRUCTURES
from ScarSegECGLib.measure.trust import SCAR_ABOVE
from ScarSegECGLib.network.polar_grid import ANGLES, RADII, RADIUS_STEP_MM
from ScarSegECGLib.training.ablation import Estimate, Row
from ScarSegECGLib.training.evaluate import METRICS, summarise

DIGITS = {"dice": 3, "precision": 3, "sensitivity": 3, "volume_error_ml": 1, "hd95_mm": 1}
DATA = (
    "EMIDEC (Lalande et al., Data 2020, 5(4):89), acute infarction or none, one centre (Dijon), restored from 8-bit "
    "copies, or those of the cases that were given"
)
Rows = Sequence[Mapping[str, str]]


def _cell(figure: Mapping, digits: int = 3) -> str:
    """Mean and median; a dash where no patient has the figure, as HD95 has none where nothing was found."""
    return "–" if figure["mean"] is None else f"{figure['mean']:.{digits}f} ({figure['median']:.{digits}f})"


def figures(rows: Rows) -> str:
    """Markdown of means (medians) over held-out patients who have the figure: both conventions, by size, normals.

    ``rows`` are the lines of ``cross_validation.csv``.
    """
    words = ("case", "fold")
    typed = [{k: v if k in words else None if v == "" else float(v) for k, v in row.items()} for row in rows]
    summary = summarise(typed)
    infarcts, normals, challenge = summary["pathological"]["count"], summary["normals"], summary["scar_challenge"]
    lines = ["| | patients | Dice | precision | sensitivity | volume error, ml | HD95, mm |", "|---" * 7 + "|"]
    for structure in STRUCTURES:
        cells = [_cell(summary[structure][metric], DIGITS[metric]) for metric in METRICS]
        lines.append(f"| {structure} | {infarcts if structure == 'scar' else len(rows)} | {' | '.join(cells)} |")
    lines += [
        "",
        "| scar Dice by convention | patients | Dice |",
        "|---|---|---|",
        f"| infarct patients: mean over patients with scar | {infarcts} | {_cell(summary['scar']['dice'])} |",
        f"| challenge (EMIDEC's own): all patients, none against none = 1, missed or false scar = 0 | {len(rows)} | "
        f"{_cell(challenge)} |",
    ]
    sizes = summary["scar_by_size"].values()
    for name, size in zip(("under 10 ml", "of 10 to 30 ml", "over 30 ml"), sizes, strict=True):
        lines.append(f"| infarcts {name} | {size['patients']} | {_cell(size)} |")
    wall = [_cell(summary[f"myocardium_{kind}"]) for kind in ("infarct", "normal")]
    lines += ["", f"Myocardium in infarct patients {wall[0]}, in normals {wall[1]}."]
    if summary["interval_coverage"] is not None:
        held = summary["interval_coverage"]
        lines.append(f"The 80 % interval of the scar volume, fitted on other folds, held it in {held:.0%}.")
    if normals["count"]:
        false_ml = normals["false_scar_ml"]
        lines += [
            "",
            f"Normal patients: {normals['count']}; false scar {false_ml['mean']:.2f} ml on average (median "
            f"{false_ml['median']:.2f} ml), under 2 ml in {normals['share_under_2_ml']:.0%}.",
        ]
    return "\n".join(lines)


def ablation_figures(rows: Rows, pairs: tuple[int, int] = (0, 0)) -> str:
    """What the ECG adds in short, from the lines of ``ablation.csv``; empty without any.

    ``pairs``: how many of the patients have an ECG of their own, and how many simulated ones.
    """
    if not rows:
        return ""

    def cell(row: str, images: str) -> str:
        one = next(line for line in rows if line["row"] == row and line["images"] == images)
        if row == Row.IMAGE_ONLY.value:
            return f"{float(one['dice']):.3f}"
        return Estimate(*(float(one[f"dice_minus_image_only{end}"]) for end in ("", "_low", "_high"))).text(sign="+")

    source = "Semi-synthetic pairs: real images, ECGs simulated from the expert's scar"
    if pairs[0]:
        source = f"Pairs of image and ECG: {pairs[0]} real, {pairs[1]} semi-synthetic"
    lines = [
        f"{source}; {rows[0]['patients']} held-out patients with an infarct.",
        "Scar Dice of the images alone, then the difference to it, with a 95 % bootstrap interval over patients.",
        "",
        "| | clean images | degraded images |",
        "|---|---|---|",
    ]
    for name in dict.fromkeys(line["row"] for line in rows):
        lines.append(f"| {name} | {cell(name, 'clean')} | {cell(name, 'degraded')} |")
    return "\n".join(lines)


def model_card(rows: Rows, settings: Mapping, sha256: str, ablation: Rows = (), pairs: tuple[int, int] = (0, 0)) -> str:
    """The whole card, Markdown; ``ablation`` are the lines of that table, ``pairs`` as in :func:`ablation_figures`."""
    channels = ", ".join(map(str, settings["channels"]))
    folds = len({row["fold"] for row in rows})
    return f"""# Model card: scarseg.safetensors

For research use; not a medical device. Not tried on a GPU.

| | |
|---|---|
| what it does | LV cavity, LV wall, and scar given wall, from short-axis LGE stacks, with the help of an \
ECG if there is one |
| networks | a locator; stage 1, a 2D U-Net ({channels} channels) on a slice between its neighbours, unrolled about \
the LV's centre, averaged with its mirror image; stage 2, a residual network of {settings["stack_channels"]} channels \
over the unrolled stack; TAFF on stage 2's features |
| input | slices read on {ANGLES} angles and {RADII} radii of {RADIUS_STEP_MM} mm, each scaled to its 1st, 50th and \
99th percentile within 45 mm of the LV's centre |
| scar | probability of wall times probability of scar given wall, above {SCAR_ABOVE:g}; islands under \
{SMALLEST_ISLAND_ML:g} ml are left out |
| trained on | {len(rows)} patients: {DATA} |
| labels | one expert's contours; microvascular obstruction counted as scar |
| licence | {settings["licence"]}: non-commercial, share alike, as the data's. The code beside it is Apache-2.0 |
| SHA-256 | `{sha256}` |

## Figures

Patient-level {folds}-fold cross-validation on the {len(rows)} patients: each was segmented by networks that had not
seen it (locator, stage 1 and stage 2 of its fold); the anatomy was predicted, never given; the images alone. Means, and
medians in brackets; per patient, on the image's own grid. Whether there is scar at all was decided by a fit on the
other folds. Every patient's line is in `cross_validation.csv`, every slice's in `cross_validation_slices.csv`.

{figures(rows)}

The shipped networks have learned from all of these patients, so they have no held-out figure of their own here.

## The ECG

Encoder: simulated scars alone, in simulated ECGs and laid on real ECGs of people without a known infarct (CinC 2021).
TAFF: on out-of-fold maps of stage 1, with the pairs named below.

{ablation_figures(ablation, pairs)}

"Told the expert's extents": the expert's own share of scar in every segment in the ECG's place, which is more than any
ECG can know. Nothing is known of real pairs of other people than those named.

## How they were trained

{settings["history"]}
Stage 2 and TAFF learned from stage 1's maps of patients that stage 1 had not seen, as they are, through another
scanner's intensity curve, degraded, and with every second slice.

**The figures are not blind.** Unrolling was chosen earlier on patients of two of these folds; stage 2's shape by a
first try on 33 of the patients. The threshold ({SCAR_ABOVE:g}) and the smallest island were not tuned.

## Limits

- Acute infarcts of one centre, one sequence family, one expert. Chronic scar, non-ischaemic patterns, other vendors and
  devices in the field of view have not been tried.
- The training images are aligned and centred on the LV; breath-hold shifts between slices are only imitated.
- Small and patchy scars are the least certain; see the table by size.
- Intensities of the training images are scaled slice by slice to 8 bit.

## Source

Lalande A, et al. Emidec: a database usable for the automatic evaluation of myocardial infarction from
delayed-enhancement cardiac MRI. Data 2020;5(4):89.
"""
