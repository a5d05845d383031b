"""The whole recipe on text: sentences of a little grammar, whose mood depends on words that stand far apart."""

import dataclasses
import itertools
import random
from typing import Any

import pytest
import torch
from torch import nn

import art_training as art
from art_training.checks import ExportAgrees, NoNaN
from art_training.records import Outcome, StepState
from art_training.steps import Regularize, Squeeze, Tune, only
from art_training.stores.memory import MemoryStore

LENGTH = 9
NOUNS, OPENERS = ["cat", "dog", "bird", "horse", "cow", "fox"], ["", "today", "again"]
HEDGES, DEGREES = ["", "i think", "they say"], ["", "very", "quite"]
MOODS = {"good": 1, "lovely": 1, "kind": 1, "bad": 0, "nasty": 0, "mean": 0, "brown": 2, "small": 2}
WORDS = [
    "<pad>",
    *sorted(
        {word for part in (*NOUNS, *OPENERS, *HEDGES, *DEGREES, *MOODS) for word in part.split()} | {"the", "is", "not"}
    ),
]


def sentences() -> list[tuple[str, int]]:
    """All that the grammar makes, shuffled, each with its mood: bad, good or none; `not` turns it round."""
    made = [
        (
            " ".join(" ".join([opener, hedge, "the", noun, "is", "not" if turned else "", degree, mood]).split()),
            2 if MOODS[mood] == 2 else MOODS[mood] ^ turned,
        )
        for opener, hedge, noun, turned, degree, mood in itertools.product(
            OPENERS, HEDGES, NOUNS, [0, 1], DEGREES, MOODS
        )
    ]
    random.Random(0).shuffle(made)
    return made


def batch(texts: list[tuple[str, int]]) -> dict[str, torch.Tensor]:
    tokens = torch.zeros(len(texts), LENGTH, dtype=torch.long)
    for row, (text, _) in zip(tokens, texts, strict=True):
        ids = torch.tensor([WORDS.index(word) for word in text.split()])
        row[: len(ids)] = ids
    return {"tokens": tokens, "padding": tokens == 0, "label": torch.tensor([mood for _, mood in texts])}


class Reader(nn.Module):
    """A transformer of one layer; the mean over what is no padding is classified."""

    def __init__(self, width: int = 16, dropout: float = 0.0) -> None:
        super().__init__()
        self.words = nn.Embedding(len(WORDS), width)
        self.places = nn.Parameter(torch.randn(LENGTH, width) * 0.02)
        layer = nn.TransformerEncoderLayer(width, 2, 2 * width, dropout, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1, nn.LayerNorm(width), enable_nested_tensor=False)
        self.head = nn.Linear(width, 3)

    def forward(self, tokens: torch.Tensor, padding: torch.Tensor) -> torch.Tensor:
        read = self.encoder(self.words(tokens) + self.places, src_key_padding_mask=padding)
        there = (~padding).unsqueeze(2)
        return self.head((read * there).sum(1) / there.sum(1))


def recipe(**settings: Any) -> art.ArtProject:
    texts = sentences()
    model = art.from_torch(Reader, loss=nn.CrossEntropyLoss, optimizer=torch.optim.AdamW, lr=5e-3, weight_decay=0.0)
    setup = art.Setup(
        model,
        art.data(batch(texts[:400]), batch(texts[400:700]), batch(texts[700:1000]), batch_size=50),
        trainer={"max_epochs": 10, "accelerator": "cpu", "check_val_every_n_epoch": 5},
    )
    return art.recipe(setup, store=MemoryStore(), **settings)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[art.ArtProject, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("sentences"))
        project = recipe(
            capacity=[{"width": 2}, {"width": 16}],
            space={"lr": art.space.log_uniform(1e-3, 1e-2), "width": art.space.choice(8, 16)},
            trials=3,
            squeeze=Squeeze(
                ensemble=2, longer=1.5, by="validation/accuracy", checks=only(NoNaN(), ExportAgrees())
            ),  # words say it all here, and boosting is hard to beat
        )
        tune = next(step for step in project.steps if isinstance(step, Tune))
        project.replace_step(dataclasses.replace(tune, top=1, seeds_for_winner=2))
        regularize = next(step for step in project.steps if isinstance(step, Regularize))
        project.replace_step(dataclasses.replace(regularize, seeds=2))
        return project, project.run()


def outcome(ran: Any, step: str) -> Outcome:
    found = ran[1][step].outcome
    assert found is not None, str(ran[1])
    return found


@pytest.mark.slow
def test_every_step_passes(ran: Any) -> None:
    project, result = ran
    assert {step.name: step.state for step in result.steps} == {
        step.name: StepState.PASSED for step in project.steps
    }, str(result)
    assert list(project.left_out) == ["TransferLearning"]
    assert {"dropout 0.2", "weight_decay 0.01"} == set(
        next(one for one in project.steps if one.name == "Regularize").candidates
    )


@pytest.mark.slow
def test_the_task_is_told_from_a_batch_of_named_entries(ran: Any) -> None:
    task = ran[0].setup.task
    assert (task.kind, task.classes, task.target) == ("classification", 3, "label")
    assert set(task.inputs) == {"tokens", "padding"}


@pytest.mark.slow
def test_what_the_steps_say_fits_sentences(ran: Any) -> None:
    linear = outcome(ran, "EvaluateBaseline").candidate("linear")
    assert linear is not None
    assert linear.scores["validation/accuracy"].value < 0.5  # numbers of words are no measurements
    overfit = outcome(ran, "Overfit")
    assert overfit.score("validation/accuracy").value > 0.7
    narrow, wide = overfit.candidates[:2]
    assert narrow.scores["train/loss"].value > 2 * wide.scores["train/loss"].value
    looked = outcome(ran, "Regularize").reading("first-layer weights")
    assert looked is not None
    assert looked.value["parameter"] == "model.words.weight"
    assert looked.value["shape"] == [len(WORDS), 16]
    final = outcome(ran, "FinalTest")
    assert final.score("test/accuracy").rows == 300
    assert {f"test/class_recall.{mood}" for mood in range(3)} <= set(final.scores)


@pytest.mark.slow
def test_the_delivered_model_reads_a_sentence_by_itself(ran: Any) -> None:
    project, _ = ran
    artifact = outcome(ran, "Squeeze").artifact("model.zip")
    assert artifact is not None
    model = art.load_model(project.store.artifacts.fetch(artifact.digest))
    unseen = sentences()[700:1000]
    entries = batch(unseen)
    probabilities = model(entries)
    right = float((probabilities.argmax(1) == entries["label"]).double().mean())
    assert right == pytest.approx(outcome(ran, "FinalTest").score("test/accuracy").value)
