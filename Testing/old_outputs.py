"""Numbers of the commands on known patients, saved and compared.

``python Testing/old_outputs.py make FOLDER`` runs segment and measure on the simulated patient, on EMIDEC's P100 with
its native header and on five EMIDEC patients, with the shipped weights. ``compare OLD NEW`` lists every number, word
and voxel that differs. It is for rebuilding the code without changing a result, takes minutes, and is no test.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
EMIDEC = ("Case_N013", "Case_P001", "Case_P015", "Case_P045", "Case_P082")
ECG = DATA / "ecg" / "ptb"
UNSTABLE = ("created_utc", "timings_s", "software", "seconds", "schema_version")
NEAR = 1e-6


def _cases() -> dict[str, tuple[Path, Path]]:
    cases = {}
    for name in EMIDEC:
        case = DATA / "emidec" / "cases" / name
        cases[name] = (next(case.glob("*_img.nii.gz")), next(case.glob("*_seg.nii.gz")))
    native = DATA / "emidec_native"
    image = next(p for p in native.rglob("*P100*") if p.is_file() and "seg" not in p.name.lower())
    expert = next((p for p in native.rglob("*P100*") if p.is_file() and "seg" in p.name.lower()), None)
    cases["P100_native"] = (image, expert or image)
    return cases


def make(out: Path) -> None:
    """Run everything into ``out``."""
    from ScarSegECGLib.cli import main

    def run(name: str, *words: object) -> None:
        code = main([str(word) for word in words])
        print(f"{name}: {code}", flush=True)

    out.mkdir(parents=True, exist_ok=True)
    run("demo", "demo", "-q", "--out", out / "demo")
    ecg = next(iter(sorted(ECG.rglob("*.hea"))))
    cases = _cases()
    pairs = out / "pairs"
    for name, (image, expert) in cases.items():
        run(name, "segment", "-q", "--lge", image, "--no-ecg", "--contrast", "magnitude", "--out", out / name)
        run(
            f"{name} with an ECG", "segment", "-q", "--lge", image, "--ecg", ecg, "--contrast", "magnitude",
            "--mri-date", "1995-03-14", "--ecg-date", "1995-03-12", "--out", out / f"{name}_ecg",
        )  # fmt: skip
        if expert == image:
            continue
        for method in ("manual", "all"):
            told = ("--json", out / f"{name}_{method}.json")
            run(f"{name} {method}", "measure", "-q", "--lge", image, "--labels", expert, "--method", method, *told,
                "--contrast", "magnitude")  # fmt: skip
        copy = pairs / (name if name.startswith("Case_") else f"Case_{name}")
        copy.mkdir(parents=True, exist_ok=True)
        shutil.copy(image, copy / f"{copy.name}_img.nii.gz")
        shutil.copy(expert, copy / f"{copy.name}_seg.nii.gz")
    image, expert = cases["P100_native"]
    psir = ("--contrast", "psir")
    for method in ("fwhm", "n_sd", "ewa", "otsu", "mixture"):
        more = ("--n-sd", 3) if method == "n_sd" else ()
        run(method, "segment", "-q", "--lge", image, "--no-ecg", *psir, "--method", method, *more, "--out",
            out / f"P100_{method}")  # fmt: skip
    run("landmark", "segment", "-q", "--lge", image, "--no-ecg", *psir, "--aha", "landmark", "--segments", 16,
        "--out", out / "P100_landmark16")  # fmt: skip
    run("shifts", "segment", "-q", "--lge", image, "--ecg", ecg, *psir, "--correct-shifts", "--out",
        out / "P100_shifts")  # fmt: skip
    run("cases", "measure", "-q", "--cases", pairs, "--method", "all", *psir, "--json", out / "rules.json")


def _flat(value: object, at: str = "") -> dict[str, object]:
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, list):
        parts = enumerate(value)
    else:
        return {at: value}
    return {
        key: leaf for name, part in parts if name not in UNSTABLE for key, leaf in _flat(part, f"{at}/{name}").items()
    }


def compare(old: Path, new: Path) -> int:
    """Print what differs between two folders of :func:`make`; the number of differences."""
    import nibabel

    differences = 0

    def differ(line: str) -> None:
        nonlocal differences
        differences += 1
        print(line)

    for path in sorted(old.rglob("*")):
        other = new / path.relative_to(old)
        name = str(path.relative_to(old))
        if path.suffix not in (".json", ".gz") or "pairs/" in name:
            continue
        if not other.exists():
            differ(f"{name}: not written")
        elif path.suffix == ".gz":
            a, b = (np.asarray(nibabel.load(p).dataobj) for p in (path, other))
            unlike = int((np.abs(a.astype(float) - b) > NEAR).sum()) if a.shape == b.shape else -1
            if unlike:
                largest = float(np.abs(a.astype(float) - b).max()) if unlike > 0 else float("nan")
                differ(f"{name}: {unlike} voxels differ, by at most {largest:g}")
        else:
            a, b = (_flat(json.loads(p.read_text(encoding="utf-8"))) for p in (path, other))
            for key in sorted(a.keys() | b.keys()):
                one, two = a.get(key, "(absent)"), b.get(key, "(absent)")
                numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in (one, two))
                same = abs(one - two) <= NEAR * max(1, abs(one)) if numbers else one == two
                if not same:
                    differ(f"{name}{key}: {one!r} -> {two!r}")
    print(f"{differences} differences")
    return differences


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(Path(sys.argv[2]))
    else:
        sys.exit(1 if compare(Path(sys.argv[2]), Path(sys.argv[3])) else 0)
