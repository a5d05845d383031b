import numpy as np
import pytest
from sklearn.datasets import load_digits

from art_training.setup.task import Task, TaskKind
from art_training.steps.exploration.tokens import sequences

CLASSES = Task(TaskKind.CLASSIFICATION)


def padded(fill: int, *, left: bool = False) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    lengths = generator.integers(1, 9, size=40)
    ids = np.full((40, 8), fill)
    for row, length in enumerate(lengths):
        ids[row, slice(8 - length, 8) if left else slice(length)] = generator.integers(2, 20, size=length)
    return ids, lengths


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("fill", [0, 1, -1])
def test_what_fills_up_rows_is_recognised(fill, left):
    ids, lengths = padded(fill, left=left)
    tokens = sequences({"0": ids}, CLASSES)["0"]
    assert tokens.padding == fill
    assert (tokens.lengths == lengths).all()


@pytest.mark.parametrize("name", ["attention_mask", "padding_mask"])
def test_a_mask_says_which_tokens_count(name):
    ids, lengths = padded(5)
    real = np.arange(8) < lengths[:, None]
    tokens = sequences({"x": ids, name: real == (name == "attention_mask")}, CLASSES)
    assert set(tokens) == {"x"}
    assert (tokens["x"].lengths == lengths).all()


def test_rows_of_varying_width_are_sequences():
    rows = np.empty(3, object)
    for at, length in enumerate((2, 5, 3)):
        rows[at] = np.arange(1, length + 1)
    assert sequences({"0": rows}, CLASSES)["0"].lengths.tolist() == [2, 5, 3]


def test_texts_are_counted_in_words():
    texts = np.array(["one two", "", "Two one two"], object)
    tokens = sequences({"text": texts}, CLASSES)["text"]
    assert tokens.lengths.tolist() == [2, 0, 3]
    assert tokens.ids[0, 1] == tokens.ids[2, 0]  # the same word, however it is written


def test_whole_numbers_of_a_table_are_no_sequences():
    x = load_digits().data.astype(int)
    assert sequences({"0": x}, CLASSES) == {}
    assert sequences({"0": np.random.default_rng(0).integers(0, 5, (50, 8))}, CLASSES) == {}


def test_inputs_that_are_called_so_are_sequences():
    x = np.random.default_rng(0).integers(1, 9, (5, 6))
    assert sequences({"input_ids": x}, CLASSES)["input_ids"].lengths.tolist() == [6] * 5
    assert set(sequences({"0": x}, Task(TaskKind.SEQUENCE))) == {"0"}


def test_a_token_that_begins_every_row_is_no_padding():
    ids, lengths = padded(0)
    begun = np.concatenate([np.ones((40, 1), int), ids], 1)
    assert (sequences({"0": begun}, CLASSES)["0"].lengths == lengths + 1).all()


def test_numbers_that_only_the_last_column_has_are_no_padding():
    generator = np.random.default_rng(0)
    table = np.concatenate([generator.integers(0, 50, (60, 6)), generator.integers(2001, 2005, (60, 1))], 1)
    assert sequences({"0": table}, CLASSES) == {}
    assert sequences({"0": generator.integers(10**18, 2 * 10**18, (60, 6))}, CLASSES) == {}
