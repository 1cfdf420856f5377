"""``scarsegecg evaluate``: a folder of cases with expert masks."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ScarSegECGLib.case import Ecg, TimeGap
from ScarSegECGLib.cli.crew import add_crew, done_in_order
from ScarSegECGLib.cli.outputs import check_files
from ScarSegECGLib.cohort.job import Prepare, session_of
from ScarSegECGLib.cohort.options import Networks, weights_sha256
from ScarSegECGLib.ecg.gap import gap_of_case, parse_date
from ScarSegECGLib.ecg.read import read_ecg
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import write_text
from ScarSegECGLib.measure.expert import case_folders, load_case
from ScarSegECGLib.training.evaluate import CaseFigures, as_json, evaluate_case

DATES = '{"mri": DATE, "ecg": DATE, "event_between": true or false}, each where it is known'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument(
        "--cases",
        required=True,
        type=Path,
        metavar="DIR",
        help="holds Case_*/Case_*_{img,seg}.nii.gz; beside them in a case's folder may lie its ECG (ecg.hea, ecg.xml, "
        'ecg.csv ...) and dates.json: {"mri": "2024-03-14", "ecg": "2024-03-12", "event_between": false}',
    )
    parser.add_argument("--json", required=True, type=Path, metavar="OUT", help="file for the figures")
    parser.add_argument("--no-ecg", action="store_true", help="leave the ECGs out")
    add_crew(parser)
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda[:N]", help="where the networks run")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="weights made by train; default: shipped")


def find_ecg(folder: Path) -> tuple[Ecg | None, TimeGap]:
    """The case's ``ecg.*`` and ``dates.json`` (:data:`DATES`), where there are such.

    Raises
    ------
    InputError
        Several ECGs, one that cannot be read, or dates that are not as expected.
    """
    files = sorted(folder.glob("ecg.*"))
    # a WFDB header has its signal beside it, a table may have its rate and unit in a .json
    header = any(path.suffix == ".hea" for path in files)
    files = [path for path in files if path.suffix not in (".dat", ".json", *((".mat",) if header else ()))]
    if not files:
        return None, TimeGap(None)
    if len(files) > 1:
        raise InputError(f"{folder.name}: several ECGs ({', '.join(path.name for path in files)}); leave one of them")
    ecg = read_ecg(files[0])
    dates: dict = {}
    if (folder / "dates.json").is_file():
        try:
            dates = json.loads((folder / "dates.json").read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"{folder.name}/dates.json: not JSON; expected {DATES}") from error
        if not isinstance(dates, dict):
            raise InputError(f"{folder.name}/dates.json: expected {DATES}")
    event = dates.get("event_between", False)
    if set(dates) - {"mri", "ecg", "event_between"} or not isinstance(event, bool):
        raise InputError(f"{folder.name}/dates.json: expected {DATES}")
    typed = {name: parse_date(str(dates[name])) if dates.get(name) else None for name in ("ecg", "mri")}
    gap = gap_of_case(
        ecg,
        None,
        typed_ecg_date=typed["ecg"],
        typed_mri_date=typed["mri"],
        event_between=event,
        now=datetime.now(),
    )
    return ecg, gap


@dataclass(frozen=True)
class _Evaluation:
    folder: Path
    use_ecg: bool
    networks: Networks


def _evaluated(one: _Evaluation) -> CaseFigures:
    """One case, in whatever process."""
    ecg, gap = find_ecg(one.folder) if one.use_ecg else (None, TimeGap(None))
    return evaluate_case(load_case(one.folder), session_of(one.networks), ecg, gap)


def _line(name: str, figures: dict) -> str:
    def mean(metric: str) -> str:
        value = figures[metric]["mean"]
        return "  -  " if value is None else f"{value:5.3f}"

    return f"{name:<11} Dice {mean('dice')}  precision {mean('precision')}  sensitivity {mean('sensitivity')}"


def run(args: argparse.Namespace) -> int:
    """Segment every case and compare."""
    folders = case_folders(args.cases)
    check_files(args.json)
    weights = args.weights.absolute() if args.weights else None
    networks = Networks(weights, args.device, weights_sha256(weights))
    session = session_of(networks)
    jobs = [(folder.name, _Evaluation(folder.absolute(), not args.no_ecg, networks)) for folder in folders]
    figures = done_in_order(args, "evaluate", _evaluated, jobs, Prepare(networks))
    report = as_json(figures)
    seen = set(session.settings.get("trained_on", [])) & {row.case for row in figures}
    report["trained_on_these_cases"] = sorted(seen)
    report["weights_sha256"] = session.weights_sha256
    write_text(args.json, json.dumps(report, indent=1, allow_nan=False) + "\n")
    if not args.quiet:
        summary = report["summary"]
        for name in ("cavity", "myocardium", "scar"):
            print(_line(name, summary[name]))
        challenge, coverage = summary["scar_challenge"]["mean"], summary["interval_coverage"]
        if challenge is not None:
            print(f"scar        challenge Dice {challenge:5.3f}")
        for size, dice in summary["scar_by_size"].items():
            if dice["mean"] is not None:
                print(f"scar        {size}: Dice {dice['mean']:5.3f}")
        if coverage is not None:
            print(f"intervals   {100 * coverage:.0f} % hold the expert's volume")
        normals = summary["normals"]
        if normals["count"]:
            print(f"normals     {normals['count']}, false scar {normals['false_scar_ml']['mean']:.2f} ml on average")
    if seen:
        said = f"{len(seen)} of {len(figures)} cases were trained on by these weights: not a test"
        print(f"warning: {said}", file=sys.stderr)
    return 0
