"""How long the code is, beside what it is to be: ``make lint`` prints it."""

from __future__ import annotations

from pathlib import Path

MODULE = Path(__file__).resolve().parent.parent / "ScarSegECG"


def lines(*places: Path, without: tuple[str, ...] = ()) -> int:
    files = [path for place in places for path in ([place] if place.is_file() else place.rglob("*.py"))]
    kept = [path for path in files if not set(without) & set(path.relative_to(MODULE).parts)]
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in kept)


if __name__ == "__main__":
    library = lines(MODULE / "ScarSegECGLib", without=("cohort",))
    panel = lines(MODULE / "ScarSegECGPanel", MODULE / "ScarSegECG.py")
    print(f"lines: library without cohort {library} (to be 20000), panel {panel} (to be 3500)")
