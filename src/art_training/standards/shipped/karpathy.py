"""The recipe, as a standard: Andrej Karpathy, "A Recipe for Training Neural Networks" (2019)."""

from art_training.standards.findings import FindingsSettled
from art_training.standards.origin import TestUsedAtMost
from art_training.standards.scores import BetterThanBaseline
from art_training.standards.seeds import Seeds
from art_training.standards.standard import Standard
from art_training.standards.steps import CheckAsked, StepPassed

_STEPS = (
    "ExploreData",
    "Diagnose",
    "EvaluateBaseline",
    "CheckLossOnInit",
    "OverfitOneBatch",
    "Overfit",
    "Regularize",
    "Tune",
    "Squeeze",
    "FinalTest",
)

karpathy = Standard(
    "karpathy",
    version=1,
    about="Every step of the recipe that needs no pretrained part, in full: data looked at, loss right at the start, one batch "
    "overfitted, better than the baselines, faults settled, more than one seed, and one look at the test split.",
    requires=(
        *(StepPassed(step) for step in _STEPS),
        # A project may ask other checks of its steps; this question is what the step is for.
        CheckAsked("CheckLossOnInit", "LossIsTheoretical"),
        BetterThanBaseline(),
        FindingsSettled("warning"),
        Seeds(3),
        TestUsedAtMost(1),
    ),
)
