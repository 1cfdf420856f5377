"""DICOM as it comes from the field: two patients, commas, contradictions, paddings, compressions, many files."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, JPEGLosslessSV1

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Contrast, LgeNote, has
from ScarSegECGLib.lge.dicom_source import find_source
from ScarSegECGLib.lge.read import read_lge


def change_all(folder: Path, change) -> None:
    for k, path in enumerate(sorted(folder.iterdir())):
        d = pydicom.dcmread(path)
        change(k, d)
        d.save_as(path)


def raw(keyword: str, value: bytes, kind: str = "DS"):
    """A change that writes an element's bytes as they are."""

    def change(_k: int, d: FileDataset) -> None:
        tag = pydicom.tag.Tag(pydicom.datadict.tag_for_keyword(keyword))
        value_ = value + b" " * (len(value) % 2)
        d[tag] = pydicom.dataelem.RawDataElement(tag, kind, len(value_), value_, 0, False, True)

    return change


# ---------------------------------------------------------------- one stack, one patient


@pytest.mark.parametrize("keyword", ["PatientID", "PatientName", "PatientBirthDate"])
def test_two_patients_in_one_series_are_refused(tmp_path, write_series, refused, keyword) -> None:
    def change(k: int, d: FileDataset) -> None:
        if k == 2:
            setattr(d, keyword, "19660606" if keyword == "PatientBirthDate" else "OTHER")

    write_series(tmp_path / "s", change=change)
    refused(tmp_path / "s", "several patients")


def test_two_patients_in_series_of_one_slice_each_are_refused(tmp_path, write_series, picture, refused) -> None:
    def change(_k: int, d: FileDataset) -> None:
        d.StudyInstanceUID = d.FrameOfReferenceUID = "1.2.3"
        d.SeriesDescription, d.PatientID = "LGE", "OTHER" if d.InstanceNumber == 1 and k == 3 else "SECRET"

    for k in range(len(picture)):
        write_series(tmp_path / "s", picture[k : k + 1], start=k, change=change)
    refused(tmp_path / "s", "several patients")


def test_one_patient_written_in_two_ways_is_one(tmp_path, write_series, picture) -> None:
    def change(k: int, d: FileDataset) -> None:
        d.PatientName = ("SECRET^NAME", "Secret^Name^^^", "")[k % 3]
        d.PatientBirthDate = ("19500101", "")[k % 2]

    write_series(tmp_path / "s", change=change)
    np.testing.assert_array_equal(read_lge(tmp_path / "s").voxels, picture)


# ---------------------------------------------------------------- numbers


def test_decimal_commas_are_read_and_told(tmp_path, write_series, picture) -> None:
    write_series(tmp_path / "s")
    usual = read_lge(tmp_path / "s")

    def commas(_k: int, d: FileDataset) -> None:
        for keyword in ("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"):
            text = "\\".join(str(x) for x in d[keyword].value).replace(".", ",")
            raw(keyword, text.encode())(0, d)

    change_all(tmp_path / "s", commas)
    stack = read_lge(tmp_path / "s")
    np.testing.assert_allclose(stack.ijk_to_ras, usual.ijk_to_ras)
    assert has(stack.notes, LgeNote.DECIMAL_COMMAS) and not has(usual.notes, LgeNote.DECIMAL_COMMAS)
    first, _ = find_source(stack)[0]
    assert list(first.PixelSpacing) == [1.5, 1.25]


@pytest.mark.parametrize(
    ("keyword", "value", "said"),
    [
        ("PixelSpacing", b"-1.5\\1.25", "pixel spacing"),
        ("PixelSpacing", b"0\\0", "pixel spacing"),
        ("PixelSpacing", b"nan\\1.5", "pixel spacing"),
        ("PixelSpacing", b"abc\\1.5", "pixel spacing"),
        ("PixelSpacing", b"1.5", "pixel spacing"),
        ("ImagePositionPatient", b"inf\\0\\0", "where they lie"),
        ("ImageOrientationPatient", b"1\\0\\0\\0\\1", "where they lie"),
        ("ImageOrientationPatient", b"0\\0\\0\\0\\0\\0", "where they lie"),
    ],
)
def test_the_number_that_is_wrong_is_named(tmp_path, write_series, refused, keyword, value, said) -> None:
    write_series(tmp_path / "s")
    change_all(tmp_path / "s", raw(keyword, value))
    refused(tmp_path / "s", said)


# ---------------------------------------------------------------- pixels


def test_colour_by_palette_is_no_grey(tmp_path, write_series, refused) -> None:
    write_series(tmp_path / "s", change=lambda _k, d: setattr(d, "PhotometricInterpretation", "PALETTE COLOR"))
    refused(tmp_path / "s", "colour")


@pytest.mark.parametrize(("stored", "high"), [(12, 15), (16, 11), (32, 31), (12, 12)])
def test_bits_that_contradict_each_other(tmp_path, write_series, refused, stored, high) -> None:
    def change(_k: int, d: FileDataset) -> None:
        d.BitsStored, d.HighBit = stored, high

    write_series(tmp_path / "s", change=change)
    refused(tmp_path / "s", "contradict themselves")


def test_more_bits_than_are_granted(tmp_path, write_series, picture, refused) -> None:
    def change(_k: int, d: FileDataset) -> None:
        d.BitsStored, d.HighBit = 12, 11

    write_series(tmp_path / "s", change=change)
    refused(tmp_path / "s", "larger pixel values")
    small = (picture % 4096).astype(np.uint16)
    shutil.rmtree(tmp_path / "s")
    write_series(tmp_path / "s", small, change=change)
    np.testing.assert_array_equal(read_lge(tmp_path / "s").voxels, small)


def test_signed_pixels_of_twelve_bits(tmp_path, write_series, picture) -> None:
    signed = (picture % 4096).astype(np.int32) - 2048

    def change(_k: int, d: FileDataset) -> None:
        d.BitsStored, d.HighBit, d.PixelRepresentation = 12, 11, 1

    for mask in (0xFFFF, 0x0FFF):  # upper bits as the sign says, or left empty
        shutil.rmtree(tmp_path / "s", ignore_errors=True)
        write_series(tmp_path / "s", (signed & mask).astype(np.uint16), change=change)
        np.testing.assert_array_equal(read_lge(tmp_path / "s").voxels, signed)


@pytest.mark.parametrize("end", [None, -990])
def test_padding_is_no_data(tmp_path, write_series, picture, end) -> None:
    values = picture.astype(np.int16) + 100
    values[:, :10] = -1000

    def change(_k: int, d: FileDataset) -> None:
        d.PixelRepresentation, d.PixelPaddingValue = 1, -1000
        d.RescaleSlope, d.RescaleIntercept = 2, 5
        if end is not None:
            d.PixelPaddingRangeLimit = end

    write_series(tmp_path / "s", values.view(np.uint16), change=change)
    stack = read_lge(tmp_path / "s")
    assert (stack.voxels[:, :10] == 0).all() and stack.contrast is Contrast.MAGNITUDE
    np.testing.assert_array_equal(stack.voxels[:, 10:], picture[:, 10:] * 2.0 + 205)


def test_modality_lookup_table(tmp_path, write_series, picture) -> None:
    table = np.random.default_rng(0).permutation(picture.size).astype(np.uint16)

    def change(_k: int, d: FileDataset) -> None:
        item = Dataset()
        item.LUTDescriptor, item.ModalityLUTType, item.LUTData = [table.size, 0, 16], "US", table.tobytes()
        item["LUTDescriptor"].VR, item["LUTData"].VR = "US", "OW"
        d.ModalityLUTSequence = Sequence([item])

    write_series(tmp_path / "s", change=change)
    np.testing.assert_array_equal(read_lge(tmp_path / "s").voxels, table[picture])


# ---------------------------------------------------------------- contrast


def contrast_of(tmp_path: Path, write_series, voxels: np.ndarray, kind: list[str]):
    def change(_k: int, d: FileDataset) -> None:
        d.PixelRepresentation, d.ImageType = 1, kind

    shutil.rmtree(tmp_path / "s", ignore_errors=True)
    write_series(tmp_path / "s", voxels.astype(np.int16).view(np.uint16), change=change)
    stack = read_lge(tmp_path / "s")
    return stack.contrast, {note.code for note in stack.notes}


def test_the_header_says_the_contrast_before_values_do(tmp_path, write_series, picture) -> None:
    signed = picture.astype(np.int32) - 4000
    one = picture.copy().astype(np.int32)
    one[0, 0, 0] = -1
    said, silent = ["ORIGINAL", "PRIMARY", "M", "ND"], ["ORIGINAL", "PRIMARY", "OTHER"]
    psir = ["DERIVED", "PRIMARY", "PSIR"]
    for voxels, kind, contrast, notes in (
        (one, said, Contrast.MAGNITUDE, set()),
        (one, silent, Contrast.MAGNITUDE, {LgeNote.CONTRAST_UNMARKED}),
        (signed, said, Contrast.MAGNITUDE, {LgeNote.CONTRAST_DISPUTED}),
        (signed, silent, Contrast.PSIR, {LgeNote.CONTRAST_FROM_VALUES}),
        (signed, psir, Contrast.PSIR, set()),
        (one, psir, Contrast.PSIR, set()),
    ):
        assert contrast_of(tmp_path, write_series, voxels, kind) == (contrast, notes)


# ---------------------------------------------------------------- encodings


def test_big_endian(tmp_path, write_series, picture) -> None:
    for path in write_series(tmp_path / "s"):
        d = pydicom.dcmread(path)
        pixels = d.pixel_array.astype(">u2")
        d.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        d.PixelData = pixels.tobytes()
        pydicom.dcmwrite(path, d, little_endian=False, implicit_vr=False)
    np.testing.assert_array_equal(read_lge(tmp_path / "s").voxels, picture)


def test_jpeg_lossless(tmp_path, write_series, picture) -> None:
    """The compression that archives hold most; read by the extra ``jpeg``."""
    gdcm = pytest.importorskip("gdcm")
    for path in write_series(tmp_path / "s"):
        reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
        reader.SetFileName(str(path))
        assert reader.Read()
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer.SetFileName(str(path))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == JPEGLosslessSV1
    np.testing.assert_array_equal(read_lge(tmp_path / "s").voxels, picture)


# ---------------------------------------------------------------- folders


def test_a_sub_folder_that_may_not_be_read_is_refused(tmp_path, write_series, picture, refused, monkeypatch) -> None:
    write_series(tmp_path / "s" / "a", picture[:4])
    write_series(tmp_path / "s" / "b", picture[4:], start=4)
    scan = os.scandir

    def forbidden(path):
        if str(path).endswith("b"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", forbidden)
    refused(tmp_path / "s", "sub-folder may not be read")


def test_names_that_are_no_text(tmp_path, write_series, picture) -> None:
    folder = Path(str(tmp_path) + "/M\udcfcller")
    for path in write_series(folder):
        path.rename(path.with_name(path.name + "\udcff"))
    np.testing.assert_array_equal(read_lge(folder).voxels, picture)


def test_a_file_is_opened_a_fixed_number_of_times(tmp_path, write_series, picture, monkeypatch) -> None:
    """What ten thousand files cost grows with their number, not with its square."""
    write_series(tmp_path / "s")
    opened, usual = [], Path.open

    def counted(path: Path, *args: object, **keys: object):
        opened.append(path)
        return usual(path, *args, **keys)

    monkeypatch.setattr(Path, "open", counted)
    read_lge(tmp_path / "s")
    assert len(opened) <= 4 * len(picture)  # what it is, header, pixels, hash


# ---------------------------------------------------------------- field cases


def test_field_cases(shared_data, tmp_path) -> None:
    cases = shared_data / "field_cases"
    commas = read_lge(cases / "11-comma-decimals" / "lge.zip")
    assert commas.spacing[1:] == pytest.approx((1.4, 1.4)) and has(commas.notes, LgeNote.DECIMAL_COMMAS)
    with zipfile.ZipFile(cases / "08-charset-ir87" / "lge.zip") as archive:
        archive.extractall(tmp_path)
    first, _ = find_source(read_lge(tmp_path))[0]
    assert first.PatientName == "Yamada^Tarou=山田^太郎=やまだ^たろう"
    assert first.SpecificCharacterSet == "ISO_IR 192"
    assert len(read_lge(cases / "09-series-per-slice" / "lge.zip").voxels) == 10


def test_images_of_one_uid_cannot_be_referred_to(tmp_path, write_series) -> None:
    write_series(tmp_path / "s", change=lambda _k, d: setattr(d, "SOPInstanceUID", "1.2.3.4"))
    stack = read_lge(tmp_path / "s")  # can be measured all the same
    with pytest.raises(InputError, match="carry one SOP Instance UID"):
        find_source(stack)
