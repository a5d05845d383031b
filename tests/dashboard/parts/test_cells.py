import math
from datetime import UTC, datetime

from art_training.dashboard.parts.asked import Asked
from art_training.dashboard.parts.cells import shown_columns, telling_scores, text_of
from art_training.dashboard.parts.drawing import with_axes
from art_training.views.table import Column


def column(
    key: str, runs: int = 10, *, differs: bool = True, low: float | None = None, high: float | None = None
) -> Column:
    kind, _, name = key.rpartition(":")
    numeric = low is not None or kind == "score"
    return Column(key, kind or "run", name, differs, numeric, runs, low, high)


COLUMNS = (
    *(column(name) for name in ("state", "started", "seconds")),
    column("parameter:hparams.width", low=16, high=64),
    column("parameter:hparams.lr", low=1e-5, high=0.1),
    column("parameter:step.rare", runs=1),
    column("score:errors", runs=2),
    column("score:train/loss"),
    column("score:validation/accuracy"),
    column("parameter:model", differs=False),
)


def keys(columns: tuple[Column, ...]) -> list[str]:
    return [one.key for one in columns]


def test_what_tells_most_runs_apart_is_shown_where_nothing_is_chosen() -> None:
    own, varied = ["state", "started", "seconds"], ["parameter:hparams.width", "parameter:hparams.lr"]
    assert keys(shown_columns(COLUMNS, ())) == [*own, *varied, "score:validation/accuracy", "score:train/loss"]


def test_scores_of_validation_come_before_counts_that_more_runs_have_and_before_what_few_have() -> None:
    counts = (column("score:errors", runs=14), column("score:warnings", runs=14, differs=False))
    scores = [column(f"score:{name}", runs=8) for name in ("train/loss", "validation/accuracy")]
    few = column("score:validation/also_in_train", runs=2)
    order = [one.key.partition(":")[2] for one in telling_scores((*counts, *scores, few))]
    assert order == ["validation/accuracy", "train/loss", "errors", "warnings", "validation/also_in_train"]


def test_of_runs_of_several_steps_no_option_of_one_step_is_shown_unasked() -> None:
    several = (*COLUMNS, column("step"), column("parameter:step.epochs"))
    assert "parameter:step.epochs" in keys(shown_columns((*COLUMNS, column("parameter:step.epochs")), ()))
    assert "parameter:step.epochs" not in keys(shown_columns(several, ()))
    assert keys(shown_columns(several, ()))[1] == "step"


def test_the_state_stands_first_whatever_is_chosen() -> None:
    assert keys(shown_columns(COLUMNS, ("parameter:model", "gone"))) == ["state", "parameter:model"]


def test_what_was_searched_over_decades_is_the_first_axis() -> None:
    asked = with_axes(Asked("digits", look="points"), COLUMNS)
    assert (asked.x, asked.y, asked.color) == ("parameter:hparams.lr", "score:validation/accuracy", "state")
    assert with_axes(Asked("digits", look="lines"), COLUMNS).color == "score:validation/accuracy"
    assert with_axes(Asked("digits", look="lines"), COLUMNS[:3]).axis == ("started", "seconds")


def test_axes_that_are_not_asked_for_are_those_that_most_runs_have() -> None:
    lines = Asked("digits", look="lines")
    assert "parameter:step.rare" not in with_axes(lines, COLUMNS).axis
    several = (*COLUMNS, column("step"), column("parameter:step.epochs", low=1, high=1000))
    drawn = with_axes(lines, several)
    assert drawn.axis == ("parameter:hparams.width", "parameter:hparams.lr", "score:validation/accuracy")
    assert "step.epochs" in with_axes(lines, several[:-2] + several[-1:]).axis[-2]
    assert with_axes(Asked("digits", look="points"), several).x == "parameter:hparams.lr"


def test_cells_read_as_a_person_writes_them() -> None:
    assert text_of(None) == ""
    assert text_of(True) == "true"
    assert text_of(0.123456) == "0.1235"
    assert text_of(1234567) == "1234567"
    assert text_of(math.nan) == "nan"
    assert text_of(75.0, "seconds") == "1 min 15 s"
    assert text_of("x" * 100) == "x" * 29 + "..."
    assert text_of(datetime(2026, 5, 4, 9, tzinfo=UTC)).startswith("2026-05-0")
