"""One batch looked at closely: what its loss can come down to, and what was predicted for each of its examples."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from art_training.records import Artifact, Plain, Reading, Score, Split
from art_training.setup.observation import BatchObservation
from art_training.setup.scores.measures import Pool
from art_training.setup.task import TaskKind
from art_training.steps.bench import Bench
from art_training.steps.decisions import Decisions
from art_training.steps.loss_targets import LossTargets
from art_training.steps.overfitting.floor import Floor, floor_of, input_numbers
from art_training.steps.overfitting.made import MadeOfLoss
from art_training.steps.overfitting.tables import keep_table

if TYPE_CHECKING:
    from torch import Tensor

    from art_training.setup.scores.outputs import BatchOutputs

FLOOR = "floor_loss"
ABOVE = "loss_above_floor"
RESISTING = "resisting examples"
CONFLICTING = "conflicting examples"
TABLE = "batch.csv"

DECIDING = frozenset({TaskKind.CLASSIFICATION, TaskKind.MULTI_LABEL, TaskKind.SEQUENCE})
_ERRONEOUS = frozenset({TaskKind.REGRESSION, TaskKind.RECONSTRUCTION})
ANY_ZERO = frozenset({"gaussian_nll_loss", "poisson_nll_loss"})  # losses that may be negative
_SHOWN = 16  # examples in a reading; the table has them all
_NOTHING = 1e-9  # a share of a loss that is rounding


class OneBatch:
    """One pass of the batch that OverfitOneBatch trains on, through given weights.

    Attributes:
        targets: what entered the loss, for the scale of a loss of errors.
        examples: how many examples the batch holds.
    """

    def __init__(self, bench: Bench, weights: Path | None = None) -> None:
        self.targets = LossTargets(bench, alone=True)
        self.examples = 0
        self._bench, self._weights = bench, weights
        self._made: MadeOfLoss | None = None
        self._outputs: BatchOutputs | None = None
        self._floor = Floor(None, note="no floor follows from a loss that is not a function of torch")
        bench.observe(Split.TRAIN, see=self._see, weights=weights, plain=True, one_batch=True)

    def made_of(self, loss: float) -> float:
        """What the step makes of a loss of its call, of 0.0 what it adds to it."""
        return loss if self._made is None else self._made.of(loss)

    @property
    def conflicts(self) -> tuple[tuple[int, ...], ...]:
        """Groups of examples with equal inputs and different targets."""
        return self._floor.conflicts

    @property
    def floor(self) -> Score | None:
        """The lowest loss that is possible on this batch; None where none is known. Its note says where 0 is a bound."""
        lowest, note = self._lowest()
        if lowest is None:
            return None
        notes = [note]
        if self.conflicts:
            held = sum(map(len, self.conflicts))
            notes.append(f"{held} examples share their inputs with others that have other targets")
        added = self.made_of(0.0)
        if added:
            notes.append(f"{added:.4g} of it is what the step adds to its loss")
        source = "from the loss function and the targets of the batch"
        text = "; ".join(one for one in notes if one)
        return Score(self.made_of(lowest), rows=self.examples, direction="minimize", source=source, note=text)

    @property
    def why_no_floor(self) -> str:
        """Why no floor is known; empty where one is."""
        lowest, note = self._lowest()
        return note if lowest is None else ""

    def losses(self) -> "Tensor | None":
        """(examples,) the loss of each example; None where it is not known."""
        return self._each(None if self._outputs is None else self._outputs.per_example_loss)

    def floors(self) -> "Tensor | None":
        """(examples,) the lowest loss of each example; None where it is not known."""
        return self._each(self._floor.examples)

    def rows(self) -> list[dict[str, Plain]]:
        """Label, prediction and loss of each example, the largest above its floor first, where losses are known."""
        decisions, losses, floors = self._decisions(), self.losses(), self.floors()
        partners = {one: [other for other in group if other != one] for group in self.conflicts for one in group}
        found: list[dict[str, Plain]] = []
        for example in range(self.examples):
            row: dict[str, Plain] = {"example": example}
            if decisions is not None:
                row |= decisions.shown(example)
            if losses is not None:
                own = 0.0 if floors is None else float(floors[example])
                row |= {"loss": _short(float(losses[example])), "floor": _short(own)}
                row["above floor"] = _short(float(losses[example]) - own)
            if example in partners:
                row["same input as"] = list(partners[example])
            found.append(row)
        if losses is not None:
            found.sort(key=_descending)
        return found

    def readings(self, limit: float | None) -> list[Reading]:
        """Which examples resist, and which conflict.

        Args:
            limit: how far above its floor an example counts as resisting; None: nobody knows.
        """
        readings: list[Reading] = []
        rows = self.rows()
        if limit is not None and self.losses() is not None:
            # Not below the limit is above it too where the loss is not a number.
            resisting = [row for row in rows if not _above(row) < limit]
            note = f"{len(resisting)} of {self.examples} are {limit:.3g} or more above the lowest loss that is possible"
            if len(resisting) > _SHOWN:
                note += f"; the worst {_SHOWN}"
            readings.append(Reading(RESISTING, resisting[:_SHOWN], note=f"{note}; `example` is the place in the batch"))
        elif rows and len(rows[0]) > 1:
            readings.append(Reading("labels and predictions", rows[:_SHOWN], note=f"all are in {TABLE}"))
        if self.conflicts:
            groups: list[Plain] = [list(group) for group in self.conflicts[:_SHOWN]]
            note = "equal inputs with different targets: no model can learn them by heart"
            readings.append(Reading(CONFLICTING, groups, note=note))
        return readings

    def table(self) -> Artifact | None:
        """Labels beside predictions as a file; None where neither predictions nor losses are known."""
        rows = self.rows()
        if not rows or len(rows[0]) < 2:
            return None
        return keep_table(self._bench, rows, TABLE, "labels beside predictions of the batch, the worst first")

    def _see(self, observation: BatchObservation) -> None:
        from art_training.setup.scores.outputs import read_outputs

        task, adapter = self._bench.task, self._bench.setup.outputs
        self.targets.see(observation)
        if self._outputs is not None:
            return
        outputs = read_outputs(observation, task, adapter)
        self._outputs, self.examples = outputs, observation.weight
        self._made = MadeOfLoss(self._bench, self._weights, observation, outputs)
        if outputs.call is not None:
            numbers = input_numbers(observation.batch, task, observation.weight)
            self._floor = floor_of(outputs.call, numbers, task)

    def _lowest(self) -> tuple[float | None, str]:
        """The lowest loss of the call, and a note; None where none is known."""
        outputs, sums = self._outputs, self._floor.examples
        if outputs is None or sums is None:
            return self._bound(self._floor.note)
        if not float(sums.abs().sum()) > _NOTHING:
            return 0.0, ""
        weights = outputs.per_example_weight
        if weights is None:
            return self._bound("what the loss is divided by is not known")
        if _is_masked(outputs):
            return self._bound("the step averages its loss over a mask of its own")
        if self._made is not None and not self._made.takes_means:
            return self._bound("the step weighs examples by their own losses")
        return float(sums.sum() / weights.sum()), ""

    def _bound(self, why: str) -> tuple[float | None, str]:
        """Nothing, where the loss cannot be below it."""
        task = self._bench.task
        is_error = task.kind in _ERRONEOUS and task.loss
        if task.loss in ANY_ZERO or not (task.kind in DECIDING or is_error):
            return None, why
        return 0.0, f"{why}; it is taken to be 0"

    def _each(self, sums: "Tensor | None") -> "Tensor | None":
        import torch

        outputs = self._outputs
        if outputs is None or sums is None or outputs.per_example_weight is None or len(sums) != self.examples:
            return None
        weights = outputs.per_example_weight.double().cpu()
        return torch.where(weights > 0, sums.double().cpu() / weights, 0.0)

    def _decisions(self) -> Decisions | None:
        outputs = self._outputs
        if outputs is None or outputs.predictions is None or outputs.targets is None:
            return None
        example = None if outputs.example is None else outputs.example.cpu()
        pool = Pool(outputs.predictions.cpu(), outputs.targets.cpu(), example)
        if example is None and len(pool.targets) != self.examples:
            return None
        return Decisions(pool, self._bench.task, self.examples)


def above(loss: Score, floor: Score) -> Score:
    """A loss without its floor."""
    between = loss.interval
    if between is not None:
        between = replace(between, low=between.low - floor.value, high=between.high - floor.value)
    return replace(loss, value=loss.value - floor.value, interval=between, note=f"the loss less {FLOOR}")


def _is_masked(outputs: "BatchOutputs") -> bool:
    """Whether the step's mean leaves positions out that the call of the loss knows nothing of."""
    from art_training.setup.scores.step_loss import per_example

    call, weights = outputs.call, outputs.per_example_weight
    if call is None or weights is None or call.options.get("reduction") != "none":
        return False
    whole = per_example(call, len(weights))
    return whole is None or not bool((whole.weight.cpu() == weights.cpu()).all())


def _above(row: Mapping[str, Plain]) -> float:
    value = row.get("above floor")
    return float(value) if isinstance(value, int | float) else 0.0


def _descending(row: Mapping[str, Plain]) -> tuple[bool, float]:
    value = _above(row)
    return value == value, -value  # noqa: PLR0124  NaN, which is worse than any number, comes first


def _short(value: float) -> float:
    return float(f"{value:.6g}")
