"""``scarsegecg demo``: the sample patient, which is simulated, through the main job."""

from __future__ import annotations

import argparse
import shutil
from contextlib import suppress
from pathlib import Path

from ScarSegECGLib import sample
from ScarSegECGLib.case import BACKGROUND, CAVITY, MYOCARDIUM, LabelArray, ScarResult
from ScarSegECGLib.cli.crew import progress_bar
from ScarSegECGLib.cli.options import NETWORKS, add_shared
from ScarSegECGLib.cli.terminal import say
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import check_output, is_previous_result, staged_folder
from ScarSegECGLib.face import export, read_ecg, read_lge, segment
from ScarSegECGLib.lge.labels import read_labels
from ScarSegECGLib.measure.expert import ExpertCase
from ScarSegECGLib.measure.overlap import STRUCTURES, overlap
from ScarSegECGLib.report.plain import number
from ScarSegECGLib.report.present import summary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    said = "an earlier demo is replaced; default: demo-output"
    parser.add_argument("--out", type=Path, default=Path("demo-output"), metavar="DIR", help=said)
    add_shared(parser, *NETWORKS)


def _beside_truth(result: ScarResult, truth: LabelArray) -> list[str]:
    """What was found beside what the phantom holds, where scar went that was not found, and how much is none."""
    voxel_ml, both = result.stack.voxel_ml, [ExpertCase("", result.stack, one) for one in (result.labels, truth)]
    lines = [f"{'':<12}{'found':>9}{'truth':>9}{'Dice':>8}"]
    for name in STRUCTURES:
        found, expected = (getattr(one, name) for one in both)
        dice = number(overlap(found, expected, result.stack.spacing, distance=False).dice, 2, "-")
        lines.append(f"{name:<12}{found.sum() * voxel_ml:>6.1f} ml{expected.sum() * voxel_ml:>6.1f} ml{dice:>8}")
    called, true = (one.scar for one in both)
    lost = {"in the wall, not called": MYOCARDIUM, "called cavity": CAVITY, "outside the contours": BACKGROUND}
    parts = [f"{100 * (result.labels[true] == label).mean():.0f} % {name}" for name, label in lost.items()]
    none = f"; {100 * (~true[called]).mean():.0f} % of what was called scar is none" if called.any() else ""
    return [*lines, f"missed of the true scar: {', '.join(parts)}{none}"]


def run(args: argparse.Namespace) -> None:
    """Copy the sample patient, read it as a user's, segment, and compare."""
    home, results = args.out / "patient", args.out / "result"
    earlier = False
    with suppress(OSError):
        earlier = (home / sample.TRUTH.name).read_bytes() == sample.TRUTH.read_bytes()
    for folder, ours in ((home, earlier), (results, earlier and is_previous_result(results))):
        if folder.is_dir() and any(folder.iterdir()) and not ours:
            raise InputError(f"The output holds a folder {folder.name} that is no demo's: choose another with --out.")
        check_output(folder, earlier)
    with progress_bar("demo", args.quiet) as tell:
        tell(0.0, "reading")
        with staged_folder(home, earlier) as staged:
            for file in sample.files():
                shutil.copy(file, staged)
        result = segment(
            read_lge(home / sample.LGE.name),
            read_ecg(home / sample.ECG.name),
            mri_date=sample.MRI_DATE,
            weights=args.weights,
            device=args.device,
            progress=lambda done, text: tell(0.1 + 0.7 * done, text),
        )
        tell(0.8, "pictures and files")
        folder = export(result, results, overwrite=earlier)
    say(
        args,
        "A simulated patient (phantom LGE and simulated ECG), segmented as a real one would be:",
        *_beside_truth(result, read_labels(home / sample.LABELS.name, result.stack)),
        *summary(result),
        f"open {folder / 'report.html'}; the input is in {home}",
    )
