"""A standard: what a project must show before its result is used."""

from art_sample.step import TrySeeds
from art_training.standards import FindingsSettled, Standard, StepPassed

sample = Standard(
    "sample",
    version=1,
    about="Several seeds were tried and agree, and no finding is open.",
    requires=(StepPassed(TrySeeds.__name__), FindingsSettled()),
)
