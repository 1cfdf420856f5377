"""A picture as a Secondary Capture image, for viewers that read nothing newer."""

from __future__ import annotations

import io

import numpy as np
from highdicom.sc import SCImage
from PIL import Image

from ScarSegECGLib.export.dicom.maker import Series, common, patient_and_study
from ScarSegECGLib.export.dicom.source import Source


def secondary_capture(png: bytes, source: Source, series: Series) -> SCImage:
    """An RGB picture in the patient's study; nothing that names the patient is drawn in it."""
    arguments = common(source, series) | patient_and_study(source)
    captured = SCImage(
        pixel_array=picture(png),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "F"),
        **arguments,
    )
    captured.PatientOrientation = []  # a plot is not a plane of the patient
    captured.BodyPartExamined = "HEART"
    captured.BurnedInAnnotation = "NO"
    captured.copy_patient_and_study_information(source.first)
    return captured


def true_width_mm(png: bytes) -> float:
    """Width of a PNG at the resolution it states, or at 150 dots per inch."""
    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        dots = image.info.get("dpi", (0, 0))[0]
        return image.width / (dots or 150.0) * 25.4


def picture(png: bytes) -> np.ndarray:
    """A PNG as uint8, shape (row, column, 3), transparency laid on white."""
    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        over = Image.new("RGBA", image.size, "white")
        over.alpha_composite(image.convert("RGBA"))
        return np.asarray(over.convert("RGB"))
