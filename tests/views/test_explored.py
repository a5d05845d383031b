"""What was found in data."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import art_training as art
from art_training.records import RunStatus
from art_training.setup.setup import Setup
from art_training.steps import ExploreData
from art_training.stores import RunQuery
from art_training.stores.sql import SqlStore
from art_training.testing.history import keep_run
from art_training.views.explored import ExploredView, NumbersTable, explored_of

DIGITS = load_digits(return_X_y=True)
X, Y = torch.tensor(DIGITS[0], dtype=torch.float32) / 16, torch.tensor(DIGITS[1])


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExploredView]:
    """Digits of which some validation examples are in training, too."""
    with closing(SqlStore(tmp_path_factory.mktemp("store") / "art.db")) as store:
        data = art.data(train=(X[:200], Y[:200]), validation=(X[190:260], Y[190:260]), batch_size=50)
        setup = Setup(art.from_torch(Net, loss=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=1e-3), data)
        art.ArtProject("p", setup, steps=[ExploreData(pictures=False)], store=store).run()
        record = store.run(store.runs(RunQuery(limit=1))[0].id)
        assert record is not None
        yield explored_of(store, record)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


def tables(view: ExploredView, title: str) -> dict[str, NumbersTable]:
    return {table.title: table for section in view.sections if section.title == title for table in section.tables}


def test_each_topic_has_its_numbers_findings_and_files(view: ExploredView) -> None:
    sections = {section.title: section for section in view.sections}
    assert {"examples", "classes", "duplicates and leaks", "drift", "features and outliers"} <= {*sections}
    assert "sequences" not in sections
    assert view.places == ("train", "validation")
    assert "ART101" in [one.code for one in sections["duplicates and leaks"].findings]
    assert [one.name for one in sections["classes"].artifacts] == ["classes.csv"]
    assert all(one.kept for section in view.sections for one in section.artifacts)


def test_numbers_of_splits_stand_beside_each_other(view: ExploredView) -> None:
    by_split = tables(view, "duplicates and leaks")["by split"]
    assert by_split.columns == ("what", "train", "validation", "all splits")
    rows = {row[0]: row[1:] for row in by_split.rows}
    assert rows["also_in_train"] == (None, 10.0, None)
    assert rows["leaked_share"][2] is not None


def test_readings_of_any_shape_are_tables(view: ExploredView) -> None:
    """Columns by name, rows by split and entry, lists of rows."""
    classes = tables(view, "classes")["class counts"]
    assert classes.columns == ("class", "train", "validation")
    assert (len(classes.rows), sum(int(row[1] or 0) for row in classes.rows)) == (10, 200)
    schema = tables(view, "examples")["schema"]
    assert schema.columns[:3] == ("split", "entry", "type")
    assert schema.rows[0][:3] == ("train", "0", "float32")
    ends = tables(view, "features and outliers")["ends of the axes"]
    assert {"place", "axis", "low", "low_at", "high", "high_at"} <= {*ends.columns}


def test_nothing_that_the_step_told_belongs_to_no_topic(view: ExploredView) -> None:
    assert "other" not in [section.title for section in view.sections]


def test_what_is_of_no_topic_is_told_all_the_same_and_a_run_that_goes_on_has_none(tmp_path: Path) -> None:
    with closing(SqlStore(tmp_path / "art.db")) as store:
        record = keep_run(store, "ExploreData", scores={"train/new_number": 3.0, "validation:noisy/examples": 5})
        view = explored_of(store, record)
        assert view.places == ("train", "validation:noisy")
        assert tables(view, "other")["by split"].rows == (("new_number", 3.0),)
        running = keep_run(store, "ExploreData", minute=1, status=RunStatus.RUNNING)
        assert explored_of(store, running).sections == ()


def test_what_is_no_table_is_a_sentence(view: ExploredView) -> None:
    notes = {section.title: section.notes for section in view.sections}
    assert any("places in the dataset" in note for note in notes["examples"])
    assert any(
        note.startswith("near duplicates: none; a distance of at most") for note in notes["duplicates and leaks"]
    )
