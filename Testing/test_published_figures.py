"""README and model card say what the table of the cross-validation says, and the weights are the pinned ones."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from ScarSegECGLib.network.weights import FOLDER, SHIPPED, SHIPPED_SHA256, read_weights
from ScarSegECGLib.training.card import ablation_figures, figures, model_card, read_table

ROOT = Path(__file__).resolve().parent.parent


def test_the_table_holds_every_patient_once() -> None:
    rows = read_table(FOLDER / "cross_validation.csv")
    assert len({row["case"] for row in rows}) == len(rows) == 67
    assert sum(row["pathological"] == "1" for row in rows) == 45
    assert {row["fold"] for row in rows} == {"0", "1", "2", "3", "4"}


# Tables between markers, and what they must be.
TABLES = {
    "figures": lambda: figures(read_table(FOLDER / "cross_validation.csv")),
    "ablation": lambda: ablation_figures(read_table(FOLDER / "ablation.csv")),
    "remedies": lambda: ablation_figures(read_table(FOLDER / "remedies.csv")),
}


@pytest.mark.parametrize("table", TABLES)
def test_readme_and_pages_quote_the_tables(table: str) -> None:
    quoted = [
        text.strip()
        for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
        for text in re.findall(
            rf"<!-- {table}:[^>]*-->\n(.*?)\n<!-- /{table} -->", page.read_text(encoding="utf-8"), re.DOTALL
        )
    ]
    assert quoted and set(quoted) == {TABLES[table]()}
    assert table == "figures" or "semi-synthetic" in quoted[0].lower()


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
