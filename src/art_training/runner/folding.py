"""Tracebacks as the user needs them: with the user's own frames."""

import traceback
from pathlib import Path
from types import TracebackType

_HERE = str(Path(__file__).parent.parent)
_TEMPLATES = str(Path(_HERE, "templates"))


def fold(error: BaseException) -> None:
    """Take ART's frames out of the traceback of `error` and of its causes, in place."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        current = pending.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        current.__traceback__ = _folded(current.__traceback__)
        pending += [current.__cause__, current.__context__]


def described(error: BaseException) -> str:
    """The whole traceback as text, nothing folded: this is for the record."""
    return "".join(traceback.format_exception(error))


def _folded(trace: TracebackType | None) -> TracebackType | None:
    frames: list[TracebackType] = []
    while trace is not None:
        if not _is_ours(trace.tb_frame.f_code.co_filename):
            frames.append(trace)
        trace = trace.tb_next
    folded: TracebackType | None = None
    for frame in reversed(frames):
        folded = TracebackType(folded, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return folded


def _is_ours(filename: str) -> bool:
    return filename.startswith(_HERE) and not filename.startswith(_TEMPLATES)
