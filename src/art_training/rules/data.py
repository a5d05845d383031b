"""Rules on which rows training gets, how often, and in which order."""

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from art_training.probes.coverage import Drawn, drawn
from art_training.probes.held import Held, held
from art_training.probes.label_order import reshuffled, train_labels
from art_training.probes.order import Order
from art_training.probes.rows import Rows, SplitRows
from art_training.records import Severity, Split
from art_training.rules.ascending import ascending
from art_training.rules.labelled import counts_of, labelled, reserved
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured, lacking
from art_training.rules.rule import Found, Stage, rule
from art_training.setup.task import TaskKind

_MIXED = 0.75  # of the entropy that batches of rows in random order have
_DEVIATIONS = 6.0
_OFTEN = 8.0  # repeated augmentation takes a row three or four times
_REPEATED = 2.0  # a draw with replacement takes a row that it takes at all 1.58 times: 1 / (1 - exp(-1))
_CHANCE = 1e-6
_LIKELY = 0.01
_EVEN = 1e-3
_BACK = 0.35  # of the steps of a random order half go back; of rows that several files give in turn, one in as many
_SURE = 30.0  # of the logarithm of the odds against chance: about 1 to 1e13


@rule(
    "ART131",
    "rows of a class come one after another",
    category="data",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "The first batches of training hold far fewer classes than batches of the same rows in random order: the mean entropy "
        "of their labels is less than three quarters of that, and more than six standard deviations of it (200 random orders) "
        "below. Of a regression: targets that only rise, or only fall, from row to row (99 in 100 steps), in rows that are no series. "
        "Confirmed by a loader re-made with shuffle=True. Batches that a batch sampler of the user's own puts together, "
        "as in metric learning, are no finding."
    ),
    why=(
        "Each step then pulls the network towards one class and the next ones away from it; batch norms see one class at a "
        "time, and what was learned of the first classes is lost by the end of an epoch."
    ),
    wrong="DataLoader(sorted_by_label, batch_size=32)",
    right="DataLoader(sorted_by_label, batch_size=32, shuffle=True)",
    source="https://blog.slavv.com/37-reasons-why-your-neural-network-is-not-working-4020854bd607 (7: shuffle the dataset)",
    settles=("same_order",),
    symptoms=("ART420",),  # rows of nearly equal targets can be exchanged
)
def sorted_rows(laboratory: Laboratory) -> Found | None:
    """Batches of one class after another."""
    laboratory.settled("same_order")
    task = laboratory.task_of(TaskKind.CLASSIFICATION, TaskKind.REGRESSION)
    if task.target is None:
        raise NotMeasured("the target is not known")
    if task.kind is TaskKind.REGRESSION:
        return ascending(laboratory, task.target)
    rows = laboratory.get(Rows).splits.get(Split.TRAIN)
    if rows is None or rows.labels is None:
        raise NotMeasured("the labels of the training split are not known")
    batches = laboratory.ask(train_labels(task.target))
    if batches is None:
        raise NotMeasured("the labels of the first batches are not known")
    sizes = [len(one) for one in batches]
    if sum(sizes) < 16 or min(sizes) < 2 or len(rows) < 2 * max(sizes):
        return None
    found = float(np.mean([_entropy(one) for one in batches]))
    usual = _random_entropies(rows.labels, sizes)
    mean, deviation = float(usual.mean()), float(usual.std())
    if found >= _MIXED * mean or mean - found <= _DEVIATIONS * max(deviation, 1e-9):
        return None
    if any(one.grouped for one in laboratory.ask(drawn)):
        return None
    again = laboratory.ask(reshuffled(task.target))
    confirmed = ""
    if again is not None:
        shuffled = float(np.mean([_entropy(one) for one in again]))
        if shuffled > found + (mean - found) / 2:
            confirmed = f"with shuffle=True the label entropy of a batch rises from {found:.2f} to {shuffled:.2f}"
    return Found(
        f"the first {len(sizes)} training batches have a label entropy of {found:.2f} where rows in random order have "
        f"{mean:.2f}: rows of one class come one after another",
        {"entropy": found, "random": mean, "deviation": deviation, "batches": len(sizes)},
        "give the training loader shuffle=True; of a stream, mix the rows before they are written, or through a buffer that is "
        "larger than a class",
        where="train_dataloader",
        confirmed_by=confirmed,
    )


@rule(
    "ART132",
    "an epoch is made of few rows again and again",
    category="data",
    severity=Severity.ERROR,
    stage=Stage.TRAIN,
    finds=(
        "An epoch takes at most half of the rows, each on average twice or more, and the next epochs take the same ones, or, "
        "where it takes each eight times or more by a sampler that is not of torch, all epochs together no more than half; or "
        "batches that entered training are equal to one another. A draw with replacement takes 63% of the rows, and others each "
        "time; a sampler that stands for a part of the rows takes each once."
    ),
    why="The model learns a few rows by heart and never sees the others.",
    wrong="def __iter__(self): return (i % 64 for i in range(len(self.data)))",
    right="def __iter__(self): return iter(torch.randperm(len(self.data)).tolist())",
    source="https://blog.slavv.com/37-reasons-why-your-neural-network-is-not-working-4020854bd607 (1: the same batch again)",
    symptoms=("ART135",),
    watches=(Order,),
    asks=(drawn, held),
)
def few_rows(laboratory: Laboratory) -> Found | None:
    """The same rows again and again."""
    for one in laboratory.ask(drawn):
        found = _repeated_by_sampler(one)
        if found is not None:
            return found
    return _repeated_batches(laboratory)


@rule(
    "ART135",
    "every epoch has the same random order",
    category="data",
    severity=Severity.WARNING,
    stage=Stage.TRAIN,
    finds=(
        "The sampler gives the rows in a random order, or a stream the rows that its dataset holds, and rows enter the second epoch in exactly the order of the first. Told "
        "by hashes of what entered. An order without shuffling is not meant: it is the same on purpose."
    ),
    why=(
        "Batches of the same rows in the same order give gradients whose errors do not average out over epochs; the shuffling "
        "that was asked for happens once."
    ),
    wrong="def __iter__(self): return iter(torch.randperm(n, generator=torch.Generator().manual_seed(0)).tolist())",
    right="def __init__(self): self.generator = torch.Generator().manual_seed(0)  # and draw from it in each epoch",
    source="https://github.com/pytorch/pytorch/issues/31771 (set_epoch forgotten)",
    settles=("same_order",),
    watches=(Order,),
    asks=(drawn,),
)
def same_order(laboratory: Laboratory) -> Found | None:
    """An order that is drawn once."""
    laboratory.settled("same_order")
    loaders = laboratory.ask(drawn)
    stored = () if loaders else laboratory.ask(held)
    if not stored and (not loaders or all(one.in_order for one in loaders)):
        raise NotApplicable("no sampler mixes the training rows")
    if any(len(one.passes[0]) < 8 for one in loaders):
        raise NotMeasured("an epoch has fewer than 8 rows, which may have one order twice by chance")
    epochs = laboratory.get(Order).epochs
    if len(epochs) < 2 or len(epochs[1]) < 8:
        raise NotMeasured("training did not reach a second epoch")
    first, second = epochs[0], epochs[1]
    for path in first.parts:
        before, after = first.of(path), second.of(path)
        if before is None or after is None:
            continue
        length = min(len(before), len(after))
        before, after = before[:length], after[:length]
        if length * _surprise(before) < _SURE:
            continue
        if not np.array_equal(before, after) or not (loaders or _mixed(before, stored)):
            continue
        who = loaders[0].sampler if loaders else "the stream"
        mixed = np.random.default_rng(0).permutation(length)
        share = float((before[mixed] == before).mean())
        return Found(
            f"the {length} rows of the second epoch entered training in exactly the order of the first, though "
            f"{who} mixes them",
            {"rows": length, "sampler": who, "entry": path},
            "draw the order anew in each epoch: keep one generator for all epochs, or call set_epoch(epoch) before each",
            where=who,
            confirmed_by=f"in an order drawn anew {share:.1%} of the rows have the same place, and here all",
        )
    return None


@rule(
    "ART136",
    "classes that training lacks or hardly has",
    category="data",
    severity=Severity.ERROR,
    stage=Stage.INSPECT,
    finds=(
        "A class is in the validation split and not in training, or has there less than a third of its share in validation and "
        "less than its part of an even division; in both cases with a chance below 1e-6 if rows had been divided at random "
        "(hypergeometric, times the number of classes; or all such classes together, times that of all sets of classes). Training that is more even than validation, as after balancing, is no "
        "finding; nor is, where imbalance_expected is declared, a validation split whose classes are equally frequent "
        "(chi-squared, p above 0.001), as in long-tailed recognition; nor splits by a declared time."
    ),
    why="The model cannot learn what it is not shown; a filter or a loading error that drops rows leaves no other trace.",
    wrong="train = train[train.label < 5]  # left over from a trial",
    right="train, valid = train_test_split(rows, stratify=rows.label)",
    source="https://doi.org/10.1145/3377811.3380395 (Humbatova et al., Taxonomy of real faults: unbalanced training data)",
    settles=("time", "reserved_classes"),
)
def lost_classes(laboratory: Laboratory) -> Iterator[Found]:
    """Classes that validation has and training lacks."""
    laboratory.settled("time")
    splits = labelled(laboratory)
    train, rows = splits.get(Split.TRAIN), splits.get(Split.VALIDATION)
    if train is None or rows is None:
        raise lacking(laboratory.get(Rows), "there are not both a training and a validation split")
    if train.labels is None or rows.labels is None:
        raise NotMeasured("the labels of training and validation are not known")
    from scipy.stats import chisquare, hypergeom

    classes = np.union1d(train.labels, rows.labels)
    classes = classes[~np.isin(classes, reserved(laboratory))]
    mine, theirs = counts_of(_independent(train), classes), counts_of(_independent(rows), classes)
    n, m = int(mine.sum()), int(theirs.sum())
    if not n or not m:
        return
    if (mine > 0).sum() < 2:  # as a detector of what is not normal is trained
        raise NotApplicable("training rows are of one class")
    # An imbalance that is declared is of the data; the splits share it, unless validation was made even on purpose.
    if laboratory.declarations.get("imbalance_expected") and float(cast("Any", chisquare(theirs)).pvalue) > _EVEN:
        raise NotApplicable("imbalance_expected is declared, and the classes of validation are equally frequent")
    chances = hypergeom.cdf(mine, n + m, mine + theirs, n) * len(classes)
    rarer = (mine / n < theirs / m / 3) & (mine / n < 1 / len(classes))
    if not rarer.any():
        return
    group = int(mine[rarer].sum()), int((mine + theirs)[rarer].sum())
    together = float(hypergeom.logcdf(group[0], n + m, group[1], n)) + len(classes) * np.log(2)
    if not (chances[rarer] < _CHANCE).any() and together >= np.log(_CHANCE):
        return
    rarer &= chances < _LIKELY  # one beyond doubt is enough to look at others
    lost, rare = classes[rarer & (mine == 0)].tolist(), classes[rarer & (mine > 0)].tolist()
    at = np.flatnonzero(rarer)
    worst = int(at[np.argmin(mine[at] / n / (theirs[at] / m))])
    kind = "does not occur" if not mine[worst] else f"has a share of {mine[worst] / n:.2%}"
    yield Found(
        f"{len(at)} of {len(classes)} classes are lost or rare in training and not in validation: class {classes[worst]:g} "
        f"{kind} in training and has {theirs[worst] / m:.1%} in validation",
        {"lost": lost[:20], "rare": rare[:20], "train": mine[at].tolist()[:20], "validation": theirs[at].tolist()[:20]},
        "look at what selects the training rows; where validation is later than training, declare time=",
        where=f"classes {', '.join(f'{one:g}' for one in classes[at][:8])}",
        confirmed_by=(
            f"divided at random, training would have {(mine[worst] + theirs[worst]) * n / (n + m):.0f} rows of class "
            f"{classes[worst]:g}, and it has {mine[worst]}"
        ),
    )


def _independent(rows: SplitRows) -> NDArray[Any]:
    """The labels; of declared groups each label once, since rows of a group go into a split together."""
    assert rows.labels is not None
    if rows.groups is None or len(rows.groups) != len(rows.labels):
        return rows.labels
    _, first = np.unique(np.stack([rows.groups, rows.labels.astype(str)]), axis=1, return_index=True)
    return rows.labels[first]


def _repeated_by_sampler(one: Drawn) -> Found | None:
    distinct = [np.unique(each) for each in one.passes]
    draws = len(one.passes[0])
    if not draws or one.rows < 16:
        return None
    share, times = len(distinct[0]) / one.rows, draws / max(1, len(distinct[0]))
    if share > 0.5 or times < _REPEATED:
        return None
    same = all(np.array_equal(distinct[0], each) for each in distinct[1:])
    # Epochs that take other rows each time cover them all in the end; repeated augmentation has the copies of a row together.
    together = float((np.diff(one.passes[0]) == 0).mean()) > 1 / _OFTEN
    rare = one.covered is not None and one.covered <= one.rows / 2 and times >= _OFTEN
    left = rare and not one.ours and not together
    if not same and not left:
        return None
    random = len(np.unique(np.random.default_rng(0).integers(one.rows, size=draws)))
    after = "and the next epochs from the same" if same else f"and all epochs take {one.covered}"
    return Found(
        f"an epoch draws {draws} times from only {len(distinct[0])} of {one.rows} rows, {after}",
        {"rows": one.rows, "distinct": len(distinct[0]), "draws": draws, "covered": one.covered},
        f"let {one.sampler} go through all rows, or use shuffle=True",
        where=one.sampler,
        confirmed_by=f"as many draws at random, with replacement, would take {random} of the rows, and others each time",
    )


def _repeated_batches(laboratory: Laboratory) -> Found | None:
    """Batches that are equal to one another, row by row."""
    epochs = laboratory.get(Order).epochs
    rows = laboratory.get(Rows).splits.get(Split.TRAIN)
    if not epochs or rows is None or len(epochs[0].sizes) < 4:
        return None
    seen = epochs[0].together()
    if seen is None:
        return None
    known = len(np.unique(rows.inputs))
    ends = np.cumsum(epochs[0].sizes)[:-1]
    batches = [tuple(one.tolist()) for one in np.split(seen, ends)]
    distinct = len(np.unique(seen))
    different = len(set(batches))
    if different > len(batches) / 2 or distinct > min(known, len(seen)) / 2:
        return None
    return Found(
        f"of the {len(batches)} batches of the first epoch only {different} are different: {distinct} rows entered training, "
        f"and the training split has {known} different ones",
        {"batches": len(batches), "different": different, "rows": distinct, "known": known},
        "let the loader go on to its next batch: a batch is kept and given again",
        where="train_dataloader",
        confirmed_by=f"read through once without training, the split gave {known} different rows",
    )


def _entropy(labels: NDArray[Any]) -> float:
    _, counts = np.unique(labels, return_counts=True)
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _random_entropies(labels: NDArray[Any], sizes: list[int]) -> NDArray[Any]:
    """(200,) the mean entropy of as many batches in random orders."""
    generator = np.random.default_rng(0)
    ends = np.cumsum(sizes)
    found: list[float] = []
    for _ in range(200):
        rows = labels[generator.choice(len(labels), size=min(int(ends[-1]), len(labels)), replace=False)]
        parts = [one for one in np.split(rows, ends[:-1]) if len(one)]
        found.append(float(np.mean([_entropy(one) for one in parts])))
    return np.asarray(found)


def _mixed(hashes: NDArray[np.uint64], stored: tuple[Held, ...]) -> bool:
    """Whether rows go back about every second time in an array that the dataset holds, by ever other steps."""
    for one in stored:
        places = None if one.windows else one.places(hashes)
        if places is None:
            continue
        steps = np.diff(places)  # two files that are read in turn go back every second time too, by the same step
        if _BACK < float((steps < 0).mean()) < 1 - _BACK and len(np.unique(steps)) > len(steps) / 4:
            return True
    return False


def _surprise(hashes: NDArray[np.uint64]) -> float:
    """Minus the logarithm of the chance that two rows of these are equal."""
    _, counts = np.unique(hashes, return_counts=True)
    return float(-np.log(((counts / counts.sum()) ** 2).sum()))
