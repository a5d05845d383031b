"""What a user may give as a tracker."""

import re
import sys
import warnings
from pathlib import Path

import pytest

import art_training as art
from art_training import plugins
from art_training.errors import ProjectError
from art_training.project import ArtProject
from art_training.records import Outcome, Score
from art_training.setup.setup import Setup
from art_training.testing.data import points
from art_training.testing.fake_engine import Line
from art_training.testing.trackers import Trains, World
from art_training.trackers import MlflowTracker, NeptuneTracker, TensorBoardTracker, WandbTracker

EXTRAS = {"wandb": "wandb", "mlflow": "mlflow", "tensorboard": "tensorboard", "neptune": "neptune"}


def declared(*trackers) -> ArtProject:
    return ArtProject("p", Setup(Line, points()), trackers=trackers)


def test_each_tracker_has_a_name_and_a_public_class() -> None:
    made = declared(*EXTRAS).trackers
    assert made == (WandbTracker(), MlflowTracker(), TensorBoardTracker(), NeptuneTracker())
    assert [one.name for one in made] == list(EXTRAS)
    assert art.trackers.WandbTracker is WandbTracker


def test_a_name_adds_none_where_the_project_has_one_already() -> None:
    mine = WandbTracker(project="ours")
    project = declared(mine).add_tracker("wandb").add_tracker("mlflow").add_tracker("mlflow")
    assert project.trackers == (mine, MlflowTracker())


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            "wanbd",
            r"no tracker is called 'wanbd' \(did you mean 'wandb'\?\); installed are: mlflow, neptune, tensorboard, wandb",
        ),
        (WandbTracker, r"the tracker WandbTracker is a class; give an instance, WandbTracker\(\)"),
        (
            3,
            r"3 is no tracker; give a name \(mlflow, .*wandb\), an object of art.trackers, a Lightning logger, or a function",
        ),
        (None, "None is no tracker"),
    ],
)
def test_what_is_no_tracker_is_refused_where_it_is_declared(given, told) -> None:
    with pytest.raises(ProjectError, match=f"^{told}"):
        declared(given)


@pytest.mark.parametrize("given", ["wandb", WandbTracker()])
def test_one_tracker_is_no_list_of_them(given) -> None:
    with pytest.raises(ProjectError, match=re.escape(f"trackers={given!r} is one tracker; write a list: trackers=[")):
        ArtProject("p", Setup(Line, points()), trackers=given)


@pytest.mark.parametrize(("name", "extra"), EXTRAS.items())
def test_a_library_that_is_not_installed_is_one_sentence_and_no_failure(
    world: World, monkeypatch, name: str, extra: str
) -> None:
    for module in [one for one in sys.modules if one.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = world.run_any(name, Trains(name="a", outcome=Outcome(scores={"train/loss": Score(0.5)})))
    assert result["a"].outcome is not None
    (told,) = [str(one.message) for one in caught if "tracker" in str(one.message)]
    assert told.startswith(f"the tracker {name!r} mirrors nothing: {name} cannot be imported (")
    assert told.endswith(f"); `pip install 'art-training[{extra}]'`")


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A distribution that offers trackers, none of which can be made."""
    record = tmp_path / "site" / "theirs-1.0.dist-info"
    record.mkdir(parents=True)
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text(
        "[art_training.trackers]\ngone = no_such_module:Tracker\nneeds = builtins:ord\nother = builtins:dict\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    forget_plugins()
    yield
    forget_plugins()


def forget_plugins() -> None:
    for one in vars(plugins).values():
        if hasattr(one, "cache_clear"):
            one.cache_clear()


@pytest.mark.usefixtures("theirs")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("gone", "'gone' .* cannot be imported: .*no_such_module.*; the project goes on without it"),
        ("needs", "'needs' .* cannot be made: TypeError: .*; the project goes on without it"),
        ("other", "'other' .* is no art_training.trackers.Tracker but {}; the project goes on without it"),
    ],
)
def test_a_tracker_of_others_that_cannot_be_made_is_a_warning(name, told) -> None:
    with pytest.warns(UserWarning, match=told):
        project = declared(name)
    assert project.trackers == ()


def test_every_public_name_has_an_entry_in_the_reference() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reference" / "trackers.md").read_text()
    assert set(art.trackers.__all__) <= set(re.findall(r"^\.\. autoclass:: (\w+)$", text, re.MULTILINE))
