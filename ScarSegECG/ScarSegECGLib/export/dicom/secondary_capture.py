"""A picture as a Secondary Capture image, for viewers that read nothing newer."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from highdicom.sc import SCImage
from PIL import Image

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.dicom.maker import Series, common, patient_and_study
from ScarSegECGLib.export.dicom.source import Source

_MOST_PIXELS = 2**25


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
    with _opened(png) as image:
        dots = image.info.get("dpi", (0, 0))[0]
        return image.width / (dots or 150.0) * 25.4


def picture(png: bytes) -> np.ndarray:
    """A PNG as uint8, shape (row, column, 3), transparency laid on white.

    Raises
    ------
    InputError
        Damaged, or of more than 32 million pixels.
    """
    with _opened(png) as image:
        over = Image.new("RGBA", image.size, "white")
        over.alpha_composite(image.convert("RGBA"))
        return np.asarray(over.convert("RGB"))


@contextmanager
def _opened(png: bytes) -> Iterator[Image.Image]:
    """A PNG of which the header alone was read, and whose size a picture can have."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(png), formats=["PNG"])
        if image.width * image.height > _MOST_PIXELS:
            raise InputError("A picture of the result is too large to be one: segment the case again.")
        with image:
            yield image
    except (OSError, SyntaxError, Image.DecompressionBombError):
        raise InputError("A picture of the result is damaged: segment the case again.") from None
