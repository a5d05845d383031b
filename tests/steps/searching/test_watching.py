"""What is seen of a trial while it trains."""

import json
from collections.abc import Sequence

import pytest

from art_training.engines import Position
from art_training.records import Metric
from art_training.steps.searching.watching import Progress, Watcher, choose, is_of, may_watch
from art_training.tuning.space import Space, uniform
from art_training.tuning.study import Asked, Search
from art_training.tuning.trial import Trial

SPACE = Space({"lr": uniform(0, 1)})
LOSS = "validation/loss"
BY_LOSS = Metric.parse(LOSS)
BY_ACCURACY = Metric.parse("validation/accuracy")
GOOD = [Trial(n, "finished", {"lr": n / 10}, 0.1, LOSS, dict.fromkeys(range(6), 0.1)) for n in range(5)]


def asked() -> Asked:
    found = Search(SPACE, "minimize", "random", "median", epochs=6).ask(GOOD)
    assert found is not None
    return found


def watcher(progress: Progress | None = None, kept: list[object] | None = None, watched: str = LOSS) -> Watcher:
    keep = [] if kept is None else kept
    return Watcher(asked(), progress or Progress(5), BY_LOSS, watched, lambda one: keep.append(one.stored()))


def at(*points: tuple[int, float], name: str = LOSS, epochs: int = 6) -> Position:
    return Position("fit", epochs=epochs, points=tuple((name, 10 * epoch, epoch, value) for epoch, value in points))


def test_a_trial_that_is_worse_than_the_median_is_ended_after_the_warm_up() -> None:
    watch = watcher()
    assert watch(at((0, 9.0))) is None
    assert watch(at((1, 9.0))) == "pruned after epoch 2 of 6, at validation/loss 9"
    assert watch(Position("fit")) is not None, "it goes on saying so until the training has ended"


def test_the_decision_is_the_same_however_late_the_values_are_handed_over() -> None:
    late = watcher()
    late(at((0, 9.0), (1, 8.0), (2, 0.01)))
    assert late.progress.pruned == 1
    assert late.progress.curves == {LOSS: {0: 9.0, 1: 8.0}}


def test_the_last_epoch_is_not_pruned() -> None:
    watch = watcher()
    assert watch(at((0, 0.05), (1, 0.05), (5, 9.0))) is None
    assert watch.progress.pruned is None


def test_one_value_counts_for_each_epoch() -> None:
    kept: list[object] = []
    watch = watcher(kept=kept)
    watch(at((0, 0.05)))
    watch(at((0, 7.0)))
    assert watch.progress.curves == {LOSS: {0: 0.05}}
    assert len(kept) == 1, "and is remembered when it is new"


def test_whoever_goes_on_knows_what_had_been_seen_and_decides_alike() -> None:
    kept: list[object] = []
    watch = watcher(kept=kept)
    watch(at((0, 9.0)))
    again = watcher(Progress.parse(json.loads(json.dumps(kept[-1])), 5))
    assert again.progress.curves == {LOSS: {0: 9.0}}
    assert again(at((0, 9.0))) is None
    assert again(at((1, 9.0))) is not None
    pruned = watcher(Progress.parse(again.progress.stored(), 5))
    assert pruned.progress.pruned == 1
    assert pruned.asked.attributes == again.asked.attributes


@pytest.mark.parametrize("stored", [None, "text", {"number": 4, "curves": {LOSS: {"0": 1.0}}}])
def test_what_was_remembered_of_another_trial_does_not_count(stored: object) -> None:
    assert Progress.parse(stored, 5) == Progress(5)  # type: ignore[arg-type]


def test_while_it_is_not_known_what_pruning_goes_by_everything_that_could_be_is_kept() -> None:
    watch = Watcher(asked(), Progress(5), BY_ACCURACY, "", lambda _: None)
    assert watch(at((0, 9.0), (1, 9.0), (2, 9.0))) is None
    watch(at((0, 0.5), name="logged/val_accuracy"))
    watch(at((0, 0.5), name="logged/grad_norm"))
    assert set(watch.progress.curves) == {LOSS, "logged/val_accuracy"}
    assert watch.progress.epochs == 3


@pytest.mark.parametrize(
    "name",
    [
        "val_accuracy",
        "validation/accuracy",
        "valid.accuracy",
        "Val_Accuracy",
        "val_accuracy_epoch",
        "accuracy/val",
        "dev-accuracy",
    ],
)
def test_a_metric_is_recognised_by_how_it_is_logged(name: str) -> None:
    assert is_of(f"logged/{name}", BY_ACCURACY)
    assert may_watch(f"logged/{name}", BY_ACCURACY)


@pytest.mark.parametrize(
    "name", ["logged/train_accuracy", "logged/accuracy", "logged/val_accuracy_top5", "logged/val_acc", LOSS]
)
def test_what_is_not_the_metric_on_validation_is_not_taken_for_it(name: str) -> None:
    assert not is_of(name, BY_ACCURACY)


@pytest.mark.parametrize(
    ("curves", "metric", "chosen"),
    [
        ([LOSS, "logged/val_accuracy"], BY_ACCURACY, "logged/val_accuracy"),
        ([LOSS], BY_ACCURACY, LOSS),
        ([LOSS], BY_LOSS, LOSS),
        ([], BY_LOSS, ""),
    ],
)
def test_pruning_goes_by_the_metric_then_by_the_loss_then_by_nothing(
    curves: Sequence[str], metric: Metric, chosen: str
) -> None:
    assert choose(Progress(0, {name: {0: 1.0} for name in curves}), metric) == chosen
