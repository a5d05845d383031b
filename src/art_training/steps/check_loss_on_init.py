"""Check the loss at initialisation: a fresh model that knows nothing should lose what knowing nothing costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from art_training.checks import Check
from art_training.checks.finite import NoNaN
from art_training.checks.losses import EXPECTED, PRETRAINED, LossIsTheoretical
from art_training.records import Metric, Outcome, Score, Split
from art_training.setup.task import Task, TaskKind
from art_training.steps import final_bias
from art_training.steps.bench import Bench
from art_training.steps.fresh_draws import fresh_draws
from art_training.steps.initial_loss import BIASED, PRIOR, UNIFORM, ZERO, InitialLoss
from art_training.steps.loss_targets import LossTargets, even_scores
from art_training.steps.step import TRAINING_LENGTH, Step

TRAINING_MODE = "loss_in_training_mode"

# A fresh regression's outputs have a size of their own, unlike probabilities: torch's linear layer begins with a third of
# the second moment of its inputs, which adds as much to a squared error whatever the targets are. Simulated with 400
# standardised rows and linear models of torch, a squared error begins at up to 4.7 times the expected loss with one feature,
# at up to 2.8 times with eight; more than three times 17 % of the models of one feature that explains all of the target.
# Without what is due to chance (`LossTargets.by_chance`) none of 13,500 was above three times; of an absolute error none
# above 1.8, of a Huber loss none above 2.2. Where the mean of the targets lies two deviations from zero, 78 to 100 % of
# the models are above these limits, and all where it lies three. A smaller share fails by an absolute error, which grows
# with the distance and not with its square, if the limit is the same; so it is not.
_VALUES = {TaskKind.REGRESSION, TaskKind.RECONSTRUCTION}
_TOLERANCES = {"mse_loss": 2.0, "huber_loss": 1.5, "smooth_l1_loss": 1.5, "l1_loss": 1.0}
_TOLERANCE_OF_VALUES = 2.0  # of a reconstruction or regression by any other loss


@dataclass(frozen=True)
class CheckLossOnInit(Step):
    """Measure the loss of freshly made weights, and what it should be.

    The loss is measured over the whole training and validation split in evaluation mode, and over the training split in
    training mode, on shuffled batches. What it should be follows from the loss function and the labels of the training
    split: the loss of uniform predictions, and that of the label prior, which a model reaches at once when its final bias
    is set so; `expected_loss` is the one of the two that is nearer to what was measured. A loss of errors (squared,
    absolute, Huber) has no uniform predictions: `expected_loss` is what the best constant leaves, the targets' variance
    for a squared error, and what an output of zero leaves, `zero_loss`, is told beside it.

    Where a step makes another loss of each value of a cross-entropy, as a focal loss does, its own code says what uniform
    predictions lose: it runs with scores of zero. It also says by how many times more such a loss is off than the
    cross-entropy that it is made of, and so many times 20 % are allowed.

    The reading `final bias` is that bias in numbers. Where a parameter of the model is seen to be it (what is added to it
    is added to the outputs), it is set in a copy of the fresh weights, and `train/loss_with_final_bias` is what that
    model loses; else its loss is computed, and the reading says so.

    By default the loss must be within 20 % of what is expected. In regressions, whose outputs have a size of their own, a
    squared error must be below three times of it, a Huber loss below 2.5 times, an absolute error below twice. So fresh
    outputs around zero pass where the targets are standardised, and fail where the targets are far from zero; the remedy
    is to start the final bias at their mean, or to standardise them. What is due to chance, because the fresh outputs
    happen to lie along the targets or against them, is not counted. In classifications it is told from five draws of fresh
    weights: what all of them are off is judged, and what only this draw is off is the reading `chance`.

    Pretrained weights may know more than nothing. Declare them, `Setup(declarations={"pretrained": "ImageNet"})`, and the
    loss must be at most what knowing nothing costs; a step that transfers declares them for those that follow.
    """

    purpose: ClassVar[str] = "Is the loss of the untrained model what it must be by arithmetic?"
    unused_settings: ClassVar[frozenset[str]] = TRAINING_LENGTH
    version: ClassVar[int] = 3
    leaves_weights: ClassVar[bool | None] = False

    def run(self, bench: Bench) -> Outcome:
        splits = tuple(split for split in (Split.TRAIN, Split.VALIDATION) if split in bench.splits)
        training = bench.evaluate(Split.TRAIN, mode="train")
        scored = bench.evaluate(*splits)
        seen = LossTargets(bench)
        bench.observe(Split.TRAIN, see=seen.see)
        measured = scored.scores.get("train/loss")
        expected = seen.expected()
        even = even_scores(bench) if expected.uniform is None else None
        if even is not None:
            expected = replace(expected, uniform=even.loss)
        pretrained = _pretrained(bench.setup.declarations.get(PRETRAINED))
        draws = None if measured is None or pretrained or expected.uniform is None else fresh_draws(bench)
        known = [value for value in (expected.uniform, expected.prior) if value is not None]
        chance = None if measured is None else seen.by_chance(measured.value)
        initial = InitialLoss(
            task=bench.task,
            measured=measured,
            expected=expected,
            biased=None if measured is None else final_bias.measure(bench, seen.expected),
            chance=chance if draws is None else draws.by_chance(known),
            draws=() if draws is None else draws.losses,
            response=1.0 if even is None else even.response,
            pretrained=pretrained,
        )
        findings = {(one.code, one.message): one for one in (*scored.findings, *training.findings)}
        return Outcome(
            scores={**scored.scores, **_training_mode(training.scores), **initial.scores()},
            readings=tuple(initial.readings()),
            findings=tuple(findings.values()),
            parameters={"loss": bench.task.loss, "loss options": dict(bench.task.loss_options)},
            seconds={"evaluate": scored.seconds, "evaluate in training mode": training.seconds},
            summary=initial.summary(),
        )

    def default_checks(self, task: Task, metrics: Sequence[str]) -> Sequence[Check]:
        tolerance = _TOLERANCES.get(task.loss, _TOLERANCE_OF_VALUES if task.kind in _VALUES else None)
        return (LossIsTheoretical() if tolerance is None else LossIsTheoretical(tolerance=tolerance), NoNaN())

    def score_names(self, metrics: Sequence[str]) -> Sequence[str]:
        return (*metrics, "loss", TRAINING_MODE, EXPECTED, UNIFORM, ZERO, PRIOR, BIASED)

    def candidate_names(self) -> Sequence[str]:
        return ()


def _pretrained(declared: Any) -> str:
    return "as declared" if declared is True else str(declared or "")


def _training_mode(scores: Mapping[str, Score]) -> dict[str, Score]:
    loss = scores.get("train/loss")
    if loss is None:
        return {}
    how = "dropout on, batch norm on the statistics of shuffled batches"
    note = "; ".join(part for part in (how, loss.note) if part)
    return {str(Metric(TRAINING_MODE, Split.TRAIN)): replace(loss, note=note)}
