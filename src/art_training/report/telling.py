"""Blocks that several sections are made of: checks, scores, curves, candidates, pictures."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from art_training.checks.values import number
from art_training.records import Curve
from art_training.report.document import Block, Cell, Drawing, Table, table
from art_training.report.figures import Line, Span, beyond, curves, intervals
from art_training.report.states import of_check
from art_training.views import CheckRow, ScoreRow
from art_training.views.readable import readable
from art_training.views.tried import Tried, TriedRow
from art_training.views.visible import name as named
from art_training.views.wording import score_text, shortened

_DRAWN = 40  # rows of a figure of intervals
_LISTED = 60  # rows of a table of candidates
_PANELS = 6
_SETTINGS = 110  # characters that a row of candidates has for what they were


def when(moment: datetime | None) -> str:
    """A time that means the same wherever the report is read."""
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def checks_table(checks: Sequence[CheckRow]) -> Table | None:
    """What was asked, and what the answers were."""
    rows = [(Cell(check.state.value, of_check(check.state)), check.check, check.reason) for check in checks]
    return table(("answer", "check", "with its numbers"), rows, "What was asked of the result")


def scores_table(scores: Sequence[ScoreRow], caption: str) -> Table | None:
    """Scores with their intervals, rows and sources, beside the best baseline."""
    rows = [
        (
            score.metric,
            value_cell(score),
            "" if score.rows is None else f"{score.rows:,}",
            "" if score.baseline is None else Cell(number(score.baseline), below=(score.baseline_name,)),
            score.note,
        )
        for score in scores
    ]
    return table(("score", "value", "examples", "best baseline", "note"), rows, caption, numbers=(1, 2, 3))


def value_cell(score: ScoreRow | None) -> Cell | str:
    """A number with its interval in a line below it: columns stay narrow."""
    if score is None:
        return ""
    between = f"[{number(score.low)}, {number(score.high)}]" if score.low is not None and score.high is not None else ""
    return Cell(number(score.value), below=(between,) if between else ())


def interval_text(score: ScoreRow) -> str:
    """The interval alone: `0.9496 to 0.9847`."""
    return "" if score.low is None or score.high is None else f"{number(score.low)} to {number(score.high)}"


def learning_curves(found: Mapping[str, Curve], step: str, first: Sequence[str] = ()) -> tuple[Block, ...]:
    """The losses of each training of a step, train and validation in one frame each.

    Args:
        found: the curves of a step, by name.
        step: its name.
        first: names of trainings to draw before the others, where there are more than have room.
    """
    groups = _losses(found)
    order = sorted(groups, key=lambda group: _rank(group, first))
    drawn = [_panel(groups[group], group, step, small=len(groups) > 1) for group in order[:_PANELS]]
    return tuple(drawn)


def left_undrawn(found: Mapping[str, Curve]) -> int:
    """How many trainings `learning_curves` has no room for."""
    return max(0, len(_losses(found)) - _PANELS)


def spans(scores: Iterable[tuple[str, ScoreRow, str]]) -> list[Span]:
    """Named scores as rows of a figure: name, score, look."""
    return [Span(named(name), row.value, row.low, row.high, score_text(row), look) for name, row, look in scores]


def interval_figure(
    rows: Sequence[tuple[str, ScoreRow, str]],
    caption: str,
    axis: str,
    *,
    reference: tuple[str, float] | None = None,
    logarithmic: bool = False,
) -> Drawing | None:
    """Scores of several things beside each other, with the same as a table."""
    if not rows:
        return None
    shown = rows[:_DRAWN]
    more = f" The first {_DRAWN} of {len(rows)}." if len(rows) > _DRAWN else ""
    against = f"; {reference[0]} is drawn as a dashed line at {number(reference[1])}" if reference else ""
    told = "; ".join(f"{named(name)} {score_text(row)}" for name, row, _ in shown[:8])
    numbers = table(
        ("", axis, "95 % interval"),
        [(name, number(row.value), interval_text(row)) for name, row, _ in rows],
        caption,
        numbers=(1, 2),
    )
    drawn = spans(shown)
    far = beyond(drawn, reference, logarithmic=logarithmic)
    left = f"; {', '.join(far)} {'lie' if len(far) > 1 else 'lies'} beyond the axis" if far else ""
    svg = intervals(drawn, f"{caption}: {told}{against}{left}", axis=axis, reference=reference, logarithmic=logarithmic)
    return Drawing(svg, f"{caption}.{more}", told, numbers)


def tried_table(tried: Tried, caption: str) -> Table | None:
    """What was compared, with what it was and why it was chosen or not."""
    scored = [name for name in (tried.by, *_others(tried)) if name][:3]
    rows = [
        (
            Cell(row.name, below=("chosen",) if row.chosen else ()),
            *(value_cell(next((one for one in row.scores if one.metric == name), None)) for name in scored),
            _settings(row),
            row.why,
        )
        for row in tried.rows[:_LISTED]
    ]
    more = len(tried.rows) - _LISTED
    note = f" (the first {_LISTED} of {len(tried.rows)})" if more > 0 else ""
    strong = [place for place, row in enumerate(tried.rows[:_LISTED]) if row.chosen]
    return table(
        ("candidate", *scored, "settings and cost", "what became of it"),
        rows,
        f"{caption}{note}",
        numbers=tuple(range(1, 1 + len(scored))),
        strong=strong,
    )


def tried_figure(tried: Tried, caption: str) -> Drawing | None:
    """What the candidates reached of the score that decides."""
    rows = [(row.name, row.score, "chosen" if row.chosen else "plain") for row in tried.rows if row.score is not None]
    return interval_figure(rows, caption, tried.by, logarithmic=tried.by.endswith("loss"))


def gain_figure(tried: Tried, caption: str) -> Drawing | None:
    """How much better each candidate is than what it is compared with, on the same examples."""
    rows = [(row.name, row.gain, "chosen" if row.chosen else "plain") for row in tried.rows if row.gain is not None]
    return interval_figure(rows, caption, "gain: right of 0 is better", reference=("no difference", 0.0))


def _others(tried: Tried) -> list[str]:
    names = [score.metric for row in tried.rows for score in row.scores]
    wanted = [
        name for name in dict.fromkeys(names) if name != tried.by and (name.startswith("validation/") or name == "gap")
    ]
    return [name for name in wanted if names.count(name) * 2 >= len(tried.rows)]


def _settings(row: TriedRow) -> str:
    """What it was, as far as it says how it differs: what it changed, or its few plain parameters."""
    changes = row.parameters.get("changes")
    if isinstance(changes, list):
        return "; ".join(str(change) for change in changes)  # pyright: ignore[reportUnknownVariableType]
    plain = {
        name: value
        for name, value in row.parameters.items()
        if isinstance(value, bool | int | float | str) and value != ""
    }
    return shortened(readable(plain), _SETTINGS)


def _losses(found: Mapping[str, Curve]) -> dict[str, dict[str, Curve]]:
    """The losses of train and validation of each training, by the training's name; the name is empty where there is one."""
    groups: dict[str, dict[str, Curve]] = {}
    for name, curve in found.items():
        for end in ("train/loss_epoch", "train/loss", "validation/loss"):
            if (name == end or name.endswith(f"/{end}")) and curve.steps:
                groups.setdefault(name.removesuffix(end).rstrip("/"), {})[end] = curve
                break
    return groups


def _rank(group: str, first: Sequence[str]) -> tuple[int, str]:
    """Those that are asked for come first, then by name."""
    places = [place for place, name in enumerate(first) if group == name or group.startswith(f"{name}, ")]
    return (places[0] if places else len(first), group)


def _panel(group: Mapping[str, Curve], title: str, step: str, *, small: bool) -> Drawing:
    """One frame; the loss of every step stands faint behind its mean over an epoch."""
    train = group.get("train/loss_epoch") or group.get("train/loss")
    lines = [
        *(
            [Line("train", group["train/loss"].steps, group["train/loss"].values, "train faint")]
            if "train/loss_epoch" in group and "train/loss" in group
            else []
        ),
        *([Line("train", train.steps, train.values, "train")] if train else []),
        *(
            [Line("validation", group["validation/loss"].steps, group["validation/loss"].values, "validation")]
            if "validation/loss" in group
            else []
        ),
    ]
    what = f"Loss of {named(step)}" + (f", {named(title)}" if title else "")
    told = "; ".join(_course(one) for one in lines if "faint" not in one.look)
    missing = sum(not math.isfinite(value) for one in lines for value in one.values)
    gap = f" {missing} values are NaN or infinite and leave gaps." if missing else ""
    rows = [(one.name, *_numbers(one)) for one in lines if "faint" not in one.look]
    numbers = table(("loss", "values", "first", "lowest", "at step", "last"), rows, what, numbers=(1, 2, 3, 4, 5))
    svg = curves(lines, f"{what}: {told}.{gap}", small=small)
    return Drawing(svg, f"{what}.{gap}", told, numbers, small)


def _numbers(one: Line) -> tuple[str, str, str, str, str]:
    finite = [(value, step) for step, value in zip(one.steps, one.values, strict=True) if math.isfinite(value)]
    lowest, at = min(finite, default=(math.nan, 0))
    return str(len(one.values)), number(one.values[0]), number(lowest), str(at), number(one.values[-1])


def _course(one: Line) -> str:
    _, first, lowest, at, last = _numbers(one)
    return f"{one.name} from {first} to {last}, lowest {lowest} at step {at}"
