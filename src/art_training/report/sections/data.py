"""What the model learned from and was judged on."""

from collections.abc import Mapping
from typing import Any, cast

from art_training.checks.values import number
from art_training.records import Outcome, Reading
from art_training.report.document import Block, Drawing, Section, Table, Text, table, told
from art_training.report.figures import Bars, bars
from art_training.report.pictures import Album
from art_training.report.telling import when
from art_training.views import RunView
from art_training.views.account import Account, StepAccount
from art_training.views.readable import readable

_LOOKS = ("train", "validation", "test")
_MOST_CLASSES = 60
_PICTURES = 3
_COUNTS = {
    "examples": "examples",
    "classes": "classes",
    "duplicates": "duplicates within",
    "also_in_train": "also in train",
    "nearly_in_train": "nearly in train",
    "conflicting_labels": "conflicting labels",
    "nan_inputs": "NaN inputs",
    "infinite_inputs": "infinite inputs",
    "blank_inputs": "blank inputs",
    "axes_with_outliers": "axes with outliers",
}


def data(account: Account, album: Album) -> Section | None:
    """What ExploreData saw, if it ran."""
    one = account.of_kind("ExploreData")
    if one is None or one.view is None or one.view.outcome is None or one.status.waits_for:
        return None
    outcome = one.view.outcome
    stale = Text(f"This was seen of data as it was then: {one.status.reason}.", "warning") if one.status.stale else None
    return Section(
        "Data",
        "data",
        told(
            stale,
            _what(outcome),
            _splits(outcome),
            _classes(outcome.reading("class counts")),
            _drift(outcome.reading("validation features against train")),
            *_pictures(one, album),
            Text(_identity(one.view), "note"),
        ),
    )


def _what(outcome: Outcome) -> Text | None:
    kind, schema = outcome.parameters.get("kind"), outcome.reading("schema")
    entries = _first(schema.value) if schema and isinstance(schema.value, Mapping) else {}
    target = str(outcome.parameters.get("target", ""))
    shapes = [
        f"{'target' if name == target else 'input'} {name}: {entry.get('type')} of shape {_shape(entry.get('shapes'))}"
        for name, entry in entries.items()
        if isinstance(entry, Mapping)
    ]
    said = "; ".join([*([f"The task is {kind}"] if kind else []), *shapes])
    return Text(f"{said}.") if said else None


def _first(schema: Any) -> Mapping[str, Any]:
    split = next(iter(schema.values()), {})
    return cast("Mapping[str, Any]", split) if isinstance(split, Mapping) else {}


def _shape(shapes: Any) -> str:
    if not isinstance(shapes, list) or not shapes:
        return "unknown"
    found = cast("list[Any]", shapes)
    told_ = ["scalar" if shape == [] else " x ".join(map(str, shape)) for shape in found if isinstance(shape, list)]
    return " or ".join(told_[:3]) + (" and others" if len(told_) > 3 else "")


def _splits(outcome: Outcome) -> Table | None:
    """Counts a split: what there is, and what should not be there."""
    splits = [split for split in _LOOKS if f"{split}/examples" in outcome.scores]
    rows = [
        (told_, *(_count(outcome, f"{split}/{name}") for split in splits))
        for name, told_ in _COUNTS.items()
        if any(f"{split}/{name}" in outcome.scores for split in splits)
    ]
    return table(("", *splits), rows, "What the splits hold", numbers=tuple(range(1, 1 + len(splits))))


def _count(outcome: Outcome, metric: str) -> str:
    score = outcome.scores.get(metric)
    return "-" if score is None else f"{score.value:,.0f}" if score.value == score.value // 1 else number(score.value)


def _classes(reading: Reading | None) -> Drawing | None:
    """How often each class occurs in each split."""
    counts = cast("Mapping[str, Any]", reading.value) if reading and isinstance(reading.value, Mapping) else {}
    names = [str(one) for one in counts.get("class", ())]
    splits = [split for split in counts if split in _LOOKS and len(counts[split]) == len(names)]
    if not names or not splits or len(names) > _MOST_CLASSES:
        return None
    groups = [Bars(split, [float(count) for count in counts[split]], split) for split in splits]
    seen = "; ".join(f"{split}: {min(counts[split])} to {max(counts[split])} a class" for split in splits)
    rows = [(name, *(f"{counts[split][place]:,}" for split in splits)) for place, name in enumerate(names)]
    caption = "Examples of each class"
    numbers = table(("class", *splits), rows, caption, numbers=tuple(range(1, 1 + len(splits))))
    return Drawing(bars(names, groups, f"{caption}: {seen}"), f"{caption}.", seen, numbers)


def _drift(reading: Reading | None) -> Table | None:
    """The features of validation that differ most from those of train."""
    found = cast("list[Any]", reading.value) if reading and isinstance(reading.value, list) else []
    rows = [
        (str(row.get("axis", "")), *(_number(row.get(key)) for key in ("distance", "mean_difference", "p_adjusted")))
        for row in found[:5]
        if isinstance(row, Mapping)
    ]
    head = ("feature", "distance of distributions", "difference of means", "p, adjusted")
    return table(head, rows, "Features of validation that differ most from train", numbers=(1, 2, 3))


def _number(value: Any) -> str:
    return number(value) if isinstance(value, float | int) else readable(value)


def _pictures(one: StepAccount, album: Album) -> list[Block]:
    return [album.take(kept, one.status.step) for kept in one.pictures[:_PICTURES]]


def _identity(view: RunView) -> str:
    origin = view.record.provenance
    looked = f" ({origin.data_note})" if origin.data_note else ""
    digest = origin.data_digest or "not told"
    return f"Digest of the data: {digest}{looked}; seen {when(view.record.started)}."
