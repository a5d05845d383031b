from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from art_training.errors import StoreError
from art_training.records import Action, Change, Plan, PlannedStep
from art_training.stores.memory import MemoryStore
from art_training.stores.planned import keep_plan, kept_plan
from art_training.stores.progress import kept_progress
from art_training.stores.sql import SqlStore

AT = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
ODD = "naïve 学習 <script>\n\0"


def a_plan(*steps: PlannedStep, **left_out: str) -> Plan:
    return Plan("toy", steps, left_out)


FULL = PlannedStep(
    "Overfit",
    "Overfit",
    Action.RUN,
    ODD,
    changes=(Change("hparams.lr", 0.1, None), Change("model: Net", {"digest": "ab"}, [1, float("inf"), ODD])),
    run="run-1",
    seconds=1.5,
    unknown=("callback",),
    judge_again=True,
    broken=ODD,
)


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    store = MemoryStore() if request.param == "memory" else SqlStore(tmp_path / "art.db")
    yield store
    store.close()


def test_a_plan_is_read_as_it_was_made(store):
    plan = a_plan(FULL, PlannedStep("B", "B", Action.WAIT, "waits"), Tune="a space")
    keep_plan(store, plan, {"B", "A"}, at=AT)
    kept = kept_plan(store, "toy")
    assert kept is not None
    assert (kept.steps, kept.left_out, kept.at) == (plan.steps, {"Tune": "a space"}, AT)
    assert kept.continuing == ("A", "B")
    assert str(kept) == str(plan)


def test_a_store_without_a_plan_has_none(store):
    keep_plan(store, a_plan(FULL))
    assert kept_plan(store, "other") is None


@pytest.mark.parametrize(
    "memo",
    [
        7,
        [],
        {"at": "yesterday", "steps": []},
        {"at": AT.isoformat(), "steps": [{"step": "A"}]},
        {"at": "2026-05-04T09:00:00", "steps": []},
        {
            "at": AT.isoformat(),
            "steps": [{"step": "A", "kind": "A", "action": "fly", "reason": "", "at": AT.isoformat()}],
        },
    ],
)
def test_a_damaged_plan_is_told_and_the_next_one_takes_its_place(store, memo):
    store.remember("plan:toy", memo)
    with pytest.raises(StoreError, match=r"the last plan of project 'toy' cannot be read: .*; its runs are not"):
        kept_plan(store, "toy")
    keep_plan(store, a_plan(FULL))
    assert kept_plan(store, "toy").steps == (FULL,)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
almost = st.fixed_dictionaries(
    {"at": json | st.just(AT.isoformat()), "steps": json | st.lists(st.fixed_dictionaries({"step": json, "at": json}))},
    optional={"left_out": json, "continuing": json},
)


@given(json | almost)
def test_whatever_lies_in_its_place_is_a_plan_or_a_sentence(memo):
    store = MemoryStore()
    store.remember("plan:toy", memo)
    store.remember("progress:toy", memo)
    with suppress(StoreError):
        kept_plan(store, "toy")
    assert kept_progress(store, "toy", "run") is None


def test_whoever_only_reads_leaves_no_plan(tmp_path):
    SqlStore(tmp_path / "art.db").close()
    store = SqlStore(tmp_path / "art.db", read_only=True)
    keep_plan(store, a_plan(FULL))
    assert kept_plan(store, "toy") is None
    store.close()
