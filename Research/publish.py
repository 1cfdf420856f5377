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

from ScarSegECGLib.network.weights import FOLDER
from ScarSegECGLib.training.card import ablation_figures, figures
from ScarSegECGLib.training.cross_validate import read_table

ROOT = Path(__file__).resolve().parent.parent
TABLES = ("cross_validation.csv", "cross_validation_slices.csv", "ablation.csv", "stress.csv", "tried.csv")
LONGER = ROOT / "Research" / "fold_networks"  # a run that was not published: see its README


def as_markdown(rows: Sequence[Mapping[str, str]]) -> str:
    """A table as it is."""
    names = list(rows[0])
    lines = [f"| {' | '.join(name.replace('_', ' ') for name in names)} |", "|---" * len(names) + "|"]
    return "\n".join(lines + [f"| {' | '.join(row[name] for name in names)} |" for row in rows])


def quoted() -> dict[str, str]:
    """What stands between the marks of each name, made from the library's tables."""
    return {
        "figures": figures(read_table(FOLDER / "cross_validation.csv")),
        "ablation": ablation_figures(read_table(FOLDER / "ablation.csv")),
        "stress": as_markdown(read_table(FOLDER / "stress.csv")),
        "tried": as_markdown(read_table(FOLDER / "tried.csv")),
        "longer": as_markdown(read_table(LONGER / "tried.csv")),
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
