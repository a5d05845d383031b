"""Examples that are nearly the same as another one, within a split and across splits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from art_training.records import Finding, Plain, Reading, Severity, Split
from art_training.setup.data.hashing import row_hashes
from art_training.steps.bench import Bench
from art_training.steps.exploration.again import read_again
from art_training.steps.exploration.answers import Answers, Surveys, listed
from art_training.steps.exploration.chance import Near
from art_training.steps.exploration.sketches import HASHES, NUMBERS, Features, Form, Sketches
from art_training.steps.exploration.survey import SHOWN, Survey

if TYPE_CHECKING:
    from numpy.typing import NDArray

MUCH = 0.01  # share of a split
JACCARD = 0.1  # sequences that share nine tenths of their pairs are nearly the same
_BY_CHANCE = 0.05  # pairs in the whole data that a crowded region may bring so close
_ASKED = 100  # examples that tell how crowded it is
_NEIGHBOURS = 5
_VERIFIED = 300  # pairs
_SEVERAL = 3  # pairs that bear each other out
_BAND = 12  # numbers of a sketch that are looked up together
_PART = 1 << 16  # rows that are worked on at a time, which bounds the memory
_WINDOW = 4  # rows of one cell that each is compared with
_AGREE = 5  # of 8 hashes; of pairs with a similarity of 0.9, 99.5 % do
_RANDOM_PAIRS = 2_000


@dataclass(frozen=True)
class _All:
    """Sketches of all places below each other."""

    surveys: Sequence[Survey]
    rows: "NDArray[Any]"
    survey: "NDArray[Any]"
    place: "NDArray[Any]"


@dataclass(frozen=True)
class _Pair:
    one: tuple[Survey, int]
    other: tuple[Survey, int]
    apart: float


def near_duplicates(surveys: Surveys, sketches: Sketches, bench: Bench, answers: Answers, *, near: float) -> None:
    """Which examples are nearly the same as another one, without being equal?

    Candidates are found among the sketches of all examples, and each is read again and verified by its distance.
    """
    if not near:
        return
    form, gathered = sketches.form, _gather(surveys, sketches)
    if form is None or sketches.why_not or gathered is None:
        answers.readings.append(Reading("near duplicates", None, note=f"not looked for: {sketches.why_not}"))
        return
    if isinstance(form, Features):
        usual = _usual(gathered.rows, bench.seed)
        candidates = _of_features(gathered.rows, near * usual) if usual > 0 else []
        limit, unit = near * usual, usual
        how = f"a distance of at most {near:g} of what is usual between two examples"
    else:
        candidates, limit, unit = _of_sets(gathered.rows), JACCARD, 1.0
        how = f"at least {1 - JACCARD:g} of the pairs of neighbouring tokens in common"
    candidates = _not_equal(candidates, gathered)
    asked, share = _drawn(candidates, bench.seed)
    if isinstance(form, Features):
        asked = _apart_from_others(asked, gathered.rows, bench.seed)
    verified = _verify(asked, gathered, form, limit, bench) if len(asked) else []
    pairs = [_Pair(pair.one, pair.other, pair.apart / unit) for pair in verified]
    note = how if share == 1 else f"{how}; estimated from {len(asked):,} pairs of {len(candidates):,}"
    _tell(pairs, share, surveys, answers, note)


def _gather(surveys: Surveys, sketches: Sketches) -> _All | None:
    import numpy as np

    each = [sketches.of(survey.place) for survey in surveys]
    kept = [(number, one) for number, one in enumerate(each) if len(one)]
    if not kept:
        return None
    return _All(
        surveys,
        np.concatenate([one for _, one in kept]),
        np.concatenate([np.full(len(one), number) for number, one in kept]),
        np.concatenate([np.arange(len(one)) for _, one in kept]),
    )


def _usual(rows: "NDArray[Any]", seed: int) -> float:
    """The median distance of two examples."""
    import numpy as np

    generator = np.random.default_rng(seed)
    one, other = generator.integers(len(rows), size=(2, _RANDOM_PAIRS))
    with np.errstate(over="ignore", invalid="ignore"):
        apart = np.linalg.norm(rows[one] - rows[other], axis=1)[one != other]
    apart = apart[np.isfinite(apart)]
    return float(np.median(apart)) if len(apart) else 0.0


def _of_features(rows: "NDArray[Any]", limit: float) -> "NDArray[Any]":
    """(pairs, 2) rows whose sketches are hardly further apart than `limit`.

    Sketches are cut into cells, along twelve of their numbers at a time and shifted by half a cell, and only those that
    share a cell are compared. A cell is three times as wide as the limit, and fifteen times as wide as such a pair usually
    is apart along one number, so that nearly every one shares a cell (Datar, Immorlica, Indyk and Mirrokni, Locality-sensitive hashing scheme
    based on p-stable distributions, 2004).
    """
    import numpy as np

    known = np.flatnonzero(np.isfinite(rows).all(1))
    found = [np.empty((0, 2), np.int64)]
    for first in range(0, NUMBERS - _BAND + 1, _BAND // 2):
        for shift in (0.0, 0.5):
            keys = _cells(rows[known, first : first + _BAND], 3 * limit, shift)
            for pairs in _same(keys):
                pairs = known[pairs]  # noqa: PLW2901  in terms of all rows
                found.append(pairs[_distances(rows, pairs) <= 1.5 * limit])
    return np.unique(np.concatenate(found), axis=0)


def _cells(rows: "NDArray[Any]", width: float, shift: float) -> "NDArray[Any]":
    """(rows,) a number for the cell that each row is in."""
    import numpy as np

    keys = np.empty(len(rows), np.uint64)
    for first in range(0, len(rows), _PART):
        cells = np.floor(rows[first : first + _PART] / width + shift).astype(np.int64)
        keys[first : first + _PART] = row_hashes([cells], len(cells))
    return keys


def _distances(rows: "NDArray[Any]", pairs: "NDArray[Any]") -> "NDArray[Any]":
    """(pairs,) how far rows are apart."""
    import numpy as np

    apart = np.empty(len(pairs), np.float32)
    for first in range(0, len(pairs), _PART):
        one, other = pairs[first : first + _PART].T
        apart[first : first + _PART] = np.linalg.norm(rows[one] - rows[other], axis=1)
    return apart


def _of_sets(rows: "NDArray[Any]") -> "NDArray[Any]":
    """(pairs, 2) rows most of whose hashes agree."""
    import numpy as np

    known = np.flatnonzero(rows[:, 0] != ~np.uint64(0))
    found = [np.empty((0, 2), np.int64)]
    for number in range(HASHES):
        for pairs in _same(rows[known, number]):
            pairs = known[pairs]  # noqa: PLW2901  in terms of all rows
            agree = (rows[pairs[:, 0]] == rows[pairs[:, 1]]).sum(1)
            found.append(pairs[agree >= _AGREE])
    return np.unique(np.concatenate(found), axis=0)


def _same(keys: "NDArray[Any]") -> "Iterator[NDArray[Any]]":
    """(pairs, 2) places of equal keys, the lower first: each with the next that has its key, the one after that, ..."""
    import numpy as np

    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    for step in range(1, _WINDOW + 1):
        equal = np.flatnonzero(ordered[:-step] == ordered[step:])
        yield np.stack([order[equal], order[equal + step]], 1)


def _not_equal(pairs: Any, gathered: _All) -> "NDArray[Any]":
    """Without pairs that are equal: those are duplicates, and counted there."""
    import numpy as np

    pairs = np.asarray(pairs, np.int64).reshape(-1, 2)
    hashes = np.zeros(len(gathered.rows), np.uint64)
    for number, survey in enumerate(gathered.surveys):
        rows = np.flatnonzero(gathered.survey == number)
        kept = survey.hashed.indices < len(rows)
        hashes[rows[survey.hashed.indices[kept]]] = survey.hashed.inputs[kept]
    one, other = hashes[pairs[:, 0]], hashes[pairs[:, 1]]
    return pairs[(one != other) | (one == 0)]


def _drawn(pairs: "NDArray[Any]", seed: int) -> "tuple[NDArray[Any], float]":
    """As many pairs as are verified, and what share of all they are."""
    import numpy as np

    if len(pairs) <= _VERIFIED:
        return pairs, 1.0
    chosen = np.sort(np.random.default_rng(seed).choice(len(pairs), _VERIFIED, replace=False))
    return pairs[chosen], _VERIFIED / len(pairs)


def _apart_from_others(pairs: "NDArray[Any]", rows: "NDArray[Any]", seed: int) -> "NDArray[Any]":
    """Those that are so much closer to each other than to their neighbours that chance does not bring it about.

    Where examples fill k dimensions evenly, a given one of the five nearest is within a share r of the distance of the
    sixth with a chance of r ** k. In data that vary in few ways, however many features they have, examples come close by
    chance, and only far closer ones count.
    """
    import numpy as np

    if not len(pairs):
        return pairs
    known = np.flatnonzero(np.isfinite(rows).all(1))
    some = np.random.default_rng(seed).choice(known, min(_ASKED, len(known)), replace=False)
    usual = _nearest(rows, some, 2 * _NEIGHBOURS)
    if usual.shape[1] < 2 * _NEIGHBOURS:
        return pairs  # too few examples to crowd
    # The fifth over the tenth distance, to the power of k, has a median of a half: it is a Beta(5, 5).
    logarithms = np.log(usual[:, -1] / np.maximum(usual[:, _NEIGHBOURS - 1], 1e-30))
    dimensions = float(np.log(2) / max(float(np.median(logarithms)), 1e-9))
    reach = _nearest(rows, pairs[:, 1], _NEIGHBOURS + 1)[:, -1]
    share = np.minimum(_distances(rows, pairs) / np.maximum(reach, 1e-30), 1)
    chance = _NEIGHBOURS * share.astype(np.float64) ** dimensions
    return pairs[chance * len(known) <= _BY_CHANCE]


def _nearest(rows: "NDArray[Any]", asked: "NDArray[Any]", count: int) -> "NDArray[Any]":
    """(asked, count) distances to the nearest others, ascending; fewer where there are no more."""
    import numpy as np

    mine = rows[asked]
    nearest = np.empty((len(asked), 0), np.float32)
    for first in range(0, len(rows), _PART):
        part = rows[first : first + _PART]
        part = part[np.isfinite(part).all(1)]
        squares = (mine**2).sum(1)[:, None] + (part**2).sum(1)[None] - 2 * mine @ part.T
        nearest = np.concatenate([nearest, np.maximum(squares, 0)], 1)
        if nearest.shape[1] > count + 1:
            nearest = np.partition(nearest, count, axis=1)[:, : count + 1]
    return np.sqrt(np.sort(nearest, axis=1)[:, 1:])  # the nearest is the example itself


def _verify(pairs: "NDArray[Any]", gathered: _All, form: Form, limit: float, bench: Bench) -> list[_Pair]:
    """The pairs whose distance, of the examples themselves, is within the limit."""
    bench.say("verify near duplicates")
    named = [
        tuple((gathered.surveys[int(gathered.survey[row])], int(gathered.place[row])) for row in pair) for pair in pairs
    ]
    wanted: dict[Survey, set[int]] = {}
    for survey, place in (example for pair in named for example in pair):
        wanted.setdefault(survey, set()).add(place)
    found = {example: form.prepared(row, 1)[0] for example, row in read_again(bench, wanted).items()}
    measured = [
        _Pair(one, other, form.apart(found[one], found[other])) for one, other in named if {one, other} <= found.keys()
    ]
    close = [pair for pair in measured if pair.apart <= limit]
    others = _others(gathered, form) if close else None
    if others is not None:
        close = [one for one in close if not others.by_chance(found[one.one], one.apart, limit)]
        if len(close) < _SEVERAL:
            close = [one for one in close if not others.by_chance(found[one.one], one.apart, limit, alone=True)]
    return sorted(close, key=lambda pair: pair.apart)


def _others(gathered: _All, form: Form) -> Near | None:
    """Rows of a table that tell how close its halves come by chance; None where there are none, and of images."""
    import numpy as np

    train = next((one for one in gathered.surveys if one.split is Split.TRAIN), None)
    if train is None or not isinstance(form, Features) or form.images:
        return None
    rows = np.stack(form.prepared(train.inputs, len(train.sampled)))
    return Near(rows[np.isfinite(rows).all(1)], len(gathered.rows))


def _ordered(pair: _Pair) -> tuple[tuple[Survey, int], tuple[Survey, int]]:
    """Of an evaluation split and the training split, the former second."""
    swap = pair.other[0].split is Split.TRAIN and pair.one[0].split is not Split.TRAIN
    return (pair.other, pair.one) if swap else (pair.one, pair.other)


def _tell(pairs: Sequence[_Pair], share: float, surveys: Surveys, answers: Answers, note: str) -> None:
    """Tell the verified pairs, which are a `share` of all candidates."""
    ordered = [(*_ordered(pair), pair.apart) for pair in pairs]
    rows: list[dict[str, Plain]] = [
        {
            "place": other[0].place,
            "example": other[1],
            "like_place": one[0].place,
            "like_example": one[1],
            "apart": float(f"{apart:.4g}"),
        }
        for one, other, apart in ordered
    ]
    answers.readings.append(Reading("near duplicates", rows[:SHOWN], note=note))
    if rows:
        answers.tables["near-duplicates.csv"] = (rows, f"pairs of examples that are nearly the same: {note}")
    for survey in surveys:
        mine = [(one, other[1]) for one, other, _ in ordered if other[0] is survey]
        told = _Told(survey, answers, share, note)
        told.tell([(place, one[1]) for one, place in mine if one[0] is survey], "near_duplicates")
        if survey.split is not Split.TRAIN:
            told.tell([(place, one[1]) for one, place in mine if one[0].split is Split.TRAIN], "nearly_in_train")


@dataclass(frozen=True)
class _Told:
    """What is told of one place."""

    survey: Survey
    answers: Answers
    share: float
    note: str

    def tell(self, pairs: Sequence[tuple[int, int]], name: str) -> None:
        """Note the score called `name`, and a finding where there are any."""
        survey, within = self.survey, name == "near_duplicates"
        count = round(len({place for place, _ in pairs}) / self.share)
        self.answers.fewer_is_better(name, count, survey, self.note)
        if not count:
            return
        part, shown = count / survey.examples, [list(pair) for pair in pairs[:SHOWN]]
        what = "an earlier one" if within else "one of train"
        self.answers.findings.append(
            Finding(
                "ART109",
                "data" if within else "split",
                Severity.WARNING if part > MUCH or not within else Severity.INFO,
                f"{count} of {survey.examples} examples of {survey.place} ({part:.2%}) are nearly the same as {what}: "
                f"{self.note}",
                {"count": count, "share": part, "pairs": shown},
                "look at these pairs; keep what belongs together (crops, frames, versions of one text) in one split",
                f"{survey.place}: examples {listed(pair[0] for pair in shown)}",
            )
        )
