"""Result folders with files cut off, and pictures made to fill the memory."""

from __future__ import annotations

import io
import shutil
import struct
import zlib
from pathlib import Path

import pytest
from dicom_case import DicomCase
from PIL import Image

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.result_folder import read_result
from ScarSegECGLib.report.pdf import on_white


@pytest.mark.parametrize(
    "name", ["labels.nii.gz", "aha17.nii.gz", "scar_probability.nii.gz", "scar_probability_image_only.nii.gz"]
)
@pytest.mark.parametrize("kept", [0.5, 0.95])
def test_an_image_that_is_cut_off_is_refused(case: DicomCase, tmp_path: Path, name: str, kept: float) -> None:
    folder = shutil.copytree(case.folder, tmp_path / "result")
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(InputError, match="cut off or damaged"):
        read_result(folder, case.stack)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int) -> bytes:
    """One bit per pixel; 8 rows of data, whatever the height."""
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    data = zlib.compress(bytes(1 + (width + 7) // 8) * 8, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(12000, 7000), (2**25 + 1, 1), (20000, 20000)])
def test_a_picture_that_unpacks_to_much_is_refused_unread(monkeypatch, width: int, height: int) -> None:
    def unpack(*_arguments: object) -> None:
        raise AssertionError("its pixels were read")

    monkeypatch.setattr(Image.Image, "convert", unpack)
    with pytest.raises(InputError, match="too large|damaged"):
        on_white(png(width, height))


def test_usual_and_damaged_pictures() -> None:
    buffer = io.BytesIO()
    Image.new("RGBA", (30, 20), (255, 0, 0, 128)).save(buffer, "PNG", dpi=(150, 150))
    flat = on_white(buffer.getvalue())
    assert (flat.size, flat.mode) == ((30, 20), "RGB")
    assert flat.info["dpi"][0] == pytest.approx(150, abs=0.1)
    assert flat.getpixel((3, 3)) == pytest.approx((255, 127, 127), abs=1)
    for content in (b"", b"no picture", buffer.getvalue()[:60]):
        with pytest.raises(InputError, match="damaged"):
            on_white(content)
