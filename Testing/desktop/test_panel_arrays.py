"""The arrays of a scene from elsewhere: what is not a case's is refused before it is unpacked."""

from __future__ import annotations

import base64
import io
import zipfile

import numpy as np
import pytest

from ScarSegECGPanel.state import packed, unpacked

SHAPE = (3, 32, 40)


def case() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "labels": rng.integers(0, 4, SHAPE).astype(np.uint8),
        "probability": rng.random(SHAPE, np.float32),
        "cavity": rng.random(SHAPE) > 0.5,
        "centres": rng.random((3, 2)),
        "millivolts": rng.random((12, 5000), np.float32),
        "leads": np.ones(12, bool),
    }


def npz(*arrays: tuple[str, dict[str, object], int], method: int = zipfile.ZIP_DEFLATED) -> str:
    """Arrays of zeros as (name, header, bytes)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, header, size in arrays:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                start = io.BytesIO()
                np.lib.format.write_array_header_1_0(start, {"descr": "|u1", "fortran_order": False} | header)
                stream.write(start.getvalue())
                for begin in range(0, size, 2**20):
                    stream.write(bytes(min(2**20, size - begin)))
    return base64.b64encode(buffer.getvalue()).decode()


def test_there_and_back() -> None:
    arrays = case()
    again = unpacked(packed(arrays), SHAPE)
    assert again.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(again[name], array)
        assert again[name].dtype == array.dtype


COUNT = int(np.prod(SHAPE))
REFUSED = {
    "bomb": lambda: npz(("labels", {"shape": (2**26,)}, 2**26)),
    "bomb behind a small header": lambda: npz(("labels", {"shape": SHAPE}, 2**26)),
    "promised": lambda: npz(("labels", {"shape": (2**40,)}, 10)),
    "large ECG": lambda: npz(("millivolts", {"shape": (12, 2**22)}, 10)),
    "negative": lambda: npz(("millivolts", {"shape": (-1, 2**22)}, 10)),
    "too many": lambda: npz(*((f"labels{n}", {"shape": (2,)}, 2) for n in range(65))),
    "twice": lambda: npz(("labels", {"shape": SHAPE}, COUNT), ("labels", {"shape": SHAPE}, COUNT)),
    "objects": lambda: npz(("labels", {"shape": SHAPE, "descr": "|O"}, COUNT)),
    "another size": lambda: npz(("labels", {"shape": (12, 60, 4001)}, 10)),
    "cut off": lambda: npz(("labels", {"shape": SHAPE}, COUNT // 2)),
    "other packing": lambda: npz(("labels", {"shape": SHAPE}, COUNT), method=zipfile.ZIP_LZMA),
    "no archive": lambda: base64.b64encode(b"PK\x03\x04junk").decode(),
    "nothing": lambda: "",
    "no base64": lambda: "a",
}


@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_is_not_a_case_is_refused_unread(what, at_most_mb) -> None:
    text = REFUSED[what]()
    assert len(text) < 200_000
    with at_most_mb(4), pytest.raises(ValueError):
        unpacked(text, SHAPE)
