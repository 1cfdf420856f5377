"""The scar's probability as a DICOM Parametric Map."""

from __future__ import annotations

import numpy as np
from highdicom import VOILUTTransformation
from highdicom.pm import DerivedPixelContrastValues, ParametricMap, RealWorldValueMapping
from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset

from ScarSegECGLib.case import FloatArray
from ScarSegECGLib.export.dicom.codes import LEFT_VENTRICLE, UNITY
from ScarSegECGLib.export.dicom.maker import Series, common, image_content
from ScarSegECGLib.export.dicom.source import Source


def parametric_map(probability: FloatArray, quantity: CodedConcept, source: Source, series: Series) -> ParametricMap:
    """A map of 32-bit floats, 0..1, a frame per slice.

    Parameters
    ----------
    probability : float32 array, shape (slice, row, column)
        Canonical storage.
    quantity : CodedConcept
        What the values are.
    source : Source
    series : Series
    """
    written = ParametricMap(
        source_images=source.as_one_series,
        plane_positions=source.positions,
        pixel_array=source.frames(probability),
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[
            RealWorldValueMapping(
                lut_label="PROBABILITY",
                lut_explanation="Probability of scar",
                unit=UNITY,
                value_range=(0.0, 1.0),
                slope=1.0,
                intercept=0.0,
                quantity_definition=quantity,
            )
        ],
        voi_lut_transformations=[VOILUTTransformation(window_center=0.5, window_width=1.0)],
        derived_pixel_contrast=DerivedPixelContrastValues.QUANTITY,
        **common(source, series),
        **image_content("SCARPROBABILITY", series.description),
    )
    source.refer(written)
    _add_frame_anatomy(written)
    _sort_frames(written)
    return written


def _add_frame_anatomy(written: Dataset) -> None:
    """The standard wants it, and some readers stop without it."""
    region = Dataset()
    region.CodeValue, region.CodingSchemeDesignator = LEFT_VENTRICLE.value, LEFT_VENTRICLE.scheme_designator
    region.CodeMeaning = LEFT_VENTRICLE.meaning
    anatomy = Dataset()
    anatomy.FrameLaterality = "U"
    anatomy.AnatomicRegionSequence = [region]
    written.SharedFunctionalGroupsSequence[0].FrameAnatomySequence = [anatomy]


def _sort_frames(written: Dataset) -> None:
    """Frames along row direction x column direction.

    Some readers take that for granted, whatever position each frame states, and show the stack upside down otherwise.
    """
    orientation = written.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient
    normal = np.cross(*np.array(orientation, float).reshape(2, 3))
    groups = written.PerFrameFunctionalGroupsSequence
    along = [np.array(group.PlanePositionSequence[0].ImagePositionPatient, float) @ normal for group in groups]
    order = np.argsort(along)
    frames = np.frombuffer(written.FloatPixelData, "<f4").reshape(len(groups), -1)
    written.FloatPixelData = frames[order].tobytes()
    written.PerFrameFunctionalGroupsSequence = [groups[k] for k in order]
