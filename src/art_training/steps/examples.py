"""Look back at the data with a trained model: its worst, most confidently wrong and most forgotten examples.

Mislabelled, corrupted and ambiguous examples are found fastest by the model that was trained on them (Karpathy, A Recipe
for Training Neural Networks, 2019). Any step that scores a model calls `worst_examples` with what its evaluation gave.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from art_training.records import Artifact, Plain, Reading, Split
from art_training.setup.data.batch import as_array, entries, rows
from art_training.setup.observation import BatchObservation
from art_training.setup.scores.examples import Examples
from art_training.setup.scores.measures import Pool
from art_training.setup.setup import Setup
from art_training.setup.task import Task
from art_training.steps.bench import Bench, Scored
from art_training.steps.decisions import Decisions
from art_training.steps.forgetting import Forgotten
from art_training.steps.overfitting.tables import keep_table
from art_training.steps.pictures import NO_PICTURE, Tile, as_image, can_draw, keep_figure, sheet

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HALF = 0.5
_LEARNED_LATE = "never all right at once"


@dataclass(frozen=True)
class Budget:
    """What a look back may take.

    Attributes:
        count: examples of each kind; 0: no look back.
        seconds: for reading the examples again, which their pictures need; what is found until then is shown.
    """

    count: int = 16
    seconds: float = 10.0


@dataclass(frozen=True)
class LookBack:
    """What was found.

    Attributes:
        readings: the examples, by split and kind.
        artifacts: sheets of images, where the inputs are some.
        seconds: what it took.
    """

    readings: tuple[Reading, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    seconds: float = 0.0


def worst_examples(
    bench: Bench,
    scored: Scored,
    *,
    weights: Path | None = None,
    setup: Setup | None = None,
    plain: bool = False,
    budget: Budget | None = None,
    forgotten: Forgotten | None = None,
    label: str = "",
) -> LookBack:
    """The examples that a model does worst on, of each split that was scored.

    An example's number is its place in the dataset of its split; several loaders of a split are counted through. The
    readings are `worst <split> examples` (the largest losses), `confidently wrong <split> examples` (the wrong decisions
    that the model gave the highest probability; of masks and sequences those with the largest share of wrong positions; not
    of values, whose residual stands with the worst), and `forgotten
    train examples`.

    Args:
        bench: of the step.
        scored: what `bench.evaluate` gave; its passes say what each example lost.
        weights: that were scored; only needed where the project has no metrics, so that no predictions were kept.
        setup: that was scored; None: the step's.
        plain: whether that was without augmentation.
        budget: what it may take.
        forgotten: what a training forgot, as `Forgetting` counts it on the training split.
        label: begins the names of readings and artifacts, for a step that looks back at several models.
    """
    began = time.monotonic()
    budget = budget or Budget()
    if budget.count < 1:
        return LookBack()
    readings: list[Reading] = []
    artifacts: list[Artifact] = []
    prefix = f"{label} " if label else ""
    for split, examples in scored.passes.items():
        bench.say(f"look back at {split.value}")
        kinds = _chosen(examples, bench.task, budget.count)
        if split is Split.TRAIN and forgotten is not None:
            kinds |= _forgotten(forgotten, budget.count)
        if not kinds:
            why = "neither losses nor decisions of single examples are known"
            readings.append(Reading(f"{prefix}worst {split.value} examples", None, note=why))
            continue
        reader = _Reader(bench, split, {one for chosen in kinds.values() for one in chosen.examples}, examples.pool)
        left = budget.seconds - (time.monotonic() - began)
        reader.read(weights=weights, setup=setup, plain=plain, seconds=left)
        rows: list[dict[str, Plain]] = []
        for kind, chosen in kinds.items():
            told = [_row(one, examples, reader) | chosen.extra.get(one, {}) for one in chosen.examples]
            readings.append(Reading(f"{prefix}{kind} {split.value} examples", told, note=chosen.note))
            rows += [{"kind": kind, **row} for row in told]
        artifacts.append(
            keep_table(bench, rows, f"{_file(f'{prefix}{split.value}')}.csv", "a row each, the worst first")
        )
        kept, note = _pictures(bench, reader, kinds, f"{prefix}{split.value}")
        artifacts += kept
        if note:
            readings.append(Reading(f"{prefix}pictures of {split.value} examples", None, note=note))
    return LookBack(tuple(readings), tuple(artifacts), time.monotonic() - began)


def _file(place: str) -> str:
    return f"{place} examples".replace(" ", "-")


@dataclass(frozen=True)
class _Chosen:
    """Examples of one kind, the first the worst; what is said of each besides, and of all together."""

    examples: Sequence[int]
    note: str
    extra: Mapping[int, dict[str, Plain]] = field(default_factory=dict[int, dict[str, Plain]])


def _chosen(examples: Examples, task: Task, count: int) -> dict[str, _Chosen]:
    import numpy as np

    found: dict[str, _Chosen] = {}
    decisions = None if examples.pool is None else Decisions(examples.pool, task, examples.count)
    if examples.losses is not None:
        # Beyond any number is what is none; of equal ones the first comes first, so that the choice can be repeated.
        keys = np.where(np.isnan(examples.losses), np.inf, examples.losses)
        worst = np.argsort(-keys, kind="stable")[:count].tolist()
        usual = float(np.median(examples.losses))
        found["worst"] = _Chosen(
            worst, f"the largest losses of {examples.count:,} examples, whose median is {usual:.3g}"
        )
    elif decisions is not None and decisions.residuals is not None:
        sizes = -decisions.residuals.abs().numpy()
        worst = np.argsort(sizes, kind="stable")[:count].tolist()
        found["worst"] = _Chosen(worst, f"the largest residuals of {examples.count:,} examples")
    if decisions is not None and decisions.decided and decisions.wrong_confidence is not None:
        sure = decisions.wrong_confidence.numpy()
        wrong = int((decisions.wrong_decisions > 0).sum())
        share = decisions.wrong_share.numpy()
        order = np.argsort(-sure, kind="stable")
        note = (
            f"{wrong:,} of {examples.count:,} examples have a wrong decision; the one of the highest probability counts"
        )
        if decisions.positions:  # one wrong position in a mask or a sequence says next to nothing
            order = np.lexsort((-sure, -share))
            note = (
                f"{wrong:,} of {examples.count:,} examples have a wrong position, {int((share > _HALF).sum()):,} more than half "
                f"of them wrong; the share of wrong positions counts, {share.mean():.1%} on average"
            )
        top = order[: min(count, wrong)].tolist()
        more: dict[int, dict[str, Plain]] = {one: {"confidence": _short(float(sure[one]))} for one in top}
        if decisions.positions:
            more = {one: {**told, "wrong share": _short(float(share[one]))} for one, told in more.items()}
        found["confidently wrong"] = _Chosen(top, note, more)
    return found


def _forgotten(forgotten: Forgotten, count: int) -> dict[str, _Chosen]:
    """The most forgotten first; of equally forgotten ones, those that were never learned."""
    looked = len(forgotten.times)
    order = sorted(range(looked), key=lambda one: (-forgotten.times[one], forgotten.learned[one], one))
    top = [one for one in order if forgotten.times[one] > 0 or not forgotten.learned[one]][:count]
    never = forgotten.learned.count(False)
    at_least_once = sum(times > 0 for times in forgotten.times)
    note = (
        f"of the first {looked:,} training examples, looked at {len(forgotten.looks)} times, {at_least_once} went from "
        f"right to wrong at least once and {never} were {_LEARNED_LATE}"
    )
    extra: dict[int, dict[str, Plain]] = {}
    for one in top:
        extra[one] = {"forgotten": forgotten.times[one]}
        if not forgotten.learned[one]:
            extra[one]["learned"] = False
    return {"forgotten": _Chosen(top, note, extra)}


def _row(example: int, examples: Examples, reader: "_Reader") -> dict[str, Plain]:
    row: dict[str, Plain] = {"example": example}
    if examples.losses is not None:
        row["loss"] = _short(float(examples.losses[example]))
    return row | reader.shown.get(example, {})


class _Enough(Exception):
    """Ends a pass before its end."""


class _Reader:
    """Reads the chosen examples of a split again: their inputs, and their predictions where none were kept.

    Attributes:
        shown: label and prediction, by example.
        images: inputs that are images, by example.
        late: whether the time was up before all images were found.
    """

    def __init__(self, bench: Bench, split: Split, wanted: set[int], pool: Pool | None) -> None:
        self._bench = bench
        self._split = split
        self._wanted = wanted
        self._seen = 0
        self._until = 0.0
        self._predictions = pool is None
        self.shown: dict[int, dict[str, Plain]] = {}
        self.images: dict[int, NDArray[Any]] = {}
        self.late = False
        if pool is not None:
            decisions = Decisions(pool, bench.task)
            self.shown = {one: decisions.shown(one) for one in wanted if one < len(decisions)}

    def read(self, *, weights: Path | None, setup: Setup | None, plain: bool, seconds: float) -> None:
        """Pass through the split until everything wanted is found, the time is up, or there is nothing to find."""
        if not self._wanted or not (self._predictions or can_draw()):
            return
        self._until = time.monotonic() + seconds
        try:
            if self._predictions:
                self._bench.observe(self._split, see=self._see, setup=setup, weights=weights, plain=plain)
            else:
                self._bench.read(self._split, see=lambda _split, _loader, batch: self._take(batch), plain=plain)
        except _Enough:
            pass

    def _see(self, observation: BatchObservation) -> None:
        from art_training.setup.scores.outputs import read_outputs

        outputs = read_outputs(observation, self._bench.task, self._bench.setup.outputs)
        mine = self._mine(observation.weight)
        if outputs.predictions is None or outputs.targets is None:
            self._predictions = False
        else:
            example = None if outputs.example is None else outputs.example.cpu()
            pool = Pool(outputs.predictions.cpu(), outputs.targets.cpu(), example)
            decisions = Decisions(pool, self._bench.task, observation.weight)
            self.shown |= {one: decisions.shown(one - self._seen) for one in mine}
        self._take(observation.batch, observation.weight)

    def _take(self, batch: Any, size: int | None = None) -> None:
        from art_training.setup.data.batch import size as size_of

        size = size_of(batch) if size is None else size
        inputs = _image_entry(batch, self._bench.task, size)
        if inputs is None and not self._predictions:
            raise _Enough
        if inputs is not None:
            for one in self._mine(size):
                image = as_image(inputs[one - self._seen])
                if image is not None:
                    self.images[one] = image.copy()
        self._seen += size
        if self._seen > max(self._wanted):
            raise _Enough
        if time.monotonic() > self._until:
            self.late = inputs is not None
            raise _Enough

    def _mine(self, size: int) -> list[int]:
        return [one for one in self._wanted if self._seen <= one < self._seen + size]


def _image_entry(batch: Any, task: Task, size: int) -> "NDArray[Any] | None":
    """The first input that holds images, as an array of (examples, ...)."""
    found = entries(batch)
    named = [path for path in task.inputs if path in found] or [path for path in found if path != task.target]
    for path in named:
        if rows(found[path]) == size and hasattr(found[path], "shape"):
            array = as_array(found[path])
            if len(array) and as_image(array[0]) is not None:
                return array
    return None


def _pictures(bench: Bench, reader: _Reader, kinds: Mapping[str, _Chosen], place: str) -> tuple[list[Artifact], str]:
    """A sheet of each kind; and in words, what could not be drawn."""
    if not can_draw():
        return [], NO_PICTURE
    sections: dict[str, list[Tile]] = {}
    for kind, chosen in kinds.items():
        shown = [one for one in chosen.examples if one in reader.images]
        sections[_heading(kind, place, [reader.shown.get(one, {}) for one in shown])] = [
            Tile(reader.images[one], _title(one, reader.shown.get(one, {}))) for one in shown
        ]
    late = "the time was up before all of them were read" if reader.late else ""
    if not any(sections.values()):
        return [], late
    name = f"{_file(place)}.png"
    note = "number: label > prediction"
    return [keep_figure(bench, sheet(sections), name, note)], late


def _heading(kind: str, place: str, shown: Sequence[Mapping[str, Plain]]) -> str:
    """What stands above a sheet: what its numbers are, and whether the worst of them are even wrong."""
    decisions = [one for one in shown if "label" in one]
    if not decisions:
        return f"{kind} {place} examples"
    right = all(one["label"] == one["predicted"] for one in decisions)
    return f"{kind} {place} examples (number: label > prediction{'; all of these are right' if right else ''})"


def _title(example: int, shown: Mapping[str, Plain]) -> str:
    if "label" not in shown:
        return f"#{example}"
    return f"#{example}: {_brief(shown['label'])} > {_brief(shown['predicted'])}"


def _brief(value: Plain) -> str:
    text = f"{value:.3g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 12 else f"{text[:11]}…"


def _short(value: float) -> float:
    return float(f"{value:.6g}")
