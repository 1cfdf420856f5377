"""A PDF in a DICOM envelope, for viewers that read no segmentation."""

from __future__ import annotations

from highdicom.base import SOPClass
from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian

from ScarSegECGLib.export.dicom.maker import Series, common, patient_and_study
from ScarSegECGLib.export.dicom.source import Source

_MIME_TYPE = "application/pdf"


def encapsulated_pdf(
    pdf: bytes, title: str, source: Source, series: Series, *, names_patient: bool, verified: bool
) -> SOPClass:
    """Wrap a PDF; ``names_patient`` says whether its pages show who the patient is, ``verified`` whether one signed."""
    wrapped = SOPClass(
        sop_class_uid=EncapsulatedPDFStorage,
        modality="DOC",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        **(common(source, series) | patient_and_study(source)),
    )
    wrapped.copy_patient_and_study_information(source.first)
    wrapped.ConversionType = "WSD"
    wrapped.AcquisitionDateTime = ""
    wrapped.BurnedInAnnotation = "YES" if names_patient else "NO"
    wrapped.DocumentTitle = title
    wrapped.ConceptNameCodeSequence = []
    wrapped.VerificationFlag = "VERIFIED" if verified else "UNVERIFIED"
    wrapped.SourceInstanceSequence = [_reference(image) for image in source.images]
    wrapped.MIMETypeOfEncapsulatedDocument = _MIME_TYPE
    wrapped.EncapsulatedDocumentLength = len(pdf)
    wrapped.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    return wrapped


def document(wrapped: Dataset) -> bytes:
    """The PDF inside, without the byte that makes its length even."""
    return bytes(wrapped.EncapsulatedDocument)[: int(wrapped.EncapsulatedDocumentLength)]


def _reference(image: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    return item
