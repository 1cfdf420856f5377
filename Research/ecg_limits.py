"""Make the table of how much scar the ECG's estimate imagines in people without an infarct.

    python Research/ecg_limits.py --ecgs ../shared/data/ecg

From real ECGs (CinC Challenge 2021) of sinus rhythm and nothing else, which the encoder has not learned from. Records
of an even number calibrate, those of an odd number are only reported on. A segment's limit is the one-sided 97.5 %
prediction limit of a further normal (Student's t, as for a reference interval), and at least 25 %, because Q waves need
about one whole segment of scar and smaller estimates were taken for none from the beginning. A segment's spread counts
as at least the median spread of its ring, because few people show few positions of the heart. Level and ring rule were
chosen with all records in view: what "each_by_the_limits_of_all_others" says is the fairer figure.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from diagnosis_codes import INFARCT, SINUS_ONLY
from numpy.typing import NDArray
from scipy.stats import t as student

from ScarSegECGLib.anatomy.segments import RING_SEGMENTS
from ScarSegECGLib.ecg.median_beat import median_beat
from ScarSegECGLib.ecg.read import read_ecg
from ScarSegECGLib.ecg.wfdb_record import diagnoses
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.network.weights import read_weights

LEVEL, LEAST_PERCENT = 0.975, 25.0
# Segments of the places named in the headers of PTB's acute infarcts, by the usual correspondence of leads and walls.
PLACES = {
    "anterior": (1, 7, 8, 13, 14, 17),
    "infero": (4, 10, 15, 3, 9),
    "inferior": (4, 10, 15, 3, 9),
    "postero": (5, 11, 4, 10),
    "later": (5, 6, 11, 12, 16),
}


def estimate(session: Session, header: Path) -> NDArray[np.float64]:
    """Per cent of each segment, (17,), from the ECG alone."""
    return 100 * session.listen(median_beat(read_ecg(header))).extent.numpy().astype(np.float64)


def encoder_digest(weights: Path | None) -> str:
    """SHA-256 of the encoder's numbers, to which the limits belong."""
    digest = hashlib.sha256()
    for name, tensor in sorted(read_weights(weights).part("ecg.encoder.").items()):
        if not name.startswith("tokens."):  # what TAFF reads, not the estimate
            digest.update(name.encode() + tensor.float().numpy().tobytes())
    return digest.hexdigest()


def limits(normals: NDArray) -> NDArray[np.float64]:
    """Upper limit of a further normal in each segment, %; ``normals`` is (records, 17)."""
    n, spread = len(normals), normals.std(axis=0, ddof=1)
    for ring in RING_SEGMENTS:
        rows = np.array(ring) - 1
        spread[rows] = np.maximum(spread[rows], np.median(spread[rows]))
    return np.maximum(LEAST_PERCENT, normals.mean(axis=0) + student.ppf(LEVEL, n - 1) * np.sqrt(1 + 1 / n) * spread)


def share_positive(estimates: NDArray, limit: NDArray) -> str:
    """How many of some records have a segment above its limit: "1 of 8"."""
    return f"{int((estimates > limit).any(axis=1).sum())} of {len(estimates)}"


def acute_infarct(header: Path) -> tuple[str, NDArray[np.bool_]]:
    """The place of an acute infarct that a PTB header names, and its segments, (17,)."""
    text = header.read_text(encoding="latin-1").splitlines()
    place = next((line.split(":", 1)[1].strip() for line in text if "Acute infarction" in line), "")
    return place, np.isin(np.arange(1, 18), [s for word, walls in PLACES.items() if word in place for s in walls])


def named_walls(folder: Path, session: Session, limit: NDArray) -> list[dict]:
    """PTB's acute infarcts: how far the named walls and the others are above the limits, percentage points."""
    rows = []
    for header in sorted(folder.glob("*.hea")):
        place, named = acute_infarct(header)
        said = estimate(session, header)
        above = np.maximum(0.0, said - limit)
        rows.append(
            {
                "record": header.stem,
                "place": place,
                "estimate_inside": round(float(said[named].mean()), 1),
                "estimate_outside": round(float(said[~named].mean()), 1),
                "excess_inside": round(float(above[named].mean()), 2),
                "excess_outside": round(float(above[~named].mean()), 2),
                "above_limit": (np.flatnonzero(above) + 1).tolist(),
            }
        )
    return rows


def table(ecgs: Path, session: Session, weights: Path | None) -> dict:
    """The limits with where they come from and what came out."""
    headers = sorted((ecgs / "cinc2021").glob("*.hea"))
    said = {header.stem: estimate(session, header) for header in headers}
    codes = {header.stem: diagnoses(header.read_text("latin-1")) for header in headers}
    normal = [name for name in said if codes[name] and codes[name] <= SINUS_ONLY]
    calibrate = [name for name in normal if int(name[-1]) % 2 == 0]
    report = [name for name in normal if name not in calibrate]
    others = [name for name in said if name not in normal and not codes[name] & INFARCT]

    def of(names: Sequence[str]) -> NDArray[np.float64]:
        return np.stack([said[name] for name in names])

    limit = np.round(limits(of(calibrate)), 1)
    swapped = limits(of(report))
    alone = [share_positive(of([name]), limits(of([n for n in normal if n != name]))) for name in normal]
    flat = np.full(17, LEAST_PERCENT)
    return {
        "about": "Upper normal limit of the ECG's scar estimate per AHA segment, % of the segment; made by "
        "Research/ecg_limits.py from real ECGs of sinus rhythm without any other diagnosis (CinC Challenge 2021, "
        "CC BY 4.0), none of which the encoder had learned from. One-sided prediction limit of a further normal at "
        f"{100 * LEVEL:g} %, at least {LEAST_PERCENT:g} %; a segment's spread is at least the median of its "
        "ring's. Level and rule were chosen with all records in view.",
        "encoder_sha256": encoder_digest(weights),
        "limit_percent": limit.tolist(),
        "calibrated_on": calibrate,
        "reported_on": report,
        "normals_with_a_segment_above_its_limit": {
            "calibrated_on": share_positive(of(calibrate), limit),
            "reported_on": share_positive(of(report), limit),
            "reported_on_with_25_percent_everywhere": share_positive(of(report), flat),
            "with_the_two_halves_exchanged": share_positive(of(calibrate), swapped),
            "each_by_the_limits_of_all_others": f"{alone.count('1 of 1')} of {len(alone)}",
        },
        "other_diagnoses_without_infarct": {
            "records": others,
            "above": share_positive(of(others), limit),
            "note": "Most took part in the encoder's training as hearts without scar: no evidence of their own.",
        },
        "acute_infarcts_of_ptb": named_walls(ecgs / "ptb", session, limit),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ecgs", type=Path, required=True, metavar="DIR", help="folder with cinc2021 and ptb")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="other weights than the shipped ones")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where the table is written (default: the library's)")
    args = parser.parse_args()
    from ScarSegECGLib.measure.agreement import LIMITS as TABLE

    found = table(args.ecgs, Session.load(args.weights, "cpu"), args.weights)
    (args.out or TABLE).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({name: found[name] for name in list(found)[2:]}, indent=1))


if __name__ == "__main__":
    main()
