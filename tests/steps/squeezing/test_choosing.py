"""Which model is the result, and which earlier candidates are members."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torchmetrics.regression import MeanAbsoluteError

import art_training as art
from art_training.errors import ProjectError
from art_training.records import Candidate, Outcome, Score
from art_training.setup.scores.measures import Pool
from art_training.setup.scores.metrics import MetricCalculator
from art_training.setup.task import Task, TaskKind
from art_training.steps.delivering.predictions import Predictions
from art_training.steps.squeezing.choosing import badness, choose, gain, name_by
from art_training.steps.squeezing.contenders import Contender
from art_training.steps.squeezing.members import planned, ranked, seed_of

VALUES = Task(TaskKind.REGRESSION, target="1", loss="mse_loss")
METRICS = MetricCalculator({"error": MeanAbsoluteError(), "odd": lambda p, t: 0.0})


def model(name: str, noise: float, rows: int = 400, seed: int = 0) -> Contender:
    targets = torch.linspace(-1, 1, rows)
    error = torch.randn(rows, generator=torch.Generator().manual_seed(seed))
    return Contender(name, (), Predictions(Pool(targets + noise * error, targets), VALUES, rows), 0.0)


SIZES = {"single": 10, "ensemble": 50, "student": 10, "longer": 10}


@pytest.mark.parametrize("name", ["loss", "error"])
def test_a_large_model_is_taken_where_the_small_ones_are_significantly_worse(name: str) -> None:
    contenders = [model("single", 1.0), model("ensemble", 0.5)]
    choice = choose(contenders, name, METRICS, SIZES, prefer="small", seed=0)
    assert choice.taken.name == "ensemble"
    compared = gain(METRICS, name, contenders[1].predictions, contenders[0].predictions, 0)
    assert compared.value > 0
    assert compared.better


def test_the_smallest_is_taken_where_it_is_not_significantly_worse() -> None:
    contenders = [model("single", 1.01, seed=1), model("ensemble", 1.0, seed=2)]
    first, second = (badness(one.predictions, "loss", METRICS) for one in contenders)
    if first < second:
        contenders.reverse()
    choice = choose(contenders, "loss", METRICS, {"single": 10, "ensemble": 50}, prefer="small", seed=0)
    assert choice.taken.name == "single"
    best = choose(contenders, "loss", METRICS, SIZES, prefer="best", seed=0)
    assert badness(best.taken.predictions, "loss", METRICS) == min(first, second)


@pytest.mark.parametrize("name", ["single", "ensemble"])
def test_what_is_named_is_taken(name: str) -> None:
    contenders = [model("single", 0.5), model("ensemble", 0.9)]
    assert choose(contenders, "loss", METRICS, SIZES, prefer=name, seed=0).taken.name == name


def test_of_two_that_are_as_small_the_better_is_taken() -> None:
    contenders = [model("single", 1.0), model("student", 0.99), model("ensemble", 0.98)]
    assert choose(contenders, "loss", METRICS, SIZES, prefer="best", seed=0).taken.name == "ensemble"
    few = [model(name, noise, 12) for name, noise in (("single", 1.0), ("student", 0.99), ("ensemble", 0.98))]
    choice = choose(few, "loss", METRICS, SIZES, prefer="small", seed=0)
    assert choice.taken.name == "student"  # twelve examples tell nothing apart
    single, student = (badness(one.predictions, "loss", METRICS) for one in few[:2])
    assert choice.why == (
        f"student has the best score of 2 as small (single {single:.4g}, student {student:.4g}); they are the smallest whose "
        "validation/loss is not significantly worse than that of ensemble, the best (paired, Holm over 2, level 0.05)"
    )


def test_the_reason_is_the_rule_that_was_applied() -> None:
    same = [model(name, noise, 12) for name, noise in (("single", 1.0), ("student", 1.0), ("ensemble", 0.98))]
    choice = choose(same, "loss", METRICS, SIZES, prefer="small", seed=0)
    assert choice.taken.name == "single"
    assert choice.why.startswith("single comes first of those with the best score of 2 as small (single ")
    alone = choose([same[0], same[2]], "loss", METRICS, SIZES, prefer="small", seed=0)
    assert alone.why.startswith(
        "single is the smallest whose validation/loss is not significantly worse than that of ens"
    )
    apart = [model("single", 1.0), model("student", 0.9), model("ensemble", 0.5)]
    large = choose(apart, "loss", METRICS, SIZES, prefer="small", seed=0)
    assert large.why == (
        "ensemble has the best validation/loss, and every smaller one is significantly worse (paired, Holm over 2, level 0.05)"
    )
    small = choose(apart[:2], "loss", METRICS, SIZES, prefer="small", seed=0)
    assert small.why == "student has the best validation/loss, and no other is smaller"


@pytest.mark.parametrize(
    ("by", "sentence"),
    [
        ("test/loss", "is of the test split"),
        ("validation/accuracy", "is no metric of this project; it has: loss, error, odd"),
        ("validation/odd", "not known which way"),
    ],
)
def test_a_score_that_cannot_decide_is_refused(by: str, sentence: str) -> None:
    with pytest.raises(ProjectError, match=sentence):
        name_by(by, METRICS, "Squeeze")


def test_seeds_of_members_differ_and_stay_when_members_are_added() -> None:
    seeds = [seed_of(7, member) for member in range(1, 50)]
    assert len(set(seeds)) == 49
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert seed_of(8, 1) != seeds[0]


def scored(name: str, value: float, direction: Any = "minimize") -> Candidate:
    return Candidate(name, {"validation/loss": Score(value, direction=direction)})


def test_candidates_are_ranked_by_what_all_of_them_have() -> None:
    outcome = Outcome(candidates=(scored("a", 2.0), scored("b", 1.0), Candidate("broken"), scored("c", float("nan"))))
    assert ranked(outcome) == ["b", "a"]
    higher = Outcome(candidates=(scored("a", 2.0, "maximize"), scored("b", 1.0, "maximize")))
    assert ranked(higher) == ["a", "b"]
    assert ranked(Outcome(parameters={"points": {"trial 4": {}, "trial 1": {}}})) == ["trial 4", "trial 1"]
    assert ranked(Outcome()) == []


def test_members_of_a_step_that_is_not_there_are_refused(tmp_path: Path) -> None:
    from art_training.steps.bench import Earlier
    from art_training.testing.reading import ReadingBench

    data = art.data(train=(torch.zeros(4, 1), torch.zeros(4)))
    bench = ReadingBench(data, VALUES, folder=tmp_path)
    with pytest.raises(
        ProjectError, match="of='Tune' of step 'Squeeze' is no earlier step with an outcome; there are: none"
    ):
        planned(bench, 3, "Tune", "Squeeze")
    one = Outcome(candidates=(scored("only", 1.0),))
    bench.earlier = (Earlier("Tune", "Tune", one, configured=lambda name: bench.setup),)
    with pytest.raises(ProjectError, match="left 1 candidates to make members of, and an ensemble needs 2"):
        planned(bench, 3, "Tune", "Squeeze")
    assert [one.seed for one in planned(bench, 3, "", "Squeeze")] == [seed_of(0, at) for at in (1, 2, 3)]
