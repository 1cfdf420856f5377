"""README, docs and model card say what the tables say, and the weights are the pinned ones."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from ScarSegECGLib.network.weights import FOLDER, SHIPPED, SHIPPED_SHA256, read_weights
from ScarSegECGLib.training.card import model_card
from ScarSegECGLib.training.evaluate import read_table

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "Research"))
import publish  # noqa: E402


def test_the_table_holds_every_patient_once_in_the_fold_that_was_fixed() -> None:
    rows = read_table(FOLDER / "cross_validation.csv")
    assert len({row["case"] for row in rows}) == len(rows) == 100
    assert sum(row["pathological"] == "1" for row in rows) == 67
    fixed = {row["case"]: row["fold"] for row in read_table(FOLDER / "folds.csv")}
    assert {row["case"]: row["fold"] for row in rows} == fixed


@pytest.mark.parametrize("name", ["figures", "ablation", "stress", "tried", "longer", "ceiling"])
def test_pages_quote_the_tables(name: str) -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    quoting = [page for page in pages if f"<!-- {name}:" in page.read_text(encoding="utf-8")]
    assert quoting
    for page in quoting:
        text = page.read_text(encoding="utf-8")
        assert publish.with_quotes(text, {name: publish.quoted()[name]}) == text, page.name


def test_the_ablation_says_what_its_pairs_are() -> None:
    assert "Semi-synthetic pairs" in publish.quoted()["ablation"]


def test_the_card_quotes_the_tables() -> None:
    weights = read_weights()
    tables = [read_table(FOLDER / f"{name}.csv") for name in ("cross_validation", "ablation")]
    card = model_card(tables[0], weights.settings, weights.sha256, tables[1])
    assert (FOLDER / "MODEL_CARD.md").read_text(encoding="utf-8") == card


def test_the_shipped_weights_are_small_and_pinned() -> None:
    content = SHIPPED.read_bytes()
    assert len(content) <= 30 * 2**20
    assert hashlib.sha256(content).hexdigest() == SHIPPED_SHA256
    assert read_weights().settings["licence"] == "CC BY-NC-SA 4.0"
