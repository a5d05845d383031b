"""A trained model finds what is wrong with the data that it was trained on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torchmetrics.classification import MulticlassAccuracy

import art_training as art
from art_training.records import Outcome, Split
from art_training.setup.scores.examples import Examples
from art_training.setup.scores.measures import Pool
from art_training.steps import examples
from art_training.steps.bench import Bench, Scored
from art_training.steps.examples import Budget, LookBack, worst_examples
from art_training.steps.forgetting import Forgotten
from art_training.steps.pictures import sheet
from art_training.steps.step import Step
from art_training.stores.memory import MemoryStore
from art_training.testing.data import diabetes, digits

Looks = Callable[[Bench, Scored, Any], LookBack]


@dataclass(frozen=True)
class Trained(Step):
    """Trains, and looks back."""

    look: Looks = lambda bench, scored, result: worst_examples(bench, scored, weights=result.last)

    def run(self, bench: Bench) -> Outcome:
        result = bench.fit()
        scored = bench.evaluate(Split.TRAIN, Split.VALIDATION, weights=result.last)
        found = self.look(bench, scored, result)
        return Outcome(scored.scores, readings=found.readings, artifacts=found.artifacts)


def look_back(setup: art.Setup, metrics: dict[str, Any], look: Looks | None = None) -> tuple[Outcome, MemoryStore]:
    store = MemoryStore()
    step = Trained() if look is None else Trained(look=look)
    outcome = art.ArtProject("p", setup, metrics=metrics, steps=[step], store=store).run()["Trained"].outcome
    assert outcome is not None
    return outcome, store


def rows(outcome: Outcome, name: str) -> list[dict[str, Any]]:
    reading = outcome.reading(name)
    assert reading is not None, [one.name for one in outcome.readings]
    return reading.value


def numbers(outcome: Outcome, name: str) -> list[int]:
    return [row["example"] for row in rows(outcome, name)]


def mislabelled() -> tuple[art.Setup, list[int], torch.Tensor]:
    (x, y), validation = digits()
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
    chosen = torch.randperm(len(y), generator=torch.Generator().manual_seed(1))[:10]
    y[chosen] = (y[chosen] + 3) % 10
    setup = art.Setup(
        model=art.from_torch(nn.Linear, loss=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=3e-3),
        hparams={"in_features": 64, "out_features": 10},
        data=art.data((x, y), tuple(torch.tensor(a).to(b.dtype) for a, b in zip(validation, (x, y), strict=True))),
        trainer={"accelerator": "cpu", "max_epochs": 8},
    )
    return setup, sorted(chosen.tolist()), y


def test_mislabelled_digits_are_the_worst_and_the_most_confidently_wrong() -> None:
    setup, planted, y = mislabelled()
    outcome, store = look_back(setup, {"accuracy": MulticlassAccuracy(num_classes=10)})
    worst, sure = rows(outcome, "worst train examples"), rows(outcome, "confidently wrong train examples")
    assert len(worst) == len(sure) == 16
    assert len(set(planted) & {row["example"] for row in worst}) >= 9
    assert len(set(planted) & {row["example"] for row in sure}) >= 7
    for row in worst:
        assert row["label"] == int(y[row["example"]])
    assert [row["loss"] for row in worst] == sorted((row["loss"] for row in worst), reverse=True)
    assert [row["confidence"] for row in sure] == sorted((row["confidence"] for row in sure), reverse=True)
    assert all(row["label"] != row["predicted"] for row in sure)
    artifact = outcome.artifact("train-examples.png")
    assert artifact is not None
    assert artifact.kind == "figure"
    assert store.artifacts.fetch(artifact.digest).read_bytes().startswith(b"\x89PNG")


def test_each_place_on_the_sheets_has_its_own_image_and_label(monkeypatch: pytest.MonkeyPatch) -> None:
    sheets: list[Any] = []
    monkeypatch.setattr(examples, "sheet", lambda sections: sheets.append(sections) or sheet(sections))
    setup, _, y = mislabelled()
    outcome, _ = look_back(setup, {"accuracy": MulticlassAccuracy(num_classes=10)})
    x = digits()[0][0]
    worst = next(iter(sheets[0].values()))
    assert len(worst) == 16
    for tile, place in zip(worst, numbers(outcome, "worst train examples"), strict=True):
        assert tile.title.startswith(f"#{place}: {int(y[place])} > ")
        assert np.allclose(tile.pixels, x[place].reshape(8, 8))


def test_a_project_without_metrics_sees_labels_and_predictions_too() -> None:
    setup, _, _ = mislabelled()
    with_metrics, _ = look_back(setup, {"accuracy": MulticlassAccuracy(num_classes=10)})
    without, _ = look_back(setup, {})
    assert rows(without, "worst train examples") == rows(with_metrics, "worst train examples")
    assert without.artifact("train-examples.png") is not None


def test_corrupted_targets_of_a_regression_are_the_worst_with_their_residuals() -> None:
    (x, y), (xv, yv) = diabetes()
    y = (y - y.mean()) / y.std()
    planted = [5, 77, 200]
    y[planted] += [8, -8, 8]
    setup = art.Setup(
        model=art.from_torch(lambda: nn.Sequential(nn.Linear(10, 1), nn.Flatten(0)), loss=nn.MSELoss, lr=1e-2),
        data=art.data((x.astype(np.float32), y.astype(np.float32)), (xv.astype(np.float32), (yv / 100).astype("f4"))),
        trainer={"accelerator": "cpu", "max_epochs": 3},
    )
    outcome, _ = look_back(setup, {})
    worst = rows(outcome, "worst train examples")
    assert {row["example"] for row in worst[:3]} == set(planted)
    assert worst[0]["residual"] == pytest.approx(worst[0]["predicted"] - worst[0]["label"], abs=1e-4)
    assert outcome.reading("confidently wrong train examples") is None
    assert [one.kind for one in outcome.artifacts] == ["table", "table"]  # ten features are no image


def test_flipped_labels_of_a_multi_label_task_are_found_by_example() -> None:
    (x, y), (xv, yv) = digits()
    holds = np.stack([np.isin(np.arange(10), [0, 4, 6, 8, 9]), np.arange(10) % 2 == 0, np.arange(10) > 4], 1)
    labels, planted = holds[y].astype(np.float32), [3, 400, 900]
    labels[planted] = 1 - labels[planted]
    setup = art.Setup(
        model=art.from_torch(
            lambda: nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3)), loss=nn.BCEWithLogitsLoss, lr=1e-2
        ),
        data=art.data((x.astype("f4"), labels), (xv.astype("f4"), holds[yv].astype(np.float32))),
        trainer={"accelerator": "cpu", "max_epochs": 10},
    )
    outcome, _ = look_back(setup, {})
    assert set(planted) <= set(numbers(outcome, "worst train examples")[:8])
    row = next(row for row in rows(outcome, "worst train examples") if row["example"] == 3)
    assert row["wrong decisions"] == 3
    assert set(row["label"]) | set(row["predicted"]) == {0, 1, 2}


class Tagger(nn.Module):
    """Each word's tag is its number modulo 3, which an embedding learns at once."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(31, 16)
        self.head = nn.Linear(16, 3)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.embedding(tokens)).transpose(1, 2)


def test_sentences_with_wrong_tags_are_found_by_sentence() -> None:
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(1, 31, (400, 7), generator=generator)
    tokens[::3, 5:] = 0  # padding
    tags = (tokens % 3).where(tokens > 0, -100)
    planted = [11, 123, 301]
    tags[planted] = ((tokens + 1) % 3).where(tokens > 0, -100)[planted]
    setup = art.Setup(
        model=art.from_torch(Tagger, loss=nn.CrossEntropyLoss, lr=2e-2),
        data=art.data((tokens, tags), (tokens[:50], tags[:50])),
        trainer={"accelerator": "cpu", "max_epochs": 8},
    )
    outcome, _ = look_back(setup, {"accuracy": MulticlassAccuracy(num_classes=3)})
    assert set(numbers(outcome, "worst train examples")[:3]) == set(planted)
    assert set(numbers(outcome, "confidently wrong train examples")[:3]) == set(planted)
    row = rows(outcome, "worst train examples")[0]
    assert len(row["label"]) == len(row["predicted"]) == (5 if row["example"] % 3 == 0 else 7)
    assert row["wrong decisions"] == len(row["label"])
    told = outcome.reading("confidently wrong train examples")
    assert told is not None
    assert [one["wrong share"] for one in told.value[:3]] == [1, 1, 1]
    assert "3 more than half of them wrong; the share of wrong positions counts" in told.note
    assert {one.kind for one in outcome.artifacts} == {"table"}


def scored(losses: list[float], pool: Pool | None = None) -> Scored:
    return Scored(passes={Split.TRAIN: Examples(len(losses), pool, np.array(losses), np.ones(len(losses)))})


def test_a_budget_bounds_count_and_time_and_nothing_is_nothing() -> None:
    setup, _, _ = mislabelled()

    def few(bench: Bench, scored: Scored, result: Any) -> LookBack:
        none = worst_examples(bench, scored, budget=Budget(count=0))
        assert none == LookBack()
        late = worst_examples(bench, scored, weights=result.last, budget=Budget(count=3, seconds=0.0), label="late")
        return LookBack((*late.readings,), late.artifacts)

    outcome, _ = look_back(setup, {"accuracy": MulticlassAccuracy(num_classes=10)}, few)
    assert len(rows(outcome, "late worst train examples")) == 3
    note = outcome.reading("late pictures of train examples")
    assert note is not None
    assert "time was up" in note.note


def test_without_matplotlib_the_numbers_stay_and_the_note_says_what_to_install(monkeypatch: Any) -> None:
    monkeypatch.setattr(examples, "can_draw", lambda: False)
    setup, planted, _ = mislabelled()
    outcome, _ = look_back(setup, {"accuracy": MulticlassAccuracy(num_classes=10)})
    assert set(planted) & set(numbers(outcome, "worst train examples"))
    assert {one.kind for one in outcome.artifacts} == {"table"}
    note = outcome.reading("pictures of train examples")
    assert note is not None
    assert "pip install 'art-training[plots]'" in note.note


def test_losses_that_are_no_numbers_are_the_worst_and_what_is_not_known_is_said() -> None:
    setup, _, _ = mislabelled()
    forgotten = Forgotten(looks=(0, 1, 2, 3), times=(0, 2, 1, 2), learned=(True, True, True, False))

    def made_up(bench: Bench, ignored: Scored, result: Any) -> LookBack:
        nan = worst_examples(bench, scored([0.1, float("nan"), 5.0, 5.0]), label="nan", forgotten=forgotten)
        nothing = worst_examples(bench, Scored(passes={Split.TRAIN: Examples(4)}), label="nothing")
        return LookBack((*nan.readings, *nothing.readings))

    outcome, _ = look_back(setup, {}, made_up)
    assert numbers(outcome, "nan worst train examples") == [1, 2, 3, 0]
    assert numbers(outcome, "nan forgotten train examples") == [3, 1, 2]
    assert [row["forgotten"] for row in rows(outcome, "nan forgotten train examples")] == [2, 2, 1]
    reading = outcome.reading("nothing worst train examples")
    assert reading is not None
    assert (reading.value, reading.note) == (None, "neither losses nor decisions of single examples are known")


def test_a_sheet_says_what_its_numbers_are_and_whether_the_worst_are_wrong_at_all(monkeypatch) -> None:
    headings: list[str] = []

    def drawn(sections):
        headings.extend(sections)
        return sheet(sections)

    monkeypatch.setattr(examples, "sheet", drawn)
    setup, _, _ = mislabelled()
    look_back(setup, {"accuracy": MulticlassAccuracy(num_classes=10)})
    assert headings[0] == "worst train examples (number: label > prediction)"
    told = examples._heading("worst", "train", [{"label": "3", "predicted": "3"}])
    assert told == "worst train examples (number: label > prediction; all of these are right)"
    assert examples._heading("worst", "train", [{}]) == "worst train examples"
