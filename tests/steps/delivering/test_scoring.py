"""What a step delivers is what is scored: the mean of its members, at its temperature, whoever trained them."""

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torchmetrics.classification import MulticlassAccuracy

import art_training as art
from art_training.checks import Check, NoNaN
from art_training.errors import ProjectError, SetupError
from art_training.records import Artifact, Outcome, Score, Split
from art_training.setup.setup import Setup
from art_training.steps import FinalTest, Step
from art_training.steps.bench import Bench
from art_training.steps.delivering import scoring
from art_training.steps.delivering.delivery import DELIVERED, Delivery, Member, delivered
from art_training.stores.memory import MemoryStore
from art_training.testing import data as toy

(TRAIN, (REST, LABELS)) = toy.digits(validation=720)
TRAIN = (TRAIN[0][:200], TRAIN[1][:200])
VALIDATION, TEST = (REST[:360], LABELS[:360]), (REST[360:], LABELS[360:])
ACCURACY = {"accuracy": MulticlassAccuracy(num_classes=10, average="micro")}


class Net(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


@dataclass(frozen=True)
class Compares(Step):
    """Has candidates, as a search does."""

    checks: Sequence[Check] = (NoNaN(),)

    def run(self, bench: Bench) -> Outcome:
        return Outcome(scores={"validation/loss": Score(1.0)})

    def configured(self, setup: Setup, outcome: Outcome, candidate: str) -> Setup:
        if candidate == "fewer rows":
            return setup.but(data=art.data(TRAIN, VALIDATION, (TEST[0][:200], TEST[1][:200]), batch_size=64))
        if candidate == "wide":
            return setup.but(hparams={"width": 16})
        raise ProjectError(candidate)


@dataclass(frozen=True)
class Delivers(Step):
    """Trains members and delivers their mean.

    Attributes:
        members: what each counts, by name; a name with a colon is of a candidate of the step Compares.
        temperature: of the mean.
    """

    members: Mapping[str, float] = field(default_factory=lambda: {"a": 1.0})
    temperature: float = 1.0
    checks: Sequence[Check] = (NoNaN(),)

    def run(self, bench: Bench) -> Outcome:
        kept: list[Artifact] = []
        said: list[Member] = []
        for name, weight in self.members.items():
            own, _, candidate = name.partition(":")
            earlier = {one.name: one for one in bench.earlier}
            setup = earlier["Compares"].configured(candidate) if candidate else bench.setup
            result = bench.fit(setup, label=own, seed=ord(own), max_steps=20)
            kept.append(bench.keep(result.last, name=f"{own}/last.ckpt", kind="checkpoint"))
            said.append(Member(kept[-1].name, weight, "Compares" if candidate else "", candidate))
        scores = bench.evaluate(Split.VALIDATION, setup=setup, weights=result.last).scores
        told = {DELIVERED: Delivery(tuple(said), self.temperature).described}
        return Outcome(scores=scores, artifacts=tuple(kept), parameters=told)


def setup_of(test: Any = TEST) -> Setup:
    model = art.from_torch(Net, loss=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=1e-2)
    data = art.data(TRAIN, VALIDATION, test, batch_size=64)
    return art.Setup(model=model, data=data, trainer={"max_epochs": 50, "accelerator": "cpu"})


def judged(*steps: Step, store: MemoryStore | None = None, setup: Setup | None = None) -> tuple[Outcome, MemoryStore]:
    """The outcome of the last step."""
    store = store or MemoryStore()
    result = art.ArtProject("p", setup or setup_of(), metrics=ACCURACY, steps=steps, store=store).run()
    outcome = result[steps[-1].name].outcome
    assert outcome is not None
    return outcome, store


def probabilities(store: MemoryStore, members: Mapping[str, float], temperature: float) -> torch.Tensor:
    """What the members predict for the test rows, computed by torch alone."""
    [run] = [run for run in store.runs() if run.step == "Delivers"]
    artifacts = {one.name: one for one in store.outcome(run.id).artifacts}
    total = torch.zeros(len(TEST[1]), 10)
    for name, weight in members.items():
        path = store.artifacts.fetch(artifacts[f"{name[0]}/last.ckpt"].digest)
        state = torch.load(path, weights_only=False)["state_dict"]
        net = Net(16 if "wide" in name else 8)
        net.load_state_dict({key.removeprefix("model."): value for key, value in state.items()})
        with torch.no_grad():
            total += weight * net(torch.tensor(TEST[0], dtype=torch.float32)).softmax(1)
    return (total.log() / temperature).softmax(1)


def test_the_mean_of_all_members_is_scored_at_its_temperature_on_the_setups_that_they_belong_to() -> None:
    members = {"a": 0.25, "b:wide": 0.75}
    slices = {"dark": lambda batch: batch[0].mean(1) < 0.3}
    outcome, store = judged(Compares(), Delivers(members=members, temperature=2.0), FinalTest(slices=slices))
    expected = probabilities(store, members, 2.0)
    right = (expected.argmax(1).numpy() == TEST[1]).astype(float)
    loss = nn.functional.nll_loss(expected.log(), torch.tensor(TEST[1]), reduction="none").numpy()
    for name, values in (("accuracy", right), ("loss", loss)):
        score = outcome.scores[f"test/{name}"]
        assert score.value == pytest.approx(values.mean(), abs=1e-6)
        assert score.interval.low < score.value < score.interval.high
        assert score.rows == 360
        assert score.source == "an ensemble of 2 at the temperature 2"
        dark = TEST[0].mean(1) < 0.3
        assert outcome.scores[f"test:dark/{name}"].value == pytest.approx(values[dark].mean(), abs=1e-6)
    threes = TEST[1] == 3
    assert outcome.scores["test/class_recall.3"].value == pytest.approx(right[threes].mean())
    assert "validation/accuracy" in outcome.scores
    assert "test/validation_gap.loss" in outcome.scores
    assert "judged what Delivers delivers: an ensemble of 2 at the temperature 2; first use" in outcome.summary


def test_a_temperature_changes_no_decision_and_is_another_model() -> None:
    store = MemoryStore()
    cold, _ = judged(Delivers(), FinalTest(), store=store)
    assert "the weights that Delivers left (a/last.ckpt)" in cold.summary
    hot, _ = judged(Delivers(temperature=3.0), FinalTest(), store=store)
    assert hot.scores["test/accuracy"].value == cold.scores["test/accuracy"].value
    assert hot.scores["test/loss"].value > cold.scores["test/loss"].value
    assert "what Delivers delivers: a/last.ckpt at the temperature 3" in hot.summary
    assert (hot.scores["test_uses"].value, hot.scores["tested_models"].value) == (2, 2)


def test_members_are_in_memory_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    members = {"a": 0.5, "b": 0.25, "c": 0.25}
    steps = [Delivers(members=members), FinalTest()]
    project = art.ArtProject("p", setup_of(), metrics=ACCURACY, steps=steps, store=MemoryStore())
    project.run(until="Delivers")
    forward, alive = Net.forward, list[int]()

    def counted(self: Net, x: torch.Tensor) -> torch.Tensor:
        gc.collect()
        alive.append(sum(type(one) is Net for one in gc.get_objects()))
        return forward(self, x)

    monkeypatch.setattr(Net, "forward", counted)
    project.run(only=["FinalTest"])
    assert max(alive) == 1
    assert len(alive) >= 3 * 12  # batches


@dataclass(frozen=True)
class Digests(Step):
    """Digests of the models that can be made of two trainings."""

    checks: Sequence[Check] = (NoNaN(),)

    def run(self, bench: Bench) -> Outcome:
        a, b = (bench.fit(label=label, seed=ord(label), max_steps=1).last for label in "ab")

        def digest(*parts: tuple[Any, float], temperature: float = 1.0) -> str:
            laid = tuple(scoring.Part("", bench.setup, path, weight) for path, weight in parts)
            return scoring.digest(bench, scoring.Model(laid, temperature))

        return Outcome(
            parameters={
                "a": digest((a, 1.0)),
                "warm a": digest((a, 1.0), temperature=2.0),
                "half": digest((a, 0.5), (b, 0.5)),
                "turned": digest((b, 0.5), (a, 0.5)),
                "more a": digest((a, 0.75), (b, 0.25)),
                "more b": digest((a, 0.25), (b, 0.75)),
                "warm half": digest((a, 0.5), (b, 0.5), temperature=2.0),
                "weights of a": scoring.digest_of(bench.engine.weights(a)),
            }
        )


def test_the_digest_covers_all_members_what_they_count_and_the_temperature() -> None:
    outcome, _ = judged(Digests())
    found = dict(outcome.parameters)
    assert found.pop("weights of a") == found["a"]  # as it ever was for a model of one training
    assert found.pop("turned") == found["half"]
    assert len(set(found.values())) == len(found) == 6


def test_several_loaders_have_scores_of_their_own() -> None:
    parts = {"first": (TEST[0][:100], TEST[1][:100]), "rest": (TEST[0][100:], TEST[1][100:])}
    members = {"a": 0.5, "b": 0.5}
    outcome, store = judged(Delivers(members=members), FinalTest(), setup=setup_of(parts))
    right = probabilities(store, members, 1.0).argmax(1).numpy() == TEST[1]
    assert outcome.scores["test/accuracy"].value == pytest.approx(right.mean())
    assert outcome.scores["test:first/accuracy"].value == pytest.approx(right[:100].mean())
    assert outcome.scores["test:rest/accuracy"].value == pytest.approx(right[100:].mean())
    assert outcome.scores["test:rest/loss"].rows == 260


def test_members_that_see_different_examples_are_refused() -> None:
    members = {"a": 0.5, "b:fewer rows": 0.5}
    with pytest.raises(SetupError, match=r"a/last\.ckpt and b/last\.ckpt saw different test examples"):
        judged(Compares(), Delivers(members=members), FinalTest())


def test_weights_that_are_not_kept_any_more_are_told() -> None:
    store = MemoryStore()
    judged(Delivers(), store=store)
    for digest in store.artifacts.kept():
        store.artifacts.delete(digest)
    with pytest.raises(OSError, match="is not kept any more"):
        judged(Delivers(), FinalTest(), store=store)


def test_an_outcome_says_what_it_delivers_else_its_checkpoint_is() -> None:
    last = Artifact("last.ckpt", "checkpoint", "d", 1)
    assert delivered(Outcome()) is None
    assert delivered(Outcome(artifacts=(last,))) == Delivery((Member("last.ckpt"),))
    said = Delivery((Member("a/last.ckpt", 0.5), Member("b/last.ckpt", 0.5, "Tune", "trial 3")), 1.5)
    outcome = Outcome(artifacts=(last, replace(last, name="a/last.ckpt")), parameters={DELIVERED: said.described})
    assert delivered(outcome) == said
    assert np.isclose(sum(member.weight for member in said.members), 1)
