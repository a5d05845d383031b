"""What a page of runs shows, as its address says it: an address that is sent to a colleague shows the same."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, Self
from urllib.parse import urlencode

from art_training.errors import UsageError
from art_training.records import StepState
from art_training.stores import Where
from art_training.views.table import MOST_ROWS, TableQuery

ROWS = 50
LOOKS = ("table", "points", "lines")
Look = Literal["table", "points", "lines"]

_SEVERAL = ("state", "where", "column", "axis", "run")


@dataclass(frozen=True)
class Asked:
    """Which runs of a project are shown, and how; every attribute is a name in the address, and absent where it is empty.

    Attributes:
        project: whose.
        step: only this step's; empty for those of all steps.
        look: as what they are drawn.
        search: text that they have.
        state: only runs that stand so.
        where: conditions that they meet, as `Where` writes them.
        sort: a column's key; empty: by start.
        up: `yes` where the smallest come first.
        group: a column's key, by whose values they are counted.
        page: of the table, from 1.
        rows: on a page.
        column: keys of the columns; empty: those that tell the runs apart.
        x: what stands on the horizontal axis; empty: what tells most.
        y: what stands on the vertical axis.
        color: what colours points and lines; empty: the state.
        axis: keys of the axes of lines.
        run: those that are picked, to be compared.
    """

    project: str
    step: str = ""
    look: Look = "table"
    search: str = ""
    state: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    sort: str = ""
    up: str = ""
    group: str = ""
    page: int = 1
    rows: int = ROWS
    column: tuple[str, ...] = ()
    x: str = ""
    y: str = ""
    color: str = ""
    axis: tuple[str, ...] = ()
    run: tuple[str, ...] = field(default=())

    @classmethod
    def read(cls, pairs: Iterable[tuple[str, str]]) -> Self:
        """What an address asks for; names that it does not know are left aside, and so is what is no number or no look."""
        found: dict[str, list[str]] = {}
        for name, value in pairs:
            found.setdefault(name, []).append(value)
        made: dict[str, Any] = {}
        for name, values in found.items():
            if name in _SEVERAL:
                made[name] = tuple(dict.fromkeys(values))
            elif name in {"page", "rows"}:
                made[name] = _count(values[-1], ROWS if name == "rows" else 1)
            elif name == "look":
                made[name] = values[-1] if values[-1] in LOOKS else "table"
            elif name in cls.__dataclass_fields__:
                made[name] = values[-1]
        made.setdefault("project", (found.get("name") or [""])[-1])
        made["rows"] = min(made.get("rows", ROWS), MOST_ROWS)
        return cls(**made)

    @property
    def address(self) -> str:
        """Where a page shows this."""
        pairs: list[tuple[str, str]] = []
        for one in fields(self):
            value = getattr(self, one.name)
            if value == one.default:
                continue
            pairs += [(one.name, text) for text in value] if isinstance(value, tuple) else [(one.name, str(value))]
        return f"/step?{urlencode(pairs)}"

    def query(self) -> TableQuery:
        """The same, as a view is asked.

        Raises:
            UsageError: a column, a condition or a state is none.
        """
        unknown = [state for state in self.state if state not in set(StepState)]
        if unknown:
            raise UsageError(f"{unknown[0]!r} is no state of a run; there are: {', '.join(StepState)}")
        return TableQuery(
            project=self.project,
            step=self.step or None,
            states=tuple(StepState(state) for state in self.state),
            search=self.search,
            where=tuple(Where.parse(text) for text in self.where),
            sort=self.sort,
            descending=not self.up,
            page=self.page - 1,
            size=self.rows,
            group_by=self.group,
        )

    def but(self, **changes: Any) -> Self:
        """The same with changes; what chooses other runs begins again at the first page."""
        first: dict[str, Any] = {} if set(changes) <= {"page", "column", "run", "look"} else {"page": 1}
        return replace(self, **first | changes)

    def with_picked(self, run: str, picked: bool) -> Self:
        """The same with a run picked, or no more."""
        rest = tuple(one for one in self.run if one != run)
        return replace(self, run=(*rest, run) if picked else rest)

    def sorted_by(self, key: str) -> Self:
        """As after a click on a heading: the largest first, then the smallest, then as at the beginning."""
        if (self.sort or "started") != key:
            return self.but(sort=key, up="")
        if not self.up:
            return self.but(sort=key, up="yes")
        return self.but(sort="", up="")


def _count(text: str, otherwise: int) -> int:
    """A number of an address; Python refuses to read one of thousands of digits."""
    return (int(text) if text.isdecimal() and len(text) < 10 else 0) or otherwise
