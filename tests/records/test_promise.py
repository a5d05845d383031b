"""What can be built on an earlier step is told of its declaration."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from art_training.errors import ProjectError
from art_training.records import Foresight, Metric, Promise, Split
from art_training.records.meant import did_you_mean, meant

BEFORE = Foresight(
    "FinalTest",
    {
        "ExploreData": Promise("ExploreData", weights=False, candidates=()),
        "Overfit": Promise("Overfit", weights=True, candidates=(), splits=frozenset({Split.TRAIN})),
        "Own": Promise("Own"),
    },
    later=("After",),
)
SAID = "of='x' of step 'FinalTest'"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "Overfitt",
            r"names no step of the project \(did you mean 'Overfit'\?\); before it stand: ExploreData, Overfit, Own$",
        ),
        ("overfit", r"\(did you mean 'Overfit'\?\)"),
        ("Nothing", "names no step of the project; before it stand"),
        ("After", "names a step that comes later; put After before FinalTest; before it stand: ExploreData"),
        ("FinalTest", "names the step itself, where an earlier one is needed"),
    ],
)
def test_a_name_of_no_earlier_step_is_told_with_those_that_there_are(name: str, told: str) -> None:
    with pytest.raises(ProjectError, match=f"^{SAID} .*{told}") as raised:
        BEFORE.of(name, SAID)
    assert "\n" not in str(raised.value)


def test_a_step_that_left_nothing_and_will_not_run_is_to_run_first() -> None:
    before = replace(BEFORE, absent=("Overfit",))
    with pytest.raises(
        ProjectError, match=f"^{SAID} names a step that has not run; run Overfit first: `art run --until Overfit`$"
    ):
        before.weights_of("Overfit", SAID)
    assert before.of("Own", SAID).kind == "Own"


def test_the_first_step_is_told_that_none_stands_before_it() -> None:
    with pytest.raises(ProjectError, match=r"names no step of the project; no step stands before it$"):
        Foresight("FinalTest").of("Overfit", SAID)


def test_weights_are_asked_of_steps_that_leave_them_or_may() -> None:
    assert BEFORE.with_weights == ("Overfit", "Own")
    assert BEFORE.weights_of("Own", SAID).kind == "Own"
    with pytest.raises(ProjectError, match=r"names a step that leaves no weights; name one that does: Overfit, Own$"):
        BEFORE.weights_of("ExploreData", SAID)
    alone = Foresight("FinalTest", {"ExploreData": Promise("ExploreData", weights=False)})
    with pytest.raises(ProjectError, match=r"leaves no weights; put one that does before it, such as Overfit\(\)"):
        alone.weights_of("ExploreData", SAID)


def test_what_is_not_known_beforehand_may_be_anything() -> None:
    known, unknown = BEFORE.earlier["Overfit"], BEFORE.earlier["Own"]
    assert unknown.may_compare("anything")
    assert unknown.may_score(Metric("accuracy", Split.TEST))
    assert not known.may_compare("anything")
    assert not known.may_score(Metric("accuracy", Split.TEST))
    assert known.may_score(Metric("accuracy", Split.TRAIN))
    assert known.may_score(Metric("accuracy"))


@given(st.lists(st.text(st.characters(codec="ascii", categories=["L"]), min_size=4, max_size=12), min_size=1))
def test_a_name_that_there_is_was_meant_itself_whatever_its_case(known: list[str]) -> None:
    found = meant(known[0].upper(), known)
    assert found.lower() == known[0].lower()
    assert repr(found) in did_you_mean(known[0], known)


def test_nothing_was_meant_where_nothing_is_near() -> None:
    assert meant("Squeeze", ["Overfit", "Tune"]) == ""
    assert did_you_mean("Squeeze", []) == ""
