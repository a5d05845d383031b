"""What steps are going to leave, as far as their declarations tell before anything has run."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from art_training.errors import ProjectError
from art_training.records.meant import did_you_mean
from art_training.records.metric import Metric, Split


@dataclass(frozen=True)
class Promise:
    """What a later step, or a check of it, can build on. None stands for what is known only when the step has run.

    Attributes:
        kind: the step's class.
        weights: whether it leaves weights of a model.
        candidates: names that what it compares can have; not all of them need come about.
        setups: how many of its candidates at most have setups that can be trained.
        for_two: what the step is to be given so that it leaves two of them, as `top=2`; empty where nothing would help.
        kept: names of the weights that it can leave, each of a training of its own; not all of them need come about.
        splits: that it scores a model or a candidate on.
        files: whether it leaves files beside the store, by itself or by code of the user's that its training runs.
    """

    kind: str
    weights: bool | None = None
    candidates: tuple[str, ...] | None = None
    setups: int | None = None
    for_two: str = ""
    kept: tuple[str, ...] | None = None
    splits: frozenset[Split] | None = None
    files: bool | None = None

    def within(self, splits: Collection[Split]) -> "Promise":
        """The same on data that have these splits alone; of a step of which none is known, none is ruled out."""
        return self if self.splits is None else replace(self, splits=self.splits & set(splits))

    def may_compare(self, name: str) -> bool:
        """Whether a candidate of this name can come about."""
        return self.candidates is None or name in self.candidates

    def may_score(self, metric: Metric) -> bool:
        """Whether there can be a score of that split."""
        return self.splits is None or metric.split is None or metric.split in self.splits


@dataclass(frozen=True)
class Foresight:
    """What a step can build on when it runs: what is promised by the steps before it.

    Attributes:
        step: its name.
        earlier: the promises of the steps before it by name, in the project's order.
        later: names of the steps behind it.
        absent: names of the earlier steps that left nothing so far and are not going to run now.
    """

    step: str
    earlier: Mapping[str, Promise] = field(default_factory=dict[str, Promise])
    later: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()

    @property
    def with_weights(self) -> tuple[str, ...]:
        """Names of the earlier steps that leave weights, or may."""
        return tuple(name for name, promise in self.earlier.items() if promise.weights is not False)

    @property
    def with_files(self) -> tuple[str, ...]:
        """Names of the earlier steps that leave files beside the store, or may."""
        return tuple(name for name, promise in self.earlier.items() if promise.files is not False)

    def of(self, name: str, said: str) -> Promise:
        """What an earlier step promises.

        Args:
            name: of the step.
            said: how the declaration names it, to begin a sentence with: `of='Squeze' of step 'FinalTest'`.

        Raises:
            ProjectError: no step before this one is called so, or it left nothing and is not going to run.
        """
        if name in self.absent:
            raise ProjectError(f"{said} names a step that has not run; run {name} first: `art run --until {name}`")
        if name in self.earlier:
            return self.earlier[name]
        before = f"before it stand: {', '.join(self.earlier)}" if self.earlier else "no step stands before it"
        if name == self.step:
            raise ProjectError(f"{said} names the step itself, where an earlier one is needed; {before}")
        if name in self.later:
            raise ProjectError(f"{said} names a step that comes later; put {name} before {self.step}; {before}")
        raise ProjectError(f"{said} names no step of the project{did_you_mean(name, self.earlier)}; {before}")

    def weights_of(self, name: str, said: str) -> Promise:
        """What an earlier step promises that leaves weights, or may.

        Args:
            name: as of `of`.
            said: as of `of`.

        Raises:
            ProjectError: there is no such step, or it leaves none.
        """
        promise = self.of(name, said)
        if promise.weights is False:
            remedy = (
                f"name one that does: {', '.join(self.with_weights)}"
                if self.with_weights
                else "put one that does before it, such as Overfit(), and name that"
            )
            raise ProjectError(f"{said} names a step that leaves no weights; {remedy}")
        return promise
