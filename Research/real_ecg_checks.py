"""What the ECG network, trained on simulated scars alone, says of real ECGs: reported as it comes out."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from diagnosis_codes import SINUS_ONLY
from ecg_limits import acute_infarct
from numpy.typing import NDArray
from scipy.signal import resample_poly
from scipy.sparse.csgraph import shortest_path

from ScarSegECGLib.anatomy.segments import APICAL, BASAL, CAP, MID, RING_SEGMENTS
from ScarSegECGLib.case import MedianBeat
from ScarSegECGLib.ecg.delineation import RATE, delineate
from ScarSegECGLib.ecg.findings import ecg_findings
from ScarSegECGLib.ecg.median_beat import RepresentativeBeat, measured, median_beat
from ScarSegECGLib.ecg.read import read_ecg
from ScarSegECGLib.ecg.wfdb_record import diagnoses
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.network.session import Session

NORMAL = "CinC 2021 (real, normal)"
CASE_1 = {"extent_percent": 31.0, "segments": (1, 2, 3, 8, 9, 13, 14, 15), "centroid": 8}
SCAR_FROM = 0.25  # a segment counts as scarred from this estimated fraction on (fixed beforehand)
# The part of the LV each segment is taken to be: all alike but the cap.
SHARE = np.array([1.0] * 16 + [0.5]) / 16.5


@dataclass(frozen=True)
class RealCheck:
    """One real ECG: what is known of it, and what came out."""

    source: str
    record: str
    known: str
    said: str
    figures: dict[str, float]


Figures = Callable[[NDArray], dict[str, float]]


def checked(source: str, record: str, known: str, beat: MedianBeat, session: Session, more: Figures) -> RealCheck:
    """What the ECG alone says of every segment's scar, and the QRS score beside it; ``more`` figures of the former."""
    fractions = session.listen(beat).extent.numpy().astype(np.float64)
    found = [str(k + 1) for k in np.argsort(-fractions) if fractions[k] >= SCAR_FROM]
    percent = 100 * float(fractions @ SHARE)
    said = f"{percent:.0f} % of the LV; segments {' '.join(found) or 'none'}"
    percent_of_lv = ecg_findings(beat).score_percent_of_lv
    score = {"qrs_score_percent": np.nan if percent_of_lv is None else percent_of_lv}
    return RealCheck(source, record, known, said, more(fractions) | score)


def check_ptb(folder: Path, session: Session) -> list[RealCheck]:
    """PTB records with the place of an acute infarct in the header: do the named segments stand out?

    ``inside`` and ``outside`` are the mean estimated fractions in the named segments and in the others.
    """
    checks = []
    for header in sorted(folder.glob("*.hea")):
        place, here = acute_infarct(header)

        def figures(fractions: NDArray, here: NDArray[np.bool_] = here) -> dict[str, float]:
            inside = float(fractions[here].mean()) if here.any() else float("nan")
            outside = float(fractions[~here].mean())
            return {"inside": inside, "outside": outside, "percent_lv": 100 * float(fractions @ SHARE)}

        beat = median_beat(read_ecg(header))
        checks.append(checked("PTB (real, acute)", header.stem, place, beat, session, figures))
    return checks


def neighbours() -> NDArray[np.bool_]:
    """Which AHA segments share a border, (17, 17)."""
    basal, mid, apical, (cap,) = (RING_SEGMENTS[ring] for ring in (BASAL, MID, APICAL, CAP))
    pairs = [pair for ring in (basal, mid, apical) for pair in zip(ring, (*ring[1:], ring[0]), strict=True)]
    pairs += [*zip(basal, mid, strict=True), *((segment, cap) for segment in apical)]
    pairs += [(7, 13), (8, 13), (8, 14), (9, 14), (9, 15), (10, 15), (11, 15), (11, 16), (12, 16), (12, 13)]
    touch = np.zeros((17, 17), dtype=bool)
    touch[tuple(np.array(pairs).T - 1)] = True
    return touch | touch.T


def challenge_2007(
    fractions: NDArray, extent_percent: float, segments: Sequence[int], centroid: int
) -> dict[str, float]:
    """Scores of the PhysioNet/CinC Challenge 2007.

    EPD is the difference in extent (percentage points of the LV), SO the overlap of the scarred segments (shared over
    union), CED the distance between the centroids' segments, counted here in segment borders.
    """
    found, touch = set((np.flatnonzero(fractions >= SCAR_FROM) + 1).tolist()), neighbours()
    # The centroid: the segment whose own and neighbours' scar is greatest.
    around = touch @ fractions / touch.sum(axis=1)
    middle = int(np.argmax(fractions + around if found else fractions))
    extent = 100 * float(fractions @ SHARE)
    return {
        "extent_percent": extent,
        "EPD": abs(extent - extent_percent),
        "SO": len(found & set(segments)) / len(found | set(segments)),
        "CED": float(shortest_path(touch, unweighted=True)[middle, centroid - 1]),
    }


# 12 leads among the 352 nodes of the body-surface map (numbered from 1), as known for this electrode set.
_MAP_COLUMNS, _MAP_NODES = 6, 352  # index, ms, flag, VR, VL, VF; node n is column 5 + n
_PRECORDIAL = {
    "V1": {169: 1.0},
    "V2": {171: 1.0},
    "V3": {192: 0.5, 193: 0.5},
    "V4": {216: 1.0},
    "V5": {217: 1 / 3, 218: 2 / 3},
    "V6": {219: 1.0},
}


def read_body_surface_map(path: Path) -> MedianBeat:
    """The averaged beat of a CinC 2007 map (2 kHz, uV) as a 12-lead median beat.

    Raises
    ------
    InputError : not such a file.
    """
    table = [row.split() for row in path.read_text(encoding="latin-1").splitlines()]
    wide = [row for row in table if len(row) >= _MAP_COLUMNS + _MAP_NODES]  # the head has fewer
    try:
        rows = np.array([[float(cell) for cell in row[: _MAP_COLUMNS + _MAP_NODES]] for row in wide])
    except ValueError:
        rows = np.zeros((0, 0))
    if len(rows) < 200:
        raise InputError(f"{path.name}: not a body-surface map of 6 + 352 columns; give case0001.dat")
    right, left, foot = (rows[:, 3 + k] for k in range(3))
    central = (right + left + foot) / 3
    limbs = [left - right, foot - right, foot - left]
    limbs += [1.5 * (electrode - central) for electrode in (right, left, foot)]
    chest = [
        sum(weight * rows[:, _MAP_COLUMNS - 1 + node] for node, weight in nodes.items()) - central
        for nodes in _PRECORDIAL.values()
    ]
    signal = resample_poly(np.stack([*limbs, *chest]) / 1000.0, 1, 4, axis=1, padtype="line")
    steep = np.sqrt((np.gradient(signal, axis=1) ** 2).sum(axis=0))
    marks = delineate(signal, int(np.argmax(steep)), RATE)
    level = signal[:, max(0, marks.qrs_onset - 10) : max(1, marks.qrs_onset)].mean(axis=1, keepdims=True)
    return measured(RepresentativeBeat(signal - level, np.ones(12, dtype=bool), marks, rr_s=None))


def check_challenge_2007(folder: Path, session: Session) -> list[RealCheck]:
    """Case 1, whose truth was drawn on LGE: extent 31 %, segments 1 2 3 8 9 13 14 15, centroid 8."""
    known = "31 % of the LV; segments 1 2 3 8 9 13 14 15; centroid 8"
    beat, scores = read_body_surface_map(folder / "case0001.dat"), partial(challenge_2007, **CASE_1)
    return [checked("CinC 2007 (real, LGE truth)", "case 1", known, beat, session, scores)]


def check_normals(folder: Path, session: Session) -> list[RealCheck]:
    """Real ECGs with sinus rhythm and no other diagnosis: how much scar is imagined?"""

    def figures(fractions: NDArray) -> dict[str, float]:
        return {"percent_lv": 100 * float(fractions @ SHARE), "largest_fraction": float(fractions.max())}

    checks = []
    for header in sorted(folder.glob("*.hea")):
        if diagnoses(header.read_text("latin-1")) <= SINUS_ONLY:
            with suppress(InputError):
                beat = median_beat(read_ecg(header))
                checks.append(checked(NORMAL, header.stem, "no infarct noted", beat, session, figures))
    return checks


def all_checks(ecg_folder: Path, session: Session) -> list[RealCheck]:
    """Everything that can be checked on real ECGs, as far as the data are there."""
    checks: list[RealCheck] = []
    for name, check in (("ptb", check_ptb), ("cinc2007_case1", check_challenge_2007), ("cinc2021", check_normals)):
        if (ecg_folder / name).is_dir():
            checks += check(ecg_folder / name, session)
    return checks


def as_markdown(checks: Sequence[RealCheck]) -> str:
    """Tables by source; the normals are counted, not listed."""
    lines = [
        "Real ECGs, read by a network that has learned from simulated scars alone (in simulated ECGs, and laid on real "
        "ones of other people, none with a known infarct). Every record tried is here. "
        f"A segment counts as scarred from an estimated fraction of {SCAR_FROM:.2f} on.",
        "",
        "| source | record | what is known | what the ECG network says | figures |",
        "|---|---|---|---|---|",
    ]
    for check in checks:
        if check.source == NORMAL:
            continue
        figures = ", ".join(f"{name} {value:.2f}" for name, value in check.figures.items() if np.isfinite(value))
        lines.append(f"| {check.source} | {check.record} | {check.known} | {check.said} | {figures} |")
    normals = [check.figures for check in checks if check.source == NORMAL]
    if normals:
        burden = np.array([row["percent_lv"] for row in normals])
        largest = np.array([row["largest_fraction"] for row in normals])
        lines += [
            "",
            f"{len(normals)} real ECGs without any diagnosis but sinus rhythm (CinC 2021): imagined scar "
            f"{burden.mean():.1f} % of the LV (median {np.median(burden):.1f} %, worst {burden.max():.1f} %), "
            f"some segment above {SCAR_FROM:.2f} in {int((largest >= SCAR_FROM).sum())} of them.",
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Check the shipped encoder, or another one, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ecgs", required=True, type=Path, help="holds ptb, cinc2007_case1, cinc2021")
    parser.add_argument("--weights", type=Path, help="weights made by train; default: shipped")
    parser.add_argument("--out", required=True, type=Path, help="Markdown")
    args = parser.parse_args()
    checks = all_checks(args.ecgs, Session.load(args.weights, "cpu"))
    args.out.write_text(as_markdown(checks), encoding="utf-8")


if __name__ == "__main__":
    main()
