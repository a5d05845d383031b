"""What steps hand on to later ones: their outcomes, and the setups that follow from these."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from pathlib import Path

from art_training.records import Foresight, Outcome, Promise, RunRecord, Split
from art_training.runner.declared import Declared
from art_training.runner.planning import Wish, consumed
from art_training.setup.setup import Setup
from art_training.steps.step import Earlier, Step
from art_training.stores import RunSummary


@dataclass
class Handed:
    """What the steps of a project have handed on so far.

    Attributes:
        project: what was declared.
        outcomes: that there are, by step.
        runs: that the outcomes are of, by step.
    """

    project: Declared
    outcomes: dict[str, Outcome] = field(default_factory=dict[str, Outcome])
    runs: dict[str, str] = field(default_factory=dict[str, str])
    _setups: dict[tuple[str, ...], Setup] = field(default_factory=dict[tuple[str, ...], Setup])  # by what made them

    def add(self, step: str, run: RunRecord | RunSummary, outcome: Outcome) -> None:
        """Note what a step hands on, and the run that it is of."""
        self.outcomes[step], self.runs[step] = outcome, run.id

    def forget(self) -> None:
        """As if no step had run; setups are known again by what makes them."""
        self.outcomes, self.runs = {}, {}

    def setup(self, step: Step) -> Setup:
        """The setup that a step works on: the project's, as earlier steps hand it on, with the step's own laid over.

        A step that goes on from an earlier one works on what that one worked on, or chose.
        """
        carried, key, earlier = self._carried(step)
        continued = step.continues(earlier)
        if continued:
            before = next(one for one in self.project.steps if one.name == continued)
            outcome = self.outcomes[continued]
            key += ["continues", continued, outcome.digest]
            carried = before.carry_with(self.setup(before), outcome, self._fetch)
        return self._setups.setdefault(tuple(key), step.resolve(carried))

    def earlier(self, step: Step) -> tuple[Earlier, ...]:
        """The steps before one that have an outcome."""
        return self._carried(step)[2]

    def foresight(self, step: Step, wish: Wish, splits: Callable[[Setup], Collection[Split] | None]) -> Foresight:
        """What the steps before one are going to leave, as they are declared.

        Args:
            step: that is asked for.
            wish: what is wanted besides; what is not, and left nothing before, is going to leave nothing.
            splits: those that a setup's data have; None where that is not known.
        """
        names = [one.name for one in self.project.steps]
        later = tuple(names[names.index(step.name) + 1 :])
        earlier: dict[str, Promise] = {}
        for one in self._before(step):
            have = splits(self.setup(one))
            earlier[one.name] = one.promise() if have is None else one.promise().within(have)
        absent = tuple(name for name in earlier if name not in self.outcomes and not wish.asks_for(name, names))
        return Foresight(step.name, earlier, later, absent)

    def settled(self, step: Step) -> bool:
        """Whether the parameters of a step's model are known by name: no step before it that is still to run may change them."""
        if step.setup is not None:
            return True
        to_run = [one for one in self._before(step) if one.name not in self.outcomes and one.setup is None]
        return all(one.keeps_parameters(self.project.setup) for one in to_run)

    def used(self, step: Step) -> tuple[str, ...]:
        """The earlier steps whose outcomes a step's own work uses, whether they have one or not."""
        kinds = {one.name: type(one).__name__ for one in self._before(step)}
        return consumed(step, kinds, step.continues(self.earlier(step)))

    def _carried(self, step: Step) -> tuple[Setup, list[str], tuple[Earlier, ...]]:
        """The setup that the steps before one hand on, what made it, and those steps."""
        carried, key, earlier = self.project.setup, [step.name], list[Earlier]()
        for one in self._before(step):
            if (outcome := self.outcomes.get(one.name)) is None:
                continue
            given = carried
            if _chooses(one) and one.setup is None:  # else its choice is about another setup
                key += [one.name, outcome.digest]
                carried = one.carry_with(carried, outcome, self._fetch)
            chose = carried is not given and bool(carried - given)
            configured = partial(one.configured, given, outcome)
            earlier.append(
                Earlier(one.name, type(one).__name__, outcome, chose, configured, one, partial(self.setup, one))
            )
        return carried, key, tuple(earlier)

    def _before(self, step: Step) -> tuple[Step, ...]:
        return tuple(takewhile(lambda one: one.name != step.name, self.project.steps))

    def _fetch(self, digest: str) -> Path:
        return self.project.store.artifacts.fetch(digest)


def _chooses(step: Step) -> bool:
    kind = type(step)
    return kind.carry is not Step.carry or kind.carry_with is not Step.carry_with
