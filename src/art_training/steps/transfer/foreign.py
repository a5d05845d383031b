"""What a file that holds no weights seems to be, told by its first bytes."""

from pathlib import Path

from art_training.errors import SetupError

_LOOKED_AT = 4096  # bytes; enough for whatever a format begins with
_SHOWN = 40

_LFS = b"version https://git-lfs.github.com"
_PAGES = (b"<!doctype", b"<html", b"<?xml")
_BEGINNINGS = {
    b"\x89HDF\r\n\x1a\n": "an HDF5 file, as Keras writes: load it there, and save its arrays as tensors by name",
    b"\x1f\x8b": "compressed by gzip: unpack it first",
    b"\x93NUMPY": "one NumPy array: save tensors by name",
}


def require_weights(path: Path, said: str) -> None:
    """Refuse a file whose first bytes tell that it holds no weights.

    Args:
        path: of the file.
        said: how a sentence calls it.

    Raises:
        SetupError: with what the file seems to be, and the remedy.
    """
    kind = seems(path)
    if kind:
        raise SetupError(f"{said} holds no weights: it is {kind}")


def seems(path: Path) -> str:
    """What a file is taken for and what to do about it, as a part of a sentence; empty where it may well hold weights."""
    with path.open("rb") as file:
        head = file.read(_LOOKED_AT)
    if not head:
        return "an empty file, as a download or a saving that was broken off leaves: fetch or save it again"
    if head.startswith(_LFS):
        return "a pointer of Git LFS in place of the file: type `git lfs pull`"
    if head.lstrip().lower().startswith(_PAGES):
        return "a web page, as a download leaves that failed or asked for a login: fetch the file itself"
    for beginning, said in _BEGINNINGS.items():
        if head.startswith(beginning):
            return said
    text = _text(head)
    if text:
        line = text.strip().partition("\n")[0]
        shown = line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."
        return f"a text that begins with {shown!r}: give the file that the weights were saved in"
    return ""


def _text(head: bytes) -> str:
    """The bytes as text; empty where they are none, as those of numbers never are for long."""
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # a character may be cut at the end of what was read
            return ""
        text = head[: error.start].decode()
    return text if all(one.isprintable() or one.isspace() for one in text) else ""
