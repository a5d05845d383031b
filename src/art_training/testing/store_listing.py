"""The part of the suite for stores that is about runs by the thousand: conditions, order, values, columns and groups."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from art_training.errors import UsageError
from art_training.records import Outcome, RunStatus, Score, StepState
from art_training.stores import Field, RunQuery, Store, Where
from art_training.stores.fields import OF_RUNS, Cell, Operator
from art_training.stores.listing import Listed, columns_of, groups_of, in_order, values_of
from art_training.testing.records import BEGINNING, ODD, a_judgement, a_run
from art_training.testing.store_records import Reopen, ids

_LR, _ACCURACY = Field("parameter", "hparams.lr"), Field("score", "validation/accuracy")
_OPERATORS: tuple[Operator, ...] = ("=", "!=", "<", "<=", ">", ">=", "contains", "missing", "present")
_VALUES: tuple[Any, ...] = (
    0.1, 1, 1.0, True, False, None, "1", "adam", "Adam", ODD, math.nan, math.inf, -math.inf, -0.0, [1, 2], {"a": None}, "x" * 300,
    {"__repr__": "net.Digits", "__type__": "builtins.type"}, "naïve",
)  # fmt: skip
_ASKED: tuple[Cell, ...] = (0.1, 1, True, None, "adam", "1", "m", math.nan, math.inf, "net.Digits", "Ï", ODD)


def keep_varied(store: Store) -> list[Listed]:
    """Runs whose parameters and scores are as unlike as they can be, of two steps of two projects."""
    for number, value in enumerate(_VALUES):
        parameters = {"hparams.lr": value} if number % 5 else {}
        scores = {"validation/accuracy": Score(_score(value))} if number % 3 else {}
        ended = BEGINNING + timedelta(seconds=2 * number + number / 7) if number % 4 else None
        run = a_run(
            number,
            started=BEGINNING + timedelta(seconds=number // 2),
            ended=ended,
            step="Tune" if number % 6 == 5 else "Overfit",
            project="else" if number == 11 else "digits",
            status=RunStatus.RUNNING if ended is None else RunStatus.COMPLETED,
            seconds_before=0.0 if number % 3 else number / 7,
            parameters={**parameters, "trainer.max_epochs": number % 3, ODD: "same"},
        )
        store.write(run, Outcome(scores=scores))
        if number % 2 and ended is not None:
            store.judge(run.id, a_judgement())
    return listed(store)


def listed(store: Store) -> list[Listed]:
    """Every run with its parameters, each read by itself."""
    found = [(run, store.run(run.id)) for run in store.runs(RunQuery(descending=False))]
    return [Listed(run, {} if record is None else record.parameters) for run, record in found]


class ListingContract:
    """What a table of runs asks for: `stores.listing` says what the answer is."""

    def test_conditions_on_any_field_narrow(self, store: Store) -> None:
        """Of every kind, with every operator, against values of every kind; together, all of them must hold."""
        kept = keep_varied(store)
        fields = [_LR, Field("parameter", "trainer.max_epochs"), Field("parameter", "gone"), _ACCURACY]
        fields += [Field("run", name) for name in OF_RUNS]
        asked = 0
        for field, operator, value in product(fields, _OPERATORS, _ASKED):
            try:
                condition = Where(field, operator, value)
            except UsageError:
                continue
            query = RunQuery(where=(condition,))
            assert list(store.ids(query)) == _ids(kept, query), condition
            asked += 1
        assert asked > 500
        both = RunQuery(
            project="digits", where=(Where(_LR, "present"), Where(Field("run", "seconds"), ">", 9.0)), step="Overfit"
        )
        assert list(store.ids(both)) == _ids(kept, both) == [run.id for run in store.runs(both)]
        assert store.count(replace(both, limit=1)) == len(_ids(kept, both)) > 1

    def test_runs_are_sorted_by_any_field(self, store: Store) -> None:
        """Numbers first, then what is none, those without last; equal ones by their start; in pages."""
        kept = keep_varied(store)
        fields = [_LR, Field("parameter", "trainer.max_epochs"), _ACCURACY, *(Field("run", name) for name in OF_RUNS)]
        for field, descending, dead in product(fields, (True, False), ((), ("run-00004",))):
            query = RunQuery(order_by=field, descending=descending, dead=dead)
            assert list(store.ids(query)) == _ids(kept, query), field
            page = replace(query, limit=4, offset=3)
            assert [run.id for run in store.runs(page)] == _ids(kept, query)[3:7], field
        for field, searched in product((_LR, _ACCURACY), ("", "adam")):
            query = RunQuery(
                order_by=field, where=(Where(_LR, "present"), Where(_ACCURACY, "!=", 2.0)), search=searched
            )
            assert list(store.ids(query)) == _ids(kept, query)
        by_score = RunQuery(order_by="validation/accuracy")
        assert list(store.ids(by_score)) == list(store.ids(replace(by_score, order_by=_ACCURACY)))

    def test_runs_whose_process_died_count_as_interrupted(self, store: Store) -> None:
        """Where the query knows of them; several states may be asked for at once."""
        kept = keep_varied(store)
        running = list(store.ids(RunQuery(states=(StepState.RUNNING,))))
        assert len(running) > 2
        dead = tuple(running[:2])
        assert list(store.ids(RunQuery(states=(StepState.INTERRUPTED,), dead=dead))) == running[:2]
        assert list(store.ids(RunQuery(states=(StepState.RUNNING,), dead=dead))) == running[2:]
        several = RunQuery(states=(StepState.PASSED, StepState.INTERRUPTED), dead=dead)
        assert list(store.ids(several)) == _ids(kept, several)

    @pytest.mark.parametrize(
        "text", ["ADAM", "run-00003", "tune", "running", "%", "_", "\\", "'", "net.digits", "0.1", "naïve", "nothing"]
    )
    def test_text_is_searched(self, store: Store, text: str) -> None:
        """In ids, steps, states and parameters; no character of it is special."""
        kept = keep_varied(store)
        for query in (RunQuery(search=text), RunQuery(project="digits", step="Overfit", search=text)):
            assert list(store.ids(query)) == _ids(kept, query)

    def test_values_of_fields_are_read_by_run(self, store: Store, reopen: Reopen) -> None:
        """A field of each kind; None where there is none; what is no plain value as text, and cut where it is long."""
        kept = keep_varied(store)
        fields = [_ACCURACY, _LR, Field("run", "seconds"), Field("run", "started"), _LR, Field("parameter", "gone")]
        wanted = [one.run.id for one in kept][::-1]
        found = reopen().values([*wanted, "run-none"], fields)
        assert repr({run: list(values) for run, values in found.items()}) == repr(values_of(kept[::-1], fields))
        assert found["run-00017"][1] == "net.Digits"
        assert str(found["run-00016"][1]).startswith("x" * 200 + "... (300 characters")
        assert store.values([], fields) == {}

    def test_columns_tell_which_values_differ(self, store: Store) -> None:
        """Among all runs of a project or a step, whatever else the query says."""
        kept = keep_varied(store)
        for project, step in ((None, None), ("digits", None), ("digits", "Overfit"), ("else", None), ("none", None)):
            query = RunQuery(project=project, step=step)
            of = [one for one in kept if one.is_meant(query)]
            narrowed = replace(query, search="adam", where=(Where(_LR, "missing"),), limit=1)
            assert list(store.columns(narrowed)) == columns_of(of)
        same = {one.field.name: one.differs for one in store.columns(RunQuery(project="digits"))}
        assert same[ODD] is False
        assert same["trainer.max_epochs"] is True

    def test_runs_are_grouped_by_a_value(self, store: Store) -> None:
        """The largest group first; runs without the value are a group of their own."""
        kept = keep_varied(store)
        for field in (
            _LR,
            _ACCURACY,
            Field("parameter", "trainer.max_epochs"),
            Field("run", "state"),
            Field("run", "seconds"),
        ):
            query = RunQuery(project="digits", dead=("run-00004",), order_by=_LR, limit=1)
            query = replace(query, where=(Where(field, "!=", 0.25),))
            unsorted = groups_of(kept, query, field)
            assert sorted(map(repr, store.groups(query, field))) == sorted(map(repr, unsorted)), field
            sizes = [one.runs for one in store.groups(query, field)]
            assert sizes == sorted(sizes, reverse=True)

    def test_parameters_go_with_their_run_and_move_on_with_it(self, store: Store) -> None:
        """No value is left of what a run declared before, or of a run that was removed."""
        store.write(a_run(0, parameters={"a": 1, "b": 2}))
        store.write(a_run(1, parameters={"a": 1}))
        store.write(a_run(0, parameters={"a": 3}))
        fields = [Field("parameter", "a"), Field("parameter", "b")]
        assert store.values(["run-00000"], fields) == {"run-00000": [3, None]}
        store.delete("run-00000")
        (left,) = store.columns()
        assert (left.runs, left.differs, left.lowest, left.highest) == (1, False, 1.0, 1.0)
        assert ids(store, where=(Where(Field("parameter", "a"), "=", 3),)) == []


def _ids(kept: Sequence[Listed], query: RunQuery) -> list[str]:
    return [one.run.id for one in in_order(kept, query)]


def _score(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.5
