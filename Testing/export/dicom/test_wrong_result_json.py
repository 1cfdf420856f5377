"""A ``result.json`` that lacks what is printed, or holds what cannot be, is refused in one line."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import SimpleITK as sitk
from dicom_case import DicomCase, as_written_before

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.dicom import findings as reading
from ScarSegECGLib.export.dicom.findings import read_findings
from ScarSegECGLib.export.dicom.report_groups import groups
from ScarSegECGLib.export.dicom.report_pdf import report_pdf
from ScarSegECGLib.export.result_json import result_schema
from ScarSegECGLib.export.result_tables import parts_table, pattern_table, segment_table, territory_table
from ScarSegECGLib.export.schema_check import fits

GONE = object()


def content_of(case: DicomCase) -> dict[str, Any]:
    return json.loads((case.folder / "result.json").read_text())


def changed(content: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """The content with one value exchanged, or taken out."""
    content = copy.deepcopy(content)
    at: Any = content
    for key in path[:-1]:
        at = at[key]
    if value is GONE:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return content


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place of a content; of a list the first entry alone."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, held in inner:
        yield from places(held, (*path, key))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("territories",), GONE),
        (("patterns",), GONE),
        (("scar", "remark"), GONE),
        (("method", "scar_shown"), GONE),
        (("segments", 6, "mvo_ml"), GONE),
        (("segments", 6, "transmurality_max_on_little_scar"), GONE),
        (("patterns", 0, "pattern"), "patchy"),
        (("segments", 6, "aha_segment"), 99),
        (("scar", "with_ecg", "ml"), "much"),
        (("segments", 6, "scar_ml"), float("nan")),
        pytest.param(("segments", 6, "scar_ml"), 10**400, id="beyond a double"),
    ],
)
def test_what_is_wrong_is_refused(case: DicomCase, tmp_path: Path, path, value) -> None:
    folder = shutil.copytree(case.folder, tmp_path / "result")
    (folder / "result.json").write_text(json.dumps(changed(content_of(case), path, value)))
    with pytest.raises(InputError, match="incomplete or damaged"):
        read_findings(folder, case.stack)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("segments", 6, "aha_segment"), 99),
        (("segments", 6, "aha_segment"), GONE),
        (("segments",), "none"),
        (("method",), 3),
        (("ecg", "amplitude"), "much"),
        pytest.param(("ecg", "amplitude"), 10**400, id="beyond a double"),
        (("warnings",), GONE),
    ],
)
def test_an_older_one_is_held_to_the_same(case: DicomCase, tmp_path: Path, path, value) -> None:
    folder = shutil.copytree(case.folder, tmp_path / "result")
    old = as_written_before(content_of(case))
    (folder / "result.json").write_text(json.dumps(changed(old, path, value)))
    with pytest.raises(InputError, match="incomplete or damaged"):
        read_findings(folder, case.stack)


def test_an_older_one_without_mvo_has_it_measured(case: DicomCase, tmp_path: Path) -> None:
    folder = shutil.copytree(case.folder, tmp_path / "result")
    old = as_written_before(content_of(case))
    (folder / "result.json").write_text(json.dumps(changed(old, ("scar", "mvo"), GONE)))
    found = read_findings(folder, case.stack)
    assert found.content["scar"]["mvo"] == found.content["scar"]["parts"]["mvo"]
    assert report_pdf(found).startswith(b"%PDF")


def test_whatever_is_read_can_be_told(case: DicomCase) -> None:
    """One value of the content exchanged: it is refused, or every table and group can be made of it."""
    content = content_of(case)
    refused = told = 0
    for path in places(content):
        for value in (GONE, None, True, -1, 99, 0.5, "word", [], {}, [None], float("inf")):
            if path == ("schema_version",):
                continue
            odd = changed(content, path, value)
            try:
                read = reading._complete(odd)
            except InputError:
                refused += 1
                continue
            told += 1
            groups(replace(case.findings, content=read))
            for table in (segment_table, parts_table, territory_table, pattern_table):
                table(read)
    assert refused > 1000 and told > 100


def test_the_own_check_says_what_the_library_says(case: DicomCase) -> None:
    content, schema = content_of(case), result_schema()
    library = jsonschema.Draft202012Validator(schema)
    assert fits(content, schema)
    for path in places(content):
        for value in (GONE, None, True, 99, "word", {}):
            odd = changed(content, path, value)
            assert fits(odd, schema) == library.is_valid(odd), (path, value)
    full = changed(content, ("scar", "with_ecg", "percent_of_lv"), 100.00000000000001)
    assert fits(full, schema), "rounding"
    assert not fits(changed(content, ("scar", "with_ecg", "percent_of_lv"), 100.1), schema)


def test_mvo_that_lies_elsewhere_than_in_the_labels_is_refused(case: DicomCase, tmp_path: Path) -> None:
    folder = shutil.copytree(case.folder, tmp_path / "result")
    file = str(folder / "scar_parts.nii.gz")
    image = sitk.ReadImage(file)
    parts = sitk.GetArrayFromImage(image)
    core, mvo = np.argwhere(parts == 1)[0], np.argwhere(parts == 4)[0]
    parts[tuple(core)], parts[tuple(mvo)] = 4, 1  # all volumes stay
    moved = sitk.GetImageFromArray(parts)
    moved.CopyInformation(image)
    sitk.WriteImage(moved, file)
    with pytest.raises(InputError, match="do not fit each other"):
        read_findings(folder, case.stack)
