"""Tables of plain text and of HTML, for prompts and notebooks; terminals and pages draw their own."""

import html
import textwrap
from collections.abc import Sequence

_WIDEST = 72


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns side by side under their names; a cell wider than 72 characters goes on in the next line."""
    wrapped = [[textwrap.wrap(cell, _WIDEST) or [""] for cell in row] for row in [head, *rows]]
    widths = [max(len(line) for row in wrapped for line in row[column]) for column in range(len(head))]
    lines: list[str] = []
    for row in wrapped:
        for index in range(max(len(cell) for cell in row)):
            cells = [cell[index] if index < len(cell) else "" for cell in row]
            padded = "  ".join(text.ljust(width) for text, width in zip(cells, widths, strict=True))
            lines.append(padded.rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths).rstrip())
    return "\n".join(lines)


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same as HTML; whatever the cells hold is shown as text."""
    left = "style='text-align:left'"
    names = "".join(f"<th {left}>{html.escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td {left}>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>"
