"""Curves in one picture: lines of one run or of several, live, zoomed by a drag, with more points where one looks closer."""

import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self, cast

from nicegui import events
from nicegui.element import Element
from nicegui.elements import echart

from art_training.records import Split
from art_training.records.counted import counted
from art_training.records.labels import without_seed
from art_training.views import PointsRow
from art_training.views.visible import spelled

SMOOTHINGS = (0.0, 0.6, 0.9, 0.97)
COLOURS = 8  # of the palette
_DASHES = {Split.TRAIN: 0, Split.VALIDATION: 1, Split.TEST: 2}
_BETWEEN = "\n"  # names in an address
_EPOCH = "_epoch"  # behind the name of what is a mean over each epoch


@dataclass(frozen=True)
class Look:
    """How curves are looked at; a part of the address of a page.

    Attributes:
        log: whether values stand on a log scale; None where they span decades.
        smooth: share of the mean so far in a smoothed line, in 0..1; 0 smooths nothing.
        first: only steps from this one on.
        last: only steps up to this one.
        hide: names of lines, of their groups, or labels in all groups, that are not drawn.
        also: labels that are drawn though there are too many lines to draw them at first.
    """

    log: bool | None = None
    smooth: float = 0.0
    first: int | None = None
    last: int | None = None
    hide: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    @classmethod
    def asked(cls, query: Mapping[str, str]) -> Self:
        """As an address asks for it; what makes no sense in it is left out."""
        first, last = (_whole(query.get(name, "")) for name in ("from", "to"))
        if first is not None and last is not None and first >= last:
            first = last = None
        smooth = next((one for one in SMOOTHINGS if f"{one:g}" == query.get("smooth")), 0.0)
        hide, also = (_names(query.get(name, "")) for name in ("hide", "also"))
        return cls({"1": True, "0": False}.get(query.get("log", "")), smooth, first, last, hide, also)

    @property
    def query(self) -> dict[str, str]:
        """What an address says of it."""
        said = {
            "log": "" if self.log is None else str(int(self.log)),
            "smooth": f"{self.smooth:g}" if self.smooth else "",
            "hide": _BETWEEN.join(self.hide),
            "also": _BETWEEN.join(self.also),
        }
        steps = {"from": self.first, "to": self.last}
        return {name: text for name, text in said.items() if text} | {
            name: str(step) for name, step in steps.items() if step is not None
        }

    @property
    def is_zoomed(self) -> bool:
        """Whether a part of the steps is shown."""
        return self.first is not None or self.last is not None


@dataclass(frozen=True)
class Line:
    """One line of a picture.

    Attributes:
        key: what tells it from the others of its picture.
        name: what it is called alone.
        group: the training or the run that it belongs to; lines of one have one colour.
        label: what it is within its group: its split.
        colour: of the palette; from `COLOURS` on told apart by marks.
        dash: solid for train, dashed for validation, dotted for test.
        fine: whether it has a value of each step beside a line of the same that has means over epochs: it is drawn thin.
        row: its points.
        detail: more points of the steps that are shown, where `row` leaves some out.
    """

    key: str
    name: str
    group: str
    label: str
    colour: int
    dash: int
    fine: bool
    row: PointsRow
    detail: PointsRow | None = None


def lines_of(
    runs: Mapping[str, Sequence[PointsRow]], details: Mapping[tuple[str, str], PointsRow] | None = None
) -> dict[str, list[Line]]:
    """The lines of each picture, by its panel, in the order of the curves.

    Args:
        runs: the curves of each run, by what the run is called; of one run alone, by an empty text.
        details: more points of some, by run and name.
    """
    panels: dict[str, list[tuple[str, PointsRow]]] = {}
    for run, rows in runs.items():
        for row in rows:
            panels.setdefault(row.panel, []).append((run, row))
    colours = _colours(dict.fromkeys(_group(run, row) for run in runs for row in runs[run]))
    return {panel: _lines(found, colours, details or {}) for panel, found in panels.items()}


def _colours(groups: Iterable[str]) -> dict[str, int]:
    """A colour for each group; where there are too many for that one for each setup, whose seeds differ in their marks."""
    alone = list(groups)
    if len(alone) <= COLOURS:
        return {group: at for at, group in enumerate(alone)}
    setups: dict[str, list[str]] = {}
    for group in alone:
        setups.setdefault(without_seed(group), []).append(group)
    seeds = max(map(len, setups.values()), default=1)
    return {
        group: at % COLOURS + COLOURS * (at // COLOURS * seeds + place)
        for at, alike in enumerate(setups.values())
        for place, group in enumerate(alike)
    }


def _lines(
    found: Sequence[tuple[str, PointsRow]],
    colours: Mapping[str, int],
    details: Mapping[tuple[str, str], PointsRow],
) -> list[Line]:
    alone = len({_group(run, row) for run, row in found}) == 1
    names = {(run, row.name) for run, row in found}
    made: list[Line] = []
    for at, (run, row) in enumerate(found):
        group, label = _group(run, row), _label(row)
        made.append(
            Line(
                key=f"{run}\n{row.name}",
                name=spelled(label if alone else f"{group}, {label}"),
                group=spelled(group),
                label=spelled(label),
                colour=at if alone else colours[group],
                dash=_DASHES[row.split] if row.split else 0,
                fine=(run, f"{row.name}{_EPOCH}") in names,
                row=row,
                detail=details.get((run, row.name)),
            )
        )
    return made


@dataclass(eq=False)
class CurvePanel:
    """One picture. Of what it shows already it sends nothing again.

    Attributes:
        element: in the browser.
        look: how it is looked at.
    """

    element: Element
    look: Look
    _lines: dict[str, Line] = field(default_factory=dict[str, Line])
    _numbers: dict[str, int] = field(default_factory=dict[str, int])
    _ready: bool = False

    def show(self, lines: Sequence[Line]) -> None:
        """Show these lines, and only these, in this order."""
        given = {line.key: line for line in lines}
        before, self._lines = self._lines, given
        for key in given:
            self._numbers.setdefault(key, len(self._numbers))
        if self._ready and before != given:
            self._feed(
                [(line, before.get(key)) for key, line in given.items()], [key for key in before if key not in given]
            )

    def look_so(self, look: Look) -> None:
        """Look at them so."""
        if look == self.look:
            return
        self.look = look
        if self._ready:
            self.element.run_method("show", _told(look))

    def begin(self) -> None:
        """Send everything: the browser has just made its part of it."""
        self._ready = True
        self.element.run_method("show", _told(self.look))
        self._feed([(line, None) for line in self._lines.values()], [])

    def _feed(self, lines: Sequence[tuple[Line, Line | None]], gone: Sequence[str]) -> None:
        sent = [self._sent(line, before) for line, before in lines if line != before]
        note = _note([line.detail or line.row for line in self._lines.values()])
        self.element.run_method("feed", {"lines": sent, "gone": [self._numbers[key] for key in gone], "note": note})

    def _sent(self, line: Line, before: Line | None) -> dict[str, Any]:
        shared = 0 if before is None else _shared(before.row, line.row)
        steps, values = line.row.steps[shared:], line.row.values[shared:]
        detail = line.detail and {
            "first": self.look.first,
            "last": self.look.last,
            "steps": line.detail.steps,
            "values": [_finite(value) for value in line.detail.values],
        }
        return {
            "line": self._numbers[line.key],
            "about": {name: getattr(line, name) for name in ("name", "group", "label", "colour", "dash", "fine")},
            "from": (steps[0] if steps else line.row.steps[-1] + 1) if shared else None,
            "steps": steps,
            "values": [_finite(value) for value in values],
            "detail": detail,
        }


def curve_panel(
    title: str,
    look: Look,
    on_range: Callable[[int | None, int | None], Awaitable[None]] | None = None,
    on_lines: Callable[[tuple[str, ...], tuple[str, ...]], Awaitable[None]] | None = None,
) -> CurvePanel:
    """An empty picture in the element that is open; `show` gives it lines.

    Args:
        title: what stands on its axis; any text.
        look: how it is looked at first.
        on_lines: is told the names that a visitor hid, and the labels that were shown besides.
        on_range: is told the steps, both included, that a visitor chose to see; None and None for all of them.
    """
    element = _Picture()
    element.props["title"] = spelled(title)
    element.props["begin"] = _told(look)
    panel = CurvePanel(element, look)
    element.on("ready", panel.begin)
    if on_lines is not None:

        async def pick(event: events.GenericEventArguments) -> None:
            await on_lines(*(_texts(event.args.get(name)) for name in ("hide", "also")))

        element.on("lines", pick)
    if on_range is not None:

        async def choose(event: events.GenericEventArguments) -> None:
            await on_range(*(_number(event.args.get(name)) for name in ("first", "last")))

        element.on("range", choose)
    return panel


class _Picture(Element, component="curves.js", esm={"nicegui-echart": str(Path(echart.__file__).with_name("dist"))}):
    """The part that the browser has."""


def _told(look: Look) -> dict[str, Any]:
    return asdict(look)


def _group(run: str, row: PointsRow) -> str:
    return ", ".join(filter(None, (run, row.training)))


def _label(row: PointsRow) -> str:
    """`train`, `validation:noisy`, `train (epoch)`; the whole name where it is of no split."""
    if row.split is None:
        return row.name.removeprefix(f"{row.training}/") if row.training else row.name
    split = ":".join(filter(None, (row.split.value, row.loader)))
    return f"{split} (epoch)" if row.name.endswith(_EPOCH) else split


def _note(rows: Sequence[PointsRow]) -> str:
    """What the picture leaves out."""
    out = sum(1 for row in rows if row.truncated)
    odd = sum(not math.isfinite(value) for row in rows for value in row.values)
    most = max((row.points for row in rows if row.truncated), default=0)
    return "; ".join(
        filter(
            None,
            (
                f"what stands out of up to {most:,} points a line; zoomed in there are more" if out else "",
                f"{counted(odd, 'value')} NaN or infinite: gaps" if odd else "",
            ),
        )
    )


def _shared(before: PointsRow, now: PointsRow) -> int:
    """How many points the two begin with alike; NaN is like NaN."""
    pairs = zip(before.steps, before.values, now.steps, now.values, strict=False)
    at = 0
    for old_step, old, step, value in pairs:
        if old_step != step or (old != value and not (math.isnan(old) and math.isnan(value))):
            break
        at += 1
    return at


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(text) for text in cast("list[object]", value)) if isinstance(value, list) else ()


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(_BETWEEN) if name)


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None
