"""How results are written: to stdout, for people or for programs."""

import json
import math
import re
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO, cast

from art_training.records import StepState, VerdictState, plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

STYLES: Mapping[str, str] = {
    StepState.PASSED: "green",
    StepState.FAILED: "red",
    StepState.ERRORED: "bold red",
    StepState.NOT_JUDGED: "yellow",
    StepState.UNCHECKED: "yellow",
    StepState.INTERRUPTED: "magenta",
    StepState.RUNNING: "cyan",
    StepState.NOT_RUN: "dim",
}
_BLANKS = re.compile(r" +(?=\n)")
_MARKS = {
    VerdictState.PASSED: "✓+",
    VerdictState.FAILED: "✗x",
    VerdictState.ERRORED: "!!",
    VerdictState.NOT_JUDGED: "??",
}


def console(file: TextIO | None = None) -> "Console":
    """For people. Colours only on a terminal, and never against NO_COLOR; 80 columns where the width is unknown."""
    from rich.console import Console

    return Console(
        file=cast("TextIO", _Trimmed(file or sys.stdout)), highlight=False, markup=False, emoji=False, soft_wrap=False
    )


class _Trimmed:
    """A text file without the blanks that fill the last column of a table: what is piped is copied and compared."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(_BLANKS.sub("", text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def table(*columns: str) -> "Table":
    """A table without frames: narrow, and easy to copy."""
    from rich.table import Table

    drawn = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False, header_style="bold")
    for name in columns:
        drawn.add_column(name, overflow="fold", no_wrap=False)
    return drawn


def shortened(text: str, width: int) -> str:
    """A text that fits a line of so many characters; cut between clauses or words, where one ends in its second half."""
    if len(text) <= width:
        return text
    head = text[: max(0, width - 3)]
    for end in ("; ", ", ", " "):
        at = head.rfind(end)
        if at >= width // 2:
            return f"{head[:at]}{'' if end == ' ' else end[0]}..."
    return f"{head.rstrip()}..."


def put_json(value: object) -> None:
    """Plain data on stdout. Numbers that JSON does not know are the strings `nan`, `inf` and `-inf`."""
    sys.stdout.write(json.dumps(_finite(plain(value)), indent=2, ensure_ascii=False) + "\n")


def mark(state: VerdictState, drawn: "Console") -> str:
    """A sign for a check's answer, of the characters that the output can show."""
    rich_sign, plain_sign = _MARKS[state]
    return rich_sign if drawn.encoding.startswith("utf") else plain_sign


def note(drawn: "Console") -> str:
    """A sign for what is said beside the answers of checks."""
    return "\u00b7" if drawn.encoding.startswith("utf") else "-"


def duration(seconds: float | None) -> str:
    """A time as a person says it: `0.4 s`, `31 s`, `2 min 5 s`, `3 h 12 min`."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(count: float) -> str:
    """A number of bytes as a person reads it."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def when(moment: datetime | None) -> str:
    """A time in the reader's time zone."""
    return "" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M}"


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_finite(item) for item in cast("list[Any]", value)]
    return value
