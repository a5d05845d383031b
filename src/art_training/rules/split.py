"""Rules on how rows were divided into splits."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from art_training.probes.overlap import Overlap, overlap
from art_training.probes.rows import Rows, SplitRows
from art_training.probes.windows import between
from art_training.records import Severity, Split
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured, lacking
from art_training.rules.rule import Found, Stage, rule

_CHANCE = 1e-6
_FEWEST = 3
_MUCH = 0.01
_WHOLE = 0.9  # of a split: then it is not a part that slipped in
_COPIES = 0.5  # of equal inputs, that have the same target too: less are measured again


@rule(
    "ART150",
    "rows of training are in another split",
    category="split",
    severity=Severity.ERROR,
    stage=Stage.INSPECT,
    finds=(
        "Rows of the validation or test split have exactly the inputs of rows of the training split, more than equal rows by "
        "chance explain (binomial test, 1e-6). How often rows are equal by chance is seen within the splits themselves, so that "
        "categories, tokens and bits, of which there are few, are no finding, and by how often each column has its values, so that "
        "grids and calendars are none; one row that a split repeats counts once. Less than one row in a hundred is told as INFO, and "
        "so are inputs of which less than half have the same target there: what was measured again is no copy. Of "
        "several validation loaders, one that is the training split beside one that is not is taken for a measure of training."
    ),
    why="A score on rows that were trained on says how well they are remembered, and hides that other rows fare worse.",
    wrong="train = torch.cat([x_train, x_valid[:50]])",
    right="x_train, x_valid = train_test_split(x)  # each row in one of them",
    source="https://doi.org/10.1016/j.patter.2023.100804 (Kapoor and Narayanan, duplicates across splits)",
)
def rows_shared(laboratory: Laboratory) -> Iterator[Found]:
    """Inputs of training in another split."""
    splits = _splits(laboratory)
    train = splits.get(Split.TRAIN)
    if train is None or not len(train.inputs):
        raise NotMeasured("the rows of the training split have no inputs that can be compared")
    if set(splits) <= {Split.TRAIN}:
        raise lacking(laboratory.get(Rows), "there is no other split than that of training")
    for split in (Split.VALIDATION, Split.TEST):
        rows = splits.get(split)
        if rows is None:
            continue
        found = {name: one for name, one in _overlaps(rows, train).items() if _is_leak(one)}
        if len(rows.names) > len(found):  # another loader is clean: what is nearly all of training is there on purpose
            found = {name: one for name, one in found.items() if one.share < _WHOLE}
        for name, one in found.items():
            yield _leak(split, name, one)


@rule(
    "ART780",
    "the test rows are the validation rows",
    category="evaluation",
    severity=Severity.ERROR,
    stage=Stage.INSPECT,
    finds=(
        "Rows of the test split have exactly the inputs of rows of the validation split, more than equal rows by chance explain "
        "(as in ART150)."
    ),
    why=(
        "The best epoch, early stopping and hyper-parameters are chosen on the validation rows; on the same rows the test score "
        "is the maximum of what was tried, and not what a new row will give."
    ),
    wrong="def val_dataloader(self): return DataLoader(self.test)",
    right="def val_dataloader(self): return DataLoader(self.valid)  # a third part of the rows",
    source="https://github.com/xuanmay2701/shapeformer/issues/2 (best epoch chosen on the test set)",
)
def test_is_validation(laboratory: Laboratory) -> Iterator[Found]:
    """Choosing and testing on the same rows."""
    splits = _splits(laboratory)
    validation, test = splits.get(Split.VALIDATION), splits.get(Split.TEST)
    if validation is None or test is None:
        raise lacking(laboratory.get(Rows), "there are not both a validation and a test split")
    one = overlap(test.inputs, test.targets, validation)
    if one is None or not _is_leak(one):
        return
    yield Found(
        f"{one.shared} of {one.of} rows of the test split ({one.share:.1%}) are also in the validation split",
        _evidence(one),
        "divide the rows in three, and use the test rows once, when nothing is chosen any more",
        where="val_dataloader, test_dataloader",
        confirmed_by=f"equal rows by chance explain {one.expected:.2%} at most",
    )


@rule(
    "ART151",
    "a declared group is in two splits",
    category="split",
    severity=Severity.ERROR,
    stage=Stage.INSPECT,
    finds="A group, as the declaration `groups` gives it, has rows in the training split and in another.",
    why=(
        "Rows of one subject, document or machine are alike. A model that has seen the group recognises it, and its score says "
        "nothing about a group that it has not seen."
    ),
    wrong="random_split(rows, [0.8, 0.2])",
    right="GroupShuffleSplit(test_size=0.2).split(rows, groups=subjects)",
    source="https://doi.org/10.1016/j.patter.2023.100804 (Kapoor and Narayanan, non-independence)",
)
def groups_shared(laboratory: Laboratory) -> Iterator[Found]:
    """Groups in two splits."""
    if "groups" not in laboratory.declarations:
        raise NotApplicable("groups is not declared")
    splits = _splits(laboratory)
    train = splits.get(Split.TRAIN)
    if train is None or train.groups is None:
        raise NotMeasured("the groups of the training split are not known")
    known = set(train.groups.tolist())
    for split in (Split.VALIDATION, Split.TEST):
        rows = splits.get(split)
        if rows is None or rows.groups is None:
            continue
        there = set(rows.groups.tolist())
        shared = sorted(known & there)
        if not shared:
            continue
        count = int(np.isin(rows.groups, np.asarray(shared)).sum())
        apart = _apart(train, rows)
        yield Found(
            f"{len(shared)} of {len(there)} groups of the {split.value} split are also in training, with {count} of its "
            f"{len(rows)} rows",
            {"groups": shared[:8], "count": len(shared), "rows": count},
            "split by groups, e.g. with GroupShuffleSplit of scikit-learn",
            where=f"groups {', '.join(shared[:5])}",
            confirmed_by=f"divided by groups instead, {apart} of the {len(known | there)} groups are in both",
        )


@rule(
    "ART152",
    "training lies after validation",
    category="split",
    severity=Severity.ERROR,
    stage=Stage.INSPECT,
    finds="Rows of the training split are later than the first row of another split, by the declaration `time`.",
    why="A model that has seen what came later is asked about the past; in use it only has the past.",
    wrong="random_split(windows, [0.8, 0.2])",
    right="train, valid = windows[:800], windows[800 + gap:]",
    source="https://arxiv.org/abs/2108.02497 (Lones, How to avoid machine learning pitfalls, 2.6 and 4.8)",
)
def training_after(laboratory: Laboratory) -> Iterator[Found]:
    """Training rows from the future."""
    if "time" not in laboratory.declarations:
        raise NotApplicable("time is not declared")
    splits = _splits(laboratory)
    train = splits.get(Split.TRAIN)
    if train is None or train.times is None:
        raise NotMeasured("the times of the training split are not known")
    for split in (Split.VALIDATION, Split.TEST):
        rows = splits.get(split)
        if rows is None or rows.times is None:
            continue
        first, last = float(rows.times.min()), float(train.times.max())
        later = int((train.times >= first).sum())
        if not later:
            continue
        cut = float(np.quantile(np.concatenate([train.times, rows.times]), len(train) / (len(train) + len(rows))))
        yield Found(
            f"{later} of {len(train)} rows of training are not before the first of {split.value}: it begins at {first:g}, and "
            f"training goes on to {last:g}",
            {"later": later, "first": first, "last": last},
            "split by time: training first, then a gap as long as a window, then validation",
            where=split.value,
            confirmed_by=f"cut at {cut:g}, as many rows lie before as training has, and none of them is later",
        )


@rule(
    "ART153",
    "windows of validation lie between windows of training",
    category="split",
    severity=Severity.ERROR,
    stage=Stage.INSPECT,
    finds=(
        "More than half of the validation windows begin as a training window ends and end as another begins: overlapping "
        "windows of one series were divided at random. Told by equal numbers, in series whose numbers hardly ever repeat. A split "
        "by time has such windows at its border only, and on one side."
    ),
    why="What is to be predicted stands in the training inputs: the score says how well the series is remembered.",
    wrong="windows = series.unfold(0, 24, 1); train, valid = random_split(windows, [0.8, 0.2])",
    right="train, valid = windows[:800], windows[800 + 24:]",
    source="https://arxiv.org/abs/2108.02497 (Lones, How to avoid machine learning pitfalls: look-ahead in time series)",
)
def windows_between(laboratory: Laboratory) -> Found | None:
    """Overlapping windows that were divided at random."""
    splits = _splits(laboratory)
    train, rows = splits.get(Split.TRAIN), splits.get(Split.VALIDATION)
    if train is None or rows is None:
        raise lacking(laboratory.get(Rows), "there are not both a training and a validation split")
    found = between(train, rows)
    if found is None:
        raise NotApplicable("the rows are no windows of a series")
    if found.both <= found.of / 2:
        return None
    return Found(
        f"{found.both} of {found.of} validation windows of {found.length} steps overlap with training windows on both sides, "
        f"{found.stride} step{'s' * (found.stride > 1)} apart",
        {"both": found.both, "one": found.one, "of": found.of, "stride": found.stride, "length": found.length},
        "split the series by time before windows are cut, with a gap of one window",
        where="validation",
        confirmed_by=f"of a split by time at most {-(-(found.length - 1) // found.stride)} windows could overlap, on one side",
    )


def _splits(laboratory: Laboratory) -> Mapping[Split, SplitRows]:
    return laboratory.get(Rows).splits


def _overlaps(rows: SplitRows, train: SplitRows) -> dict[str | None, Overlap]:
    found: dict[str | None, Overlap] = {}
    for number, name in enumerate(rows.names):
        mine = rows.loaders == number
        one = overlap(rows.inputs[mine], rows.targets[mine] if len(rows.targets) else rows.targets, train)
        if one is not None:
            found[name] = one
    return found


def _is_leak(one: Overlap) -> bool:
    return one.shared >= _FEWEST and one.chance < _CHANCE


def _leak(split: Split, name: str | None, one: Overlap) -> Found:
    place = split.value if name is None else f"{split.value}:{name}"
    return Found(
        f"{one.shared} of {one.of} rows of {place} ({one.share:.1%}) are also in the training split",
        _evidence(one),
        f"remove them from training or from {place}, and split before rows are repeated or augmented",
        where=f"{place}: rows {', '.join(map(str, one.places[:5]))}",
        confirmed_by=f"equal rows by chance explain {one.expected:.2%} at most",
        severity=None
        if one.share > _MUCH and (one.same_target is None or one.same_target >= _COPIES)
        else Severity.INFO,
    )


def _evidence(one: Overlap) -> dict[str, Any]:
    return {
        "rows": one.shared,
        "of": one.of,
        "share": one.share,
        "by_chance": one.expected,
        "same_target": one.same_target,
        "places": list(one.places),
    }


def _apart(train: SplitRows, rows: SplitRows) -> int:
    """How many groups are in both when the same rows are divided by groups, in the same proportion."""
    assert train.groups is not None
    assert rows.groups is not None
    groups: NDArray[Any] = np.concatenate([train.groups, rows.groups])
    order = np.random.default_rng(0).permutation(np.unique(groups))
    held = order[: max(1, round(len(order) * len(rows) / len(groups)))]
    inside = np.isin(groups, held)
    return len(set(groups[inside].tolist()) & set(groups[~inside].tolist()))
