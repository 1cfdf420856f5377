"""Magnitude or PSIR: what the files say of it, and what they leave to be taken for granted."""

from __future__ import annotations

import dataclasses

from pydicom.dataset import Dataset

from ScarSegECGLib.case import LgeStack
from ScarSegECGLib.facts import Contrast, Fact, LgeNote
from ScarSegECGLib.lge.dicom_tags import GE_RAW_DATA_TYPE, image_types

UNMARKED = Fact(LgeNote.CONTRAST_UNMARKED)


def says_magnitude(header: Dataset) -> bool:
    """Whether a single-frame image says by itself that it is a magnitude image; GE says the kind of each."""
    told = {*image_types(header), str(header.get("ComplexImageComponent") or "").upper()}
    return bool(told & {"M", "MAGNITUDE"}) or GE_RAW_DATA_TYPE in header


def with_contrast(stack: LgeStack, contrast: Contrast) -> LgeStack:
    """The stack with the contrast that somebody states."""
    notes = tuple(note for note in stack.notes if note != UNMARKED)
    return dataclasses.replace(stack, contrast=Contrast(contrast), notes=notes)
