"""What a cohort takes on this machine, beside its targets: ``make bench-cohort``, or with --cases N for fewer.

Simulated patients (small stacks and ECGs) through ``scarsegecg cohort run`` on two workers, once more with nothing to
do, and the page with 1,000 rows in Chromium. Says too whether the machine was busy with something else.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from browser import CHROMIUM, DRIVER, browser
from cheap import cheap_case, write_cases

from ScarSegECGLib.cohort.engine import Crew, run_here
from ScarSegECGLib.cohort.manifest import write_manifest
from ScarSegECGLib.cohort.options import CohortOptions, Networks

ROWS, WARM_UP = 1000, 20


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--page-only", action="store_true")
    args = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores before it began", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        if not args.page_only:
            _run(home, args.cases, args.repeat)
        _page(home)
    return 0


def _run(home: Path, count: int, repeat: int) -> None:
    manifest = simulated(home / "data", count)
    ratios = []
    for turn in range(repeat):
        out = home / f"out{turn}"
        wall = _command("cohort", "run", manifest, "--out", out, "--workers", 2, "-q")
        with (out / "patients.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        own = sum(float(row["seconds"]) for row in rows)
        ratios.append(wall / (own / 2))
        print(
            f"run {turn + 1}: wall {wall:.1f} s, cases' own time / 2 {own / 2:.1f} s, ratio {ratios[-1]:.3f}",
            flush=True,
        )
        print(f"  memory of a worker: {_memory(out)}", flush=True)
        assert {row["status"] for row in rows} == {"done"}
    print(f"ratio, median of {repeat}: {statistics.median(ratios):.3f} (target 1.15)")
    again = _command("cohort", "run", manifest, "--out", home / "out0", "--workers", 2, "-q")
    print(f"again, nothing to do: {again:.1f} s (target 5 s)", flush=True)


def simulated(folder: Path, count: int) -> Path:
    """Simulated patients, their scars of every territory and none, and their manifest."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Research"))
    from phantom import phantom_patient, write_phantom
    from phantom_heart import INFARCTS

    names, rows = list(INFARCTS), []
    for k in range(count):
        patient = phantom_patient(
            k, infarct=names[k % len(names)], scarless=k % 5 == 4, slices=6, size=128, pixel_mm=1.8
        )
        files = write_phantom(folder / f"p{k:04d}", patient)
        rows.append(
            {
                "case": f"case{k:04d}",
                "lge": files["lge"].relative_to(folder.parent).as_posix(),
                "ecg": files["ecg"].relative_to(folder.parent).as_posix(),
                "mri_date": patient.mri_date.date().isoformat(),
                "expert": files["labels"].relative_to(folder.parent).as_posix(),
            }
        )
    write_manifest(folder.parent / "cohort.csv", rows)
    return folder.parent / "cohort.csv"


def _command(*words: object) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "ScarSegECGLib.cli", *map(str, words)], check=True)
    return time.perf_counter() - start


def _memory(out: Path) -> str:
    """Resident memory after each case of one worker, from its 20th case to its last."""
    seen: dict[str, list[tuple[str, float]]] = {}
    for record in (out / "cases").glob("*/case.json"):
        told = json.loads(record.read_text())
        created = json.loads((record.parent / "result.json").read_text())["created_utc"]
        facts = told["facts"]
        if facts.get("worker"):
            seen.setdefault(facts["worker"], []).append((created, facts["memory_mb"]))
    if not seen:
        return "not told"
    told = []
    for marks in seen.values():
        megabytes = [mb for _, mb in sorted(marks)]
        late = megabytes[min(WARM_UP // 2, len(megabytes) - 1) :]
        told.append(f"{late[0]:.0f} MB to {late[-1]:.0f} MB ({100 * (late[-1] / late[0] - 1):+.1f} %)")
    return "; ".join(told)


def _page(home: Path) -> None:
    """Rows on screen, from the call to the browser to the last row laid out."""
    if not (CHROMIUM and DRIVER):
        print("page: no chromium or chromedriver here")
        return
    from ScarSegECGLib.cohort import run as cohort_run

    cases = write_cases(home / "rows", ROWS)
    cohort_run.run_jobs = lambda work, jobs, crew: run_here(work, jobs)  # type: ignore[assignment]
    cohort_run.run_cohort(cases, home / "page", CohortOptions(), Networks(), Crew(), work=cheap_case)
    with browser(1920, 1080) as window:
        address, taken = (home / "page" / "index.html").as_uri(), []
        for _ in range(3):
            start = time.perf_counter()
            window.get(address)
            rows = window.execute_script(
                "document.body.offsetHeight; return document.querySelectorAll('#rows tr').length"
            )
            taken.append(time.perf_counter() - start)
            assert rows == ROWS
    print(f"page of {ROWS} rows: {statistics.median(taken):.2f} s, median of 3 (target 2 s), {datetime.now():%H:%M}")


if __name__ == "__main__":
    sys.exit(main())
