"""Montage and polar map: every slice, in its place, with its outlines."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from label_boxes import label_box, labels_of
from PIL import Image

from ScarSegECGLib.case import Anatomy, Burden, EcgUse, LgeStack, ScarResult, SegmentRow, Storage, TimeGap
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Division, Fact, LgeNote, Method
from ScarSegECGLib.facts_ecg import EcgReason
from ScarSegECGLib.view import palette
from ScarSegECGLib.view.bullseye import polar_map
from ScarSegECGLib.view.montage import montage
from ScarSegECGLib.view.paint import save, to_png
from ScarSegECGLib.view.panels import levels, panel_boxes
from ScarSegECGLib.view.pictures import pictures, scar_bullseye
from ScarSegECGLib.view.shapes import Drawing, Mark, RasterImage, Stroke
from ScarSegECGLib.wording import RESEARCH_USE

SPACING = (8.0, 1.5, 1.25)


def patient(slices: int = 9, shape: tuple[int, int] = (120, 130)) -> tuple[LgeStack, np.ndarray, Anatomy]:
    """A synthetic ring with an inferior scar; the first slice has no LV."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    dy, dx = rows * SPACING[1] - 84.0, columns * SPACING[2] - 75.0
    radius, angle = np.hypot(dy, dx), np.degrees(np.arctan2(-dy, dx)) % 360
    voxels, labels = np.zeros((slices, *shape), np.float32), np.zeros((slices, *shape), np.uint8)
    aha = np.zeros_like(labels)
    for k in range(1, slices):
        outer = 20 + 12 * k / slices
        wall, cavity = (radius < outer) & (radius >= outer - 9), radius < outer - 9
        scar = wall & (np.abs(angle - 270) < 30)
        labels[k] = np.select([scar, wall, cavity], [3, 2, 1], 0)
        voxels[k] = np.select([scar, wall, cavity], [220, 40, 150], 90)
        third = 3 * (k - 1) // (slices - 1)
        base = (13 + (angle - 45) % 360 // 90, 7 + (angle - 60) % 360 // 60, 1 + (angle - 60) % 360 // 60)[third]
        aha[k] = np.where(wall, base, 0)
    centres = np.full((slices, 2), (84.0, 75.0))
    centres[0] = np.nan
    insertions = np.where(np.isnan(centres), np.nan, (120.0, 240.0))
    matrix = np.diag([SPACING[2], SPACING[1], SPACING[0], 1.0])
    stack = LgeStack(voxels, matrix, Storage(), matrix)
    confidence = np.linspace(0, 1, slices)
    imaged = (*[True] * 16, False)
    anatomy = Anatomy(labels == 1, labels >= 2, aha, centres, insertions, confidence, Division(), imaged)
    return stack, labels, anatomy


def panels(drawing: Drawing) -> list[RasterImage]:
    return [s for s in drawing.shapes if isinstance(s, RasterImage)]


def marks(drawing: Drawing) -> list[Mark]:
    return [s for s in drawing.shapes if isinstance(s, Mark)]


def inside(panel: RasterImage, at: np.ndarray) -> np.ndarray:
    left, bottom, right, top = panel.box
    return (at[..., 0] >= left) & (at[..., 0] < right) & (at[..., 1] >= bottom) & (at[..., 1] < top)


@pytest.mark.parametrize("slices", [1, 5, 9, 12, 16])
def test_every_slice_fits_a_page_without_overlap(slices: int) -> None:
    drawing = montage(*patient(slices), title="Nine slices")
    assert drawing.width <= 200
    assert drawing.height <= 287
    boxes = np.array([p.box for p in panels(drawing)])
    assert len(boxes) == slices * 2
    assert np.ptp(boxes[:, 2] - boxes[:, 0]) < 1e-9
    assert (boxes[:, 2] - boxes[:, 0]).min() >= 25
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= (drawing.width, drawing.height)).all()
    captions = [label for label in labels_of(drawing) if label.align == "left" and label.size == 3.0]
    for one in (*boxes, *(label_box(c) for c in captions)):
        hit = [
            b
            for b in boxes
            if one[0] < b[2] - 1e-6 and b[0] < one[2] - 1e-6 and one[1] < b[3] - 1e-6 and b[1] < one[3] - 1e-6
        ]
        assert len(hit) <= 1


def test_captions_name_slice_and_level() -> None:
    stack, labels, anatomy = patient()
    drawing = montage(stack, labels, anatomy)
    assert levels(anatomy)[0] == "no LV"
    assert levels(anatomy)[1] == "apical"
    assert levels(anatomy)[-1] == "basal"
    texts = {label.text for label in labels_of(drawing)}
    assert {"1  no LV", "2  apical", "9  basal", "10 mm", "septal", "lateral", "anterior", "inferior"} <= texts


def test_outlines_lie_where_the_labels_are() -> None:
    stack, labels, anatomy = patient()
    drawing = montage(stack, labels, anatomy)
    panel = panels(drawing)[1::2][8]
    scale = (panel.box[2] - panel.box[0]) / 120.0
    middle = np.array([(panel.box[0] + panel.box[2]) / 2, (panel.box[1] + panel.box[3]) / 2])
    mine = {
        s.stroke.colour: s.path.vertices for s in marks(drawing) if s.stroke and inside(panel, s.path.vertices).all()
    }
    radii = {colour: np.hypot(*(at - middle).T) / scale for colour, at in mine.items()}
    outer = 20 + 12 * 8 / 9
    assert radii[palette.MYOCARDIUM].mean() == pytest.approx(outer, abs=0.8)
    assert radii[palette.CAVITY].mean() == pytest.approx(outer - 9, abs=0.8)
    assert mine[palette.SCAR][:, 1].max() < middle[1]  # the inferior wall is down


def test_scale_bar_is_ten_millimetres_of_the_patient() -> None:
    drawing = montage(*patient())
    scale = (panels(drawing)[0].box[2] - panels(drawing)[0].box[0]) / 120.0
    (bar,) = [s.path.vertices for s in marks(drawing) if s.stroke == Stroke(palette.WHITE, 0.5)]
    assert np.ptp(bar[:, 0]) == pytest.approx(10 * scale)


def test_pane_without_overlay_is_the_image_alone() -> None:
    stack, labels, anatomy = patient()
    drawing = montage(stack, labels, anatomy)
    raw = panels(drawing)[2::2]
    for panel in raw:
        for mark in marks(drawing):
            assert not inside(panel, mark.path.vertices).any()
    assert {str(n) for n in range(1, 17)} <= {label.text for label in labels_of(drawing)}


def test_window_is_shared_and_contrast_kept() -> None:
    stack, labels, anatomy = patient()
    shades = [int(np.median(p.pixels[140:148, 140:148])) for p in panels(montage(stack, labels, anatomy))[2:]]
    assert max(shades) - min(shades) <= 1
    flat = replace(stack, voxels=np.full_like(stack.voxels, 7.0))
    assert len(panels(montage(flat, labels, anatomy))) == 18


def test_arrays_off_the_grid_are_refused() -> None:
    stack, labels, anatomy = patient()
    with pytest.raises(InputError, match="grid"):
        montage(stack, labels[1:], anatomy)


def test_sheet_prefers_the_largest_panels() -> None:
    for slices in range(5, 17):
        left, bottom, right, top = np.array(panel_boxes(slices)).reshape(-1, 4).T
        assert right.max() <= 190.001
        assert bottom.min() >= -250.001
        assert (right - left).min() >= 27 and np.allclose(right - left, top - bottom)


def test_polar_map_puts_value_and_click_in_place() -> None:
    table = np.zeros((6, 120))
    table[5, 30] = 100.0  # basal, 90 to 93 degrees: anterior
    drawing = polar_map(table, ["apical"] * 2 + ["mid"] * 2 + ["basal"] * 2)
    (dark,) = [s.path.vertices for s in marks(drawing) if s.fill == palette.colour_of(100.0, 0.0, 100.0)]
    around = np.concatenate([s.path.vertices for s in marks(drawing) if s.fill])
    middle, radius = (around.min(axis=0) + around.max(axis=0)) / 2, np.ptp(around[:, 0]) / 2
    column, row = ((dark.min(axis=0) + dark.max(axis=0)) / 2 - middle) / radius
    turn, share = np.degrees(np.arctan2(row, column)), np.hypot(row, column)
    assert turn == pytest.approx(91.5, abs=1.0)
    assert share == pytest.approx(1 - (1 - 5 / 36) / 12, abs=0.01)
    with pytest.raises(InputError, match="slice, angle"):
        polar_map(np.zeros(5))


def test_polar_map_says_where_nothing_is_known() -> None:
    table = np.zeros((4, 36))
    assert "no value" not in {label.text for label in labels_of(polar_map(table))}
    table[0] = np.nan
    assert "no value" in {label.text for label in labels_of(polar_map(table))}


def result() -> ScarResult:
    stack, labels, anatomy = patient(5)
    rows = tuple(
        SegmentRow(n, f"segment {n}", "", n < 17, 5.0, 1.0, float(n) if n < 17 else None, None, None, None, "")
        for n in range(1, 18)
    )
    probability = (labels == 3).astype(np.float32)
    burden = Burden(8.0, 8.4, 9.0)
    use = EcgUse(0.0, (Fact(EcgReason.NOT_GIVEN),), TimeGap(None))
    return ScarResult(
        stack, None, use, anatomy, labels, probability, probability, 90.0, 95.0, burden, burden, rows, Method()
    )


def test_pictures_of_a_result() -> None:
    painted = pictures(result())
    assert set(painted) == {"bullseye.png", "montage.png", "transmurality.png"}
    for png in (*painted.values(), to_png(scar_bullseye(result()), width_px=600)):
        pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
        assert min(pixels.shape[:2]) > 300
        assert pixels.std() > 10


def test_real_case_with_the_expert_mask(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "emidec" / "cases" / "Case_P045"
    image = nibabel.load(folder / "Case_P045_img.nii.gz")
    expert = np.asarray(nibabel.load(folder / "Case_P045_seg.nii.gz").dataobj).T
    matrix = np.diag([*image.header.get_zooms(), 1.0])
    stack = LgeStack(np.asarray(image.dataobj).T.astype(np.float32), matrix, Storage(), matrix, orientation_known=False)
    labels = np.select([expert == 1, expert == 2, expert >= 3], [1, 2, 3], 0).astype(np.uint8)
    centres = np.array([np.argwhere(p).mean(axis=0) * stack.spacing[1:] for p in labels > 0])
    bare = np.full(centres.shape, np.nan)
    anatomy = Anatomy(
        labels == 1, labels >= 2, np.zeros_like(labels), centres, bare, np.zeros(len(centres)), Division(), (True,) * 17
    )
    drawing = montage(stack, labels, anatomy)
    assert any("orientation assumed" in label.text for label in labels_of(drawing))
    assert len([s for s in marks(drawing) if s.fill == palette.SCAR]) > 2
    path = save(drawing, tmp_path / "montage.png", dpi=60)
    assert np.asarray(Image.open(path)).std() > 20
    with pytest.raises(InputError, match=r"\.bmp"):
        save(drawing, tmp_path / "montage.bmp")
    assert to_png(drawing, dpi=60) == path.read_bytes()


def test_every_sheet_and_map_says_what_it_is_for() -> None:
    stack, labels, anatomy = patient(5)
    drawings = (
        montage(stack, labels, anatomy, title="Scar"),
        polar_map(np.full((3, 12), 40.0), title="Transmurality", subtitle="3 SD; rings: slices 1 (apex) to 3 (base)"),
    )
    for drawing in drawings:
        (line,) = [label for label in labels_of(drawing) if label.text == RESEARCH_USE]
        boxes = [np.array(label_box(label)) for label in labels_of(drawing) if label is not line]
        mine = np.array(label_box(line)) + (0, 0.35, 0, -0.35)
        assert all((mine[:2] >= box[2:]).any() or (mine[2:] <= box[:2] + (0, 0.35)).any() for box in boxes)
        assert mine[1] >= 0
        assert mine[2] <= drawing.width


def test_an_orientation_in_doubt_is_said_under_the_slices() -> None:
    stack, labels, anatomy = patient(3)
    doubtful = replace(stack, notes=(Fact(LgeNote.POSE_DOUBTFUL, angle=59.0),))
    said = " ".join(label.text for label in labels_of(montage(doubtful, labels, anatomy)))
    assert "orientation unconfirmed" in said
    assert "unconfirmed" not in " ".join(label.text for label in labels_of(montage(stack, labels, anatomy)))
