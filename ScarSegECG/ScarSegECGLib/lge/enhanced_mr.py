"""Multi-frame (enhanced) MR images as one plain header per frame, so that frames and slices go the same way.

In an enhanced image what differs between frames stands in functional groups (PS3.3, C.7.6.16), most of whose
elements have the names of the single-frame header. The few that do not are given those names here.
"""

from __future__ import annotations

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from ScarSegECGLib.errors import InputError

_GROUPS = (
    "PlanePositionSequence",
    "PlaneOrientationSequence",
    "PixelMeasuresSequence",
    "PixelValueTransformationSequence",
    "FrameContentSequence",
    "MRImageFrameTypeSequence",
    "MRModifierSequence",
    "MREchoSequence",
    "MRTimingAndRelatedParametersSequence",
    "CardiacSynchronizationSequence",
    "ContrastBolusUsageSequence",
    "ConversionSourceAttributesSequence",
    "UnassignedSharedConvertedAttributesSequence",
    "UnassignedPerFrameConvertedAttributesSequence",
)
_NAMES = {
    "FrameType": "ImageType",
    "EffectiveEchoTime": "EchoTime",
    "NominalCardiacTriggerDelayTime": "TriggerTime",
    "TemporalPositionIndex": "TemporalPositionIdentifier",
    "FrameAcquisitionDateTime": "AcquisitionDateTime",
}
# What the image itself is called by stays, whatever a converter copied into a frame.
_OF_THE_IMAGE = (
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Rows", "Columns", "NumberOfFrames"),
    *("SamplesPerPixel", "PhotometricInterpretation"),
)
MAX_FRAMES = 20000


def frame_headers(image: Dataset) -> list[Dataset]:
    """One header per frame, in the file's order.

    Parameters
    ----------
    image : Dataset
        Header of a multi-frame image.

    Returns
    -------
    list of Dataset
        The image's header with the frame's position, orientation, pixel size, rescale values, type and times under
        the names a single-frame image has.

    Raises
    ------
    InputError
        The number of frames is not that of the frames described.
    """
    try:
        return _frame_headers(image)
    except MemoryError:
        raise
    except Exception:  # pydicom reads the groups only now, and stumbles in many ways over broken ones
        raise InputError(
            "The multi-frame DICOM image does not describe each of its frames, or is damaged: export the LGE series "
            "as single slices."
        ) from None


def _frame_headers(image: Dataset) -> list[Dataset]:
    shared = list(image.get("SharedFunctionalGroupsSequence") or [])
    per_frame = list(image.get("PerFrameFunctionalGroupsSequence") or [])
    frames = int(image.get("NumberOfFrames") or 1)
    if frames != len(per_frame) or frames > MAX_FRAMES:
        raise ValueError("frames and their descriptions differ in number")
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
    for name in _GROUPS:
        items = groups.get(name)
        if not items:
            continue
        for element in items[0]:
            keyword = _NAMES.get(element.keyword, element.keyword)
            tag = tag_for_keyword(keyword)
            if tag is not None and keyword not in _OF_THE_IMAGE:
                # A new element, as the old one may be the other frames' too.
                header[tag] = DataElement(tag, dictionary_VR(tag), element.value)
        if name == "MRModifierSequence" and items[0].get("InversionTimes"):
            times = items[0].InversionTimes
            header["InversionTime"] = DataElement(
                "InversionTime", "DS", float(times[0] if hasattr(times, "__getitem__") else times)
            )
