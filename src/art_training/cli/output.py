"""How results are written: to stdout, for people or for programs."""

import json
import math
import re
import sys
from collections.abc import Mapping
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


def put_json(value: object) -> None:
    """Plain data on stdout."""
    sys.stdout.write(json_text(value))


def json_text(value: object) -> str:
    """Plain data as a file. Numbers that JSON does not know are the strings `nan`, `inf` and `-inf`."""
    return json.dumps(_finite(plain(value)), indent=2, ensure_ascii=False) + "\n"


def mark(state: VerdictState, drawn: "Console") -> str:
    """A sign for a check's answer, of the characters that the output can show."""
    rich_sign, plain_sign = _MARKS[state]
    return rich_sign if drawn.encoding.startswith("utf") else plain_sign


def note(drawn: "Console") -> str:
    """A sign for what is said beside the answers of checks."""
    return "\u00b7" if drawn.encoding.startswith("utf") else "-"


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_finite(item) for item in cast("list[Any]", value)]
    return value
