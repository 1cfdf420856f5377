"""A ``result.json`` that lacks what is printed, or holds what cannot be, is refused in one line."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_case import NOW, DicomCase

from ScarSegECGLib.case import Interval, Storage
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export import result_folder
from ScarSegECGLib.export.dicom.structured_report import groups
from ScarSegECGLib.export.result_folder import read_result
from ScarSegECGLib.export.write import write_result
from ScarSegECGLib.facts import Confidence, ConfidenceReason, Fact, Grade, Method, ScarSource
from ScarSegECGLib.facts_ecg import EcgNote
from ScarSegECGLib.report.html import as_html
from ScarSegECGLib.report.present import present

GONE = object()
OF = ("record", "of")


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
        (("patterns",), GONE),
        (("record",), GONE),
        (("record", "record"), "Burden"),
        ((*OF, "method"), GONE),
        ((*OF, "method", "record"), "Division"),
        ((*OF, "patterns", 0, "of", "pattern", "is"), "patchy"),
        ((*OF, "scar", "of", "grams"), 12.5),
        ((*OF, "segments", 6, "of", "wall_thickness_mm"), 1e999),
        ((*OF, "timings"), {}),
        (("scar", "image_only", "g"), 12.5),
        (("geometry", "contrast"), "psir"),
        (("segments", 6, "mvo_ml"), GONE),
        (("patterns", 0, "ml"), GONE),
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
        read_result(folder, case.stack)


def test_a_result_read_again_is_the_one_that_was_written(case: DicomCase) -> None:
    read = read_result(case.folder, case.stack)
    kept = ("method", "shown", "cavity_ml", "myocardium_ml", "scar", "scar_image_only", "segments", "weights_sha256")
    for name in (*kept, "warnings", "mvo", "patterns", "interval", "confidence", "ecg_use", "timings"):
        assert getattr(read, name) == getattr(case.result, name), name
    assert np.array_equal(read.labels, case.result.labels)
    assert np.array_equal(read.anatomy.aha, case.result.anatomy.aha)
    assert np.array_equal(read.parts.labels, case.result.parts.labels)
    assert replace(read.parts, labels=None) == replace(case.result.parts, labels=None)
    assert np.array_equal(read.scar_probability, case.result.scar_probability)
    assert [group.values for group in groups(read)] == [group.values for group in groups(case.result)]


def test_what_another_version_words_otherwise_is_read_and_its_figures_are_held_together(
    case: DicomCase, tmp_path
) -> None:
    folder = shutil.copytree(case.folder, tmp_path / "result")
    worded = changed(content_of(case), ("method", "aha"), "six sectors")
    older = changed(worded, ("software", "scarsegecg"), "0.1.9")
    (folder / "result.json").write_text(json.dumps(older))
    assert read_result(folder, case.stack).scar == case.result.scar
    for wrong in (worded, changed(older, ("scar", "image_only", "g"), 12.5)):
        (folder / "result.json").write_text(json.dumps(wrong))
        with pytest.raises(InputError, match="incomplete or damaged"):
            read_result(folder, case.stack)


def test_a_result_of_a_copy_whose_rows_run_the_other_way_is_the_same(case: DicomCase, tmp_path: Path) -> None:
    turned = np.eye(4)
    turned[1, 1], turned[1, 3] = -1, case.stack.voxels.shape[1] - 1
    pose = case.stack.ijk_to_ras @ turned
    copy_of = replace(case.stack, storage=Storage(flips=(False, True, False)), stored_ijk_to_ras=pose)
    folder = write_result(replace(case.result, stack=copy_of), {}, tmp_path / "result", overwrite=False)
    read = read_result(folder, case.stack)
    for name in ("labels", "scar_probability", "scar_probability_image_only"):
        assert np.array_equal(getattr(read, name), getattr(case.result, name)), name


def test_a_result_whose_facts_name_files_is_read_without_them(case: DicomCase, tmp_path: Path) -> None:
    fact = Fact(EcgNote.NOT_UNDERSTOOD, labels=("/MR/LGE", "x.dcm"))  # together they look like one path
    folder = write_result(replace(case.result, warnings=(fact,)), {}, tmp_path / "result", overwrite=False)
    assert read_result(folder, case.stack).warnings == (Fact(EcgNote.NOT_UNDERSTOOD, labels=("[file]", "[file]")),)


@pytest.mark.parametrize("record", [True, False])
def test_whatever_is_read_can_be_told(case: DicomCase, monkeypatch, record: bool) -> None:
    """One value exchanged; where it is of the record, as if all beside it had been exchanged too.

    It is refused, or every page and group can be made of it.
    """
    for name in ("read_labels", "_probability"):  # the images are the same each time
        read = lru_cache(partial(getattr(result_folder, name), stack=case.stack))
        monkeypatch.setattr(result_folder, name, lambda path, _stack, read=read: read(path))
    content, as_json = content_of(case), result_folder.as_json
    refused = told = 0
    for path in (path for path in places(content) if (path[0] == "record") == record):
        for value in (GONE, None, True, -1, 0.5, "word", {}, [None], float("inf")):
            if (odd := changed(content, path, value)) == content:
                continue
            monkeypatch.setattr(result_folder, "json", SimpleNamespace(loads=lambda *_, odd=odd, **__: odd))
            same = (lambda *given, odd=odd: as_json(*given) and odd) if record else as_json
            monkeypatch.setattr(result_folder, "as_json", same)
            try:
                read = read_result(case.folder, case.stack)
            except InputError:
                refused += 1
                continue
            told += 1
            assert record or path[0] in ("geometry", "software", "created_utc") or "leads" in path, path
            groups(read)
            as_html(present(read, {}, NOW))
    assert refused > 500 and told > 50


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
        read_result(folder, case.stack)


@pytest.mark.parametrize("method", [Method(corrected=True), Method(ScarSource.FWHM), Method(above=0.3), Method()])
def test_an_interval_that_an_earlier_build_kept_is_the_networks_alone(case: DicomCase, tmp_path: Path, method) -> None:
    """A corrected scar, a rule's and one at another limit are read without it; what speaks against contours stays."""
    doubts = Fact(ConfidenceReason.BORDERS_UNCERTAIN), Fact(ConfidenceReason.LITTLE_SCAR, ml=2.0)
    judged = {"interval": Interval((1.0, 9.0), (1.0, 8.0), 0.8), "confidence": Confidence(Grade.CHECK, doubts)}
    folder = write_result(replace(case.result, method=method, **judged), {}, tmp_path / "kept", overwrite=False)
    read = read_result(folder, case.stack)
    own = method == Method()
    assert (read.interval is not None) == own
    assert read.confidence == Confidence(Grade.CHECK, doubts if own else doubts[:1])
