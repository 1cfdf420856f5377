"""A picture as a Secondary Capture image, for viewers that read nothing newer."""

from __future__ import annotations

import numpy as np
from highdicom.sc import SCImage
from numpy.typing import NDArray

from ScarSegECGLib.export.dicom.maker import Series, common, patient_and_study
from ScarSegECGLib.export.dicom.source import Source


def secondary_capture(pixels: NDArray[np.uint8], source: Source, series: Series) -> SCImage:
    """An RGB picture, shape (row, column, 3), in the patient's study; nothing that names the patient is drawn in it."""
    captured = SCImage(
        pixel_array=pixels,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "F"),
        **(common(source, series) | patient_and_study(source)),
    )
    captured.PatientOrientation = []  # a plot is not a plane of the patient
    captured.BodyPartExamined = "HEART"
    captured.BurnedInAnnotation = "NO"
    captured.copy_patient_and_study_information(source.first)
    return captured
