"""Segmentation, parametric map, PDF and picture as DICOM objects in the images' study, and who made them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import highdicom
import numpy as np
from highdicom import UID, AlgorithmIdentificationSequence, SOPClass
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.color import CIELabColor
from highdicom.pm import ParametricMap, RealWorldValueMapping
from highdicom.sc import SCImage
from highdicom.seg import Segmentation, SegmentDescription
from highdicom.sr import CodedConcept
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian

from ScarSegECGLib import __version__
from ScarSegECGLib.case import FloatArray, LabelArray, ScarResult
from ScarSegECGLib.export.dicom import codes
from ScarSegECGLib.export.dicom.codes import Structure
from ScarSegECGLib.export.dicom.source import Source
from ScarSegECGLib.report.plain import without_paths
from ScarSegECGLib.wording import RESEARCH_USE, words

MAKER = "ScarSegECG"
# By each object's file, how a viewer lists the series that it is; numbered in this order.
SERIES = {
    "segmentation.dcm": "ScarSegECG LV and scar",
    "aha17.dcm": "ScarSegECG AHA segments",
    "scar_parts.dcm": "ScarSegECG scar core, grey zone, MVO",
    "scar_probability.dcm": "ScarSegECG probability of scar",
    "scar_probability_image_only.dcm": "ScarSegECG probability of scar, image only",
    "report.dcm": "ScarSegECG measurements",
    "report_pdf.dcm": "ScarSegECG report",
    "bullseye.dcm": "ScarSegECG bullseye",
}
_FIRST_SERIES_NUMBER = 9101


def common(name: str) -> dict[str, Any]:
    """Arguments that every highdicom constructor takes: a new series for the file of this name, and the maker."""
    private = CodingSchemeIdentificationItem(
        codes.PRIVATE_SCHEME,
        "ScarSegECG private codes",
        __version__,
        responsible_organization="ScarSegECG contributors",
    )
    return {
        "series_instance_uid": UID(),
        "series_number": _FIRST_SERIES_NUMBER + list(SERIES).index(name),
        "sop_instance_uid": UID(),
        "instance_number": 1,
        "manufacturer": MAKER,
        "series_description": SERIES[name],
        "coding_schemes": [private],
        "manufacturer_model_name": MAKER,
        "software_versions": __version__,
        # Software has no serial number, and the machine's own would tell where it ran.
        "device_serial_number": __version__,
    }


def _voxels(source: Source, canonical: NDArray, name: str, label: str) -> dict[str, Any]:
    return {
        "source_images": source.as_one_series,
        "plane_positions": source.positions,
        "pixel_array": source.frames(canonical),
        "content_label": label,
        "content_description": SERIES[name],
        "content_creator_name": f"{MAKER}^",
        "content_qualification": "RESEARCH",
        **common(name),
    }


def parameters(result: ScarResult) -> dict[str, str]:
    """What the result depends on: weights, inputs, rules, and the ECG's part."""
    given = {
        "weights_sha256": result.weights_sha256 or "none",
        "scar": words(result.method),
        "aha": words(result.anatomy.division),
        "lge_sha256": result.stack.sha256 or "unknown",
        "ecg_sha256": (result.ecg.sha256 if result.ecg else "") or "none",
        "ecg": words(result.ecg_use),
        "core_and_grey_zone": (words(result.parts.rule) if result.parts else "") or "not told apart",
        "purpose": RESEARCH_USE,
    }
    # A backslash separates values in DICOM.
    return {name: without_paths(" ".join(text.split())).replace("\\", "/") for name, text in given.items()}


def numbered(labels: LabelArray, structures: Sequence[Structure]) -> dict[int, int]:
    """Segment number, from 1 and without a gap, of the label of every structure that has a voxel."""
    there = set(np.unique(labels).tolist())
    present = [structure.label for structure in structures if structure.label in there]
    return {label: number for number, label in enumerate(present, 1)}


def renumbered(labels: LabelArray, numbers: Mapping[int, int]) -> LabelArray:
    """The numbers of :func:`numbered` in the place of their labels, and 0 in that of others."""
    number_of = np.zeros(256, np.uint8)
    number_of[list(numbers)] = list(numbers.values())
    return number_of[labels]


def segmentation(
    labels: LabelArray,
    structures: Sequence[Structure],
    result: ScarResult,
    source: Source,
    name: str,
    *,
    labelmap: bool = False,
) -> Segmentation:
    """A segmentation of the structures that have a voxel, disjoint, with the numbers of :func:`numbered`.

    A described segment without a voxel makes readers give its name to the next one. ``labels`` is uint8, shape (slice,
    row, column), canonical storage; ``result`` names the algorithm; ``labelmap`` is the newer LABELMAP type instead of
    BINARY, which many viewers do not read yet.
    """
    numbers = numbered(labels, structures)
    algorithm = AlgorithmIdentificationSequence(
        name=MAKER,
        family=codes.ARTIFICIAL_INTELLIGENCE if result.weights_sha256 else codes.HISTOGRAM_ANALYSIS,
        version=__version__,
        source=MAKER,
        parameters=parameters(result),
    )
    written = Segmentation(
        segmentation_type="LABELMAP" if labelmap else "BINARY",
        segment_descriptions=[
            SegmentDescription(
                segment_number=numbers[structure.label],
                segment_label=structure.name,
                segmented_property_category=structure.category,
                segmented_property_type=structure.kind,
                algorithm_type="SEMIAUTOMATIC" if result.method.corrected else "AUTOMATIC",
                algorithm_identification=algorithm,
                tracking_uid=UID(),
                tracking_id=f"{MAKER} {structure.name}",
                anatomic_regions=[structure.region] if structure.region else None,
                display_color=CIELabColor.from_rgb(*(round(255 * part) for part in structure.colour)),
            )
            for structure in structures
            if structure.label in numbers
        ],
        **_voxels(source, renumbered(labels, numbers), name, "SCARSEGECG"),
    )
    source.refer(written)
    return written


def parametric_map(probability: FloatArray, quantity: Code, source: Source, name: str) -> ParametricMap:
    """A map of 32-bit floats, 0..1, shape (slice, row, column) in canonical storage, a frame per slice."""
    written = ParametricMap(
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[
            RealWorldValueMapping(
                lut_label="PROBABILITY",
                lut_explanation="Probability of scar",
                unit=codes.UNITY,
                value_range=(0.0, 1.0),
                slope=1.0,
                intercept=0.0,
                quantity_definition=quantity,
            )
        ],
        voi_lut_transformations=[highdicom.VOILUTTransformation(window_center=0.5, window_width=1.0)],
        derived_pixel_contrast="QUANTITY",
        **_voxels(source, probability, name, "SCARPROBABILITY"),
    )
    source.refer(written)
    shared, groups = written.SharedFunctionalGroupsSequence[0], written.PerFrameFunctionalGroupsSequence
    # The standard wants the frames' anatomy, and some readers stop without it.
    anatomy = Dataset()
    anatomy.FrameLaterality, anatomy.AnatomicRegionSequence = "U", [CodedConcept.from_code(codes.LEFT_VENTRICLE)]
    shared.FrameAnatomySequence = [anatomy]
    # Some readers take it for granted that frames lie along row direction x column direction, whatever position each
    # states, and show the stack upside down otherwise.
    normal = np.cross(*np.reshape(np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float), (2, 3)))
    order = np.argsort([np.array(group.PlanePositionSequence[0].ImagePositionPatient) @ normal for group in groups])
    written.FloatPixelData = np.frombuffer(written.FloatPixelData, "<f4").reshape(len(groups), -1)[order].tobytes()
    written.PerFrameFunctionalGroupsSequence = [groups[k] for k in order]
    return written


def encapsulated_pdf(pdf: bytes, title: str, source: Source, *, names_patient: bool, verified: bool) -> SOPClass:
    """Wrap a PDF; ``names_patient`` says whether its pages show who the patient is, ``verified`` whether one signed."""
    wrapped = SOPClass(
        study_instance_uid=source.first.StudyInstanceUID,
        sop_class_uid=EncapsulatedPDFStorage,
        modality="DOC",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        **common("report_pdf.dcm"),
    )
    wrapped.copy_patient_and_study_information(source.first)
    wrapped.ConversionType, wrapped.AcquisitionDateTime, wrapped.ConceptNameCodeSequence = "WSD", "", []
    wrapped.BurnedInAnnotation = "YES" if names_patient else "NO"
    wrapped.DocumentTitle = title
    wrapped.VerificationFlag = "VERIFIED" if verified else "UNVERIFIED"
    wrapped.SourceInstanceSequence = highdicom.ReferencedImageSequence(source.images)
    wrapped.MIMETypeOfEncapsulatedDocument = "application/pdf"
    wrapped.EncapsulatedDocumentLength = len(pdf)
    wrapped.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    return wrapped


def secondary_capture(pixels: NDArray[np.uint8], source: Source) -> SCImage:
    """An RGB picture, shape (row, column, 3), in the patient's study; nothing that names the patient is drawn in it."""
    captured = SCImage(
        pixel_array=pixels,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "F"),
        study_instance_uid=source.first.StudyInstanceUID,
        **common("bullseye.dcm"),
    )
    captured.PatientOrientation = []  # a plot is not a plane of the patient
    captured.BodyPartExamined, captured.BurnedInAnnotation = "HEART", "NO"
    captured.copy_patient_and_study_information(source.first)
    return captured
