"""Pictures that steps left, inside the report: as they are while there is room, else scaled down, else named and left out."""

import base64
import io
import struct
from dataclasses import dataclass, field

from markupsafe import Markup

from art_training.report.document import Block, Picture, Text
from art_training.views.account import KeptPicture
from art_training.views.visible import name as named
from art_training.views.wording import size

_BUDGET_BYTES = 1_100_000  # of all pictures together, before base64 adds a third
_LARGEST_BYTES = 130_000  # of one; a larger one is scaled down
_WIDEST_PIXELS = 1400
_MOST_PIXELS = 40_000_000  # of what is opened to be scaled: more is a mistake or meant to harm
_KINDS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


@dataclass
class Album:
    """Takes pictures in the order of their importance, as long as there is room.

    Attributes:
        room: bytes that are left.
        left_out: what could not be taken, a sentence each.
    """

    room: int = _BUDGET_BYTES
    left_out: list[str] = field(default_factory=list[str])

    def take(self, kept: KeptPicture, of: str) -> Block:
        """The picture as a block; where it cannot be taken, a note that says why.

        Args:
            kept: the picture.
            of: the step that left it.
        """
        artifact = kept.artifact
        try:
            taken = _small(_bytes(kept), min(self.room, _LARGEST_BYTES))
        except (_Unusable, OSError) as reason:
            why = f"the picture {named(artifact.name)} of {named(of)} ({size(artifact.bytes)}) is not shown: {reason}"
            self.left_out.append(why)
            return Text(why, "note")
        self.room -= len(taken.bytes)
        url = Markup(f"data:{taken.kind};base64,{base64.b64encode(taken.bytes).decode()}")  # noqa: S704  No sign of markup.
        said = artifact.note or artifact.name
        return Picture(
            url,
            taken.width,
            taken.height,
            f"{named(artifact.name)}: {said}",
            f"Picture {artifact.name} of {of}: {said}",
        )


class _Unusable(Exception):
    """Why a picture cannot be shown; a clause."""


def _bytes(kept: KeptPicture) -> bytes:
    if kept.path is None:
        raise _Unusable(kept.why)
    return kept.path.read_bytes()


@dataclass(frozen=True)
class _Taken:
    bytes: bytes
    kind: str
    width: int
    height: int


def _small(data: bytes, most: int) -> _Taken:
    """The picture in at most so many bytes: its own where they fit and tell what they are, else fewer pixels and colours."""
    kind = next((kind for begin, kind in _KINDS.items() if data.startswith(begin)), "")
    pixels = _png_size(data) if kind == "image/png" else None
    if pixels is not None and len(data) <= most and pixels[0] <= _WIDEST_PIXELS:
        return _Taken(data, kind, *pixels)
    return _scaled(data, most)


def _png_size(data: bytes) -> tuple[int, int] | None:
    return struct.unpack(">II", data[16:24]) if len(data) >= 24 and data[12:16] == b"IHDR" else None


def _scaled(data: bytes, most: int) -> _Taken:
    try:
        from PIL import Image
    except ImportError:
        raise _Unusable("it is too large for the report, and Pillow, which scales it, is not installed") from None
    try:
        with Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "WEBP", "GIF"]) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                raise _Unusable(f"it has {opened.width} x {opened.height} pixels")
            whole = opened.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _Unusable(f"it cannot be read ({type(error).__name__})") from None
    for width in (_WIDEST_PIXELS, 1000, 700, 500):
        picture = whole.copy()
        picture.thumbnail((width, 4 * width))
        for colours in (256, 64):
            buffer = io.BytesIO()
            picture.quantize(colours).save(buffer, "PNG", optimize=True)
            if buffer.tell() <= most:
                return _Taken(buffer.getvalue(), "image/png", *picture.size)
    raise _Unusable(f"no room is left for it ({size(max(0, most))})")
