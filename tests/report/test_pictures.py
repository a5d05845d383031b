"""Pictures that steps left: inside the report while there is room, and otherwise named."""

import base64
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from art_training.records import Artifact
from art_training.report.document import Picture, Text
from art_training.report.pictures import Album
from art_training.views.account import KeptPicture


def png(width: int, height: int, noise: bool = False) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels if noise else np.zeros_like(pixels)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def kept(tmp_path):
    def keep(data: bytes, name: str = "sheet.png", note: str = "") -> KeptPicture:
        path = tmp_path / "kept"
        path.write_bytes(data)
        return KeptPicture(Artifact(name, "figure", "0" * 64, len(data), note), path)

    return keep


def test_a_small_picture_is_taken_as_it_is(kept):
    data = png(20, 10)
    taken = Album().take(kept(data, note="digits"), "Overfit")
    assert isinstance(taken, Picture)
    assert (taken.width, taken.height) == (20, 10)
    assert base64.b64decode(taken.url.partition(",")[2]) == data
    assert taken.told == "Picture sheet.png of Overfit: digits"


def test_a_large_picture_is_scaled_down(kept):
    taken = Album().take(kept(png(2400, 300)), "Overfit")
    assert isinstance(taken, Picture)
    assert taken.width == 1400
    assert taken.height == 175


def test_pictures_share_a_budget_and_what_does_not_fit_is_told(kept):
    album = Album(room=60_000)
    blocks = [album.take(kept(png(220, 220, noise=True)), "Overfit") for _ in range(4)]
    assert isinstance(blocks[0], Picture)
    assert isinstance(blocks[-1], Text)
    assert sum(len(one.url) for one in blocks if isinstance(one, Picture)) < 60_000 * 4 / 3 + 1000
    assert len(album.left_out) == sum(isinstance(one, Text) for one in blocks)
    assert "sheet.png of Overfit" in album.left_out[0]


@pytest.mark.parametrize("data", [b"", b"no picture", b"<svg onload='alert(1)'/>", b"\x89PNG\r\n\x1a\n broken"])
def test_what_is_no_picture_is_named_and_not_shown(kept, data):
    assert isinstance(Album().take(kept(data), "Overfit"), Text)


def test_a_picture_that_would_fill_the_memory_is_not_opened(kept):
    size = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    head = b"IHDR" + size
    chunk = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    assert isinstance(Album().take(kept(b"\x89PNG\r\n\x1a\n" + chunk), "Overfit"), Text)


def test_what_is_not_kept_any_more_is_said():
    gone = KeptPicture(Artifact("sheet.png", "figure", "0" * 64, 12), None, "it is not kept any more")
    taken = Album().take(gone, "Overfit")
    assert isinstance(taken, Text)
    assert "not kept any more" in taken.text
