"""The arrays of a scene from elsewhere: what is not a case's is refused before it is unpacked."""

from __future__ import annotations

import base64
import zlib

import numpy as np
import pytest

from ScarSegECGPanel.journal import packed, unpacked

SHAPE = (3, 32, 40)
COUNT = int(np.prod(SHAPE))


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


def test_there_and_back() -> None:
    for name, array in case().items():
        again = unpacked(packed(array), COUNT)
        np.testing.assert_array_equal(again, array, err_msg=name)
        assert again.dtype == array.dtype and again.flags.writeable


def zeros(shape: object, size: int, kind: object = "|u1") -> list:
    compressor, content = zlib.compressobj(), b""
    for begin in range(0, size, 2**20):
        content += compressor.compress(bytes(min(2**20, size - begin)))
    return [kind, shape, base64.b64encode(content + compressor.flush()).decode()]


REFUSED = {
    "bomb": lambda: zeros([2**26], 2**26),
    "bomb behind a small shape": lambda: zeros(SHAPE, 2**26),
    "promised": lambda: zeros([2**40], 10),
    "large ECG": lambda: zeros([12, 2**22], 10),
    "negative": lambda: zeros([-1, 2**22], 10),
    "negative twice": lambda: zeros([-1, -10], 10),
    "of nothing": lambda: zeros([0, 2**80], 0),
    "text for a size": lambda: zeros(["x", 2**22], 10),
    "no shape": lambda: zeros(7, 7),
    "too deep": lambda: zeros([1] * 100, 1),
    "objects": lambda: zeros(SHAPE, COUNT, "|O"),
    "records": lambda: zeros(SHAPE, COUNT, [["a", "|u1"]]),
    "wider": lambda: zeros(SHAPE, 16 * COUNT, "<c16"),
    "another size": lambda: zeros([12, 60, 4001], 10),
    "cut off": lambda: zeros(SHAPE, COUNT // 2),
    "other packing": lambda: ["|u1", SHAPE, base64.b64encode(b"PK\x03\x04junk").decode()],
    "no base64": lambda: ["|u1", SHAPE, "a"],
    "nothing": lambda: ["|u1", SHAPE, ""],
    "no array": lambda: None,
    "text": lambda: "abc",
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_a_case_is_refused_unread(what, at_most_mb) -> None:
    saved = REFUSED[what]()
    assert len(str(saved)) < 200_000
    with at_most_mb(4), pytest.raises(ValueError):
        unpacked(saved, COUNT)
