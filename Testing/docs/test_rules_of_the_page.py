"""The rules' figures in docs/measuring.md are those that ``scarsegecg measure --cases`` finds, read as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ScarSegECGLib.measure.compare import MethodScore, case_scores, combined
from ScarSegECGLib.measure.expert import case_folders, load_case

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def paragraph() -> str:
    page = (ROOT / "docs" / "measuring.md").read_text(encoding="utf-8")
    found = re.search(r"^Inside expert contours of the 45 .*?\n(?=\n)", page, re.DOTALL | re.MULTILINE)
    assert found is not None
    return " ".join(found.group().split())


@pytest.fixture(scope="module")
def scores(shared_data: Path) -> dict[str, MethodScore]:
    folders = case_folders(shared_data / "emidec" / "cases")
    return {
        score.name: score for score in combined([case_scores(load_case(folder), contrast="psir") for folder in folders])
    }


def test_the_page_says_how_the_images_were_read(paragraph: str) -> None:
    assert "`--contrast psir`" in paragraph


def test_the_page_quotes_the_rules(paragraph: str, scores: dict[str, MethodScore]) -> None:
    dice, bias = re.search(r"mean Dice ([^;]*);", paragraph), re.search(r"Bias: ([^.]*(?:\.\d[^.]*)*)\. ", paragraph)
    assert dice is not None and bias is not None
    quoted = re.findall(r"(\w[\w ]*?) (\d\.\d\d)\b", dice.group(1))
    assert [name for name, _ in quoted] == list(scores)
    assert {name: f"{scores[name].mean_dice:.2f}" for name, _ in quoted} == dict(quoted)
    said = re.findall(r"(\w[\w ]*?) ([+-]\d+(?:\.\d)?)", bias.group(1))
    assert len(said) == 4
    for name, value in said:
        digits = len(value.partition(".")[2])
        assert f"{scores[name].mean_bias:+.{digits}f}" == value, name


def test_the_page_quotes_the_lead_and_the_false_scar(paragraph: str, scores: dict[str, MethodScore]) -> None:
    ahead = re.search(r"interval above (\d\.\d\d)", paragraph)
    false = re.search(r"EWA finds (\d\.\d) % of the LV in patients without infarct", paragraph)
    assert ahead is not None and false is not None
    assert min(score.behind_best[1] for name, score in scores.items() if name != "EWA") > float(ahead.group(1))
    assert f"{scores['EWA'].false_scar:.1f}" == false.group(1)
