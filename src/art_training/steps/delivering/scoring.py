"""Score what is delivered: members predict one after the other, and only one of them is in memory at a time."""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from art_training.engines.weights import digest_of
from art_training.errors import SetupError
from art_training.records import Score, Split
from art_training.setup.observation import BatchObservation
from art_training.setup.setup import Setup
from art_training.steps.bench import Bench, Scored
from art_training.steps.delivering.delivery import Delivery
from art_training.steps.delivering.predictions import Collector, Predictions

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Part:
    """A member, with its file and its setup at hand.

    Attributes:
        name: in words.
        setup: that the weights belong to.
        weights: a file of the engine.
        weight: what its predictions count in the mean.
    """

    name: str
    setup: Setup
    weights: Path
    weight: float = 1.0


@dataclass(frozen=True)
class Model:
    """A delivery that can be asked.

    Attributes:
        parts: its members; their weights add up to one.
        temperature: that the scores are divided by.
    """

    parts: tuple[Part, ...]
    temperature: float = 1.0

    @property
    def alone(self) -> bool:
        """Whether it is one training as it is, which the engine scores by itself."""
        return len(self.parts) == 1 and self.temperature == 1

    @property
    def said(self) -> str:
        """In words: `an ensemble of 3 at the temperature 1.2`."""
        many = self.parts[0].name if len(self.parts) == 1 else f"an ensemble of {len(self.parts)}"
        return many if self.temperature == 1 else f"{many} at the temperature {self.temperature:.4g}"


def fetched(bench: Bench, step: str, delivery: Delivery, resolve: Callable[[Setup], Setup]) -> Model:
    """The delivery of an earlier step.

    Args:
        bench: whose setup is the one that the delivering step worked on.
        step: that delivers.
        delivery: what.
        resolve: makes of the setup of a candidate the one that is worked on.

    Raises:
        SetupError: the step that a member comes from has no outcome any more.
        StoreError: its weights are not kept any more.
    """
    outcome = bench.outcomes[step]
    parts: list[Part] = []
    for member in delivery.members:
        artifact = outcome.artifact(member.artifact)
        if artifact is None:
            raise SetupError(f"{step} says that it delivers {member.artifact}, which it did not leave; run it again")
        setup = resolve(_configured(bench, member.of, member.candidate)) if member.of else bench.setup
        parts.append(Part(member.artifact, setup, bench.fetch(artifact), member.weight))
    return Model(tuple(parts), delivery.temperature)


def digest(bench: Bench, model: Model) -> str:
    """What tells a model from others: the digest of its weights; of several, of all, what each counts, the temperature.

    The order of members does not count.
    """
    found = sorted((digest_of(bench.engine.weights(one.weights)), one.weight.hex()) for one in model.parts)
    if model.alone:
        return found[0][0]
    told = json.dumps({"members": found, "temperature": model.temperature.hex()})
    return hashlib.sha256(told.encode()).hexdigest()


def score(bench: Bench, model: Model, *splits: Split, plain: bool = False, keep: bool = True) -> Scored:
    """Score a model on whole splits, as `bench.evaluate` does weights.

    The loss of one training is what its step says. That of several, or at a temperature, is the task's loss of the
    predictions alone, where it follows from them.

    Args:
        bench: of the step.
        model: what.
        splits: which.
        plain: without augmentation.
        keep: as of `bench.evaluate`; nothing is kept of a model that is not one training.

    Raises:
        SetupError: predictions cannot be found, averaged or kept, or members see different examples.
    """
    if model.alone:
        one = model.parts[0]
        return bench.evaluate(*splits, setup=one.setup, weights=one.weights, plain=plain, keep=keep)
    began = time.monotonic()
    total: _Pass | None = None
    for number, one in enumerate(model.parts, start=1):
        bench.say(f"let member {number} of {len(model.parts)} predict")
        seen = _Pass(bench, one, splits)
        bench.observe(*splits, see=seen.see, setup=one.setup, weights=one.weights, plain=plain)
        found = seen.weighted(one.weight)
        total = found if total is None else total.plus(found)
    assert total is not None
    scores: dict[str, Score] = {}
    passes = {split: _tempered(one, model.temperature) for split, one in total.predictions.items()}
    for split, one in passes.items():
        scores |= one.scores(bench.metrics, split=split, seed=bench.seed, source=model.said)
        for loader, rows in total.rows_of_loaders(split).items():
            scores |= one.part(rows).scores(
                bench.metrics, split=split, seed=bench.seed, source=model.said, loader=loader
            )
    return Scored(scores, (), time.monotonic() - began, {split: one.examples for split, one in passes.items()})


@dataclass
class _Pass:
    """What one member, or the sum of some, predicts for every split.

    Attributes:
        predictions: by split; of a sum, each times its member's weight.
        loaders: by split, the loader of each batch and its examples.
    """

    bench: Bench
    one: Part
    splits: Sequence[Split]
    predictions: dict[Split, Predictions] = field(default_factory=dict[Split, Predictions])
    loaders: dict[Split, list[tuple[str | None, int]]] = field(
        default_factory=dict[Split, list[tuple[str | None, int]]]
    )

    def __post_init__(self) -> None:
        task, adapter = self.bench.task, self.one.setup.outputs
        self._collectors = {split: Collector(task, adapter, self.one.name, split) for split in self.splits}

    def see(self, observation: BatchObservation) -> None:
        """Take in a batch."""
        self._collectors[observation.split].see(observation)
        self.loaders.setdefault(observation.split, []).append((observation.loader, observation.weight))

    def weighted(self, weight: float) -> "_Pass":
        """Itself when all batches were seen, its predictions times the weight."""
        for split in self.splits:
            found = self._collectors.pop(split).predictions()
            self.predictions[split] = found.saying(found.pool.predictions * weight)
        return self

    def plus(self, other: "_Pass") -> "_Pass":
        """Itself, with what another member predicts added.

        Raises:
            SetupError: both did not see the same examples.
        """
        for split, ours in self.predictions.items():
            theirs = other.predictions[split]
            if not _same(ours.pool.targets, theirs.pool.targets) or ours.count != theirs.count:
                raise SetupError(
                    f"{self.one.name} and {other.one.name} saw different {split.value} examples, so that what they predict "
                    "cannot be averaged; let the data of both give the same examples in the same order"
                )
            ours.pool.predictions.add_(theirs.pool.predictions)
        return self

    def rows_of_loaders(self, split: Split) -> "dict[str, Tensor]":
        """(rows,) which rows are of each loader that has a name."""
        import torch

        of_batch = self.loaders.get(split, [])
        names = list(dict.fromkeys(name for name, _ in of_batch if name is not None))
        if not names:
            return {}
        number = {name: at for at, name in enumerate(names)}
        numbers = torch.tensor([-1 if name is None else number[name] for name, _ in of_batch])
        of_example = numbers.repeat_interleave(torch.tensor([count for _, count in of_batch]))
        pool = self.predictions[split].pool
        of_row = of_example if pool.example is None else of_example[pool.example]
        return {name: of_row == at for name, at in number.items()}


def _configured(bench: Bench, of: str, candidate: str) -> Setup:
    earlier = next((one for one in bench.earlier if one.name == of and one.configured is not None), None)
    if earlier is None or earlier.configured is None:
        raise SetupError(f"{candidate!r} was a candidate of step {of!r}, which has no outcome any more; run it again")
    return earlier.configured(candidate)


def _tempered(predictions: Predictions, temperature: float) -> Predictions:
    return predictions if temperature == 1 else predictions.at(temperature)


def _same(ours: "Tensor", theirs: "Tensor") -> bool:
    # A target that is no number is the same as another one that is none.
    return ours.shape == theirs.shape and bool(((ours == theirs) | (ours.isnan() & theirs.isnan())).all())
