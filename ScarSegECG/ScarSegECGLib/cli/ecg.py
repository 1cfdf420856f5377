"""``scarsegecg ecg``: what is understood of an ECG file, what is measured in it, and its picture."""

from __future__ import annotations

import argparse
from pathlib import Path

from ScarSegECGLib.case import LEADS
from ScarSegECGLib.cli.outputs import check_files, save_picture, write_json
from ScarSegECGLib.cli.terminal import say
from ScarSegECGLib.ecg.findings import ecg_findings
from ScarSegECGLib.ecg.median_beat import median_beat
from ScarSegECGLib.ecg.read import read_ecg
from ScarSegECGLib.report.ecg import date_line, file_lines, findings_lines, judged_lines, measurement_lines
from ScarSegECGLib.view.ecg_paper import ecg_paper
from ScarSegECGLib.wording import all_words, words

_MEASURED = ("rate_bpm", "qrs_ms", "axis_deg", "pr_ms", "qt_ms", "qtc_ms", "conduction", "irregular", "from_device")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option("path", type=Path, metavar="PATH", help="12-lead ECG of any supported format")
    option("--picture", type=Path, metavar="FILE", help="the ECG on paper: .png, .svg or .pdf")
    option("--json", type=Path, metavar="OUT", help="file for all that is printed")
    option("--sex", choices=("female", "male"), help="for criteria that depend on it")
    option("--age", type=float, metavar="YEARS", help="for the QRS score")


def run(args: argparse.Namespace) -> None:
    """Read, say what was understood, measure, draw."""
    check_files(args.json, pictures=[args.picture])
    ecg = read_ecg(args.path)
    female = None if args.sex is None else args.sex == "female"
    found = ecg_findings(median_beat(ecg, female=female), age=args.age, female=female)
    features = found.features
    if args.picture:
        save_picture(ecg_paper(ecg, median_features=findings_lines(found)), args.picture)
    if args.json:
        leads = list(zip(LEADS, ecg.lead_mask, strict=True))
        judged = {
            "q_waves": found.q_waves,
            "q_waves_remark": words(found.q_waves_remark) or None,
            "qrs_score_points": found.score_points,
            "qrs_score_percent_of_lv": found.score_percent_of_lv,
            "qrs_score_remark": words(found.score_remark) or None,
        }
        understood = {
            "format": ecg.format,
            "leads": [name for name, there in leads if there],
            "missing": [name for name, there in leads if not there],
            "rate": ecg.rate,
            "seconds": ecg.millivolts.shape[1] / ecg.rate,
            "date": date_line(ecg),
            "device": ecg.device_ms,
            "notes": all_words(ecg.notes),
            "measured": {name: getattr(features, name) for name in _MEASURED} | judged,
        }
        write_json(args.json, understood)
    say(args, *file_lines(ecg), "", *measurement_lines(features), *judged_lines(found))
