"""A report as Markdown: the same account, with a table of numbers where the page has a figure."""

import re
from collections.abc import Iterator

from art_training.report.document import Block, Cell, Code, Drawing, Picture, Points, Report, Section, Table, Text
from art_training.report.telling import when
from art_training.views.visible import spelled, visible

_TICKED = re.compile(r"`([^`\n]+)`")
_SPECIAL = re.compile(r"[\\*~|`]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|\](?=[(\[:])|!(?=\[)")
_ENTITY = re.compile(r"&(?=[A-Za-z#])")
_BEGINNING = re.compile(r"^(\s*)([-+#>=]|\d+(?=[.)]))")


def as_markdown(report: Report) -> str:
    """The whole file."""
    return "\n\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"# {_text(report.title)}"
    yield f"{report.kind}, written {when(report.made)} by ART {report.version}"
    yield f"{report.mark.sign} **{_text(report.mark.word)}**: {_text(report.verdict)}"
    yield "\n".join(f"- {_text(name)}: {_text(value)}" for name, value in report.facts)
    for section in report.sections:
        yield from _section(section, 2)


def _section(section: Section, level: int) -> Iterator[str]:
    mark = f" ({section.mark.sign} {section.mark.word})" if section.mark else ""
    yield f"{'#' * level} {_text(section.title)}{mark}"
    for block in section.blocks:
        if written := _block(block):
            yield written
    for part in section.parts:
        yield from _section(part, level + 1)


def _block(block: Block) -> str:
    match block:
        case Text():
            return f"**{_text(block.text)}**" if block.kind == "warning" else _paragraph(block.text)
        case Points():
            return "\n".join(f"- {_text(point)}" for point in block.points)
        case Code():
            return _captioned(block.caption, _fenced(block))
        case Table():
            return _captioned(block.caption, _table(block))
        case Drawing():
            return _table_of(block)
        case Picture():
            return f"*{_text(block.caption)} (a picture; `art export` copies it)*"


def _table_of(drawing: Drawing) -> str:
    if drawing.table is None:
        return f"*{_text(drawing.caption)}* {_text(drawing.told)}"
    return _captioned(drawing.caption, _table(drawing.table))


def _captioned(caption: str, body: str) -> str:
    return f"*{_text(caption.rstrip('.'))}*\n\n{body}" if caption else body


def _table(table: Table) -> str:
    rule = ["---:" if place in table.numbers else "---" for place, _ in enumerate(table.head)]
    rows = [[_text(name) for name in table.head], rule, *([_cell(cell) for cell in row] for row in table.rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(cell: str | Cell) -> str:
    if isinstance(cell, str):
        return _text(cell)
    sign = f"{cell.mark.sign} " if cell.mark else ""
    return sign + "<br>".join(_text(line) for line in (cell.text, *cell.below))


def _fenced(code: Code) -> str:
    """A fence longer than any in the text, so that the text cannot end it."""
    longest = max((len(run) for run in re.findall(r"`+", code.text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{code.language}\n{spelled(code.text)}\n{fence}"


def _paragraph(text: str) -> str:
    return _BEGINNING.sub(r"\1\\\2", _text(text))


def _text(text: str) -> str:
    """One line in which nothing is Markdown or HTML; what stands between ticks is code."""
    parts = _TICKED.split(" ".join(visible(text).split()))
    return "".join(_code(part) if place % 2 else _plain(part) for place, part in enumerate(parts))


def _code(text: str) -> str:
    return f"`{text.replace('|', chr(92) + '|')}`"


def _plain(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", _ENTITY.sub("&amp;", text)).replace("<", "&lt;")
