"""What steps that train a model for its own sake have in common: at their end they look back at the data with it."""

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

from art_training.engines import FitResult
from art_training.errors import ProjectError
from art_training.records import Split
from art_training.setup.setup import Setup
from art_training.steps.bench import Bench, Scored
from art_training.steps.examples import Budget, LookBack, worst_examples
from art_training.steps.forgetting import Forgotten
from art_training.steps.overfitting.looking import Looking
from art_training.steps.step import Step

LOOKING_BACK = frozenset({"examples", "examples_seconds"})  # what a search that names more of them need not repeat

_SHARE = 0.01  # of the batches of a training, that looks at what it forgets may take: nobody was asked for them


@dataclass(frozen=True)
class LooksBack(Step):
    """A step that names the examples which its model does worst on, see `worst_examples`.

    Examples of training and of validation are named: there is where mislabelled and corrupted ones are mended. Those of
    the test split never are: whoever sees which ones the model fails on mends what fails, and has chosen by them.

    Attributes:
        examples: worst examples of each kind that are named; 0: no look back at the data.
        examples_seconds: the time to read their inputs again for pictures.
    """

    _: KW_ONLY
    examples: int = 16
    examples_seconds: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        given: Mapping[str, Any] = {"examples": self.examples, "examples_seconds": self.examples_seconds}
        for name, value in given.items():
            kinds = int if name == "examples" else int | float
            if isinstance(value, bool) or not isinstance(value, kinds) or not 0 <= value < math.inf:
                raise ProjectError(
                    f"{name}={value!r} of step {self.name!r} must be a number and must not be negative; 0 is none"
                )

    def look_back(
        self,
        bench: Bench,
        scored: Scored,
        *,
        weights: Path | None = None,
        setup: Setup | None = None,
        forgotten: Forgotten | None = None,
    ) -> LookBack:
        """Look back at the splits that were scored, without augmentation.

        Args:
            bench: of the step.
            scored: training and validation, as `bench.evaluate(..., plain=True)` gives them.
            weights: that were scored.
            setup: that was scored; None: the step's.
            forgotten: what the training forgot.
        """
        budget = Budget(self.examples, self.examples_seconds)
        return worst_examples(
            bench, scored, weights=weights, setup=setup, plain=True, budget=budget, forgotten=forgotten
        )

    def look_back_with(
        self, bench: Bench, weights: Path, setup: Setup, *, seed: int, forgotten: Forgotten | None = None
    ) -> LookBack:
        """Score weights on training and validation without augmentation, and look back; nothing where none is wanted."""
        if not self.examples:
            return LookBack()
        splits = [split for split in (Split.TRAIN, Split.VALIDATION) if split in bench.splits]
        bench.say("look back at the data")
        scored = bench.evaluate(*splits, setup=setup, weights=weights, plain=True, seed=seed, keep=False)
        return self.look_back(bench, scored, weights=weights, setup=setup, forgotten=forgotten)


def watched_fit(
    bench: Bench, setup: Setup, *, label: str, watch: bool, key: str = "", **how: Any
) -> tuple[FitResult, Forgotten | None]:
    """Train, and count what is forgotten on the first batches of training; a training of few batches is not looked at.

    Args:
        bench: of the step.
        setup: what is trained.
        label: of the training.
        watch: whether to count at all.
        key: what its counts are remembered under, where the label may come to mean another training; empty: the label.
        how: what else `bench.fit` shall know.
    """
    looking = Looking(bench, 0, forgetting=watch, share=_SHARE, label=key or label)
    result = bench.fit(setup, label=label, looks=looking.looks, stop=looking.stop(lambda _: None), **how)
    looking.remember()
    return result, looking.forgotten(result)
