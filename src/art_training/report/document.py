"""What a report is made of: an account in blocks, which every format writes in its own way.

The text of a block is always plain text; `ticks` in it are code. Nothing of it is HTML, Markdown or a script, whatever it holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from markupsafe import Markup

from art_training.report.states import Mark

_SHORT = 32  # characters of a cell
_PAIR, _SIDE_BY_SIDE = 2, 3  # columns


@dataclass(frozen=True)
class Cell:
    """One cell of a table, where its text alone does not say all.

    Attributes:
        text: what it says.
        mark: the state that it shows, if it shows one.
        link: the anchor in this report that it leads to.
        below: further lines, one each.
    """

    text: str
    mark: Mark | None = None
    link: str = ""
    below: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """Rows under named columns; the first column names the row.

    Attributes:
        head: the columns' names.
        rows: as long as `head` each.
        caption: what the table shows.
        numbers: the places of columns that hold numbers.
        strong: places of rows that stand out.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str | Cell, ...], ...]
    caption: str = ""
    numbers: frozenset[int] = frozenset()
    strong: frozenset[int] = frozenset()

    @property
    def long(self) -> frozenset[int]:
        """The places of columns whose text needs room: sentences and settings."""
        return frozenset(
            place for place, _ in enumerate(self.head) if any(_longest(row[place]) > _SHORT for row in self.rows)
        )

    @property
    def stacked(self) -> bool:
        """Whether a narrow screen has too little room for its columns side by side, and shows each row as a block."""
        return len(self.head) > _SIDE_BY_SIDE or (len(self.head) > _PAIR and bool(self.long))


def _longest(cell: "str | Cell") -> int:
    return len(cell) if isinstance(cell, str) else max(map(len, (cell.text, *cell.below)))


@dataclass(frozen=True)
class Text:
    """One paragraph.

    Attributes:
        text: what it says.
        kind: `plain`, `lead`, `note` or `warning`.
    """

    text: str
    kind: str = "plain"


@dataclass(frozen=True)
class Points:
    """Sentences that stand side by side, one line each."""

    points: tuple[str, ...]
    caption: str = ""


@dataclass(frozen=True)
class Code:
    """Lines to type, or to read as they are.

    Attributes:
        text: the lines.
        caption: what they are.
        language: in which they are written.
        folded: whether the page shows them only to who opens them, and paper not at all.
    """

    text: str
    caption: str = ""
    language: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Drawing:
    """A figure drawn from numbers.

    Attributes:
        svg: the picture, as markup that `figures` made.
        caption: what it shows.
        told: what is to be seen in it, for who does not see it.
        table: its numbers, for formats without pictures.
        small: whether two of it stand side by side.
    """

    svg: Markup
    caption: str
    told: str
    table: Table | None = None
    small: bool = False


@dataclass(frozen=True)
class Picture:
    """A picture that a step left.

    Attributes:
        url: its bytes as a data URL, as markup, because it is long and holds nothing but base64.
        width: in pixels.
        height: in pixels.
        caption: what it shows.
        told: for who does not see it.
    """

    url: Markup
    width: int
    height: int
    caption: str
    told: str


Block: TypeAlias = Table | Text | Points | Code | Drawing | Picture


@dataclass(frozen=True)
class Section:
    """A part of the report under a heading of its own.

    Attributes:
        title: the heading.
        anchor: what links to it; unique in the report.
        blocks: what it says.
        parts: the parts that it has.
        mark: the state that its heading shows, if any.
    """

    title: str
    anchor: str
    blocks: tuple[Block, ...] = ()
    parts: "tuple[Section, ...]" = ()
    mark: Mark | None = None


@dataclass(frozen=True)
class Report:
    """A whole report.

    Attributes:
        title: what it is about.
        kind: what kind of report it is, in a few words.
        mark: the state of the whole.
        verdict: one sentence.
        facts: short answers by name, for the head of the first page.
        sections: in the order in which a reviewer reads.
        made: when it was written, in UTC.
        version: of ART, which wrote it.
    """

    title: str
    kind: str
    mark: Mark
    verdict: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    made: datetime
    version: str = field(default="")


def told(*blocks: Block | None) -> tuple[Block, ...]:
    """The blocks that there are."""
    return tuple(block for block in blocks if block is not None)


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str | Cell]],
    caption: str = "",
    *,
    numbers: Sequence[int] = (),
    strong: Sequence[int] = (),
) -> Table | None:
    """A table, where there are rows; a column that is empty in all of them is left out."""
    if not rows:
        return None
    kept = [place for place, _ in enumerate(head) if any(row[place] != "" for row in rows)]
    return Table(
        tuple(head[place] for place in kept),
        tuple(tuple(row[place] for place in kept) for row in rows),
        caption,
        frozenset(at for at, place in enumerate(kept) if place in numbers),
        frozenset(strong),
    )
