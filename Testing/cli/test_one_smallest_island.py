"""The smallest island that counts is one number: the library's, which the panel's form and rule repeat."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from ScarSegECGLib.measure.islands import SMALLEST_ISLAND_ML
from ScarSegECGPanel.masks import ScarRule

MODULE = Path(__file__).resolve().parents[2] / "ScarSegECG"


def test_the_panel_begins_with_the_librarys_smallest_island() -> None:
    rule = {field.name: field.default for field in dataclasses.fields(ScarRule)}
    assert rule["smallestIsland"] == SMALLEST_ISLAND_ML
    parameter = re.search(
        r"smallestIsland: .* = ([\d.]+)", (MODULE / "ScarSegECGPanel" / "casework.py").read_text(encoding="utf-8")
    )
    assert parameter is not None and float(parameter.group(1)) == SMALLEST_ISLAND_ML
