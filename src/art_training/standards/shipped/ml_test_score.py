"""The ML Test Score, as far as a record can support it.

Breck, Cai, Nielsen, Salib, Sculley: "The ML Test Score: A Rubric for ML Production Readiness and Technical Debt Reduction",
IEEE Big Data 2017. Four sections of seven tests. A test that is done by hand and written down counts half a point, one that
runs by itself again and again a whole one; the score is the smallest of the four sums. A record shows what was done once, so
that it supports half points alone.
"""

from collections.abc import Mapping

from art_training.checks import ExportAgrees
from art_training.standards.origin import CodeCommitted
from art_training.standards.requirement import Requirement
from art_training.standards.scored import Scored
from art_training.standards.scores import BetterThanBaseline, Finite, SlicesScored
from art_training.standards.seeds import Repeatable
from art_training.standards.standard import Standard
from art_training.standards.steps import CheckPasses, EveryStepPassed, StepPassed

# What of a record supports a test, or in words what would have to be shown elsewhere.
_TESTS: Mapping[str, Mapping[str, Requirement | str]] = {
    "Data": {
        "what is expected of inputs is written down and checked": StepPassed("ExploreData"),
        "each feature earns its place": "what is lost without a feature, one feature at a time",
        "no feature costs more than it brings": "latency, memory and upkeep of each feature",
        "features keep to the rules of the house": "which sources and features may be used, and that no other is",
        "privacy is looked after in the pipeline": "who can read which data, and that access was reviewed",
        "a new feature can be added soon": "how long it took the last time, from the idea to production",
        "the code that makes inputs is tested": "unit tests of that code",
    },
    "Model": {
        "the model's code is kept under version control": CodeCommitted(),
        "what is measured offline predicts what counts online": "both numbers side by side, from an experiment online",
        "hyper-parameters were searched": StepPassed("Tune"),
        "it is known what an old model costs": "the quality of yesterday's model, last month's and last year's",
        "a simpler model is not as good": BetterThanBaseline(),
        "quality holds on the slices that matter": SlicesScored(),
        "the model is fair to those whom it concerns": "quality by group of people, looked at by somebody who knows them",
    },
    "Infrastructure": {
        "a training can be repeated": Repeatable(),
        "the model's code is tested on a few batches": StepPassed("OverfitOneBatch"),
        "the pipeline is tested as a whole": EveryStepPassed(),
        "quality is judged before a model is released": StepPassed("FinalTest"),
        "one example can be followed through the model": "a tool that shows it step by step",
        "a new model is tried on little traffic first": "the canary and its result",
        "a released model can be taken back": "a rehearsal of going back to the one before",
    },
    "Monitoring": {
        "changes of what it depends on are told": "who is told when a source of data or a package changes",
        "inputs in production are what they were in training": "alerts on data in production",
        "training and serving compute the same": CheckPasses("Squeeze", ExportAgrees()),
        "a model that grows old is noticed": "an alert on the age of the released model",
        "numbers stay finite": Finite(),
        "speed and memory do not get worse": "both over time, in training and in production",
        "quality in production does not get worse": "labels from production, or another measure of it",
    },
}

ml_test_score = Standard(
    "ml-test-score",
    version=1,
    about="The ML Test Score of Breck et al. (2017): four sections of seven tests, half a point for each that the record "
    "supports; the score is the smallest sum. Most of Data and Monitoring lies outside any training record.",
    requires=tuple(
        Scored(section, test, needs=by) if isinstance(by, str) else Scored(section, test, by)
        for section, tests in _TESTS.items()
        for test, by in tests.items()
    ),
    at_least=0.5,
)
