"""``scarsegecg ecg``: what is understood of an ECG file, what is measured in it, and its picture."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from ScarSegECGLib.ecg.median_beat import median_beat
from ScarSegECGLib.ecg.preview import measurement_lines, preview
from ScarSegECGLib.ecg.read import read_ecg_and_format
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import write_text
from ScarSegECGLib.view.ecg_paper import ecg_paper
from ScarSegECGLib.view.paint_matplotlib import save

_MEASURED = ("rate_bpm", "qrs_ms", "axis_deg", "pr_ms", "qt_ms", "qtc_ms", "conduction", "from_device")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument("path", type=Path, metavar="PATH", help="12-lead ECG of any supported format")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="the ECG on paper: .png, .svg or .pdf")
    parser.add_argument("--json", type=Path, metavar="OUT", help="file for all that is printed")
    parser.add_argument("--sex", choices=("female", "male"), help="for criteria that depend on it")


def run(args: argparse.Namespace) -> int:
    """Read, say what was understood, measure, draw."""
    ecg, format_name = read_ecg_and_format(args.path)
    understood = preview(ecg, format_name)
    features = median_beat(ecg, female=None if args.sex is None else args.sex == "female").features
    measured = measurement_lines(features)
    if args.picture:
        short = [" ".join(line.split()) for line in measured if "not measurable" not in line]
        try:
            save(ecg_paper(ecg, median_features=[", ".join(short[:3]), ", ".join(short[3:])]), args.picture)
        except OSError as error:
            raise InputError(f"The picture cannot be written ({error.strerror}): choose another place.") from None
    if args.json:
        found = {name: getattr(features, name) for name in _MEASURED}
        write_text(args.json, json.dumps(asdict(understood) | {"measured": found}, indent=1, allow_nan=False) + "\n")
    if not args.quiet:
        print("\n".join([*understood.lines(), "", *measured]))
    return 0
