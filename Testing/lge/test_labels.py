"""Label maps, contours and masks: on the image's grid, by their names, and as far as anatomy allows."""

from __future__ import annotations

from pathlib import Path

import nrrd
import numpy as np
import pytest
from numpy.typing import NDArray

from ScarSegECGLib.case import LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import LgeNote, has
from ScarSegECGLib.lge.labels import parse_label_map, read_contours, read_labels, read_mask
from ScarSegECGLib.lge.read import read_lge
from ScarSegECGLib.measure.expert import case_folders, load_case
from ScarSegECGLib.wording import words

SHAPE = (7, 64, 60)
LPS = {"space": "left-posterior-superior", "space directions": np.diag([1.5, 1.5, 8.0]), "space origin": [1, 2, 3]}


def heart() -> NDArray[np.uint8]:
    """0 background, 1 cavity, 2 myocardium, 3 scar in a third of its circle, 4 MVO in the scar; cap without cavity."""
    _, row, column = np.indices(SHAPE)
    radius = np.hypot(row - 30, column - 33)
    angle = np.degrees(np.arctan2(row - 30, column - 33))
    out = np.zeros(SHAPE, np.uint8)
    out[radius < 18] = 2
    out[(radius < 18) & (np.abs(angle) < 50) & (radius < 16)] = 3
    out[(np.abs(radius - 13) < 1.5) & (np.abs(angle) < 20)] = 4
    out[radius < 10] = 1
    out[0][radius[0] < 10] = 2
    return out


def right_ventricle() -> NDArray[np.bool_]:
    _, row, column = np.indices(SHAPE)
    return (np.hypot(row - 30, column - 18) < 18) & (np.hypot(row - 30, column - 33) >= 18)


@pytest.fixture
def stack(tmp_path) -> LgeStack:
    voxels = np.random.default_rng(0).integers(0, 900, SHAPE).astype(np.int16)
    nrrd.write(str(tmp_path / "lge.nrrd"), voxels.T, LPS)
    return read_lge(tmp_path / "lge.nrrd")


@pytest.fixture
def written(tmp_path):
    def write(labels: NDArray, header: dict | None = None, name: str = "labels.nrrd") -> Path:
        nrrd.write(str(tmp_path / name), labels.T if labels.ndim == 3 else labels, LPS | (header or {}))
        return tmp_path / name

    return write


def with_values(mapping: dict[int, int]) -> NDArray[np.uint16]:
    labels = heart()
    out = np.zeros(SHAPE, np.uint16)
    for value, ours in mapping.items():
        out[labels == ours] = value
    return out


def named(names: dict[int, str], layers: dict[int, int] | None = None) -> dict[str, str]:
    out = {}
    for k, (value, name) in enumerate(names.items()):
        out |= {f"Segment{k}_Name": name, f"Segment{k}_LabelValue": str(value)}
        out[f"Segment{k}_Layer"] = str((layers or {}).get(value, 0))
    return out


# ---------------------------------------------------------------- by name


@pytest.mark.parametrize(
    "names",
    [
        ("Scar", "Myocardium", "LV cavity", "MVO"),
        ("infarct", "normal myocardium", "LV blood pool", "no-reflow"),
        ("myocardial scar", "LV_wall", "endocardium", "Microvascular obstruction"),
        ("Narbe", "Myokard wall", "LV", "MVO"),
        ("LGE", "myo", "LVBP", "NoReflow"),
    ],
)
def test_names_say_what_the_values_mean(stack, written, names) -> None:
    path = written(with_values({1: 3, 2: 2, 3: 1, 4: 4}), named(dict(enumerate(names, 1))))
    labels, notes = read_contours(path, stack)
    np.testing.assert_array_equal(stack.storage.to_stored(labels), heart())
    assert words(notes[0]).endswith("1 scar, 2 myocardium, 3 cavity, 4 mvo.")


def test_right_ventricle_and_empty_segments_do_not_count(stack, written) -> None:
    labels = with_values({1: 3, 2: 2, 3: 1, 4: 4})
    labels[right_ventricle()] = 9
    names = {1: "Scar", 2: "Myocardium", 3: "LV cavity", 4: "MVO", 9: "RV cavity", 11: "Segment_7"}
    found, _ = read_contours(written(labels, named(names)), stack)
    np.testing.assert_array_equal(stack.storage.to_stored(found), heart())


def test_names_that_do_not_tell_are_asked_for(stack, written) -> None:
    labels = with_values({1: 3, 2: 2, 3: 1, 4: 4})
    with pytest.raises(InputError, match="--label-map"):
        read_contours(written(labels, named({1: "Scar", 2: "Myocardium", 3: "thing", 4: "MVO"})), stack)
    with pytest.raises(InputError, match="1=scar,2=myocardium,3=cavity,4=mvo"):
        read_contours(written(labels, named({k: f"Segment_{k}" for k in range(1, 5)})), stack)
    usual = written(heart(), named({k: f"Segment_{k}" for k in range(1, 5)}))
    assert read_contours(usual, stack)[1] == ()


def test_overlapping_segments_lie_in_layers(stack, written) -> None:
    """As 3D Slicer writes a wall with the scar drawn over it."""
    labels = heart()
    layers = np.stack([np.where(labels == 1, 2, (labels >= 2) * 1), (labels >= 3) * 1], axis=0).astype(np.uint8)
    header = named({1: "Myocardium", 2: "LV cavity"}) | {
        "Segment2_Name": "Scar", "Segment2_LabelValue": "1", "Segment2_Layer": "1",
        "kinds": ["list", "domain", "domain", "domain"],
        "space directions": np.vstack([[np.nan] * 3, np.diag([1.5, 1.5, 8.0])]),
    }  # fmt: skip
    path = written(np.moveaxis(layers.transpose(0, 3, 2, 1), 0, 0), header)
    found, _ = read_contours(path, stack)
    np.testing.assert_array_equal(stack.storage.to_stored(found), np.minimum(labels, 3))
    np.testing.assert_array_equal(stack.storage.to_stored(read_mask(path, stack)[0]), labels > 0)


def test_a_value_has_one_name(stack, written) -> None:
    header = named({1: "LV cavity", 2: "Myocardium", 3: "Scar"}) | {"Segment3_Name": "Scar", "Segment3_LabelValue": "1"}
    with pytest.raises(InputError, match="two segments with one value"):
        read_contours(written(heart(), header), stack)


# ---------------------------------------------------------------- by number and anatomy

CHALLENGES = {
    "MyoPS": ({500: 1, 200: 2, 2221: 3, 1220: 4}, "MyoPS", "200=myocardium,1220=myocardium"),
    "ACDC": ({3: 1, 2: 2}, "ACDC", "1=none,2=myocardium,3=cavity"),
    "M&Ms": ({1: 1, 2: 2}, "M&Ms", "1=cavity,2=myocardium,3=none"),
    "scar first": ({1: 3, 2: 2, 3: 1, 4: 4}, "", "1=scar,2=myocardium,3=cavity"),
    "wall first": ({1: 2, 2: 1, 3: 3, 4: 4}, "", "1=myocardium,2=cavity,3=scar"),
    "scar before wall": ({1: 1, 2: 3, 3: 2, 4: 4}, "", "1=cavity,2=scar,3=myocardium"),
}


@pytest.mark.parametrize("name", CHALLENGES)
def test_the_label_set_that_would_fit_is_named(stack, written, name) -> None:
    values, said, label_map = CHALLENGES[name]
    labels = with_values(values)
    if name in ("ACDC", "M&Ms"):
        labels[heart() >= 3] = 2
        labels[right_ventricle()] = {"ACDC": 1, "M&Ms": 3}[name]
    if name == "MyoPS":
        labels[right_ventricle()] = 600
    if name == "scar before wall":  # told by the share of the wall alone, so of a small scar
        labels[:4][heart()[:4] >= 3] = 3
    path = written(labels)
    with pytest.raises(InputError) as caught:
        read_contours(path, stack)
    assert said in str(caught.value) and label_map.split(",")[0] in str(caught.value)
    suggested = str(caught.value).rpartition("--label-map ")[2]
    found, _ = read_contours(path, stack, parse_label_map(suggested))
    found = stack.storage.to_stored(found)
    np.testing.assert_array_equal(found == 1, heart() == 1)
    np.testing.assert_array_equal(found >= 2, heart() >= 2)


def test_a_map_says_what_every_value_means(stack, written) -> None:
    path = written(with_values({7: 1, 5: 2, 6: 3, 9: 4}))
    label_map = parse_label_map("7=cavity, 5=myocardium,6=scar,9=MVO")
    np.testing.assert_array_equal(stack.storage.to_stored(read_contours(path, stack, label_map)[0]), heart())
    with pytest.raises(InputError, match="does not say what 9 is"):
        read_contours(path, stack, parse_label_map("7=cavity,5=myocardium,6=scar"))
    for text in ("", "1", "1=lung", "1=scar,1=mvo", "x=scar", "²=scar", "1=scar;2=mvo"):
        with pytest.raises(InputError, match="--label-map"):
            parse_label_map(text)


def test_what_no_label_set_explains_is_told(stack, written) -> None:
    labels = np.where(heart() == 1, 1, 0).astype(np.uint8)
    labels[0, :8, :8] = 2
    _, notes = read_contours(written(labels), stack)
    assert [note.code for note in notes] == [LgeNote.LABELS_ODD]


def test_every_expert_of_emidec_passes(shared_data) -> None:
    for folder in ("emidec", "emidec_second"):
        for case in case_folders(shared_data / folder / "cases")[::6]:
            labels = load_case(case).labels  # refuses labels that are no heart
            assert labels.max() >= 2
            with pytest.raises(InputError):
                load_case(case, parse_label_map("1=scar,2=myocardium,3=lung"))


# ---------------------------------------------------------------- on the grid


def test_axes_and_extent_of_labels_may_differ(stack, written) -> None:
    labels = heart()
    flipped = {"space directions": np.diag([-1.5, 1.5, -8.0]), "space origin": [1 + 59 * 1.5, 2, 3 + 6 * 8]}
    turned = {"space directions": np.array([[0, 0, 8.0], [0, 1.5, 0], [1.5, 0, 0]])}
    cropped = {"space origin": [1 + 10 * 1.5, 2 + 5 * 1.5, 3]}
    for voxels, header in (
        (labels[::-1, :, ::-1], flipped),
        (labels.transpose(2, 1, 0), turned),
        (labels[:, 5:55, 10:55], cropped),
    ):
        found = read_labels(written(np.ascontiguousarray(voxels), header), stack)
        np.testing.assert_array_equal(stack.storage.to_stored(found), labels)


@pytest.mark.parametrize(
    "header",
    [{"space origin": [1.75, 2, 3]}, {"space origin": [1, 2, 11]}, {"space directions": np.diag([1.4, 1.5, 8])},
     {"space directions": np.array([[1.49, 0.15, 0], [-0.15, 1.49, 0], [0, 0, 8]])}],
)  # fmt: skip
def test_labels_beside_the_grid_are_refused(stack, written, header) -> None:
    with pytest.raises(InputError, match="mm off the image"):
        read_labels(written(heart(), header), stack)


def test_no_numbers_no_labels(stack, written) -> None:
    for bad in (heart() - 1.0, heart() * 0.4, heart() * 40000.0):
        with pytest.raises(InputError, match="whole numbers"):
            read_labels(written(bad), stack)


def test_forms_of_labels_are_held_against_each_other(shared_data) -> None:
    case = shared_data / "field_cases" / "01-sform-qform"
    stack = read_lge(case / "lge_agreeing.nii.gz")
    right, quiet = read_contours(case / "labels_agreeing.nii.gz", stack)
    labels, notes = read_contours(case / "labels.nii.gz", stack)
    np.testing.assert_array_equal(labels, right)
    assert quiet == () and has(notes, LgeNote.FORMS_DISAGREE)
    mask, of_mask = read_mask(case / "labels.nii.gz", stack)
    np.testing.assert_array_equal(mask, right > 0)
    assert of_mask == notes


def test_slicers_segments_by_name(shared_data, tmp_path) -> None:
    case = shared_data / "field_cases" / "03-seg-nrrd-names"
    stack = read_lge(case / "lge.nii.gz")
    labels, _ = read_contours(case / "labels.seg.nrrd", stack)
    assert (labels >= 3).sum() * stack.voxel_ml == pytest.approx(12.70, abs=0.01)
    assert (labels >= 3).sum() / (labels >= 2).sum() == pytest.approx(0.128, abs=0.001)
    voxels, header = nrrd.read(str(case / "labels.seg.nrrd"))
    nameless = {key: value for key, value in header.items() if not key.startswith("Segment")}
    nrrd.write(str(tmp_path / "nameless.nrrd"), voxels, nameless)
    with pytest.raises(InputError, match="1=scar,2=myocardium,3=cavity"):
        read_contours(tmp_path / "nameless.nrrd", stack)
