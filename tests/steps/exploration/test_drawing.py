import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from sklearn.datasets import load_diabetes, load_digits

import art_training as art
from art_training.setup.task import Task, TaskKind
from art_training.steps import ExploreData
from art_training.steps.exploration import drawing
from art_training.testing.reading import ReadingBench

CLASSES = Task(TaskKind.CLASSIFICATION, inputs=("0",), target="1")
VALUES = Task(TaskKind.REGRESSION, inputs=("0",), target="1")


def explore(data, task=CLASSES, **settings):
    return ExploreData(**settings).run(ReadingBench(data, task, folder=Path.cwd()))


def names(outcome):
    return {artifact.name for artifact in outcome.artifacts}


def test_suspicious_labels_of_images_are_drawn():
    x, y = load_digits(return_X_y=True)
    y[:30] = (y[:30] + 1) % 10
    outcome = explore(art.data((x[:600].reshape(-1, 8, 8), y[:600])), label_noise=True, near=0)
    assert {"examples.png", "distributions.png", "suspicious-labels.png"} <= names(outcome)
    assert imread(Path("suspicious-labels.png")).std() > 0.1


def test_each_place_on_a_sheet_is_of_its_class_or_end_and_has_its_own_image(monkeypatch):
    sheets = []
    real = drawing.sheet
    monkeypatch.setattr(drawing, "sheet", lambda sections, **how: sheets.append(sections) or real(sections, **how))
    x, y = load_digits(return_X_y=True)
    x, y = x[:600].reshape(-1, 8, 8), y[:600].copy()
    y[:30] = (y[:30] + 1) % 10
    explore(art.data((x, y)), label_noise=True, near=0)
    examples, suspicious = sheets

    def places(title, sections=examples):
        tiles = next(tiles for name, tiles in sections.items() if name.startswith(title))
        found = [int(re.match(r"#(\d+)", tile.title)[1]) for tile in tiles]
        assert all(np.array_equal(tile.pixels, x[place]) for tile, place in zip(tiles, found, strict=True))
        return found

    for digit in range(10):
        assert set(y[places(f"class {digit},")]) == {digit}
    ends, brightness = places("brightness"), x.mean((1, 2))
    assert {brightness[ends].min(), brightness[ends].max()} == {brightness.min(), brightness.max()}
    named = places("suspicious labels", suspicious)
    assert sum(place < 30 for place in named) >= len(named) / 2
    for tile, place in zip(next(iter(suspicious.values())), named, strict=True):
        assert tile.title.startswith(f"#{place}: {y[place]} > ")


def test_tables_have_distributions_and_no_images():
    outcome = explore(art.data(load_diabetes(return_X_y=True)), VALUES)
    assert "distributions.png" in names(outcome)
    assert "examples.png" not in names(outcome)


def test_pictures_can_be_left_out():
    assert not any(
        name.endswith(".png") for name in names(explore(art.data(load_digits(return_X_y=True)), pictures=False))
    )


def test_without_matplotlib_there_are_tables_and_a_note(monkeypatch):
    monkeypatch.setattr("art_training.steps.exploration.drawing.can_draw", lambda: False)
    outcome = explore(art.data(load_digits(return_X_y=True)))
    assert "axes.csv" in names(outcome)
    assert not any(name.endswith(".png") for name in names(outcome))
    assert "pip install 'art-training[plots]'" in outcome.reading("pictures").note


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_odd_values_can_be_drawn(value):
    x, y = load_digits(return_X_y=True)
    x = x[:60].reshape(-1, 8, 8)
    x[3] = value
    x[:, 2, 2] = value
    assert "examples.png" in names(explore(art.data((x, y[:60]))))


def test_texts_have_distributions_of_lengths():
    rows = [{"text": "word " * (1 + at % 5), "y": at % 2} for at in range(30)]
    assert "distributions.png" in names(explore(art.data(rows), Task(TaskKind.CLASSIFICATION, ("text",), "y")))
