"""Squeeze: the last gains of a model that is chosen: an ensemble, longer training, distillation, calibration, export."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from art_training.checks import Check
from art_training.checks.export import ExportAgrees
from art_training.checks.finite import NoNaN
from art_training.errors import ProjectError, SetupError
from art_training.records import Outcome, Split
from art_training.setup.scores.metrics import LOSS
from art_training.setup.task import Task
from art_training.steps.bench import Bench
from art_training.steps.deciding import deciding_metric
from art_training.steps.looking_back import LooksBack
from art_training.steps.prospect import Prospect
from art_training.steps.squeezing.names import (
    CALIBRATED,
    DIFFERENCE,
    ECE,
    ECE_BEFORE,
    ENSEMBLE,
    GAINS,
    LONGER,
    SINGLE,
    STUDENT,
)


@dataclass(frozen=True)
class Squeeze(LooksBack):
    """Get out of the chosen setup what is left in it, say what each part gains and costs, and export the result.

    The setup is what earlier steps hand on. It is trained under several seeds (`member 1`, `member 2`, ...). Compared
    are, on the validation split and paired example by example:

    - `single`: the first member. Of seeds, which one it is was not chosen; of candidates (`of`), it is the best of them.
    - `longer`: the first member trained on, with an average of its weights.
    - `ensemble`: the members' mean prediction, of probabilities or of values. The weights of members are chosen by
      greedy forward selection (Caruana et al., 2004) on validation alone; each example is predicted by weights that the
      other four fifths chose, so that what is reported was not chosen on what it is reported of.
    - `student`: one model that the ensemble taught (Hinton et al., 2015).
    - `calibrated`: the result with a temperature (Guo et al., 2017) against the result without. It changes no decision.

    Where the task has classes, each of the first four is compared with the temperature that it would be delivered with:
    a mean of probabilities says less than its members, and a temperature is what mends that. Scores and gains are of
    examples that the temperature has not seen; the one that is exported was chosen on all.

    The result is the smallest of the first four whose score is not significantly worse than that of the best, counting
    parameters and taking the better of two that are as small; or simply the best, or the one that is named (`prefer`). A
    temperature is applied where it lowers the loss. The scores are those of the result.

    What is delivered is the result at its temperature: that is exported, that is what `FinalTest` judges, and of that the
    examples are named that it does worst on.

    What is not done: calibration of a regression, which has no probabilities, and of a multi-label task, which has no
    most probable class. A reading says so.

    Attributes:
        ensemble: how many members; 0: none but the single model.
        of: name of an earlier step, such as Tune or Regularize, whose best candidates are the members instead of seeds of one setup.
        longer: factor of the epochs that the longer training has in all; 0: none.
        averaging: of its weights: `ema`, an exponential moving average, or `swa`, the mean over the ends of its epochs
            (Izmailov et al., Averaging weights leads to wider optima and better generalization, UAI 2018).
        distill: let the ensemble teach a student.
        calibrate: choose a temperature; None: where the task has classes; True: it must have.
        export: leave the result as `model.zip` for `art.load_model`, and load it in a new process to see that it predicts
            the same.
        weighting: of members: `greedy`, or `equal`, where nothing is chosen.
        by: the score that decides, of the validation split.
        prefer: `small`: the smallest that is not significantly worse than the best; `best`: the best; `single`, `longer`,
            `ensemble` or `student`: that one, whatever it gains. It must be one that is asked for; where it comes to
            nothing, the step raises.
        examples: worst examples of each kind that are named; 0: no look back at the data.
        examples_seconds: the time to read their inputs again for pictures.
    """

    ensemble: int = 5
    of: str = ""
    longer: float = 2.0
    averaging: Literal["ema", "swa"] = "ema"
    distill: bool = True
    calibrate: bool | None = None
    export: bool = True
    weighting: Literal["greedy", "equal"] = "greedy"
    by: str = "validation/loss"
    prefer: Literal["small", "best", "single", "longer", "ensemble", "student"] = "small"

    purpose: ClassVar[str] = (
        "What do an ensemble, longer training, distillation and calibration still give, and at what cost?"
    )
    needs_splits: ClassVar[frozenset[Split]] = frozenset({Split.VALIDATION})
    scored_splits: ClassVar[frozenset[Split] | None] = frozenset({Split.VALIDATION})
    leaves_weights: ClassVar[bool | None] = True
    decides: ClassVar[str] = "by"

    def __post_init__(self) -> None:
        super().__post_init__()
        _whole(self, "ensemble")
        if self.ensemble == 1:
            raise ProjectError(
                f"ensemble=1 of step {self.name!r} is the single model; give 2 members or more, or 0 for no ensemble"
            )
        if not _is_factor(self.longer):
            raise ProjectError(
                f"longer={self.longer!r} of step {self.name!r} is a factor of the epochs in all; give more than 1, such as "
                "2.0, or 0 for no longer training"
            )
        for name, known in (
            ("averaging", ("ema", "swa")),
            ("weighting", ("greedy", "equal")),
            ("prefer", ("small", "best", SINGLE, LONGER, ENSEMBLE, STUDENT)),
        ):
            if getattr(self, name) not in known:
                raise ProjectError(
                    f"{name}={getattr(self, name)!r} of step {self.name!r} is none of: {', '.join(known)}"
                )
        if missing := _missing(self):
            raise ProjectError(
                f"prefer={self.prefer!r} of step {self.name!r} wants what {missing} leaves out; give {missing.partition('=')[0]}="
                f"{_USUAL[missing]}, or prefer='small'"
            )
        object.__setattr__(self, "by", str(deciding_metric(self.by, self.name)))
        if self.of and not self.ensemble:
            raise ProjectError(
                f"of={self.of!r} of step {self.name!r} names members, and ensemble=0 wants none; give ensemble=5"
            )
        if not (self.ensemble or self.longer or self.calibrate is not False or self.export):
            raise ProjectError(
                f"step {self.name!r} is asked for nothing: ensemble, longer, calibrate and export are all off; give one"
            )

    def consumes(self, kinds: Mapping[str, str]) -> Collection[str]:
        return (*super().consumes(kinds), *((self.of,) if self.of in kinds else ()))

    def candidate_names(self) -> Sequence[str]:
        members = [f"member {at}" for at in range(1, self.ensemble + 1)]
        return (SINGLE, LONGER, ENSEMBLE, STUDENT, CALIBRATED, *members)

    def foresee(self, prospect: Prospect) -> None:
        if not self.of:
            return
        said, before = f"of={self.of!r} of step {self.name!r}", prospect.before
        promise = before.of(self.of, said)
        setups = promise.setups
        if setups is not None and setups < 2:
            other = [name for name, one in before.earlier.items() if one.setups is None or one.setups > 1]
            known = f"name one that does: {', '.join(other)}" if other else "put a search before it, such as Tune"
            if promise.for_two:
                known = f"give {self.of} {promise.for_two}, or more"
            left = "leaves no setups that members could be made of" if not setups else f"leaves {setups} setup alone"
            raise ProjectError(
                f"{said} names a step that {left}, and an ensemble needs 2; {known}; or leave `of` out to train one setup under "
                "several seeds"
            )

    def run(self, bench: Bench) -> Outcome:
        from art_training.steps.squeezing.work import Squeezing

        if Split.VALIDATION not in bench.splits:
            raise SetupError(
                f"{self.name} compares and chooses on the validation split, and the data has: {', '.join(bench.splits)}; "
                "give a val_dataloader, or art.data(validation=...)"
            )
        return Squeezing(self, bench).run()

    def default_checks(self, task: Task, metrics: Sequence[str]) -> Sequence[Check]:
        return (NoNaN(), ExportAgrees()) if self.export else (NoNaN(),)

    def score_names(self, metrics: Sequence[str]) -> Sequence[str]:
        return (*metrics, LOSS, ECE, ECE_BEFORE, DIFFERENCE, *GAINS)


_USUAL = {"longer=0": "2.0", "ensemble=0": "5", "distill=False": "True"}


def _missing(step: Squeeze) -> str:
    """The setting without which there is what `prefer` names; empty where nothing is missing."""
    if step.prefer == LONGER and not step.longer:
        return "longer=0"
    if step.prefer in {ENSEMBLE, STUDENT} and not step.ensemble:
        return "ensemble=0"
    return "distill=False" if step.prefer == STUDENT and not step.distill else ""


def _is_factor(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return number and (value == 0 or value > 1)


def _whole(step: Squeeze, name: str) -> None:
    value: Any = getattr(step, name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ProjectError(
            f"{name}={value!r} of step {step.name!r} is no number of models; give 2 or more, or 0 for none"
        )
