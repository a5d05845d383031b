"""A project that declares what it is held to."""

import pytest
import torch
from torch import nn

import art_training as art
from art_training.errors import ProjectError, UsageError
from art_training.standards import minimal
from art_training.steps import ExploreData

X = torch.randn(24, 4, generator=torch.Generator().manual_seed(0))
DATA = art.data(train=(X[:12], (X[:12, 0] > 0).long()), validation=(X[12:], (X[12:, 0] > 0).long()), batch_size=6)
SETUP = art.Setup(art.from_torch(lambda: nn.Linear(4, 2), loss=nn.CrossEntropyLoss, lr=0.1), DATA)
WAIVER = art.Waiver("ART804", by="Ada", reason="because", granted="2026-01-01", until="2026-12-31")


def declared(**told: object) -> art.ArtProject:
    return art.ArtProject("p", SETUP, steps=[ExploreData()], store="memory", **told)


def test_a_standard_is_declared_by_itself_or_by_its_name() -> None:
    assert declared().standard is None
    assert declared(standard=minimal).standard is minimal
    assert declared(standard="minimal", waivers=[WAIVER]).standard is minimal
    assert declared(standard="minimal", waivers=[WAIVER]).waivers == (WAIVER,)


@pytest.mark.slow
def test_a_recipe_declares_it_likewise() -> None:
    project = art.recipe(SETUP, store="memory", standard="karpathy", waivers=[WAIVER])
    assert project.standard is not None
    assert (project.standard.name, project.waivers) == ("karpathy", (WAIVER,))


def test_what_a_project_is_held_to_makes_no_step_outdated() -> None:
    plain, held = declared(), declared(standard="minimal", waivers=[WAIVER])
    held.use_store(plain.store)
    plain.run()
    assert [one.action.value for one in held.plan().steps] == ["recall"]


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"standard": 3}, "standard=3 is no standard; give art.Standard"),
        ({"standard": "karpaty"}, "no standard is called 'karpaty'; installed are: karpathy, minimal, ml-test-score"),
        ({"waivers": ["ART804"]}, "waivers hold 'ART804', which is no waiver; give art.Waiver"),
        ({"waivers": WAIVER}, "is one waiver; write a list"),
    ],
)
def test_what_it_cannot_be_held_to_is_refused(told: dict[str, object], sentence: str) -> None:
    with pytest.raises((ProjectError, UsageError)) as error:
        declared(**told)
    assert sentence in str(error.value)
