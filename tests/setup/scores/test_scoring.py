"""Scores are right over the epoch, whatever the batches, and say what they rest on."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import MulticlassAccuracy, MulticlassAUROC, MulticlassF1Score

from art_training.records import Score, Split
from art_training.setup.scores import scoring
from art_training.setup.scores.metrics import MetricCalculator
from art_training.setup.task import Task, TaskKind

G = torch.Generator().manual_seed(0)
X, Y = torch.randn(103, 4, generator=G), torch.randint(0, 3, (103,), generator=G)
TASK = Task(TaskKind.CLASSIFICATION, inputs=("0",), target="1", loss="cross_entropy", classes=3, activation="softmax")
WEIGHT = torch.tensor([1.0, 5.0, 0.2])


class Net(nn.Module):
    def __init__(self, step: Any = None) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.net = nn.Linear(4, 3)
        self.step = step or (lambda self, batch: F.cross_entropy(self.net(batch[0]), batch[1]))

    def log(self, name: str, value: Any, **_: Any) -> None:
        pass

    def validation_step(self, batch: Any, index: int) -> Any:
        return self.step(self, batch)

    def probabilities(self) -> torch.Tensor:
        with torch.no_grad():
            return self.net(X).softmax(1)


def loader(first: int = 0, last: int = 103, size: int = 25) -> Any:
    return DataLoader(TensorDataset(X[first:last], Y[first:last]), batch_size=size)


def objects() -> dict[str, Any]:
    return {
        "f1": MulticlassF1Score(num_classes=3),
        "auroc": MulticlassAUROC(num_classes=3),
        "accuracy": MulticlassAccuracy(num_classes=3),
    }


def scored(
    observations: Any, metrics: Any = None, *, rows: Any = None, logged: Any = None, task: Task = TASK
) -> tuple[dict[str, Score], Any]:
    scorer = MetricCalculator(objects() if metrics is None else metrics).scorer(task, None, 0)
    for observation in observations:
        scorer.see(observation)
    return scorer.result(rows or {}, logged or {})


def test_f1_and_auroc_equal_torchmetrics_on_the_pooled_data_with_a_short_last_batch(watch: Any) -> None:
    module = Net()
    scores, findings = scored(watch(module, loader()), rows={"validation": 103})
    for name, metric in objects().items():
        assert scores[f"validation/{name}"].value == pytest.approx(float(metric(module.probabilities(), Y)), abs=1e-6)
        assert scores[f"validation/{name}"].rows == 103
        assert scores[f"validation/{name}"].source == "cross_entropy call"
    assert findings == ()


def test_a_mean_of_batch_values_would_be_another_number(watch: Any) -> None:
    module = Net()
    scores, _ = scored(watch(module, loader(size=10)))
    of_batches = [float(objects()["f1"](module.net(x).softmax(1), y)) for x, y in loader(size=10)]
    assert abs(sum(of_batches) / len(of_batches) - scores["validation/f1"].value) > 0.003


def test_several_loaders_have_scores_each_and_pooled(watch: Any) -> None:
    module = Net()
    seen = [
        *watch(module, loader(0, 60), loader="clean"),
        *watch(module, loader(60, 103), loader="noisy"),
    ]
    scores, findings = scored(seen, rows={"validation:clean": 60, "validation:noisy": 43})
    probabilities = module.probabilities()
    for name, metric in objects().items():
        for place, rows in (("validation:clean", slice(0, 60)), ("validation:noisy", slice(60, 103))):
            expected = float(metric.clone()(probabilities[rows], Y[rows]))
            assert scores[f"{place}/{name}"].value == pytest.approx(expected, abs=1e-6)
        assert scores[f"validation/{name}"].value == pytest.approx(float(metric(probabilities, Y)), abs=1e-6)
    assert scores["validation/loss"].value == pytest.approx(float(F.nll_loss(probabilities.log(), Y)), rel=1e-5)
    assert {score.rows for score in scores.values()} == {60, 43, 103}
    assert findings == ()


def test_splits_share_no_state(watch: Any) -> None:
    module, shared = Net(), objects()
    both, _ = scored([*watch(module, loader(0, 50), Split.TRAIN), *watch(module, loader(50, 103))], shared)
    alone, _ = scored(watch(module, loader(50, 103)), shared)
    assert both["validation/f1"] == alone["validation/f1"]


def test_a_second_evaluation_begins_from_nothing(watch: Any) -> None:
    metrics = MetricCalculator(objects())
    results = []
    for _ in range(2):
        scorer = metrics.scorer(TASK, None, 0)
        for observation in watch(Net(), loader()):
            scorer.see(observation)
        results.append(scorer.result({}, {})[0])
    for name in ("f1", "accuracy", "loss"):
        assert results[0][f"validation/{name}"] == results[1][f"validation/{name}"]
    assert results[0]["validation/auroc"].value == results[1]["validation/auroc"].value


def test_the_loss_is_measured_without_any_metric(watch: Any) -> None:
    module = Net()
    scores, findings = scored(watch(module, loader()), {})
    assert list(scores) == ["validation/loss"]
    assert scores["validation/loss"].value == pytest.approx(
        float(F.nll_loss(module.probabilities().log(), Y)), rel=1e-5
    )
    assert scores["validation/loss"].direction == "minimize"
    interval = scores["validation/loss"].interval
    assert interval is not None
    assert interval.low < scores["validation/loss"].value < interval.high
    assert "103 examples" in interval.method
    assert findings == ()


def test_a_weighted_loss_is_weighted_by_its_own_denominator(watch: Any) -> None:
    module = Net(lambda self, batch: F.cross_entropy(self.net(batch[0]), batch[1], WEIGHT))
    scores, _ = scored(watch(module, loader(size=10)), {})
    assert scores["validation/loss"].value == pytest.approx(
        float(F.nll_loss(module.probabilities().log(), Y, WEIGHT)), rel=1e-5
    )


def test_a_loss_of_tokens_is_weighted_by_tokens(watch: Any) -> None:
    tokens = torch.randint(0, 3, (103, 6), generator=G)
    tokens[torch.rand(103, 6, generator=G) < 0.5] = -100
    data = DataLoader(TensorDataset(X, tokens), batch_size=10)

    def step(self: Net, batch: Any) -> Any:
        scores = self.net(batch[0])[:, None].expand(-1, 6, -1)
        return F.cross_entropy(scores.reshape(-1, 3), batch[1].reshape(-1))

    module = Net(step)
    scores, _ = scored(watch(module, data), {"accuracy": MulticlassAccuracy(num_classes=3, average="micro")})
    kept = tokens != -100
    log = module.probabilities().log()[:, None].expand(-1, 6, -1)
    assert scores["validation/loss"].value == pytest.approx(float(F.nll_loss(log[kept], tokens[kept])), rel=1e-5)
    right = (log.argmax(-1) == tokens)[kept].float().mean()
    assert scores["validation/accuracy"].value == pytest.approx(float(right), abs=1e-6)
    assert scores["validation/accuracy"].rows == 103
    interval = scores["validation/accuracy"].interval
    assert interval is not None
    assert "103 examples" in interval.method


def test_a_regulariser_is_part_of_the_loss_and_of_its_interval(watch: Any) -> None:
    plain, _ = scored(watch(Net(), loader()), {})
    more, _ = scored(watch(Net(lambda s, b: F.cross_entropy(s.net(b[0]), b[1]) + 0.5), loader()), {})
    times, _ = scored(watch(Net(lambda s, b: 3 * F.cross_entropy(s.net(b[0]), b[1])), loader()), {})
    first, second, third = (one["validation/loss"] for one in (plain, more, times))
    assert second.value == pytest.approx(first.value + 0.5, rel=1e-4)
    assert third.value == pytest.approx(first.value * 3, rel=1e-4)
    assert first.interval is not None
    assert second.interval is not None
    assert third.interval is not None
    assert second.interval.low == pytest.approx(first.interval.low + 0.5, rel=1e-4)
    assert third.interval.low == pytest.approx(first.interval.low * 3, rel=1e-3)
    assert "0.5 of it is added to cross_entropy" in second.note
    assert "3 times cross_entropy" in third.note


def test_a_hand_written_loss_has_a_value_and_no_interval(watch: Any) -> None:
    module = Net(lambda self, batch: (self.net(batch[0]) ** 2).mean())
    scores, findings = scored(watch(module, loader()))
    loss = scores["validation/loss"]
    assert loss.interval is None
    assert "no values of single examples" in loss.note
    assert list(scores) == ["validation/loss"]
    assert {finding.code for finding in findings} == {"ART703"}
    assert all("outputs=" in finding.message for finding in findings)


def test_what_the_module_logged_stands_in_where_nothing_can_be_computed(watch: Any) -> None:
    module = Net(lambda self, batch: (self.net(batch[0]) ** 2).mean())
    scores, findings = scored(watch(module, loader()), logged={"validation": {"val_acc": 0.7}})
    assert scores["validation/accuracy"].value == 0.7
    assert scores["validation/accuracy"].source == "logged by the module as val_acc"
    assert {finding.evidence["metric"] for finding in findings} == {"validation/f1", "validation/auroc"}


def test_art701_says_both_numbers_where_the_module_disagrees(watch: Any) -> None:
    scores, findings = scored(watch(Net(), loader()), logged={"validation": {"val_f1": 0.123, "val_accuracy": 0.5}})
    found = {finding.where: finding for finding in findings}
    assert set(found) == {"val_f1", "val_accuracy"}
    assert found["val_f1"].code == "ART701"
    assert found["val_f1"].category == "metrics"
    assert found["val_f1"].evidence["logged"] == 0.123
    assert found["val_f1"].evidence["computed"] == scores["validation/f1"].value
    assert "0.123" in found["val_f1"].message
    assert "103" in found["val_f1"].message


def test_agreement_within_single_precision_is_no_finding(watch: Any) -> None:
    module = Net()
    right = {
        "val_loss": float(F.nll_loss(module.probabilities().log(), Y)) * (1 + 1e-6),
        "val/f1": float(objects()["f1"](module.probabilities(), Y)),
        "something": 3.0,
    }
    _, findings = scored(watch(module, loader()), logged={"validation": right})
    assert findings == ()


def test_art702_says_how_many_rows_were_left_out(watch: Any) -> None:
    dropping = DataLoader(TensorDataset(X, Y), batch_size=25, drop_last=True)
    _, findings = scored(watch(Net(), dropping), rows={"validation": 103})
    assert [finding.code for finding in findings] == ["ART702"]
    assert findings[0].category == "evaluation"
    assert "100 examples were evaluated where the dataset has 103" in findings[0].message
    _, findings = scored(watch(Net(), loader()), rows={"validation": None})
    assert findings == ()


def test_a_metric_that_raises_spoils_neither_the_others_nor_the_loss(watch: Any) -> None:
    metrics = {**objects(), "wrong": MulticlassAccuracy(num_classes=2)}
    scores, findings = scored(watch(Net(), loader()), metrics)
    assert set(scores) == {"validation/loss", "validation/f1", "validation/auroc", "validation/accuracy"}
    assert [finding.code for finding in findings] == ["ART703"]
    message = findings[0].message
    assert message.startswith("validation/wrong could not be computed: metric 'wrong' raised")
    assert "(rows, 3) of float32" in message
    assert "\n" not in message


def test_a_metric_that_is_not_a_number_stays_so(watch: Any) -> None:
    scores, _ = scored(watch(Net(), loader()), {"nan": lambda p, t: float("nan")})
    assert scores["validation/nan"].value != scores["validation/nan"].value
    assert scores["validation/nan"].interval is None


def test_a_model_that_gives_nan_has_nan_scores_and_no_interval(watch: Any) -> None:
    module = Net()
    nn.init.constant_(module.net.bias, float("nan"))
    scores, _ = scored(watch(module, loader()), {"mean": lambda p, t: p.mean()})
    assert scores["validation/loss"].value != scores["validation/loss"].value
    assert scores["validation/loss"].interval is None
    assert "not finite" in scores["validation/loss"].note


def test_beyond_the_cap_scores_stay_right_and_say_why_they_have_no_interval(
    watch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, _ = scored(watch(Net(), loader()))
    monkeypatch.setattr(scoring, "MOST_KEPT", 100)
    large, _ = scored(watch(Net(), loader()))
    for name in ("f1", "auroc", "accuracy"):
        assert large[f"validation/{name}"].value == small[f"validation/{name}"].value
        assert large[f"validation/{name}"].interval is None
        assert "not kept" in large[f"validation/{name}"].note
    assert large["validation/loss"].interval == small["validation/loss"].interval


def test_a_batch_in_which_everything_is_ignored_does_not_count(watch: Any) -> None:
    target = Y.clone()
    target[:25] = -100
    data = DataLoader(TensorDataset(X, target), batch_size=25)
    scores, _ = scored(watch(Net(), data), {"accuracy": MulticlassAccuracy(num_classes=3, average="micro")})
    probabilities = Net().probabilities()
    assert scores["validation/loss"].value == pytest.approx(
        float(F.nll_loss(probabilities[25:].log(), Y[25:])), rel=1e-5
    )
    assert scores["validation/accuracy"].value == pytest.approx(
        float((probabilities[25:].argmax(1) == Y[25:]).float().mean()), abs=1e-6
    )


def test_intervals_follow_from_the_seed(watch: Any) -> None:
    seen = watch(Net(), loader())
    assert scored(seen)[0]["validation/f1"] == scored(seen)[0]["validation/f1"]


def test_a_loss_with_its_own_denominator_explains_why_the_module_logged_another(watch: Any) -> None:
    module = Net(lambda self, batch: F.cross_entropy(self.net(batch[0]), batch[1], WEIGHT))
    seen = watch(module, loader())
    by_examples = sum(float(one.losses[0].value) * one.weight for one in seen) / 103
    _, findings = scored(seen, {}, logged={"validation": {"val_loss": by_examples}})
    assert [finding.severity for finding in findings] == ["info"]
    assert "class weights" in findings[0].message
    _, findings = scored(seen, {}, logged={"validation": {"val_loss": by_examples * 1.1}})
    assert [finding.severity for finding in findings] == ["warning"]


def test_a_penalty_that_differs_from_batch_to_batch_has_no_interval_and_is_told(watch: Any) -> None:
    def step(self: Net, batch: Any) -> Any:
        scores = self.net(batch[0])
        return F.cross_entropy(scores, batch[1]) + 0.1 * (scores**2).mean()

    loss = scored(watch(Net(step), loader()), {})[0]["validation/loss"]
    assert loss.interval is None
    assert "the step adds to cross_entropy" in loss.note


@pytest.mark.parametrize(
    ("divide", "factor", "shared"),
    [
        (lambda loss, x: loss, 1.0, True),
        (lambda loss, x: loss / len(x), 1.0, False),
        (lambda loss, x: loss / x.numel(), 1 / 4, False),
    ],
    ids=["sum", "sum over examples", "sum over numbers"],
)
def test_a_sum_that_the_step_divides_itself_is_not_divided_again(
    watch: Any, divide: Any, factor: float, *, shared: bool
) -> None:
    def step(module: Any, batch: Any) -> Any:
        return divide(F.cross_entropy(module.net(batch[0]), batch[1], reduction="sum"), batch[0])

    module = Net(step)
    scores, _ = scored(watch(module, loader()), {})
    loss = scores["validation/loss"]
    with torch.no_grad():
        expected = float(F.cross_entropy(module.net(X), Y)) * factor
    assert loss.value == pytest.approx(expected, rel=1e-5)
    assert loss.interval is not None
    assert loss.interval.low < expected < loss.interval.high
    assert ("an example's share" in loss.note) is shared


def test_a_sum_over_what_a_mask_leaves_is_the_steps_own_number(watch: Any) -> None:
    def step(module: Any, batch: Any) -> Any:
        kept = batch[1] > 0
        return F.cross_entropy(module.net(batch[0])[kept], batch[1][kept], reduction="sum") / kept.sum()

    module = Net(step)
    scores, _ = scored(watch(module, loader()), {})
    with torch.no_grad():
        by_batch = [(float(module.validation_step((x, y), 0)), len(x)) for x, y in loader()]
    expected = sum(value * count for value, count in by_batch) / 103
    assert scores["validation/loss"].value == pytest.approx(expected, rel=1e-5)
