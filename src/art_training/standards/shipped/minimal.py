"""The least that makes a result worth a look."""

from art_training.standards.findings import FindingsSettled
from art_training.standards.scores import Finite
from art_training.standards.standard import Standard
from art_training.standards.steps import EveryStepPassed, StepPassed

minimal = Standard(
    "minimal",
    version=1,
    about="What costs seconds and finds most faults: the data was looked at, the model can learn one batch by heart, whatever "
    "the project declares passed, and no error is open.",
    requires=(
        StepPassed("ExploreData"),
        StepPassed("OverfitOneBatch"),
        EveryStepPassed(),
        Finite(),
        FindingsSettled("error"),
    ),
)
