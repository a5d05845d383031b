"""Tables of plain text and of HTML, for prompts and notebooks; terminals and pages draw their own."""

import html
import shutil
import textwrap
from collections.abc import Sequence

_NARROWEST = 16
_GAP = 2


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns side by side under their names, as wide as the terminal; what does not fit goes on in the next line.

    The width is `COLUMNS`, else the terminal's, else 80; the widest columns give way.
    """
    table = [head, *rows]
    widths = _fitted([max(len(row[column]) for row in table) for column in range(len(head))], terminal_width())
    lines: list[str] = []
    for row in table:
        wrapped = [wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
        for index in range(max(len(cell) for cell in wrapped)):
            cells = [cell[index] if index < len(cell) else "" for cell in wrapped]
            padded = (" " * _GAP).join(text.ljust(width) for text, width in zip(cells, widths, strict=True))
            lines.append(padded.rstrip())
        if row is head:
            lines.append((" " * _GAP).join("-" * width for width in widths).rstrip())
    return "\n".join(lines)


def terminal_width() -> int:
    """How many characters a line has room for."""
    return shutil.get_terminal_size().columns


def wrap(text: str, width: int) -> list[str]:
    """The lines of a text that is too long for one; an empty text is one empty line."""
    return textwrap.wrap(text, width=max(1, width), break_on_hyphens=False) or [""]


def _fitted(widths: list[int], room: int) -> list[int]:
    """The widths of columns beside each other in so much room: the widest are cut to the same, down to a least width."""
    left = room - _GAP * (len(widths) - 1)
    for most in range(max(widths, default=0), _NARROWEST - 1, -1):
        cut = [min(width, most) for width in widths]
        if sum(cut) <= left:
            return cut
    return [min(width, _NARROWEST) for width in widths]


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same as HTML; whatever the cells hold is shown as text."""
    left = "style='text-align:left'"
    names = "".join(f"<th {left}>{html.escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td {left}>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>"
