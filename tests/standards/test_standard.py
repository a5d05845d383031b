from dataclasses import replace

import pytest

import art_training as art
from art_training.checks import Above
from art_training.errors import UsageError
from art_training.standards import CheckPasses, Scored, Seeds, Standard, StepPassed


def test_the_digest_follows_all_that_is_asked_and_nothing_else() -> None:
    house = Standard("house", requires=[CheckPasses("FinalTest", Above("test/accuracy", 0.9)), Seeds(3)])
    assert house.digest == replace(house, about="in other words").digest
    changed = [
        replace(house, version=2),
        replace(house, requires=[CheckPasses("FinalTest", Above("test/accuracy", 0.8)), Seeds(3)]),
        replace(house, requires=house.requires[:1]),
        replace(house, name="home"),
    ]
    assert len({house.digest, *(one.digest for one in changed)}) == 5


def test_it_is_among_the_public_names() -> None:
    assert art.Standard is Standard


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"name": ""}, "name='' is no name"),
        ({"version": 0}, "version=0 is no whole number of at least 1"),
        ({"requires": []}, "requires nothing"),
        ({"requires": Seeds(3)}, "is no list; write requires=[StepPassed('Overfit')]"),
        ({"requires": [Seeds]}, "which is no requirement; give one, e.g. Seeds(...)"),
        ({"requires": [Seeds(3), Seeds(3)]}, "requires Seeds(3) twice"),
        ({"at_least": 0.5}, "asks for a score, and no requirement has points"),
        ({"requires": [Scored("Data", "x")]}, "so that nothing decides; give at_least=0.5"),
        ({"requires": [Scored("Data", "x")], "at_least": -1}, "is no score above 0"),
    ],
)
def test_what_cannot_be_a_standard_is_refused_when_it_is_declared(arguments: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError) as error:
        Standard(**{"name": "house", "requires": [StepPassed("Overfit")], **arguments})
    assert told in str(error.value)


@pytest.mark.parametrize("wrong", [{"part": ""}, {"test": ""}, {"by": "Tune"}, {"worth": 0}, {"worth": True}])
def test_what_cannot_be_scored_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"; give "):
        Scored(**{"part": "Data", "test": "x", **wrong})
