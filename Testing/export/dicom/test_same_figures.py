"""Every figure is one number, whoever tells it: JSON, table, page, print, report, terminal and the panel's table."""

from __future__ import annotations

import csv
import json
import re
import sys
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pydicom
import pytest
from dicom_case import made_up_labels, made_up_result, made_up_stack, make_case, picture
from pdf_reading import document, text_of

from ScarSegECGLib.case import Burden, Interval, ScarResult
from ScarSegECGLib.export.dicom import codes
from ScarSegECGLib.export.dicom.write import write_dicom
from ScarSegECGLib.export.write import write_result
from ScarSegECGLib.facts import Confidence, ConfidenceReason, Fact, Grade, Method, Shown
from ScarSegECGLib.measure.segments import territory_table
from ScarSegECGLib.report.present import summary
from ScarSegECGLib.report.tables import burdens


class Cells(HTMLParser):
    """The rows of every table of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._in = False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        self._in = tag in ("td", "th")
        if self._in:
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        self._in = self._in and tag not in ("td", "th")

    def handle_data(self, data):
        if self._in:
            self.rows[-1][-1] += data


@dataclass(frozen=True)
class Told:
    """One result as every teller tells it."""

    result: ScarResult
    content: dict
    table: list[dict[str, str]]
    rows: list[list[str]]
    print_: str
    report: dict[str, dict[str, float]]
    lines: str


def report_of(path: Path) -> dict[str, dict[str, float]]:
    """Numbers by code, by the group's name, as pydicom reads them."""
    (holder,) = (
        item for item in pydicom.dcmread(path).ContentSequence
        if item.ConceptNameCodeSequence[0].CodeValue == "126010"
    )  # fmt: skip
    said = {}
    for group in holder.ContentSequence:
        numbers = {
            item.ConceptNameCodeSequence[0].CodeValue: float(item.MeasuredValueSequence[0].NumericValue)
            for item in group.ContentSequence if item.ValueType == "NUM"
        }  # fmt: skip
        (name,) = (
            item.TextValue for item in group.ContentSequence
            if item.ValueType == "TEXT" and item.ConceptNameCodeSequence[0].CodeValue == "112039"
        )  # fmt: skip
        said[name.removeprefix("ScarSegECG ")] = numbers
    return said


def variants(result: ScarResult) -> dict[str, ScarResult]:
    trusted = {
        "interval": Interval((11.04, 22.96), (8.0, 17.5), 0.9),
        "confidence": Confidence(Grade.CHECK, (Fact(ConfidenceReason.BORDERS_UNCERTAIN),)),
    }
    half = Burden(result.scar.ml * 0.6, result.scar.grams * 0.6, result.scar.percent_of_lv * 0.6)
    return {
        "MVO and ECG": replace(result, **trusted),
        "corrected": replace(
            result, method=Method(corrected=True), scar_image_only=half, **trusted | {"interval": None}
        ),
    }


@pytest.fixture(scope="module", params=["MVO and ECG", "corrected", "no ECG"])
def told(request, tmp_path_factory: pytest.TempPathFactory) -> Told:
    root = tmp_path_factory.mktemp("told")
    case = make_case(root, with_ecg=request.param != "no ECG")
    result = case.result if request.param == "no ECG" else variants(case.result)[request.param]
    if request.param == "no ECG":
        result = replace(result, scar_image_only=result.scar)
    pictures = {"bullseye.png": picture()}
    folder = write_result(result, pictures, root / "again", overwrite=False)
    (root / "objects").mkdir()
    write_dicom(result, pictures, case.source, root / "objects")
    with (folder / "segments.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    return Told(
        result,
        json.loads((folder / "result.json").read_text(encoding="utf-8")),
        table,
        Cells((folder / "report.html").read_text(encoding="utf-8")).rows,
        text_of(document(pydicom.dcmread(root / "objects" / "report_pdf.dcm"))),
        report_of(root / "objects" / "report.dcm"),
        "\n".join(summary(result)),
    )


def three(burden: Burden) -> list[str]:
    return [f"{burden.grams:.1f}", f"{burden.percent_of_lv:.1f}", f"{burden.ml:.1f}"]


def test_how_much_scar(told: Told) -> None:
    result = told.result
    named = burdens(result)
    assert len(named) == {Shown.WITH_ECG: 2, Shown.BY_HAND: 2, Shown.IMAGE_ONLY: 1}[result.shown]
    for name, burden in named:
        key, title = ("with_ecg", "Scar") if burden is result.scar else ("image_only", "Scar, image only")
        assert told.content["scar"][key] == {"ml": burden.ml, "g": burden.grams, "percent_of_lv": burden.percent_of_lv}
        assert [name, *three(burden)] in told.rows
        assert " ".join([name, *three(burden)]) in told.print_
        said = told.report[title]
        assert [said["118538004"], said["PCTLV"], said["118565006"]] == [float(value) for value in three(burden)]
    grams, percent, ml = three(named[0][1])
    first = told.lines.splitlines()[0]
    assert f"{grams} g ({ml} ml, {percent} % of LV)" in first
    if result.shown is Shown.WITH_ECG:
        grams, percent, ml = three(named[1][1])
        assert f"{grams} g ({ml} ml, {percent} % of LV)" in told.lines.splitlines()[1]
    assert result.mvo is not None and result.mvo.ml > 0
    assert ["MVO, within the scar", *three(result.mvo)] in told.rows
    assert told.report["MVO"]["118565006"] == round(result.mvo.ml, 1)
    assert f"MVO {result.mvo.grams:.1f} g ({result.mvo.ml:.1f} ml" in told.lines
    assert told.content["scar"]["mvo"]["ml"] == result.mvo.ml


def test_interval_and_confidence_stand_beside_the_figure_they_are_of(told: Told) -> None:
    result, first = told.result, told.lines.splitlines()[0]
    judged = result.interval is not None
    assert ("11.0 to 23.0 ml" in first) == ("11.0 to 23.0 ml" in told.print_) == judged
    assert any("LOWEREND" in group for group in told.report.values()) == judged
    assert told.content["scar"]["interval"] == (
        {"ml": [11.04, 22.96], "percent_of_lv": [8.0, 17.5], "level": 0.9} if result.interval else None
    )
    assert ("check the result" in first) == (result.confidence is not None) == ("check the result" in told.print_)


def test_the_ventricle(told: Told) -> None:
    result = told.result
    wall, cavity = f"{result.myocardium_ml:.1f}", f"{result.cavity_ml:.1f}"
    sentence = f"LV myocardium (scar included) {wall} ml, {result.myocardium_ml * 1.05:.1f} g; LV cavity {cavity} ml."
    assert sentence in told.print_
    assert f"LV cavity {cavity} ml, myocardium {wall} ml" in told.lines
    assert told.content["left_ventricle"]["cavity_ml"] == result.cavity_ml
    assert told.report["LV cavity"]["118565006"] == float(cavity)
    assert told.report["LV myocardium, scar included"]["118565006"] == float(wall)


def test_every_segment(told: Told) -> None:
    alone = told.result.shown is not Shown.IMAGE_ONLY
    for row, content, line in zip(told.result.segments, told.content["segments"], told.table, strict=True):
        assert (content["scar_percent"], content["scar_ml"], content["mvo_ml"]) == (
            row.scar_percent, None if np.isnan(row.scar_ml) else row.scar_ml, row.mvo_ml,
        )  # fmt: skip
        if not row.imaged:
            continue
        assert line["scar_percent_of_segment"] == f"{row.scar_percent:.2f}" and line["mvo_ml"] == f"{row.mvo_ml:.3f}"
        assert line["scar_ml"] == f"{row.scar_ml:.3f}"
        depth = f"{row.transmurality_mean_percent:.0f} / {row.transmurality_max_percent:.0f}"
        cells = [
            str(row.number), row.name, row.territory, f"{row.myocardium_ml:.1f}", f"{row.wall_thickness_mm:.1f}",
            *([f"{row.scar_percent_image_only:.0f}"] if alone else []),
            f"{row.scar_percent:.0f}", f"{row.scar_ml:.1f}", f"{row.mvo_ml:.1f}",
        ]  # fmt: skip
        (shown,) = (found for found in told.rows if found[: len(cells)] == cells)
        assert shown[len(cells)].rstrip("*") == depth
        assert re.search(r"\s".join(map(re.escape, cells[3:])) + r"\s" + re.escape(depth), told.print_)
        said = told.report[codes.AHA_SEGMENTS[row.number - 1].name]
        assert said["PCTSEG"] == round(row.scar_percent, 1) and said["SCARVOL"] == round(row.scar_ml, 1)
        assert said["TRANSMEAN"] == round(row.transmurality_mean_percent, 1)
        assert said["TRANSMAX"] == round(row.transmurality_max_percent, 1)
        assert ("PCTSEGECG" in said) == (row.ecg_percent is not None) == (line["ecg_scar_percent_of_segment"] != "")


def test_territories_and_islands(told: Told) -> None:
    for row, content in zip(territory_table(told.result.segments), told.content["territories"], strict=True):
        assert (content["scar_ml"], content["scar_percent"]) == (row.scar_ml, row.scar_percent)
        cells = [f"{row.scar_ml:.1f}", f"{row.scar_grams:.1f}", f"{row.scar_percent:.0f}"]
        assert any(found[0] == row.name and found[-3:] == cells for found in told.rows)
        assert told.report[f"Usual territory {row.name}"]["SCARVOL"] == round(row.scar_ml, 1)
    for island, content in zip(told.result.patterns, told.content["patterns"], strict=True):
        assert content["ml"] == island.ml
        assert any(found[:3] == [str(island.number), island.pattern, f"{island.ml:.1f}"] for found in told.rows)
        assert told.report[f"Scar island {island.number}"]["118565006"] == round(island.ml, 1)


def test_the_panels_table_shows_the_same(monkeypatch) -> None:
    slicer = pytest.importorskip("slicer", reason="Slicer's MRML core is not importable", exc_type=ImportError)
    if "slicer.i18n" not in sys.modules:  # a part of the application, which the core does not bring
        monkeypatch.setitem(sys.modules, "slicer.i18n", SimpleNamespace(tr=lambda text: text))
    from ScarSegECGPanel.nodes import writeTable

    result = made_up_result(made_up_stack(), made_up_labels())
    node = slicer.vtkMRMLTableNode()
    writeTable(result, node)
    columns = {node.GetColumnName(index): index for index in range(node.GetNumberOfColumns())}
    for index, row in enumerate(result.segments):
        if row.imaged:
            assert node.GetCellText(index, columns["Scar %"]) == f"{row.scar_percent:.1f}"
            assert node.GetCellText(index, columns["Scar %, image only"]) == f"{row.scar_percent_image_only:.1f}"
            assert node.GetCellText(index, columns["Scar ml"]) == f"{row.scar_ml:.2f}"
            shown = node.GetCellText(index, columns["Transmurality %, mean"])
            assert shown == f"{row.transmurality_mean_percent:.0f}"
