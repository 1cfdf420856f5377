"""Magnitude or PSIR: what the files say of it, what the values tell, and what is left to be taken for granted."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ScarSegECGLib.case import LgeStack
from ScarSegECGLib.facts import Contrast, Fact, LgeNote
from ScarSegECGLib.lge.dicom_tags import GE_RAW_DATA_TYPE, text_of, texts_of

UNMARKED = Fact(LgeNote.CONTRAST_UNMARKED)
# In a PSIR image nulled tissue and the noise of air lie on both sides of zero. A few dark voxels below it, or shallow
# ones, are what interpolation, denoising and padding leave in a magnitude image.
REAL_SHARE = 0.05
_REAL_DEPTH = 0.05  # of the bright end, the 99th percentile of the absolute values
_PADDING_SHARE = 0.005


def says_magnitude(header: Dataset) -> bool:
    """Whether a single-frame image says by itself that it is a magnitude image; GE says the kind of each."""
    told = {*texts_of(header, "ImageType"), text_of(header, "ComplexImageComponent").upper()}
    return bool(told & {"M", "MAGNITUDE"}) or GE_RAW_DATA_TYPE in header


def with_contrast(stack: LgeStack, contrast: Contrast) -> LgeStack:
    """The stack with the contrast that somebody states."""
    notes = tuple(note for note in stack.notes if note != UNMARKED)
    return dataclasses.replace(stack, contrast=Contrast(contrast), notes=notes)


def contrast_of_values(voxels: NDArray) -> Contrast:
    """PSIR where a real share of the values is clearly negative; values alone cannot tell a magnitude image."""
    return Contrast.PSIR if negative_share(voxels) >= REAL_SHARE else Contrast.UNKNOWN


def negative_share(voxels: NDArray) -> float:
    """Share of the values that are clearly negative, 0..1; a lowest value that many share is padding and no value."""
    lowest = voxels.min()
    if lowest >= 0:
        return 0.0
    kept = voxels[voxels != lowest]
    if kept.size > (1 - _PADDING_SHARE) * voxels.size:
        kept = voxels.ravel()
    if not kept.size:
        return 0.0
    bright = float(np.percentile(np.abs(kept[:: max(1, kept.size // 10**6)]), 99))
    return float(np.count_nonzero(kept < -_REAL_DEPTH * bright)) / kept.size
