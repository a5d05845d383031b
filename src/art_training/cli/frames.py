"""Tracebacks as their reader needs them: the user's own frames, without those of ART and of its engine."""

import sys
import sysconfig
import traceback
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from traceback import FrameSummary, StackSummary, TracebackException

_HERE = str(Path(__file__).parent.parent)
_TEMPLATES = str(Path(_HERE, "templates"))
_FOLDED = ("lightning", "lightning_fabric", "pytorch_lightning", "typer")


def is_users(filename: str) -> bool:
    """Whether a frame is of code that the user wrote, as opposed to ART, installed packages and Python itself.

    What is called `<string>` was written by Python: the `__init__` of a dataclass, such as a step or a check.
    """
    if filename.startswith(_TEMPLATES):
        return True
    if filename.startswith(("<frozen", "<string>", _HERE)) or not {"site-packages", "dist-packages"}.isdisjoint(
        Path(filename).parts
    ):
        return False
    return not any(filename.startswith(place) for place in _installed())


def folded(error: BaseException) -> str:
    """The traceback from the user's first frame on, without frames of ART, its engine and its command line.

    Where no frame is the user's, nothing is left out: the fault is then hardly theirs.
    """
    whole = traceback.format_exception(error)
    told = TracebackException.from_exception(error)
    chain = list(_chain(told))
    if not any(is_users(frame.filename) for link in chain for frame in link.stack):
        return "".join([*whole, "\nNo line of yours takes part in this: it may be a fault of ART; please report it.\n"])
    before = sum(len(link.stack) for link in chain)
    for link in chain:
        link.stack = _cut(link.stack)
    left_out = before - sum(len(link.stack) for link in chain)
    more = f"({left_out} frames of ART and of Lightning are left out)\n" if left_out else ""
    return "".join([*told.format(), more])


def _cut(stack: StackSummary) -> StackSummary:
    frames = [frame for frame in stack if not _is_folded(frame)]
    first = next((index for index, frame in enumerate(frames) if is_users(frame.filename)), 0)
    return StackSummary.from_list(frames[first:])


def _is_folded(frame: FrameSummary) -> bool:
    if is_users(frame.filename):
        return False
    parts = set(Path(frame.filename).parts)
    return frame.filename.startswith(_HERE) or not parts.isdisjoint(_FOLDED)


def _chain(told: TracebackException) -> Iterator[TracebackException]:
    """The exception with those that it came from."""
    yield told
    for earlier in (told.__cause__, told.__context__):
        if earlier is not None:
            yield from _chain(earlier)


@cache
def _installed() -> tuple[str, ...]:
    """The folders of Python and of commands such as `art`."""
    paths = sysconfig.get_paths()
    names = ("stdlib", "platstdlib", "scripts")
    return tuple({paths[name] for name in names} | {str(Path(sys.executable).parent)})
