"""README and model card say what the table of the cross-validation says, and the weights are the pinned ones."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from ScarSegECGLib.network.weights import FOLDER, SHIPPED, SHIPPED_SHA256, read_weights
from ScarSegECGLib.training.card import ablation_figures, figures, model_card, read_table

ROOT = Path(__file__).resolve().parent.parent


def test_the_table_holds_every_patient_once() -> None:
    rows = read_table(FOLDER / "cross_validation.csv")
    assert len({row["case"] for row in rows}) == len(rows) == 67
    assert sum(row["pathological"] == "1" for row in rows) == 45
    assert {row["fold"] for row in rows} == {"0", "1", "2", "3", "4"}


def test_readme_quotes_the_table() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    quoted = re.search(r"<!-- figures:[^>]*-->\n(.*?)\n<!-- /figures -->", readme, re.DOTALL)
    assert quoted is not None
    assert quoted.group(1).strip() == figures(read_table(FOLDER / "cross_validation.csv"))


def test_readme_quotes_the_ablation() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for table in ("ablation", "remedies"):
        quoted = re.search(rf"<!-- {table}:[^>]*-->\n(.*?)\n<!-- /{table} -->", readme, re.DOTALL)
        assert quoted is not None
        assert quoted.group(1).strip() == ablation_figures(read_table(FOLDER / f"{table}.csv"))
        assert "semi-synthetic" in quoted.group(1).lower()


def test_the_card_quotes_the_table() -> None:
    weights = read_weights()
    tables = [read_table(FOLDER / f"{name}.csv") for name in ("cross_validation", "ablation", "remedies")]
    card = model_card(tables[0], weights.settings, weights.sha256, *tables[1:])
    assert (FOLDER / "MODEL_CARD.md").read_text(encoding="utf-8") == card


def test_the_shipped_weights_are_small_and_pinned() -> None:
    content = SHIPPED.read_bytes()
    assert len(content) <= 25 * 2**20
    assert hashlib.sha256(content).hexdigest() == SHIPPED_SHA256
    assert read_weights().settings["licence"] == "CC BY-NC-SA 4.0"
