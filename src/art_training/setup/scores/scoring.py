"""From the batches of one evaluation to scores: pooled, weighted rightly, each with what is needed to believe it."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from art_training.records import Direction, Finding, Metric, Score, Severity, Split
from art_training.setup.observation import BatchObservation
from art_training.setup.scores import agreement
from art_training.setup.scores.alignment import Raw, aligned
from art_training.setup.scores.examples import Examples
from art_training.setup.scores.intervals import Estimated
from art_training.setup.scores.measures import Measure, Pool, Running
from art_training.setup.scores.metrics import TASK_LOSS
from art_training.setup.scores.outputs import Adapter, BatchOutputs, read_loss, read_outputs
from art_training.setup.scores.pass_loss import PassLoss
from art_training.setup.task import Task, TaskKind

if TYPE_CHECKING:
    from art_training.setup.scores.metrics import MetricCalculator

_OTHERS = "choose a metric that takes these, or give Setup(outputs=...) that returns others"
MOST_KEPT = 2_000_000  # numbers of predictions kept for intervals; beyond, scores have none


class Scorer:
    """Scores one evaluation. Shown every batch by `see`, it answers once with `result`."""

    def __init__(self, metrics: "MetricCalculator", task: Task, adapter: Adapter | None, seed: int) -> None:
        self._metrics = metrics
        self._task = task
        self._adapter = adapter
        self._seed = seed
        self._passes: dict[tuple[Split, str | None], _Pass] = {}

    def see(self, observation: BatchObservation) -> None:
        """Take in a batch.

        Raises:
            SetupError: the adapter `outputs=` does not give what it should.
        """
        if self._metrics.names:
            outputs = read_outputs(observation, self._task, self._adapter)
        else:
            outputs = read_loss(observation, self._task)
        places = [(observation.split, observation.loader)]
        if observation.loader is not None:  # the split as a whole, besides the loader
            places.append((observation.split, None))
        for place in places:
            if place not in self._passes:
                self._passes[place] = _Pass(self._metrics, Metric("loss", *place))
            self._passes[place].add(outputs, observation.weight)

    def result(
        self, rows: Mapping[str, int | None], logged: Mapping[str, Mapping[str, float]]
    ) -> tuple[dict[str, Score], tuple[Finding, ...]]:
        """Scores by address (`validation/accuracy`, `validation:noisy/loss`), and what was found wrong.

        Args:
            rows: examples of each loader as its dataset counts them, by `split` or `split:loader`.
            logged: what the module logged over the pass, as the engine reduced it: split to name to value.
        """
        scores: dict[str, Score] = {}
        findings: list[Finding] = []
        for one in self._passes.values():
            found, wrong = one.scores(self._seed, logged.get(one.at.split or "", {}))
            scores |= found
            findings += wrong
            findings += agreement.with_rows(one.at, one.rows, rows)
        for split in {place[0]: None for place in self._passes}:
            mine = {
                address.name: score
                for text, score in scores.items()
                if (address := Metric.parse(text)).split == split
                and address.loader is None
                and address.name != TASK_LOSS  # which no module logs under that name
            }
            by_examples = self._passes[split, None].by_examples
            findings += agreement.with_logged(split, mine, logged.get(split, {}), by_examples)
        return scores, tuple(findings)

    def passes(self) -> dict[Split, Examples]:
        """What the scores of each split are computed on."""
        return {split: one.examples() for (split, loader), one in self._passes.items() if loader is None}


class _Pass:
    """All batches of one loader, or of one split."""

    def __init__(self, metrics: "MetricCalculator", at: Metric) -> None:
        self.at = at
        self.rows = 0
        self._measures = metrics.measures
        self._running: dict[str, Running] = {name: one.start() for name, one in self._measures.items()}
        self._broken: dict[str, str] = {}
        self._loss = PassLoss()
        self._rows = _Rows(keep_all=any(one.needs_pool for one in self._measures.values()))
        self._source = ""
        self._without: str = ""

    def add(self, outputs: BatchOutputs, examples: int) -> None:
        """Take in what one batch gave."""
        self.rows += examples
        self._loss.add(outputs, examples)
        if outputs.predictions is None or outputs.targets is None:
            self._without = outputs.source
            return
        if len(outputs.targets) == 0:  # every position of the batch is ignored
            return
        self._source = outputs.source
        self._rows.add(outputs.predictions, outputs.targets, outputs.example, examples)
        for name, running in self._running.items():
            if name in self._broken:
                continue
            try:
                running.update(outputs.predictions, outputs.targets)
            except Exception as error:  # noqa: BLE001  A metric is the user's choice; it spoils neither loss nor others.
                self._broken[name] = why_raised(name, error, outputs.predictions, outputs.targets)

    @property
    def by_examples(self) -> float | None:
        """The loss as a loop takes it that counts every batch by its examples."""
        return self._loss.by_examples

    def examples(self) -> Examples:
        """What the scores are computed on."""
        found = self._loss.of_examples(self.rows)
        losses, weights = (None, None) if found is None else found
        return Examples(self.rows, self._rows.whole(self._rows.pool()), losses, weights)

    def scores(self, seed: int, logged: Mapping[str, float]) -> tuple[dict[str, Score], list[Finding]]:
        """The scores of the pass, and a finding for each metric that could not be computed."""
        scores: dict[str, Score] = {}
        findings: list[Finding] = []
        if (loss := self._loss.score(self.rows, seed)) is not None:
            scores[str(self.at)] = loss
        if (alone := self._loss.alone(self.rows, seed)) is not None:
            scores[str(dataclasses.replace(self.at, name=TASK_LOSS))] = alone
        pool = self._rows.pool()
        for name, running in self._running.items():
            address = dataclasses.replace(self.at, name=name)
            why = self._without or self._broken.get(name, "")
            if not why:
                try:
                    scores |= self._scored(address, running, pool, seed)
                    continue
                except Exception as error:  # noqa: BLE001  As above.
                    why = why_raised(name, error, *self._rows.last)
            known = agreement.logged_as(name, self.at.split, logged) if self.at.loader is None else None
            if self._without and known is not None:
                scores[str(address)] = Score(
                    logged[known],
                    rows=self.rows,
                    direction=self._measures[name].direction,
                    source=f"logged by the module as {known}",
                    note=f"not computed by ART: {why}",
                )
            else:
                findings.append(not_computed(address, why))
        return scores, findings

    def _scored(self, address: Metric, running: Running, pool: Pool | None, seed: int) -> dict[str, Score]:
        measure = self._measures[address.name]
        values = running.values(pool)
        found: dict[str, Score] = {}
        for entry, value in values.items():
            estimated = _interval(measure, entry, value, self._rows.whole(pool), seed)
            name = f"{address.name}.{entry}" if entry else address.name
            found[str(dataclasses.replace(address, name=name))] = _score(
                value, estimated, self.rows, measure.direction, self._source
            )
        return found


class _Rows:
    """Predictions and targets on the CPU, as long as there are not too many."""

    def __init__(self, *, keep_all: bool) -> None:
        self._keep_all = keep_all
        self._predictions: list[Tensor] = []
        self._targets: list[Tensor] = []
        self._examples: list[Tensor] = []
        self._owned = False
        self._count = 0
        self._kept = 0
        self.too_many = False
        self.last: tuple[Tensor | None, Tensor | None] = (None, None)

    def add(self, predictions: Tensor, targets: Tensor, example: Tensor | None, examples: int) -> None:
        """Keep a batch."""
        self.last = predictions[:1], targets[:1]
        self._kept += predictions.numel()
        if self._kept > MOST_KEPT:
            self.too_many = True
            if not self._keep_all:
                self._predictions, self._targets, self._examples = [], [], []
                return
        self._predictions.append(predictions.cpu())
        self._targets.append(targets.cpu())
        self._owned = self._owned or example is not None
        number = torch.arange(len(targets)) if example is None else example.cpu()
        self._examples.append(number + self._count)
        self._count += examples if example is not None else len(targets)

    def pool(self) -> Pool | None:
        """All rows; None where none are kept."""
        if not self._predictions:
            return None
        example = torch.cat(self._examples) if self._owned else None
        return Pool(torch.cat(self._predictions), torch.cat(self._targets), example)

    def whole(self, pool: Pool | None) -> Pool | None:
        """The pool, if it is small enough for intervals."""
        return None if self.too_many else pool


def score_pooled(
    metrics: "MetricCalculator",
    predictions: Tensor,
    targets: Tensor,
    *,
    task: Task,
    rows_weight: Sequence[int] | None,
    seed: int,
    source: str,
) -> dict[str, Score]:
    """Scores of pooled predictions by metric; see `MetricCalculator.score`."""
    predictions, targets = predictions.detach().cpu(), targets.detach().cpu()
    examples = len(targets) if rows_weight is None else len(rows_weight)
    example = None
    if rows_weight is None:
        ignore = task.loss_options.get("ignore_index") if task.kind is TaskKind.SEQUENCE else None
        rows = aligned(Raw(predictions, targets, "none", ignore_index=ignore), examples)
        predictions, targets, example = rows.predictions, rows.targets, rows.example
    else:
        example = torch.arange(examples).repeat_interleave(torch.as_tensor(rows_weight))
    pool = Pool(predictions, targets, example)
    scores: dict[str, Score] = {}
    for name, measure in metrics.measures.items():
        running = measure.start()
        try:
            running.update(predictions, targets)
            values = running.values(pool)
        except Exception as error:  # noqa: BLE001  A metric that cannot use these predictions spoils no other.
            why = f"{why_raised(name, error, predictions, targets)}; {_OTHERS}"
            scores[name] = Score(math.nan, rows=examples, direction=measure.direction, source=source, note=why)
            continue
        for entry, value in values.items():
            small = pool if predictions.numel() <= MOST_KEPT else None
            estimated = _interval(measure, entry, value, small, seed)
            scores[f"{name}.{entry}" if entry else name] = _score(value, estimated, examples, measure.direction, source)
    return scores


def _interval(measure: Measure, entry: str, value: float, pool: Pool | None, seed: int) -> Estimated:
    if pool is None:
        return Estimated(None, f"no interval: more than {MOST_KEPT:,} predicted numbers, which are not kept")
    if entry:
        return Estimated(None, "no interval: one of several numbers of one metric")
    if not math.isfinite(value):
        return Estimated(None, "no interval: the value is not finite")
    try:
        return measure.interval(value, pool, seed=seed)
    except Exception as error:  # noqa: BLE001  The score stands, whatever its resamples do.
        return Estimated(None, f"no interval: a resample raised {type(error).__name__}: {error}")


def _score(value: float, estimated: Estimated, rows: int, direction: Direction | None, source: str) -> Score:
    # An interval comes from sums of its own, which may round to another last digit.
    between = None if estimated.interval is None else estimated.interval.holding(value)
    return Score(value, between, rows, direction, source, estimated.note)


def why_raised(name: str, error: Exception, predictions: Tensor | None, targets: Tensor | None) -> str:
    """What a metric raised, and on tensors of which form."""
    reason = " ".join(str(error).split()).rstrip(".") or "no reason given"
    return (
        f"metric {name!r} raised {type(error).__name__} on predictions {_form(predictions)} and targets "
        f"{_form(targets)}: {reason}"
    )


def _form(tensor: Tensor | None) -> str:
    if tensor is None:
        return "(none)"
    return f"({', '.join(['rows', *map(str, tensor.shape[1:])])}) of {str(tensor.dtype).removeprefix('torch.')}"


def not_computed(address: Metric, why: str) -> Finding:
    """The finding for a metric that has no score where it should have one."""
    return Finding(
        code="ART703",
        category="metrics",
        severity=Severity.ERROR,
        message=f"{address} could not be computed: {why.removesuffix(f'; {_OTHERS}')}",
        evidence={"metric": str(address)},
        remedy=_OTHERS,
    )
