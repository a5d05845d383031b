import numpy as np
import pytest

import art_training as art
from art_training.setup.task import Task, TaskKind
from art_training.steps import ExploreData
from art_training.testing.reading import ReadingBench

CLASSES = Task(TaskKind.CLASSIFICATION, inputs=("ids",), target="y")


def explore(data, task=CLASSES):
    return ExploreData(pictures=False).run(ReadingBench(data, task))


def finding(outcome, code):
    return next((one for one in outcome.findings if one.code == code), None)


def tokens(count: int, *, most: int, width: int, seed: int = 0, words: int = 200) -> dict:
    """Sentences of 2 to `most` tokens, cut to `width` and filled up with zeros."""
    generator = np.random.default_rng(seed)
    ids = generator.integers(1, words, size=(count, most))
    ids[np.arange(most) >= generator.integers(2, most + 1, size=count)[:, None]] = 0
    ids = np.pad(ids, ((0, 0), (0, max(0, width - most))))[:, :width]
    return {"ids": ids, "y": generator.integers(0, 2, size=count)}


def test_sentences_that_fit_are_not_accused():
    outcome = explore(art.data(tokens(300, most=20, width=21), tokens(100, most=20, width=21, seed=1)))
    assert outcome.findings == ()
    row = outcome.reading("sequence lengths").value[0]
    assert (row["shortest"], row["longest"], row["filled_with"], row["cut"]) == (2, 20, 0, 0)
    assert outcome.score("train/padding_share").value == pytest.approx(1 - row["mean"] / 21, abs=1e-3)


def test_cut_sequences_are_found():
    outcome = explore(art.data(tokens(300, most=40, width=24)))
    share = outcome.score("train/truncated_share").value
    assert share == pytest.approx((40 - 23) / 39, abs=0.1)
    assert finding(outcome, "ART118").evidence["count"] == round(share * 300)


def test_empty_sequences_and_padding_are_found():
    data = tokens(300, most=10, width=40)
    data["ids"][[7, 9]] = 0
    outcome = explore(art.data(data))
    assert finding(outcome, "ART119").evidence["examples"] == [7, 9]
    assert finding(outcome, "ART121").evidence["share"] > 0.8


def test_tokens_that_training_never_shows_are_counted():
    train, validation = tokens(300, most=20, width=20), tokens(100, most=20, width=20, seed=1)
    validation["ids"] = np.where(validation["ids"] > 100, validation["ids"] + 500, validation["ids"])
    outcome = explore(art.data(train, validation))
    assert outcome.score("validation/unseen_tokens_share").value == pytest.approx(0.5, abs=0.05)
    assert all(token > 600 for token in finding(outcome, "ART122").evidence["tokens"])
    assert "length of ids" in {row["axis"] for row in outcome.reading("validation features against train").value}


def test_longer_sentences_in_validation_are_drift():
    outcome = explore(art.data(tokens(300, most=12, width=30), tokens(200, most=30, width=30, seed=1)))
    assert finding(outcome, "ART110").evidence["features"] == ["length of ids"]


def test_targets_that_the_loss_leaves_out_are_counted():
    data = tokens(60, most=12, width=12)
    labels = np.where(data["ids"] > 0, data["ids"], -100)
    labels[5] = -100
    task = Task(TaskKind.SEQUENCE, inputs=("ids",), target="labels", loss_options={"ignore_index": -100})
    outcome = explore(art.data({"ids": data["ids"], "labels": labels}), task)
    assert outcome.score("train/ignored_targets_share").value == pytest.approx((labels == -100).mean())
    assert finding(outcome, "ART119").evidence["examples"] == [5]


def test_texts_are_measured_in_words():
    rows = [{"text": " ".join(["word"] * (1 + at % 5)), "y": 0} for at in range(20)]
    outcome = explore(art.data(rows), Task(TaskKind.CLASSIFICATION, inputs=("text",), target="y"))
    row = outcome.reading("sequence lengths").value[0]
    assert (row["input"], row["shortest"], row["longest"], row["mean"]) == ("text", 1, 5, 3)
