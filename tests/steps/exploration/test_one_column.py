"""Values of one column that are equal: possible or frequent ones by chance, all others because somebody copied them."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.random import Generator

import art_training as art
from art_training.records import Outcome, Severity
from art_training.setup.task import Task, TaskKind
from art_training.steps import ExploreData
from art_training.steps.exploration.chance import Chance, beyond
from art_training.steps.exploration.one_column import single
from art_training.testing.reading import ReadingBench

TRAIN, ALL = 2_000, 3_000

CLEAN: dict[str, Callable[[Generator, int], np.ndarray]] = {
    "a few codes": lambda draw, count: draw.integers(0, 10, count),
    "two": lambda draw, count: draw.integers(0, 2, count),
    "hundreds of codes": lambda draw, count: draw.integers(0, 700, count),
    "codes without order": lambda draw, count: draw.integers(0, 2**40, 300)[draw.integers(0, 300, count)],
    "rare and frequent codes": lambda draw, count: draw.zipf(1.3, count) % 100_000,
    "counts": lambda draw, count: draw.poisson(4, count).astype(np.float32),
    "ages": lambda draw, count: np.clip(np.rint(draw.normal(40, 15, count)), 0, 99),
    "years, or 9999": lambda draw, count: np.where(draw.random(count) < 0.05, 9999, draw.integers(1950, 2020, count)),
    "rounded to tenths": lambda draw, count: np.round(draw.normal(size=count), 1).astype(np.float32),
    "rounded to hundredths": lambda draw, count: np.round(draw.normal(size=count), 2).astype(np.float32),
    "rounded to thousandths": lambda draw, count: np.round(draw.normal(size=count), 3).astype(np.float32),
    "amounts of money": lambda draw, count: np.round(draw.lognormal(3, 1, count), 2),
    "often zero": lambda draw, count: draw.lognormal(size=count) * (draw.random(count) < 0.5),
    "means of categories": lambda draw, count: draw.normal(size=50)[draw.integers(0, 50, count)],
    "any numbers": lambda draw, count: draw.normal(size=count).astype(np.float32),
    "one-hot": lambda draw, count: np.eye(7, dtype=np.float32)[draw.integers(0, 7, count)],
    "one-hot beside a constant": lambda draw, count: np.insert(np.eye(5)[draw.integers(0, 5, count)], 0, 1.0, axis=1),
}


def beyond_chance(x: np.ndarray) -> tuple[float, float, float]:
    """What of validation is also in training, repeats in training, and is met again there, beyond chance."""
    x = x.reshape(len(x), -1) + 0.0  # -0.0 and 0.0 are one value
    train, validation = x[:TRAIN], x[TRAIN:]
    known, count = np.unique(train, axis=0, return_counts=True)
    chance = Chance([train], TRAIN)
    rows = {row.tobytes(): times for row, times in zip(known, count, strict=True)}
    leaked = float(np.mean([row.tobytes() in rows for row in validation]))
    met = float(np.mean([rows[row.tobytes()] > 1 for row in train]))
    return (
        beyond(leaked, chance.share(TRAIN), len(validation)),
        beyond(1 - len(rows) / TRAIN, chance.repeating(TRAIN), TRAIN),
        beyond(met, chance.share(TRAIN - 1), TRAIN),
    )


@pytest.mark.parametrize("kind", CLEAN)
def test_draws_of_one_column_accuse_nobody(kind: str) -> None:
    for seed in range(5):
        assert beyond_chance(CLEAN[kind](np.random.default_rng(seed), ALL)) == (0, 0, 0), seed


PLANTED = ["any numbers", "often zero", "amounts of money", "rounded to thousandths"]


@pytest.mark.parametrize("kind", PLANTED)
def test_what_was_copied_before_it_was_split_is_found(kind: str) -> None:
    for seed in range(5):
        draw = np.random.default_rng(seed)
        x = np.tile(CLEAN[kind](draw, ALL // 3), 3)
        assert min(beyond_chance(x[draw.permutation(ALL)])) > 0.1, seed


@pytest.mark.parametrize("kind", [*PLANTED, "numbers of rows"])
def test_copies_within_a_split_are_found(kind: str) -> None:
    for seed in range(5):
        draw = np.random.default_rng(seed)
        x = draw.integers(0, 2**40, ALL) if kind == "numbers of rows" else CLEAN[kind](draw, ALL)
        x[1_000:1_300] = x[:300]
        assert min(beyond_chance(x)[1:]) > 0.02, seed


@pytest.mark.parametrize("kind", [*PLANTED, "numbers of rows"])
def test_copies_in_another_split_are_found(kind: str) -> None:
    for seed in range(5):
        draw = np.random.default_rng(seed)
        x = draw.integers(0, 2**40, ALL) if kind == "numbers of rows" else CLEAN[kind](draw, ALL)
        x[TRAIN : TRAIN + 300] = x[:300]
        leaked, within, _ = beyond_chance(x)
        assert leaked > 0.05, seed
        assert within == 0, seed


def explored(x: np.ndarray) -> Outcome:
    y = np.random.default_rng(1).integers(0, 2, len(x))
    data = art.data((x[:TRAIN], y[:TRAIN]), (x[TRAIN:], y[TRAIN:]))
    task = Task(TaskKind.CLASSIFICATION, inputs=("0",), target="1")
    return ExploreData(pictures=False).run(ReadingBench(data, task))


def test_the_step_does_not_fail_a_single_feature_and_fails_a_copied_one() -> None:
    draw = np.random.default_rng(0)
    clean = explored(draw.integers(0, 30, (ALL, 1)))
    assert clean.score("leaked_share").value == clean.score("train/conflicting_labels_share").value == 0
    assert [one for one in clean.findings if one.severity is not Severity.INFO] == []
    x = draw.normal(size=(ALL, 1)).astype(np.float32)
    x[TRAIN : TRAIN + 100] = x[:100]
    assert explored(x).score("leaked_share").value == pytest.approx(0.1, abs=0.01)


def test_two_features_and_two_codes_are_not_one() -> None:
    draw = np.random.default_rng(0)
    assert single([draw.normal(size=(20, 2))], 20) is None
    assert single([np.eye(3)[draw.integers(0, 3, 20)], np.eye(3)[draw.integers(0, 3, 20)]], 20) is None
    assert single([np.ones((20, 3))], 20) is None
    (found,) = (single([np.ones((20, 1)), np.arange(20)[:, None]], 20),)
    assert found is not None
    assert found.tolist() == list(range(20))
