"""A wall of 16 segments has 16 rows in whatever a result is written as, and no word of a 17th."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import jsonschema
import pytest
from dicom_case import DicomCase, made_up_result, make_case, picture

from ScarSegECGLib.anatomy.aha import divide
from ScarSegECGLib.case import ScarResult
from ScarSegECGLib.export import result_folder
from ScarSegECGLib.export.dicom.structured_report import groups
from ScarSegECGLib.export.dicom.write import write_dicom
from ScarSegECGLib.export.result_folder import read_result
from ScarSegECGLib.export.write import write_result
from ScarSegECGLib.facts import Division
from ScarSegECGLib.facts_ecg import Conduction
from ScarSegECGLib.measure.measurements import measured_again
from ScarSegECGLib.measure.rules import FoundScar
from ScarSegECGLib.report.tables import segments_table

ALL = [str(number) for number in range(1, 17)]


@pytest.fixture(scope="module")
def sixteen(tmp_path_factory: pytest.TempPathFactory) -> tuple[DicomCase, Path, ScarResult]:
    """A folder that was measured again with 16 segments, and what is read from it."""
    case = make_case(tmp_path_factory.mktemp("sixteen"))
    result = made_up_result(case.stack, case.result.labels)
    anatomy = divide(case.stack, result.anatomy.cavity, result.anatomy.myocardium, division=Division(segments=16))
    mask = result.labels == 3
    scar = FoundScar(mask, result.method)
    again = measured_again(result, anatomy, scar, mask, Conduction.NORMAL)
    twice = measured_again(again, anatomy, scar, mask, Conduction.NORMAL)
    assert twice.segments == again.segments and {row.ecg_percent for row in again.segments} == {4.5}
    back = measured_again(again, result.anatomy, scar, mask, Conduction.NORMAL)
    assert [row.number for row in back.segments] == list(range(1, 18)) and back.segments[16].ecg_percent is None
    folder = write_result(again, {"bullseye.png": picture()}, case.folder.parent / "again", overwrite=False)
    return case, folder, read_result(folder, case.stack)


def test_every_table_of_the_folder_has_sixteen_rows(sixteen) -> None:
    _, folder, _ = sixteen
    content = json.loads((folder / "result.json").read_text())
    schema = Path(result_folder.__file__).parent / "result.schema.json"
    jsonschema.validate(content, json.loads(schema.read_text(encoding="utf-8")))
    assert content["method"]["aha"].endswith("16 segments")
    assert [str(row["aha_segment"]) for row in content["segments"]] == ALL
    with (folder / "segments.csv").open(encoding="utf-8") as file:
        assert [row["aha_segment"] for row in csv.DictReader(file)] == ALL
    html = (folder / "report.html").read_text(encoding="utf-8")
    rows = re.search(r'class="segments".*?</table>', html, re.DOTALL)
    assert rows and rows.group().count("<tr") == 17 and "Apex" not in rows.group()


def test_pdf_and_structured_report_have_sixteen_too(sixteen, tmp_path) -> None:
    case, _, result = sixteen
    assert [row[0] for row in segments_table(result).rows] == ALL
    titles = [group.title for group in groups(result) if group.title.startswith("AHA ")]
    assert len(titles) == 16 and not any(title.startswith("AHA 17") for title in titles)
    assert "report.dcm" in write_dicom(result, {}, case.source, tmp_path)
