"""Label maps as DICOM Segmentation."""

from __future__ import annotations

from collections.abc import Sequence

import highdicom
import numpy as np
from highdicom.color import CIELabColor
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription

from ScarSegECGLib.case import LabelArray, ScarResult
from ScarSegECGLib.export.dicom.codes import Structure
from ScarSegECGLib.export.dicom.maker import (
    MAKER,
    Series,
    algorithm_sequence,
    common,
    image_content,
)
from ScarSegECGLib.export.dicom.source import Source


def segmentation(
    labels: LabelArray,
    structures: Sequence[Structure],
    result: ScarResult,
    source: Source,
    series: Series,
    *,
    labelmap: bool = False,
) -> Segmentation:
    """A segmentation of the structures that have a voxel, disjoint, numbered 1..n without a gap.

    A described segment without a voxel makes readers give its name to the next one.

    Parameters
    ----------
    labels : uint8 array, shape (slice, row, column)
        Canonical storage; each structure is where its ``label`` is.
    structures : sequence of Structure
    result : ScarResult
        Names the algorithm.
    source : Source
        The images referred to, frame by frame.
    series : Series
    labelmap : bool
        The newer LABELMAP type instead of BINARY; many viewers do not read it yet.
    """
    present = numbered(labels, structures)
    numbers = np.zeros(256, np.uint8)
    for number, structure in present.items():
        numbers[structure.label] = number
    algorithm = algorithm_sequence(result)
    kind = SegmentAlgorithmTypeValues["SEMIAUTOMATIC" if result.method.corrected else "AUTOMATIC"]
    written = Segmentation(
        source_images=source.as_one_series,
        plane_positions=source.positions,
        pixel_array=source.frames(numbers[labels]),
        segmentation_type=SegmentationTypeValues.LABELMAP if labelmap else SegmentationTypeValues.BINARY,
        segment_descriptions=[
            SegmentDescription(
                segment_number=number,
                segment_label=structure.name,
                segmented_property_category=structure.category,
                segmented_property_type=structure.kind,
                algorithm_type=kind,
                algorithm_identification=algorithm,
                tracking_uid=highdicom.UID(),
                tracking_id=f"{MAKER} {structure.name}",
                anatomic_regions=[structure.region] if structure.region else None,
                display_color=CIELabColor.from_rgb(*(round(255 * part) for part in structure.colour)),
            )
            for number, structure in present.items()
        ],
        **common(source, series),
        **image_content("SCARSEGECG", series.description),
    )
    source.refer(written)
    return written


def numbered(labels: LabelArray, structures: Sequence[Structure]) -> dict[int, Structure]:
    """Segment number, from 1, of every structure that has a voxel."""
    there = set(np.unique(labels).tolist())
    return dict(enumerate((structure for structure in structures if structure.label in there), 1))
