"""A stack of series of one slice each: objects are made and name every image in its own series."""

from __future__ import annotations

import numpy as np
import pytest

from ScarSegECGLib.export.dicom.source import read_source
from ScarSegECGLib.lge.read import read_lge


def test_objects_refer_to_each_image_in_its_own_series(shared_data) -> None:
    from highdicom.seg import Segmentation, SegmentationTypeValues, SegmentDescription
    from highdicom.sr.coding import CodedConcept

    source = read_source(read_lge(shared_data / "field_cases" / "09-series-per-slice" / "lge.zip"))
    series = {image.SOPInstanceUID: image.SeriesInstanceUID for image in source.images}
    assert len(set(series.values())) == 10
    tissue = CodedConcept("85756007", "SCT", "Tissue")
    made = Segmentation(
        source_images=source.as_one_series,
        pixel_array=source.frames(np.ones(source.stack.voxels.shape, np.uint8)),
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[SegmentDescription(1, "all", tissue, tissue, "MANUAL")],
        series_instance_uid="1.2.3",
        series_number=1,
        sop_instance_uid="1.2.3.4",
        instance_number=1,
        manufacturer="Nobody",
        manufacturer_model_name="none",
        software_versions="0",
        device_serial_number="0",
    )
    source.refer(made)
    found = {
        instance.ReferencedSOPInstanceUID: item.SeriesInstanceUID
        for item in made.ReferencedSeriesSequence
        for instance in item.ReferencedInstanceSequence
    }
    assert found == series
    assert len({image.SeriesInstanceUID for image in source.images}) == 10  # the images stay as they are


def test_any_character_set_comes_back_in_unicode(shared_data) -> None:
    source = read_source(read_lge(shared_data / "field_cases" / "08-charset-ir87" / "lge.zip"))
    assert source.first.PatientName == "Yamada^Tarou=山田^太郎=やまだ^たろう"


def test_frames_of_reference_that_differ_are_the_reason(shared_data, monkeypatch) -> None:
    from ScarSegECGLib.errors import InputError
    from ScarSegECGLib.export.dicom import source as module

    find = module.find_source

    def one_differs(stack, **how):
        found = find(stack, **how)
        found[3][0].FrameOfReferenceUID = "1.2.3"
        return found

    monkeypatch.setattr(module, "find_source", one_differs)
    with pytest.raises(InputError, match="frame of reference"):
        read_source(read_lge(shared_data / "field_cases" / "09-series-per-slice" / "lge.zip"))
