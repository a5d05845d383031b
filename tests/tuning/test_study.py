"""What is proposed follows from the trials and the seed alone, in whatever process."""

import json
import logging
import math
import random
from dataclasses import replace
from typing import Literal

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from art_training.tuning.importance import importances
from art_training.tuning.space import Point, Space, choice, integer, log_uniform, uniform
from art_training.tuning.study import Asked, Search
from art_training.tuning.trial import Trial

EPOCHS = 9
SPACE = Space(
    {
        "lr": log_uniform(1e-5, 1e-1),
        "width": integer(16, 256, log=True),
        "optimizer": choice("adam", "sgd"),
        "momentum": uniform(0, 0.9).when("optimizer", "sgd"),
    }
)


def loss(point: Point) -> float:
    return (math.log10(float(point["lr"])) + 3) ** 2 + 0.3 * float(point.get("momentum", 0.5))


def ended(asked: Asked, *, sign: int = 1) -> Trial:
    """A trial whose loss falls over nine epochs."""
    trial = Trial(asked.number, "finished", asked.point, loss(asked.point))
    for epoch in range(EPOCHS):
        if asked.report(epoch, sign * (loss(asked.point) + 5 / (epoch + 1))):
            trial = replace(trial, state="pruned", value=None)
            break
    return replace(trial, watched="x", curve=asked.curve, attributes=asked.attributes)


def searched(search: Search, trials: int, *, remembered: bool = False) -> list[Trial]:
    found: list[Trial] = []
    for _ in range(trials):
        asked = search.ask(found)
        if asked is None:
            break
        found.append(ended(asked))
        if remembered:  # as if every trial ran in a process of its own
            found = [Trial.parse(json.loads(json.dumps(trial.stored()))) for trial in found]
    return found


@pytest.mark.parametrize("pruning", [None, "median", "hyperband"])
@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_search_that_goes_on_from_what_is_remembered_proposes_the_same(
    sampler: Literal["tpe", "random"], pruning: Literal["median", "hyperband"] | None
) -> None:
    search = Search(SPACE, "minimize", sampler, pruning, seed=3, epochs=EPOCHS)
    whole = searched(search, 25)
    assert searched(search, 25, remembered=True) == whole
    if pruning is not None:
        assert {trial.state for trial in whole} == {"finished", "pruned"}


@given(
    st.integers(0, 1000),
    st.lists(st.sampled_from(["finished", "pruned", "failed"]), max_size=15),
    st.sampled_from(["tpe", "random"]),
)
@settings(max_examples=15, deadline=None)
def test_the_same_trials_get_the_same_proposal(seed: int, states: list[str], sampler: Literal["tpe", "random"]) -> None:
    search = Search(SPACE, "minimize", sampler, None, seed)
    trials: list[Trial] = []
    for state in states:
        asked = search.ask(trials)
        assert asked is not None
        value = loss(asked.point) if state == "finished" else None
        trials.append(Trial(len(trials), state, asked.point, value, curve={0: 1.0} if state == "pruned" else {}))  # type: ignore[arg-type]
    first, second = search.ask(trials), search.ask(trials)
    assert first is not None
    assert second is not None
    assert first.point == second.point
    assert first.number == len(trials)


def test_another_seed_searches_elsewhere() -> None:
    points = [searched(Search(SPACE, "minimize", seed=seed), 3)[0].point for seed in range(3)]
    assert len({point["lr"] for point in points}) == 3


def test_every_proposal_lies_in_the_space() -> None:
    for trial in searched(Search(SPACE, "minimize", "random"), 40):
        assert 1e-5 <= float(trial.point["lr"]) <= 1e-1
        assert 16 <= int(trial.point["width"]) <= 256
        assert ("momentum" in trial.point) == (trial.point["optimizer"] == "sgd")


def test_learning_from_trials_finds_better_ones_than_chance() -> None:
    def best(sampler: Literal["tpe", "random"], seed: int) -> float:
        trials = searched(Search(SPACE, "minimize", sampler, None, seed), 40)
        return sum(sorted(trial.value for trial in trials[20:] if trial.value is not None)[:5])

    assert sum(best("tpe", seed) for seed in range(3)) < sum(best("random", seed) for seed in range(3))


def test_hyperband_ends_most_trials_at_its_rungs_and_the_median_none_of_the_first_five() -> None:
    lengths = {
        pruning: [len(trial.curve) for trial in searched(Search(SPACE, "minimize", "random", pruning, 1, EPOCHS), 30)]
        for pruning in ("median", "hyperband")
    }
    assert set(lengths["hyperband"]) == {2, 4, EPOCHS}, "at epochs 1 and 3 from 0, of which a third goes on"
    assert sum(length < EPOCHS for length in lengths["hyperband"]) > 15
    assert min(lengths["hyperband"][:5]) < EPOCHS
    assert set(lengths["median"][:5]) == {EPOCHS}
    assert min(lengths["median"][5:]) < EPOCHS


def test_the_direction_counts() -> None:
    trials = searched(Search(SPACE, "maximize", "tpe", None), 40)
    late = [abs(math.log10(float(trial.point["lr"])) + 3) for trial in trials[25:]]
    assert sum(late) / len(late) > 1.2, "it goes to the ends of the scale, where the loss is highest"


def test_a_loss_prunes_a_search_for_the_highest_value() -> None:
    search = Search(SPACE, "maximize", "random", "median", epochs=EPOCHS, sign=-1)
    trials: list[Trial] = []
    for _ in range(20):
        asked = search.ask(trials)
        assert asked is not None
        trials.append(replace(ended(asked), value=-loss(asked.point)) if asked else asked)
        if trials[-1].state == "pruned":
            trials[-1] = replace(trials[-1], value=None)
    pruned = [loss(trial.point) for trial in trials if trial.state == "pruned"]
    finished = [loss(trial.point) for trial in trials if trial.state == "finished"]
    assert pruned
    assert min(pruned) > min(finished)
    assert sum(pruned) / len(pruned) > sum(finished) / len(finished)


def test_no_point_is_tried_twice_and_a_space_comes_to_its_end() -> None:
    space = Space({"a": choice("x", "y", "z"), "b": integer(1, 3).when("a", "x", "y")})
    search = Search(space, "minimize")
    trials: list[Trial] = []
    while (asked := search.ask(trials)) is not None:
        trials.append(Trial(asked.number, "finished", asked.point, float(asked.point.get("b", 0))))
    assert len(trials) == 7
    assert len({tuple(trial.point.items()) for trial in trials}) == 7


def test_what_is_told_again_changes_nothing() -> None:
    asked = Search(SPACE, "minimize", epochs=EPOCHS).ask([])
    assert asked is not None
    asked.report(0, 1.0)
    asked.report(0, 7.0)
    assert asked.curve == {0: 1.0}


def test_what_others_set_about_the_log_is_as_it_was() -> None:
    logger = logging.getLogger("optuna")
    level = logger.level
    searched(Search(SPACE, "minimize"), 2)
    assert logger.level == level
    assert optuna.logging.get_verbosity() in {level, logging.INFO}


def test_what_decides_is_found() -> None:
    space = Space({"lr": log_uniform(1e-5, 1e-1), "idle": uniform(0, 1), "kind": choice("a", "b")})
    search = Search(space, "minimize", "random")
    noise = random.Random(0)
    trials = [
        replace(trial, value=(math.log10(float(trial.point["lr"])) + 3) ** 2 + noise.gauss(0, 0.3))
        for trial in searched(search, 30)
    ]
    found = importances(space, trials, seed=0)
    assert next(iter(found)) == "lr"
    assert found["lr"] > 0.7
    assert sum(found.values()) == pytest.approx(1)
    assert importances(space, trials, seed=0) == found


def test_what_a_condition_leaves_out_can_decide_too() -> None:
    trials = searched(Search(SPACE, "minimize", "random"), 40)
    trials = [replace(trial, value=5 * float(trial.point.get("momentum", 0.0))) for trial in trials]
    found = importances(SPACE, trials, seed=0)
    assert found["momentum"] + found["optimizer"] > 0.8


def test_what_is_left_out_does_not_take_the_credit_of_what_left_it_out() -> None:
    trials = searched(Search(SPACE, "minimize", "random"), 40)
    noise = random.Random(0)
    trials = [replace(trial, value=(trial.point["optimizer"] == "sgd") + noise.gauss(0, 0.1)) for trial in trials]
    found = importances(SPACE, trials, seed=0)
    assert found["optimizer"] > 0.8


@pytest.mark.parametrize(
    ("value", "count", "why"), [(None, 14, "14 finished trials are too few"), (1.0, 20, "the same value")]
)
def test_importances_that_cannot_be_told_say_why(value: float | None, count: int, why: str) -> None:
    trials = searched(Search(SPACE, "minimize", "random"), count)
    if value is not None:
        trials = [replace(trial, value=value) for trial in trials]
    with pytest.raises(ValueError, match=why):
        importances(SPACE, trials, seed=0)
