"""Examples that are equal: by chance where there are few different ones, or because somebody copied them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import art_training as art
from art_training.records import Outcome, Severity
from art_training.setup.task import Task, TaskKind
from art_training.steps import ExploreData
from art_training.steps.exploration.chance import Chance, beyond
from art_training.testing.reading import ReadingBench

CLASSES = Task(TaskKind.CLASSIFICATION, inputs=("0",), target="1")


def explore(x: np.ndarray, y: np.ndarray) -> Outcome:
    one, other = int(0.6 * len(x)), int(0.8 * len(x))
    parts = (slice(one), slice(one, other), slice(other, None))
    return ExploreData(pictures=False).run(ReadingBench(art.data(*((x[part], y[part]) for part in parts)), CLASSES))


def one_hot(columns: int, rows: int, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).integers(0, 3, (rows, columns))
    return np.eye(3, dtype=np.float32)[drawn].reshape(rows, -1)


def labels(rows: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 2, rows)


def serious(outcome: Outcome) -> list[str]:
    exact = ("ART101", "ART102", "ART108")
    return [one.message for one in outcome.findings if one.code in exact and one.severity is not Severity.INFO]


def sequences(rows: int) -> np.ndarray:
    generator = np.random.default_rng(0)
    ids = 1 + generator.zipf(1.4, (rows, 20)) % 400
    ids[np.arange(20) >= generator.integers(3, 21, rows)[:, None]] = 0
    return ids


@pytest.mark.parametrize(
    "x",
    [
        one_hot(4, 2_000),
        np.random.default_rng(0).poisson(4, (2_000, 4)).astype(np.float32),
        np.random.default_rng(0).integers(0, 5, (2_000, 3)),
        sequences(2_000),
    ],
    ids=["categories", "counts", "codes", "sequences"],
)
def test_clean_data_with_few_different_inputs_accuse_nobody(x: np.ndarray) -> None:
    outcome = explore(x, labels(len(x)))
    assert outcome.score("validation/also_in_train").value > 0
    assert outcome.score("leaked_share").value == outcome.score("train/conflicting_labels_share").value == 0
    assert serious(outcome) == []
    found = next(one for one in outcome.findings if one.code == "ART101")
    assert "where chance makes about" in found.message


def test_copies_among_many_possible_categories_are_still_found() -> None:
    x = one_hot(12, 2_000)
    x[1_200:1_240] = x[:40]
    outcome = explore(x, labels(2_000))
    assert outcome.score("leaked_share").value == pytest.approx(0.1, abs=0.015)
    assert len(serious(outcome)) == 1


def test_what_was_copied_before_it_was_split_is_no_chance() -> None:
    x = np.random.default_rng(0).normal(size=(500, 6)).astype(np.float32)
    x = np.concatenate([x, x, x])[np.random.default_rng(1).permutation(1_500)]
    outcome = explore(x, labels(1_500))
    share = outcome.score("validation/also_in_train_share").value
    assert outcome.score("leaked_share").value == share > 0.5
    assert outcome.score("train/conflicting_labels_share").value > 0.2


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 5), st.integers(2, 5), st.integers(0, 99))
def test_chance_is_what_counting_finds_where_columns_are_independent(one: int, other: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    rows = np.stack([generator.integers(0, one, 500), generator.integers(0, other, 500)], 1)
    known = {tuple(row) for row in rows[:40]}
    expected = np.mean([1 - (1 - 1 / (one * other)) ** 40 for _ in known])
    assert Chance([rows], 500).share(40) == pytest.approx(expected, abs=0.08)


def test_nothing_is_known_of_no_column() -> None:
    assert Chance([], 10).repeating(10) == 0


def test_more_than_chance_is_more_than_its_error() -> None:
    assert beyond(0.02, 0.0, 100) == 0.02
    assert beyond(0.35, 0.3, 100) == 0
    assert beyond(0.5, 0.3, 100) == pytest.approx(0.2 - 3 * 0.0458, abs=0.001)
