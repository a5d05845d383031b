"""Examples that are equal: by chance where there are few different ones, or because somebody copied them."""

import re

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
    assert "chance alone lets about" in found.message


def symptoms(rows: int, columns: int, seed: int) -> np.ndarray:
    """Of the healthy, hardly anyone has one; of the others, some."""
    generator = np.random.default_rng(seed)
    often = np.where(generator.random((rows, 1)) < 0.6, 0.03, generator.uniform(0.1, 0.6, columns))
    return (generator.random((rows, columns)) < often).astype(np.int64)


def answers(rows: int, columns: int, seed: int) -> np.ndarray:
    """Of a questionnaire, from 1 to 5; who agrees to one agrees to others."""
    generator = np.random.default_rng(seed)
    mood = generator.normal(size=(rows, 1))
    return np.clip(np.rint(3 + mood + 0.7 * generator.normal(size=(rows, columns))), 1, 5).astype(np.float32)


def kinds(rows: int, columns: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    kind, often = generator.integers(0, 5, rows), generator.beta(0.3, 0.3, (5, columns))
    return (generator.random((rows, columns)) < often[kind]).astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rows", [300, 2_000])
@pytest.mark.parametrize(("draw", "columns"), [(symptoms, 10), (symptoms, 20), (answers, 8), (kinds, 16), (kinds, 6)])
def test_columns_that_depend_on_each_other_make_rows_equal_or_blank_and_accuse_nobody(
    draw, columns, rows, seed
) -> None:
    outcome = explore(draw(rows, columns, seed), labels(rows))
    codes = ("ART101", "ART102", "ART105", "ART108", "ART109")
    assert [one for one in outcome.findings if one.code in codes and one.severity is not Severity.INFO] == []
    assert outcome.score("leaked_share").value == outcome.score("train/conflicting_labels_share").value == 0


def test_what_cannot_be_told_of_few_different_inputs_is_said() -> None:
    found = {one.code: one.message for one in explore(symptoms(2_000, 10, 0), labels(2_000)).findings}
    assert found["ART108"].endswith(
        "more where columns depend on each other: whether somebody copied examples cannot be told"
    )
    assert "chance alone lets at least" in found["ART108"]
    assert found["ART105"].endswith(": whether they hold nothing cannot be told")


def test_the_sentence_on_labels_that_conflict_says_what_chance_does_and_what_is_open() -> None:
    measured = np.random.default_rng(0).normal(size=(500, 4)).astype(np.float32)
    measured[1] = measured[0]
    y = labels(500)
    y[:2] = 0, 1
    told = [
        next(one.message for one in explore(x, y).findings if one.code == "ART102" and one.where.startswith("train"))
        for x in (measured, one_hot(4, 500), kinds(500, 16, 2))
    ]
    assert told[0] == "2 of 300 examples of train (0.67%) have an input that also occurs with another label"
    assert re.search(
        r"; chance alone lets about \d+\.\d+% have an input that occurs more than once, with whatever labels$", told[1]
    )
    assert told[2].endswith(
        "with whatever labels, more where columns depend on each other: whether a label is wrong cannot be told"
    )


@pytest.mark.parametrize("draw", [symptoms, answers, kinds])
def test_copies_of_training_rows_are_found_though_training_rows_equal_each_other(draw) -> None:
    x = draw(3_000, 16, 0)
    x[1_800:2_100] = x[:300]
    found = next(one for one in explore(x, labels(3_000)).findings if one.code == "ART101")
    assert found.severity is not Severity.INFO
    assert "cannot be told" not in found.message


def test_a_blank_row_among_measurements_is_told_and_columns_as_entries_are_one_row() -> None:
    x = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)
    x[7] = 0.0
    task = Task(TaskKind.CLASSIFICATION, inputs=("a", "b", "c", "d", "e"), target="y")
    batch = {name: x[:, at] for at, name in enumerate("abcde")} | {"y": labels(200)}
    entries = ExploreData(pictures=False).run(ReadingBench(art.data(batch), task))
    for outcome in (explore(x, labels(200)), entries):
        found = next(one for one in outcome.findings if one.code == "ART105")
        assert found.severity is Severity.WARNING
        assert found.evidence["examples"] == [7]


def test_copies_among_many_possible_categories_are_still_found() -> None:
    x = one_hot(12, 2_000)
    x[1_200:1_240] = x[:40]
    outcome = explore(x, labels(2_000))
    assert outcome.score("leaked_share").value == pytest.approx(0.1, abs=0.02)
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
