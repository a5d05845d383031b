import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits

import art_training as art
from art_training.records import Outcome, Severity
from art_training.setup.task import Task, TaskKind
from art_training.steps import ExploreData
from art_training.testing.reading import ReadingBench

CLASSES = Task(TaskKind.CLASSIFICATION, inputs=("0",), target="1")
TEXT = Task(TaskKind.CLASSIFICATION, inputs=("text",), target="label")


def explore(data, task: Task = CLASSES, **settings) -> Outcome:
    return ExploreData(pictures=False, **settings).run(ReadingBench(data, task))


def near(outcome: Outcome) -> list[list[int]]:
    return [pair for one in outcome.findings if one.code == "ART109" for pair in one.evidence["pairs"]]


def halves(x, y):
    order = np.random.default_rng(0).permutation(len(x))
    cut = 2 * len(x) // 3
    return (x[order[:cut]], y[order[:cut]]), (x[order[cut:]], y[order[cut:]])


def noisy(row: np.ndarray, scale: np.ndarray | float) -> np.ndarray:
    return row + np.random.default_rng(1).normal(size=row.shape) * scale


def test_a_nearly_equal_row_of_a_table_is_found_across_splits():
    train, validation = halves(*load_breast_cancer(return_X_y=True))
    for at in range(5):
        validation[0][at + 10] = noisy(train[0][at + 30], 0.01 * train[0].std(0))
    outcome = explore(art.data(train, validation))
    assert sorted(near(outcome)) == [[at + 10, at + 30] for at in range(5)]
    assert outcome.score("validation/nearly_in_train").value == 5
    assert outcome.score("train/near_duplicates").value == 0
    assert outcome.score("leaked_share").value == 0
    assert all(0 < row["apart"] <= 0.05 for row in outcome.reading("near duplicates").value)


def test_images_are_found_again_though_paler_and_noisy():
    x, y = load_digits(return_X_y=True)
    train, validation = halves(x.reshape(-1, 8, 8), y)
    validation[0][3] = 0.5 * train[0][8]
    validation[0][4] = noisy(train[0][9], 0.1)
    assert sorted(near(explore(art.data(train, validation)))) == [[3, 8], [4, 9]]


def test_copies_within_a_split_are_rare_or_many():
    (x, y), _ = halves(*load_digits(return_X_y=True))
    few = explore(art.data((np.concatenate([x, noisy(x[:3], 0.02 * x.std(0))]), np.concatenate([y, y[:3]]))))
    assert [one.severity for one in few.findings] == [Severity.INFO]
    all_twice = explore(art.data((np.concatenate([x, noisy(x, 0.02 * x.std(0))]), np.concatenate([y, y]))))
    found = next(one for one in all_twice.findings if one.code == "ART109")
    assert found.severity is Severity.WARNING
    assert found.evidence["share"] == pytest.approx(0.5, abs=0.05)
    assert "estimated from 300 pairs" in found.message


def test_equal_rows_are_no_near_ones():
    (x, y), _ = halves(*load_digits(return_X_y=True))
    x[5] = x[9]
    outcome = explore(art.data((x, y)))
    assert outcome.score("train/duplicates").value == 1
    assert outcome.score("train/near_duplicates").value == 0


@pytest.mark.parametrize("freedom", [1, 2, 3, 5])
def test_dense_data_with_little_freedom_accuse_nobody(freedom):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(3_000, freedom)) @ generator.normal(size=(freedom, 12))
    assert near(explore(art.data((x, np.zeros(3_000, int))))) == []


def table(kind: str, seed: int, rows: int = 3_000) -> np.ndarray:
    generator = np.random.default_rng(seed)

    def hot(columns: int, kinds: int) -> np.ndarray:
        return np.concatenate([np.eye(kinds)[generator.integers(0, kinds, rows)] for _ in range(columns)], 1)

    numbers = {
        "categories and two numbers": lambda: (hot(5, 3), generator.normal(size=(rows, 2))),
        "categories, counts and an amount": lambda: (
            hot(1, 12), generator.poisson(2, (rows, 3)), generator.lognormal(0, 1.5, (rows, 1))
        ),
        "many categories and a number": lambda: (hot(6, 4), generator.normal(size=(rows, 1))),
        "one category and three numbers": lambda: (hot(1, 20), generator.normal(size=(rows, 3))),
        "yes and no, and two amounts": lambda: (
            generator.integers(0, 2, (rows, 10)), generator.lognormal(0, 2, (rows, 2))
        ),
        "yes and no": lambda: (generator.integers(0, 2, (rows, 20)),),
        "rare words": lambda: (generator.random((rows, 80)) < 0.05,),
    }  # fmt: skip
    return np.concatenate([part.astype(np.float32) for part in numbers[kind]()], 1)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    "kind",
    [
        "categories and two numbers",
        "categories, counts and an amount",
        "many categories and a number",
        "one category and three numbers",
        "yes and no, and two amounts",
        "yes and no",
        "rare words",
    ],
)
def test_rows_of_one_category_come_close_by_chance_and_accuse_nobody(kind, seed):
    x = table(kind, seed)
    assert near(explore(art.data((x[:2_000], np.zeros(2_000, int)), (x[2_000:], np.zeros(1_000, int))))) == []


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_copies_among_rows_of_many_categories_and_words_are_found(seed):
    generator = np.random.default_rng(seed)
    words = (generator.random((1_500, 200)) < 0.2).astype(np.float32) * generator.lognormal(size=(1_500, 200))
    words[1_000:1_030] = words[:30] * 1.001
    found = near(explore(art.data((words[:1_000], np.zeros(1_000, int)), (words[1_000:], np.zeros(500, int)))))
    assert len(found) == 10 == sum(one == other for one, other in found)


def test_copies_in_a_table_of_categories_and_numbers_are_found():
    generator = np.random.default_rng(0)
    hot = [np.eye(3)[generator.integers(0, 3, 2_000)] for _ in range(4)]
    x = np.concatenate([*hot, generator.lognormal(size=(2_000, 4))], 1)
    x[1_500:1_520] = x[:20]
    x[1_500:1_520, -4:] *= 1.002
    found = near(explore(art.data((x[:1_500], np.zeros(1_500, int)), (x[1_500:], np.zeros(500, int)))))
    assert sum(one == other for one, other in found) == len(found) >= 10


@pytest.mark.parametrize("shift", ["a little lighter", "noise"])
def test_copies_of_flattened_images_are_found_though_some_pixels_hardly_vary(shift):
    train, validation = halves(*load_digits(return_X_y=True))
    train, validation = (train[0] / 16, train[1]), (validation[0] / 16, validation[1])
    copies = train[0][:30]
    validation[0][:30] = copies + 0.001 if shift == "a little lighter" else noisy(copies, 0.001)
    outcome = explore(art.data(train, validation))
    assert outcome.score("validation/nearly_in_train").value == 30
    assert outcome.score("train/near_duplicates").value == 0


def test_a_few_features_come_close_by_chance_and_it_is_said():
    outcome = explore(art.data((np.random.default_rng(0).normal(size=(50, 4)), np.zeros(50, int))))
    assert outcome.reading("near duplicates").note.startswith("not looked for: 4 features that vary")
    assert "train/near_duplicates" not in outcome.scores


def sentences(count: int, seed: int) -> list[dict]:
    generator = np.random.default_rng(seed)
    rows = [
        " ".join(f"word{at}" for at in generator.integers(0, 300, size=generator.integers(15, 40)))
        for _ in range(count)
    ]
    return [{"text": row, "label": at % 2} for at, row in enumerate(rows)]


def test_texts_that_differ_in_a_word_are_found():
    train, validation = sentences(60, 0), sentences(30, 1)
    validation[4]["text"] = "Another " + train[17]["text"]
    outcome = explore(art.data(train, validation), TEXT)
    assert near(outcome) == [[4, 17]]


def test_tokens_are_compared_without_their_padding():
    generator = np.random.default_rng(0)
    ids = generator.integers(1, 500, size=(90, 30))
    ids[np.arange(30) >= generator.integers(12, 31, size=90)[:, None]] = 0
    ids[70] = ids[3]
    ids[70, 1] = 499
    wide = np.pad(ids[60:], ((0, 0), (0, 10)))
    task = Task(TaskKind.CLASSIFICATION, inputs=("ids",), target="y")
    data = art.data({"ids": ids[:60], "y": np.zeros(60)}, {"ids": wide, "y": np.zeros(30)})
    wide[20] = wide[21]
    outcome = explore(data, task)
    assert near(outcome) in ([[10, 3]], [])
    wide[5, :30] = ids[7]
    assert (
        explore(art.data({"ids": ids[:60], "y": np.zeros(60)}, {"ids": wide, "y": np.zeros(30)}), task)
        .score("validation/also_in_train")
        .value
        == 1
    )


def test_it_can_be_left_out():
    train, validation = halves(*load_digits(return_X_y=True))
    validation[0][4] = noisy(train[0][9], 0.02 * train[0].std(0))
    outcome = explore(art.data(train, validation), near=0)
    assert outcome.findings == ()
    assert outcome.reading("near duplicates") is None
