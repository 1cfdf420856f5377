"""The model card, and the tables of figures that it and other pages quote, written from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from string import Template

from ScarSegECGLib.measure.islands import SMALLEST_ISLAND_ML
from ScarSegECGLib.measure.overlap import STRUCTURES
from ScarSegECGLib.measure.trust import SCAR_ABOVE
from ScarSegECGLib.network.polar_grid import ANGLES, RADII, RADIUS_STEP_MM
from ScarSegECGLib.training.ablation import ENDS, Estimate, Row
from ScarSegECGLib.training.evaluate import METRICS, summarise

DIGITS = {"dice": 3, "precision": 3, "sensitivity": 3, "volume_error_ml": 1, "hd95_mm": 1}
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
    infarcts, normals = summary["pathological"]["count"], summary["normals"]
    lines = ["| | patients | Dice | precision | sensitivity | volume error, ml | HD95, mm |", "|---" * 7 + "|"]
    for structure in STRUCTURES:
        cells = [_cell(summary[structure][metric], DIGITS[metric]) for metric in METRICS]
        lines.append(f"| {structure} | {infarcts if structure == 'scar' else len(rows)} | {' | '.join(cells)} |")
    small, medium, large = summary["scar_by_size"].values()
    challenge = "challenge (EMIDEC's own): all patients, none against none = 1, missed or false scar = 0"
    conventions = {
        "infarct patients: mean over patients with scar": {"patients": infarcts, **summary["scar"]["dice"]},
        challenge: summary["scar_challenge"],
        "infarcts under 10 ml": small,
        "infarcts of 10 to 30 ml": medium,
        "infarcts over 30 ml": large,
    }
    lines += ["", "| scar Dice by convention | patients | Dice |", "|---|---|---|"]
    lines += [f"| {name} | {figure['patients']} | {_cell(figure)} |" for name, figure in conventions.items()]
    infarct, normal = (_cell(summary[f"myocardium_{kind}"]) for kind in ("infarct", "normal"))
    lines += ["", f"Myocardium in infarct patients {infarct}, in normals {normal}."]
    if (held := summary["interval_coverage"]) is not None:
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
    for name in dict.fromkeys(row["row"] for row in rows):
        cells = (_difference(row) for row in rows if row["row"] == name)  # on clean, on degraded images
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _difference(row: Mapping[str, str]) -> str:
    """To the images alone; of these their own Dice."""
    if row["row"] == Row.IMAGE_ONLY.value:
        return f"{float(row['dice']):.3f}"
    return Estimate(*(float(row[f"dice_minus_image_only{end}"]) for end in ENDS)).text(sign="+")


def model_card(rows: Rows, settings: Mapping, sha256: str, ablation: Rows = (), pairs: tuple[int, int] = (0, 0)) -> str:
    """The whole card, Markdown; ``ablation`` are the lines of that table, ``pairs`` as in :func:`ablation_figures`."""
    template = (resources.files(__package__) / "card.md").read_text(encoding="utf-8")
    return Template(template).substitute(
        settings,
        channels=", ".join(map(str, settings["channels"])),
        sha256=sha256,
        patients=len(rows),
        folds=len({row["fold"] for row in rows}),
        figures=figures(rows),
        ablation=ablation_figures(ablation, pairs),
        angles=ANGLES,
        radii=RADII,
        radius_step_mm=RADIUS_STEP_MM,
        scar_above=f"{SCAR_ABOVE:g}",
        smallest_island_ml=f"{SMALLEST_ISLAND_ML:g}",
    )
