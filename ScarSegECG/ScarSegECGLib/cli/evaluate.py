"""``scarsegecg evaluate``: a folder of cases with expert masks."""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path

from ScarSegECGLib.case import Ecg, TimeGap
from ScarSegECGLib.cli.crew import done_in_order, networks_of
from ScarSegECGLib.cli.options import CREW, NETWORKS, add_shared
from ScarSegECGLib.cli.outputs import check_files, write_json
from ScarSegECGLib.cli.terminal import say, warn
from ScarSegECGLib.cohort.job import Prepare, session_of
from ScarSegECGLib.cohort.options import Networks
from ScarSegECGLib.ecg.gap import gap_of_case, parse_date
from ScarSegECGLib.ecg.read import read_ecg
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.measure.expert import case_folders, load_case
from ScarSegECGLib.report.plain import number
from ScarSegECGLib.training.evaluate import CaseFigures, as_json, evaluate_case

DATES = '{"mri": DATE, "ecg": DATE, "event_between": true or false}, each where it is known'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    cases = "holds Case_*/Case_*_{img,seg}.nii.gz; beside them in a case's folder may lie its ECG (ecg.hea, ecg.xml, "
    cases += 'ecg.csv ...) and dates.json: {"mri": "2024-03-14", "ecg": "2024-03-12", "event_between": false}'
    parser.add_argument("--cases", required=True, type=Path, metavar="DIR", help=cases)
    parser.add_argument("--json", required=True, type=Path, metavar="OUT", help="file for the figures")
    parser.add_argument("--no-ecg", action="store_true", help="leave the ECGs out")
    add_shared(parser, *CREW, *NETWORKS)


def find_ecg(folder: Path) -> tuple[Ecg | None, TimeGap]:
    """The case's ``ecg.*`` with its ``dates.json``, where there are such; InputError where they are not as expected."""
    # a WFDB header has its signal beside it, a table may have its rate and unit in a .json
    beside = (".dat", ".json", *([".mat"] if (folder / "ecg.hea").exists() else []))
    files = sorted(path for path in folder.glob("ecg.*") if path.suffix not in beside)
    if not files:
        return None, TimeGap(None)
    if len(files) > 1:
        raise InputError(f"{folder.name}: several ECGs ({', '.join(path.name for path in files)}); leave one of them")
    ecg = read_ecg(files[0])
    file = folder / "dates.json"
    try:
        dates = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        known = set(dates) <= {"mri", "ecg", "event_between"} and isinstance(dates.get("event_between", False), bool)
    except (ValueError, TypeError, AttributeError, RecursionError):  # no JSON, or no object in it
        known = False
    if not known:
        raise InputError(f"{folder.name}/dates.json: expected {DATES}")
    typed = {f"typed_{name}_date": parse_date(str(dates[name])) for name in ("ecg", "mri") if dates.get(name)}
    return ecg, gap_of_case(ecg, None, **typed, event_between=dates.get("event_between", False))


def _evaluated(folder: Path, use_ecg: bool, networks: Networks) -> CaseFigures:
    ecg, gap = find_ecg(folder) if use_ecg else (None, TimeGap(None))
    return evaluate_case(load_case(folder), session_of(networks), ecg, gap)


def _lines(summary: dict) -> list[str]:
    lines = []
    for name in ("cavity", "myocardium", "scar"):
        mean = {metric: number(figure["mean"], 3, "  -  ") for metric, figure in summary[name].items()}
        lines += [f"{name:<11} Dice {mean['dice']}  precision {mean['precision']}  sensitivity {mean['sensitivity']}"]
    scars = {"challenge": summary["scar_challenge"]} | {f"{size}:": of for size, of in summary["scar_by_size"].items()}
    lines += [f"scar        {name} Dice {of['mean']:5.3f}" for name, of in scars.items() if of["mean"] is not None]
    if summary["interval_coverage"] is not None:
        lines.append(f"intervals   {100 * summary['interval_coverage']:.0f} % hold the expert's volume")
    if count := summary["normals"]["count"]:
        false_ml = summary["normals"]["false_scar_ml"]["mean"]
        lines.append(f"normals     {count}, false scar {false_ml:.2f} ml on average")
    return lines


def run(args: argparse.Namespace) -> None:
    """Segment every case and compare."""
    folders = case_folders(args.cases)
    check_files(args.json)
    networks = networks_of(args)
    session = session_of(networks)
    work = partial(_evaluated, use_ecg=not args.no_ecg, networks=networks)
    figures = done_in_order(args, work, folders, Prepare(networks))
    seen = set(session.settings.get("trained_on", [])) & {row.case for row in figures}
    report = as_json(figures) | {"trained_on_these_cases": sorted(seen), "weights_sha256": session.weights_sha256}
    write_json(args.json, report)
    say(args, *_lines(report["summary"]))
    if seen:
        warn(f"{len(seen)} of {len(figures)} cases were trained on by these weights: not a test")
