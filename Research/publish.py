"""Put a finished training into the library: weights and their hash, tables, card, and the figures quoted in the docs.

    python Research/publish.py --run RUN

``RUN`` is a folder of ``scarsegecg train``, with ``stress.csv`` and ``tried.csv`` of the scripts beside this one.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ScarSegECGLib.network.weights import FOLDER
from ScarSegECGLib.training.ablation import bootstrap
from ScarSegECGLib.training.card import ablation_figures, figures
from ScarSegECGLib.training.evaluate import read_table

ROOT = Path(__file__).resolve().parent.parent
TABLES = ("cross_validation.csv", "cross_validation_slices.csv", "ablation.csv", "stress.csv", "tried.csv")
LONGER = ROOT / "Research" / "fold_networks"  # a run that was not published: see its README


def as_markdown(rows: Sequence[Mapping[str, str]]) -> str:
    """A table as it is."""
    names = list(rows[0])
    lines = [f"| {' | '.join(name.replace('_', ' ') for name in names)} |", "|---" * len(names) + "|"]
    return "\n".join(lines + [f"| {' | '.join(row[name] for name in names)} |" for row in rows])


def longer() -> str:
    """What the longer tuning changed on held-out patients, beside what was tried with its networks."""
    shipped, other = (
        {row["case"]: row for row in read_table(folder / "cross_validation.csv")} for folder in (FOLDER, LONGER)
    )
    scarred = [case for case, row in shipped.items() if row["pathological"] == "1"]
    normal = [case for case in shipped if case not in scarred]
    lines = []
    for name, column, cases in (
        ("scar Dice, infarct patients", "scar_dice", scarred),
        ("challenge Dice", "challenge_dice", list(shipped)),
        ("cavity Dice", "cavity_dice", list(shipped)),
        ("myocardium Dice", "myocardium_dice", list(shipped)),
        ("volume error, infarct patients, ml", "scar_volume_error_ml", scarred),
        ("false scar, normals, ml", "scar_ml", normal),
    ):
        before, after = (np.array([float(table[case][column] or 0) for case in cases]) for table in (shipped, other))
        change = bootstrap(after - before).text(sign="+")
        lines.append(
            {"": name, "shipped": f"{before.mean():.3f}", "longer": f"{after.mean():.3f}", "difference": change}
        )
    return f"{as_markdown(lines)}\n\n{as_markdown(read_table(LONGER / 'tried.csv'))}"


def quoted() -> dict[str, str]:
    """What stands between the marks of each name, made from the library's tables."""
    return {
        "figures": figures(read_table(FOLDER / "cross_validation.csv")),
        "ablation": ablation_figures(read_table(FOLDER / "ablation.csv")),
        "stress": as_markdown(read_table(FOLDER / "stress.csv")),
        "tried": as_markdown(read_table(FOLDER / "tried.csv")),
        "longer": longer(),
        "ceiling": as_markdown(read_table(LONGER / "ecg_ceiling.csv")),
    }


def with_quotes(text: str, blocks: Mapping[str, str]) -> str:
    """The text with every marked block written anew."""
    for name, block in blocks.items():
        pattern = rf"(<!-- {name}:[^>]*-->\n).*?(<!-- /{name} -->)"
        text = re.sub(
            pattern, lambda mark, block=block: mark.group(1) + block + "\n" + mark.group(2), text, flags=re.DOTALL
        )
    return text


def main() -> None:
    """Copy, pin, quote."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, type=Path)
    args = parser.parse_args()
    for name in ("scarseg.safetensors", "MODEL_CARD.md", *TABLES):
        shutil.copyfile(args.run / name, FOLDER / name)
    digest = hashlib.sha256((FOLDER / "scarseg.safetensors").read_bytes()).hexdigest()
    pin = ROOT / "ScarSegECG" / "ScarSegECGLib" / "network" / "weights.py"
    pin.write_text(re.sub(r'SHIPPED_SHA256 = "[0-9a-f]{64}"', f'SHIPPED_SHA256 = "{digest}"', pin.read_text()))
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        page.write_text(with_quotes(page.read_text(encoding="utf-8"), quoted()), encoding="utf-8")
    print(f"published {digest}")


if __name__ == "__main__":
    main()
