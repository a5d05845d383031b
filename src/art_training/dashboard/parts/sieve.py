"""What chooses among runs: search, states, conditions, groups and columns."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Protocol, get_args

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from art_training.dashboard.parts.asked import Asked
from art_training.dashboard.parts.asking import search_field
from art_training.dashboard.parts.cells import options_of
from art_training.dashboard.parts.choice import Choice, Option
from art_training.dashboard.parts.html import h
from art_training.dashboard.parts.live import Part
from art_training.dashboard.parts.states import sign_and_look
from art_training.errors import UsageError
from art_training.records import StepState
from art_training.stores import Where
from art_training.stores.fields import Operator
from art_training.views.table import TableView
from art_training.views.visible import spelled
from art_training.views.wording import shortened

_STATES = [state for state in StepState if state is not StepState.NOT_RUN]
_OPERATORS = [Option(operator, operator) for operator in get_args(Operator)]
_SUBMITTED = (
    "(event) => { const form = new FormData(event.target); emit(form.get('value') || ''); event.target.reset(); }"
)


class Change(Protocol):
    """Asks for something else: attributes of `Asked` with their new values."""

    def __call__(self, **changes: Any) -> Awaitable[None]: ...


class Sieve:
    """The controls above the runs.

    Args:
        asked: what is asked for at first.
        change: is called with what is asked for then.
    """

    def __init__(self, asked: Asked, change: Change) -> None:
        self._change = change
        self._asked = asked
        self._key, self._operator = "", "="
        with h("div", "", "sieve"):
            search_field("search", asked.search, self._searched)
            self._states = _states(self._toggled)
        with h("div", "", "sieve"):
            self._group = Choice("group by", self._grouped)
            with h("form", "", "sieve", aria_label="Add a condition") as form:
                self._draw_form()
            form.on("submit.prevent", self._added, js_handler=_SUBMITTED)
            self._columns = Choice("Columns", self._chosen, several=True)
        self._conditions = Part(self._draw_conditions, h("ul", "", "chips", aria_label="Conditions"))

    def _draw_form(self) -> None:
        self._field = Choice("only where", self._named)
        self._how = Choice("is", self._compared)
        with h("label", "", "choice"):
            h("span", "value")
            h("input", "", "field short", name="value", autocomplete="off")
        h("button", "Add", "button", type="submit")
        self._trouble = h("span", "", "why", role="alert")

    def show(self, asked: Asked, table: TableView, shown: Sequence[str]) -> None:
        """Show what is asked for; what a reader is typing stays."""
        self._asked = asked
        for state, button in self._states.items():
            button.props["aria-pressed"] = str(state in asked.state).lower()
        options = options_of(table.columns)
        self._key = self._key or next((key for key in shown if ":" in key), shown[0])
        self._group.show([Option("", "nothing"), *options], [asked.group])
        self._columns.show(options, list(shown))
        self._field.show(options, [self._key])
        self._how.show(_OPERATORS, [self._operator])
        self._conditions.show(asked.where)

    async def _searched(self, text: str) -> None:
        await self._change(search=text)

    async def _toggled(self, state: str) -> None:
        states = self._asked.state
        rest = tuple(one for one in states if one != state)
        await self._change(state=rest if state in states else (*states, state))

    async def _grouped(self, keys: tuple[str, ...]) -> None:
        await self._change(group=keys[0])

    async def _chosen(self, keys: tuple[str, ...]) -> None:
        await self._change(column=keys)

    async def _named(self, keys: tuple[str, ...]) -> None:
        self._key = keys[0]

    async def _compared(self, keys: tuple[str, ...]) -> None:
        self._operator = keys[0]

    async def _added(self, event: GenericEventArguments) -> None:
        bare = self._operator in {"missing", "present"}
        text = f"{self._key} {self._operator}" + ("" if bare else f" {event.args}")
        try:
            where = str(Where.parse(text))
        except UsageError as error:
            self._trouble.text = spelled(str(error))
            return
        self._trouble.text = ""
        await self._change(where=tuple(dict.fromkeys([*self._asked.where, where])))

    async def _removed(self, where: str) -> None:
        await self._change(where=tuple(one for one in self._asked.where if one != where))

    def _draw_conditions(self, conditions: tuple[str, ...]) -> None:
        for condition in conditions:
            text = told(condition)
            with h("li"):
                button = h("button", f"{text} ✕", "button", type="button", aria_label=f"no longer only {text}")
                button.on("click", partial(self._removed, condition))


def told(condition: str) -> str:
    """A condition without what kind of field it is of, which a reader sees from its name."""
    return shortened(condition.removeprefix("parameter:").removeprefix("score:"), 80)


def _states(toggled: Callable[[str], Awaitable[None]]) -> dict[str, Element]:
    buttons: dict[str, Element] = {}
    with h("div", "", "states", role="group", aria_label="Only runs that stand so"):
        for state in _STATES:
            sign, look = sign_and_look(state)
            with h("button", "", f"badge toggle {look}", type="button", aria_pressed="false") as button:
                h("span", sign, aria_hidden="true")
                h("span", state.value)
            buttons[state.value] = button.on("click", partial(toggled, state.value))
    return buttons
