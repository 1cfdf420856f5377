"""Whole studies: the short-axis LGE found among other series, magnitude against PSIR, archives, DICOMDIR, sources."""

from __future__ import annotations

import shutil
import stat
import zipfile
from datetime import datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_samples import FOUR_CHAMBER, Pose, Study, list_series, write_dicomdir, write_enhanced, write_lge, write_zip
from numpy.typing import NDArray
from pydicom.fileset import FileSet

from ScarSegECGLib.cli import main
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.dicom.source import Source
from ScarSegECGLib.lge import files
from ScarSegECGLib.lge.dicom_source import find_source
from ScarSegECGLib.lge.read import read_lge
from ScarSegECGLib.wording import words

MAGNITUDE, PSIR = ("ORIGINAL", "PRIMARY", "M", "ND"), ("DERIVED", "PRIMARY", "PSIR", "ND")
HIDDEN = ("SECRET", "1.2.826")


def _signed(k: int, d: pydicom.Dataset) -> None:
    d.RescaleSlope, d.RescaleIntercept, d.RescaleType = 1, -2048, "US"


def _lies_right(stack, voxels: NDArray, pose: Pose, seed: int = 0) -> None:
    """Every tried voxel stands where the writer put it in the patient."""
    tried = np.random.default_rng(seed).integers(0, voxels.shape, (500, 3))
    index = (np.linalg.inv(stack.ijk_to_ras) @ np.c_[pose.ras(tried), np.ones(500)].T)[:3]
    column, row, slice_ = np.rint(index).astype(int)
    assert np.abs(index - np.rint(index)).max() < 0.01
    np.testing.assert_allclose(stack.voxels[slice_, row, column], voxels[tuple(tried.T)], rtol=1e-6)
    assert stack.voxels.size == voxels.size


@pytest.fixture
def picture() -> NDArray[np.uint16]:
    return np.random.default_rng(8).permutation(6 * 40 * 36).reshape(6, 40, 36).astype(np.uint16)


@pytest.fixture(scope="module")
def p100(shared_data) -> NDArray[np.uint16]:
    """A real LGE stack, (slice, row, column)."""
    stack = read_lge(shared_data / "emidec_native" / "P100" / "P100_img.nii.gz")
    return np.rint(stack.voxels).astype(np.uint16)


@pytest.fixture(scope="module")
def pose(shared_data) -> Pose:
    """The pose of a real oblique cine stack, with P100's slice distance and pixels."""
    d = pydicom.dcmread(shared_data / "dicom" / "cine_bivme" / "Se5.dcm", stop_before_pixels=True)
    return Pose([float(x) for x in d.ImageOrientationPatient], [float(x) for x in d.ImagePositionPatient], 13.0)


@pytest.fixture
def cine(shared_data) -> Path:
    return shared_data / "dicom" / "cine_bivme"


# ---------------------------------------------------------------- a real picture in a real pose


def test_real_lge_in_a_real_pose(tmp_path, p100, pose) -> None:
    write_lge(tmp_path / "s", p100, pose=pose, seed=3)
    stack = read_lge(tmp_path / "s")
    _lies_right(stack, p100, pose)
    assert stack.contrast == "magnitude" and stack.notes == ()
    assert stack.spacing == pytest.approx((13.0, 1.40625, 1.40625), rel=1e-4)


@pytest.mark.parametrize("one_series", [True, False])
@pytest.mark.parametrize("image", [None, "psir", "magnitude"])
def test_psir_and_magnitude_are_offered_separately(tmp_path, p100, pose, one_series, image) -> None:
    study, mixed = Study(), "1.2.3.4"
    write_lge(tmp_path / "s", p100, pose=pose, study=study, series=mixed, number=20, text="LGE sax")
    write_lge(
        tmp_path / "s" / "psir",
        p100,
        pose=pose,
        study=study,
        series=mixed if one_series else None,
        number=20 if one_series else 21,
        text="LGE sax",
        image_type=PSIR,
        change=_signed,
        seed=5,
    )
    stack = read_lge(tmp_path / "s", image=image)
    expected = p100.astype(float) - (2048 if image != "magnitude" else 0)
    _lies_right(stack, expected, pose)
    assert stack.contrast == (image or "psir")
    note = words(*stack.notes)
    assert note.startswith("Taken from the study") and (image or "psir") in note
    assert ("magnitude, 7 slices" in note.partition("Also there")[2]) == (image is None)


def test_gaps_are_named(tmp_path, p100, pose) -> None:
    paths = write_lge(tmp_path / "s", p100, pose=pose)
    paths[2].unlink()
    with pytest.raises(InputError, match=r"1 slice\(s\) missing after slice 2 of 6 .*26.0 mm, not 13.0"):
        read_lge(tmp_path / "s")


def test_multi_frame_enhanced(tmp_path, p100, pose) -> None:
    n = len(p100)
    order = np.random.default_rng(2).permutation(2 * n)
    both = np.concatenate([p100, p100])[order]
    types = [(MAGNITUDE, PSIR)[int(j >= n)] for j in order]
    low = [(0.0, -2048.0)[int(j >= n)] for j in order]
    path = write_enhanced(tmp_path / "e" / "I1", both, order % n, types, pose=pose, intercept=low)
    for image, offset in (("psir", 2048), ("magnitude", 0)):
        stack = read_lge(path, image=image)
        _lies_right(stack, p100.astype(float) - offset, pose)
        assert stack.contrast == image
        assert stack.acquired == datetime(2024, 7, 4, 10, 45, 13)
    np.testing.assert_array_equal(read_lge(tmp_path / "e").voxels, read_lge(path, image="psir").voxels)

    gap = [k for k in range(n) if k != 3]
    path = write_enhanced(tmp_path / "gap.dcm", p100[gap], gap, [MAGNITUDE] * len(gap), pose=pose)
    with pytest.raises(InputError, match=r"1 slice\(s\) missing after slice 3"):
        read_lge(path)


def test_enhanced_cine_is_refused(tmp_path, picture) -> None:
    frames = np.repeat(picture, 8, axis=0)
    times = list(np.tile(np.arange(8) * 40.0, 6))
    where = list(np.repeat(np.arange(6), 8))
    path = write_enhanced(tmp_path / "c", frames, where, [MAGNITUDE] * 48, trigger_ms=times, text="heart")
    with pytest.raises(InputError, match="taken for cine"):
        read_lge(path)


# ---------------------------------------------------------------- what a study holds


def test_real_cine_series_are_refused_each_with_its_reason(cine, capsys) -> None:
    sets = list_series(cine)
    assert len(sets) == 11
    assert {s.judged.verdict for s in sets} == {"other"}
    assert all(s.judged.taken_for == "cine" and "25 cardiac phases" in s.judged.reasons for s in sets)
    far = {
        s.series_numbers[0] for s in sets if any("long axis" in r or "not short axis" in r for r in s.judged.reasons)
    }
    assert far == {"14001", "16001", "17001", "19001", "22001"}
    with pytest.raises(InputError, match="None of the 11 series .* 11 cine"):
        read_lge(cine)
    assert main(["lge", str(cine)]) == 2
    printed = capsys.readouterr()
    assert printed.out.count("25 cardiac phases") == 11 and "patient1" not in printed.out + printed.err


@pytest.mark.parametrize("form", ["folder", "zip", "DICOMDIR"])
def test_the_lge_is_found_among_the_cine(tmp_path, cine, p100, pose, form) -> None:
    study = Study()
    write_lge(tmp_path / "study" / "lge", p100, pose=pose, study=study, number=40)
    shutil.copytree(cine, tmp_path / "study" / "cine")
    path = tmp_path / "study"
    if form == "zip":
        path = write_zip(tmp_path / "study.zip", path)
    if form == "DICOMDIR":
        disc = FileSet()
        for file in (p for p in path.rglob("*") if p.is_file() and p.name != "LICENSE"):
            d = pydicom.dcmread(file)
            d.StudyTime = d.StudyTime or "080000"  # a DICOMDIR must have one
            disc.add(d)
        disc.write(tmp_path / "disc")
        path = tmp_path / "disc" / "DICOMDIR"
    stack = read_lge(path)
    _lies_right(stack, p100, pose)
    assert stack.contrast == "magnitude"
    note = words(*stack.notes)
    assert "series 40 of 12 sets" in note and "Also there" not in note
    assert len(find_source(stack)) == len(p100)
    assert stack.sha256 == read_lge(tmp_path / "study" / "lge").sha256


def test_a_long_axis_lge_is_never_taken(tmp_path, picture) -> None:
    study, away = Study(), Pose(FOUR_CHAMBER)
    write_lge(tmp_path / "s" / "lax", picture, study=study, pose=away, number=9, text="LGE 4ch")
    with pytest.raises(InputError, match="do not look like a short-axis stack"):
        read_lge(tmp_path / "s")
    with pytest.raises(InputError, match="do not look like a short-axis stack"):
        read_lge(tmp_path / "s", series="9")
    write_lge(tmp_path / "s" / "sax", picture, study=study, number=4, text="LGE")
    stack = read_lge(tmp_path / "s")
    _lies_right(stack, picture, Pose())
    assert [s.judged.taken_for for s in list_series(tmp_path / "s")] == ["LGE short axis", "LGE long axis"]


def test_long_axis_slices_within_the_series(tmp_path, picture) -> None:
    study = Study()
    write_lge(tmp_path / "s", picture, study=study, series="1.2.3", number=4, text="LGE")
    write_lge(
        tmp_path / "s" / "4ch", picture[:1], study=study, series="1.2.3", number=4, text="LGE", pose=Pose(FOUR_CHAMBER)
    )
    stack = read_lge(tmp_path / "s")
    _lies_right(stack, picture, Pose())
    assert "of 2 sets" in words(stack.notes[0])


@pytest.mark.parametrize(
    ("text", "values", "taken_for"),
    [
        ("sa_cine_tfi", {}, "cine"),
        ("heart", {"CardiacNumberOfImages": 25}, "cine"),
        ("TI scout LGE", {}, "inversion-time scout"),
        ("T1 map MOLLI post", {}, "T1 or T2 map"),
        ("perfusion rest", {}, "perfusion"),
        ("localizer", {}, "localiser"),
        ("STIR sax", {}, "T2-weighted"),
        ("flow AoV", {}, "flow"),
        ("psir", {"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]}, "phase image"),
        ("heart", {"EchoTime": 70}, "T2-weighted"),
        ("EGE sax", {}, "early enhancement"),
    ],
)
def test_what_is_not_lge(tmp_path, picture, text, values, taken_for) -> None:
    def change(_k: int, d: pydicom.Dataset) -> None:
        for keyword, value in values.items():
            setattr(d, keyword, value)

    write_lge(tmp_path / "s", picture, text=text, change=change, number=3)
    (found,) = list_series(tmp_path / "s")
    assert (found.judged.verdict, found.judged.taken_for) == ("other", taken_for)
    with pytest.raises(InputError, match=f"taken for {taken_for}"):
        read_lge(tmp_path / "s")
    if "ImageType" not in values:
        stack = read_lge(tmp_path / "s", series="3")  # the user's word counts, and is recorded
        assert "as asked for, although" in words(stack.notes[0])


def test_how_many_files_were_read_is_told(tmp_path, picture) -> None:
    write_lge(tmp_path / "s", picture)
    (tmp_path / "s" / "notes.txt").write_text("no image")
    told: list[tuple[int, int]] = []
    read_lge(tmp_path / "s", told=lambda done, of: told.append((done, of)))
    assert told == [(number, 7) for number in range(1, 8)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("LGE_SAX", {}),
        ("tfl_psir_10slices", {}),
        ("Spätenhancement KA", {}),
        ("Rehaussement tardif PA", {}),
        ("realce tardío", {}),
        ("DE SAX", {}),
        ("4D heart", {"InversionTime": 280, "ScanningSequence": ["GR", "IR"]}),
        ("PSMDE", {}),
        ("Late enh. SSFP", {"ContrastBolusAgent": "Gd"}),
    ],
)
def test_what_is_lge(tmp_path, picture, text, values) -> None:
    def change(_k: int, d: pydicom.Dataset) -> None:
        d.SpecificCharacterSet, d.SeriesDescription = "ISO_IR 192", text
        for keyword, value in values.items():
            setattr(d, keyword, value)

    write_lge(tmp_path / "s", picture, text="", change=change)
    (found,) = list_series(tmp_path / "s")
    assert found.judged.verdict == "lge", found


def test_one_series_per_slice_is_put_together(tmp_path, picture) -> None:
    study = Study()
    for k, pixels in enumerate(picture):
        place = Pose(origin=Pose().position(k))
        write_lge(tmp_path / "s", pixels[None], study=study, number=10 + k, text=f"LGE sax {k}", pose=place)
    stack = read_lge(tmp_path / "s")
    _lies_right(stack, picture, Pose())
    assert len(list_series(tmp_path / "s")[0].series_uids) == 6


def test_the_same_file_twice_counts_once(tmp_path, picture) -> None:
    paths = write_lge(tmp_path / "s", picture)
    shutil.copy(paths[1], tmp_path / "s" / "copy")
    _lies_right(read_lge(tmp_path / "s"), picture, Pose())
    changed = pydicom.dcmread(paths[1])
    changed.PixelData = bytes(len(changed.PixelData))
    changed.save_as(tmp_path / "s" / "copy")
    with pytest.raises(InputError, match="7 images at 6 positions"):
        read_lge(tmp_path / "s")


# ---------------------------------------------------------------- the rule, and what it cannot decide


def test_the_latest_complete_stack_is_taken(tmp_path, picture) -> None:
    study = Study()
    for number, clock, slices in ((5, "101000", 6), (6, "102500", 6), (7, "104000", 3)):

        def change(_k: int, d: pydicom.Dataset, clock: str = clock) -> None:
            d.AcquisitionDate, d.AcquisitionTime = "20210405", clock

        write_lge(tmp_path / "s", picture[:slices] + number, study=study, number=number, change=change)
    stack = read_lge(tmp_path / "s")
    _lies_right(stack, picture + 6, Pose())
    assert stack.acquired == datetime(2021, 4, 5, 10, 25)
    assert "series 5" in words(stack.notes[0]) and "series 7" in words(stack.notes[0])
    _lies_right(read_lge(tmp_path / "s", series="5"), picture + 5, Pose())
    uid = next(s.series_uids[0] for s in list_series(tmp_path / "s") if s.series_numbers == ("7",))
    assert len(read_lge(tmp_path / "s", series=uid).voxels) == 3


def test_what_no_rule_decides(tmp_path, picture) -> None:
    study = Study()
    write_lge(tmp_path / "tie", picture, study=study, number=5)
    write_lge(tmp_path / "tie" / "b", picture, study=study, number=5)
    with pytest.raises(InputError, match="alike in kind, length, time and number"):
        read_lge(tmp_path / "tie")
    write_lge(tmp_path / "two" / "a", picture)
    write_lge(tmp_path / "two" / "b", picture)
    with pytest.raises(InputError, match="of 2 studies"):
        read_lge(tmp_path / "two")
    with pytest.raises(InputError, match=r"no series of that UID or number \(there are 20\)"):
        read_lge(tmp_path / "two", series="77")
    with pytest.raises(InputError, match="no psir LGE"):
        read_lge(tmp_path / "tie", image="psir")


def test_an_unnamed_stack_beside_cine_is_taken_with_a_word(tmp_path, picture) -> None:
    study = Study()
    write_lge(tmp_path / "s", picture, study=study, number=5, text="heart")
    write_lge(tmp_path / "s", picture, study=study, number=6, text="cine")
    assert "nothing says that it is LGE" in words(read_lge(tmp_path / "s").notes[0])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"LongitudinalTemporalInformationModified": "MODIFIED"}, None),
        ({"codes": ["113100", "113107"]}, None),
        ({"codes": ["113100"]}, None),
        ({"codes": ["113100", "113106"]}, datetime(2020, 3, 3, 8)),
        ({"codes": ["113100"], "LongitudinalTemporalInformationModified": "UNMODIFIED"}, datetime(2020, 3, 3, 8)),
    ],
)
def test_dates_of_de_identified_images(tmp_path, picture, values, expected) -> None:
    def change(_k: int, d: pydicom.Dataset) -> None:
        if stated := values.get("LongitudinalTemporalInformationModified"):
            d.LongitudinalTemporalInformationModified = stated
        items = []
        for code in values.get("codes", ()):
            item = pydicom.Dataset()
            item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, "DCM", "method"
            items.append(item)
        d.DeidentificationMethodCodeSequence = items

    write_lge(tmp_path / "s", picture, change=change)
    stack = read_lge(tmp_path / "s")
    assert stack.acquired == expected
    assert bool(stack.notes) == (expected is None)


def test_two_acquisition_dates_that_differ_are_said(tmp_path, picture) -> None:
    def change(_k: int, d: pydicom.Dataset) -> None:
        d.AcquisitionDateTime, d.AcquisitionDate = "20240704104513", "20250514"

    write_lge(tmp_path / "s", picture, change=change)
    stack = read_lge(tmp_path / "s")
    assert stack.acquired == datetime(2024, 7, 4, 10, 45, 13)
    assert "differ" in words(stack.notes[0])


# ---------------------------------------------------------------- the images behind a stack


@pytest.mark.parametrize("form", ["folder", "zip", "enhanced"])
def test_source_images_in_canonical_order(tmp_path, picture, form) -> None:
    down = Pose(step_mm=-8.0)  # written from base to apex
    if form == "enhanced":
        path = write_enhanced(
            tmp_path / "e", picture[[4, 0, 3, 5, 1, 2]], [4, 0, 3, 5, 1, 2], [MAGNITUDE] * 6, pose=down
        )
    else:
        write_lge(tmp_path / "s", picture, pose=down)
        path = tmp_path / "s" if form == "folder" else write_zip(tmp_path / "s.zip", tmp_path / "s")
    stack = read_lge(path)
    source = find_source(stack, pixels=True)
    found = Source(stack, (), []).frames(stack.voxels)
    for k, (d, frame) in enumerate(source):
        pixels = d.pixel_array if frame is None else d.pixel_array[frame - 1]
        np.testing.assert_array_equal(found[k], pixels)
    assert len({id(d) for d, _ in source}) == (1 if form == "enhanced" else 6)
    light, _ = find_source(stack)[0]
    assert "PixelData" not in light
    assert light.file_meta.TransferSyntaxUID.is_little_endian

    (path if path.is_file() else next(path.iterdir())).unlink()
    with pytest.raises(InputError, match="gone or have changed"):
        find_source(stack)


def test_no_source_for_other_formats(shared_data) -> None:
    stack = read_lge(shared_data / "emidec_native" / "P100" / "P100_img.nii.gz")
    assert stack.sources == () and find_source(stack) == []
    with pytest.raises(InputError, match="in DICOM only"):
        read_lge(shared_data / "emidec_native" / "P100" / "P100_img.nii.gz", image="psir")


# ---------------------------------------------------------------- archives and DICOMDIRs that mean harm


def _zip(path: Path, entries: dict[str, bytes], **kind: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = kind.get(name, 0) << 16
            archive.writestr(entry, data)
    return path


def test_a_zip_may_hold_one_large_file(tmp_path) -> None:
    """A multi-frame image that stays large when it is packed."""
    voxels = np.random.default_rng(0).integers(0, 60000, (12, 700, 700)).astype(np.uint16)
    path = write_enhanced(tmp_path / "E", voxels, list(range(12)), [["ORIGINAL", "PRIMARY", "OTHER", "NONE"]] * 12)
    with zipfile.ZipFile(tmp_path / "E.zip", "w", zipfile.ZIP_STORED) as archive:
        archive.write(path, "E")
    packed, plain = (read_lge(tmp_path / name) for name in ("E.zip", "E"))
    assert packed.voxels.shape == (12, 700, 700) and np.array_equal(packed.voxels, plain.voxels)


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "a/../../evil", "..\\evil", "C:\\evil"])
def test_zip_that_leads_outside(tmp_path, refused, name) -> None:
    refused(_zip(tmp_path / "z.zip", {name: b"x", "IM1": b"y"}), "outside itself")


def test_zip_of_a_file_without_a_name(tmp_path, refused) -> None:
    path = _zip(tmp_path / "z.zip", {"a": b"x", "IM1": b"y"})
    bytes_ = path.read_bytes()
    at = bytes_.index(b"PK\x01\x02")
    nameless = bytes_[at : at + 28] + b"\0\0" + bytes_[at + 30 : at + 46] + bytes_[at + 47 :]
    end = nameless.index(b"PK\x05\x06") + 12
    size = int.from_bytes(nameless[end : end + 4], "little") - 1
    path.write_bytes(bytes_[:at] + nameless[:end] + size.to_bytes(4, "little") + nameless[end + 4 :])
    refused(path, "zip archive")


def test_zip_bomb(tmp_path, refused) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("IM1", "w") as stream:
        for _ in range(80):
            stream.write(bytes(2**20))
    refused(tmp_path / "z.zip", "far more than images do")


def test_zip_that_lies_about_its_sizes(tmp_path, picture, refused) -> None:
    write_lge(tmp_path / "s", picture)
    good = write_zip(tmp_path / "z.zip", tmp_path / "s").read_bytes()
    at = good.index(b"PK\x01\x02") + 24
    for size in (7, 2**31):
        (tmp_path / "z.zip").write_bytes(good[:at] + size.to_bytes(4, "little") + good[at + 4 :])
        refused(tmp_path / "z.zip", "zip archive")
    (tmp_path / "z.zip").write_bytes(good[:-300])
    refused(tmp_path / "z.zip", "damaged")
    (tmp_path / "z.zip").write_bytes(good[:400] + bytes(200) + good[600:])
    refused(tmp_path / "z.zip", "damaged")


def test_zip_that_unpacks_to_more_than_it_says_is_not_unpacked(tmp_path, monkeypatch, refused, at_most_mb) -> None:
    start = bytes(128) + b"DICM\x02\0\0\0UL\x04\0"
    good = _zip(tmp_path / "z.zip", {"IM1": start + bytes(2**26)}).read_bytes()
    for at in (good.index(b"PK\x03\x04") + 22, good.index(b"PK\x01\x02") + 24):
        good = good[:at] + (2**20).to_bytes(4, "little") + good[at + 4 :]
    (tmp_path / "z.zip").write_bytes(good)
    monkeypatch.setattr(files, "_MAX_MEMBER_BYTES", 2**21)
    with at_most_mb(16):
        refused(tmp_path / "z.zip", "damaged")


def test_zip_with_links_and_with_nothing(tmp_path, picture, refused) -> None:
    write_lge(tmp_path / "s", picture)
    entries = {p.name: p.read_bytes() for p in (tmp_path / "s").iterdir()}
    path = _zip(tmp_path / "z.zip", {**entries, "link": b"/etc/passwd"}, link=stat.S_IFLNK | 0o777)
    _lies_right(read_lge(path), picture, Pose())
    refused(_zip(tmp_path / "n.zip", {"notes.txt": b"nothing"}), "holds no DICOM MR images")
    refused(_zip(tmp_path / "e.zip", {}), "holds no DICOM MR images")


@pytest.mark.parametrize(
    "parts", [("..", "s", "IM1"), ("/etc", "passwd"), ("",), ("a/../../x",), ("LINK", "IM1"), (".",)]
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR CS")
def test_dicomdir_that_leads_outside(tmp_path, picture, refused, parts) -> None:
    paths = write_lge(tmp_path / "s", picture)
    shutil.copy(paths[0], tmp_path / "s" / "IM1")
    disc = tmp_path / "disc"
    disc.mkdir()
    (disc / "LINK").symlink_to(tmp_path / "s", target_is_directory=True)
    refused(write_dicomdir(disc, [parts]), "DICOMDIR")


def test_dicomdir_that_lists_nothing_or_what_is_gone(tmp_path, picture, refused) -> None:
    refused(write_dicomdir(tmp_path, [("IMAGES", "IM1")]), "not in its folder")
    refused(write_dicomdir(tmp_path, []), "lists no images")
    paths = write_lge(tmp_path / "images", picture)  # a disc copied in lower case
    for k, path in enumerate(paths):
        path.rename(path.with_name(f"im{k}"))
    _lies_right(read_lge(write_dicomdir(tmp_path, [("IMAGES", f"IM{k}") for k in range(6)])), picture, Pose())


def test_deflated_files_are_refused_unread(tmp_path, picture, refused) -> None:
    def change(_k: int, d: pydicom.Dataset) -> None:
        d.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian

    write_lge(tmp_path / "s", picture, change=change)
    refused(tmp_path / "s", "deflated")


# ---------------------------------------------------------------- the command


def test_lge_verb(tmp_path, picture, capsys) -> None:
    study = Study()
    write_lge(tmp_path / "s", picture, study=study, number=5, text="LGE Mrs Secret-Name psir MAG")
    write_lge(tmp_path / "s", picture, study=study, number=6, text="LGE psir", image_type=PSIR)
    write_lge(tmp_path / "s", picture, study=study, number=7, text="cine sa")
    assert main(["lge", str(tmp_path / "s")]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert [line[:4].strip() for line in lines if line[2:3].isdigit()] == ["5", "* 6", "7"]
    assert "series text says cine" in printed.out and printed.err == ""
    assert not any(word in printed.out for word in HIDDEN) and "Secret" not in printed.out
    assert main(["lge", str(tmp_path / "s"), "--image", "magnitude", "-v"]) == 0
    out = capsys.readouterr().out
    assert "* 5" in out and "1.2.826" in out
    assert main(["lge", "-q", str(tmp_path / "s"), "--series", "99"]) == 2
    assert "no series of that UID or number" in capsys.readouterr().err
