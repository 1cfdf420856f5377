"""``scarsegecg demo``: the embedded phantom patient through the main job."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from ScarSegECGLib.case import BACKGROUND, CAVITY, MYOCARDIUM, SCAR, ScarResult
from ScarSegECGLib.cli.crew import progress_bar
from ScarSegECGLib.cli.options import NETWORKS, add_shared
from ScarSegECGLib.cli.terminal import say
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import check_output, is_previous_result, staged_folder
from ScarSegECGLib.face import export, read_ecg, read_lge, segment
from ScarSegECGLib.lge.labels import read_labels
from ScarSegECGLib.measure.overlap import overlap
from ScarSegECGLib.report.numbers import number
from ScarSegECGLib.report.present import summary
from ScarSegECGLib.training.phantom import WHAT_PHANTOM, phantom_patient, write_phantom


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    option, out = parser.add_argument, Path("demo-output")
    option("--out", type=Path, default=out, metavar="DIR", help=f"an earlier demo is replaced; default: {out}")
    option("--seed", type=int, default=0, metavar="N", help="another number makes another phantom patient")
    add_shared(parser, *NETWORKS)


def beside_truth(result: ScarResult, truth: np.ndarray) -> str:
    """What was found beside what the phantom holds, as a small table."""
    voxel_ml = result.stack.voxel_ml
    rows = [f"{'':<12}{'found':>9}{'truth':>9}{'Dice':>8}"]
    for name, found, expected in (
        ("LV cavity", result.labels == CAVITY, truth == CAVITY),
        ("myocardium", result.labels >= MYOCARDIUM, truth >= MYOCARDIUM),
        ("scar", result.labels == SCAR, truth >= SCAR),
    ):
        dice = number(overlap(found, expected, result.stack.spacing, distance=False).dice, 2, "-")
        rows.append(f"{name:<12}{found.sum() * voxel_ml:>6.1f} ml{expected.sum() * voxel_ml:>6.1f} ml{dice:>8}")
    return "\n".join(rows)


def missed(result: ScarResult, truth: np.ndarray) -> str:
    """Where the true scar went that was not found, and how much was called scar that is none."""
    true, called = truth >= SCAR, result.labels == SCAR
    if not true.any():
        return f"there is no scar in truth; {called.sum() * result.stack.voxel_ml:.1f} ml were called scar"
    lost = {"in the wall, not called": MYOCARDIUM, "called cavity": CAVITY, "outside the contours": BACKGROUND}
    parts = [f"{100 * (result.labels[true] == label).mean():.0f} % {name}" for name, label in lost.items()]
    text = f"missed of the true scar: {', '.join(parts)}"
    if called.any():
        text += f"; {100 * (~true[called]).mean():.0f} % of what was called scar is none"
    return text


def _is_phantom(folder: Path) -> bool:
    """Whether a folder holds a phantom patient of an earlier demo."""
    try:
        truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(truth, dict) and truth.get("what") == WHAT_PHANTOM


def run(args: argparse.Namespace) -> None:
    """Make the phantom's files, read them as a user's, segment, and compare."""
    home, results = args.out / "patient", args.out / "result"
    earlier = _is_phantom(home)
    for folder, ours in ((home, earlier), (results, earlier and is_previous_result(results))):
        if folder.is_dir() and any(folder.iterdir()) and not ours:
            raise InputError(f"The output holds a folder {folder.name} that is no demo's: choose another with --out.")
        check_output(folder, earlier)
    with progress_bar("demo", args.quiet) as tell:
        tell(0.0, "making the phantom patient")
        patient = phantom_patient(args.seed)
        with staged_folder(home, earlier) as staged:
            files = {name: home / path.name for name, path in write_phantom(staged, patient).items()}
        tell(0.3, "reading")
        stack, ecg = read_lge(files["lge"]), read_ecg(files["ecg"])
        networks = {"weights": args.weights, "device": args.device}
        result = segment(
            stack, ecg, mri_date=patient.mri_date, **networks, progress=lambda done, text: tell(0.4 + 0.4 * done, text)
        )
        tell(0.8, "pictures and files")
        folder = export(result, results, overwrite=earlier)
    truth = read_labels(files["labels"], stack)
    say(
        args,
        "A simulated patient (phantom LGE and simulated ECG), segmented as a real one would be:",
        beside_truth(result, truth),
        missed(result, truth),
        *summary(result),
        f"open {folder / 'report.html'}; the input is in {home}",
    )
