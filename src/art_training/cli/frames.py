"""Tracebacks as their reader needs them: the user's own frames, without those of ART and of its engine."""

import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from traceback import FrameSummary, StackSummary, TracebackException

from art_training.setup.frames import is_ours, is_users

_FOLDED = ("lightning", "lightning_fabric", "pytorch_lightning", "typer")
# How torch calls a layer, a function and an optimiser.
_OF_TORCH = {
    "_call_impl", "_wrapped_call_impl", "__torch_function__", "handle_torch_function", "decorate_context",
    "profile_hook_step", "_use_grad",
}  # fmt: skip


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
    return "".join([*told.format(), _left_out(left_out) if left_out else ""])


def folded_text(text: str) -> str:
    """A traceback that was recorded, whole, as text: without the frames that `folded` leaves out."""
    frames = re.compile(r'  File "(?P<file>[^\n"]+)", line \d+, in (?P<name>[^\n]+)\n(?:    [^\n]*\n)*')
    left_out = 0

    def shown(found: re.Match[str]) -> str:
        nonlocal left_out
        if not _is_folded(FrameSummary(found["file"], 1, found["name"], lookup_line=False)):
            return found[0]
        left_out += 1
        return ""

    if not any(is_users(found["file"]) for found in frames.finditer(text)):
        return text
    cut = frames.sub(shown, text)
    return f"{cut.rstrip()}\n{_left_out(left_out)}" if left_out else cut


def _left_out(count: int) -> str:
    return f"({count} frames of ART, of Lightning and of torch are left out)\n"


def _cut(stack: StackSummary) -> StackSummary:
    frames = [frame for frame in stack if not _is_folded(frame)]
    first = next((index for index, frame in enumerate(frames) if is_users(frame.filename)), 0)
    return StackSummary.from_list(frames[first:])


def _is_folded(frame: FrameSummary) -> bool:
    if is_users(frame.filename):
        return False
    parts = set(Path(frame.filename).parts)
    if "torch" in parts and frame.name in _OF_TORCH:
        return True
    return is_ours(frame.filename) or not parts.isdisjoint(_FOLDED)


def _chain(told: TracebackException) -> Iterator[TracebackException]:
    """The exception with those that it came from."""
    yield told
    for earlier in (told.__cause__, told.__context__):
        if earlier is not None:
            yield from _chain(earlier)
