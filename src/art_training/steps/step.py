"""The contract of a step: one piece of the recipe."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self, TypeAlias

from art_training.checks.check import Check
from art_training.errors import ProjectError
from art_training.records import Outcome, Promise, Split
from art_training.setup.lengths import require_training
from art_training.setup.setup import Setup
from art_training.setup.task import Task
from art_training.steps.bench import Bench, Earlier
from art_training.steps.prospect import Prospect

Fetch: TypeAlias = Callable[[str], Path]
"""The local, read-only file of an artifact, by its digest; its bytes are verified."""

# Settings of a Trainer that say how long it trains and when it validates.
TRAINING_LENGTH = frozenset({
    "check_val_every_n_epoch", "limit_train_batches", "limit_val_batches", "max_epochs", "max_steps", "max_time",
    "min_epochs", "min_steps", "num_sanity_val_steps", "val_check_interval",
})  # fmt: skip

_ART = __name__.partition(".")[0]  # nobody knows what other packages' steps do beside their work, or what training runs


class only(tuple[Check, ...]):  # noqa: N801  It reads as a word: `checks=only(...)`.
    """Checks that replace a step's default ones: `Overfit(checks=only(Below("train/loss", 0.1)))`."""

    __slots__ = ()

    def __new__(cls, *checks: Check) -> Self:
        """Name the checks that shall stand alone."""
        return super().__new__(cls, checks)


@dataclass(frozen=True)
class Step(ABC):
    """One piece of the recipe: does work on a setup, returns an outcome.

    A step is a frozen dataclass; its own fields are its configuration and part of its fingerprint. The fields below
    belong to every step and are given by keyword.

    Attributes:
        name: unique in the project; the class's name by default.
        checks: added to the default checks; `only(...)` replaces them.
        setup: stands in for the project's setup.
        hparams: laid over the setup's, key by key.
        trainer: laid over the setup's, key by key; callbacks are added.
        skip_metrics: metrics of the project that this step does not compute.
        continue_on_failure: go on with the next step though this one did not pass.
        purpose: what the step asks, in one sentence for a reader who does not know it; the dashboard and the report show it.
        version: raise it when the step's work changes, so that stored outcomes become stale.
        needs: names of the kinds of steps whose outcomes the work itself uses (checks may use any earlier one).
        uses: parts of the setup that the result depends on besides the data; a step that uses no model depends on what
            the task is instead, and is not stale when the model changes.
        unused_settings: settings of the Trainer that do not reach the step's work, such as `max_epochs` where it sets the
            number of steps itself; changing them leaves its outcome fresh.
        amounts: fields that say how much of the work is done and not what the work is, such as a number of trials. What the
            step remembers is found again by a run that differs in nothing else, though the run before came to its end;
            a run that is forced begins with nothing.
        may_test: whether the step may evaluate a model on the test split.
        needs_splits: splits without which it cannot do its work, so that data without them are refused before anything costs.
        scored_splits: splits that it scores a model on, so that a check on another one is refused likewise; None: whatever
            there is.
        leaves_weights: whether it leaves weights of a model that a later step may name; None: that is known only when it has run.
        decides: the field that holds the address of the score that it chooses by; empty: it chooses nothing, or by nothing
            that a user names.
    """

    _: KW_ONLY
    name: str = ""
    checks: Sequence[Check] = ()
    setup: Setup | None = None
    hparams: Mapping[str, Any] = field(default_factory=dict[str, Any])
    trainer: Mapping[str, Any] = field(default_factory=dict[str, Any])
    skip_metrics: Sequence[str] = ()
    continue_on_failure: bool = False

    purpose: ClassVar[str] = ""
    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ()
    uses: ClassVar[frozenset[str]] = frozenset({"model", "hparams", "trainer", "metrics", "outputs"})
    unused_settings: ClassVar[frozenset[str]] = frozenset()
    amounts: ClassVar[frozenset[str]] = frozenset()
    may_test: ClassVar[bool] = False
    needs_splits: ClassVar[frozenset[Split]] = frozenset()
    scored_splits: ClassVar[frozenset[Split] | None] = None
    leaves_weights: ClassVar[bool | None] = None
    decides: ClassVar[str] = ""

    def __post_init__(self) -> None:
        # `Sequence` arguments are frozen, so that a list that its owner goes on appending to does not reach in here.
        object.__setattr__(self, "name", self.name or type(self).__name__)
        self._require_kinds()
        wrong = [check for check in self.checks if not isinstance(check, Check)]
        if wrong:
            raise ProjectError(
                f"step {self.name!r} was given the check {wrong[0]!r}, which is none; "
                "give checks such as Below('train/loss', 0.1), or a function decorated with @check"
            )
        if not isinstance(self.checks, only):
            object.__setattr__(self, "checks", tuple(self.checks))
        object.__setattr__(self, "hparams", dict(self.hparams))
        object.__setattr__(self, "trainer", dict(self.trainer))
        object.__setattr__(self, "skip_metrics", tuple(self.skip_metrics))

    def _require_kinds(self) -> None:
        """Refuse what is of the wrong kind before it costs anything; annotations alone keep nobody from it."""
        given: dict[str, Any] = {field.name: getattr(self, field.name) for field in dataclasses.fields(Step)}
        if not isinstance(given["name"], str):
            raise ProjectError(f"name={given['name']!r} of a {type(self).__name__} is no text; give name='...'")
        for name, example in (("checks", "[Below('train/loss', 0.1)]"), ("skip_metrics", "['accuracy']")):
            if isinstance(given[name], str | Check) or not isinstance(given[name], Iterable):
                raise ProjectError(f"{name}={given[name]!r} of step {self.name!r} is no list; write {name}={example}")
        for name, example in (("hparams", "{'lr': 0.01}"), ("trainer", "{'max_epochs': 5}")):
            if not isinstance(given[name], Mapping):
                raise ProjectError(
                    f"{name}={given[name]!r} of step {self.name!r} is no mapping; write {name}={example}"
                )
        require_training(given["trainer"], f"step {self.name!r}: ")
        if given["setup"] is not None and not isinstance(given["setup"], Setup):
            raise ProjectError(f"setup={given['setup']!r} of step {self.name!r} is no Setup; give art.Setup(...)")

    @abstractmethod
    def run(self, bench: Bench) -> Outcome:
        """Do the work. What is raised is recorded and raised again."""

    def default_checks(self, task: Task, metrics: Sequence[str]) -> Sequence[Check]:
        """The checks that make sense whatever the project is.

        Args:
            task: what the setup is for.
            metrics: names of the metrics that the step computes.
        """
        return ()

    def score_names(self, metrics: Sequence[str]) -> Sequence[str] | None:
        """Names of the scores that the step leaves, so that a check on another name is refused before anything costs.

        None where they are not known beforehand.
        """
        return None

    def remedy_for(self, score: str) -> str:
        """What to do so that the step leaves a score that it will not have as it is declared: the end of a sentence.

        Empty where nothing would help.

        Args:
            score: its name, without a split.
        """
        del score
        return ""

    def candidate_names(self) -> Sequence[str] | None:
        """Names that what the step compares can have, so that a check on another one is refused before anything costs.

        None where they are not known beforehand; `()` where it compares nothing.
        """
        return None

    def promise(self) -> Promise:
        """What later steps and their checks can build on, as far as the declaration tells before the step has run."""
        names = self.candidate_names()
        return Promise(
            kind=type(self).__name__,
            weights=self.leaves_weights,
            candidates=None if names is None else tuple(names),
            setups=0 if type(self).configured is Step.configured else None,
            splits=self.scored_splits,
            files=None if "trainer" in self.uses or type(self).__module__.partition(".")[0] != _ART else False,
        )

    def foresee(self, prospect: Prospect) -> None:
        """Refuse to run, before the first step does, where what the step names is not going to be there.

        It trains nothing and reads no data; a fresh model may be made.

        Args:
            prospect: what it will meet: its setup, the metrics, and what the steps before it are going to leave.

        Raises:
            UsageError: one sentence with what is named, and what there will be.
        """
        del prospect

    def all_checks(self, task: Task, metrics: Sequence[str]) -> tuple[Check, ...]:
        """The checks that are asked: the default ones and the user's, or the user's `only`."""
        if isinstance(self.checks, only):
            return self.checks
        return (*self.default_checks(task, metrics), *self.checks)

    def resolve(self, setup: Setup) -> Setup:
        """The setup that the step works on: its own or the project's, with its settings laid over."""
        base = self.setup or setup
        if not (self.hparams or self.trainer):
            return base
        return base.but(hparams=self.hparams, trainer=self.trainer)

    def carry(self, setup: Setup, outcome: Outcome) -> Setup:
        """The setup that later steps begin with, given the one that this step was given and what came of it.

        A step that chooses, such as Regularize or Tune, hands on its winner by its configuration. Later steps that have
        a setup of their own are not concerned.
        """
        del outcome
        return setup

    def carry_with(self, setup: Setup, outcome: Outcome, fetch: Fetch) -> Setup:
        """As `carry`, which it calls; for a step whose setup needs a file that some step left, such as weights.

        Args:
            setup: as of `carry`.
            outcome: as of `carry`.
            fetch: gives the local file of an artifact by its digest, wherever the store lies by then. It may cost a copy, so
                it is called where the file is needed, as a model is made, and not here.
        """
        del fetch
        return self.carry(setup, outcome)

    def keeps_parameters(self, setup: Setup) -> bool:
        """Whether models of the setup that it hands on have the parameters that they would have without it, by their names.

        So it is where it hands nothing on, or chooses a learning rate or weights; by default a step that chooses is not
        taken to.

        Args:
            setup: as of `carry`.
        """
        del setup
        return type(self).carry is Step.carry and type(self).carry_with is Step.carry_with

    def setups(self, setup: Setup) -> Iterable[tuple[str, Setup]]:
        """The setups that the step will make of the one that it works on, each with what it is called in a sentence.

        They are looked at before the first step runs, as far as declarations tell: a mistyped hyper-parameter of the last
        candidate costs nothing. It may raise what `but` and `Variant.apply` raise.
        """
        del setup
        return ()

    def configured(self, setup: Setup, outcome: Outcome, candidate: str) -> Setup:
        """The setup of one candidate, given the one that this step was given and what came of it.

        Raises:
            ProjectError: there is no such candidate, or the step compares none that have setups of their own.
        """
        del setup, outcome
        raise ProjectError(
            f"step {self.name!r} has no setup for {candidate!r}; name a step that compares setups, such as Tune"
        )

    def consumes(self, kinds: Mapping[str, str]) -> Collection[str]:
        """Names of the earlier steps whose outcomes the work itself uses; by default those of the kinds in `needs`.

        Args:
            kinds: the kind of each earlier step by its name.
        """
        return [name for name, kind in kinds.items() if kind in self.needs]

    def continues(self, earlier: Sequence[Earlier]) -> str:
        """The name of the earlier step that this one goes on from, such as the one whose weights it judges.

        It then works on the setup that those weights belong to, and uses the outcome. By default there is none: a step
        works on the project's setup as the earlier steps hand it on.

        Args:
            earlier: the steps before this one that have an outcome, in the project's order.
        """
        del earlier
        return ""

    def configuration(self) -> dict[str, Any]:
        """The step's own fields, which a result depends on."""
        standard = {field.name for field in dataclasses.fields(Step)}
        return {
            field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name not in standard
        }
