"""The MR images among a study's files, one plain header for each slice or frame.

In a multi-frame (enhanced) image what differs between frames stands in functional groups (PS3.3, C.7.6.16), most of
whose elements have the names of the single-frame header. The few that do not are given those names here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.dicom_files import DicomFile, read_header
from ScarSegECGLib.lge.dicom_tags import GE_RAW_DATA_TYPE, number_of, text_of, vector_of
from ScarSegECGLib.lge.files import intact

_TAGS = [
    *("SpecificCharacterSet", "ImageType", "SOPClassUID", "SOPInstanceUID", "Modality", "Manufacturer"),
    *("AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime"),
    *("StudyDate", "StudyTime", "SeriesDescription", "ProtocolName", "SequenceName", "ScanningSequence"),
    *("PatientName", "PatientID", "PatientBirthDate"),
    *("DeidentificationMethodCodeSequence", "LongitudinalTemporalInformationModified"),
    *("StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "FrameOfReferenceUID", "ComplexImageComponent"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns", "NumberOfFrames"),
    *("SamplesPerPixel", "PhotometricInterpretation", "RescaleSlope", "RescaleIntercept", "EchoTime"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("InversionTime", "TriggerTime", "CardiacNumberOfImages", "TemporalPositionIdentifier"),
    *("ContrastBolusAgent", "ContrastBolusVolume", "ContrastBolusAgentSequence"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", f"{GE_RAW_DATA_TYPE:08X}"),
]
_GROUPS = (
    *("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence"),
    *("PixelValueTransformationSequence", "FrameContentSequence", "MRImageFrameTypeSequence", "MRModifierSequence"),
    *("MREchoSequence", "MRTimingAndRelatedParametersSequence", "CardiacSynchronizationSequence"),
    *("ContrastBolusUsageSequence", "ConversionSourceAttributesSequence"),
    *("UnassignedSharedConvertedAttributesSequence", "UnassignedPerFrameConvertedAttributesSequence"),
)
_NAMES = {
    "FrameType": "ImageType",
    "EffectiveEchoTime": "EchoTime",
    "NominalCardiacTriggerDelayTime": "TriggerTime",
    "TemporalPositionIndex": "TemporalPositionIdentifier",
    "FrameAcquisitionDateTime": "AcquisitionDateTime",
    "InversionTimes": "InversionTime",  # the first
}
# What the image itself is called by stays, whatever a converter copied into a frame.
_OF_THE_IMAGE = (
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Rows", "Columns", "NumberOfFrames"),
    *("SamplesPerPixel", "PhotometricInterpretation"),
)
_MAX_FRAMES = 20000
Told = Callable[[int, int], object]
_NOT_DESCRIBED = (
    "The multi-frame DICOM image does not describe each of its frames, or is damaged: export the LGE series as single "
    "slices."
)


@dataclass(frozen=True, eq=False)
class Frame:
    """A single-frame image, or one frame (``number``, from 1) of a multi-frame image.

    ``header`` has the frame's position, orientation, pixel size, rescale values, type and times under the names that a
    single-frame image has; ``mended`` tells whether decimal commas were mended in it.
    """

    file: DicomFile
    number: int | None
    header: Dataset
    mended: bool = False

    @cached_property
    def position(self) -> NDArray[np.float64]:
        """First pixel's centre, LPS, mm, shape (3,); NaN where it is not known."""
        return vector_of(self.header, "ImagePositionPatient", 3)

    @cached_property
    def orientation(self) -> NDArray[np.float64]:
        """Direction cosines along a row and along a column, LPS, shape (6,); NaN where they are not known."""
        return vector_of(self.header, "ImageOrientationPatient", 6)

    @cached_property
    def place(self) -> tuple[float, ...]:
        """The position to a tenth of a mm, by which frames of one slice are found; () where it is not known."""
        return () if np.isnan(self.position).any() else tuple(np.round(self.position, 1))

    def text(self, keyword: str) -> str:
        """An element of the header as text; "" where it is missing."""
        return text_of(self.header, keyword)


def frames_of(files: Sequence[DicomFile], told: Told = lambda done, of: None) -> list[Frame]:
    """Every MR image among the files, multi-frame images taken apart in their order; ``told`` of every file.

    Refused by an :class:`InputError`: a DICOM file that is damaged, and frames that are not those described.
    """
    frames: list[Frame] = []
    for number, file in enumerate(files, start=1):
        told(number, len(files))
        if (found := read_header(file, _TAGS)) is None:
            continue
        header, mended = found
        if "PerFrameFunctionalGroupsSequence" in header or (number_of(header, "NumberOfFrames") or 1) > 1:
            frames += (Frame(file, k, flat, mended) for k, flat in enumerate(_frame_headers(header), start=1))
        else:
            frames.append(Frame(file, None, header, mended))
    return frames


@intact(_NOT_DESCRIBED)  # pydicom reads the groups only now, and stumbles in many ways over broken ones
def _frame_headers(image: Dataset) -> list[Dataset]:
    shared = list(image.get("SharedFunctionalGroupsSequence") or [])
    per_frame = list(image.get("PerFrameFunctionalGroupsSequence") or [])
    frames = int(image.get("NumberOfFrames") or 1)
    if frames != len(per_frame) or frames > _MAX_FRAMES:
        raise InputError(_NOT_DESCRIBED)
    common = Dataset()
    for element in image:
        if element.keyword not in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
            common.add(element)
    if shared:
        _take(common, shared[0])
    headers = []
    for groups in per_frame:
        header = Dataset()
        header.update(common)
        _take(header, groups)
        headers.append(header)
    return headers


def _take(header: Dataset, groups: Dataset) -> None:
    """Functional groups' elements under the names that a single-frame header has for them."""
    for element in (element for name in _GROUPS if groups.get(name) for element in groups.get(name)[0]):
        keyword, value = _NAMES.get(element.keyword, element.keyword), element.value
        tag = tag_for_keyword(keyword)
        if element.keyword == "InversionTimes":
            value = float(np.ravel(value)[0]) if value else header.get(keyword)
        if tag is not None and keyword not in _OF_THE_IMAGE:
            # A new element, as the old one may be the other frames' too.
            header[tag] = DataElement(tag, dictionary_VR(tag), value)
