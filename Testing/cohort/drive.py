"""A run of cheap cases in a process of its own, to be killed: ``python drive.py DATA OUT COUNT [SCHEDULER]``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cheap import cheap_case, write_cases

from ScarSegECGLib.cohort import run as cohort_run
from ScarSegECGLib.cohort.engine import Crew, Outcome
from ScarSegECGLib.cohort.options import CohortOptions, Networks
from ScarSegECGLib.cohort.run import run_cohort
from ScarSegECGLib.errors import InputError


def main() -> int:
    """Print each case as it comes; 2 for an InputError, as the command does. No group pictures, which take seconds."""
    cohort_run.write_group_pictures = lambda out, patients: ()
    data, out, count, *scheduler = sys.argv[1:]
    cases = write_cases(Path(data), int(count)) if not Path(data).exists() else _there(Path(data), int(count))
    crew = Crew(scheduler=scheduler[0]) if scheduler else Crew(workers=2, memory=2**30)

    def told(outcome: Outcome) -> None:
        print(outcome.name, outcome.trouble, flush=True)

    try:
        finished = run_cohort(cases, Path(out), CohortOptions(), Networks(), crew, told=told, work=cheap_case)
    except InputError as error:
        print(f"stopped: {error}", file=sys.stderr)
        return 2
    print("finished", finished.cases, finished.done_now, finished.already)
    return 0


def _there(data: Path, count: int):
    """The same cases, their files untouched."""
    from ScarSegECGLib.cohort.manifest import CohortCase

    homes = [data / f"p{k:04d}" for k in range(count)]
    return tuple(CohortCase(f"case{k:04d}", h / "lge.nii", h / "ecg.csv") for k, h in enumerate(homes))


if __name__ == "__main__":
    os.environ.setdefault("SCARSEGECG_TEST_SECONDS", "0.2")
    sys.exit(main())
